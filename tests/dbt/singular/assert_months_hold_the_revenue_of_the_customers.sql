-- Fails when the net revenue of all months is not that of the customers and of the prospects: somebody whose orders
-- were all refunded is no customer, but their money moved in some month.

with customers as (
    select
        customer_id,
        net_revenue
    from {{ ref('fct_customer_lifetime_value') }}
),

prospects as (
    select sum(customer_months.net_revenue) as net_revenue
    from {{ ref('int_customer_months') }} as customer_months
    left join customers on customer_months.customer_id = customers.customer_id
    where customers.customer_id is null
),

figures as (
    select
        (
            select coalesce(sum(net_revenue), 0)
            from {{ ref('fct_customer_base') }}
            where segment_type = 'all'
        ) as revenue_of_months,
        (select coalesce(sum(net_revenue), 0) from customers) as revenue_of_customers,
        (select coalesce(sum(net_revenue), 0) from prospects) as revenue_of_prospects
)

select *
from figures
where abs(revenue_of_months - (revenue_of_customers + revenue_of_prospects)) > 0.01
