-- Grain: one row per level (`product`, `category`), customer and item of it that they have bought, with the day of the
-- first purchase. An item is a product, or a category; products without a category are in no item of that level.

with lines as (
    select *
    from {{ ref('int_order_lines') }}
    where customer_id is not null
),

final as (
    {%- for level, item, name in [('product', 'product_id', 'product_name'), ('category', 'category', 'category')] %}
        select
            cast('{{ level }}' as {{ dbt.type_string() }}) as level,
            customer_id,
            {{ item }} as item_id,
            max({{ name }}) as item_name,
            min(ordered_on) as first_bought_on
        from lines
        where {{ item }} is not null
        group by customer_id, {{ item }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
)

select * from final
