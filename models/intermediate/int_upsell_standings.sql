-- Grain: one row per subscriber and month at whose start they paid for a plan, of the first months of quarters and the
-- last month there is: how much they had used the product in the month before, against others of their plan, and
-- whether they had a higher plan three months later. Quarters do not overlap, so nobody counts twice for one step up.

with subscription_months as (
    select *
    from {{ ref('int_subscription_months') }}
    where opening_mrr > 0
),

customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where uses > 0
),

plan_levels as (
    select distinct
        plan,
        plan_level
    from {{ ref('int_plan_levels') }}
),

recorded_sources as (
    select * from {{ ref('int_recorded_sources') }}
),

months as (
    select max(month) as last_month
    from {{ ref('int_months') }}
),

use_months as (
    select
        customer_id,
        {{ add_months(month_start('activity_on'), 1) }} as month,
        count(*) as use_days
    from customer_days
    group by customer_id, {{ add_months(month_start('activity_on'), 1) }}
),

standings as (
    select
        subscription_months.customer_id,
        subscription_months.month,
        subscription_months.plan,
        subscription_months.billing_interval,
        plan_levels.plan_level,
        coalesce(use_months.use_days, 0) as use_days,
        coalesce({{ month_start('recorded_sources.usage_from') }} < subscription_months.month, false)
            as is_use_recorded,
        {{ add_months('subscription_months.month', 3) }} as later_month,
        {{ add_months('subscription_months.month', 3) }} <= months.last_month as is_observed
    from subscription_months
    inner join plan_levels on subscription_months.plan = plan_levels.plan
    cross join months
    cross join recorded_sources
    left join use_months
        on
            subscription_months.customer_id = use_months.customer_id
            and subscription_months.month = use_months.month
    where
        extract(month from subscription_months.month) in (1, 4, 7, 10)
        or subscription_months.month = months.last_month
),

usual_use as (
    select
        month,
        plan,
        {{ percentile('use_days', 0.5) }} as median_use_days
    from standings
    where use_days > 0
    group by month, plan
),

later_levels as (
    select
        subscription_months.customer_id,
        subscription_months.month,
        plan_levels.plan_level
    from subscription_months
    inner join plan_levels on subscription_months.plan = plan_levels.plan
),

final as (
    select
        standings.customer_id,
        standings.month,
        standings.plan,
        standings.billing_interval,
        cast(standings.plan_level as {{ dbt.type_bigint() }}) as plan_level,
        cast(standings.use_days as {{ dbt.type_bigint() }}) as use_days,
        case
            when not standings.is_use_recorded then 'unknown'
            when standings.use_days = 0 then 'none'
            when standings.use_days > usual_use.median_use_days then 'high'
            else 'low'
        end as use_group,
        standings.later_month,
        standings.is_observed,
        -- Who has left by then did not go up.
        case
            when standings.is_observed then coalesce(later_levels.plan_level > standings.plan_level, false)
        end as has_gone_up
    from standings
    left join usual_use on standings.month = usual_use.month and standings.plan = usual_use.plan
    left join later_levels
        on standings.customer_id = later_levels.customer_id and standings.later_month = later_levels.month
)

select * from final
