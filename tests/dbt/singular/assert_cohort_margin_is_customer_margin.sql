-- Fails for a cohort and segment type whose margin is known in all segments, and is not that of its customers.

with cohorts as (
    select
        cohort_month,
        segment_type,
        sum(gross_margin) as gross_margin,
        count(*) as ages,
        count(gross_margin) as known_ages
    from {{ ref('fct_cohort_lifetime_value') }}
    group by cohort_month, segment_type
),

customers as (
    select
        cohort_month,
        sum(gross_margin) as gross_margin,
        count(*) as customers,
        count(gross_margin) as known_customers
    from {{ ref('fct_customer_lifetime_value') }}
    where cohort_month is not null
    group by cohort_month
)

select cohorts.*
from cohorts
inner join customers on cohorts.cohort_month = customers.cohort_month
where
    cohorts.known_ages = cohorts.ages
    and (
        customers.known_customers < customers.customers
        or cohorts.gross_margin <> customers.gross_margin
    )
