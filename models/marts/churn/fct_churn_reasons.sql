-- Grain: one row per month, reason, type of departure and segment: how many left for it, what was lost, and how many
-- of them came back? Every reason and type that ever occurred has a row in every month. For the departures themselves
-- see fct_churn_events, for whom to win back rpt_winback_candidates.

with events as (
    select
        churn_events.customer_id,
        churn_events.churn_month,
        churn_events.basis,
        churn_events.reason,
        churn_events.reason_category,
        churn_events.is_controllable,
        churn_events.owning_team,
        churn_events.churn_type,
        churn_events.mrr_lost,
        churn_events.value_lost,
        churn_events.tenure_days,
        churn_events.engagement_trend,
        churn_events.is_reactivated,
        churn_events.days_away,
        customers.segment_group
    from {{ ref('fct_churn_events') }} as churn_events
    inner join {{ ref('int_customers') }} as customers on churn_events.customer_id = customers.customer_id
),

months as (
    select * from {{ ref('int_months') }}
),

segments as (
    select * from {{ ref('int_segment_groups') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segments
),

reasons as (
    select distinct
        basis,
        reason,
        reason_category,
        is_controllable,
        owning_team,
        churn_type
    from events
),

spine as (
    select
        months.month,
        months.is_complete,
        {{ add_days('months.month_end_on', 'settings.winback_window_days') }} <= settings.as_of_date
            as is_winback_complete,
        segment_values.segment_type,
        segment_values.segment_value,
        reasons.*
    from months
    cross join settings
    cross join segment_values
    cross join reasons
),

-- A customer is in one group only: those of a segment are the sum of those of its groups.
group_totals as (
    select
        events.churn_month,
        events.segment_group,
        events.basis,
        events.reason,
        events.churn_type,
        count(*) as churn_events,
        count(distinct events.customer_id) as churned_customers,
        sum(events.mrr_lost) as mrr_lost,
        sum(events.value_lost) as value_lost,
        count(case when events.engagement_trend in ('declining', 'silent') then 1 end) as faded_events,
        count(case when events.is_reactivated then 1 end) as returned_events,
        count(
            case when events.is_reactivated and events.days_away <= settings.winback_window_days then 1 end
        ) as won_back_events
    from events
    cross join settings
    group by events.churn_month, events.segment_group, events.basis, events.reason, events.churn_type
),

-- Medians do not add up.
medians as (
    select
        events.churn_month,
        segments.segment_type,
        segments.segment_value,
        events.basis,
        events.reason,
        events.churn_type,
        {{ percentile('events.tenure_days', 0.5) }} as median_tenure_days
    from events
    inner join segments on events.segment_group = segments.segment_group
    group by
        events.churn_month,
        segments.segment_type,
        segments.segment_value,
        events.basis,
        events.reason,
        events.churn_type
),

totals as (
    select
        group_totals.churn_month,
        segments.segment_type,
        segments.segment_value,
        group_totals.basis,
        group_totals.reason,
        group_totals.churn_type,
        sum(group_totals.churn_events) as churn_events,
        sum(group_totals.churned_customers) as churned_customers,
        sum(group_totals.mrr_lost) as mrr_lost,
        sum(group_totals.value_lost) as value_lost,
        sum(group_totals.faded_events) as faded_events,
        sum(group_totals.returned_events) as returned_events,
        sum(group_totals.won_back_events) as won_back_events
    from group_totals
    inner join segments on group_totals.segment_group = segments.segment_group
    group by
        group_totals.churn_month,
        segments.segment_type,
        segments.segment_value,
        group_totals.basis,
        group_totals.reason,
        group_totals.churn_type
),

combined as (
    select
        spine.*,
        coalesce(totals.churn_events, 0) as churn_events,
        coalesce(totals.churned_customers, 0) as churned_customers,
        coalesce(totals.mrr_lost, 0) as mrr_lost,
        coalesce(totals.value_lost, 0) as value_lost,
        medians.median_tenure_days,
        coalesce(totals.faded_events, 0) as faded_events,
        coalesce(totals.returned_events, 0) as returned_events,
        coalesce(totals.won_back_events, 0) as won_back_events,
        sum(coalesce(totals.churn_events, 0)) over (
            partition by spine.month, spine.segment_type, spine.segment_value, spine.basis
        ) as all_churn_events
    from spine
    left join totals
        on
            spine.month = totals.churn_month
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
            and spine.basis = totals.basis
            and spine.reason = totals.reason
            and spine.churn_type = totals.churn_type
    left join medians
        on
            spine.month = medians.churn_month
            and spine.segment_type = medians.segment_type
            and spine.segment_value = medians.segment_value
            and spine.basis = medians.basis
            and spine.reason = medians.reason
            and spine.churn_type = medians.churn_type
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(basis as {{ dbt.type_string() }}) as basis,
        cast(reason as {{ dbt.type_string() }}) as reason,
        cast(reason_category as {{ dbt.type_string() }}) as reason_category,
        cast(is_controllable as boolean) as is_controllable,
        cast(owning_team as {{ dbt.type_string() }}) as owning_team,
        cast(churn_type as {{ dbt.type_string() }}) as churn_type,
        cast(churn_events as {{ dbt.type_bigint() }}) as churn_events,
        cast(churned_customers as {{ dbt.type_bigint() }}) as churned_customers,
        cast(mrr_lost as {{ type_money() }}) as mrr_lost,
        cast(value_lost as {{ type_money() }}) as value_lost,
        case when is_complete then {{ ratio('churn_events', 'all_churn_events') }} end as reason_share,
        cast(median_tenure_days as {{ type_ratio() }}) as median_tenure_days,
        cast(faded_events as {{ dbt.type_bigint() }}) as faded_events,
        cast(returned_events as {{ dbt.type_bigint() }}) as returned_events,
        cast(won_back_events as {{ dbt.type_bigint() }}) as won_back_events,
        case when is_winback_complete then {{ ratio('won_back_events', 'churn_events') }} end as win_back_rate,
        cast(is_winback_complete as boolean) as is_winback_complete,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final
