-- Grain: one row per subscriber of today who has a plan above theirs, in their billing interval: what is the next plan,
-- what do those who have it pay, and how often have subscribers like them gone up within three months? Like them is who
-- had their plan, and used it as much if that told who goes up on quarters not seen before (fct_upsell_backtest); then
-- they have a rank, by rate x what the step would bring a month. Else the rate is the plan's, and all of a plan are
-- alike: no rank. Raw data know of no seats or limits.

with standings as (
    select * from {{ ref('int_upsell_standings') }}
),

months as (
    select max(month) as last_month
    from {{ ref('int_months') }}
),

current_months as (
    select subscription_months.*
    from {{ ref('int_subscription_months') }} as subscription_months
    inner join months on subscription_months.month = months.last_month
    where subscription_months.closing_mrr > 0
),

plan_levels as (
    select * from {{ ref('int_plan_levels') }}
),

backtest as (
    select * from {{ ref('fct_upsell_backtest') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

observed as (
    select
        plan,
        use_group,
        count(*) as quarters,
        count(case when has_gone_up then 1 end) as upgrades
    from standings
    where is_observed and extract(month from month) in (1, 4, 7, 10)
    group by plan, use_group
),

observed_plans as (
    select
        plan,
        sum(quarters) as quarters,
        sum(upgrades) as upgrades
    from observed
    group by plan
),

-- The next plan up that anybody has, in the same interval.
steps as (
    select
        lower_plans.plan,
        lower_plans.billing_interval,
        higher_plans.plan as next_plan,
        higher_plans.running_customers as next_plan_customers,
        higher_plans.running_mrr as next_plan_mrr,
        row_number() over (
            partition by lower_plans.plan, lower_plans.billing_interval
            order by higher_plans.plan_level asc, higher_plans.running_customers desc, higher_plans.plan asc
        ) as step_number
    from plan_levels as lower_plans
    inner join plan_levels as higher_plans
        on
            lower_plans.billing_interval = higher_plans.billing_interval
            and lower_plans.plan_level < higher_plans.plan_level
    where higher_plans.running_customers > 0
),

candidates as (
    select
        current_months.customer_id,
        standings.plan,
        standings.billing_interval,
        standings.use_days,
        standings.use_group,
        current_months.closing_mrr,
        steps.next_plan,
        steps.next_plan_customers,
        steps.next_plan_mrr,
        backtest.is_published,
        settings.comparison_minimum_customers,
        case when backtest.is_published then observed.quarters else observed_plans.quarters end as similar_quarters,
        case when backtest.is_published then observed.upgrades else observed_plans.upgrades end as similar_upgrades
    from current_months
    inner join standings
        on current_months.customer_id = standings.customer_id and current_months.month = standings.month
    inner join steps
        on
            standings.plan = steps.plan
            and standings.billing_interval = steps.billing_interval
            and steps.step_number = 1
    cross join backtest
    cross join settings
    left join observed on standings.plan = observed.plan and standings.use_group = observed.use_group
    left join observed_plans on standings.plan = observed_plans.plan
),

rated as (
    select
        *,
        case
            when similar_quarters >= comparison_minimum_customers
                then {{ ratio('similar_upgrades', 'similar_quarters') }}
        end as upgrade_rate_3_months,
        next_plan_mrr - closing_mrr as step_mrr
    from candidates
),

ranked as (
    select
        *,
        case
            when is_published and upgrade_rate_3_months is not null
                then
                    row_number() over (
                        partition by is_published, upgrade_rate_3_months is null
                        order by upgrade_rate_3_months * step_mrr desc, step_mrr desc, customer_id asc
                    )
        end as upsell_rank
    from rated
),

final as (
    select
        cast(upsell_rank as {{ dbt.type_bigint() }}) as upsell_rank,
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(plan as {{ dbt.type_string() }}) as plan,
        cast(billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(closing_mrr as {{ type_money() }}) as mrr,
        cast(next_plan as {{ dbt.type_string() }}) as next_plan,
        cast(next_plan_customers as {{ dbt.type_bigint() }}) as next_plan_customers,
        cast(next_plan_mrr as {{ type_money() }}) as next_plan_mrr,
        cast(step_mrr as {{ type_money() }}) as step_mrr,
        cast(use_days as {{ dbt.type_bigint() }}) as use_days,
        cast(use_group as {{ dbt.type_string() }}) as use_group,
        cast(case when is_published then 'plan and use' else 'plan' end as {{ dbt.type_string() }}) as similar_by,
        cast(coalesce(similar_quarters, 0) as {{ dbt.type_bigint() }}) as similar_quarters,
        cast(coalesce(similar_upgrades, 0) as {{ dbt.type_bigint() }}) as similar_upgrades,
        cast(upgrade_rate_3_months as {{ type_ratio() }}) as upgrade_rate_3_months
    from ranked
)

select * from final
