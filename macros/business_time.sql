{#-
    Raw timestamps are UTC where the row says so (`_is_utc`), else business time. Here, and nowhere else, the business
    time zone is applied: `_at` columns are UTC instants, `_on` columns business dates. Expects the CTE `settings`.
-#}

{% macro instant(relation, column) -%}
    case
        when {{ relation }}._is_utc or settings.business_timezone = 'UTC' then {{ relation }}.{{ column }}
        else {{ business_time_to_utc(relation ~ '.' ~ column, 'settings.business_timezone') }}
    end
{%- endmacro %}

{% macro business_time(relation, column) -%}
    case
        when {{ relation }}._is_utc and settings.business_timezone <> 'UTC'
            then {{ utc_to_business_time(relation ~ '.' ~ column, 'settings.business_timezone') }}
        else {{ relation }}.{{ column }}
    end
{%- endmacro %}

{#- The instant at which a business date begins: of a row with a date alone, the time is not known. -#}
{% macro midnight(date, timezone) -%}
    case
        when {{ timezone }} = 'UTC' then cast({{ date }} as timestamp)
        else {{ business_time_to_utc('cast(' ~ date ~ ' as timestamp)', timezone) }}
    end
{%- endmacro %}
