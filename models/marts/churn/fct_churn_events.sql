{{ config(materialized='view') }}

-- Grain: one row per spell that ended: the churn database. When a customer left, why, after how long, in which
-- health, whether they had faded first, what was lost with them, and whether they came back. Whoever leaves twice has
-- two rows. All that describes the time before is measured before `measured_before`, the request to leave or else the
-- end. Sums by month and reason are in fct_churn_reasons, whom to win back in rpt_winback_candidates; who is active
-- by either subscription or orders is told by fct_customer_base.

with churn_events as (
    select * from {{ ref('int_churn_events') }}
),

price_rises as (
    select * from {{ ref('int_churn_price_rises') }}
),

settings as (
    select * from {{ ref('int_settings') }}
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
        cast(churn_events.is_stated as boolean) as is_stated,
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
            case when churn_events.basis = 'subscription' then coalesce(price_rises.price_rise, 'none') end
            as {{ dbt.type_string() }}
        ) as price_rise,
        cast(price_rises.price_rise_on as date) as price_rise_on,
        cast(price_rises.price_rise_mrr as {{ type_money() }}) as price_rise_mrr,
        cast(churn_events.is_still_ordering as boolean) as is_still_ordering,
        cast(churn_events.is_reactivated as boolean) as is_reactivated,
        cast(churn_events.reactivated_on as date) as reactivated_on,
        {{ days_between(
            'churn_events.churned_on', 'coalesce(churn_events.reactivated_on, settings.as_of_date)'
        ) }} as days_away
    from churn_events
    cross join settings
    left join price_rises on churn_events.churn_event_id = price_rises.churn_event_id
)

select * from final
