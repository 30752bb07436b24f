{#- Calendar arithmetic on dates, over dbt's cross-database macros; every result is a DATE or a whole number. -#}

{% macro month_start(date) -%} cast({{ dbt.date_trunc('month', date) }} as date) {%- endmacro %}

{% macro period_start(period_type, date) -%} cast({{ dbt.date_trunc(period_type, date) }} as date) {%- endmacro %}

{% macro add_days(date, days) -%} cast({{ dbt.dateadd('day', days, date) }} as date) {%- endmacro %}

{% macro add_months(date, months) -%} cast({{ dbt.dateadd('month', months, date) }} as date) {%- endmacro %}

{#- The last day of the month, quarter or year in which `date` lies. -#}
{% macro period_end(period_type, date) -%}
    {%- set months = {'month': 1, 'quarter': 3, 'year': 12}[period_type] -%}
    {{ add_days(add_months(period_start(period_type, date), months), -1) }}
{%- endmacro %}

{% macro days_between(earlier, later) -%} cast({{ dbt.datediff(earlier, later, 'day') }} as bigint) {%- endmacro %}

{#- Calendar months from the month of `earlier` to the month of `later`. -#}
{% macro months_between(earlier, later) -%} cast({{ dbt.datediff(earlier, later, 'month') }} as bigint) {%- endmacro %}

{#- Months begun from `started_on` to `ended_on` (exclusive). -#}
{% macro months_run(started_on, ended_on) -%}
    (
        {{ months_between(started_on, ended_on) }}
        + case
            when {{ add_months(started_on, months_between(started_on, ended_on)) }} < {{ ended_on }} then 1
            else 0
        end
    )
{%- endmacro %}

{#- Whole months from `started_on` to `ended_on`: the same day of the month, or the last one, ends a month. -#}
{% macro months_over(started_on, ended_on) -%}
    (
        {{ months_between(started_on, ended_on) }}
        - case
            when {{ add_months(started_on, months_between(started_on, ended_on)) }} > {{ ended_on }} then 1
            else 0
        end
    )
{%- endmacro %}

{#- The day that is a number of billing intervals (`week`, `month`, `quarter`, `year`) after `date`, on its day of the month or the last one. -#}
{% macro add_interval(date, billing_interval, count) -%}
    case {{ billing_interval }}
        when 'week' then {{ add_days(date, 'cast(7 * (' ~ count ~ ') as integer)') }}
        when 'month' then {{ add_months(date, 'cast((' ~ count ~ ') as integer)') }}
        when 'quarter' then {{ add_months(date, 'cast(3 * (' ~ count ~ ') as integer)') }}
        when 'year' then {{ add_months(date, 'cast(12 * (' ~ count ~ ') as integer)') }}
    end
{%- endmacro %}

{#- Billing intervals begun from `anchor` to `until` (exclusive): a bill is due on the anchor, and each interval later. -#}
{% macro intervals_begun(anchor, until, billing_interval) -%}
    case {{ billing_interval }}
        when 'week' then cast(floor(({{ days_between(anchor, until) }} + 6) / 7) as bigint)
        when 'month' then {{ months_run(anchor, until) }}
        when 'quarter' then cast(floor(({{ months_run(anchor, until) }} + 2) / 3) as bigint)
        when 'year' then cast(floor(({{ months_run(anchor, until) }} + 11) / 12) as bigint)
    end
{%- endmacro %}

{#-
    An end that may be open, as a date that can be compared: `open_end('active_until') > x`. Written as `active_until is
    null or active_until > x`, a join is no plain conjunction, and DuckDB compares every row with every row.
-#}
{% macro open_end(date) -%} coalesce({{ date }}, cast('9999-12-31' as date)) {%- endmacro %}
