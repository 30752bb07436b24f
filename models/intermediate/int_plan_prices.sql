-- Grain: one row per plan, billing interval, currency and month in which a paid period began: the list price at
-- which the plan was sold, the median of that month, so that a price made for one customer does not count. It
-- tells what a renewal would have cost who left instead.

with periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid and net_amount > 0
),

final as (
    select
        coalesce(plan, 'unknown') as plan,
        billing_interval,
        currency,
        {{ month_start('started_on') }} as month,
        cast({{ percentile('list_amount', 0.5) }} as {{ type_order_money() }}) as list_amount
    from periods
    group by coalesce(plan, 'unknown'), billing_interval, currency, {{ month_start('started_on') }}
)

select * from final
