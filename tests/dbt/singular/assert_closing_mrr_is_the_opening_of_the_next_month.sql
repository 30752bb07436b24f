-- Fails for a customer's month that does not open with the MRR with which the month before closed, or that follows a
-- missing month.

with movements as (
    select
        *,
        lag(month) over (partition by customer_id order by month) as previous_month,
        lag(closing_mrr, 1, 0) over (partition by customer_id order by month) as previous_closing_mrr
    from {{ ref('fct_subscription_movements') }}
)

select *
from movements
where
    opening_mrr <> previous_closing_mrr
    or {{ months_between('previous_month', 'month') }} <> 1
