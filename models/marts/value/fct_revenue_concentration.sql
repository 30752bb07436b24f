-- Grain: one row per period (month, quarter, year, all), segment and decile of the customers who bought in it,
-- the best first: how much of the revenue, of orders and subscriptions, hangs on how few. The top-20 % share and the
-- Gini coefficient are the period's and stand in each of its ten rows.

with decile_totals as (
    select * from {{ ref('int_revenue_deciles') }}
),

months as (
    select * from {{ ref('int_months') }}
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
    select distinct
        period_type,
        period_start,
        is_complete
    from (
        {{ month_periods(['month', 'quarter', 'year']) }}
    ) as month_periods
),

period_totals as (
    select distinct
        period_type,
        period_start,
        segment_type,
        segment_value,
        period_gross_revenue,
        top_revenue,
        gini
    from decile_totals
),

deciles as (
    {{ number_series(1, 10) }}
),

spine as (
    select
        periods.period_type,
        periods.period_start,
        periods.is_complete,
        segment_values.segment_type,
        segment_values.segment_value,
        deciles.number as decile
    from periods
    cross join segment_values
    cross join deciles
),

combined as (
    select
        spine.period_type,
        spine.period_start,
        spine.is_complete,
        spine.segment_type,
        spine.segment_value,
        spine.decile,
        coalesce(decile_totals.customers, 0) as customers,
        coalesce(decile_totals.gross_revenue, 0) as gross_revenue,
        coalesce(decile_totals.net_revenue, 0) as net_revenue,
        period_totals.period_gross_revenue,
        period_totals.top_revenue,
        period_totals.gini,
        sum(coalesce(decile_totals.gross_revenue, 0)) over (
            partition by spine.period_type, spine.period_start, spine.segment_type, spine.segment_value
            order by spine.decile
            rows between unbounded preceding and current row
        ) as cumulative_revenue
    from spine
    left join decile_totals
        on
            spine.period_type = decile_totals.period_type
            and spine.period_start = decile_totals.period_start
            and spine.segment_type = decile_totals.segment_type
            and spine.segment_value = decile_totals.segment_value
            and spine.decile = decile_totals.decile
    left join period_totals
        on
            spine.period_type = period_totals.period_type
            and spine.period_start = period_totals.period_start
            and spine.segment_type = period_totals.segment_type
            and spine.segment_value = period_totals.segment_value
),

final as (
    select
        cast(period_type as {{ dbt.type_string() }}) as period_type,
        cast(period_start as date) as period_start,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(decile as {{ dbt.type_bigint() }}) as decile,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(gross_revenue as {{ type_money() }}) as gross_revenue,
        cast(net_revenue as {{ type_money() }}) as net_revenue,
        case when is_complete then {{ ratio('gross_revenue', 'period_gross_revenue') }} end as revenue_share,
        case
            when is_complete then {{ ratio('cumulative_revenue', 'period_gross_revenue') }}
        end as cumulative_revenue_share,
        case when is_complete then {{ ratio('top_revenue', 'period_gross_revenue') }} end as top_20_percent_share,
        case when is_complete then cast(gini as {{ type_ratio() }}) end as gini_coefficient,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final
