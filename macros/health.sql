{#- The components of customer health, in the order in which they are told. Their rules are in seeds/health_rules.csv. -#}
{% macro health_components() -%}
    {{ return([
        'usage_recency', 'usage_frequency', 'usage_breadth', 'order_trend', 'nps', 'tickets', 'payments',
    ]) }}
{%- endmacro %}
