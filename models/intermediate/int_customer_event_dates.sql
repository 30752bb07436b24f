{{ config(materialized='view') }}

-- Grain: one row per event of a customer that the customer grains count: an order, a refund, a day of use.
-- Only who and when, before any cut at as_of_date: it tells whose rows change when as_of_date moves.

with orders as (
    select * from {{ ref('stg_orders') }}
),

refunds as (
    select * from {{ ref('stg_refunds') }}
),

usage_events as (
    select * from {{ ref('stg_usage_events') }}
),

final as (
    select
        customer_id,
        ordered_on as event_on
    from orders
    where customer_id is not null

    union all

    select
        coalesce(orders.customer_id, refunds.customer_id) as customer_id,
        refunds.refunded_on as event_on
    from refunds
    left join orders on refunds.order_id = orders.order_id
    where coalesce(orders.customer_id, refunds.customer_id) is not null

    union all

    select
        customer_id,
        used_on as event_on
    from usage_events
)

select * from final
