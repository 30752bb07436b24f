-- Fails, in a company without subscriptions, for a month and segment whose customers and churn under basis `orders`
-- are not those of fct_customer_retention_rate: there, whoever is a customer has ordered.

with subscribers as (
    select count(*) as periods
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

lifetime_value as (
    select *
    from {{ ref('fct_segment_lifetime_value') }}
    where basis = 'orders'
),

retention as (
    select *
    from {{ ref('fct_customer_retention_rate') }}
    where period_type = 'month' and segment_type not in ('plan', 'billing_interval')
)

select lifetime_value.*
from lifetime_value
inner join subscribers on subscribers.periods = 0
left join retention
    on
        lifetime_value.month = retention.period_start
        and lifetime_value.segment_type = retention.segment_type
        and lifetime_value.segment_value = retention.segment_value
where
    lifetime_value.starting_customers <> coalesce(retention.starting_customers, -1)
    or lifetime_value.active_customers <> retention.ending_customers
    or lifetime_value.lost_customers <> retention.lost_customers
