-- Fails for a spell of the churn database that ended without exactly one departure, and for a departure without a
-- spell.

with spells as (
    select
        customer_id,
        spell_number,
        churned_on
    from {{ ref('int_churn_spells') }}
    where churned_on is not null
),

events as (
    select
        customer_id,
        spell_number,
        churned_on
    from {{ ref('fct_churn_events') }}
),

counted as (
    select
        customer_id,
        spell_number,
        churned_on,
        sum(spell_count) as spell_count,
        sum(event_count) as event_count
    from (
        select
            *,
            1 as spell_count,
            0 as event_count
        from spells
        union all
        select
            *,
            0 as spell_count,
            1 as event_count
        from events
    ) as either
    group by customer_id, spell_number, churned_on
)

select *
from counted
where spell_count <> 1 or event_count <> 1
