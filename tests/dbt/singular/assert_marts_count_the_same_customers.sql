-- Fails when four marts do not count the same customers: some are lost or doubled on the way to one of them.

with counted as (
    select
        (
            select count(*)
            from {{ ref('dim_customers') }}
            where is_customer
        ) as dim_customers,
        (select count(*) from {{ ref('fct_customer_lifetime_value') }}) as fct_customer_lifetime_value,
        (
            select coalesce(sum(cohort_size), 0)
            from {{ ref('fct_cohort_retention') }}
            where segment_type = 'all' and months_since_first = 0
        ) as fct_cohort_retention,
        (
            select coalesce(max(base_customers), 0)
            from {{ ref('fct_customer_base') }}
            where segment_type = 'all'
        ) as fct_customer_base
)

select *
from counted
where
    dim_customers <> fct_customer_lifetime_value
    or dim_customers <> fct_cohort_retention
    or dim_customers <> fct_customer_base
