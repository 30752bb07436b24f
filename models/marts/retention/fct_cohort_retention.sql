-- Grain: one row per cohort month, months since the first purchase, and segment, from age 0 to the age at
-- as_of_date. An age that is not over says nothing yet: its rates are null, its counts are given. A silent
-- month is a row of zeros. For the share of all customers kept in a period see fct_customer_retention_rate.

with month_ends as (
    select * from {{ ref('int_customer_month_ends') }}
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

months as (
    select * from {{ ref('int_months') }}
),

first_cohort as (
    select min(cohort_month) as first_cohort_month from month_ends
),

-- Also cohorts in which nobody came.
spine as (
    select
        cohorts.month as cohort_month,
        ages.month,
        {{ months_between('cohorts.month', 'ages.month') }} as months_since_first,
        segment_values.segment_type,
        segment_values.segment_value,
        ages.is_complete
    from months as cohorts
    inner join first_cohort on cohorts.month >= first_cohort.first_cohort_month
    inner join months as ages on cohorts.month <= ages.month
    cross join segment_values
),

with_last_purchase as (
    select
        *,
        max(case when is_purchase_month then month end) over (partition by customer_id) as last_purchase_month
    from month_ends
),

totals as (
    select
        with_last_purchase.cohort_month,
        with_last_purchase.month,
        segments.segment_type,
        segments.segment_value,
        count(*) as cohort_size,
        sum(case when with_last_purchase.is_purchase_month then 1 else 0 end) as active_customers,
        sum(
            case when with_last_purchase.last_purchase_month >= with_last_purchase.month then 1 else 0 end
        ) as unbounded_customers,
        sum(with_last_purchase.order_count) as order_count,
        sum(with_last_purchase.net_revenue) as net_revenue
    from with_last_purchase
    inner join segments on with_last_purchase.customer_id = segments.customer_id
    group by
        with_last_purchase.cohort_month,
        with_last_purchase.month,
        segments.segment_type,
        segments.segment_value
),

combined as (
    select
        spine.cohort_month,
        spine.months_since_first,
        spine.segment_type,
        spine.segment_value,
        spine.is_complete,
        coalesce(totals.cohort_size, 0) as cohort_size,
        coalesce(totals.active_customers, 0) as active_customers,
        coalesce(totals.unbounded_customers, 0) as unbounded_customers,
        coalesce(totals.order_count, 0) as order_count,
        coalesce(totals.net_revenue, 0) as net_revenue
    from spine
    left join totals
        on
            spine.cohort_month = totals.cohort_month
            and spine.month = totals.month
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
),

cumulated as (
    select
        *,
        sum(net_revenue) over (
            partition by cohort_month, segment_type, segment_value
            order by months_since_first
            rows between unbounded preceding and current row
        ) as cumulative_revenue,
        max(case when months_since_first = 0 then net_revenue end) over (
            partition by cohort_month, segment_type, segment_value
        ) as first_month_revenue
    from combined
),

final as (
    select
        cast(cohort_month as date) as cohort_month,
        cast(months_since_first as {{ dbt.type_bigint() }}) as months_since_first,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(cohort_size as {{ dbt.type_bigint() }}) as cohort_size,
        cast(active_customers as {{ dbt.type_bigint() }}) as active_customers,
        cast(unbounded_customers as {{ dbt.type_bigint() }}) as unbounded_customers,
        cast(order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(net_revenue as {{ type_money() }}) as net_revenue,
        cast(cumulative_revenue as {{ type_money() }}) as cumulative_revenue,
        case when is_complete then {{ ratio('active_customers', 'cohort_size') }} end as retention_rate,
        case when is_complete then {{ ratio('unbounded_customers', 'cohort_size') }} end as unbounded_retention_rate,
        case when is_complete then {{ ratio('net_revenue', 'first_month_revenue') }} end as revenue_retention_rate,
        case
            when is_complete then {{ ratio('cumulative_revenue', 'cohort_size') }}
        end as cumulative_revenue_per_customer,
        cast(is_complete as boolean) as is_complete
    from cumulated
)

select * from final
