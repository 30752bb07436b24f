-- Grain: one row per period (month, quarter, year) and segment: which share of the customers active at its
-- start were still, or again, active at its end. The start of a period is the end of the day before it: a
-- chain of months has no gap. CN, the customers gained, are those active at the end who were not at the start:
-- (CE - CN) / CS = |S and E| / |S|. For what became of those who came together see fct_cohort_retention.

with months as (
    select * from {{ ref('int_months') }}
),

all_spells as (
    select * from {{ ref('int_customer_spells') }}
),

customers as (
    select
        customer_id,
        segment_group
    from {{ ref('int_customers') }}
),

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segment_groups
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

spells as (
    select
        all_spells.*,
        min(all_spells.active_from) over (partition by all_spells.customer_id) as first_from,
        customers.segment_group
    from all_spells
    inner join customers on all_spells.customer_id = customers.customer_id
),

-- Who lapsed and was back: a later spell that began in the year in which an earlier one ended.
returns as (
    select
        earlier.segment_group,
        earlier.active_from as earlier_from,
        earlier.active_until as earlier_until,
        later.active_from as later_from,
        later.active_until as later_until
    from spells as earlier
    inner join spells as later
        on
            earlier.customer_id = later.customer_id
            and earlier.spell_number < later.spell_number
            and {{ period_end('year', 'earlier.active_until') }} >= later.active_from
    where earlier.active_until is not null
),

-- At a period's start is active who began before it and had not ceased on its eve; at its end, who had begun and had
-- not ceased. So what happens in a period is counted where spells end and begin, not for every customer and period.
events as (
    {%- for period_type in ['month', 'quarter', 'year'] %}
        -- Active at the start, and ceased within.
        select
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'active_until') }} as period_start,
            segment_group,
            1 as ceased,
            0 as began_first,
            0 as began_again,
            0 as returned
        from spells
        where active_from < {{ period_start(period_type, 'active_until') }}

        union all

        -- Began within, and active at the end: for the first time, whose first spell began within too.
        select
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'active_from') }} as period_start,
            segment_group,
            0 as ceased,
            case when first_from >= {{ period_start(period_type, 'active_from') }} then 1 else 0 end as began_first,
            case when first_from < {{ period_start(period_type, 'active_from') }} then 1 else 0 end as began_again,
            0 as returned
        from spells
        where {{ open_end('active_until') }} > {{ period_end(period_type, 'active_from') }}

        union all

        -- Both: neither lost nor gained.
        select
            '{{ period_type }}' as period_type,
            {{ period_start(period_type, 'earlier_until') }} as period_start,
            segment_group,
            0 as ceased,
            0 as began_first,
            0 as began_again,
            1 as returned
        from returns
        where
            earlier_from < {{ period_start(period_type, 'earlier_until') }}
            and {{ period_start(period_type, 'earlier_until') }} = {{ period_start(period_type, 'later_from') }}
            and {{ open_end('later_until') }} > {{ period_end(period_type, 'later_from') }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

group_totals as (
    select
        period_type,
        period_start,
        segment_group,
        sum(ceased) - sum(returned) as lost_customers,
        sum(began_first) as gained_first_time_customers,
        sum(began_again) - sum(returned) as gained_reactivated_customers
    from events
    group by period_type, period_start, segment_group
),

totals as (
    select
        group_totals.period_type,
        group_totals.period_start,
        segment_groups.segment_type,
        segment_groups.segment_value,
        sum(group_totals.lost_customers) as lost_customers,
        sum(group_totals.gained_first_time_customers) as gained_first_time_customers,
        sum(group_totals.gained_reactivated_customers) as gained_reactivated_customers
    from group_totals
    inner join segment_groups on group_totals.segment_group = segment_groups.segment_group
    group by
        group_totals.period_type,
        group_totals.period_start,
        segment_groups.segment_type,
        segment_groups.segment_value
),

border_months as (
    select
        {{ month_start('active_from') }} as month,
        segment_group,
        1 as change
    from spells

    union all

    select
        {{ month_start('active_until') }} as month,
        segment_group,
        -1 as change
    from spells
    where active_until is not null
),

group_changes as (
    select
        month,
        segment_group,
        sum(change) as change
    from border_months
    group by month, segment_group
),

segment_changes as (
    select
        group_changes.month,
        segment_groups.segment_type,
        segment_groups.segment_value,
        sum(group_changes.change) as change
    from group_changes
    inner join segment_groups on group_changes.segment_group = segment_groups.segment_group
    group by group_changes.month, segment_groups.segment_type, segment_groups.segment_value

    union all

    -- Every start of a period has a row.
    select
        periods.period_start as month,
        segment_values.segment_type,
        segment_values.segment_value,
        0 as change
    from periods
    cross join segment_values
    where periods.period_type = 'month' or periods.period_start < (select min(months.month) from months)
),

month_changes as (
    select
        month,
        segment_type,
        segment_value,
        sum(change) as change
    from segment_changes
    group by month, segment_type, segment_value
),

starts as (
    select
        month,
        segment_type,
        segment_value,
        sum(change) over (
            partition by segment_type, segment_value
            order by month
            rows between unbounded preceding and 1 preceding
        ) as starting_customers
    from month_changes
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
        coalesce(starts.starting_customers, 0) as starting_customers,
        coalesce(totals.lost_customers, 0) as lost_customers,
        coalesce(totals.gained_first_time_customers, 0) as gained_first_time_customers,
        coalesce(totals.gained_reactivated_customers, 0) as gained_reactivated_customers
    from periods
    cross join segment_values
    left join starts
        on
            periods.period_start = starts.month
            and segment_values.segment_type = starts.segment_type
            and segment_values.segment_value = starts.segment_value
    left join totals
        on
            periods.period_type = totals.period_type
            and periods.period_start = totals.period_start
            and segment_values.segment_type = totals.segment_type
            and segment_values.segment_value = totals.segment_value
),

counted as (
    select
        *,
        starting_customers - lost_customers as retained_customers,
        starting_customers - lost_customers + gained_first_time_customers + gained_reactivated_customers
            as ending_customers
    from combined
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
    from counted
)

select * from final
