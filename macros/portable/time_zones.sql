{#- Time zones: the one conversion each engine spells in its own way. Timestamps are without time zone throughout. -#}

{#- The business time of an instant given in UTC. -#}
{% macro utc_to_business_time(timestamp, timezone) -%}
    {{ return(adapter.dispatch('utc_to_business_time', 'tenure')(timestamp, timezone)) }}
{%- endmacro %}

{% macro default__utc_to_business_time(timestamp, timezone) -%}
    timezone({{ timezone }}, timezone('UTC', {{ timestamp }}))
{%- endmacro %}

{% macro spark__utc_to_business_time(timestamp, timezone) -%}
    from_utc_timestamp({{ timestamp }}, {{ timezone }})
{%- endmacro %}

{#- The UTC instant of a business time. -#}
{% macro business_time_to_utc(timestamp, timezone) -%}
    {{ return(adapter.dispatch('business_time_to_utc', 'tenure')(timestamp, timezone)) }}
{%- endmacro %}

{% macro default__business_time_to_utc(timestamp, timezone) -%}
    timezone('UTC', timezone({{ timezone }}, {{ timestamp }}))
{%- endmacro %}

{% macro spark__business_time_to_utc(timestamp, timezone) -%}
    to_utc_timestamp({{ timestamp }}, {{ timezone }})
{%- endmacro %}
