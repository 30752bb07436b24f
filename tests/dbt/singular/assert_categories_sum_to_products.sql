-- Fails for each category whose products, revenue or units in rpt_products are not those it has.

with products as (
    select
        coalesce(category, 'unknown') as category,
        count(*) as products,
        sum(quantity) as quantity,
        sum(net_revenue) as net_revenue
    from {{ ref('rpt_products') }}
    group by coalesce(category, 'unknown')
),

categories as (
    select * from {{ ref('rpt_product_categories') }}
)

select
    categories.category,
    categories.net_revenue,
    products.net_revenue as net_revenue_of_products
from categories
left join products on categories.category = products.category
where
    products.category is null
    or categories.products <> products.products
    or categories.quantity <> products.quantity
    or categories.net_revenue <> products.net_revenue
