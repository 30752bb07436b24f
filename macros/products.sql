{#-
    What a product, or a category of them (`key`, a column of int_order_lines), brings, whether its buyers buy it again, and
    whether those whose first order held it come back for anything: the CTEs `totals`, `repeats` and `firsts`, a row per key.
    From the CTEs `lines`, `customers` and `settings`.
-#}
{% macro product_measures(key, names) -%}
totals as (
    select
        {{ key }},
        {%- for name in names %}
            max({{ name }}) as {{ name }},
        {%- endfor %}
        count(distinct product_id) as products,
        count(distinct order_id) as orders,
        count(distinct customer_id) as customers,
        sum(quantity) as quantity,
        sum(net_revenue) as net_revenue
    from lines
    group by {{ key }}
),

bought_days as (
    select
        {{ key }},
        customer_id,
        count(distinct ordered_on) as days
    from lines
    where customer_id is not null
    group by {{ key }}, customer_id
),

repeats as (
    select
        {{ key }},
        count(case when days > 1 then 1 end) as repeat_customers
    from bought_days
    group by {{ key }}
),

-- The first day of purchase, so that its whole basket counts.
first_baskets as (
    select distinct
        lines.{{ key }},
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
        {{ key }},
        count(*) as first_customers,
        count(case when has_returned then 1 end) as returned_customers
    from first_baskets
    group by {{ key }}
)
{%- endmacro %}

{#- The columns of these measures, as marts have them. -#}
{% macro product_columns() -%}
    cast(totals.orders as {{ dbt.type_bigint() }}) as orders,
        cast(totals.customers as {{ dbt.type_bigint() }}) as customers,
        cast(totals.quantity as {{ type_money() }}) as quantity,
        cast(totals.net_revenue as {{ type_money() }}) as net_revenue,
        {{ ratio('totals.net_revenue', 'sum(totals.net_revenue) over ()') }} as revenue_share,
        cast(coalesce(repeats.repeat_customers, 0) as {{ dbt.type_bigint() }}) as repeat_customers,
        {{ ratio('coalesce(repeats.repeat_customers, 0)', 'totals.customers') }} as repeat_rate,
        cast(coalesce(firsts.first_customers, 0) as {{ dbt.type_bigint() }}) as first_customers,
        {{ ratio('firsts.returned_customers', 'firsts.first_customers') }} as return_rate_180_days
{%- endmacro %}
