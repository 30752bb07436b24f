-- Fails for a candidate who never left or is back, and for somebody who left, is not active and is no candidate. Orders
-- bring somebody back as well: a subscription alone tells of the departure, not of who is active.

with candidates as (
    select customer_id from {{ ref('rpt_winback_candidates') }}
),

away as (
    select distinct events.customer_id
    from {{ ref('fct_churn_events') }} as events
    inner join {{ ref('dim_customers') }} as customers
        on events.customer_id = customers.customer_id and not customers.is_active
    where not events.is_reactivated
)

select
    coalesce(candidates.customer_id, away.customer_id) as customer_id,
    candidates.customer_id is not null as is_candidate
from candidates
full outer join away on candidates.customer_id = away.customer_id
where candidates.customer_id is null or away.customer_id is null
