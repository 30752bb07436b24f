-- Grain: one row per statement of a departure by as_of_date, and paid period that it bears on; of one that bears on
-- none, one row without a period. What it does to the period (`effect`):
--
--   ends         the last period of a subscription runs without an end: it ends on the day stated
--   tells_why    the subscription has an end of its own within departure_days: the same departure, whose day stays
--   contradicted the subscription went on: it has a later period, or another end
--
-- Where any period contradicts a statement, it does nothing at all (`is_contradicted`). Without a subscription of its
-- own a statement is about the customer: all that runs ends, and their orders make them active no longer
-- (`ends_orders`). Of several statements the first that ends a period counts. See int_subscription_periods,
-- int_customer_spells.

with statements as (
    select departures.*
    from {{ ref('stg_departures') }} as departures
    inner join {{ ref('int_settings') }} as settings on departures.departed_on <= settings.as_of_date
),

settings as (
    select * from {{ ref('int_settings') }}
),

periods as (
    select
        subscriptions.*,
        subscriptions.amount - subscriptions.discount_amount > 0 as is_priced,
        lead(subscriptions.started_on) over of_subscription as next_started_on,
        lead(subscriptions.amount - subscriptions.discount_amount > 0) over of_subscription as is_next_priced
    from {{ ref('stg_subscriptions') }} as subscriptions
    cross join settings
    where
        subscriptions.started_on <= settings.as_of_date
        and (subscriptions.ended_on is null or subscriptions.ended_on > subscriptions.started_on)
    window of_subscription as (partition by subscriptions.subscription_id order by subscriptions.started_on)
),

-- As they ran: until the next period of the subscription, at the latest. A free plan in its place ends a paid one.
run_periods as (
    select
        subscription_id,
        customer_id,
        started_on,
        coalesce(least(ended_on, next_started_on), ended_on, next_started_on) as run_until,
        coalesce(next_started_on <= coalesce(ended_on, next_started_on) and is_next_priced, false) as is_continued
    from periods
    where is_priced
),

judged as (
    select
        statements.departure_id,
        run_periods.subscription_id as period_subscription_id,
        run_periods.started_on as period_started_on,
        case
            when
                run_periods.run_until is not null
                and not run_periods.is_continued
                and run_periods.run_until < {{ add_days('statements.departed_on', 'settings.departure_days') }}
                and statements.departed_on < {{ add_days('run_periods.run_until', 'settings.departure_days') }}
                then 'tells_why'
            when run_periods.started_on >= statements.departed_on then cast(null as {{ dbt.type_string() }})
            when run_periods.run_until is null then 'ends'
            when run_periods.run_until >= statements.departed_on then 'contradicted'
        end as effect
    from statements
    cross join settings
    inner join run_periods on statements.customer_id = run_periods.customer_id
    where statements.subscription_id is null or statements.subscription_id = run_periods.subscription_id
),

bearing as (
    select * from judged
    where effect is not null
),

contradictions as (
    select distinct departure_id
    from bearing
    where effect = 'contradicted'
),

final as (
    select
        statements.departure_id,
        statements.customer_id,
        statements.subscription_id as stated_subscription_id,
        statements.departed_on,
        statements.reason,
        statements.comment_text,
        bearing.period_subscription_id,
        bearing.period_started_on,
        cast(bearing.effect as {{ dbt.type_string() }}) as effect,
        contradictions.departure_id is not null as is_contradicted,
        statements.subscription_id is null and contradictions.departure_id is null as ends_orders,
        -- Several may bear on one period: the first that ends it, of those that explain it one with a reason.
        cast(
            row_number() over (
                partition by bearing.period_subscription_id, bearing.period_started_on
                order by
                    case when contradictions.departure_id is null then 0 else 1 end,
                    case when bearing.effect = 'ends' then statements.departed_on end,
                    case when statements.reason is null then 1 else 0 end,
                    statements.departed_on,
                    statements.departure_id
            ) as {{ dbt.type_bigint() }}
        ) as priority
    from statements
    left join bearing on statements.departure_id = bearing.departure_id
    left join contradictions on statements.departure_id = contradictions.departure_id
)

select * from final
