-- Grain: one row per cohort month, months since the first purchase, and segment, from age 0 to the age at
-- as_of_date. An age that is not over says nothing yet: its rates are null, its counts are given. A silent
-- month is a row of zeros. For the share of all customers kept in a period see fct_customer_retention_rate.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

-- A month in which nothing was bought or booked adds to nothing but the size of the cohort, which is known.
month_ends as (
    select *
    from {{ ref('int_customer_month_ends') }}
    where is_purchase_month or net_revenue <> 0
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

months as (
    select * from {{ ref('int_months') }}
),

spine as (
    {{ cohort_spine() }}
),

cohorts as (
    select
        cohort_month,
        segment_group,
        count(*) as cohort_size
    from customers
    group by cohort_month, segment_group
),

cohort_sizes as (
    {{ sum_by_segment('cohorts', ['cohort_month'], ['cohort_size']) }}
),

group_totals as (
    select
        cohort_month,
        month,
        segment_group,
        sum(case when is_purchase_month then 1 else 0 end) as active_customers,
        sum(order_count) as order_count,
        sum(net_revenue) as net_revenue
    from month_ends
    group by cohort_month, month, segment_group
),

totals as (
    {{ sum_by_segment('group_totals', ['cohort_month', 'month'], ['active_customers', 'order_count', 'net_revenue']) }}
),

last_purchases as (
    select
        customer_id,
        cohort_month,
        segment_group,
        max(case when is_purchase_month then month end) as month
    from month_ends
    group by customer_id, cohort_month, segment_group
),

group_last_purchases as (
    select
        cohort_month,
        month,
        segment_group,
        count(*) as last_customers
    from last_purchases
    group by cohort_month, month, segment_group
),

last_purchase_totals as (
    {{ sum_by_segment('group_last_purchases', ['cohort_month', 'month'], ['last_customers']) }}
),

combined as (
    select
        spine.cohort_month,
        spine.months_since_first,
        spine.segment_type,
        spine.segment_value,
        spine.is_complete,
        coalesce(cohort_sizes.cohort_size, 0) as cohort_size,
        coalesce(totals.active_customers, 0) as active_customers,
        coalesce(totals.order_count, 0) as order_count,
        coalesce(totals.net_revenue, 0) as net_revenue,
        coalesce(last_purchase_totals.last_customers, 0) as last_customers
    from spine
    left join cohort_sizes
        on
            spine.cohort_month = cohort_sizes.cohort_month
            and spine.segment_type = cohort_sizes.segment_type
            and spine.segment_value = cohort_sizes.segment_value
    left join last_purchase_totals
        on
            spine.cohort_month = last_purchase_totals.cohort_month
            and spine.month = last_purchase_totals.month
            and spine.segment_type = last_purchase_totals.segment_type
            and spine.segment_value = last_purchase_totals.segment_value
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
        -- Whose last purchase lies at that age or later.
        sum(last_customers) over (
            partition by cohort_month, segment_type, segment_value
            order by months_since_first
            rows between current row and unbounded following
        ) as unbounded_customers,
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
