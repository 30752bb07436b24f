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

standing as (
    select
        standing.*,
        settings.as_of_date,
        settings.loyal_order_days,
        settings.loyal_paid_months,
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
    'trailing_net_revenue', 'is_bargain_hunter', 'loyalty_tier', 'previous_loyalty_tier', 'new_until',
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

month_ends as (
    select
        *,
        cast(least({{ period_end('month', 'month') }}, as_of_date) as date) as observed_until,
        month = changed_month as is_changed,
        paid_months_offset
        + case
            when is_paying then {{ months_between("cast('2000-01-01' as date)", 'month') }} else 0
        end as cumulative_paid_months
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
        is_paying as is_paid_month,
        is_paying or (is_changed and order_count > 0) as is_purchase_month,
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
            when cumulative_order_day_count >= loyal_order_days or cumulative_paid_months >= loyal_paid_months
                then 'loyal'
            else 'occasional'
        end as customer_segment,
        loyalty_tier,
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
