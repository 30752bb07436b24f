-- Fails for a month whose closing MRR is not that of all paid periods running on its last day seen, summed without
-- regard to customers.

with months as (
    select * from {{ ref('int_months') }}
),

movements as (
    select
        month,
        sum(closing_mrr) as closing_mrr
    from {{ ref('fct_subscription_movements') }}
    group by month
),

running as (
    select
        months.month,
        sum(periods.mrr) as closing_mrr
    from months
    inner join {{ ref('int_subscription_periods') }} as periods
        on
            periods.is_paid
            and periods.started_on <= months.observed_until
            and {{ open_end('periods.ended_on') }} > months.observed_until
    group by months.month
)

select
    months.month,
    movements.closing_mrr,
    running.closing_mrr as running_mrr
from months
left join movements on months.month = movements.month
left join running on months.month = running.month
where coalesce(movements.closing_mrr, 0) <> coalesce(running.closing_mrr, 0)
