-- Grain: one row per subscription that ended and whose price had risen, or was about to: the rise that may have driven
-- the customer away. What others pay for the plan tells of a rise ahead: so it is computed anew each time, apart from
-- what the customer's own history tells (int_churn_events).

with events as (
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
    -- A free month between is no price to rise from.
    where is_paid and list_amount > 0
),

plan_prices as (
    select * from {{ ref('int_plan_prices') }}
),

-- Those that they came to pay.
rises as (
    {{ price_rises('periods') }}
),

paid_rises as (
    select
        churn_event_id,
        price_rise_on,
        raised_amount
    from (
        select
            events.churn_event_id,
            rises.price_rise_on,
            rises.list_amount - rises.previous_list_amount as raised_amount,
            row_number() over (partition by events.churn_event_id order by rises.price_rise_on desc) as recency
        from events
        inner join rises
            on
                events.subscription_id = rises.subscription_id
                and events.lookback_from <= rises.price_rise_on
                and events.measured_before > rises.price_rise_on
    ) as numbered
    where recency = 1
),

-- A price rise that they left before paying: they had bought at the list price, and by the time they left the plan was
-- sold for more. Where everybody pays a price of their own, there is no list to compare with.
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
        events.churn_event_id,
        cast(
            case when paid_rises.churn_event_id is not null then 'paid' else 'ahead' end as {{ dbt.type_string() }}
        ) as price_rise,
        coalesce(paid_rises.price_rise_on, rises_ahead.price_rise_on) as price_rise_on,
        -- In the currency of the price, so in the share of the MRR that the same part of the price is.
        cast(
            coalesce(paid_rises.raised_amount, rises_ahead.raised_amount)
            * {{ ratio('events.mrr', 'events.list_amount - events.discount_amount') }} as {{ type_money() }}
        ) as price_rise_mrr
    from events
    left join paid_rises on events.churn_event_id = paid_rises.churn_event_id
    left join rises_ahead on events.churn_event_id = rises_ahead.churn_event_id
    where paid_rises.churn_event_id is not null or rises_ahead.churn_event_id is not null
)

select * from final
