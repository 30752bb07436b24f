-- Grain: one row per window of the history that the value models look at: `full`, all of it, which predictions come
-- from, and `calibration`, without the last part, against which the same models are held before anybody reads a
-- prediction. No row while there is no customer.

with settings as (
    select * from {{ ref('int_settings') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

-- Of those who order: what is given back to a pure subscriber is no part of an order.
customer_days as (
    select customer_days.*
    from {{ ref('int_customer_days') }} as customer_days
    inner join {{ ref('int_customers') }} as customers on customer_days.customer_id = customers.customer_id
    where customers.first_order_on is not null
),

history as (
    select
        settings.as_of_date,
        settings.clv_holdout_days,
        settings.clv_holdout_share,
        min(customers.first_purchase_on) as observed_from,
        {{ days_between('min(customers.first_purchase_on)', 'settings.as_of_date') }} as history_days
    from settings
    inner join customers on customers.first_purchase_on <= settings.as_of_date
    group by settings.as_of_date, settings.clv_holdout_days, settings.clv_holdout_share
),

held_out as (
    select
        *,
        cast(
            least(clv_holdout_days, floor(history_days * clv_holdout_share)) as {{ dbt.type_bigint() }}
        ) as holdout_days
    from history
),

windows as (
    select
        'full' as window_name,
        observed_from,
        as_of_date as observed_until,
        cast(null as date) as holdout_until,
        cast(null as {{ dbt.type_bigint() }}) as holdout_days
    from held_out

    union all

    select
        'calibration' as window_name,
        observed_from,
        {{ add_days('as_of_date', '-holdout_days') }} as observed_until,
        as_of_date as holdout_until,
        holdout_days
    from held_out
),

-- Refunds, also those of orders of a window made in it, take this share of what was ordered.
kept as (
    select
        windows.window_name,
        sum(customer_days.net_revenue) as net_revenue,
        sum(customer_days.counted_revenue) as counted_revenue
    from windows
    inner join customer_days on windows.observed_until >= customer_days.activity_on
    group by windows.window_name
),

final as (
    select
        cast(windows.window_name as {{ dbt.type_string() }}) as window_name,
        cast(windows.observed_from as date) as observed_from,
        cast(windows.observed_until as date) as observed_until,
        cast(windows.holdout_until as date) as holdout_until,
        {{ days_between('windows.observed_from', 'windows.observed_until') }} as history_days,
        windows.holdout_days,
        -- Whole months that lie in the held-out part however long they are: three months are at most 92 days.
        case
            when windows.holdout_days < 34 then 0
            when windows.holdout_days >= 34
                then cast(least(60, floor((windows.holdout_days - 3) / 30.4375)) as {{ dbt.type_bigint() }})
        end as holdout_months,
        case
            when kept.net_revenue < 0 then 0
            when kept.net_revenue > kept.counted_revenue then 1
            else {{ ratio('kept.net_revenue', 'kept.counted_revenue') }}
        end as net_revenue_share
    from windows
    left join kept on windows.window_name = kept.window_name
)

select * from final
