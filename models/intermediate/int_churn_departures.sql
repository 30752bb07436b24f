{{ config(materialized='view') }}

-- Grain: one row per ended spell of the churn database: what ended, and what was said about it. Where several
-- subscriptions ended within departure_days, plan and reason are those of the one that says most, then the dearest; the
-- MRR is that of all. What another subscription took the place of on the day did not end. What is measured of a departure is measured before `measured_before`: the request to leave, if it
-- came before the end, else the end.

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

settings as (
    select * from {{ ref('int_settings') }}
),

ends as (
    select
        periods.*,
        followers.customer_id is not null as is_followed
    from periods
    left join (select distinct customer_id, started_on from periods) as followers
        on periods.customer_id = followers.customer_id and periods.ended_on = followers.started_on
    where periods.ended_on is not null
),

ending_periods as (
    select
        periods.*,
        spells.spell_number,
        sum(periods.mrr) over (partition by spells.customer_id, spells.spell_number) as mrr_lost,
        row_number() over (
            partition by spells.customer_id, spells.spell_number
            order by
                case when periods.cancel_reason is null then 1 else 0 end,
                case when periods.cancel_requested_on is null and periods.cancel_type is null then 1 else 0 end,
                periods.mrr desc,
                periods.subscription_id asc
        ) as priority
    from spells
    cross join settings
    inner join ends as periods
        on
            spells.customer_id = periods.customer_id
            and spells.churned_on >= periods.ended_on
            and {{ add_days('spells.churned_on', '-settings.departure_days') }} < periods.ended_on
            and spells.subscribed_on <= periods.started_on
    where spells.basis = 'subscription' and not periods.is_followed
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
        nullif(trim(ending_periods.cancel_reason), '') as cancel_reason,
        nullif(trim(ending_periods.cancel_comment), '') as cancel_comment,
        coalesce(
            least(ending_periods.cancel_requested_on, spells.churned_on), spells.churned_on
        ) as measured_before
    from spells
    left join ending_periods
        on
            spells.customer_id = ending_periods.customer_id
            and spells.spell_number = ending_periods.spell_number
            and ending_periods.priority = 1
)

select * from final
