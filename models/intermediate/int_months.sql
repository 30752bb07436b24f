-- Grain: one row per calendar month from the first event in the data to as_of_date: the spine of the period
-- tables.

with months as (
    {{ month_series(ref('int_settings'), 'first_event_on', 'as_of_date') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

final as (
    select
        months.month,
        {{ period_end('month', 'months.month') }} as month_end_on,
        -- The last day of the month that as_of_date lets us see.
        cast(
            least({{ period_end('month', 'months.month') }}, settings.as_of_date) as date
        ) as observed_until,
        {{ period_end('month', 'months.month') }} <= settings.as_of_date as is_complete
    from months
    cross join settings
)

select * from final
