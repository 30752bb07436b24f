-- Grain: one row per month, segment and basis (subscription, orders): what a customer is worth if the segment goes
-- on as in this month: ARPA x margin / churn rate. The two bases stand apart: a customer of both is in both, with
-- what they bring on each. It is a formula over one month, not a forecast: for single customers see
-- fct_customer_lifetime_value, for what cohorts did bring fct_cohort_lifetime_value.

with subscriptions as (
    select * from {{ ref('rpt_subscription_retention') }}
),

month_ends as (
    select * from {{ ref('int_customer_month_ends') }}
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

segment_groups as (
    select *
    from {{ ref('int_segment_groups') }}
    where not {{ is_held_segment_type('segment_type') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segment_groups
),

customers as (
    select
        customer_id,
        cohort_month
    from {{ ref('int_customers') }}
    where first_order_on is not null
),

months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Customers who have ordered, as they stood at both ends of the month. Whether they are still customers is what all
-- marts call active, a paid subscription included.
group_standing as (
    select
        month,
        segment_group,
        sum(case when was_active_shopper then 1 else 0 end) as starting_customers,
        sum(case when was_active_shopper and not is_active then 1 else 0 end) as lost_customers,
        sum(case when cumulative_order_count > 0 and is_active then 1 else 0 end) as active_customers,
        0 as revenue,
        0 as cost_amount,
        0 as uncosted_order_count
    from month_ends
    group by month, segment_group
),

-- Of those who have ordered, since their first month: a refund of a pure subscriber is none of orders.
group_revenue as (
    select
        customer_months.month,
        customer_months.segment_group,
        0 as starting_customers,
        0 as lost_customers,
        0 as active_customers,
        sum(customer_months.net_revenue) as revenue,
        sum(customer_months.cost_amount) as cost_amount,
        sum(customer_months.uncosted_order_count) as uncosted_order_count
    from customer_months
    inner join customers
        on
            customer_months.customer_id = customers.customer_id
            and customer_months.month >= customers.cohort_month
    group by customer_months.month, customer_months.segment_group
),

group_totals as (
    select * from group_standing
    union all
    select * from group_revenue
),

order_totals as (
    select
        group_totals.month,
        segment_groups.segment_type,
        segment_groups.segment_value,
        sum(group_totals.starting_customers) as starting_customers,
        sum(group_totals.lost_customers) as lost_customers,
        sum(group_totals.active_customers) as active_customers,
        sum(group_totals.revenue) as revenue,
        sum(group_totals.cost_amount) as cost_amount,
        sum(group_totals.uncosted_order_count) as uncosted_order_count
    from group_totals
    inner join segment_groups on group_totals.segment_group = segment_groups.segment_group
    group by group_totals.month, segment_groups.segment_type, segment_groups.segment_value
),

bases as (
    select
        month,
        segment_type,
        segment_value,
        'subscription' as basis,
        opening_customers as starting_customers,
        churned_customers as lost_customers,
        closing_customers as active_customers,
        closing_mrr as revenue,
        -- What a subscription costs us, no source tells.
        cast(null as {{ type_money() }}) as gross_margin,
        true as is_window_observed,
        is_complete
    from subscriptions

    union all

    select
        months.month,
        segment_values.segment_type,
        segment_values.segment_value,
        'orders' as basis,
        coalesce(order_totals.starting_customers, 0) as starting_customers,
        coalesce(order_totals.lost_customers, 0) as lost_customers,
        coalesce(order_totals.active_customers, 0) as active_customers,
        coalesce(order_totals.revenue, 0) as revenue,
        case
            when order_totals.uncosted_order_count = 0 then order_totals.revenue - order_totals.cost_amount
        end as gross_margin,
        {{ add_days('settings.first_event_on', 'settings.active_window_days') }} <= months.month as is_window_observed,
        months.is_complete
    from months
    cross join segment_values
    cross join settings
    left join order_totals
        on
            months.month = order_totals.month
            and segment_values.segment_type = order_totals.segment_type
            and segment_values.segment_value = order_totals.segment_value
),

rated as (
    select
        *,
        case when is_complete then {{ ratio('revenue', 'active_customers') }} end as arpa,
        case when is_complete then {{ ratio('gross_margin', 'revenue') }} end as margin_rate,
        case when is_complete then {{ ratio('lost_customers', 'starting_customers') }} end as churn_rate,
        case
            when not is_complete then 'incomplete month'
            when not is_window_observed then 'active window not yet observed'
            when starting_customers = 0 or active_customers = 0 then 'no customers'
            when revenue <= 0 then 'no revenue'
            when lost_customers = 0 then 'no churn'
        end as lifetime_value_reason
    from bases
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(basis as {{ dbt.type_string() }}) as basis,
        cast(starting_customers as {{ dbt.type_bigint() }}) as starting_customers,
        cast(lost_customers as {{ dbt.type_bigint() }}) as lost_customers,
        cast(active_customers as {{ dbt.type_bigint() }}) as active_customers,
        cast(revenue as {{ type_money() }}) as revenue,
        cast(gross_margin as {{ type_money() }}) as gross_margin,
        arpa,
        margin_rate,
        churn_rate,
        case
            when lifetime_value_reason is null then {{ ratio('arpa * coalesce(margin_rate, 1)', 'churn_rate') }}
        end as lifetime_value,
        cast(
            case
                when lifetime_value_reason is not null then null
                when margin_rate is null then 'revenue'
                else 'gross margin'
            end as {{ dbt.type_string() }}
        ) as lifetime_value_of,
        cast(lifetime_value_reason as {{ dbt.type_string() }}) as lifetime_value_reason,
        cast(is_window_observed as boolean) as is_window_observed,
        cast(is_complete as boolean) as is_complete
    from rated
)

select * from final
