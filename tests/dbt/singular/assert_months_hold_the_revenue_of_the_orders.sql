-- Fails when the net revenue of all months is not that of the orders, less the refunds of orders that nobody has seen.
-- A customer's refund of such an order is no revenue of a month either; a guest's is.

with figures as (
    select
        (
            select coalesce(sum(net_revenue + guest_net_revenue - unattributed_refunded_amount), 0)
            from {{ ref('fct_customer_base') }}
            where segment_type = 'all'
        ) as revenue_of_months,
        (select coalesce(sum(net_revenue), 0) from {{ ref('fct_orders') }}) as revenue_of_orders,
        (
            select coalesce(sum(refunded_amount), 0)
            from {{ ref('int_refunds_valued') }}
            where not has_known_order and is_booked
        ) as refunds_of_unknown_orders
)

select *
from figures
where abs(revenue_of_months - (revenue_of_orders - refunds_of_unknown_orders)) > 0.01
