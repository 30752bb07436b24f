-- Grain: one row per customer who ever bought: who they are, what they brought, how they stand, what is expected.

with customers as (
    select *
    from {{ published('dim_customers') }}
    where is_customer
),

departures as (
    select
        *,
        row_number() over (partition by customer_id order by churned_on desc, spell_number desc) as recency
    from {{ published('fct_churn_events') }}
),

final as (
    select
        customers.customer_id,
        customers.country,
        customers.acquisition_channel,
        customers.first_plan,
        customers.is_active,
        customers.lifecycle_stage,
        customers.customer_segment,
        customers.loyalty_tier,
        customers.health_band,
        customers.last_nps_category,
        customers.cohort_month,
        customers.first_order_on,
        customers.last_order_on,
        customers.order_count as orders,
        customers.net_revenue as order_revenue,
        customers.subscription_value as subscription_revenue,
        customers.historic_value,
        customers.probability_alive,
        customers.predicted_value_365_days,
        case when not customers.is_active then departures.churned_on end as left_on,
        case when not customers.is_active then departures.reason end as left_because
    from customers
    left join departures on customers.customer_id = departures.customer_id and departures.recency = 1
)

select * from final
