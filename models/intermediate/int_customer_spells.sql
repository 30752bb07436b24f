{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key=['customer_id', 'spell_number'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per spell of a customer: days without a break on which they were active. An order makes active for
-- active_window_days, its own day included, and not beyond the day on which they are stated to have left; a paid
-- subscription from its start to its end (exclusive); either suffices. `active_until` is the first day on which they
-- no longer were (they lapsed, or churned, on it), null while the spell lasts. Whatever asks who was active, new,
-- lapsed or reactivated reads this, so that all marts agree.

with customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where order_count > 0 and {{ only_touched_customers() }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where {{ only_touched_customers() }}
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

spans as (
    {{ order_spans() }}

    union all

    select
        customer_id,
        started_on as active_from,
        coalesce(ended_on, cast('9999-12-31' as date)) as active_until
    from periods
    where is_paid
),

numbered as (
    {{ number_spells('spans') }}
),

spells as (
    select
        customer_id,
        spell_number,
        min(active_from) as active_from,
        max(active_until) as active_until
    from numbered
    group by customer_id, spell_number
),

final as (
    select
        spells.customer_id,
        cast(spells.spell_number as {{ dbt.type_bigint() }}) as spell_number,
        spells.active_from,
        case when spells.active_until <= settings.as_of_date then spells.active_until end as active_until
    from spells
    cross join settings
)

select * from final
