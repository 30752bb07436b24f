{{
    config(
        materialized='incremental',
        incremental_strategy='replace_orders',
        unique_key='order_id',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per order placed by as_of_date, in the reporting currency, with what was refunded of it by
-- then. `is_booked`: its money counts. `is_counted`: it is a purchase, in frequencies and first and last order
-- dates. Guests' orders are here too. For one row per customer and day see int_customer_days.

with orders as (
    select *
    from {{ ref('stg_orders') }}
    where {{ only_touched_orders() }}
),

all_refunds as (
    select * from {{ ref('stg_refunds') }}
),

refunds as (
    select * from {{ ref('int_refunds_valued') }}
),

exchange_rates as (
    select * from {{ ref('int_exchange_rates') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Whether a returned order has a refund at all, of whatever date: its refund then says when it was returned.
refunded_orders as (
    select distinct order_id from all_refunds
    where order_id is not null
),

refunds_of_order as (
    select
        order_id,
        sum(refunded_amount) as refunded_amount,
        sum(original_amount) as original_amount,
        min(case when is_in_order_currency then 1 else 0 end) as is_in_order_currency,
        max(refunded_on) as last_refunded_on
    from refunds
    where has_known_order
    group by order_id
),

converted as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.status,
        orders.currency,
        {{ to_reporting_currency(
            'orders.gross_amount', 'exchange_rates.rate_to_reporting', 'orders.currency', 'orders.ordered_on'
        ) }} as gross_amount,
        {{ to_reporting_currency(
            'orders.discount_amount', 'exchange_rates.rate_to_reporting', 'orders.currency', 'orders.ordered_on'
        ) }} as discount_amount,
        {{ to_reporting_currency(
            'orders.cost_amount', 'exchange_rates.rate_to_reporting', 'orders.currency', 'orders.ordered_on'
        ) }} as cost_amount,
        orders.gross_amount - orders.discount_amount as original_net_amount,
        coalesce(refunds_of_order.refunded_amount, 0) as refunded_amount,
        refunds_of_order.original_amount as original_refunded_amount,
        coalesce(refunds_of_order.is_in_order_currency, 0) = 1 as is_in_order_currency,
        refunds_of_order.last_refunded_on,
        refunded_orders.order_id is not null as has_refund
    from orders
    inner join settings on orders.ordered_on <= settings.as_of_date
    left join refunded_orders on orders.order_id = refunded_orders.order_id
    left join refunds_of_order on orders.order_id = refunds_of_order.order_id
    {{ join_exchange_rate('orders', 'ordered_on') }}
),

judged as (
    select
        *,
        gross_amount - discount_amount as net_amount,
        -- A returned order without a refund: the money went back on a day nobody told, so it is left out
        -- altogether.
        status = 'completed' or (status = 'returned' and has_refund) as is_booked,
        -- In the currency of the order, if possible: the rate may have moved between order and refund.
        case
            when is_in_order_currency
                then original_refunded_amount > 0 and original_refunded_amount >= original_net_amount
            else refunded_amount > 0 and refunded_amount >= gross_amount - discount_amount
        end as is_fully_refunded
    from converted
),

counted as (
    select
        *,
        is_booked and not is_fully_refunded as is_counted
    from judged
),

-- Numbered among the customer's counted orders; guests and orders that do not count have no number.
numbered as (
    select
        order_id,
        row_number() over (partition by customer_id order by ordered_at, order_id) as customer_order_number
    from counted
    where is_counted and customer_id is not null
),

final as (
    select
        counted.order_id,
        counted.customer_id,
        counted.ordered_at,
        counted.ordered_on,
        counted.status,
        counted.currency,
        cast(numbered.customer_order_number as {{ dbt.type_bigint() }}) as customer_order_number,
        cast(counted.gross_amount as {{ type_order_money() }}) as gross_amount,
        cast(counted.discount_amount as {{ type_order_money() }}) as discount_amount,
        cast(counted.net_amount as {{ type_order_money() }}) as net_amount,
        cast(counted.refunded_amount as {{ type_order_money() }}) as refunded_amount,
        cast(counted.cost_amount as {{ type_order_money() }}) as cost_amount,
        counted.last_refunded_on,
        counted.customer_id is null as is_guest,
        counted.discount_amount > 0 as is_discounted,
        counted.is_fully_refunded,
        counted.is_booked,
        counted.is_counted
    from counted
    left join numbered on counted.order_id = numbered.order_id
)

select * from final
