-- Grain: one row per customer: what they have brought so far, and what they are expected to bring in the next
-- 365 days: orders by BG/NBD and Gamma-Gamma, the subscription by the shifted beta-geometric. Only what passed
-- the gate of fct_clv_models is here; else the columns are null, `model` is none, and `model_reason` says why.
-- For what cohorts brought by age see fct_cohort_retention.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

bills as (
    select * from {{ ref('int_subscription_bills') }}
),

standing as (
    select * from {{ ref('int_customer_current_standing') }}
),

order_predictions as (
    select *
    from {{ ref('int_clv_order_predictions') }}
    where window_name = 'full'
),

subscription_predictions as (
    select *
    from {{ ref('int_clv_subscription_predictions') }}
    where window_name = 'full'
),

models as (
    select
        model,
        segment_type,
        segment_value,
        billing_interval,
        coalesce(is_published, false) as is_published,
        withheld_reason,
        coalesce(is_value_published, false) as is_value_published,
        value_withheld_reason,
        coalesce(is_alive_published, false) as is_alive_published
    from {{ ref('fct_clv_models') }}
    where window_name = 'full'
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
        cumulative_paid_months as paid_month_count
    from standing
),

subscription_totals as (
    select
        customer_id,
        sum(billed_amount) as subscription_value
    from bills
    group by customer_id
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
        -- What a subscription costs us, no source tells.
        case
            when order_totals.uncosted_order_count = 0 and subscription_totals.customer_id is null
                then order_totals.net_revenue - order_totals.cost_amount
        end as gross_margin
    from customers
    cross join settings
    left join order_totals on customers.customer_id = order_totals.customer_id
    left join paid_months on customers.customer_id = paid_months.customer_id
    left join subscription_totals on customers.customer_id = subscription_totals.customer_id
),

-- Each contract goes by the fit of its own interval. What is not known of one is not known of all; they pay as long as
-- the contract that is expected to last longest.
subscription_parts as (
    select
        subscription_predictions.customer_id,
        max(case when subscription_predictions.is_running then 1 else 0 end) = 1 as is_running,
        min(subscription_predictions.segment_value) as segment_value,
        min(case when models.is_published then 1 else 0 end) = 1 as is_published,
        min(case when models.is_value_published then 1 else 0 end) = 1 as is_value_published,
        max(subscription_predictions.expected_paid_months_90_days) as expected_paid_months_90_days,
        max(subscription_predictions.expected_paid_months_365_days) as expected_paid_months_365_days,
        sum(subscription_predictions.predicted_value_365_days) as predicted_value_365_days,
        min(
            case
                when not models.is_published then concat('subscription: ', models.withheld_reason)
                when not models.is_value_published
                    then concat('subscription value: ', models.value_withheld_reason)
            end
        ) as withheld_reason
    from subscription_predictions
    left join models
        on
            models.model = 'sbg'
            and subscription_predictions.segment_type = models.segment_type
            and subscription_predictions.segment_value = models.segment_value
            and subscription_predictions.billing_interval = models.billing_interval
    group by subscription_predictions.customer_id
),

-- Each part with the verdict on the model that it comes from. A customer needs the part of orders if they ever
-- ordered, and that of subscriptions if one runs, or if it is all they ever had.
parts as (
    select
        combined.*,
        order_predictions.customer_id is not null as needs_orders,
        subscription_parts.customer_id is not null
        and (subscription_parts.is_running or order_predictions.customer_id is null) as needs_subscription,
        subscription_parts.is_running,
        order_predictions.frequency,
        order_predictions.segment_value as order_segment_value,
        subscription_parts.segment_value as subscription_segment_value,
        coalesce(order_models.is_published, false) as has_orders_published,
        coalesce(value_models.is_published, false) and order_predictions.expected_order_value is not null
            as has_values_published,
        coalesce(subscription_parts.is_published, false) as has_subscription_published,
        case when order_models.is_alive_published then order_predictions.probability_alive end as probability_alive,
        case when order_models.is_published then order_predictions.expected_orders_90_days end
            as expected_orders_90_days,
        case when order_models.is_published then order_predictions.expected_orders_365_days end
            as expected_orders_365_days,
        case when value_models.is_published then order_predictions.expected_order_value end as expected_order_value,
        case
            when order_models.is_published and value_models.is_published
                then order_predictions.predicted_value_365_days
        end as order_value_365_days,
        case when subscription_parts.is_published then subscription_parts.expected_paid_months_90_days end
            as expected_paid_months_90_days,
        case when subscription_parts.is_published then subscription_parts.expected_paid_months_365_days end
            as expected_paid_months_365_days,
        case when subscription_parts.is_value_published then subscription_parts.predicted_value_365_days end
            as subscription_value_365_days,
        concat('orders: ', order_models.withheld_reason) as order_reason,
        concat(
            'order value: ', coalesce(value_models.withheld_reason, 'the mean of all is not finite by this fit')
        ) as value_reason,
        subscription_parts.withheld_reason as subscription_reason
    from combined
    left join order_predictions on combined.customer_id = order_predictions.customer_id
    left join subscription_parts on combined.customer_id = subscription_parts.customer_id
    left join models as order_models
        on
            order_models.model = 'bg_nbd'
            and order_predictions.segment_type = order_models.segment_type
            and order_predictions.segment_value = order_models.segment_value
    left join models as value_models
        on
            value_models.model = 'gamma_gamma'
            and order_predictions.segment_type = value_models.segment_type
            and order_predictions.segment_value = value_models.segment_value
),

