-- Grain: one row per line of a counted order, those of guests too, with what it brought: the net revenue of an order,
-- refunds off, is shared out by the value of its lines. Name and category are the product's, as last told, so that each
-- product is in one category. Orders without items are in no row.

with order_items as (
    select * from {{ ref('stg_order_items') }}
),

orders as (
    select *
    from {{ ref('int_orders_valued') }}
    where is_counted
),

lines as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_on,
        orders.ordered_at,
        order_items.line_number,
        order_items.product_id,
        order_items.product_name,
        order_items.category,
        order_items.quantity,
        orders.net_amount - orders.refunded_amount as net_revenue,
        order_items.quantity * order_items.unit_price as line_value,
        sum(order_items.quantity * order_items.unit_price) over (partition by orders.order_id) as order_value,
        count(*) over (partition by orders.order_id) as order_lines
    from order_items
    inner join orders on order_items.order_id = orders.order_id
),

numbered as (
    select
        product_id,
        product_name,
        category,
        {%- for column in ['product_name', 'category'] %}
            row_number() over (
                partition by product_id
                order by
                    case when {{ column }} is null then 1 else 0 end, ordered_at desc, order_id desc, line_number desc
            ) as {{ column }}_recency{{ ',' if not loop.last }}
        {%- endfor %}
    from lines
),

products as (
    select
        product_id,
        max(case when product_name_recency = 1 then product_name end) as product_name,
        max(case when category_recency = 1 then category end) as category
    from numbered
    where product_name_recency = 1 or category_recency = 1
    group by product_id
),

final as (
    select
        lines.order_id,
        lines.line_number,
        lines.customer_id,
        lines.ordered_on,
        lines.product_id,
        products.product_name,
        products.category,
        lines.quantity,
        -- Of a free order nothing tells how to share it: equal parts of what is then usually nothing.
        cast(
            lines.net_revenue
            * coalesce({{ ratio('lines.line_value', 'lines.order_value') }}, {{ ratio('1', 'lines.order_lines') }})
            as {{ type_money() }}
        ) as net_revenue
    from lines
    inner join products on lines.product_id = products.product_id
)

select * from final
