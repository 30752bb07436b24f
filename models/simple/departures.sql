-- Grain: one row per departure: a subscription that ended, or a shopper who fell silent.

with departures as (
    select * from {{ published('fct_churn_events') }}
),

final as (
    select
        customer_id,
        basis,
        churned_on as left_on,
        churn_month as left_month,
        churn_type,
        reason,
        plan,
        tenure_months,
        engagement_trend,
        last_health_band,
        mrr_lost,
        value_lost,
        is_reactivated as came_back,
        reactivated_on as came_back_on
    from departures
)

select * from final
