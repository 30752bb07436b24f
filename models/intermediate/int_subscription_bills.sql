-- Grain: one row per subscription and billing interval begun by as_of_date: what was billed for it, on the day it
-- began. Intervals are counted from the billing day of the subscription across its periods: a change of price inside
-- an interval is first billed with the next one. All that says what a subscription has brought sums this.

with periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

settings as (
    select * from {{ ref('int_settings') }}
),

counted as (
    select
        periods.subscription_id,
        periods.customer_id,
        periods.billing_interval,
        periods.billing_anchor_on,
        periods.started_on,
        periods.net_amount,
        {{ intervals_begun('periods.billing_anchor_on', 'periods.started_on', 'periods.billing_interval') }}
            as first_interval,
        {{ intervals_begun(
            'periods.billing_anchor_on',
            'coalesce(periods.ended_on, ' ~ add_days('settings.as_of_date', 1) ~ ')',
            'periods.billing_interval'
        ) }} - 1 as last_interval
    from periods
    cross join settings
    where periods.net_amount > 0
),

intervals as (
    {{ expand_numbers(
        'counted',
        ['subscription_id', 'customer_id', 'billing_interval', 'billing_anchor_on', 'started_on', 'net_amount'],
        'first_interval',
        'last_interval'
    ) }}
),

final as (
    select
        subscription_id,
        customer_id,
        {{ add_interval('billing_anchor_on', 'billing_interval', 'number') }} as billed_on,
        started_on,
        net_amount as billed_amount
    from intervals
)

select * from final
