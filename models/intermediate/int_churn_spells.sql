{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key=['customer_id', 'spell_number'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and spell of the churn database: days without a break on which they were a customer.
-- From their first paid subscription period on, paid periods alone make a spell (they may follow each other on the
-- same day; a day between them is a departure); before it, or where there never was one, orders do, each for
-- active_window_days. A shopper who subscribes before they lapse goes on in the same spell. `churned_on` is null
-- while the spell lasts: an end after as_of_date has not happened. For who is active by either see
-- int_customer_spells.

with customers as (
    select
        customer_id,
        first_subscription_on
    from {{ ref('int_customers') }}
    where {{ only_touched_customers() }}
),

subscribers as (
    select *
    from customers
    where first_subscription_on is not null
),

shoppers as (
    select *
    from customers
    where first_subscription_on is null
),

activity_spells as (
    select * from {{ ref('int_customer_spells') }}
),

customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where order_count > 0 and {{ only_touched_customers() }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid and {{ only_touched_customers() }}
),

stated_departures as (
    select distinct
        customer_id,
        departed_on
    from {{ ref('int_stated_departures') }}
    where ends_orders
),

settings as (
    select * from {{ ref('int_settings') }}
),

last_orders as (
    select
        activity_spells.customer_id,
        activity_spells.spell_number,
        max(customer_days.activity_on) as last_order_on
    from activity_spells
    inner join customer_days
        on
            activity_spells.customer_id = customer_days.customer_id
            and activity_spells.active_from <= customer_days.activity_on
            and {{ open_end('activity_spells.active_until') }} > customer_days.activity_on
    group by activity_spells.customer_id, activity_spells.spell_number
),

-- Who never subscribed is a customer as long as active.
shopper_spells as (
    select
        activity_spells.customer_id,
        activity_spells.spell_number,
        activity_spells.active_from as began_on,
        cast(null as date) as subscribed_on,
        last_orders.last_order_on,
        activity_spells.active_until as churned_on,
        next_spells.active_from as reactivated_on
    from activity_spells
    inner join shoppers on activity_spells.customer_id = shoppers.customer_id
    left join last_orders
        on
            activity_spells.customer_id = last_orders.customer_id
            and activity_spells.spell_number = last_orders.spell_number
    left join activity_spells as next_spells
        on
            activity_spells.customer_id = next_spells.customer_id
            and activity_spells.spell_number + 1 = next_spells.spell_number
),

order_spans as (
    {{ order_spans() }}
),

spans as (
    -- Orders count until the first subscription: then it is the subscription that tells who is a customer.
    select
        order_spans.customer_id,
        order_spans.active_from,
        least(order_spans.active_until, subscribers.first_subscription_on) as active_until,
        order_spans.active_from as ordered_on,
        cast(null as date) as subscribed_on
    from order_spans
    inner join subscribers
        on
            order_spans.customer_id = subscribers.customer_id
            and order_spans.active_from < subscribers.first_subscription_on

    union all

    select
        customer_id,
        started_on as active_from,
        coalesce(ended_on, cast('9999-12-31' as date)) as active_until,
        cast(null as date) as ordered_on,
        started_on as subscribed_on
    from periods
),

numbered as (
    {{ number_spells('spans') }}
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

subscriber_spells as (
    select
        spells.customer_id,
        spells.spell_number,
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
),

united as (
    select
        customer_id,
        spell_number,
        began_on,
        subscribed_on,
        last_order_on,
        churned_on,
        reactivated_on
    from shopper_spells

    union all

    select
        customer_id,
        spell_number,
        began_on,
        subscribed_on,
        last_order_on,
        churned_on,
        reactivated_on
    from subscriber_spells
),

final as (
    select
        customer_id,
        cast(spell_number as {{ dbt.type_bigint() }}) as spell_number,
        case when subscribed_on is null then 'orders' else 'subscription' end as basis,
        began_on,
        subscribed_on,
        last_order_on,
        churned_on,
        reactivated_on
    from united
)

select * from final
