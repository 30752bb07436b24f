-- Grain: one row per customer with a purchase in the window and window: what their fit expects of
-- their orders, before any gate: not for readers. A customer of a segment that is large enough has the segment's
-- fit, everybody else the pooled one. For what may be published see fct_customer_lifetime_value.

with histories as (
    select * from {{ ref('int_clv_order_histories') }}
),

fits as (
    select *
    from {{ ref('int_clv_fits') }}
    where model = 'bg_nbd'
),

order_scores as (
    select * from {{ ref('int_clv_order_scores') }}
),

value_scores as (
    select * from {{ ref('int_clv_value_scores') }}
),

windows as (
    select * from {{ ref('int_clv_windows') }}
),

assigned as (
    select
        histories.window_name,
        histories.customer_id,
        case when fits.window_name is null then 'all' else histories.segment_type end as segment_type,
        case when fits.window_name is null then 'all' else histories.segment_value end as segment_value,
        histories.frequency,
        histories.recency_days,
        histories.age_days,
        histories.valued_frequency,
        histories.mean_repeat_value,
        histories.purchases_before,
        histories.holdout_purchases,
        histories.holdout_net_revenue
    from histories
    left join fits
        on
            histories.window_name = fits.window_name
            and histories.segment_type = fits.segment_type
            and histories.segment_value = fits.segment_value
),

final as (
    select
        assigned.window_name,
        assigned.customer_id,
        cast(assigned.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(assigned.segment_value as {{ dbt.type_string() }}) as segment_value,
        assigned.frequency,
        assigned.recency_days,
        assigned.age_days,
        order_scores.probability_alive,
        order_scores.expected_orders_90_days,
        order_scores.expected_orders_365_days,
        order_scores.expected_orders_holdout,
        value_scores.expected_order_value,
        order_scores.discounted_orders_365_days
        * value_scores.expected_order_value * windows.net_revenue_share as predicted_value_365_days,
        -- If they have not dropped out: what is expected of them is that, times the probability that they have not.
        {{ ratio('order_scores.discounted_orders_365_days', 'order_scores.probability_alive') }}
        * value_scores.expected_order_value * windows.net_revenue_share as value_if_alive_365_days,
        order_scores.expected_orders_holdout
        * value_scores.expected_order_value * windows.net_revenue_share as expected_revenue_holdout,
        assigned.purchases_before,
        assigned.holdout_purchases,
        assigned.holdout_net_revenue
    from assigned
    inner join windows on assigned.window_name = windows.window_name
    left join order_scores
        on
            assigned.window_name = order_scores.window_name
            and assigned.segment_type = order_scores.segment_type
            and assigned.segment_value = order_scores.segment_value
            and assigned.frequency = order_scores.frequency
            and assigned.recency_days = order_scores.recency_days
            and assigned.age_days = order_scores.age_days
    left join value_scores
        on
            assigned.window_name = value_scores.window_name
            and assigned.segment_type = value_scores.segment_type
            and assigned.segment_value = value_scores.segment_value
            and assigned.valued_frequency = value_scores.valued_frequency
            and assigned.mean_repeat_value = value_scores.mean_repeat_value
)

select * from final
