{#- Types of the contracts. dbt's own type_float() is 32 bits wide on DuckDB. -#}

{% macro type_money() -%} decimal(28, 4) {%- endmacro %}

{#-
    Money of one order, and of one customer by the day or month: it fits into a machine word. DuckDB reads wider decimals
    fifty times slower; sums over customers need them (type_money).
-#}
{% macro type_order_money() -%} decimal(18, 4) {%- endmacro %}

{% macro type_ratio() -%}
    {{ return(adapter.dispatch('type_ratio', 'tenure')()) }}
{%- endmacro %}

{% macro default__type_ratio() -%} double {%- endmacro %}
