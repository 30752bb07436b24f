{{ config(materialized='view') }}

-- Grain: one row per order placed by as_of_date, guests', cancelled and refunded ones included, in the
-- reporting currency. Revenue of the shop: sum `net_revenue`. Purchases of customers: `where is_counted and
-- not is_guest`. For customers per month see fct_customer_base, per customer fct_customer_lifetime_value.

with orders as (
    select * from {{ ref('int_orders_valued') }}
),

final as (
    select
        cast(orders.order_id as {{ dbt.type_string() }}) as order_id,
        cast(orders.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(orders.status as {{ dbt.type_string() }}) as status,
        cast(orders.currency as {{ dbt.type_string() }}) as original_currency,
        cast(orders.ordered_on as date) as ordered_on,
        {{ month_start('orders.ordered_on') }} as ordered_month,
        cast(orders.customer_order_number as {{ dbt.type_bigint() }}) as customer_order_number,
        cast(orders.gross_amount as {{ type_order_money() }}) as gross_amount,
        cast(orders.discount_amount as {{ type_order_money() }}) as discount_amount,
        cast(orders.refunded_amount as {{ type_order_money() }}) as refunded_amount,
        cast(
            case when orders.is_booked then orders.net_amount - orders.refunded_amount else 0 end
            as {{ type_order_money() }}
        ) as net_revenue,
        cast(orders.cost_amount as {{ type_order_money() }}) as cost_amount,
        cast(orders.is_guest as boolean) as is_guest,
        cast(orders.is_discounted as boolean) as is_discounted,
        cast(orders.is_fully_refunded as boolean) as is_fully_refunded,
        cast(orders.is_booked as boolean) as is_booked,
        cast(orders.is_counted as boolean) as is_counted,
        cast(orders.ordered_at as timestamp) as ordered_at,
        cast(orders.last_refunded_on as date) as last_refunded_on
    from orders
)

select * from final
