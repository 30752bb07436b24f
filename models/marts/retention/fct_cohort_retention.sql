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

first_cohort as (
    select min(cohort_month) as first_cohort_month from customers
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

cohorts as (
    select
        cohort_month,
        segment_group,
        count(*) as cohort_size
    from customers
    group by cohort_month, segment_group
),

cohort_sizes as (
    select
        cohorts.cohort_month,
        segment_groups.segment_type,
        segment_groups.segment_value,
        sum(cohorts.cohort_size) as cohort_size
    from cohorts
    inner join segment_groups on cohorts.segment_group = segment_groups.segment_group
    group by cohorts.cohort_month, segment_groups.segment_type, segment_groups.segment_value
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
    select
        group_totals.cohort_month,
        group_totals.month,
        segment_groups.segment_type,
        segment_groups.segment_value,
        sum(group_totals.active_customers) as active_customers,
        sum(group_totals.order_count) as order_count,
        sum(group_totals.net_revenue) as net_revenue
    from group_totals
    inner join segment_groups on group_totals.segment_group = segment_groups.segment_group
    group by group_totals.cohort_month, group_totals.month, segment_groups.segment_type, segment_groups.segment_value
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
    select
        group_last_purchases.cohort_month,
        group_last_purchases.month,
        segment_groups.segment_type,
        segment_groups.segment_value,
        sum(group_last_purchases.last_customers) as last_customers
    from group_last_purchases
    inner join segment_groups on group_last_purchases.segment_group = segment_groups.segment_group
    group by
        group_last_purchases.cohort_month,
        group_last_purchases.month,
        segment_groups.segment_type,
        segment_groups.segment_value
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
