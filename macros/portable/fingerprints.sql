{#- A number that differs when the row does. Summed over rows, in whatever order, it tells whether they are the same ones. -#}
{% macro row_fingerprint(columns) -%}
    {{ return(adapter.dispatch('row_fingerprint', 'tenure')(columns)) }}
{%- endmacro %}

{% macro default__row_fingerprint(columns) -%} hash({{ columns | join(', ') }}) {%- endmacro %}

{% macro spark__row_fingerprint(columns) -%}
    cast(xxhash64({{ columns | join(', ') }}) as decimal(20, 0))
{%- endmacro %}
