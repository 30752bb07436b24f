-- Grain: one row per month of sign-up and segment: how fast sign-ups become customers, by first order and by
-- first use. Only who has signed up on a known day is in here; medians are of those who have got there so far.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where signed_up_on is not null
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segments
),

months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

first_month as (
    select min(sign_up_month) as first_sign_up_month from customers
),

spine as (
    select
        months.month,
        months.month_end_on,
        months.is_complete,
        segment_values.segment_type,
        segment_values.segment_value
    from months
    inner join first_month on months.month >= first_month.first_sign_up_month
    cross join segment_values
),

activations as (
    select
        *,
        coalesce(least(first_purchase_on, first_used_on), first_purchase_on, first_used_on) as activated_on
    from customers
),

-- An order or use before the sign-up, as a guest, is an activation on the day itself. (greatest() would turn
-- null into 0.)
journeys as (
    select
        customer_id,
        sign_up_month
        {%- for milestone, column in [
            ('first_order', 'first_order_on'), ('first_use', 'first_used_on'), ('activation', 'activated_on')
        ] %},
            case
                when {{ column }} < signed_up_on then 0
                else {{ days_between('signed_up_on', column) }}
            end as days_to_{{ milestone }}
        {%- endfor %}
    from activations
),

totals as (
    select
        journeys.sign_up_month,
        segments.segment_type,
        segments.segment_value,
        count(*) as sign_ups,
        count(journeys.days_to_first_order) as ordered_customers,
        count(journeys.days_to_first_use) as used_customers,
        {{ percentile('journeys.days_to_first_order', 0.5) }} as median_days_to_first_order,
        {{ percentile('journeys.days_to_first_order', 0.9) }} as p90_days_to_first_order,
        {{ percentile('journeys.days_to_first_use', 0.5) }} as median_days_to_first_use,
        {{ percentile('journeys.days_to_first_use', 0.9) }} as p90_days_to_first_use,
        sum(case when journeys.days_to_activation <= 7 then 1 else 0 end) as activated_in_7_days,
        sum(case when journeys.days_to_activation <= 30 then 1 else 0 end) as activated_in_30_days
    from journeys
    inner join segments on journeys.customer_id = segments.customer_id
    group by journeys.sign_up_month, segments.segment_type, segments.segment_value
),

final as (
    select
        cast(spine.month as date) as sign_up_month,
        cast(spine.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(spine.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(coalesce(totals.sign_ups, 0) as {{ dbt.type_bigint() }}) as sign_ups,
        cast(coalesce(totals.ordered_customers, 0) as {{ dbt.type_bigint() }}) as ordered_customers,
        cast(coalesce(totals.used_customers, 0) as {{ dbt.type_bigint() }}) as used_customers,
        cast(totals.median_days_to_first_order as {{ type_ratio() }}) as median_days_to_first_order,
        cast(totals.p90_days_to_first_order as {{ type_ratio() }}) as p90_days_to_first_order,
        cast(totals.median_days_to_first_use as {{ type_ratio() }}) as median_days_to_first_use,
        cast(totals.p90_days_to_first_use as {{ type_ratio() }}) as p90_days_to_first_use
        {%- for days in [7, 30] %},
            -- Nobody can know the share before the last sign-up of the month has had {{ days }} days.
            case
                when {{ add_days('spine.month_end_on', days) }} <= settings.as_of_date
                    then {{ ratio('totals.activated_in_' ~ days ~ '_days', 'totals.sign_ups') }}
            end as activated_in_{{ days }}_days_share
        {%- endfor %},
        cast(spine.is_complete as boolean) as is_complete
    from spine
    cross join settings
    left join totals
        on
            spine.month = totals.sign_up_month
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
)

select * from final
