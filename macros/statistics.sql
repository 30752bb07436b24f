{#- The quantile of the normal distribution behind every 95 % interval and test: 2.5 % lie above it. -#}
{% macro normal_quantile_95() -%} 1.959964 {%- endmacro %}

{#-
    The `lower` or `upper` end of the 95 % interval of a share of `number` (Wilson 1927), which never leaves 0 to 1; null
    where the share is.
-#}
{% macro wilson_bound(share, number, side) -%}
    {%- set z = normal_quantile_95() -%}
    (
        (
            {{ share }} + {{ z }} * {{ z }} / (2 * {{ number }})
            {{ '-' if side == 'lower' else '+' }} {{ z }} * sqrt(
                {{ share }} * (1 - {{ share }}) / {{ number }} + {{ z }} * {{ z }} / (4 * {{ number }} * {{ number }})
            )
        ) / (1 + {{ z }} * {{ z }} / {{ number }})
    )
{%- endmacro %}
