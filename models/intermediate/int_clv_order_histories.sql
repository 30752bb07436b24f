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

first_purchases as (
    select
        customer_id,
        min(activity_on) as first_purchase_on
    from customer_days
    where order_count > 0
    group by customer_id
),

purchases as (
    select
        customer_days.customer_id,
        customer_days.activity_on,
        customer_days.order_count,
        customer_days.counted_revenue,
        customer_days.net_revenue,
        first_purchases.first_purchase_on
    from customer_days
    inner join first_purchases on customer_days.customer_id = first_purchases.customer_id
),

histories as (
    select
        windows.window_name,
        purchases.customer_id,
        windows.observed_until,
        windows.holdout_until,
        purchases.first_purchase_on,
        max(
            case
                when purchases.order_count > 0 and purchases.activity_on <= windows.observed_until
                    then purchases.activity_on
            end
        ) as last_purchase_on,
        sum(
            case when purchases.order_count > 0 and purchases.activity_on <= windows.observed_until then 1 else 0 end
        ) - 1 as frequency,
        -- Gamma-Gamma looks at repeat purchases, and at those of a value: a free sample tells nothing of what a
        -- customer spends.
        sum(
            case
                when
                    purchases.order_count > 0
                    and purchases.counted_revenue > 0
                    and purchases.activity_on > purchases.first_purchase_on
                    and purchases.activity_on <= windows.observed_until
                    then 1
                else 0
            end
        ) as valued_frequency,
        sum(
            case
                when
                    purchases.order_count > 0
                    and purchases.counted_revenue > 0
                    and purchases.activity_on > purchases.first_purchase_on
                    and purchases.activity_on <= windows.observed_until
                    then purchases.counted_revenue
                else 0
            end
        ) as repeat_value,
        sum(
            case
                when
                    purchases.order_count > 0
                    and purchases.activity_on > windows.observed_until
                    and purchases.activity_on <= windows.holdout_until
                    then 1
                else 0
            end
        ) as holdout_purchases,
        sum(
            case
                when
                    purchases.activity_on > windows.observed_until
                    and purchases.activity_on <= windows.holdout_until
                    then purchases.net_revenue
                else 0
            end
        ) as holdout_net_revenue
    from purchases
    inner join windows on purchases.first_purchase_on <= windows.observed_until
    group by
        windows.window_name,
        purchases.customer_id,
        windows.observed_until,
        windows.holdout_until,
        purchases.first_purchase_on
),

final as (
    select
        histories.window_name,
        histories.customer_id,
        cast(coalesce(segment_values.segment_type, 'all') as {{ dbt.type_string() }}) as segment_type,
        cast(coalesce(segment_values.segment_value, 'all') as {{ dbt.type_string() }}) as segment_value,
        cast(histories.frequency as {{ dbt.type_bigint() }}) as frequency,
        {{ days_between('histories.first_purchase_on', 'histories.last_purchase_on') }} as recency_days,
        {{ days_between('histories.first_purchase_on', 'histories.observed_until') }} as age_days,
        cast(histories.valued_frequency as {{ dbt.type_bigint() }}) as valued_frequency,
        coalesce(
            cast(
                histories.repeat_value / nullif(histories.valued_frequency, 0) as {{ type_order_money() }}
            ),
            0
        ) as mean_repeat_value,
        case
            when histories.holdout_until is not null
                then cast(histories.holdout_purchases as {{ dbt.type_bigint() }})
        end as holdout_purchases,
        case
            when histories.holdout_until is not null
                then cast(histories.holdout_net_revenue as {{ type_money() }})
        end as holdout_net_revenue
    from histories
    left join segment_values on histories.customer_id = segment_values.customer_id
)

select * from final
