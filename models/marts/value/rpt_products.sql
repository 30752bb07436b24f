-- Grain: one row per product in the items of a counted order: what does it bring, do its buyers buy it again, and
-- do those whose first order held it come back for anything? For categories see rpt_product_categories, for what goes
-- together rpt_product_affinity.

with lines as (
    select * from {{ ref('int_order_lines') }}
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

{{ product_measures('product_id', ['product_name', 'category']) }},

final as (
    select
        cast(totals.product_id as {{ dbt.type_string() }}) as product_id,
        cast(totals.product_name as {{ dbt.type_string() }}) as product_name,
        cast(totals.category as {{ dbt.type_string() }}) as category,
        {{ product_columns() }}
    from totals
    left join repeats on totals.product_id = repeats.product_id
    left join firsts on totals.product_id = firsts.product_id
)

select * from final
