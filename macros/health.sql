{#- The components of customer health, in the order in which they are told. Their rules are in seeds/health_rules.csv. -#}
{% macro health_components() -%}
    {{ return([
        'usage_recency', 'usage_frequency', 'usage_breadth', 'order_recency', 'order_rhythm', 'order_trend', 'nps',
        'tickets', 'payments',
    ]) }}
{%- endmacro %}

{#-
    The chance that somebody orders again before they lapse, at their own rhythm: 1 - exp(-days left / mean gap), as if
    gaps were exponential. Their mean gap leans on active_window_days, as if two gaps of that length had been seen too:
    one order tells no rhythm, two tell little. `order_days` counts the days with an order, `span` is from the first of
    them to the last, `silence` the days since the last.
-#}
{% macro order_rhythm(order_days, span, silence, window) -%}
    1 - exp(
        -greatest(cast({{ window }} - {{ silence }} as {{ type_ratio() }}), 0) * ({{ order_days }} + 1)
        / ({{ span }} + 2 * {{ window }})
    )
{%- endmacro %}
