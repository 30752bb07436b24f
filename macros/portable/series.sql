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

{#-
    A select of `columns` of a relation and a row per month from `start` to `end`, both date columns of it, in the column
    `month`; no row where `end` lies before the month of `start`. No join: each row is repeated where it stands.
-#}
{% macro expand_months(relation, columns, start, end) -%}
    {{ return(adapter.dispatch('expand_months', 'tenure')(relation, columns, start, end)) }}
{%- endmacro %}

{% macro default__expand_months(relation, columns, start, end) -%}
    select
        {{ columns | join(', ') }},
        cast(
            unnest(generate_series(date_trunc('month', {{ start }}), date_trunc('month', {{ end }}), interval 1 month))
            as date
        ) as month
    from {{ relation }}
{%- endmacro %}

{% macro spark__expand_months(relation, columns, start, end) -%}
    select
        {{ columns | join(', ') }},
        series.step as month
    from {{ relation }}
    lateral view explode(
        case
            when date_trunc('month', {{ start }}) <= date_trunc('month', {{ end }})
                then sequence(
                    cast(date_trunc('month', {{ start }}) as date),
                    cast(date_trunc('month', {{ end }}) as date),
                    interval 1 month
                )
            else cast(array() as array<date>)
        end
    ) series as step
{%- endmacro %}

{#-
    A select of `columns` of a relation and a row per whole number from `first` to `last`, both columns of it, in the column
    `number`; no row where `last` lies before `first`. No join: each row is repeated where it stands.
-#}
{% macro expand_numbers(relation, columns, first, last) -%}
    {{ return(adapter.dispatch('expand_numbers', 'tenure')(relation, columns, first, last)) }}
{%- endmacro %}

{% macro default__expand_numbers(relation, columns, first, last) -%}
    select
        {{ columns | join(', ') }},
        unnest(generate_series({{ first }}, {{ last }})) as number
    from {{ relation }}
{%- endmacro %}

{% macro spark__expand_numbers(relation, columns, first, last) -%}
    select
        {{ columns | join(', ') }},
        series.step as number
    from {{ relation }}
    lateral view explode(
        case when {{ first }} <= {{ last }} then sequence({{ first }}, {{ last }}) else cast(array() as array<bigint>) end
    ) series as step
{%- endmacro %}
