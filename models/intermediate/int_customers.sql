{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers',
        unique_key='customer_id',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per person known by as_of_date: customers (a counted order or a paid subscription) and
-- prospects (signed up, or seen, without either). Who bought without standing among the customers of the
-- source is made from the orders.

with registered as (
    select *
    from {{ ref('stg_customers') }}
    where {{ only_touched_customers() }}
),

orders as (
    select *
    from {{ ref('int_orders_valued') }}
    where not is_guest and {{ only_touched_customers() }}
),

customer_days as (
    select *
    from {{ ref('int_customer_days') }}
    where {{ only_touched_customers() }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where {{ only_touched_customers() }}
),

event_dates as (
    select * from {{ ref('int_customer_event_dates') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

purchase_bounds as (
    select
        customer_id,
        min(activity_on) as first_order_on,
        max(activity_on) as last_order_on
    from customer_days
    where order_count > 0
    group by customer_id
),

-- The second day of purchase, not the second order: several orders of a day are one purchase.
second_purchases as (
    select
        customer_days.customer_id,
        min(customer_days.activity_on) as second_order_on
    from customer_days
    inner join purchase_bounds
        on
            customer_days.customer_id = purchase_bounds.customer_id
            and customer_days.activity_on > purchase_bounds.first_order_on
    where customer_days.order_count > 0
    group by customer_days.customer_id
),

subscription_milestones as (
    select
        customer_id,
        min(started_on) as first_subscription_on
    from periods
    where is_paid
    group by customer_id
),

first_periods as (
    select
        customer_id,
        plan,
        billing_interval
    from (
        select
            customer_id,
            plan,
            billing_interval,
            row_number() over (partition by customer_id order by started_on, subscription_id) as period_number
        from periods
        where is_paid
    ) as numbered
    where period_number = 1
),

use_days as (
    select
        customer_id,
        activity_on,
        min(activity_on) over (partition by customer_id) as first_used_on
    from customer_days
    where uses > 0
),

usage_milestones as (
    select
        use_days.customer_id,
        min(use_days.first_used_on) as first_used_on,
        max(
            case
                when {{ days_between('use_days.first_used_on', 'use_days.activity_on') }} < settings.onboarding_days
                    then use_days.activity_on
            end
        ) as last_onboarding_use_on,
        min(
            case
                when {{ days_between('use_days.first_used_on', 'use_days.activity_on') }} >= settings.onboarding_days
                    then use_days.activity_on
            end
        ) as first_later_use_on
    from use_days
    cross join settings
    group by use_days.customer_id
),

-- All who are known, by whatever trace: orders (also cancelled ones), periods, days.
seen as (
    select customer_id from orders
    -- What is booked is a day of its customer.
    where not is_booked
    union
    select customer_id from periods
    union
    select customer_id from customer_days
),

-- Somebody in the customer list without date of sign-up and with events only after as_of_date was not known
-- then.
first_events as (
    select
        customer_id,
        min(event_on) as first_event_on
    from event_dates
    group by customer_id
),

known_registered as (
    select registered.*
    from registered
    cross join settings
    left join seen on registered.customer_id = seen.customer_id
    left join first_events on registered.customer_id = first_events.customer_id
    where
        registered.signed_up_on <= settings.as_of_date
        or seen.customer_id is not null
        or (registered.signed_up_on is null and first_events.first_event_on is null)
),

people as (
    select customer_id from known_registered
    union
    select customer_id from seen
),

joined as (
    select
        people.customer_id,
        settings.segments,
        settings.crossed_segments,
        known_registered.customer_id is not null as is_registered,
        -- A sign-up after as_of_date of somebody who bought before, as a guest would: not known yet.
        case
            when known_registered.signed_up_on <= settings.as_of_date then known_registered.signed_up_on
        end as signed_up_on,
        known_registered.country,
        known_registered.acquisition_channel,
        known_registered.company_segments,
        known_registered.referred_by_customer_id,
        first_periods.plan as first_plan,
        first_periods.billing_interval as first_billing_interval,
        purchase_bounds.first_order_on,
        second_purchases.second_order_on,
        purchase_bounds.last_order_on,
        subscription_milestones.first_subscription_on,
        coalesce(
            least(purchase_bounds.first_order_on, subscription_milestones.first_subscription_on),
            purchase_bounds.first_order_on,
            subscription_milestones.first_subscription_on
        ) as first_purchase_on,
        usage_milestones.first_used_on,
        usage_milestones.last_onboarding_use_on,
        usage_milestones.first_later_use_on
    from people
    cross join settings
    left join known_registered on people.customer_id = known_registered.customer_id
    left join purchase_bounds on people.customer_id = purchase_bounds.customer_id
    left join second_purchases on people.customer_id = second_purchases.customer_id
    left join subscription_milestones on people.customer_id = subscription_milestones.customer_id
    left join first_periods on people.customer_id = first_periods.customer_id
    left join usage_milestones on people.customer_id = usage_milestones.customer_id
),

dated as (
    select
        *,
        {{ month_start('first_purchase_on') }} as cohort_month
    from joined
),

final as (
    select
        customer_id,
        is_registered,
        first_purchase_on is not null as is_customer,
        signed_up_on,
        country,
        acquisition_channel,
        company_segments,
        referred_by_customer_id,
        first_plan,
        first_billing_interval,
        first_order_on,
        second_order_on,
        last_order_on,
        first_subscription_on,
        first_purchase_on,
        cohort_month,
        {{ month_start('signed_up_on') }} as sign_up_month,
        first_used_on,
        last_onboarding_use_on,
        first_later_use_on,
        {{ segment_group('segments', 'crossed_segments', 'company_segments') }} as segment_group
    from dated
)

select * from final
