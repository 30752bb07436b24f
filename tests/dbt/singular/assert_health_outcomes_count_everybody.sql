-- Fails for a month, basis, component and segment type whose bands together are not the customers with a known basis.

with outcomes as (
    select
        month,
        churn_basis,
        component,
        segment_type,
        sum(customers) as customers
    from {{ ref('fct_health_outcomes') }}
    group by month, churn_basis, component, segment_type
),

health as (
    select
        month,
        churn_basis,
        count(*) as customers
    from {{ ref('fct_customer_health') }}
    where churn_basis is not null
    group by month, churn_basis
)

select outcomes.*
from outcomes
left join health on outcomes.month = health.month and outcomes.churn_basis = health.churn_basis
where outcomes.customers <> coalesce(health.customers, 0)
