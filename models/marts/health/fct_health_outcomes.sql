-- Grain: one row per month, basis, component (`overall`, and each component of health), band and segment: of the
-- customers who stood in the band at the month-end, how many left within health_outcome_days? It tells whether the
-- score predicts, and which of its drivers does; whether it does so better than silence is in fct_health_skill. For the
-- customers themselves see fct_customer_health.

with outcomes as (
    select * from {{ ref('int_health_outcomes') }}
),

months as (
    select * from {{ ref('int_months') }}
),

segments as (
    select * from {{ ref('int_segment_groups') }}
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

bases as (
    select 'subscription' as churn_basis
    union all
    select 'orders' as churn_basis
),

bands as (
    {%- for band in ['good', 'average', 'poor', 'unknown'] %}
        select '{{ band }}' as band
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

components as (
    select 'overall' as component
    {%- for component in health_components() %}
        union all
        select '{{ component }}' as component
    {%- endfor %}
),

spine as (
    select
        months.month,
        {{ add_days('months.month_end_on', 'settings.health_outcome_days') }} <= settings.as_of_date as is_complete,
        bases.churn_basis,
        components.component,
        bands.band,
        segment_values.segment_type,
        segment_values.segment_value
    from months
    cross join settings
    cross join bases
    cross join components
    cross join bands
    cross join segment_values
),

-- All bands at once, and of each group of segments, so that the customers are summed up once.
group_combinations as (
    select
        month,
        churn_basis,
        segment_group,
        health_band,
        {%- for component in health_components() %}
            {{ component }}_band,
        {%- endfor %}
        count(*) as customers,
        count(case when has_left then 1 end) as churned_customers
    from outcomes
    group by
        month,
        churn_basis,
        segment_group,
        {%- for component in health_components() %}
            {{ component }}_band,
        {%- endfor %}
        health_band
),

combinations as (
    select
        group_combinations.month,
        group_combinations.churn_basis,
        segments.segment_type,
        segments.segment_value,
        group_combinations.health_band,
        {%- for component in health_components() %}
            group_combinations.{{ component }}_band,
        {%- endfor %}
        sum(group_combinations.customers) as customers,
        sum(group_combinations.churned_customers) as churned_customers
    from group_combinations
    inner join segments on group_combinations.segment_group = segments.segment_group
    group by
        group_combinations.month,
        group_combinations.churn_basis,
        segments.segment_type,
        segments.segment_value,
        {%- for component in health_components() %}
            group_combinations.{{ component }}_band,
        {%- endfor %}
        group_combinations.health_band
),

by_component as (
    select
        combinations.*,
        components.component,
        case components.component
            when 'overall' then combinations.health_band
            {%- for component in health_components() %}
                when '{{ component }}' then combinations.{{ component }}_band
            {%- endfor %}
        end as band
    from combinations
    cross join components
),

totals as (
    select
        month,
        churn_basis,
        component,
        band,
        segment_type,
        segment_value,
        sum(customers) as customers,
        sum(churned_customers) as churned_customers
    from by_component
    group by month, churn_basis, component, band, segment_type, segment_value
),

final as (
    select
        cast(spine.month as date) as month,
        cast(spine.churn_basis as {{ dbt.type_string() }}) as churn_basis,
        cast(spine.component as {{ dbt.type_string() }}) as component,
        cast(spine.band as {{ dbt.type_string() }}) as band,
        cast(spine.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(spine.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(coalesce(totals.customers, 0) as {{ dbt.type_bigint() }}) as customers,
        cast(coalesce(totals.churned_customers, 0) as {{ dbt.type_bigint() }}) as churned_customers,
        case
            when spine.is_complete then {{ ratio('totals.churned_customers', 'totals.customers') }}
        end as churn_rate,
        cast(spine.is_complete as boolean) as is_complete
    from spine
    left join totals
        on
            spine.month = totals.month
            and spine.churn_basis = totals.churn_basis
            and spine.component = totals.component
            and spine.band = totals.band
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
)

select * from final
