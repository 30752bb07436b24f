-- Grain: one row per customer and month from the first paid subscription month to as_of_date: how their monthly
-- recurring revenue (MRR) came from one month end to the next. A month has one movement; all amounts are
-- positive:
--   closing_mrr = opening_mrr + new_mrr + reactivation_mrr + expansion_mrr - contraction_mrr - churn_mrr
-- Movements are between month ends: who starts and ends in between has none, and who leaves and is back by the
-- end was kept. For rates see rpt_subscription_retention.

with subscription_months as (
    select * from {{ ref('int_subscription_months') }}
),

with_past as (
    select
        *,
        -- The first row is the month of the first paid period, also when that ended within it.
        row_number() over (partition by customer_id order by month) > 1 as has_paid_before
    from subscription_months
),

-- Nothing before and nothing now come first: to come from nothing is no expansion, to go to nothing no
-- contraction.
classified as (
    select
        *,
        case
            when opening_mrr = 0 and closing_mrr = 0 then 'inactive'
            when opening_mrr = 0 and has_paid_before then 'reactivation'
            when opening_mrr = 0 then 'new'
            when closing_mrr = 0 then 'churn'
            when closing_mrr > opening_mrr then 'expansion'
            when closing_mrr < opening_mrr then 'contraction'
            when closing_mrr = opening_mrr then 'unchanged'
        end as movement
    from with_past
),

final as (
    select
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(month as date) as month,
        cast(plan as {{ dbt.type_string() }}) as plan,
        cast(billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(movement as {{ dbt.type_string() }}) as movement,
        cast(opening_mrr as {{ type_money() }}) as opening_mrr,
        cast(case when movement = 'new' then closing_mrr else 0 end as {{ type_money() }}) as new_mrr,
        cast(
            case when movement = 'reactivation' then closing_mrr else 0 end as {{ type_money() }}
        ) as reactivation_mrr,
        cast(
            case when movement = 'expansion' then closing_mrr - opening_mrr else 0 end as {{ type_money() }}
        ) as expansion_mrr,
        cast(
            case when movement = 'contraction' then opening_mrr - closing_mrr else 0 end as {{ type_money() }}
        ) as contraction_mrr,
        cast(case when movement = 'churn' then opening_mrr else 0 end as {{ type_money() }}) as churn_mrr,
        cast(closing_mrr as {{ type_money() }}) as closing_mrr,
        cast(is_complete as boolean) as is_complete
    from classified
)

select * from final
