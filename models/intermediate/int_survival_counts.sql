-- Grain: one row per basis, segment and day of tenure on which a first departure, or the last that was seen of somebody
-- who stayed, was counted, and one for day 0. Who stayed until the day is at risk on it with those who left: departures
-- come first. For the curve see fct_survival.

with tenures as (
    select * from {{ ref('int_survival_tenures') }}
),

segment_values as (
    select * from {{ ref('int_customer_segment_values') }}
),

subscriber_tenures as (
    select *
    from tenures
    where basis = 'subscription'
),

{{ crossed_with_held() }},

-- A subscriber is seen from the first paid day, so plan and interval are those of that day, also if they came as a
-- shopper. As a shopper they have neither.
held as (
    {{ held_segments('subscriber_tenures', ['basis', 'tenure_days', 'has_churned']) }}
),

subjects as (
    select
        tenures.basis,
        tenures.tenure_days,
        tenures.has_churned,
        segment_values.segment_type,
        segment_values.segment_value
    from tenures
    inner join segment_values on tenures.customer_id = segment_values.customer_id
    where not {{ is_held_segment_type('segment_values.segment_type') }}

    union all

    select * from held
),

days as (
    select
        basis,
        segment_type,
        segment_value,
        tenure_days,
        sum(case when has_churned then 1 else 0 end) as churned_customers,
        sum(case when has_churned then 0 else 1 end) as censored_customers
    from subjects
    group by
        basis,
        segment_type,
        segment_value,
        tenure_days

    union all

    select distinct
        basis,
        segment_type,
        segment_value,
        0 as tenure_days,
        0 as churned_customers,
        0 as censored_customers
    from subjects
),

totals as (
    select
        basis,
        segment_type,
        segment_value,
        tenure_days,
        sum(churned_customers) as churned_customers,
        sum(censored_customers) as censored_customers
    from days
    group by
        basis,
        segment_type,
        segment_value,
        tenure_days
),

final as (
    select
        basis,
        segment_type,
        segment_value,
        cast(tenure_days as {{ dbt.type_bigint() }}) as tenure_days,
        cast(
            sum(churned_customers + censored_customers) over (
                partition by basis, segment_type, segment_value
                order by tenure_days desc
                rows between unbounded preceding and current row
            ) as {{ dbt.type_bigint() }}
        ) as at_risk_customers,
        cast(churned_customers as {{ dbt.type_bigint() }}) as churned_customers,
        cast(censored_customers as {{ dbt.type_bigint() }}) as censored_customers
    from totals
)

select * from final
