-- Grain: one row per month and segment. Who the customers are at the end of each month, and how that came about:
--   base_customers(t)      = base_customers(t-1) + new_customers
--   installed_customers(t) = installed_customers(t-1) + new_customers + reactivated_customers - lapsed_customers
-- The revenue of guests, which no customer mart holds, stands in the rows of ('all', 'all').
-- For rates see fct_customer_retention_rate, for cohorts fct_cohort_retention.

with months as (
    select * from {{ ref('int_months') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segments
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

month_ends as (
    select * from {{ ref('int_customer_month_ends') }}
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

subscription_months as (
    select * from {{ ref('int_subscription_months') }}
),

health as (
    select * from {{ ref('fct_customer_health') }}
),

orders as (
    select * from {{ ref('int_orders_valued') }}
),

refunds as (
    select * from {{ ref('int_refunds_valued') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

spine as (
    select
        months.month,
        months.observed_until,
        months.is_complete,
        segment_values.segment_type,
        segment_values.segment_value
    from months
    cross join segment_values
),

-- Flows, each on the month in which it happens.
flows as (
    select
        {{ month_start('active_from') }} as month,
        customer_id,
        case when spell_number = 1 then 1 else 0 end as new_customers,
        case when spell_number > 1 then 1 else 0 end as reactivated_customers,
        0 as lapsed_customers
    from spells

    union all

    select
        {{ month_start('active_until') }} as month,
        customer_id,
        0 as new_customers,
        0 as reactivated_customers,
        1 as lapsed_customers
    from spells
    where active_until is not null
),

flow_totals as (
    select
        flows.month,
        segments.segment_type,
        segments.segment_value,
        sum(flows.new_customers) as new_customers,
        sum(flows.reactivated_customers) as reactivated_customers,
        sum(flows.lapsed_customers) as lapsed_customers
    from flows
    inner join segments on flows.customer_id = segments.customer_id
    group by flows.month, segments.segment_type, segments.segment_value
),

-- Prospects: come with the sign-up, go with the first purchase; who bought first never was one.
prospect_changes as (
    select
        customer_id,
        sign_up_month as month,
        1 as change
    from customers
    where signed_up_on is not null and (first_purchase_on is null or signed_up_on < first_purchase_on)

    union all

    select
        customer_id,
        cohort_month as month,
        -1 as change
    from customers
    where signed_up_on is not null and signed_up_on < first_purchase_on
),

prospect_totals as (
    select
        prospect_changes.month,
        segments.segment_type,
        segments.segment_value,
        sum(prospect_changes.change) as change
    from prospect_changes
    inner join segments on prospect_changes.customer_id = segments.customer_id
    group by prospect_changes.month, segments.segment_type, segments.segment_value
),

-- Stocks that depend on how each customer stands at the end of the month.
standing as (
    select
        month_ends.customer_id,
        month_ends.month,
        case when month_ends.is_active and month_ends.customer_segment = 'loyal' then 1 else 0 end as loyal,
        case when month_ends.is_active and month_ends.customer_segment = 'bargain' then 1 else 0 end as bargain,
        case
            -- With a subscription it is the use that tells: none after the first days, for as long as makes
            -- inactive.
            when customers.first_subscription_on <= month_ends.observed_until
                then
                    case
                        when
                            (
                                customers.first_later_use_on is null
                                or customers.first_later_use_on > month_ends.observed_until
                            )
                            and {{ days_between('customers.last_onboarding_use_on', 'month_ends.observed_until') }}
                            >= settings.active_window_days
                            then 1
                        else 0
                    end
            when month_ends.cumulative_order_day_count = 1 and not month_ends.is_active then 1
            else 0
        end as started_then_vanished,
        month_ends.order_count
    from month_ends
    inner join customers on month_ends.customer_id = customers.customer_id
    cross join settings
),

standing_totals as (
    select
        standing.month,
        segments.segment_type,
        segments.segment_value,
        sum(standing.loyal) as loyal_customers,
        sum(standing.bargain) as bargain_customers,
        sum(standing.started_then_vanished) as started_then_vanished_customers,
        sum(case when standing.order_count > 0 then 1 else 0 end) as ordering_customers,
        sum(standing.order_count) as order_count
    from standing
    inner join segments on standing.customer_id = segments.customer_id
    group by standing.month, segments.segment_type, segments.segment_value
),

subscription_totals as (
    select
        subscription_months.month,
        segments.segment_type,
        segments.segment_value,
        sum(case when subscription_months.closing_mrr > 0 then 1 else 0 end) as subscribers,
        sum(subscription_months.closing_mrr) as closing_mrr
    from subscription_months
    inner join segments on subscription_months.customer_id = segments.customer_id
    group by subscription_months.month, segments.segment_type, segments.segment_value
),

health_totals as (
    select
        health.month,
        segments.segment_type,
        segments.segment_value,
        sum(case when health.health_band = 'good' then 1 else 0 end) as good_health_customers,
        sum(case when health.health_band = 'poor' then 1 else 0 end) as poor_health_customers
    from health
    inner join segments on health.customer_id = segments.customer_id
    group by health.month, segments.segment_type, segments.segment_value
),

revenue_totals as (
    select
        customer_months.month,
        segments.segment_type,
        segments.segment_value,
        sum(customer_months.gross_revenue) as gross_revenue,
        sum(customer_months.discount_amount) as discount_amount,
        sum(customer_months.refunded_amount) as refunded_amount,
        sum(customer_months.net_revenue) as net_revenue,
        sum(customer_months.unattributed_refunded_amount) as unattributed_refunded_amount
    from customer_months
    inner join segments on customer_months.customer_id = segments.customer_id
    group by customer_months.month, segments.segment_type, segments.segment_value
),

guest_orders as (
    select
        {{ month_start('ordered_on') }} as month,
        sum(case when is_counted then 1 else 0 end) as guest_order_count,
        sum(net_amount) as net_amount
    from orders
    where is_guest and is_booked
    group by {{ month_start('ordered_on') }}
),

guest_refunds as (
    select
        {{ month_start('refunded_on') }} as month,
        sum(refunded_amount) as refunded_amount
    from refunds
    where customer_id is null and is_booked
    group by {{ month_start('refunded_on') }}
),

combined as (
    select
        spine.month,
        spine.segment_type,
        spine.segment_value,
        spine.is_complete,
        coalesce(flow_totals.new_customers, 0) as new_customers,
        coalesce(flow_totals.reactivated_customers, 0) as reactivated_customers,
        coalesce(flow_totals.lapsed_customers, 0) as lapsed_customers,
        coalesce(prospect_totals.change, 0) as prospect_change,
        coalesce(standing_totals.loyal_customers, 0) as loyal_customers,
        coalesce(standing_totals.bargain_customers, 0) as bargain_customers,
        coalesce(standing_totals.started_then_vanished_customers, 0) as started_then_vanished_customers,
        coalesce(standing_totals.ordering_customers, 0) as ordering_customers,
        coalesce(standing_totals.order_count, 0) as order_count,
        coalesce(subscription_totals.subscribers, 0) as subscribers,
        coalesce(subscription_totals.closing_mrr, 0) as closing_mrr,
        coalesce(health_totals.good_health_customers, 0) as good_health_customers,
        coalesce(health_totals.poor_health_customers, 0) as poor_health_customers,
        coalesce(revenue_totals.gross_revenue, 0) as gross_revenue,
        coalesce(revenue_totals.discount_amount, 0) as discount_amount,
        coalesce(revenue_totals.refunded_amount, 0) as refunded_amount,
        coalesce(revenue_totals.net_revenue, 0) as net_revenue,
        coalesce(revenue_totals.unattributed_refunded_amount, 0) as unattributed_refunded_amount,
        case when spine.segment_type = 'all' then coalesce(guest_orders.guest_order_count, 0) end as guest_order_count,
        case
            when spine.segment_type = 'all'
                then coalesce(guest_orders.net_amount, 0) - coalesce(guest_refunds.refunded_amount, 0)
        end as guest_net_revenue
    from spine
    left join flow_totals
        on
            spine.month = flow_totals.month
            and spine.segment_type = flow_totals.segment_type
            and spine.segment_value = flow_totals.segment_value
    left join prospect_totals
        on
            spine.month = prospect_totals.month
            and spine.segment_type = prospect_totals.segment_type
            and spine.segment_value = prospect_totals.segment_value
    left join standing_totals
        on
            spine.month = standing_totals.month
            and spine.segment_type = standing_totals.segment_type
            and spine.segment_value = standing_totals.segment_value
    left join subscription_totals
        on
            spine.month = subscription_totals.month
            and spine.segment_type = subscription_totals.segment_type
            and spine.segment_value = subscription_totals.segment_value
    left join health_totals
        on
            spine.month = health_totals.month
            and spine.segment_type = health_totals.segment_type
            and spine.segment_value = health_totals.segment_value
    left join revenue_totals
        on
            spine.month = revenue_totals.month
            and spine.segment_type = revenue_totals.segment_type
            and spine.segment_value = revenue_totals.segment_value
    left join guest_orders on spine.month = guest_orders.month
    left join guest_refunds on spine.month = guest_refunds.month
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(sum(new_customers) over so_far as {{ dbt.type_bigint() }}) as base_customers,
        cast(
            sum(new_customers + reactivated_customers - lapsed_customers) over so_far as {{ dbt.type_bigint() }}
        ) as installed_customers,
        cast(sum(prospect_change) over so_far as {{ dbt.type_bigint() }}) as prospects,
        cast(new_customers as {{ dbt.type_bigint() }}) as new_customers,
        cast(reactivated_customers as {{ dbt.type_bigint() }}) as reactivated_customers,
        cast(lapsed_customers as {{ dbt.type_bigint() }}) as lapsed_customers,
        cast(loyal_customers as {{ dbt.type_bigint() }}) as loyal_customers,
        cast(bargain_customers as {{ dbt.type_bigint() }}) as bargain_customers,
        cast(started_then_vanished_customers as {{ dbt.type_bigint() }}) as started_then_vanished_customers,
        cast(good_health_customers as {{ dbt.type_bigint() }}) as good_health_customers,
        cast(poor_health_customers as {{ dbt.type_bigint() }}) as poor_health_customers,
        cast(subscribers as {{ dbt.type_bigint() }}) as subscribers,
        cast(ordering_customers as {{ dbt.type_bigint() }}) as ordering_customers,
        cast(order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(closing_mrr as {{ type_money() }}) as closing_mrr,
        cast(gross_revenue as {{ type_money() }}) as gross_revenue,
        cast(discount_amount as {{ type_money() }}) as discount_amount,
        cast(refunded_amount as {{ type_money() }}) as refunded_amount,
        cast(net_revenue as {{ type_money() }}) as net_revenue,
        cast(unattributed_refunded_amount as {{ type_money() }}) as unattributed_refunded_amount,
        cast(guest_order_count as {{ dbt.type_bigint() }}) as guest_order_count,
        cast(guest_net_revenue as {{ type_money() }}) as guest_net_revenue,
        cast(is_complete as boolean) as is_complete
    from combined
    window so_far as (
        partition by segment_type, segment_value
        order by month
        rows between unbounded preceding and current row
    )
)

select * from final
