{{ config(materialized='view') }}

-- Grain: one row per customer and event that the customer grains count (an order, a refund, a day of use, a sign-up,
-- a subscription's start, notice and end, a stated departure), or that comes of one: the day on which an order no
-- longer makes active. Only who and when, before any cut at as_of_date: it tells whose rows change when as_of_date
-- moves.

with orders as (
    select * from {{ ref('stg_orders') }}
),

refunds as (
    select * from {{ ref('stg_refunds') }}
),

usage_events as (
    select * from {{ ref('stg_usage_events') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

subscriptions as (
    select * from {{ ref('stg_subscriptions') }}
),

departures as (
    select * from {{ ref('stg_departures') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        customer_id,
        ordered_on as event_on
    from orders
    where customer_id is not null

    union all

    select
        orders.customer_id,
        {{ add_days('orders.ordered_on', 'settings.active_window_days') }} as event_on
    from orders
    cross join settings
    where orders.customer_id is not null

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

    union all

    select
        customer_id,
        signed_up_on as event_on
    from customers
    where signed_up_on is not null

    union all

    select
        customer_id,
        departed_on as event_on
    from departures

    {%- for column in ['started_on', 'cancel_requested_on', 'ended_on'] %}

        union all

        select
            customer_id,
            {{ column }} as event_on
        from subscriptions
        where {{ column }} is not null
    {%- endfor %}
)

select * from final
