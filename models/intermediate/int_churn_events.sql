{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key='churn_event_id',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per spell that ended: all of fct_churn_events that the customer's own history tells, and that stays as
-- it is once they have left. What others pay for the plan and how long ago it was are added there.

with departures as (
    select *
    from {{ ref('int_churn_departures') }}
    where {{ only_touched_customers() }}
),

engagement as (
    select * from {{ ref('int_churn_engagement') }}
),

reasons as (
    select * from {{ ref('churn_reasons') }}
),

bills as (
    select * from {{ ref('int_subscription_bills') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

activity_spells as (
    select * from {{ ref('int_customer_spells') }}
),

health as (
    select * from {{ ref('int_customer_health') }}
),

nps_responses as (
    select *
    from {{ ref('fct_nps_responses') }}
    where is_counted
),

comment_themes as (
    select *
    from {{ ref('int_comment_themes') }}
    where comment_type = 'cancellation'
),

support_tickets as (
    select * from {{ ref('stg_support_tickets') }}
),

payment_failures as (
    select * from {{ ref('stg_payment_failures') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

events as (
    select
        departures.*,
        {{ add_days('departures.measured_before', '-settings.churn_lookback_days') }} as lookback_from,
        {{ add_days('departures.churned_on', '-settings.payment_grace_days') }} as grace_from,
        -- The last days of which the value is lost end with the last active one.
        {{ add_days(
            'case when departures.basis = \'subscription\' then departures.churned_on else '
            ~ add_days('departures.last_order_on', 1) ~ ' end',
            '-settings.churn_value_days'
        ) }} as value_from,
        -- Bills come by the calendar: the yearly one of a year of 366 days is one of the last year.
        {{ add_months('departures.churned_on', '-cast(floor(settings.churn_value_days * 12 / 365) as integer)') }}
            as billed_from
    from departures
    cross join settings
),

failure_totals as (
    select
        events.churn_event_id,
        sum(
            case
                when
                    payment_failures.failed_on >= events.lookback_from
                    and payment_failures.failed_on < events.measured_before
                    then 1
                else 0
            end
        ) as payment_failure_count,
        max(
            case
                when
                    payment_failures.failed_on >= events.grace_from
                    and payment_failures.failed_on < events.churned_on
                    and not coalesce(payment_failures.is_recovered, false)
                    then 1
                else 0
            end
        ) as has_unmended_failure
    from events
    inner join payment_failures on events.customer_id = payment_failures.customer_id
    group by events.churn_event_id
),

ticket_totals as (
    select
        events.churn_event_id,
        count(*) as ticket_count
    from events
    inner join support_tickets
        on
            events.customer_id = support_tickets.customer_id
            and events.lookback_from <= support_tickets.opened_on
            and events.measured_before > support_tickets.opened_on
    group by events.churn_event_id
),

last_scores as (
    select
        churn_event_id,
        score,
        nps_category
    from (
        select
            events.churn_event_id,
            nps_responses.score,
            nps_responses.nps_category,
            row_number() over (
                partition by events.churn_event_id
                order by nps_responses.responded_at desc, nps_responses.response_id desc
            ) as recency
        from events
        inner join nps_responses
            on
                events.customer_id = nps_responses.customer_id
                and events.measured_before > nps_responses.responded_on
    ) as numbered
    where recency = 1
),

theme_lists as (
    select
        events.churn_event_id,
        {{ dbt.listagg('comment_themes.theme', "', '", 'order by comment_themes.theme') }} as comment_themes
    from events
    inner join comment_themes
        on events.comment_id = comment_themes.comment_id
    group by events.churn_event_id
),

-- The band of the last month-end: the greatest of texts that begin with the month.
health_totals as (
    select
        events.churn_event_id,
        max(concat(cast(health.month as {{ dbt.type_string() }}), health.health_band)) as last_month_and_band,
        count(case when health.health_band = 'good' then 1 end) as months_in_good_health,
        count(case when health.health_band <> 'unknown' then 1 end) as months_of_known_health
    from events
    inner join health
        on
            events.customer_id = health.customer_id
            and events.began_on <= health.observed_until
            and events.measured_before > health.observed_until
    group by events.churn_event_id
),

-- Money that goes back on the day they leave is part of the leaving; what they buy on it is not.
order_totals as (
    select
        events.churn_event_id,
        sum(
            case
                when events.churned_on > customer_days.activity_on then customer_days.net_revenue
                else -customer_days.refunded_amount
            end
        ) as net_revenue,
        sum(case when events.churned_on > customer_days.activity_on then customer_days.gross_revenue end)
            as gross_revenue,
        sum(case when events.churned_on > customer_days.activity_on then customer_days.discount_amount end)
            as discount_amount
    from events
    inner join customer_days
        on
            events.customer_id = customer_days.customer_id
            and events.value_from <= customer_days.activity_on
            and events.churned_on >= customer_days.activity_on
    group by events.churn_event_id
),

subscription_totals as (
    select
        events.churn_event_id,
        sum(bills.billed_amount) as subscription_value
    from events
    inner join bills
        on
            events.customer_id = bills.customer_id
            and events.churned_on > bills.billed_on
            and events.billed_from <= bills.billed_on
    group by events.churn_event_id
),

still_active as (
    select distinct events.churn_event_id
    from events
    inner join activity_spells
        on
            events.customer_id = activity_spells.customer_id
            and events.churned_on >= activity_spells.active_from
            and events.churned_on < {{ open_end('activity_spells.active_until') }}
    -- Where there is no subscription, who has left has no order that makes active.
    where events.basis = 'subscription'
),

coded as (
    select
        events.*,
        reasons.reason_code as listed_code,
        reasons.churn_type as reason_churn_type,
        coalesce(failure_totals.payment_failure_count, 0) as payment_failure_count,
        coalesce(failure_totals.has_unmended_failure, 0) = 1 as has_unmended_failure
    from events
    left join reasons on lower(events.cancel_reason) = reasons.reason_code
    left join failure_totals on events.churn_event_id = failure_totals.churn_event_id
),

typed as (
    select
        *,
        -- What the source says, then what its reason says, then the failed payment; anything said at all is a will.
        case
            when basis = 'orders' and cancel_reason is null and cancel_comment is null then 'lapsed'
            when cancel_type is not null then cancel_type
            when reason_churn_type is not null then reason_churn_type
            when cancel_reason is not null or cancel_comment is not null or cancel_requested_on is not null
                then 'voluntary'
            when has_unmended_failure then 'involuntary'
            else 'lapsed'
        end as churn_type
    from coded
),

resolved as (
    select
        *,
        case
            when listed_code is not null then listed_code
            when cancel_reason is not null then 'unknown'
            when churn_type = 'involuntary' and has_unmended_failure then 'payment_failed'
            else 'not_given'
        end as reason_code
    from typed
),

joined as (
    select
        resolved.*,
        reasons.reason,
        reasons.category as reason_category,
        reasons.is_controllable,
        reasons.owning_team,
        engagement.engagement_unit,
        engagement.engagement_recent,
        engagement.engagement_usual,
        engagement.engagement_slope,
        engagement.engagement_trend,
        engagement.main_feature,
        substring(health_totals.last_month_and_band, 11) as last_health_band,
        coalesce(health_totals.months_in_good_health, 0) as months_in_good_health,
        coalesce(health_totals.months_of_known_health, 0) as months_of_known_health,
        last_scores.score as last_nps_score,
        last_scores.nps_category as last_nps_category,
        theme_lists.comment_themes,
        coalesce(ticket_totals.ticket_count, 0) as ticket_count,
        coalesce(order_totals.net_revenue, 0) + coalesce(subscription_totals.subscription_value, 0) as value_lost,
        case
            when resolved.basis = 'subscription' then {{ ratio('resolved.discount_amount', 'resolved.list_amount') }}
            else {{ ratio('order_totals.discount_amount', 'order_totals.gross_revenue') }}
        end as discount_share,
        still_active.churn_event_id is not null as is_still_ordering
    from resolved
    inner join reasons on resolved.reason_code = reasons.reason_code
    left join engagement on resolved.churn_event_id = engagement.churn_event_id
    left join health_totals on resolved.churn_event_id = health_totals.churn_event_id
    left join last_scores on resolved.churn_event_id = last_scores.churn_event_id
    left join theme_lists on resolved.churn_event_id = theme_lists.churn_event_id
    left join ticket_totals on resolved.churn_event_id = ticket_totals.churn_event_id
    left join order_totals on resolved.churn_event_id = order_totals.churn_event_id
    left join subscription_totals on resolved.churn_event_id = subscription_totals.churn_event_id
    left join still_active on resolved.churn_event_id = still_active.churn_event_id
),

final as (
    select
        cast(churn_event_id as {{ dbt.type_string() }}) as churn_event_id,
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(spell_number as {{ dbt.type_bigint() }}) as spell_number,
        cast(basis as {{ dbt.type_string() }}) as basis,
        cast(began_on as date) as began_on,
        cast(subscribed_on as date) as subscribed_on,
        cast(cancel_requested_on as date) as cancel_requested_on,
        cast(churned_on as date) as churned_on,
        {{ month_start('churned_on') }} as churn_month,
        cast(measured_before as date) as measured_before,
        cast(churn_type as {{ dbt.type_string() }}) as churn_type,
        cast(reason_code as {{ dbt.type_string() }}) as reason_code,
        cast(reason as {{ dbt.type_string() }}) as reason,
        cast(reason_category as {{ dbt.type_string() }}) as reason_category,
        cast(is_controllable as boolean) as is_controllable,
        cast(owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(cancel_reason as {{ dbt.type_string() }}) as stated_reason,
        cast(cancel_comment as {{ dbt.type_string() }}) as cancel_comment,
        cast(is_stated as boolean) as is_stated,
        cast(comment_themes as {{ dbt.type_string() }}) as comment_themes,
        cast(plan as {{ dbt.type_string() }}) as plan,
        cast(billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(mrr_lost as {{ type_money() }}) as mrr_lost,
        cast(value_lost as {{ type_money() }}) as value_lost,
        {{ days_between('began_on', 'churned_on') }} as tenure_days,
        -- Whole months only.
        cast(
            {{ months_between('began_on', 'churned_on') }}
            - case
                when {{ add_months('began_on', months_between('began_on', 'churned_on')) }} > churned_on then 1
                else 0
            end as {{ dbt.type_bigint() }}
        ) as tenure_months,
        cast(months_in_good_health as {{ dbt.type_bigint() }}) as months_in_good_health,
        cast(months_of_known_health as {{ dbt.type_bigint() }}) as months_of_known_health,
        cast(last_health_band as {{ dbt.type_string() }}) as last_health_band,
        cast(engagement_trend as {{ dbt.type_string() }}) as engagement_trend,
        cast(engagement_unit as {{ dbt.type_string() }}) as engagement_unit,
        cast(engagement_recent as {{ type_ratio() }}) as engagement_recent,
        cast(engagement_usual as {{ type_ratio() }}) as engagement_usual,
        cast(engagement_slope as {{ type_ratio() }}) as engagement_slope,
        cast(main_feature as {{ dbt.type_string() }}) as main_feature,
        cast(last_nps_score as {{ dbt.type_bigint() }}) as last_nps_score,
        cast(last_nps_category as {{ dbt.type_string() }}) as last_nps_category,
        cast(discount_share as {{ type_ratio() }}) as discount_share,
        cast(ticket_count as {{ dbt.type_bigint() }}) as ticket_count,
        cast(payment_failure_count as {{ dbt.type_bigint() }}) as payment_failure_count,
        cast(is_still_ordering as boolean) as is_still_ordering,
        cast(reactivated_on is not null as boolean) as is_reactivated,
        cast(reactivated_on as date) as reactivated_on
    from joined
)

select * from final
