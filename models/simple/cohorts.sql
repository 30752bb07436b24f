-- Grain: one row per month of first purchase and age in months that is over, all customers together.

with cohorts as (
    select *
    from {{ published('fct_cohort_retention') }}
    where segment_type = 'all' and is_complete
),

final as (
    select
        cohort_month,
        months_since_first,
        cohort_size as customers,
        active_customers as buying_customers,
        retention_rate,
        cumulative_revenue_per_customer as revenue_per_customer
    from cohorts
)

select * from final
