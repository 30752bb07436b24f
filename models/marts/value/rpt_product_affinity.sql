-- Grain: one row per pair of products, product_a_id < product_b_id, that enough customers have bought, in one order or
-- in several: what goes with what. `lift` is over customers, for cross-selling; `order_lift` over orders, for bundles:
-- who buys much buys of everything, so that nearly all pairs have a lift above 1 over customers. From counted orders
-- of customers; guests are nobody whom one could know again. Products with too few customers are left out before
-- pairs are made (affinity_minimum_support, affinity_minimum_customers): no pair has more than its rarer product.

with order_items as (
    select * from {{ ref('stg_order_items') }}
),

orders as (
    select *
    from {{ ref('int_orders_valued') }}
    where is_counted and not is_guest
),

settings as (
    select * from {{ ref('int_settings') }}
),

lines as (
    select
        orders.customer_id,
        orders.order_id,
        orders.ordered_at,
        order_items.product_id,
        order_items.product_name,
        order_items.line_number
    from order_items
    inner join orders on order_items.order_id = orders.order_id
),

product_names as (
    select
        product_id,
        product_name
    from (
        select
            product_id,
            product_name,
            row_number() over (
                partition by product_id order by ordered_at desc, order_id desc, line_number desc
            ) as recency
        from lines
        where product_name is not null
    ) as numbered
    where recency = 1
),

purchases as (
    select distinct
        customer_id,
        product_id
    from lines
),

buyer_totals as (
    select
        count(distinct customer_id) as buyers,
        count(distinct order_id) as orders
    from lines
),

thresholds as (
    select
        buyer_totals.buyers,
        buyer_totals.orders,
        greatest(
            settings.affinity_minimum_customers, settings.affinity_minimum_support * buyer_totals.buyers
        ) as minimum_customers
    from buyer_totals
    cross join settings
),

products as (
    select
        purchases.product_id,
        count(*) as customers
    from purchases
    group by purchases.product_id
),

frequent_products as (
    select products.*
    from products
    inner join thresholds on products.customers >= thresholds.minimum_customers
),

frequent_purchases as (
    select purchases.*
    from purchases
    inner join frequent_products on purchases.product_id = frequent_products.product_id
),

pairs as (
    select
        bought.product_id as product_a_id,
        also_bought.product_id as product_b_id,
        count(*) as customers
    from frequent_purchases as bought
    inner join frequent_purchases as also_bought
        on bought.customer_id = also_bought.customer_id and bought.product_id < also_bought.product_id
    group by bought.product_id, also_bought.product_id
),

order_products as (
    select distinct
        lines.order_id,
        lines.product_id
    from lines
    inner join frequent_products on lines.product_id = frequent_products.product_id
),

product_orders as (
    select
        product_id,
        count(*) as orders
    from order_products
    group by product_id
),

order_pairs as (
    select
        ordered.product_id as product_a_id,
        also_ordered.product_id as product_b_id,
        count(*) as orders
    from order_products as ordered
    inner join order_products as also_ordered
        on ordered.order_id = also_ordered.order_id and ordered.product_id < also_ordered.product_id
    group by ordered.product_id, also_ordered.product_id
),

counted as (
    select
        pairs.product_a_id,
        name_a.product_name as product_a_name,
        pairs.product_b_id,
        name_b.product_name as product_b_name,
        pairs.customers,
        product_a.customers as product_a_customers,
        product_b.customers as product_b_customers,
        thresholds.buyers,
        coalesce(order_pairs.orders, 0) as order_count,
        orders_a.orders as product_a_orders,
        orders_b.orders as product_b_orders,
        thresholds.orders as buyer_orders
    from pairs
    inner join thresholds on pairs.customers >= thresholds.minimum_customers
    inner join frequent_products as product_a on pairs.product_a_id = product_a.product_id
    inner join frequent_products as product_b on pairs.product_b_id = product_b.product_id
    inner join product_orders as orders_a on pairs.product_a_id = orders_a.product_id
    inner join product_orders as orders_b on pairs.product_b_id = orders_b.product_id
    left join order_pairs
        on
            pairs.product_a_id = order_pairs.product_a_id
            and pairs.product_b_id = order_pairs.product_b_id
    left join product_names as name_a on pairs.product_a_id = name_a.product_id
    left join product_names as name_b on pairs.product_b_id = name_b.product_id
),

final as (
    select
        cast(product_a_id as {{ dbt.type_string() }}) as product_a_id,
        cast(product_a_name as {{ dbt.type_string() }}) as product_a_name,
        cast(product_b_id as {{ dbt.type_string() }}) as product_b_id,
        cast(product_b_name as {{ dbt.type_string() }}) as product_b_name,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(product_a_customers as {{ dbt.type_bigint() }}) as product_a_customers,
        cast(product_b_customers as {{ dbt.type_bigint() }}) as product_b_customers,
        cast(buyers as {{ dbt.type_bigint() }}) as buyers,
        cast(order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(product_a_orders as {{ dbt.type_bigint() }}) as product_a_orders,
        cast(product_b_orders as {{ dbt.type_bigint() }}) as product_b_orders,
        cast(buyer_orders as {{ dbt.type_bigint() }}) as buyer_orders,
        {{ ratio('customers', 'buyers') }} as support,
        {{ ratio('customers', 'product_a_customers') }} as confidence_a_to_b,
        {{ ratio('customers', 'product_b_customers') }} as confidence_b_to_a,
        {{ ratio('customers * buyers', 'product_a_customers * product_b_customers') }} as lift,
        {{ ratio('order_count * buyer_orders', 'product_a_orders * product_b_orders') }} as order_lift
    from counted
)

select * from final
