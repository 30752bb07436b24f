-- Grain: one row per customer with a purchase in the window and window: what BG/NBD and Gamma-Gamma look at,
-- and, for the calibration window, what they then did in the part of the history they have not seen. A purchase is
-- a day with a counted order: several orders of a day are one. Whether an order counts is what we know of it at
-- as_of_date.

with windows as (
    select * from {{ ref('int_clv_windows') }}
),

customer_days as (
    select * from {{ ref('int_customer_days') }}
),

segment_values as (
    select segment_values.*
    from {{ ref('int_customer_segment_values') }} as segment_values
    inner join {{ ref('int_settings') }} as settings on segment_values.segment_type = settings.clv_segment
),

customers as (
    select
        customer_id,
        first_order_on
    from {{ ref('int_customers') }}
    where first_order_on is not null
),

-- Until when both windows look: one pass over the days sums them up for both.
bounds as (
    select
        max(coalesce(holdout_until, observed_until)) as full_until,
        max(case when window_name = 'calibration' then observed_until end) as calibration_until,
        max(
            case when window_name = 'calibration' then {{ add_days('observed_until', '-holdout_days') }} end
        ) as before_until
    from windows
),

totals as (
    select
        customer_days.customer_id,
        max(case when customer_days.order_count > 0 then customer_days.activity_on end) as full_last_purchase_on,
        max(
            case
                when customer_days.order_count > 0 and customer_days.activity_on <= bounds.calibration_until
                    then customer_days.activity_on
            end
        ) as calibration_last_purchase_on,
        count(case when customer_days.order_count > 0 then 1 end) as full_purchases,
        count(
            case when customer_days.order_count > 0 and customer_days.activity_on <= bounds.calibration_until then 1 end
        ) as calibration_purchases,
        -- In as many days before as are held out: whoever has no model expects as many again.
        count(
            case
                when
                    customer_days.order_count > 0
                    and customer_days.activity_on <= bounds.calibration_until
                    and customer_days.activity_on > bounds.before_until
                    then 1
            end
        ) as purchases_before,
        -- Gamma-Gamma looks at repeat purchases, and at those of a value: a free sample tells nothing of what a
        -- customer spends.
        count(
            case
                when
                    customer_days.order_count > 0
                    and customer_days.counted_revenue > 0
                    and customer_days.activity_on > customers.first_order_on
                    then 1
            end
        ) as full_valued_frequency,
        count(
            case
                when
                    customer_days.order_count > 0
                    and customer_days.counted_revenue > 0
                    and customer_days.activity_on > customers.first_order_on
                    and customer_days.activity_on <= bounds.calibration_until
                    then 1
            end
        ) as calibration_valued_frequency,
        sum(
            case
                when
                    customer_days.order_count > 0
                    and customer_days.counted_revenue > 0
                    and customer_days.activity_on > customers.first_order_on
                    then customer_days.counted_revenue
            end
        ) as full_repeat_value,
        sum(
            case
                when
                    customer_days.order_count > 0
                    and customer_days.counted_revenue > 0
                    and customer_days.activity_on > customers.first_order_on
                    and customer_days.activity_on <= bounds.calibration_until
                    then customer_days.counted_revenue
            end
        ) as calibration_repeat_value,
        sum(
            case when customer_days.activity_on > bounds.calibration_until then customer_days.net_revenue end
        ) as holdout_net_revenue
    from customer_days
    inner join customers on customer_days.customer_id = customers.customer_id
    inner join bounds on customer_days.activity_on <= bounds.full_until
    group by customer_days.customer_id
),

histories as (
    select
        windows.window_name,
        totals.customer_id,
        windows.observed_until,
        windows.holdout_until,
        customers.first_order_on as first_purchase_on,
        totals.full_last_purchase_on as last_purchase_on,
        totals.full_purchases - 1 as frequency,
        totals.full_valued_frequency as valued_frequency,
        totals.full_repeat_value as repeat_value,
        cast(null as {{ dbt.type_bigint() }}) as purchases_before,
        cast(null as {{ dbt.type_bigint() }}) as holdout_purchases,
        cast(null as {{ type_money() }}) as holdout_net_revenue
    from totals
    inner join customers on totals.customer_id = customers.customer_id
    inner join windows on customers.first_order_on <= windows.observed_until
    where windows.window_name = 'full'

    union all

    select
        windows.window_name,
        totals.customer_id,
        windows.observed_until,
        windows.holdout_until,
        customers.first_order_on as first_purchase_on,
        totals.calibration_last_purchase_on as last_purchase_on,
        totals.calibration_purchases - 1 as frequency,
        totals.calibration_valued_frequency as valued_frequency,
        totals.calibration_repeat_value as repeat_value,
        totals.purchases_before,
        totals.full_purchases - totals.calibration_purchases as holdout_purchases,
        coalesce(totals.holdout_net_revenue, 0) as holdout_net_revenue
    from totals
    inner join customers on totals.customer_id = customers.customer_id
    inner join windows on customers.first_order_on <= windows.observed_until
    where windows.window_name = 'calibration'
),

final as (
    select
        histories.window_name,
        histories.customer_id,
        cast(coalesce(segment_values.segment_type, 'all') as {{ dbt.type_string() }}) as segment_type,
        cast(coalesce(segment_values.segment_value, 'all') as {{ dbt.type_string() }}) as segment_value,
        cast(histories.frequency as {{ dbt.type_bigint() }}) as frequency,
        {{ days_between('histories.first_purchase_on', 'histories.last_purchase_on') }} as recency_days,
        {{ days_between('histories.first_purchase_on', 'histories.observed_until') }} as age_days,
        cast(histories.valued_frequency as {{ dbt.type_bigint() }}) as valued_frequency,
        coalesce(
            cast(
                histories.repeat_value / nullif(histories.valued_frequency, 0) as {{ type_order_money() }}
            ),
            0
        ) as mean_repeat_value,
        cast(histories.purchases_before as {{ dbt.type_bigint() }}) as purchases_before,
        cast(histories.holdout_purchases as {{ dbt.type_bigint() }}) as holdout_purchases,
        cast(histories.holdout_net_revenue as {{ type_money() }}) as holdout_net_revenue
    from histories
    left join segment_values on histories.customer_id = segment_values.customer_id
)

select * from final
