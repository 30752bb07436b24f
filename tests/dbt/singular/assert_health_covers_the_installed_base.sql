-- Fails for a month in which the customers with a state of health are not those who are active at its end.

with base as (
    select
        month,
        installed_customers
    from {{ ref('fct_customer_base') }}
    where segment_type = 'all'
),

health as (
    select
        month,
        count(*) as customers
    from {{ ref('fct_customer_health') }}
    group by month
)

select
    base.month,
    health.customers,
    base.installed_customers
from base
left join health on base.month = health.month
where base.installed_customers <> coalesce(health.customers, 0)
