-- Grain: one row per customer with a purchase in the window and window: what BG/NBD and Gamma-Gamma look at,
-- and, for the calibration window, what he then did in the part of the history they have not seen. A purchase is
-- a day with a counted order: several orders of a day are one. Whether an order counts is what we know of it at
-- as_of_date.

with windows as (
    select * from {{ ref('int_clv_windows') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

segment_values as (
    select segment_values.*
    from {{ ref('int_customer_segment_values') }} as segment_values
    inner join {{ ref('int_settings') }} as settings on segment_values.segment_type = settings.clv_segment
),

milestones as (
    select
        windows.window_name,
        customer_days.customer_id,
        windows.observed_until,
        windows.holdout_until,
        min(customer_days.activity_on) as first_purchase_on,
        max(customer_days.activity_on) as last_purchase_on,
        count(*) - 1 as frequency
    from windows
    inner join customer_days on windows.observed_until >= customer_days.activity_on
    where customer_days.order_count > 0
    group by windows.window_name, customer_days.customer_id, windows.observed_until, windows.holdout_until
),

-- Gamma-Gamma looks at repeat purchases, and at those of a value: a free sample tells nothing of what he spends.
repeat_values as (
    select
        milestones.window_name,
        milestones.customer_id,
        count(*) as valued_frequency,
        cast(sum(customer_days.counted_revenue) / count(*) as {{ type_order_money() }}) as mean_repeat_value
    from milestones
    inner join customer_days
        on
            milestones.customer_id = customer_days.customer_id
            and milestones.first_purchase_on < customer_days.activity_on
            and milestones.observed_until >= customer_days.activity_on
    where customer_days.order_count > 0 and customer_days.counted_revenue > 0
    group by milestones.window_name, milestones.customer_id
),

holdout as (
    select
        milestones.customer_id,
        sum(case when customer_days.order_count > 0 then 1 else 0 end) as holdout_purchases,
        sum(customer_days.net_revenue) as holdout_net_revenue
    from milestones
    inner join customer_days
        on
            milestones.customer_id = customer_days.customer_id
            and milestones.observed_until < customer_days.activity_on
            and milestones.holdout_until >= customer_days.activity_on
    group by milestones.customer_id
),

final as (
    select
        milestones.window_name,
        milestones.customer_id,
        cast(coalesce(segment_values.segment_type, 'all') as {{ dbt.type_string() }}) as segment_type,
        cast(coalesce(segment_values.segment_value, 'all') as {{ dbt.type_string() }}) as segment_value,
        cast(milestones.frequency as {{ dbt.type_bigint() }}) as frequency,
        {{ days_between('milestones.first_purchase_on', 'milestones.last_purchase_on') }} as recency_days,
        {{ days_between('milestones.first_purchase_on', 'milestones.observed_until') }} as age_days,
        cast(coalesce(repeat_values.valued_frequency, 0) as {{ dbt.type_bigint() }}) as valued_frequency,
        coalesce(repeat_values.mean_repeat_value, 0) as mean_repeat_value,
        case
            when milestones.holdout_until is not null
                then cast(coalesce(holdout.holdout_purchases, 0) as {{ dbt.type_bigint() }})
        end as holdout_purchases,
        case
            when milestones.holdout_until is not null
                then cast(coalesce(holdout.holdout_net_revenue, 0) as {{ type_money() }})
        end as holdout_net_revenue
    from milestones
    left join segment_values on milestones.customer_id = segment_values.customer_id
    left join repeat_values
        on
            milestones.window_name = repeat_values.window_name
            and milestones.customer_id = repeat_values.customer_id
    left join holdout
        on milestones.customer_id = holdout.customer_id and milestones.holdout_until is not null
)

select * from final
