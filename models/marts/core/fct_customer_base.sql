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

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segment_groups
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
group_arrivals as (
    select
        {{ month_start('spells.active_from') }} as month,
        customers.segment_group,
        sum(case when spells.spell_number = 1 then 1 else 0 end) as new_customers,
        sum(case when spells.spell_number > 1 then 1 else 0 end) as reactivated_customers
    from spells
    inner join customers on spells.customer_id = customers.customer_id
    group by {{ month_start('spells.active_from') }}, customers.segment_group
),

group_lapses as (
    select
        {{ month_start('spells.active_until') }} as month,
        customers.segment_group,
        count(*) as lapsed_customers
    from spells
    inner join customers on spells.customer_id = customers.customer_id
    where spells.active_until is not null
    group by {{ month_start('spells.active_until') }}, customers.segment_group
),

-- Prospects: come with the sign-up, go with the first purchase; who bought first never was one.
group_sign_ups as (
    select
        sign_up_month as month,
        segment_group,
        count(*) as prospect_change
    from customers
    where signed_up_on is not null and (first_purchase_on is null or signed_up_on < first_purchase_on)
    group by sign_up_month, segment_group
),

group_conversions as (
    select
        cohort_month as month,
        segment_group,
        -count(*) as prospect_change
    from customers
    where signed_up_on is not null and signed_up_on < first_purchase_on
    group by cohort_month, segment_group
),

-- Stocks that depend on how each customer stands at the end of the month.
group_standing as (
    select
        month,
        segment_group,
        sum(case when is_active and customer_segment = 'loyal' then 1 else 0 end) as loyal_customers,
        sum(case when is_active and customer_segment = 'bargain' then 1 else 0 end) as bargain_customers,
        sum(case when has_started_then_vanished then 1 else 0 end) as started_then_vanished_customers,
        sum(case when order_count > 0 then 1 else 0 end) as ordering_customers,
        sum(order_count) as order_count
    from month_ends
    group by month, segment_group
),

group_subscriptions as (
    select
        subscription_months.month,
        customers.segment_group,
        sum(case when subscription_months.closing_mrr > 0 then 1 else 0 end) as subscribers,
        sum(subscription_months.closing_mrr) as closing_mrr,
        sum(subscription_months.subscription_revenue) as subscription_revenue
    from subscription_months
    inner join customers on subscription_months.customer_id = customers.customer_id
    group by subscription_months.month, customers.segment_group
),

group_health as (
    select
        health.month,
        customers.segment_group,
        sum(case when health.health_band = 'good' then 1 else 0 end) as good_health_customers,
        sum(case when health.health_band = 'poor' then 1 else 0 end) as poor_health_customers
    from health
    inner join customers on health.customer_id = customers.customer_id
    where health.health_band in ('good', 'poor')
    group by health.month, customers.segment_group
),

group_revenue as (
    select
        month,
        segment_group,
        sum(gross_revenue) as gross_revenue,
        sum(discount_amount) as discount_amount,
        sum(refunded_amount) as refunded_amount,
        sum(net_revenue) as net_revenue,
        sum(unattributed_refunded_amount) as unattributed_refunded_amount
    from customer_months
    group by month, segment_group
),

{% set measures = {
    'group_arrivals': ['new_customers', 'reactivated_customers'],
    'group_lapses': ['lapsed_customers'],
    'group_sign_ups': ['prospect_change'],
    'group_conversions': ['prospect_change'],
    'group_standing': [
        'loyal_customers', 'bargain_customers', 'started_then_vanished_customers', 'ordering_customers', 'order_count',
    ],
    'group_subscriptions': ['subscribers', 'closing_mrr', 'subscription_revenue'],
    'group_health': ['good_health_customers', 'poor_health_customers'],
    'group_revenue': [
        'gross_revenue', 'discount_amount', 'refunded_amount', 'net_revenue', 'unattributed_refunded_amount',
    ],
} -%}
{%- set all_measures = measures.values() | sum(start=[]) | unique | list -%}
group_totals as (
    {%- for part, own in measures.items() %}
        select
            month,
            segment_group,
            {%- for measure in all_measures %}
                {{ measure if measure in own else '0 as ' ~ measure }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ part }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

totals as (
    select
        group_totals.month,
        segment_groups.segment_type,
        segment_groups.segment_value,
        {%- for measure in all_measures %}
            sum(group_totals.{{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from group_totals
    inner join segment_groups on group_totals.segment_group = segment_groups.segment_group
    group by group_totals.month, segment_groups.segment_type, segment_groups.segment_value
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
        {%- for measure in all_measures %}
            coalesce(totals.{{ measure }}, 0) as {{ measure }},
        {%- endfor %}
        case when spine.segment_type = 'all' then coalesce(guest_orders.guest_order_count, 0) end as guest_order_count,
        case
            when spine.segment_type = 'all'
                then coalesce(guest_orders.net_amount, 0) - coalesce(guest_refunds.refunded_amount, 0)
        end as guest_net_revenue
    from spine
    left join totals
        on
            spine.month = totals.month
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
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
        cast(subscription_revenue as {{ type_money() }}) as subscription_revenue,
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
