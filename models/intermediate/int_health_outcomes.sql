{{ config(materialized='view') }}

-- Grain: one row per customer and month at whose end they were active and could still leave: how healthy were they, and
-- did they leave within health_outcome_days? Who had given notice by then is left out: that they leave is known, and no
-- prediction. Former subscribers who only order are left out too: in the churn database they have left already.

with health as (
    select *
    from {{ ref('fct_customer_health') }}
    where churn_basis is not null
),

churn_spells as (
    select * from {{ ref('int_churn_spells') }}
),

customers as (
    select
        customer_id,
        segment_group
    from {{ ref('int_customers') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

settings as (
    select * from {{ ref('int_settings') }}
),

noticed as (
    select distinct customer_id
    from periods
    where cancel_requested_on is not null
),

-- All that they pay for on the day is cancelled.
notices as (
    select
        month_ends.customer_id,
        month_ends.month
    from {{ ref('fct_customer_health') }} as month_ends
    inner join noticed on month_ends.customer_id = noticed.customer_id
    inner join periods
        on
            month_ends.customer_id = periods.customer_id
            and month_ends.observed_until >= periods.started_on
            and {{ open_end('periods.ended_on') }} > month_ends.observed_until
    group by month_ends.customer_id, month_ends.month
    having min(case when periods.cancel_requested_on <= month_ends.observed_until then 1 else 0 end) = 1
),

final as (
    select
        health.customer_id,
        health.month,
        health.churn_basis,
        customers.segment_group,
        health.health_band,
        health.health_score,
        {%- for component in health_components() %}
            health.{{ component }}_band,
        {%- endfor %}
        -- What anybody would look at first: how long has nothing been heard of them?
        case
            when health.churn_basis = 'orders' then health.order_recency_value else health.usage_recency_value
        end as silence,
        coalesce(
            churn_spells.churned_on <= {{ add_days('health.observed_until', 'settings.health_outcome_days') }}, false
        ) as has_left
    from health
    inner join churn_spells
        on health.customer_id = churn_spells.customer_id and health.spell_number = churn_spells.spell_number
    inner join customers on health.customer_id = customers.customer_id
    cross join settings
    left join notices on health.customer_id = notices.customer_id and health.month = notices.month
    where notices.customer_id is null
)

select * from final
