-- Grain: one row per month of the first order and segment: how many of those who bought for the first time bought
-- again, and how soon? A purchase is a day with a counted order. A rate within so many days is known when the last
-- of the month has had them. For what cohorts do later see fct_cohort_retention.

{% set horizons = [30, 60, 90, 180, 365] -%}

with customers as (
    select
        customer_id,
        {{ month_start('first_order_on') }} as month,
        {{ days_between('first_order_on', 'second_order_on') }} as days_to_second
    from {{ ref('int_customers') }}
    where first_order_on is not null
),

segments as (
    select * from {{ ref('int_customer_segments') }}
),

months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

counted as (
    select
        customers.month,
        segments.segment_type,
        segments.segment_value,
        count(*) as buyers,
        count(customers.days_to_second) as repeat_buyers,
        {%- for days in horizons %}
            count(case when customers.days_to_second <= {{ days }} then 1 end) as repeat_buyers_{{ days }}_days,
        {%- endfor %}
        {{ percentile('customers.days_to_second', 0.5) }} as median_days_to_second_purchase
    from customers
    inner join segments on customers.customer_id = segments.customer_id
    group by customers.month, segments.segment_type, segments.segment_value
),

dated as (
    select
        counted.*,
        {{ days_between('months.month_end_on', 'settings.as_of_date') }} as observed_days
    from counted
    inner join months on counted.month = months.month
    cross join settings
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(buyers as {{ dbt.type_bigint() }}) as buyers,
        cast(repeat_buyers as {{ dbt.type_bigint() }}) as repeat_buyers,
        {%- for days in horizons %}
            case
                when observed_days >= {{ days }} then {{ ratio('repeat_buyers_' ~ days ~ '_days', 'buyers') }}
            end as repeat_rate_{{ days }}_days,
        {%- endfor %}
        case
            when observed_days >= {{ horizons | last }} then cast(median_days_to_second_purchase as {{ type_ratio() }})
        end as median_days_to_second_purchase,
        cast(observed_days >= {{ horizons | last }} as boolean) as is_complete
    from dated
)

select * from final
