-- Fails when the revenue of a cohort at its last age is not the net revenue of its customers.

with cohorts as (
    select
        cohort_month,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_cohort_retention') }}
    where segment_type = 'all'
    group by cohort_month
),

customers as (
    select
        cohort_month,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_customer_lifetime_value') }}
    group by cohort_month
)

select cohorts.*
from cohorts
left join customers on cohorts.cohort_month = customers.cohort_month
where cohorts.net_revenue <> coalesce(customers.net_revenue, 0)
