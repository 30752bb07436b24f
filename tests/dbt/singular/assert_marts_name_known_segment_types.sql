-- Fails for each mart and segment type in it that is neither one of every company's, nor its own, nor one of its pairs.

{%- set marts = [
    'fct_customer_base', 'rpt_onboarding', 'fct_cohort_retention', 'fct_customer_retention_rate', 'rpt_second_purchase',
    'rpt_subscription_retention', 'fct_survival', 'rpt_survival_summary', 'fct_churn_reasons', 'rpt_price_rises',
    'fct_health_outcomes', 'fct_health_skill', 'fct_nps_scores', 'rpt_support_tickets', 'fct_clv_models',
    'fct_clv_backtest', 'fct_renewal_curves', 'fct_segment_lifetime_value', 'fct_cohort_lifetime_value',
    'fct_loyalty_tier_moves', 'fct_revenue_concentration', 'rpt_scenarios', 'rpt_referral_comparison',
    'rpt_annual_conversion', 'rpt_activation_retention',
] %}

with named as (
    {%- for mart in marts %}
        select distinct
            '{{ mart }}' as mart,
            segment_type
        from {{ ref(mart) }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

known as (
    select segment_type
    from {{ ref('int_segment_groups') }}

    union

    select segment_type
    from {{ ref('int_crossed_segments') }}
)

select named.*
from named
left join known on named.segment_type = known.segment_type
where
    known.segment_type is null
    and named.segment_type not in ('all', 'cohort_year')
    {%- for segment_type in segment_types() %}
        and named.segment_type <> '{{ segment_type }}'
    {%- endfor %}
