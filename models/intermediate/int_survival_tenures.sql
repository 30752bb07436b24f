{{ config(materialized='view') }}

-- Grain: one row per customer and basis: how long until they left for the first time, or so far. On the basis `orders`
-- from the first order of the first spell to the day they lapsed; who subscribes before that has not left, and is a
-- shopper until then. On `subscription` from the first paid day to the end of what was paid without a break.
-- Whoever has not left was still there on as_of_date, that day included. Later spells are in int_churn_spells.

with spells as (
    select * from {{ ref('int_churn_spells') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

first_subscriptions as (
    select
        customer_id,
        min(spell_number) as spell_number
    from spells
    where basis = 'subscription'
    group by customer_id
),

first_departures as (
    -- Their first orders: of a later spell, somebody who had left before.
    select
        customer_id,
        'orders' as basis,
        began_on,
        subscribed_on as seen_until,
        case when subscribed_on is null then churned_on end as churned_on
    from spells
    where spell_number = 1 and (subscribed_on is null or began_on < subscribed_on)

    union all

    select
        spells.customer_id,
        'subscription' as basis,
        spells.subscribed_on as began_on,
        cast(null as date) as seen_until,
        spells.churned_on
    from spells
    inner join first_subscriptions
        on
            spells.customer_id = first_subscriptions.customer_id
            and spells.spell_number = first_subscriptions.spell_number
),

final as (
    select
        first_departures.customer_id,
        cast(first_departures.basis as {{ dbt.type_string() }}) as basis,
        first_departures.began_on,
        first_departures.churned_on,
        {{ days_between(
            'first_departures.began_on',
            'coalesce(first_departures.churned_on, first_departures.seen_until, settings.as_of_date)'
        ) }} as tenure_days,
        first_departures.churned_on is not null as has_churned,
        case
            when first_departures.basis = 'subscription' then coalesce(customers.first_plan, 'unknown')
        end as plan,
        case
            when first_departures.basis = 'subscription' then customers.first_billing_interval
        end as billing_interval
    from first_departures
    inner join customers on first_departures.customer_id = customers.customer_id
    cross join settings
)

select * from final
