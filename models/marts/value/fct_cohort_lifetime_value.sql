-- Grain: one row per cohort month, months since the first purchase, and segment, from age 0 to the age at
-- as_of_date: what those who came together have brought by each age, by orders and subscriptions, and whether that
-- has paid for winning them. An age that is not over has counts and amounts so far, and no rates. For how many of
-- them still buy see fct_cohort_retention.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

month_ends as (
    select *
    from {{ ref('int_customer_month_ends') }}
    where net_revenue <> 0
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

subscription_months as (
    select * from {{ ref('int_subscription_months') }}
),

spend as (
    select * from {{ ref('int_marketing_spend_months') }}
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

bookings as (
    select
        cohort_month,
        month,
        segment_group,
        net_revenue,
        0 as subscription_revenue,
        0 as cost_amount,
        0 as unknown_costs
    from month_ends

    union all

    -- What was booked before the first counted purchase stands at age 0, as its revenue does.
    select
        customers.cohort_month,
        greatest(customer_months.month, customers.cohort_month) as month,
        customers.segment_group,
        0 as net_revenue,
        0 as subscription_revenue,
        customer_months.cost_amount,
        customer_months.uncosted_order_count as unknown_costs
    from customer_months
    inner join customers on customer_months.customer_id = customers.customer_id
    where customer_months.cost_amount <> 0 or customer_months.uncosted_order_count > 0

    union all

    select
        customers.cohort_month,
        subscription_months.month,
        customers.segment_group,
        0 as net_revenue,
        subscription_months.subscription_revenue,
        0 as cost_amount,
        -- What a subscription costs us, no source tells.
        1 as unknown_costs
    from subscription_months
    inner join customers on subscription_months.customer_id = customers.customer_id
    where subscription_months.subscription_revenue <> 0
),

group_totals as (
    select
        cohort_month,
        month,
        segment_group,
        sum(net_revenue) as net_revenue,
        sum(subscription_revenue) as subscription_revenue,
        sum(cost_amount) as cost_amount,
        sum(unknown_costs) as unknown_costs
    from bookings
    group by cohort_month, month, segment_group
),

totals as (
    {{ sum_by_segment(
        'group_totals',
        ['cohort_month', 'month'],
        ['net_revenue', 'subscription_revenue', 'cost_amount', 'unknown_costs']
    ) }}
),

spend_bounds as (
    select
        min(month) as first_month,
        max(month) as last_month
    from spend
),

-- Between the first and the last month of which any spend was reported, a channel on which money is ever spent has
-- spent nothing where it has no row. Outside, and of other channels and segments, nobody can say.
spend_months as (
    select months.month
    from months
    inner join spend_bounds on months.month >= spend_bounds.first_month and months.month <= spend_bounds.last_month
),

channels as (
    select distinct channel from spend
),

cohort_spend as (
    select
        spend_months.month as cohort_month,
        'acquisition_channel' as segment_type,
        channels.channel as segment_value,
        coalesce(spend.marketing_spend, 0) as marketing_spend
    from spend_months
    cross join channels
    left join spend on spend_months.month = spend.month and channels.channel = spend.channel

    union all

    select
        spend_months.month as cohort_month,
        'all' as segment_type,
        'all' as segment_value,
        coalesce(sum(spend.marketing_spend), 0) as marketing_spend
    from spend_months
    left join spend on spend_months.month = spend.month
    group by spend_months.month
),

combined as (
    select
        spine.cohort_month,
        spine.is_cohort_complete,
        spine.months_since_first,
        spine.segment_type,
        spine.segment_value,
        spine.is_complete,
        coalesce(cohort_sizes.cohort_size, 0) as cohort_size,
        coalesce(totals.net_revenue, 0) as net_revenue,
        coalesce(totals.subscription_revenue, 0) as subscription_revenue,
        coalesce(totals.cost_amount, 0) as cost_amount,
        coalesce(totals.unknown_costs, 0) as unknown_costs,
        cohort_spend.marketing_spend
    from spine
    left join cohort_sizes
        on
            spine.cohort_month = cohort_sizes.cohort_month
            and spine.segment_type = cohort_sizes.segment_type
            and spine.segment_value = cohort_sizes.segment_value
    left join totals
        on
            spine.cohort_month = totals.cohort_month
            and spine.month = totals.month
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
    left join cohort_spend
        on
            spine.cohort_month = cohort_spend.cohort_month
            and spine.segment_type = cohort_spend.segment_type
            and spine.segment_value = cohort_spend.segment_value
),

cumulated as (
    select
        *,
        sum(net_revenue + subscription_revenue) over until_here as cumulative_value,
        sum(cost_amount) over until_here as cumulative_cost,
        sum(unknown_costs) over until_here as cumulative_unknown_costs
    from combined
    window until_here as (
        partition by cohort_month, segment_type, segment_value
        order by months_since_first
        rows between unbounded preceding and current row
    )
),

-- Unknown of one customer is unknown of all of them, and from then on.
margins as (
    select
        *,
        case when unknown_costs = 0 then net_revenue + subscription_revenue - cost_amount end as gross_margin,
        case when cumulative_unknown_costs = 0 then cumulative_value - cumulative_cost end as cumulative_margin
    from cumulated
),

-- Per customer or in total is the same question; in total it is exact.
paid_back as (
    select
        *,
        case
            when is_complete and cohort_size > 0 and marketing_spend is not null
                then cumulative_value >= marketing_spend
        end as is_paid_back,
        case
            when is_complete and cohort_size > 0 and marketing_spend is not null
                then cumulative_margin >= marketing_spend
        end as is_paid_back_by_margin
    from margins
),

final as (
    select
        cast(cohort_month as date) as cohort_month,
        cast(months_since_first as {{ dbt.type_bigint() }}) as months_since_first,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(cohort_size as {{ dbt.type_bigint() }}) as cohort_size,
        cast(net_revenue as {{ type_money() }}) as net_revenue,
        cast(subscription_revenue as {{ type_money() }}) as subscription_revenue,
        cast(cumulative_value as {{ type_money() }}) as cumulative_value,
        cast(gross_margin as {{ type_money() }}) as gross_margin,
        cast(cumulative_margin as {{ type_money() }}) as cumulative_margin,
        cast(marketing_spend as {{ type_money() }}) as marketing_spend,
        case
            when is_complete then {{ ratio('cumulative_value', 'cohort_size') }}
        end as cumulative_value_per_customer,
        case
            when is_complete then {{ ratio('cumulative_margin', 'cohort_size') }}
        end as cumulative_margin_per_customer,
        case when is_cohort_complete then {{ ratio('marketing_spend', 'cohort_size') }} end as acquisition_cost,
        case
            when is_complete and cohort_size > 0 then {{ ratio('cumulative_value', 'marketing_spend') }}
        end as clv_to_cac,
        cast(is_paid_back as boolean) as is_paid_back,
        cast(
            min(case when is_paid_back then months_since_first end) over (
                partition by cohort_month, segment_type, segment_value
            ) as {{ dbt.type_bigint() }}
        ) as payback_month,
        cast(is_paid_back_by_margin as boolean) as is_paid_back_by_margin,
        cast(
            min(case when is_paid_back_by_margin then months_since_first end) over (
                partition by cohort_month, segment_type, segment_value
            ) as {{ dbt.type_bigint() }}
        ) as margin_payback_month,
        cast(is_complete as boolean) as is_complete
    from paid_back
)

select * from final
