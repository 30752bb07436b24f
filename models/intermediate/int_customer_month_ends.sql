-- Grain: one row per customer and month from the month of the first purchase to as_of_date, silent months
-- included: what happened in it, and how the customer stood at its end (at as_of_date, in a month that is not
-- over). Made from the compact grains alone, never by a new pass over orders.

with customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer
),

months as (
    select * from {{ ref('int_months') }}
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

tiers as (
    select
        tier,
        tier_rank,
        minimum_net_revenue,
        lead(minimum_net_revenue) over (order by tier_rank) as next_minimum_net_revenue,
        tier_rank = min(tier_rank) over () as is_lowest
    from {{ ref('loyalty_tiers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

paid_months as (
    select distinct
        periods.customer_id,
        months.month
    from periods
    inner join months
        on
            periods.started_on <= months.observed_until
            and {{ open_end('periods.ended_on') }} > months.month
),

spine as (
    select
        customers.customer_id,
        customers.cohort_month,
        customers.first_purchase_on,
        customers.second_order_on,
        months.month,
        months.observed_until,
        months.is_complete
    from customers
    inner join months on customers.cohort_month <= months.month
),

-- What was booked before the cohort month (an order that was refunded in full and does not count) goes to the
-- first month, so that the ages of a customer sum to his revenue.
earlier as (
    select
        customer_months.customer_id,
        sum(customer_months.net_revenue) as net_revenue
    from customer_months
    inner join customers
        on customer_months.customer_id = customers.customer_id and customer_months.month < customers.cohort_month
    group by customer_months.customer_id
),

observed as (
    select
        spine.customer_id,
        spine.cohort_month,
        spine.month,
        spine.observed_until,
        spine.is_complete,
        spine.first_purchase_on,
        spine.second_order_on,
        coalesce(customer_months.order_count, 0) as order_count,
        coalesce(customer_months.order_day_count, 0) as order_day_count,
        coalesce(customer_months.discounted_order_count, 0) as discounted_order_count,
        coalesce(customer_months.gross_revenue, 0) as gross_revenue,
        coalesce(customer_months.refunded_amount, 0) as refunded_amount,
        coalesce(customer_months.net_revenue, 0)
        + case when spine.month = spine.cohort_month then coalesce(earlier.net_revenue, 0) else 0 end as net_revenue,
        coalesce(customer_months.uses, 0) as uses,
        paid_months.customer_id is not null as is_paid_month,
        spells.customer_id is not null as is_active
    from spine
    left join customer_months
        on spine.customer_id = customer_months.customer_id and spine.month = customer_months.month
    left join earlier on spine.customer_id = earlier.customer_id
    left join paid_months
        on spine.customer_id = paid_months.customer_id and spine.month = paid_months.month
    left join spells
        on
            spine.customer_id = spells.customer_id
            and spells.active_from <= spine.observed_until
            and {{ open_end('spells.active_until') }} > spine.observed_until
),

cumulated as (
    select
        observed.*,
        sum(observed.order_count) over running as cumulative_order_count,
        sum(observed.order_day_count) over running as cumulative_order_day_count,
        sum(observed.discounted_order_count) over running as cumulative_discounted_order_count,
        sum(case when observed.is_paid_month then 1 else 0 end) over running as cumulative_paid_months,
        sum(observed.net_revenue) over running as cumulative_net_revenue
    from observed
    window running as (
        partition by observed.customer_id order by observed.month rows between unbounded preceding and current row
    )
),

-- The trailing sum as a difference of running totals: the number of months is a setting, a window frame cannot
-- be.
windowed as (
    select
        cumulated.*,
        cumulated.cumulative_net_revenue - coalesce(before_window.cumulative_net_revenue, 0) as trailing_net_revenue
    from cumulated
    cross join settings
    left join cumulated as before_window
        on
            cumulated.customer_id = before_window.customer_id
            and {{ add_months('cumulated.month', '-settings.loyalty_tier_months') }} = before_window.month
),

final as (
    select
        windowed.customer_id,
        windowed.month,
        windowed.cohort_month,
        {{ months_between('windowed.cohort_month', 'windowed.month') }} as months_since_first,
        windowed.observed_until,
        cast(windowed.order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(windowed.order_day_count as {{ dbt.type_bigint() }}) as order_day_count,
        cast(windowed.gross_revenue as {{ type_money() }}) as gross_revenue,
        cast(windowed.refunded_amount as {{ type_money() }}) as refunded_amount,
        cast(windowed.net_revenue as {{ type_money() }}) as net_revenue,
        cast(windowed.uses as {{ dbt.type_bigint() }}) as uses,
        windowed.is_paid_month,
        windowed.order_count > 0 or windowed.is_paid_month as is_purchase_month,
        windowed.is_active,
        cast(windowed.cumulative_order_count as {{ dbt.type_bigint() }}) as cumulative_order_count,
        cast(windowed.cumulative_order_day_count as {{ dbt.type_bigint() }}) as cumulative_order_day_count,
        cast(windowed.cumulative_paid_months as {{ dbt.type_bigint() }}) as cumulative_paid_months,
        cast(windowed.cumulative_net_revenue as {{ type_money() }}) as cumulative_net_revenue,
        cast(windowed.trailing_net_revenue as {{ type_money() }}) as trailing_net_revenue,
        -- Specific before general: a newcomer has no habits yet, and a regular who only buys reduced goods is
        -- a bargain hunter, not loyal.
        case
            when
                windowed.first_purchase_on
                > {{ add_days('windowed.observed_until', '-settings.new_customer_days') }}
                then 'new'
            when
                windowed.cumulative_discounted_order_count
                > settings.bargain_discounted_share * windowed.cumulative_order_count
                then 'bargain'
            when
                windowed.cumulative_order_day_count >= settings.loyal_order_days
                or windowed.cumulative_paid_months >= settings.loyal_paid_months
                then 'loyal'
            else 'occasional'
        end as customer_segment,
        tiers.tier as loyalty_tier,
        cast(tiers.tier_rank as {{ dbt.type_bigint() }}) as loyalty_tier_rank,
        windowed.is_complete
    from windowed
    cross join settings
    left join tiers
        on
            (windowed.trailing_net_revenue >= tiers.minimum_net_revenue or tiers.is_lowest)
            and (
                tiers.next_minimum_net_revenue is null
                or windowed.trailing_net_revenue < tiers.next_minimum_net_revenue
            )
)

select * from final
