{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customer_months',
        unique_key=['customer_id', 'month'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and month from the month of the first purchase to as_of_date, silent months
-- included: what happened in it, and how the customer stood at its end (at as_of_date, in a month that is not
-- over). Made from the compact grains alone, never by a new pass over orders: only months in which something changes
-- are sorted and summed, and each stands for the silent ones that follow it.

with settings as (
    select * from {{ ref('int_settings') }}
),

last_month as (
    select {{ month_start('as_of_date') }} as last_month from settings
),

all_customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

-- In an incremental run most customers need the open month alone. What lies before it is then summed up in the month
-- before: how they stood when it began.
computed as (
    {{ months_to_compute('all_customers', 'cohort_month') }}
),

customers as (
    select
        all_customers.*,
        computed.computed_from,
        {{ add_months('computed.computed_from', -1) }} as summed_until
    from all_customers
    inner join computed on all_customers.customer_id = computed.customer_id
    inner join last_month on computed.computed_from <= last_month.last_month
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

periods as (
    select
        periods.customer_id,
        periods.started_on,
        -- The last month on a day of which the subscription ran: its end is exclusive.
        coalesce({{ add_days('periods.ended_on', -1) }}, last_month.last_month) as ran_until
    from {{ ref('int_subscription_periods') }} as periods
    cross join last_month
    where periods.is_paid
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

tiers as (
    select
        tier,
        case
            when tier_rank = min(tier_rank) over () then cast(-1e23 as {{ type_money() }}) else minimum_net_revenue
        end as minimum_net_revenue,
        coalesce(
            lead(minimum_net_revenue) over (order by tier_rank), cast(1e23 as {{ type_money() }})
        ) as next_minimum_net_revenue
    from {{ ref('loyalty_tiers') }}
),

paid_months as (
    select distinct
        customer_id,
        month
    from ({{ expand_months('periods', ['customer_id'], 'started_on', 'ran_until') }}) as run
),

-- What was booked before the cohort month (an order that was refunded in full and does not count) goes to the
-- first month, so that the months of a customer sum to their revenue.
booked as (
    select
        customers.customer_id,
        customers.summed_until,
        greatest(customer_months.month, customers.cohort_month) as month,
        customer_months.month >= customers.cohort_month as is_since_first,
        customer_months.order_count,
        customer_months.order_day_count,
        customer_months.discounted_order_count,
        customer_months.net_revenue
    from customer_months
    inner join customers on customer_months.customer_id = customers.customer_id
),

changes as (
    select
        customer_id,
        greatest(month, summed_until) as month,
        case when is_since_first then order_count else 0 end as order_count,
        case when is_since_first then order_day_count else 0 end as order_day_count,
        case when is_since_first then discounted_order_count else 0 end as discounted_order_count,
        net_revenue,
        net_revenue as trailing_change,
        0 as paid,
        0 as active_change
    from booked

    union all

    -- It leaves the sum of the last months as many months later.
    select
        booked.customer_id,
        greatest({{ add_months('booked.month', 'settings.loyalty_tier_months') }}, booked.summed_until) as month,
        0 as order_count,
        0 as order_day_count,
        0 as discounted_order_count,
        0 as net_revenue,
        -booked.net_revenue as trailing_change,
        0 as paid,
        0 as active_change
    from booked
    cross join settings
    inner join last_month
        on {{ add_months('booked.month', 'settings.loyalty_tier_months') }} <= last_month.last_month
    where booked.net_revenue <> 0

    union all

    select
        customers.customer_id,
        greatest(paid_months.month, customers.summed_until) as month,
        0 as order_count,
        0 as order_day_count,
        0 as discounted_order_count,
        0 as net_revenue,
        0 as trailing_change,
        1 as paid,
        0 as active_change
    from paid_months
    inner join customers on paid_months.customer_id = customers.customer_id

    union all

    -- Active at a month's end is who began before it, or on it, and had not ceased: a spell inside a month is neither.
    select
        customers.customer_id,
        greatest({{ month_start('spells.active_from') }}, customers.summed_until) as month,
        0 as order_count,
        0 as order_day_count,
        0 as discounted_order_count,
        0 as net_revenue,
        0 as trailing_change,
        0 as paid,
        1 as active_change
    from spells
    inner join customers on spells.customer_id = customers.customer_id

    union all

    select
        customers.customer_id,
        greatest({{ month_start('spells.active_until') }}, customers.summed_until) as month,
        0 as order_count,
        0 as order_day_count,
        0 as discounted_order_count,
        0 as net_revenue,
        0 as trailing_change,
        0 as paid,
        -1 as active_change
    from spells
    inner join customers on spells.customer_id = customers.customer_id
    where spells.active_until is not null
),

changed_months as (
    select
        customer_id,
        month,
        sum(order_count) as order_count,
        sum(order_day_count) as order_day_count,
        sum(discounted_order_count) as discounted_order_count,
        sum(net_revenue) as net_revenue,
        sum(trailing_change) as trailing_change,
        sum(paid) as paid,
        sum(active_change) as active_change
    from changes
    group by customer_id, month
),

cumulated as (
    select
        customer_id,
        month,
        order_count,
        net_revenue,
        paid,
        trailing_change,
        active_change,
        cast(sum(order_count) over running as {{ dbt.type_bigint() }}) as cumulative_order_count,
        cast(sum(order_day_count) over running as {{ dbt.type_bigint() }}) as cumulative_order_day_count,
        cast(sum(discounted_order_count) over running as {{ dbt.type_bigint() }})
            as cumulative_discounted_order_count,
        cast(sum(paid) over running as {{ dbt.type_bigint() }}) as cumulative_paid_months,
        cast(sum(trailing_change) over running as {{ type_money() }}) as trailing_net_revenue,
        cast(sum(active_change) over running as {{ dbt.type_bigint() }}) as running_spells,
        lead(month) over (partition by customer_id order by month) as next_month
    from changed_months
    window running as (
        partition by customer_id order by month rows between unbounded preceding and current row
    )
),

-- How they stood before the change is how they stand after it, less the change.
standing as (
    select
        cumulated.customer_id,
        cumulated.month as changed_month,
        cast(cumulated.order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(cumulated.net_revenue as {{ type_money() }}) as net_revenue,
        cumulated.paid > 0 as is_paid_month,
        cumulated.cumulative_order_count,
        cumulated.cumulative_order_day_count,
        cumulated.cumulative_paid_months,
        cumulated.trailing_net_revenue,
        cumulated.running_spells > 0 as is_active,
        cumulated.running_spells > cumulated.active_change
        and cumulated.cumulative_order_count > cumulated.order_count as was_active_shopper,
        cumulated.cumulative_discounted_order_count
        > settings.bargain_discounted_share * cumulated.cumulative_order_count as is_bargain_hunter,
        cumulated.cumulative_order_day_count >= settings.loyal_order_days
        or cumulated.cumulative_paid_months >= settings.loyal_paid_months as is_loyal,
        tiers.tier as loyalty_tier,
        case
            when cumulated.month = customers.cohort_month then 'none'
            else previous_tiers.tier
        end as previous_loyalty_tier,
        customers.cohort_month,
        customers.first_subscription_on,
        {{ add_days('customers.first_purchase_on', 'settings.new_customer_days') }} as new_until,
        {{ add_days('customers.last_onboarding_use_on', 'settings.active_window_days') }} as vanished_on,
        customers.first_later_use_on,
        customers.segment_group,
        settings.as_of_date,
        greatest(cumulated.month, customers.computed_from) as from_month,
        coalesce({{ add_months('cumulated.next_month', -1) }}, last_month.last_month) as until_month
    from cumulated
    inner join customers on cumulated.customer_id = customers.customer_id
    cross join settings
    cross join last_month
    left join tiers
        on
            cumulated.trailing_net_revenue >= tiers.minimum_net_revenue
            and cumulated.trailing_net_revenue < tiers.next_minimum_net_revenue
    left join tiers as previous_tiers
        on
            cumulated.trailing_net_revenue - cumulated.trailing_change >= previous_tiers.minimum_net_revenue
            and cumulated.trailing_net_revenue - cumulated.trailing_change < previous_tiers.next_minimum_net_revenue
),

month_rows as (
    {{ expand_months(
        'standing',
        [
            'customer_id', 'changed_month', 'order_count', 'net_revenue', 'is_paid_month', 'cumulative_order_count',
            'cumulative_order_day_count', 'cumulative_paid_months', 'trailing_net_revenue', 'is_active',
            'was_active_shopper', 'is_bargain_hunter', 'is_loyal', 'loyalty_tier', 'previous_loyalty_tier',
            'cohort_month', 'first_subscription_on', 'new_until', 'vanished_on', 'first_later_use_on',
            'segment_group', 'as_of_date',
        ],
        'from_month',
        'until_month'
    ) }}
),

-- Months in which nothing changed stand as the one before them, and nothing happened in them.
month_ends as (
    select
        *,
        cast(least({{ period_end('month', 'month') }}, as_of_date) as date) as observed_until,
        month = changed_month as is_changed
    from month_rows
),

final as (
    select
        customer_id,
        month,
        cohort_month,
        segment_group,
        observed_until,
        case when is_changed then order_count else 0 end as order_count,
        case when is_changed then net_revenue else 0 end as net_revenue,
        is_changed and is_paid_month as is_paid_month,
        is_changed and (order_count > 0 or is_paid_month) as is_purchase_month,
        is_active,
        case when is_changed then was_active_shopper else is_active and cumulative_order_count > 0 end
            as was_active_shopper,
        cumulative_order_count,
        cumulative_order_day_count,
        cumulative_paid_months,
        trailing_net_revenue,
        -- Specific before general: a newcomer has no habits yet, and a regular who only buys reduced goods is
        -- a bargain hunter, not loyal.
        case
            when observed_until < new_until then 'new'
            when is_bargain_hunter then 'bargain'
            when is_loyal then 'loyal'
            else 'occasional'
        end as customer_segment,
        loyalty_tier,
        case when is_changed then previous_loyalty_tier else loyalty_tier end as previous_loyalty_tier,
        case
            -- With a subscription it is the use that tells: none after the first days, for as long as makes
            -- inactive.
            when first_subscription_on <= observed_until
                then coalesce({{ open_end('first_later_use_on') }} > observed_until and vanished_on <= observed_until, false)
            else cumulative_order_day_count = 1 and not is_active
        end as has_started_then_vanished
    from month_ends
)

select * from final
