{#-
    Which months make up which period, from the CTEs `months` and `settings` of the model: a row per type of period and
    month, with the first and the last day of the period and whether it is over.
-#}
{% macro month_periods(period_types) -%}
    {%- for period_type in period_types %}
    select
        '{{ period_type }}' as period_type,
        {{ period_start(period_type, 'months.month') }} as period_start,
        {{ period_end(period_type, 'months.month') }} as period_end,
        months.month,
        {{ period_end(period_type, 'months.month') }} <= settings.as_of_date as is_complete
    from months
    cross join settings

    union all
    {%- endfor %}

    -- All there is, up to as_of_date: never incomplete.
    select
        'all' as period_type,
        {{ month_start('settings.first_event_on') }} as period_start,
        settings.as_of_date as period_end,
        months.month,
        true as is_complete
    from months
    cross join settings
{%- endmacro %}
