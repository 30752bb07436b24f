-- Fails for a month and segment type whose segments together are not all subscribers and all MRR.

with totals as (
    select
        month,
        segment_type,
        sum(opening_customers) as opening_customers,
        sum(churned_customers) as churned_customers,
        sum(opening_mrr) as opening_mrr,
        sum(closing_mrr) as closing_mrr
    from {{ ref('rpt_subscription_retention') }}
    group by month, segment_type
)

select totals.*
from totals
inner join totals as everybody on totals.month = everybody.month and everybody.segment_type = 'all'
where
    totals.opening_customers <> everybody.opening_customers
    or totals.churned_customers <> everybody.churned_customers
    or totals.opening_mrr <> everybody.opening_mrr
    or totals.closing_mrr <> everybody.closing_mrr
