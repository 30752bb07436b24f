{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key=['customer_id', 'activity_on'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and day on which they ordered, were refunded, or used the product, up to
-- as_of_date. Several orders of a day are one purchase: count rows with order_count > 0, not orders, where
-- that matters. Guests are not in here. For months see int_customer_months.

with orders as (
    select *
    from {{ ref('int_orders_valued') }}
    where is_booked and not is_guest and {{ only_touched_customers() }}
),

refunds as (
    select *
    from {{ ref('int_refunds_valued') }}
    where is_booked and customer_id is not null and {{ only_touched_customers() }}
),

usage_events as (
    select usage_events.*
    from {{ ref('stg_usage_events') }} as usage_events
    inner join {{ ref('int_settings') }} as settings on usage_events.used_on <= settings.as_of_date
    where {{ only_touched_customers('usage_events.customer_id') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid and {{ only_touched_customers() }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

first_orders as (
    select
        customer_id,
        min(ordered_on) as first_booked_on,
        min(ordered_at) as first_booked_at
    from orders
    group by customer_id
),

first_periods as (
    select
        customer_id,
        min(started_on) as first_paid_on
    from periods
    group by customer_id
),

-- A refund of no known order, made before all that we know the customer to have bought, belongs to a purchase that we
-- never saw. On the day of the first order the time decides, where both have one: midnight is a day without.
judged_refunds as (
    select
        refunds.*,
        refunds.has_known_order
        or coalesce(refunds.refunded_on >= first_periods.first_paid_on, false)
        or coalesce(refunds.refunded_on > first_orders.first_booked_on, false)
        or coalesce(
            refunds.refunded_on = first_orders.first_booked_on
            and not coalesce(
                refunds.refunded_at < first_orders.first_booked_at
                and refunds.refunded_at <> {{ midnight('refunds.refunded_on', 'settings.business_timezone') }},
                false
            ),
            false
        ) as is_of_known_purchase
    from refunds
    cross join settings
    left join first_orders on refunds.customer_id = first_orders.customer_id
    left join first_periods on refunds.customer_id = first_periods.customer_id
),

events as (
    select
        customer_id,
        ordered_on as activity_on,
        case when is_counted then 1 else 0 end as order_count,
        case when is_counted and is_discounted then 1 else 0 end as discounted_order_count,
        gross_amount as gross_revenue,
        discount_amount,
        case when is_counted then net_amount else 0 end as counted_revenue,
        coalesce(cost_amount, 0) as cost_amount,
        case when cost_amount is null then 1 else 0 end as uncosted_order_count,
        0 as refunded_amount,
        0 as unattributed_refunded_amount,
        0 as uses,
        0 as minutes
    from orders

    union all

    -- What belongs to a purchase that we never saw is no value they cost us. It is kept apart, and reported.
    select
        customer_id,
        refunded_on as activity_on,
        0 as order_count,
        0 as discounted_order_count,
        0 as gross_revenue,
        0 as discount_amount,
        0 as counted_revenue,
        0 as cost_amount,
        0 as uncosted_order_count,
        case when is_of_known_purchase then refunded_amount else 0 end as refunded_amount,
        case when is_of_known_purchase then 0 else refunded_amount end as unattributed_refunded_amount,
        0 as uses,
        0 as minutes
    from judged_refunds

    union all

    select
        customer_id,
        used_on as activity_on,
        0 as order_count,
        0 as discounted_order_count,
        0 as gross_revenue,
        0 as discount_amount,
        0 as counted_revenue,
        0 as cost_amount,
        0 as uncosted_order_count,
        0 as refunded_amount,
        0 as unattributed_refunded_amount,
        uses,
        coalesce(minutes, 0) as minutes
    from usage_events
),

final as (
    select
        customer_id,
        activity_on,
        cast(sum(order_count) as {{ dbt.type_bigint() }}) as order_count,
        cast(sum(discounted_order_count) as {{ dbt.type_bigint() }}) as discounted_order_count,
        cast(sum(uncosted_order_count) as {{ dbt.type_bigint() }}) as uncosted_order_count,
        cast(sum(gross_revenue) as {{ type_order_money() }}) as gross_revenue,
        cast(sum(discount_amount) as {{ type_order_money() }}) as discount_amount,
        cast(sum(refunded_amount) as {{ type_order_money() }}) as refunded_amount,
        cast(
            sum(gross_revenue) - sum(discount_amount) - sum(refunded_amount) as {{ type_order_money() }}
        ) as net_revenue,
        cast(sum(counted_revenue) as {{ type_order_money() }}) as counted_revenue,
        cast(sum(cost_amount) as {{ type_order_money() }}) as cost_amount,
        cast(sum(unattributed_refunded_amount) as {{ type_order_money() }}) as unattributed_refunded_amount,
        cast(sum(uses) as {{ dbt.type_bigint() }}) as uses,
        cast(sum(minutes) as {{ type_order_money() }}) as minutes
    from events
    group by customer_id, activity_on
)

select * from final
