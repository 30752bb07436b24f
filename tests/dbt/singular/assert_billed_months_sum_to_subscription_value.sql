-- Fails for a customer whose billed months do not sum to their subscription value.

with billed as (
    select
        customer_id,
        sum(subscription_revenue) as subscription_value
    from {{ ref('int_subscription_months') }}
    group by customer_id
)

select
    customers.customer_id,
    customers.subscription_value,
    billed.subscription_value as billed_value
from {{ ref('fct_customer_lifetime_value') }} as customers
left join billed on customers.customer_id = billed.customer_id
where customers.subscription_value <> coalesce(billed.subscription_value, 0)
