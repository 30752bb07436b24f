-- Fails for a month whose installed base, a running sum of flows, is not the number of customers active at its end,
-- counted one by one.

with base as (
    select
        month,
        base_customers,
        installed_customers
    from {{ ref('fct_customer_base') }}
    where segment_type = 'all'
),

counted as (
    select
        month,
        count(*) as base_customers,
        sum(case when is_active then 1 else 0 end) as installed_customers
    from {{ ref('int_customer_month_ends') }}
    group by month
)

select base.*
from base
left join counted on base.month = counted.month
where
    base.base_customers <> coalesce(counted.base_customers, 0)
    or base.installed_customers <> coalesce(counted.installed_customers, 0)
