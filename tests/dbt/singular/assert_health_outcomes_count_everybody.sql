-- Fails for a month, basis, component and segment type whose bands together are not the customers with a known basis,
-- less those who have given notice: as many as `overall` says, and no more than there are.

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
left join outcomes as overall
    on
        outcomes.month = overall.month
        and outcomes.churn_basis = overall.churn_basis
        and outcomes.segment_type = overall.segment_type
        and overall.component = 'overall'
left join outcomes as everybody
    on
        outcomes.month = everybody.month
        and outcomes.churn_basis = everybody.churn_basis
        and everybody.segment_type = 'all'
        and everybody.component = 'overall'
where
    outcomes.customers <> overall.customers
    or outcomes.customers <> everybody.customers
    or outcomes.customers > coalesce(health.customers, 0)
    -- Nobody gives notice of their next order.
    or (outcomes.churn_basis = 'orders' and outcomes.customers <> coalesce(health.customers, 0))
