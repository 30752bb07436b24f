{{ config(materialized='view') }}

-- Grain: one row per ended spell of the churn database: what ended, and what was said about it. Where several
-- subscriptions ended within departure_days, plan and reason are those of the one that says most, then the dearest; the
-- MRR is that of all. What another subscription took the place of on the day did not end. What is measured of a
-- departure is measured before `measured_before`: the request to leave, if it came before the end, else the end.

with spells as (
    select *
    from {{ ref('int_churn_spells') }}
    where churned_on is not null
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

stated_departures as (
    select distinct
        departure_id,
        customer_id,
        departed_on,
        reason,
        comment_text
    from {{ ref('int_stated_departures') }}
    where ends_orders
),

settings as (
    select * from {{ ref('int_settings') }}
),

starts as (
    select distinct
        customer_id,
        started_on
    from periods
),

ends as (
    select periods.*
    from periods
    left join starts
        on periods.customer_id = starts.customer_id and periods.ended_on = starts.started_on
    where periods.ended_on is not null and starts.customer_id is null
),

ending_periods as (
    select
        ends.*,
        spells.spell_number,
        sum(ends.mrr) over (partition by spells.customer_id, spells.spell_number) as mrr_lost,
        row_number() over (
            partition by spells.customer_id, spells.spell_number
            order by
                case when ends.cancel_reason is null then 1 else 0 end,
                case when ends.cancel_requested_on is null and ends.cancel_type is null then 1 else 0 end,
                ends.mrr desc,
                ends.subscription_id asc
        ) as priority
    from spells
    cross join settings
    inner join ends
        on
            spells.customer_id = ends.customer_id
            and spells.churned_on >= ends.ended_on
            and {{ add_days('spells.churned_on', '-settings.departure_days') }} < ends.ended_on
            and spells.subscribed_on <= ends.started_on
    where spells.basis = 'subscription'
),

-- Who shops says nothing by leaving; a statement of the day, or soon after they lapsed, is about this departure.
stated as (
    select
        stated_departures.*,
        spells.spell_number,
        spells.churned_on,
        row_number() over (
            partition by spells.customer_id, spells.spell_number
            order by
                case when stated_departures.departed_on = spells.churned_on then 0 else 1 end,
                case when stated_departures.reason is null then 1 else 0 end,
                stated_departures.departed_on,
                stated_departures.departure_id
        ) as priority
    from spells
    cross join settings
    inner join stated_departures
        on
            spells.customer_id = stated_departures.customer_id
            and spells.churned_on <= stated_departures.departed_on
            and {{ add_days('spells.churned_on', 'settings.departure_days') }} > stated_departures.departed_on
            and {{ open_end('spells.reactivated_on') }} > stated_departures.departed_on
    where spells.basis = 'orders'
),

final as (
    select
        concat(
            spells.customer_id, '|', cast(spells.spell_number as {{ dbt.type_string() }})
        ) as churn_event_id,
        spells.customer_id,
        spells.spell_number,
        spells.basis,
        spells.began_on,
        spells.subscribed_on,
        spells.last_order_on,
        spells.churned_on,
        spells.reactivated_on,
        ending_periods.subscription_id,
        ending_periods.started_on as last_period_started_on,
        case when ending_periods.subscription_id is not null then coalesce(ending_periods.plan, 'unknown') end as plan,
        ending_periods.billing_interval,
        ending_periods.currency,
        ending_periods.list_amount,
        ending_periods.discount_amount,
        ending_periods.mrr,
        coalesce(ending_periods.mrr_lost, 0) as mrr_lost,
        ending_periods.cancel_requested_on,
        ending_periods.cancel_type,
        coalesce(nullif(trim(ending_periods.cancel_reason), ''), stated.reason) as cancel_reason,
        coalesce(nullif(trim(ending_periods.cancel_comment), ''), stated.comment_text) as cancel_comment,
        case
            when ending_periods.subscription_id is not null
                then concat(
                    ending_periods.subscription_id, ' ', cast(ending_periods.started_on as {{ dbt.type_string() }})
                )
            when stated.departure_id is not null then concat('departure ', stated.departure_id)
        end as comment_id,
        coalesce(ending_periods.is_end_stated, stated.departed_on = spells.churned_on, false) as is_stated,
        coalesce(
            least(ending_periods.cancel_requested_on, spells.churned_on), spells.churned_on
        ) as measured_before
    from spells
    left join ending_periods
        on
            spells.customer_id = ending_periods.customer_id
            and spells.spell_number = ending_periods.spell_number
            and ending_periods.priority = 1
    left join stated
        on
            spells.customer_id = stated.customer_id
            and spells.spell_number = stated.spell_number
            and stated.priority = 1
)

select * from final
