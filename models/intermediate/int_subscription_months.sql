-- Grain: one row per customer and month from the month of the first paid subscription period to as_of_date,
-- months without one included: the monthly recurring revenue at both ends of the month, what was billed in it,
-- and the plan held at its start. The month's end is its last day, or as_of_date while it is not over; what
-- starts and ends between two month ends is in neither. For what changed see fct_subscription_movements.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where first_subscription_on is not null
),

months as (
    select * from {{ ref('int_months') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

bills as (
    select * from {{ ref('int_subscription_bills') }}
),

spine as (
    select
        customers.customer_id,
        customers.first_plan,
        customers.first_billing_interval,
        months.month,
        months.observed_until,
        months.is_complete
    from customers
    inner join months on {{ month_start('customers.first_subscription_on') }} <= months.month
),

closing as (
    select
        spine.customer_id,
        spine.month,
        sum(periods.mrr) as closing_mrr
    from spine
    inner join periods
        on
            spine.customer_id = periods.customer_id
            and periods.started_on <= spine.observed_until
            and {{ open_end('periods.ended_on') }} > spine.observed_until
    group by spine.customer_id, spine.month
),

-- An interval is billed whole, in the calendar month in which it begins: the months of a customer sum to their
-- subscription value.
billed as (
    select
        customer_id,
        {{ month_start('billed_on') }} as month,
        sum(billed_amount) as subscription_revenue
    from bills
    group by customer_id, {{ month_start('billed_on') }}
),

-- What was known when the month began: the largest of the periods that ran on its eve, else the one that ended
-- last.
earlier_periods as (
    select
        spine.customer_id,
        spine.month,
        periods.plan,
        periods.billing_interval,
        periods.subscription_id,
        periods.started_on,
        periods.mrr,
        periods.ended_on is null or periods.ended_on >= spine.month as is_held,
        case when periods.ended_on < spine.month then periods.ended_on end as left_on
    from spine
    inner join periods
        on spine.customer_id = periods.customer_id and periods.started_on < spine.month
),

held_plans as (
    select
        customer_id,
        month,
        plan,
        billing_interval
    from (
        select
            *,
            row_number() over (
                partition by customer_id, month
                order by
                    case when is_held then 1 else 0 end desc,
                    left_on desc,
                    mrr desc,
                    started_on asc,
                    subscription_id asc
            ) as plan_number
        from earlier_periods
    ) as numbered
    where plan_number = 1
),

combined as (
    select
        spine.customer_id,
        spine.month,
        spine.observed_until,
        spine.is_complete,
        coalesce(closing.closing_mrr, 0) as closing_mrr,
        coalesce(billed.subscription_revenue, 0) as subscription_revenue,
        -- A newcomer holds none yet: they stand with their first.
        case
            when held_plans.customer_id is null then spine.first_plan else held_plans.plan
        end as plan,
        case
            when held_plans.customer_id is null then spine.first_billing_interval else held_plans.billing_interval
        end as billing_interval
    from spine
    left join closing on spine.customer_id = closing.customer_id and spine.month = closing.month
    left join billed on spine.customer_id = billed.customer_id and spine.month = billed.month
    left join held_plans on spine.customer_id = held_plans.customer_id and spine.month = held_plans.month
),

final as (
    select
        customer_id,
        month,
        observed_until,
        plan,
        billing_interval,
        cast(
            lag(closing_mrr, 1, 0) over (partition by customer_id order by month) as {{ type_money() }}
        ) as opening_mrr,
        cast(closing_mrr as {{ type_money() }}) as closing_mrr,
        cast(subscription_revenue as {{ type_money() }}) as subscription_revenue,
        is_complete
    from combined
)

select * from final
