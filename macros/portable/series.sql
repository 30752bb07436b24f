{#-
    Spines. A select with one column, a row per month (its first day) from `start` to `end`, both scalar expressions
    over the one-row `relation`; no row when either is null.
-#}
{% macro month_series(relation, start, end, column='month') -%}
    {{ return(adapter.dispatch('month_series', 'tenure')(relation, start, end, column)) }}
{%- endmacro %}

{% macro default__month_series(relation, start, end, column) -%}
    select cast(series.step as date) as {{ column }}
    from {{ relation }} as bounds
    cross join lateral (
        select unnest(
            generate_series(
                date_trunc('month', bounds.{{ start }}), date_trunc('month', bounds.{{ end }}), interval 1 month
            )
        ) as step
    ) as series
{%- endmacro %}

{% macro spark__month_series(relation, start, end, column) -%}
    select cast(series.step as date) as {{ column }}
    from {{ relation }} as bounds
    lateral view explode(
        sequence(
            cast(date_trunc('month', bounds.{{ start }}) as date),
            cast(date_trunc('month', bounds.{{ end }}) as date),
            interval 1 month
        )
    ) series as step
{%- endmacro %}

{#- A select with the whole numbers from `first` to `last`, both literals, in the column `number`. -#}
{% macro number_series(first, last) -%}
    {{ return(adapter.dispatch('number_series', 'tenure')(first, last)) }}
{%- endmacro %}

{% macro default__number_series(first, last) -%}
    select unnest(generate_series({{ first }}, {{ last }})) as number
{%- endmacro %}

{% macro spark__number_series(first, last) -%}
    select explode(sequence({{ first }}, {{ last }})) as number
{%- endmacro %}
