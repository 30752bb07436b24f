-- Grain: one row per period (month, quarter, year) and segment: which share of the customers active at its
-- start were still, or again, active at its end. The start of a period is the end of the day before it: a
-- chain of months has no gap. CN, the customers gained, are those active at the end who were not at the start:
-- (CE - CN) / CS = |S and E| / |S|. For what became of those who came together see fct_cohort_retention.

with months as (
    select * from {{ ref('int_months') }}
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segments
),

settings as (
    select * from {{ ref('int_settings') }}
),

periods as (
    {%- for period_type in ['month', 'quarter', 'year'] %}
        select distinct
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'months.month') }} as period_start,
            {{ period_end(period_type, 'months.month') }} as period_end,
            cast(least({{ period_end(period_type, 'months.month') }}, settings.as_of_date) as date) as observed_until,
            {{ add_days('settings.first_event_on', 'settings.active_window_days') }}
            <= {{ period_start(period_type, 'months.month') }} as is_window_observed,
            {{ period_end(period_type, 'months.month') }} <= settings.as_of_date as is_complete
        from months
        cross join settings
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

-- One row per customer active at the start or at the end of a period.
members as (
    select
        periods.period_type,
        periods.period_start,
        spells.customer_id,
        max(case when spells.active_from < periods.period_start then 1 else 0 end) as was_active_at_start,
        max(
            case
                when spells.active_until is null or spells.active_until > periods.observed_until then 1
                else 0
            end
        ) as is_active_at_end,
        max(spells.spell_number) as last_spell_number
    from periods
    inner join spells
        on
            spells.active_from <= periods.observed_until
            and {{ open_end('spells.active_until') }} >= periods.period_start
    where
        -- Active at the end of the day before the period, or at its end; a spell inside it is neither.
        (
            spells.active_from < periods.period_start
            and {{ open_end('spells.active_until') }} > {{ add_days('periods.period_start', -1) }}
        )
        or spells.active_until is null
        or spells.active_until > periods.observed_until
    group by periods.period_type, periods.period_start, spells.customer_id
),

totals as (
    select
        members.period_type,
        members.period_start,
        segments.segment_type,
        segments.segment_value,
        sum(members.was_active_at_start) as starting_customers,
        sum(members.is_active_at_end) as ending_customers,
        sum(members.was_active_at_start * members.is_active_at_end) as retained_customers,
        sum(members.was_active_at_start * (1 - members.is_active_at_end)) as lost_customers,
        sum(
            case when members.was_active_at_start = 0 and members.last_spell_number = 1 then 1 else 0 end
        ) as gained_first_time_customers,
        sum(
            case when members.was_active_at_start = 0 and members.last_spell_number > 1 then 1 else 0 end
        ) as gained_reactivated_customers
    from members
    inner join segments on members.customer_id = segments.customer_id
    group by members.period_type, members.period_start, segments.segment_type, segments.segment_value
),

combined as (
    select
        periods.period_type,
        periods.period_start,
        periods.period_end,
        periods.is_window_observed,
        periods.is_complete,
        segment_values.segment_type,
        segment_values.segment_value,
        coalesce(totals.starting_customers, 0) as starting_customers,
        coalesce(totals.ending_customers, 0) as ending_customers,
        coalesce(totals.retained_customers, 0) as retained_customers,
        coalesce(totals.lost_customers, 0) as lost_customers,
        coalesce(totals.gained_first_time_customers, 0) as gained_first_time_customers,
        coalesce(totals.gained_reactivated_customers, 0) as gained_reactivated_customers
    from periods
    cross join segment_values
    left join totals
        on
            periods.period_type = totals.period_type
            and periods.period_start = totals.period_start
            and segment_values.segment_type = totals.segment_type
            and segment_values.segment_value = totals.segment_value
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        cast(period_start as date) as period_start,
        cast(period_end as date) as period_end,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(starting_customers as {{ dbt.type_bigint() }}) as starting_customers,
        cast(ending_customers as {{ dbt.type_bigint() }}) as ending_customers,
        cast(retained_customers as {{ dbt.type_bigint() }}) as retained_customers,
        cast(lost_customers as {{ dbt.type_bigint() }}) as lost_customers,
        cast(gained_first_time_customers + gained_reactivated_customers as {{ dbt.type_bigint() }}) as gained_customers,
        cast(gained_first_time_customers as {{ dbt.type_bigint() }}) as gained_first_time_customers,
        cast(gained_reactivated_customers as {{ dbt.type_bigint() }}) as gained_reactivated_customers,
        case
            when is_complete then {{ ratio(
                '(ending_customers - gained_first_time_customers - gained_reactivated_customers)', 'starting_customers'
            ) }}
        end as retention_rate,
        case when is_complete then {{ ratio('lost_customers', 'starting_customers') }} end as churn_rate,
        cast(is_window_observed as boolean) as is_window_observed,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final
