-- Grain: one row per month in which somebody's price rose, and segment: of the subscribers who came to pay more
-- for the same, how many left within churn_lookback_days of the month's end, and how many of those whose price did
-- not rise? Both paid at the month's end, so both could leave. A rise is a dearer list price of the same
-- subscription, plan, interval and currency; the end of a discount is none. For who left before paying a rise see
-- fct_churn_events.

with periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    -- A free month between is no price to rise from.
    where is_paid and list_amount > 0
),

settings as (
    select * from {{ ref('int_settings') }}
),

months as (
    select * from {{ ref('int_months') }}
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

subscribers as (
    select
        customer_id,
        month,
        closing_mrr
    from {{ ref('fct_subscription_movements') }}
    where closing_mrr > 0
),

departures as (
    select
        customer_id,
        churned_on
    from {{ ref('fct_churn_events') }}
    where basis = 'subscription'
),

paid_rises as (
    {{ price_rises('periods') }}
),

rises as (
    select
        customer_id,
        {{ month_start('price_rise_on') }} as month,
        max({{ ratio('list_amount', 'previous_list_amount') }} - 1) as rise
    from paid_rises
    group by customer_id, {{ month_start('price_rise_on') }}
),

rise_months as (
    select distinct month from rises
),

followed as (
    select
        subscribers.customer_id,
        subscribers.month,
        rises.rise,
        max(case when departures.customer_id is not null then 1 else 0 end) as has_left
    from subscribers
    inner join rise_months on subscribers.month = rise_months.month
    inner join months on subscribers.month = months.month
    cross join settings
    left join rises on subscribers.customer_id = rises.customer_id and subscribers.month = rises.month
    left join departures
        on
            subscribers.customer_id = departures.customer_id
            and months.month_end_on < departures.churned_on
            and {{ add_days('months.month_end_on', 'settings.churn_lookback_days') }} >= departures.churned_on
    group by subscribers.customer_id, subscribers.month, rises.rise
),

counted as (
    select
        followed.month,
        segments.segment_type,
        segments.segment_value,
        count(followed.rise) as raised_customers,
        {{ percentile('followed.rise', 0.5) }} as median_rise,
        sum(case when followed.rise is not null then followed.has_left else 0 end) as raised_churned_customers,
        count(case when followed.rise is null then 1 end) as other_customers,
        sum(case when followed.rise is null then followed.has_left else 0 end) as other_churned_customers
    from followed
    inner join segments on followed.customer_id = segments.customer_id
    group by followed.month, segments.segment_type, segments.segment_value
),

dated as (
    select
        counted.*,
        {{ add_days('months.month_end_on', 'settings.churn_lookback_days') }} <= settings.as_of_date as is_complete
    from counted
    inner join months on counted.month = months.month
    cross join settings
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(raised_customers as {{ dbt.type_bigint() }}) as raised_customers,
        cast(median_rise as {{ type_ratio() }}) as median_rise,
        cast(raised_churned_customers as {{ dbt.type_bigint() }}) as raised_churned_customers,
        cast(other_customers as {{ dbt.type_bigint() }}) as other_customers,
        cast(other_churned_customers as {{ dbt.type_bigint() }}) as other_churned_customers,
        case when is_complete then {{ ratio('raised_churned_customers', 'raised_customers') }} end as raised_churn_rate,
        case when is_complete then {{ ratio('other_churned_customers', 'other_customers') }} end as other_churn_rate,
        cast(is_complete as boolean) as is_complete
    from dated
    where raised_customers > 0
)

select * from final
