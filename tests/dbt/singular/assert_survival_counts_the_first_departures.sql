-- Fails for a basis and segment type whose segments together do not hold the customers who ever began on the basis, and
-- the first departures of the churn database.

with events as (
    select
        customer_id,
        basis,
        min(spell_number) as spell_number
    from {{ ref('fct_churn_events') }}
    group by
        customer_id,
        basis
),

spells as (
    select * from {{ ref('int_churn_spells') }}
),

first_spells as (
    select
        customer_id,
        min(spell_number) as orders,
        min(case when basis = 'subscription' then spell_number end) as subscription
    from spells
    group by customer_id
),

departures as (
    select
        events.basis,
        count(*) as churned_customers
    from events
    left join first_spells on events.customer_id = first_spells.customer_id
    -- Their first stay on the basis, not a later one.
    where
        not coalesce(
            case when events.basis = 'orders' then first_spells.orders else first_spells.subscription end
            < events.spell_number,
            false
        )
    group by events.basis
),

beginnings as (
    select
        'orders' as basis,
        count(*) as customers
    from spells
    where spell_number = 1 and (subscribed_on is null or began_on < subscribed_on)

    union all

    select
        'subscription' as basis,
        count(distinct customer_id) as customers
    from spells
    where basis = 'subscription'
),

summaries as (
    select
        basis,
        segment_type,
        sum(customers) as customers,
        sum(churned_customers) as churned_customers
    from {{ ref('rpt_survival_summary') }}
    group by
        basis,
        segment_type
)

select summaries.*
from summaries
inner join beginnings on summaries.basis = beginnings.basis
left join departures on summaries.basis = departures.basis
where
    summaries.customers <> beginnings.customers
    or summaries.churned_customers <> coalesce(departures.churned_customers, 0)
