-- Fails for a month whose sign-ups are not the people of dim_customers who signed up in it.

with months as (
    select
        sign_up_month as month,
        sign_ups
    from {{ ref('rpt_onboarding') }}
    where segment_type = 'all'
),

customers as (
    select
        {{ month_start('signed_up_on') }} as month,
        count(*) as sign_ups
    from {{ ref('dim_customers') }}
    where signed_up_on is not null
    group by {{ month_start('signed_up_on') }}
)

select
    coalesce(months.month, customers.month) as sign_up_month,
    months.sign_ups,
    customers.sign_ups as people
from months
full outer join customers on months.month = customers.month
where coalesce(months.sign_ups, 0) <> coalesce(customers.sign_ups, 0)
