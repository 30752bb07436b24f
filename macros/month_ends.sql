{#-
    How customers stood at the ends of months, from int_customer_standing: of all months from the first purchase to that of
    as_of_date, or of that one alone, which needs no expansion.
-#}
{% macro month_ends(is_current_only) -%}
with settings as (
    select
        *,
        {{ month_start('as_of_date') }} as last_month
    from {{ ref('int_settings') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

bills as (
    select * from {{ ref('int_subscription_bills') }}
),

tiers as (
    {{ loyalty_tier_bounds() }}
),

standing as (
    select
        standing.*,
        settings.as_of_date,
        settings.loyal_order_days,
        settings.loyal_paid_months,
        settings.loyalty_tier_months,
        settings.last_month,
        coalesce(
            least({{ add_months('standing.next_month', -1) }}, settings.last_month), settings.last_month
        ) as until_month
    from {{ ref('int_customer_standing') }} as standing
    cross join settings
),

{% set columns = [
    'customer_id', 'month as changed_month', 'cohort_month', 'segment_group', 'order_count', 'net_revenue', 'is_active',
    'was_active_shopper', 'cumulative_order_count', 'cumulative_order_day_count', 'is_paying', 'paid_months_offset',
    'trailing_value', 'is_bargain_hunter', 'loyalty_tier', 'previous_loyalty_tier', 'new_until',
    'first_subscription_on', 'silent_from', 'first_later_use_on', 'as_of_date', 'loyal_order_days', 'loyal_paid_months',
] -%}
month_rows as (
    {%- if is_current_only %}
        select
            {{ columns | join(', ') }},
            last_month as month
        from standing
        where month <= last_month and {{ open_end('next_month') }} > last_month
    {%- else %}
        {{ expand_months('standing', columns, 'month', 'until_month') }}
    {%- endif %}
),

-- A month that is not over has not yet lost all of the month a tier's window before: what was bought on the days that
-- the window still holds. Only the last month has such days.
held_days as (
    select
        customer_days.customer_id,
        customer_days.activity_on as valued_on,
        customer_days.net_revenue as net_value
    from customer_days
    inner join settings
        on
            customer_days.activity_on >= {{ add_months('settings.last_month', '-settings.loyalty_tier_months') }}
            and customer_days.activity_on < {{ add_months('settings.last_month', '1 - settings.loyalty_tier_months') }}

    union all

    select
        bills.customer_id,
        bills.billed_on as valued_on,
        bills.billed_amount as net_value
    from bills
    inner join settings
        on
            bills.billed_on >= {{ add_months('settings.last_month', '-settings.loyalty_tier_months') }}
            and bills.billed_on < {{ add_months('settings.last_month', '1 - settings.loyalty_tier_months') }}
),

held_values as (
    select
        held_days.customer_id,
        sum(held_days.net_value) as net_value
    from held_days
    cross join settings
    where {{ add_months('held_days.valued_on', 'settings.loyalty_tier_months') }} > settings.as_of_date
    group by held_days.customer_id
),

-- What was booked before the first purchase stands in its month, and leaves with it.
held_tiers as (
    select
        standing.customer_id,
        standing.last_month,
        cast(standing.trailing_value + held_values.net_value as {{ type_order_money() }}) as trailing_value,
        tiers.tier
    from standing
    inner join held_values on standing.customer_id = held_values.customer_id
    inner join tiers
        on
            standing.trailing_value + held_values.net_value >= tiers.minimum_value
            and standing.trailing_value + held_values.net_value < tiers.next_minimum_value
    where
        standing.month <= standing.last_month
        and {{ open_end('standing.next_month') }} > standing.last_month
        and standing.cohort_month
        <= {{ add_months('standing.last_month', '-standing.loyalty_tier_months') }}
),

month_ends as (
    select
        month_rows.*,
        held_tiers.trailing_value as held_trailing_value,
        held_tiers.tier as held_tier,
        cast(least({{ period_end('month', 'month_rows.month') }}, month_rows.as_of_date) as date) as observed_until,
        month_rows.month = month_rows.changed_month as is_changed,
        month_rows.paid_months_offset
        + case
            when month_rows.is_paying
                then {{ months_between("cast('2000-01-01' as date)", 'month_rows.month') }}
            else 0
        end as cumulative_paid_months
    from month_rows
    left join held_tiers
        on month_rows.customer_id = held_tiers.customer_id and month_rows.month = held_tiers.last_month
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
        is_paying as is_paid_month,
        is_paying or (is_changed and order_count > 0) as is_purchase_month,
        is_active,
        case when is_changed then was_active_shopper else is_active and cumulative_order_count > 0 end
            as was_active_shopper,
        cumulative_order_count,
        cumulative_order_day_count,
        cumulative_paid_months,
        coalesce(held_trailing_value, trailing_value) as trailing_value,
        -- Specific before general: a newcomer has no habits yet, and a regular who only buys reduced goods is
        -- a bargain hunter, not loyal.
        case
            when observed_until < new_until then 'new'
            when is_bargain_hunter then 'bargain'
            when cumulative_order_day_count >= loyal_order_days or cumulative_paid_months >= loyal_paid_months
                then 'loyal'
            else 'occasional'
        end as customer_segment,
        coalesce(held_tier, loyalty_tier) as loyalty_tier,
        case when is_changed then previous_loyalty_tier else loyalty_tier end as previous_loyalty_tier,
        case
            -- With a subscription it is the use that tells: none after the first days, for as long as makes
            -- inactive.
            when first_subscription_on <= observed_until
                then coalesce({{ open_end('first_later_use_on') }} > observed_until and silent_from <= observed_until, false)
            else cumulative_order_day_count = 1 and not is_active
        end as has_started_then_vanished
    from month_ends
)

select * from final
{%- endmacro %}

{#- The loyalty tiers with the values from which, and below which, a customer is in them; the lowest has no floor. -#}
{% macro loyalty_tier_bounds() -%}
    select
        tier,
        case
            when tier_rank = min(tier_rank) over () then cast(-1e23 as {{ type_money() }}) else minimum_net_revenue
        end as minimum_value,
        coalesce(
            lead(minimum_net_revenue) over (order by tier_rank), cast(1e23 as {{ type_money() }})
        ) as next_minimum_value
    from {{ ref('loyalty_tiers') }}
{%- endmacro %}
