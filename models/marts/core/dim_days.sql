-- Grain: one row per day from the first of the month of the first event in the data to as_of_date: the time spine of
-- the semantic layer.

with months as (
    select * from {{ ref('int_months') }}
),

day_numbers as (
    {{ number_series(0, 30) }}
),

days as (
    select
        months.month,
        months.observed_until,
        {{ add_days('months.month', 'day_numbers.number') }} as calendar_day
    from months
    cross join day_numbers
),

final as (
    select
        cast(calendar_day as date) as calendar_day,
        cast(month as date) as month
    from days
    where calendar_day <= observed_until
)

select * from final
