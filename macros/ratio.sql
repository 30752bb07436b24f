{#- A rate or share; NULL where the denominator is null, zero or negative: nobody can know it. -#}
{% macro ratio(numerator, denominator) -%}
    case
        when {{ denominator }} > 0
            then cast({{ numerator }} as {{ type_ratio() }}) / cast({{ denominator }} as {{ type_ratio() }})
    end
{%- endmacro %}

{#- A number in a message for people, with this many decimals. -#}
{% macro rounded_text(expression, decimals) -%}
    cast(cast({{ expression }} as decimal(28, {{ decimals }})) as {{ dbt.type_string() }})
{%- endmacro %}
