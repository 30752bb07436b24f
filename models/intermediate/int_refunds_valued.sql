{{ config(materialized='view') }}

-- Grain: one row per refund made by as_of_date, in the reporting currency, with the customer it belongs to:
-- the one of its order, else the one it names. A refund that names no currency was made in that of its order. A
-- refund of an order that was never booked (cancelled) is not booked either.

with all_refunds as (
    select * from {{ ref('stg_refunds') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

exchange_rates as (
    select * from {{ ref('int_exchange_rates') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

refunds as (
    select
        all_refunds.refund_id,
        all_refunds.order_id,
        coalesce(orders.customer_id, all_refunds.customer_id) as customer_id,
        coalesce(all_refunds.currency, orders.currency, settings.reporting_currency) as currency,
        all_refunds.amount,
        all_refunds.refunded_at,
        all_refunds.refunded_on,
        all_refunds.reason,
        orders.currency as order_currency,
        orders.order_id is not null as has_known_order,
        coalesce(orders.status, 'completed') <> 'cancelled' as is_booked
    from all_refunds
    inner join settings on all_refunds.refunded_on <= settings.as_of_date
    left join orders on all_refunds.order_id = orders.order_id
),

final as (
    select
        refunds.refund_id,
        refunds.order_id,
        refunds.customer_id,
        refunds.refunded_at,
        refunds.refunded_on,
        cast({{ to_reporting_currency(
            'refunds.amount', 'exchange_rates.rate_to_reporting', 'refunds.currency', 'refunds.refunded_on'
        ) }} as {{ type_order_money() }}) as refunded_amount,
        cast(refunds.amount as {{ type_order_money() }}) as original_amount,
        coalesce(refunds.currency = refunds.order_currency, false) as is_in_order_currency,
        refunds.has_known_order,
        refunds.is_booked,
        refunds.reason
    from refunds
    {{ join_exchange_rate('refunds', 'refunded_on') }}
)

select * from final
