{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key=['customer_id', 'month'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and month with an order, a refund or use in it, up to as_of_date. A month
-- without any has no row: for every month of a customer's life see int_customer_month_ends.

with customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where {{ only_touched_customers() }}
),

customers as (
    select
        customer_id,
        segment_group
    from {{ ref('int_customers') }}
),

totals as (
    select
        customer_id,
        {{ month_start('activity_on') }} as month,
        cast(sum(order_count) as {{ dbt.type_bigint() }}) as order_count,
        cast(sum(case when order_count > 0 then 1 else 0 end) as {{ dbt.type_bigint() }}) as order_day_count,
        cast(sum(discounted_order_count) as {{ dbt.type_bigint() }}) as discounted_order_count,
        cast(sum(uncosted_order_count) as {{ dbt.type_bigint() }}) as uncosted_order_count,
        min(case when order_count > 0 then activity_on end) as first_order_on,
        max(case when order_count > 0 then activity_on end) as last_order_on,
        cast(sum(gross_revenue) as {{ type_order_money() }}) as gross_revenue,
        cast(sum(discount_amount) as {{ type_order_money() }}) as discount_amount,
        cast(sum(refunded_amount) as {{ type_order_money() }}) as refunded_amount,
        cast(sum(net_revenue) as {{ type_order_money() }}) as net_revenue,
        cast(sum(counted_revenue) as {{ type_order_money() }}) as counted_revenue,
        cast(sum(cost_amount) as {{ type_order_money() }}) as cost_amount,
        cast(sum(unattributed_refunded_amount) as {{ type_order_money() }}) as unattributed_refunded_amount,
        cast(sum(uses) as {{ dbt.type_bigint() }}) as uses,
        cast(sum(minutes) as {{ type_order_money() }}) as minutes,
        cast(sum(case when uses > 0 then 1 else 0 end) as {{ dbt.type_bigint() }}) as used_day_count
    from customer_days
    group by customer_id, {{ month_start('activity_on') }}
),

final as (
    select
        totals.*,
        customers.segment_group
    from totals
    inner join customers on totals.customer_id = customers.customer_id
)

select * from final
