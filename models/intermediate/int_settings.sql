-- Grain: one row, the company's settings with as_of_date resolved: the one given, else the latest event in the
-- raw data. Plans for the future (the end of a subscription, a rate of exchange) are no events.

with settings as (
    select * from {{ ref('stg_settings') }}
),

event_bounds as (
    {%- set events = [
        ('stg_orders', 'ordered_on'),
        ('stg_refunds', 'refunded_on'),
        ('stg_subscriptions', 'started_on'),
        ('stg_subscriptions', 'cancel_requested_on'),
        ('stg_customers', 'signed_up_on'),
        ('stg_survey_invitations', 'sent_on'),
        ('stg_survey_responses', 'responded_on'),
        ('stg_usage_events', 'used_on'),
        ('stg_support_tickets', 'opened_on'),
        ('stg_payment_failures', 'failed_on'),
    ] %}
    {%- for relation, column in events %}
        select
            min({{ column }}) as first_event_on,
            max({{ column }}) as last_event_on
        from {{ ref(relation) }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

data_bounds as (
    select
        min(first_event_on) as first_event_on,
        max(last_event_on) as last_event_on
    from event_bounds
),

segment_thresholds as (
    select
        {%- for threshold in [
            'new_customer_days',
            'at_risk_after_days',
            'bargain_discounted_share',
            'loyal_order_days',
            'loyal_paid_months',
        ] %}
            max(case when threshold = '{{ threshold }}' then value end) as {{ threshold }}
            {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('segment_thresholds') }}
),

final as (
    select
        cast(coalesce(settings.given_as_of_date, data_bounds.last_event_on) as date) as as_of_date,
        cast(data_bounds.first_event_on as date) as first_event_on,
        cast(data_bounds.last_event_on as date) as last_event_on,
        settings.business_timezone,
        settings.reporting_currency,
        settings.exchange_rate_max_age_days,
        settings.active_window_days,
        settings.onboarding_days,
        cast(segment_thresholds.new_customer_days as {{ dbt.type_bigint() }}) as new_customer_days,
        cast(segment_thresholds.at_risk_after_days as {{ dbt.type_bigint() }}) as at_risk_after_days,
        cast(segment_thresholds.bargain_discounted_share as {{ type_ratio() }}) as bargain_discounted_share,
        cast(segment_thresholds.loyal_order_days as {{ dbt.type_bigint() }}) as loyal_order_days,
        cast(segment_thresholds.loyal_paid_months as {{ dbt.type_bigint() }}) as loyal_paid_months,
        settings.loyalty_tier_months,
        settings.scenario_history_months,
        settings.churn_lookback_days,
        settings.payment_grace_days,
        settings.engagement_recent_days,
        settings.engagement_baseline_days,
        settings.engagement_declining_ratio,
        settings.engagement_rising_ratio,
        settings.churn_value_days,
        settings.winback_window_days,
        settings.winback_smoothing_events,
        settings.health_outcome_days,
        settings.survey_response_days,
        settings.nps_minimum_votes,
        settings.affinity_minimum_support,
        settings.affinity_minimum_customers,
        settings.clv_segment,
        settings.clv_minimum_customers,
        settings.clv_segment_minimum_customers,
        settings.clv_minimum_history_days,
        settings.clv_holdout_days,
        settings.clv_holdout_share,
        settings.clv_annual_discount_rate,
        settings.clv_gate_maximum_bias,
        settings.clv_gate_maximum_bucket_error,
        settings.clv_gate_minimum_rank_correlation,
        settings.clv_gate_minimum_purchases,
        settings.segments,
        settings.fingerprint
    from settings
    cross join data_bounds
    cross join segment_thresholds
)

select * from final
