{{ config(materialized='view') }}

-- Grain: one row per customer, month and basis (orders, subscription): what they bought, gross and net. A purchase may
-- cost nothing; a month in which they only got money back has none. What ranks customers by what they bring sums
-- both bases.

with customer_months as (
    select * from {{ ref('int_customer_months') }}
),

bills as (
    select * from {{ ref('int_subscription_bills') }}
),

final as (
    select
        customer_id,
        month,
        'orders' as basis,
        order_count as purchase_count,
        gross_revenue,
        net_revenue
    from customer_months
    where order_count > 0 or gross_revenue <> 0 or net_revenue <> 0

    union all

    select
        customer_id,
        {{ month_start('billed_on') }} as month,
        'subscription' as basis,
        cast(count(*) as {{ dbt.type_bigint() }}) as purchase_count,
        cast(sum(billed_amount) as {{ type_order_money() }}) as gross_revenue,
        cast(sum(billed_amount) as {{ type_order_money() }}) as net_revenue
    from bills
    group by customer_id, {{ month_start('billed_on') }}
)

select * from final
