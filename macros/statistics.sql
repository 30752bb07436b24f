{#- The quantile of the normal distribution behind every 95 % interval and test: 2.5 % lie above it. -#}
{% macro normal_quantile_95() -%} 1.959964 {%- endmacro %}
