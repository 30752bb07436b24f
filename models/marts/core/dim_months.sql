-- Grain: one row per calendar month from the first event in the data to as_of_date.

with months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

final as (
    select
        cast(months.month as date) as month,
        cast(months.month_end_on as date) as month_end_on,
        {{ period_start('quarter', 'months.month') }} as quarter_start_on,
        {{ period_start('year', 'months.month') }} as year_start_on,
        {{ days_between('months.month', 'months.month_end_on') }} + 1 as day_count,
        {{ days_between('months.month', 'months.observed_until') }} + 1 as observed_day_count,
        {{ months_between('months.month', 'settings.as_of_date') }} as months_ago,
        cast(months.is_complete as boolean) as is_complete,
        cast(settings.as_of_date as date) as as_of_date
    from months
    cross join settings
)

select * from final
