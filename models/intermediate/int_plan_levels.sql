-- Grain: one row per plan and billing interval that anybody has paid for: how high the plan stands, by the median MRR
-- of all its paid periods, in whatever interval; and what those pay who have it now. Periods without a plan stand
-- nowhere.

with periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid and plan is not null and mrr > 0
),

plans as (
    select
        plan,
        {{ percentile('mrr', 0.5) }} as plan_mrr
    from periods
    group by plan
),

levels as (
    select
        plan,
        dense_rank() over (order by plan_mrr) as plan_level
    from plans
),

offered as (
    select
        plan,
        billing_interval,
        count(distinct case when ended_on is null then customer_id end) as running_customers,
        {{ percentile('case when ended_on is null then mrr end', 0.5) }} as running_mrr
    from periods
    group by plan, billing_interval
),

final as (
    select
        offered.plan,
        offered.billing_interval,
        cast(levels.plan_level as {{ dbt.type_bigint() }}) as plan_level,
        cast(offered.running_customers as {{ dbt.type_bigint() }}) as running_customers,
        cast(offered.running_mrr as {{ type_order_money() }}) as running_mrr
    from offered
    inner join levels on offered.plan = levels.plan
)

select * from final
