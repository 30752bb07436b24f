-- Grain: one row per customer and spell of the churn database: days without a break on which he was a customer.
-- From his first paid subscription period on, paid periods alone make a spell (they may follow each other on the
-- same day; a day between them is a departure); before it, or where there never was one, orders do, each for
-- active_window_days. A shopper who subscribes before he lapses goes on in the same spell. `churned_on` is null
-- while the spell lasts: an end after as_of_date has not happened. For who is active by either see
-- int_customer_spells.

with customers as (
    select * from {{ ref('int_customers') }}
),

customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where order_count > 0
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

settings as (
    select * from {{ ref('int_settings') }}
),

spans as (
    -- Orders count until the first subscription: then it is the subscription that tells who is a customer.
    select
        customer_days.customer_id,
        customer_days.activity_on as active_from,
        coalesce(
            least(
                {{ add_days('customer_days.activity_on', 'settings.active_window_days') }},
                customers.first_subscription_on
            ),
            {{ add_days('customer_days.activity_on', 'settings.active_window_days') }}
        ) as active_until,
        customer_days.activity_on as ordered_on,
        cast(null as date) as subscribed_on
    from customer_days
    inner join customers on customer_days.customer_id = customers.customer_id
    cross join settings
    where customers.first_subscription_on is null or customer_days.activity_on < customers.first_subscription_on

    union all

    select
        customer_id,
        started_on as active_from,
        coalesce(ended_on, cast('9999-12-31' as date)) as active_until,
        cast(null as date) as ordered_on,
        started_on as subscribed_on
    from periods
),

-- A span that begins when all before it have ended by then, and not on the very day, opens a new spell.
marked as (
    select
        *,
        case
            when
                active_from <= max(active_until) over (
                    partition by customer_id
                    order by active_from, active_until
                    rows between unbounded preceding and 1 preceding
                )
                then 0
            else 1
        end as opens_spell
    from spans
),

numbered as (
    select
        *,
        sum(opens_spell) over (
            partition by customer_id
            order by active_from, active_until
            rows between unbounded preceding and current row
        ) as spell_number
    from marked
),

spells as (
    select
        customer_id,
        spell_number,
        min(active_from) as began_on,
        max(active_until) as active_until,
        min(subscribed_on) as subscribed_on,
        max(ordered_on) as last_order_on
    from numbered
    group by customer_id, spell_number
),

final as (
    select
        spells.customer_id,
        cast(spells.spell_number as {{ dbt.type_bigint() }}) as spell_number,
        case when spells.subscribed_on is null then 'orders' else 'subscription' end as basis,
        spells.began_on,
        spells.subscribed_on,
        -- Of the orders that made the spell, those before the first subscription.
        spells.last_order_on,
        case when spells.active_until <= settings.as_of_date then spells.active_until end as churned_on,
        lead(spells.began_on) over (
            partition by spells.customer_id order by spells.spell_number
        ) as reactivated_on
    from spells
    cross join settings
)

select * from final
