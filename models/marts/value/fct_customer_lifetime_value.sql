-- Grain: one row per customer: what he has brought so far, and what he is expected to bring. Without a fitted
-- model nothing is predicted: those columns are null, `model` is none, and `model_reason` says why. For what
-- cohorts brought by age see fct_cohort_retention.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

month_ends as (
    select * from {{ ref('int_customer_month_ends') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

order_totals as (
    select
        customer_id,
        sum(order_count) as order_count,
        sum(order_day_count) as order_day_count,
        sum(uncosted_order_count) as uncosted_order_count,
        sum(gross_revenue) as gross_revenue,
        sum(discount_amount) as discount_amount,
        sum(refunded_amount) as refunded_amount,
        sum(net_revenue) as net_revenue,
        sum(counted_revenue) as counted_revenue,
        sum(cost_amount) as cost_amount
    from customer_months
    group by customer_id
),

paid_months as (
    select
        customer_id,
        max(cumulative_paid_months) as paid_month_count
    from month_ends
    group by customer_id
),

-- Price x months: each period's monthly price times the months it ran, whole and begun, to its end or to
-- as_of_date.
subscription_totals as (
    select
        periods.customer_id,
        sum(
            periods.mrr * {{ months_run(
                'periods.started_on',
                'coalesce(periods.ended_on, ' ~ add_days('settings.as_of_date', 1) ~ ')'
            ) }}
        ) as subscription_value
    from periods
    cross join settings
    group by periods.customer_id
),

combined as (
    select
        customers.customer_id,
        customers.cohort_month,
        customers.first_purchase_on,
        customers.first_order_on,
        customers.last_order_on,
        settings.as_of_date,
        coalesce(order_totals.order_count, 0) as order_count,
        coalesce(order_totals.order_day_count, 0) as order_day_count,
        coalesce(paid_months.paid_month_count, 0) as paid_month_count,
        coalesce(order_totals.gross_revenue, 0) as gross_revenue,
        coalesce(order_totals.discount_amount, 0) as discount_amount,
        coalesce(order_totals.refunded_amount, 0) as refunded_amount,
        coalesce(order_totals.net_revenue, 0) as net_revenue,
        coalesce(subscription_totals.subscription_value, 0) as subscription_value,
        order_totals.counted_revenue,
        case
            when order_totals.uncosted_order_count = 0 then order_totals.net_revenue - order_totals.cost_amount
        end as gross_margin
    from customers
    cross join settings
    left join order_totals on customers.customer_id = order_totals.customer_id
    left join paid_months on customers.customer_id = paid_months.customer_id
    left join subscription_totals on customers.customer_id = subscription_totals.customer_id
),

final as (
    select
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(cohort_month as date) as cohort_month,
        cast(first_order_on as date) as first_order_on,
        cast(last_order_on as date) as last_order_on,
        {{ days_between('first_purchase_on', 'as_of_date') }} as tenure_days,
        cast(order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(order_day_count as {{ dbt.type_bigint() }}) as order_day_count,
        cast(paid_month_count as {{ dbt.type_bigint() }}) as paid_month_count,
        cast(gross_revenue as {{ type_money() }}) as gross_revenue,
        cast(discount_amount as {{ type_money() }}) as discount_amount,
        cast(refunded_amount as {{ type_money() }}) as refunded_amount,
        cast(net_revenue as {{ type_money() }}) as net_revenue,
        cast(gross_margin as {{ type_money() }}) as gross_margin,
        cast({{ ratio('counted_revenue', 'order_count') }} as {{ type_money() }}) as average_order_value,
        cast(subscription_value as {{ type_money() }}) as subscription_value,
        cast(net_revenue + subscription_value as {{ type_money() }}) as historic_value,
        cast(null as {{ type_ratio() }}) as probability_alive,
        cast(null as {{ type_ratio() }}) as expected_orders_90_days,
        cast(null as {{ type_ratio() }}) as expected_orders_365_days,
        cast(null as {{ type_money() }}) as expected_order_value,
        cast(null as {{ type_money() }}) as predicted_value_365_days,
        -- Historic plus predicted; without a prediction nobody knows it.
        cast(null as {{ type_money() }}) as lifetime_value,
        cast('none' as {{ dbt.type_string() }}) as model,
        cast('no model has been fitted' as {{ dbt.type_string() }}) as model_reason
    from combined
)

select * from final
