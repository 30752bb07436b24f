-- Grain: one row, the company's settings: `--vars`, else what its adapter says, else the default of
-- dbt_project.yml. With the resolved as_of_date see int_settings.

with final as (
    select
        {{ setting('as_of_date', 'date') }} as given_as_of_date,
        {{ setting('business_timezone', dbt.type_string()) }} as business_timezone,
        {{ setting('reporting_currency', dbt.type_string()) }} as reporting_currency,
        {{ setting('exchange_rate_max_age_days', dbt.type_bigint()) }} as exchange_rate_max_age_days,
        {{ setting('active_window_days', dbt.type_bigint()) }} as active_window_days,
        {{ setting('onboarding_days', dbt.type_bigint()) }} as onboarding_days,
        {{ setting('loyalty_tier_months', dbt.type_bigint()) }} as loyalty_tier_months,
        {{ setting('scenario_history_months', dbt.type_bigint()) }} as scenario_history_months,
        {{ setting('churn_lookback_days', dbt.type_bigint()) }} as churn_lookback_days,
        {{ setting('payment_grace_days', dbt.type_bigint()) }} as payment_grace_days,
        {{ setting('engagement_recent_days', dbt.type_bigint()) }} as engagement_recent_days,
        {{ setting('engagement_baseline_days', dbt.type_bigint()) }} as engagement_baseline_days,
        {{ setting('engagement_declining_ratio', type_ratio()) }} as engagement_declining_ratio,
        {{ setting('engagement_rising_ratio', type_ratio()) }} as engagement_rising_ratio,
        {{ setting('churn_value_days', dbt.type_bigint()) }} as churn_value_days,
        {{ setting('winback_window_days', dbt.type_bigint()) }} as winback_window_days,
        {{ setting('winback_smoothing_events', dbt.type_bigint()) }} as winback_smoothing_events,
        {{ setting('health_outcome_days', dbt.type_bigint()) }} as health_outcome_days,
        {{ setting('survey_response_days', dbt.type_bigint()) }} as survey_response_days,
        {{ setting('nps_minimum_votes', dbt.type_bigint()) }} as nps_minimum_votes,
        {{ setting('affinity_minimum_support', type_ratio()) }} as affinity_minimum_support,
        {{ setting('affinity_minimum_customers', dbt.type_bigint()) }} as affinity_minimum_customers,
        {{ setting('clv_segment', dbt.type_string()) }} as clv_segment,
        {{ setting('clv_minimum_customers', dbt.type_bigint()) }} as clv_minimum_customers,
        {{ setting('clv_segment_minimum_customers', dbt.type_bigint()) }} as clv_segment_minimum_customers,
        {{ setting('clv_minimum_history_days', dbt.type_bigint()) }} as clv_minimum_history_days,
        {{ setting('clv_holdout_days', dbt.type_bigint()) }} as clv_holdout_days,
        {{ setting('clv_holdout_share', type_ratio()) }} as clv_holdout_share,
        {{ setting('clv_annual_discount_rate', type_ratio()) }} as clv_annual_discount_rate,
        {{ setting('clv_gate_maximum_bias', type_ratio()) }} as clv_gate_maximum_bias,
        {{ setting('clv_gate_maximum_bucket_error', type_ratio()) }} as clv_gate_maximum_bucket_error,
        {{ setting('clv_gate_minimum_rank_correlation', type_ratio()) }} as clv_gate_minimum_rank_correlation,
        {{ setting('clv_gate_minimum_purchases', dbt.type_bigint()) }} as clv_gate_minimum_purchases,
        {{ setting('segments', dbt.type_string()) }} as segments
)

select
    *,
    -- What rows already computed depend on: when it changes, incremental models start over.
    concat(business_timezone, ' ', reporting_currency, ' ', exchange_rate_max_age_days) as fingerprint
from final
