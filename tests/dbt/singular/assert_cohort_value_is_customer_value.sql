-- Fails when what a cohort has brought by its last age is not the historic value of its customers.

with cohorts as (
    select
        cohort_month,
        segment_type,
        sum(net_revenue + subscription_revenue) as historic_value
    from {{ ref('fct_cohort_lifetime_value') }}
    group by cohort_month, segment_type
),

customers as (
    select
        cohort_month,
        sum(historic_value) as historic_value
    from {{ ref('fct_customer_lifetime_value') }}
    group by cohort_month
)

select cohorts.*
from cohorts
left join customers on cohorts.cohort_month = customers.cohort_month
where cohorts.historic_value <> coalesce(customers.historic_value, 0)
