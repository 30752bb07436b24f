-- Grain: one row per category of products: what does it bring, do its buyers buy of it again, and do those whose first
-- order held something of it come back for anything? Products of which no line tells a category are `unknown`; without
-- any category there is no row. The revenue of a category is that of its products in rpt_products; its buyers are fewer
-- than the sum of theirs.

with order_lines as (
    select * from {{ ref('int_order_lines') }}
),

told as (
    select count(category) as lines_with_category
    from order_lines
),

lines as (
    select
        order_lines.order_id,
        order_lines.customer_id,
        order_lines.ordered_on,
        order_lines.product_id,
        coalesce(order_lines.category, 'unknown') as category,
        order_lines.quantity,
        order_lines.net_revenue
    from order_lines
    inner join told on told.lines_with_category > 0
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

{{ product_measures('category', []) }},

final as (
    select
        cast(totals.category as {{ dbt.type_string() }}) as category,
        cast(totals.products as {{ dbt.type_bigint() }}) as products,
        {{ product_columns() }}
    from totals
    left join repeats on totals.category = repeats.category
    left join firsts on totals.category = firsts.category
)

select * from final
