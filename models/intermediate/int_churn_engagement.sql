{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key='churn_event_id',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per departure: did the customer fade before they left? Their use (the days on which they ordered, for a
-- shopper) in the last days before `measured_before` against the days before those. A shopper is looked at before
-- their last order, that order left out: after it there is only the silence that defines them as churned, and a window
-- that must end with an order would flatter him. Nothing after the request to leave is in here.

with departures as (
    select *
    from {{ ref('int_churn_departures') }}
    where {{ only_touched_customers() }}
),

customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where uses > 0 or order_count > 0
),

usage_events as (
    select * from {{ ref('stg_usage_events') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

recorded as (
    select * from {{ ref('int_recorded_sources') }}
),

scaled as (
    select
        departures.churn_event_id,
        departures.customer_id,
        departures.measured_before,
        case when departures.basis = 'subscription' then 'uses' else 'order days' end as unit,
        case
            when departures.basis = 'subscription' then departures.measured_before else departures.last_order_on
        end as window_end,
        case
            when departures.basis = 'orders' then departures.began_on
            when recorded.usage_from is not null then greatest(departures.subscribed_on, recorded.usage_from)
        end as known_from,
        -- Orders are rarer than use: their windows are as much longer as makes a shopper active.
        case
            when departures.basis = 'subscription' then settings.engagement_recent_days
            else settings.active_window_days
        end as recent_days,
        case
            when departures.basis = 'subscription' then settings.engagement_baseline_days
            else cast(
                floor(
                    settings.active_window_days * settings.engagement_baseline_days
                    / settings.engagement_recent_days
                ) as {{ dbt.type_bigint() }}
            )
        end as baseline_days,
        case when departures.basis = 'subscription' then 7 else settings.active_window_days end as step_days,
        settings.engagement_recent_days + settings.engagement_baseline_days as feature_days,
        settings.engagement_declining_ratio,
        settings.engagement_rising_ratio
    from departures
    cross join recorded
    cross join settings
),

windows as (
    select
        *,
        {{ add_days('window_end', '-recent_days') }} as recent_from,
        greatest(known_from, {{ add_days('window_end', '-(recent_days + baseline_days)') }}) as baseline_from
    from scaled
    where known_from is not null
),

measured as (
    select
        windows.*,
        greatest({{ days_between('windows.baseline_from', 'windows.recent_from') }}, 0) as baseline_days_known,
        cast(
            floor({{ days_between('windows.baseline_from', 'windows.window_end') }} / windows.step_days)
            as {{ dbt.type_bigint() }}
        ) as step_count
    from windows
),

activity as (
    select
        measured.churn_event_id,
        measured.recent_from,
        measured.step_count,
        customer_days.activity_on,
        floor(
            ({{ days_between('customer_days.activity_on', 'measured.window_end') }} - 1) / measured.step_days
        ) as steps_before,
        case when measured.unit = 'uses' then customer_days.uses else 1 end as amount
    from measured
    inner join customer_days
        on
            measured.customer_id = customer_days.customer_id
            and measured.baseline_from <= customer_days.activity_on
            and measured.window_end > customer_days.activity_on
    where
        (measured.unit = 'uses' and customer_days.uses > 0)
        or (measured.unit = 'order days' and customer_days.order_count > 0)
),

activity_totals as (
    select
        churn_event_id,
        sum(case when activity_on >= recent_from then amount else 0 end) as recent_amount,
        sum(case when activity_on < recent_from then amount else 0 end) as baseline_amount,
        sum(case when steps_before < step_count then amount else 0 end) as sum_y,
        sum(case when steps_before < step_count then -steps_before * amount else 0 end) as sum_xy
    from activity
    group by churn_event_id
),

compared as (
    select
        measured.*,
        coalesce(activity_totals.recent_amount, 0) as recent_amount,
        coalesce(activity_totals.baseline_amount, 0) as baseline_amount,
        coalesce(activity_totals.sum_y, 0) as sum_y,
        coalesce(activity_totals.sum_xy, 0) as sum_xy,
        -- Steps are numbered back from the last, which is 0: sums over all of them, those without activity too.
        -measured.step_count * (measured.step_count - 1) / 2.0 as sum_x,
        (measured.step_count - 1) * measured.step_count * (2 * measured.step_count - 1) / 6.0 as sum_xx,
        {{ ratio(
            'coalesce(activity_totals.baseline_amount, 0) * measured.recent_days', 'measured.baseline_days_known'
        ) }} as usual_amount
    from measured
    left join activity_totals on measured.churn_event_id = activity_totals.churn_event_id
),

judged as (
    select
        *,
        case
            -- Known for as long as the recent window, and not used once in it.
            when recent_amount = 0 and known_from <= recent_from then 'silent'
            -- Too short a time to know what was usual.
            when 2 * baseline_days_known < recent_days then 'unknown'
            when recent_amount <= engagement_declining_ratio * usual_amount then 'declining'
            when recent_amount >= engagement_rising_ratio * usual_amount then 'rising'
            else 'steady'
        end as engagement_trend
    from compared
),

feature_uses as (
    select
        scaled.churn_event_id,
        usage_events.feature,
        sum(usage_events.uses) as uses
    from scaled
    inner join usage_events
        on
            scaled.customer_id = usage_events.customer_id
            and scaled.measured_before > usage_events.used_on
            and {{ add_days('scaled.measured_before', '-scaled.feature_days') }} <= usage_events.used_on
    where usage_events.uses > 0
    group by scaled.churn_event_id, usage_events.feature
),

main_features as (
    select
        churn_event_id,
        feature
    from (
        select
            churn_event_id,
            feature,
            row_number() over (partition by churn_event_id order by uses desc, feature asc) as priority
        from feature_uses
    ) as ranked
    where priority = 1
),

final as (
    select
        scaled.churn_event_id,
        scaled.customer_id,
        scaled.unit as engagement_unit,
        cast(judged.recent_amount as {{ type_ratio() }}) as engagement_recent,
        case when 2 * judged.baseline_days_known >= judged.recent_days then judged.usual_amount end as engagement_usual,
        case
            when judged.step_count >= 3
                then
                    {{ ratio(
                        'judged.step_count * judged.sum_xy - judged.sum_x * judged.sum_y',
                        'judged.step_count * judged.sum_xx - judged.sum_x * judged.sum_x'
                    ) }}
        end as engagement_slope,
        coalesce(judged.engagement_trend, 'unknown') as engagement_trend,
        main_features.feature as main_feature
    from scaled
    left join judged on scaled.churn_event_id = judged.churn_event_id
    left join main_features on scaled.churn_event_id = main_features.churn_event_id
)

select * from final