predicted as (
    select
        customer_id,
        cohort_month,
        first_purchase_on,
        first_order_on,
        last_order_on,
        as_of_date,
        order_count,
        order_day_count,
        paid_month_count,
        gross_revenue,
        discount_amount,
        refunded_amount,
        net_revenue,
        subscription_value,
        counted_revenue,
        gross_margin,
        case
            when needs_subscription and is_running then case when has_subscription_published then 1 end
            when needs_subscription then case when has_subscription_published then 0 end
            -- BG/NBD lets nobody leave before their second purchase: of one-time buyers it would say 1 for ever.
            when frequency > 0 then probability_alive
        end as probability_alive,
        expected_orders_90_days,
        expected_orders_365_days,
        expected_order_value,
        case when needs_subscription then expected_paid_months_90_days end as expected_paid_months_90_days,
        case when needs_subscription then expected_paid_months_365_days end as expected_paid_months_365_days,
        case
            when needs_orders then order_value_365_days
            when needs_subscription then 0
        end as predicted_order_value_365_days,
        case
            when needs_subscription then subscription_value_365_days
            when needs_orders then 0
        end as predicted_subscription_value_365_days,
        case
            when needs_orders and has_orders_published and needs_subscription and has_subscription_published
                then 'bg_nbd+sbg'
            when needs_orders and has_orders_published then 'bg_nbd'
            when needs_subscription and has_subscription_published then 'sbg'
            else 'none'
        end as model,
        case when needs_orders and has_orders_published then order_segment_value end as order_fit_segment,
        case
            when needs_subscription and has_subscription_published then subscription_segment_value
        end as subscription_fit_segment,
        case
            when needs_orders and not has_orders_published then order_reason
            when needs_orders and not has_values_published then value_reason
        end as order_reason,
        case when needs_subscription then subscription_reason end as subscription_reason
    from parts
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
        cast(
            {{ ratio('counted_revenue', 'order_count') }} as {{ type_money() }}
        ) as average_order_value,
        cast(subscription_value as {{ type_money() }}) as subscription_value,
        cast(net_revenue + subscription_value as {{ type_money() }}) as historic_value,
        cast(probability_alive as {{ type_ratio() }}) as probability_alive,
        cast(expected_orders_90_days as {{ type_ratio() }}) as expected_orders_90_days,
        cast(expected_orders_365_days as {{ type_ratio() }}) as expected_orders_365_days,
        cast(expected_order_value as {{ type_money() }}) as expected_order_value,
        cast(expected_paid_months_90_days as {{ type_ratio() }}) as expected_paid_months_90_days,
        cast(expected_paid_months_365_days as {{ type_ratio() }}) as expected_paid_months_365_days,
        cast(predicted_order_value_365_days as {{ type_money() }}) as predicted_order_value_365_days,
        cast(
            predicted_subscription_value_365_days as {{ type_money() }}
        ) as predicted_subscription_value_365_days,
        -- What is not known of one part is not known of the whole.
        cast(
            cast(predicted_order_value_365_days as {{ type_money() }})
            + cast(predicted_subscription_value_365_days as {{ type_money() }}) as {{ type_money() }}
        ) as predicted_value_365_days,
        -- Historic plus predicted; without a prediction nobody knows it.
        cast(
            net_revenue + subscription_value
            + cast(predicted_order_value_365_days as {{ type_money() }})
            + cast(predicted_subscription_value_365_days as {{ type_money() }}) as {{ type_money() }}
        ) as lifetime_value,
        cast(model as {{ dbt.type_string() }}) as model,
        cast(order_fit_segment as {{ dbt.type_string() }}) as order_fit_segment,
        cast(subscription_fit_segment as {{ dbt.type_string() }}) as subscription_fit_segment,
        cast(
            case
                when order_reason is not null and subscription_reason is not null
                    then concat(order_reason, '; ', subscription_reason)
                else coalesce(order_reason, subscription_reason)
            end as {{ dbt.type_string() }}
        ) as model_reason
    from predicted
)

select * from final
