{#- The interpolated percentile of a numeric expression (the "inclusive" definition of spreadsheets); nulls are left out. -#}
{% macro percentile(expression, fraction) -%}
    {{ return(adapter.dispatch('percentile', 'tenure')(expression, fraction)) }}
{%- endmacro %}

{% macro default__percentile(expression, fraction) -%} quantile_cont({{ expression }}, {{ fraction }}) {%- endmacro %}

{% macro spark__percentile(expression, fraction) -%} percentile({{ expression }}, {{ fraction }}) {%- endmacro %}
