{{ config(materialized='view') }}

-- Grain: one row per spell that ended: the churn database. When a customer left, why, after how long, in which
-- health, whether they had faded first, what was lost with them, and whether they came back. Whoever leaves twice has two
-- rows. All that describes the time before is measured before `measured_before`, the request to leave or else the
-- end. Sums by month and reason are in fct_churn_reasons, whom to win back in rpt_winback_candidates; who is active
-- by either subscription or orders is told by fct_customer_base.

with churn_events as (
    select * from {{ ref('int_churn_events') }}
),

-- Prices are those of subscriptions.
events as (
    select
        departures.*,
        {{ add_days('departures.measured_before', '-settings.churn_lookback_days') }} as lookback_from
    from {{ ref('int_churn_departures') }} as departures
    cross join {{ ref('int_settings') }} as settings
    where departures.basis = 'subscription'
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

plan_prices as (
    select * from {{ ref('int_plan_prices') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- A price rise that they came to pay: the same subscription, plan, interval and currency at a higher list price. The end
-- of a discount is none, nor is a change of plan.
priced_periods as (
    select
        subscription_id,
        plan,
        billing_interval,
        currency,
        list_amount,
        started_on,
        lag(plan) over of_subscription as previous_plan,
        lag(billing_interval) over of_subscription as previous_billing_interval,
        lag(currency) over of_subscription as previous_currency,
        lag(list_amount) over of_subscription as previous_list_amount
    from periods
    window of_subscription as (partition by subscription_id order by started_on)
),

paid_rises as (
    select
        churn_event_id,
        price_rise_on,
        raised_amount
    from (
        select
            events.churn_event_id,
            priced_periods.started_on as price_rise_on,
            priced_periods.list_amount - priced_periods.previous_list_amount as raised_amount,
            row_number() over (
                partition by events.churn_event_id order by priced_periods.started_on desc
            ) as recency
        from events
        inner join priced_periods
            on
                events.subscription_id = priced_periods.subscription_id
                and events.lookback_from <= priced_periods.started_on
                and events.measured_before > priced_periods.started_on
        where
            coalesce(priced_periods.plan, 'unknown') = coalesce(priced_periods.previous_plan, 'unknown')
            and priced_periods.billing_interval = priced_periods.previous_billing_interval
            and priced_periods.currency = priced_periods.previous_currency
            and priced_periods.list_amount > priced_periods.previous_list_amount
    ) as numbered
    where recency = 1
),

-- A price rise that they left before paying: they had bought at the list price, and by the time they left the plan was sold
-- for more. Where everybody pays a price of their own, there is no list to compare with.
dearer_months as (
    select
        events.churn_event_id,
        plan_prices.month,
        plan_prices.list_amount,
        row_number() over (partition by events.churn_event_id order by plan_prices.month desc) as recency
    from events
    inner join plan_prices as bought
        on
            events.plan = bought.plan
            and events.billing_interval = bought.billing_interval
            and events.currency = bought.currency
            and events.list_amount = bought.list_amount
            and {{ month_start('events.last_period_started_on') }} = bought.month
    inner join plan_prices
        on
            events.plan = plan_prices.plan
            and events.billing_interval = plan_prices.billing_interval
            and events.currency = plan_prices.currency
            and events.list_amount < plan_prices.list_amount
            and bought.month < plan_prices.month
            and events.churned_on >= plan_prices.month
),

rises_ahead as (
    select
        events.churn_event_id,
        min(dearer_months.month) as price_rise_on,
        max(
            case when dearer_months.recency = 1 then dearer_months.list_amount - events.list_amount end
        ) as raised_amount
    from events
    inner join dearer_months on events.churn_event_id = dearer_months.churn_event_id
    group by
        events.churn_event_id,
        events.churned_on,
        events.billing_interval
    having
        min(dearer_months.month) >= case events.billing_interval
            when 'week' then {{ month_start('events.churned_on') }}
            when 'month' then {{ month_start(add_months('events.churned_on', -1)) }}
            when 'quarter' then {{ month_start(add_months('events.churned_on', -3)) }}
            when 'year' then {{ month_start(add_months('events.churned_on', -12)) }}
        end
),

final as (
    select
        cast(churn_events.churn_event_id as {{ dbt.type_string() }}) as churn_event_id,
        cast(churn_events.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(churn_events.spell_number as {{ dbt.type_bigint() }}) as spell_number,
        cast(churn_events.basis as {{ dbt.type_string() }}) as basis,
        cast(churn_events.began_on as date) as began_on,
        cast(churn_events.subscribed_on as date) as subscribed_on,
        cast(churn_events.cancel_requested_on as date) as cancel_requested_on,
        cast(churn_events.churned_on as date) as churned_on,
        cast(churn_events.churn_month as date) as churn_month,
        cast(churn_events.measured_before as date) as measured_before,
        cast(churn_events.churn_type as {{ dbt.type_string() }}) as churn_type,
        cast(churn_events.reason_code as {{ dbt.type_string() }}) as reason_code,
        cast(churn_events.reason as {{ dbt.type_string() }}) as reason,
        cast(churn_events.reason_category as {{ dbt.type_string() }}) as reason_category,
        cast(churn_events.is_controllable as boolean) as is_controllable,
        cast(churn_events.owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(churn_events.stated_reason as {{ dbt.type_string() }}) as stated_reason,
        cast(churn_events.cancel_comment as {{ dbt.type_string() }}) as cancel_comment,
        cast(churn_events.comment_themes as {{ dbt.type_string() }}) as comment_themes,
        cast(churn_events.plan as {{ dbt.type_string() }}) as plan,
        cast(churn_events.billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(churn_events.mrr_lost as {{ type_money() }}) as mrr_lost,
        cast(churn_events.value_lost as {{ type_money() }}) as value_lost,
        cast(churn_events.tenure_days as {{ dbt.type_bigint() }}) as tenure_days,
        cast(churn_events.tenure_months as {{ dbt.type_bigint() }}) as tenure_months,
        cast(churn_events.months_in_good_health as {{ dbt.type_bigint() }}) as months_in_good_health,
        cast(churn_events.months_of_known_health as {{ dbt.type_bigint() }}) as months_of_known_health,
        cast(churn_events.last_health_band as {{ dbt.type_string() }}) as last_health_band,
        cast(churn_events.engagement_trend as {{ dbt.type_string() }}) as engagement_trend,
        cast(churn_events.engagement_unit as {{ dbt.type_string() }}) as engagement_unit,
        cast(churn_events.engagement_recent as {{ type_ratio() }}) as engagement_recent,
        cast(churn_events.engagement_usual as {{ type_ratio() }}) as engagement_usual,
        cast(churn_events.engagement_slope as {{ type_ratio() }}) as engagement_slope,
        cast(churn_events.main_feature as {{ dbt.type_string() }}) as main_feature,
        cast(churn_events.last_nps_score as {{ dbt.type_bigint() }}) as last_nps_score,
        cast(churn_events.last_nps_category as {{ dbt.type_string() }}) as last_nps_category,
        cast(churn_events.discount_share as {{ type_ratio() }}) as discount_share,
        cast(churn_events.ticket_count as {{ dbt.type_bigint() }}) as ticket_count,
        cast(churn_events.payment_failure_count as {{ dbt.type_bigint() }}) as payment_failure_count,
        cast(
            case
                when churn_events.basis = 'orders' then null
                when paid_rises.churn_event_id is not null then 'paid'
                when rises_ahead.churn_event_id is not null then 'ahead'
                else 'none'
            end as {{ dbt.type_string() }}
        ) as price_rise,
        cast(coalesce(paid_rises.price_rise_on, rises_ahead.price_rise_on) as date) as price_rise_on,
        -- In the currency of the price, so in the share of the MRR that the same part of the price is.
        cast(
            coalesce(paid_rises.raised_amount, rises_ahead.raised_amount)
            * {{ ratio('events.mrr', 'events.list_amount - events.discount_amount') }} as {{ type_money() }}
        ) as price_rise_mrr,
        cast(churn_events.is_still_ordering as boolean) as is_still_ordering,
        cast(churn_events.is_reactivated as boolean) as is_reactivated,
        cast(churn_events.reactivated_on as date) as reactivated_on,
        {{ days_between('churn_events.churned_on', 'coalesce(churn_events.reactivated_on, settings.as_of_date)') }} as days_away
    from churn_events
    cross join settings
    left join events on churn_events.churn_event_id = events.churn_event_id
    left join paid_rises on churn_events.churn_event_id = paid_rises.churn_event_id
    left join rises_ahead on churn_events.churn_event_id = rises_ahead.churn_event_id
)

select * from final
