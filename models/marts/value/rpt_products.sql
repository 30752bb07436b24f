-- Grain: one row per product in the items of a counted order: what does it bring, do its buyers buy it again, and
-- do those whose first order held it come back for anything? The net revenue of an order, refunds off, is shared
-- out by the value of its lines. For what goes together see rpt_product_affinity.

with order_items as (
    select * from {{ ref('stg_order_items') }}
),

orders as (
    select *
    from {{ ref('int_orders_valued') }}
    where is_counted
),

customers as (
    select
        customer_id,
        first_order_on,
        second_order_on
    from {{ ref('int_customers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

lines as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_on,
        orders.ordered_at,
        order_items.product_id,
        order_items.product_name,
        order_items.line_number,
        order_items.quantity,
        orders.net_amount - orders.refunded_amount as net_revenue,
        order_items.quantity * order_items.unit_price as line_value,
        sum(order_items.quantity * order_items.unit_price) over (partition by orders.order_id) as order_value,
        count(*) over (partition by orders.order_id) as order_lines
    from order_items
    inner join orders on order_items.order_id = orders.order_id
),

shared as (
    select
        *,
        -- Of a free order nothing tells how to share it: equal parts of what is then usually nothing.
        cast(
            net_revenue * coalesce({{ ratio('line_value', 'order_value') }}, {{ ratio('1', 'order_lines') }})
            as {{ type_money() }}
        ) as line_revenue,
        row_number() over (
            partition by product_id
            order by
                case when product_name is null then 1 else 0 end, ordered_at desc, order_id desc, line_number desc
        ) as recency
    from lines
),

totals as (
    select
        product_id,
        max(case when recency = 1 then product_name end) as product_name,
        count(distinct order_id) as orders,
        count(distinct customer_id) as customers,
        sum(quantity) as quantity,
        sum(line_revenue) as net_revenue
    from shared
    group by product_id
),

bought_days as (
    select
        product_id,
        customer_id,
        count(distinct ordered_on) as days
    from lines
    where customer_id is not null
    group by product_id, customer_id
),

repeats as (
    select
        product_id,
        count(case when days > 1 then 1 end) as repeat_customers
    from bought_days
    group by product_id
),

-- The first day of purchase, so that its whole basket counts.
first_baskets as (
    select distinct
        lines.product_id,
        lines.customer_id,
        {{ days_between('customers.first_order_on', 'customers.second_order_on') }} <= 180 as has_returned
    from lines
    inner join customers
        on lines.customer_id = customers.customer_id and lines.ordered_on = customers.first_order_on
    cross join settings
    where {{ add_days('customers.first_order_on', '180') }} <= settings.as_of_date
),

firsts as (
    select
        product_id,
        count(*) as first_customers,
        count(case when has_returned then 1 end) as returned_customers
    from first_baskets
    group by product_id
),

final as (
    select
        cast(totals.product_id as {{ dbt.type_string() }}) as product_id,
        cast(totals.product_name as {{ dbt.type_string() }}) as product_name,
        cast(totals.orders as {{ dbt.type_bigint() }}) as orders,
        cast(totals.customers as {{ dbt.type_bigint() }}) as customers,
        cast(totals.quantity as {{ type_money() }}) as quantity,
        cast(totals.net_revenue as {{ type_money() }}) as net_revenue,
        {{ ratio('totals.net_revenue', 'sum(totals.net_revenue) over ()') }} as revenue_share,
        cast(coalesce(repeats.repeat_customers, 0) as {{ dbt.type_bigint() }}) as repeat_customers,
        {{ ratio('coalesce(repeats.repeat_customers, 0)', 'totals.customers') }} as repeat_rate,
        cast(coalesce(firsts.first_customers, 0) as {{ dbt.type_bigint() }}) as first_customers,
        {{ ratio('firsts.returned_customers', 'firsts.first_customers') }} as return_rate_180_days
    from totals
    left join repeats on totals.product_id = repeats.product_id
    left join firsts on totals.product_id = firsts.product_id
)

select * from final
