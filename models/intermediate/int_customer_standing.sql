{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customers_and_billed',
        unique_key=['customer_id', 'month'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and month, from the month of the first purchase on, in which something about them
-- changes: they buy, are refunded, begin or cease to be active or to pay, or a purchase becomes too old for the loyalty
-- tier. A bill, too, is a change. It holds until `next_month`. Nothing but bills in it moves with as_of_date alone, so
-- only touched customers are computed again, and those who were billed since; the last rows may lie ahead of it. For
-- every month of a customer's life see int_customer_month_ends, which is made of this.

with settings as (
    select * from {{ ref('int_settings') }}
),

customers as (
    select *
    from {{ ref('int_customers') }}
    where is_customer and {{ only_touched_or_billed_customers() }}
),

customer_months as (
    select *
    from {{ ref('int_customer_months') }}
    where {{ only_touched_or_billed_customers() }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid and {{ only_touched_or_billed_customers() }}
),

spells as (
    select *
    from {{ ref('int_customer_spells') }}
    where {{ only_touched_or_billed_customers() }}
),

bills as (
    select *
    from {{ ref('int_subscription_bills') }}
    where {{ only_touched_or_billed_customers() }}
),

tiers as (
    {{ loyalty_tier_bounds() }}
),

-- Months on a day of which a paid subscription ran: an end on the first day of a month is not in it.
paid_spans as (
    select
        customer_id,
        {{ month_start('started_on') }} as paid_from,
        coalesce(
            {{ add_months(month_start(add_days('ended_on', -1)), 1) }}, cast('9999-12-01' as date)
        ) as paid_until
    from periods
),

marked_spans as (
    select
        *,
        case
            when
                paid_from <= max(paid_until) over (
                    partition by customer_id
                    order by paid_from, paid_until
                    rows between unbounded preceding and 1 preceding
                )
                then 0
            else 1
        end as opens_run
    from paid_spans
),

numbered_spans as (
    select
        *,
        sum(opens_run) over (
            partition by customer_id
            order by paid_from, paid_until
            rows between unbounded preceding and current row
        ) as run_number
    from marked_spans
),

paid_runs as (
    select
        customer_id,
        min(paid_from) as paid_from,
        max(paid_until) as paid_until
    from numbered_spans
    group by customer_id, run_number
),

-- What was booked before the cohort month (an order that was refunded in full and does not count) goes to the
-- first month, so that the months of a customer sum to their revenue.
booked as (
    select
        customer_months.customer_id,
        greatest(customer_months.month, customers.cohort_month) as month,
        customer_months.month >= customers.cohort_month as is_since_first,
        customer_months.order_count,
        customer_months.order_day_count,
        customer_months.discounted_order_count,
        customer_months.net_revenue
    from customer_months
    inner join customers on customer_months.customer_id = customers.customer_id
),

-- What the loyalty tier is made of, by the month.
valued as (
    select
        customer_id,
        month,
        net_revenue as net_value
    from booked

    union all

    select
        bills.customer_id,
        {{ month_start('bills.billed_on') }} as month,
        sum(bills.billed_amount) as net_value
    from bills
    inner join customers on bills.customer_id = customers.customer_id
    group by bills.customer_id, {{ month_start('bills.billed_on') }}
),

{% set measures = [
    'order_count', 'order_day_count', 'discounted_order_count', 'net_revenue', 'trailing_change', 'active_change',
    'paid_change', 'paid_offset_change',
] -%}
changes as (
    select
        customer_id,
        month,
        case when is_since_first then order_count else 0 end as order_count,
        case when is_since_first then order_day_count else 0 end as order_day_count,
        case when is_since_first then discounted_order_count else 0 end as discounted_order_count,
        net_revenue,
        0 as trailing_change,
        0 as active_change,
        0 as paid_change,
        0 as paid_offset_change
    from booked

    union all

    select
        customer_id,
        month,
        0 as order_count,
        0 as order_day_count,
        0 as discounted_order_count,
        0 as net_revenue,
        net_value as trailing_change,
        0 as active_change,
        0 as paid_change,
        0 as paid_offset_change
    from valued
    where net_value <> 0

    union all

    -- On the same day as many months later it leaves the sum: before the end of that month.
    select
        valued.customer_id,
        {{ add_months('valued.month', 'settings.loyalty_tier_months') }} as month,
        0 as order_count,
        0 as order_day_count,
        0 as discounted_order_count,
        0 as net_revenue,
        -valued.net_value as trailing_change,
        0 as active_change,
        0 as paid_change,
        0 as paid_offset_change
    from valued
    cross join settings
    where valued.net_value <> 0

    -- Active at a month's end is who had begun and had not ceased: a spell inside a month changes nothing.
    {%- for column, change in [('active_from', 1), ('active_until', -1)] %}

        union all

        select
            spells.customer_id,
            {{ month_start('spells.' ~ column) }} as month,
            0 as order_count,
            0 as order_day_count,
            0 as discounted_order_count,
            0 as net_revenue,
            0 as trailing_change,
            {{ change }} as active_change,
            0 as paid_change,
            0 as paid_offset_change
        from spells
        inner join customers on spells.customer_id = customers.customer_id
        where spells.{{ column }} is not null
    {%- endfor %}

    -- The paid months so far grow by one a month while a run lasts: they are the number of the month, plus an offset.
    {%- for column, change in [('paid_from', 1), ('paid_until', -1)] %}

        union all

        select
            paid_runs.customer_id,
            paid_runs.{{ column }} as month,
            0 as order_count,
            0 as order_day_count,
            0 as discounted_order_count,
            0 as net_revenue,
            0 as trailing_change,
            0 as active_change,
            {{ change }} as paid_change,
            {{ -change }} * ({{ months_between("cast('2000-01-01' as date)", 'paid_runs.' ~ column) }} - 1)
                as paid_offset_change
        from paid_runs
        inner join customers on paid_runs.customer_id = customers.customer_id
        where paid_runs.{{ column }} < cast('9999-12-01' as date)
    {%- endfor %}
),

changed_months as (
    select
        customer_id,
        month,
        {%- for measure in measures %}
            sum({{ measure }}) as {{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from changes
    group by customer_id, month
    -- A bill that takes the place of the one a year before changes nothing.
    having
        {%- for measure in measures %}
            {{ 'or ' if not loop.first }}sum({{ measure }}) <> 0
        {%- endfor %}
),

cumulated as (
    select
        customer_id,
        month,
        order_count,
        net_revenue,
        trailing_change,
        active_change,
        cast(sum(order_count) over running as {{ dbt.type_bigint() }}) as cumulative_order_count,
        cast(sum(order_day_count) over running as {{ dbt.type_bigint() }}) as cumulative_order_day_count,
        cast(sum(discounted_order_count) over running as {{ dbt.type_bigint() }})
            as cumulative_discounted_order_count,
        cast(sum(trailing_change) over running as {{ type_order_money() }}) as trailing_value,
        cast(sum(active_change) over running as {{ dbt.type_bigint() }}) as running_spells,
        cast(sum(paid_change) over running as {{ dbt.type_bigint() }}) as running_payments,
        cast(sum(paid_offset_change) over running as {{ dbt.type_bigint() }}) as paid_months_offset,
        lead(month) over (partition by customer_id order by month) as next_month
    from changed_months
    window running as (
        partition by customer_id order by month rows between unbounded preceding and current row
    )
),

-- How they stood before the change is how they stand after it, less the change.
final as (
    select
        cumulated.customer_id,
        cumulated.month,
        cumulated.next_month,
        customers.cohort_month,
        customers.segment_group,
        cast(cumulated.order_count as {{ dbt.type_bigint() }}) as order_count,
        cast(cumulated.net_revenue as {{ type_order_money() }}) as net_revenue,
        cumulated.running_spells > 0 as is_active,
        cumulated.running_spells > cumulated.active_change
        and cumulated.cumulative_order_count > cumulated.order_count as was_active_shopper,
        cumulated.cumulative_order_count,
        cumulated.cumulative_order_day_count,
        cumulated.running_payments > 0 as is_paying,
        cumulated.paid_months_offset,
        cumulated.trailing_value,
        cumulated.cumulative_discounted_order_count
        > settings.bargain_discounted_share * cumulated.cumulative_order_count as is_bargain_hunter,
        tiers.tier as loyalty_tier,
        case
            when cumulated.month = customers.cohort_month then 'none'
            else previous_tiers.tier
        end as previous_loyalty_tier,
        {{ add_days('customers.first_purchase_on', 'settings.new_customer_days') }} as new_until,
        customers.first_subscription_on,
        {{ add_days('customers.last_onboarding_use_on', 'settings.active_window_days') }} as silent_from,
        customers.first_later_use_on
    from cumulated
    inner join customers on cumulated.customer_id = customers.customer_id
    cross join settings
    left join tiers
        on
            cumulated.trailing_value >= tiers.minimum_value
            and cumulated.trailing_value < tiers.next_minimum_value
    left join tiers as previous_tiers
        on
            cumulated.trailing_value - cumulated.trailing_change >= previous_tiers.minimum_value
            and cumulated.trailing_value - cumulated.trailing_change < previous_tiers.next_minimum_value
)

select * from final
