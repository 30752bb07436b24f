{#- Types of the contracts. dbt's own type_float() is 32 bits wide on DuckDB. -#}

{% macro type_money() -%} decimal(28, 4) {%- endmacro %}

{% macro type_order_money() -%} decimal(18, 4) {%- endmacro %}

{% macro type_ratio() -%}
    {{ return(adapter.dispatch('type_ratio', 'tenure')()) }}
{%- endmacro %}

{% macro default__type_ratio() -%} double {%- endmacro %}
