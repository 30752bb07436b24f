-- Fails for a customer who is not active and whose departure the churn database does not hold: it was built from other
-- rows, or counts another window.

with departed as (
    select distinct customer_id
    from {{ ref('fct_churn_events') }}
    where not is_reactivated
)

select customers.customer_id
from {{ ref('dim_customers') }} as customers
left join departed on customers.customer_id = departed.customer_id
where customers.is_customer and not customers.is_active and departed.customer_id is null
