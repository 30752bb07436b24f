-- Fails for a month and segment type whose segments together are not everybody: base, installed base, new, net revenue.

with totals as (
    select
        month,
        segment_type,
        sum(base_customers) as base_customers,
        sum(installed_customers) as installed_customers,
        sum(new_customers) as new_customers,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_customer_base') }}
    group by month, segment_type
)

select totals.*
from totals
inner join totals as everybody on totals.month = everybody.month and everybody.segment_type = 'all'
where
    totals.base_customers <> everybody.base_customers
    or totals.installed_customers <> everybody.installed_customers
    or totals.new_customers <> everybody.new_customers
    or totals.net_revenue <> everybody.net_revenue
