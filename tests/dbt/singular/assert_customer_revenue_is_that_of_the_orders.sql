-- Fails for a customer whose gross revenue is not the gross amount of their booked orders, or who was given back less
-- than their orders say. They may have been given back more: for orders that nobody has seen.

with customers as (
    select
        customer_id,
        gross_revenue,
        refunded_amount
    from {{ ref('fct_customer_lifetime_value') }}
),

ordered as (
    select
        customer_id,
        sum(gross_amount) as gross_amount,
        sum(refunded_amount) as refunded_amount
    from {{ ref('fct_orders') }}
    where is_booked and customer_id is not null
    group by customer_id
)

select
    customers.customer_id,
    customers.gross_revenue,
    ordered.gross_amount as gross_of_orders,
    customers.refunded_amount,
    ordered.refunded_amount as refunded_of_orders
from customers
left join ordered on customers.customer_id = ordered.customer_id
where
    abs(customers.gross_revenue - coalesce(ordered.gross_amount, 0)) > 0.01
    or coalesce(ordered.refunded_amount, 0) - customers.refunded_amount > 0.01
