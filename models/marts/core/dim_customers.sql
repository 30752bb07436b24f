-- Grain: one row per customer or prospect: everything we know of one person, as of as_of_date. No e-mail, name
-- or phone. For how they stood in earlier months see the period marts; for their value in detail
-- fct_customer_lifetime_value.

with customers as (
    select * from {{ ref('int_customers') }}
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

standing as (
    select * from {{ ref('int_customer_current_standing') }}
),

lifetime_values as (
    select * from {{ ref('fct_customer_lifetime_value') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

health as (
    select *
    from {{ ref('fct_customer_health') }}
),

responses as (
    select *
    from {{ ref('fct_nps_responses') }}
    where is_last_of_customer
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Health at the end of the month of as_of_date, which is at as_of_date itself.
current_health as (
    select
        health.customer_id,
        health.health_band,
        health.health_score,
        health.main_driver
    from health
    inner join settings on health.observed_until = settings.as_of_date
),

last_spell_numbers as (
    select
        customer_id,
        max(spell_number) as spell_number
    from spells
    group by customer_id
),

last_spells as (
    select
        spells.customer_id,
        spells.spell_number,
        spells.active_from,
        spells.active_until
    from spells
    inner join last_spell_numbers
        on spells.customer_id = last_spell_numbers.customer_id and spells.spell_number = last_spell_numbers.spell_number
),

subscriptions as (
    select
        customer_id,
        max(case when ended_on is null then 1 else 0 end) as open_periods,
        -- Cancelled, all of them, and only running out.
        min(
            case
                when ended_on is not null then null
                when cancel_requested_on is null then 0
                else 1
            end
        ) as all_cancelled
    from periods
    where is_paid
    group by customer_id
),

-- Equal values get equal scores: a quintile by rank, not by position.
ranked as (
    select
        customer_id,
        rank() over (order by last_order_on) as recency_rank,
        rank() over (order by order_day_count) as frequency_rank,
        count(*) over () as customer_count
    from lifetime_values
    where order_count > 0
),

-- What customers have brought, by orders and subscriptions: all of them have brought something, or nothing.
ranked_values as (
    select
        customer_id,
        rank() over (order by historic_value) as monetary_rank,
        count(*) over () as customer_count
    from lifetime_values
),

scored as (
    select
        customer_id,
        1 + floor((recency_rank - 1) * 5.0 / customer_count) as recency_score,
        1 + floor((frequency_rank - 1) * 5.0 / customer_count) as frequency_score
    from ranked
),

valued as (
    select
        customer_id,
        1 + floor((monetary_rank - 1) * 5.0 / customer_count) as monetary_score
    from ranked_values
),

joined as (
    select
        customers.*,
        settings.as_of_date,
        last_spells.spell_number,
        last_spells.active_from,
        last_spells.active_until,
        standing.customer_segment,
        standing.loyalty_tier,
        scored.recency_score,
        scored.frequency_score,
        valued.monetary_score,
        lifetime_values.order_count,
        lifetime_values.order_day_count,
        lifetime_values.gross_revenue,
        lifetime_values.refunded_amount,
        lifetime_values.net_revenue,
        lifetime_values.average_order_value,
        lifetime_values.subscription_value,
        lifetime_values.historic_value,
        lifetime_values.probability_alive,
        lifetime_values.predicted_value_365_days,
        current_health.health_band,
        current_health.health_score,
        current_health.main_driver as health_driver,
        responses.nps_category as last_nps_category,
        coalesce(subscriptions.open_periods, 0) = 1 as has_open_subscription,
        coalesce(subscriptions.all_cancelled, 0) = 1 as is_subscription_cancelled,
        {{ add_days('settings.as_of_date', '-settings.new_customer_days') }} as new_after,
        {{ add_days('settings.as_of_date', '-settings.at_risk_after_days') }} as silent_before
    from customers
    cross join settings
    left join last_spells on customers.customer_id = last_spells.customer_id
    left join standing on customers.customer_id = standing.customer_id
    left join scored on customers.customer_id = scored.customer_id
    left join valued on customers.customer_id = valued.customer_id
    left join lifetime_values on customers.customer_id = lifetime_values.customer_id
    left join subscriptions on customers.customer_id = subscriptions.customer_id
    left join current_health on customers.customer_id = current_health.customer_id
    left join responses on customers.customer_id = responses.customer_id
),

final as (
    select
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(country as {{ dbt.type_string() }}) as country,
        cast(acquisition_channel as {{ dbt.type_string() }}) as acquisition_channel,
        cast(company_segments as {{ dbt.type_string() }}) as company_segments,
        cast(referred_by_customer_id as {{ dbt.type_string() }}) as referred_by_customer_id,
        cast(first_plan as {{ dbt.type_string() }}) as first_plan,
        {%- for segment_type in ['plan', 'billing_interval'] %}
            cast({{ segment_types()[segment_type] }} as {{ dbt.type_string() }}) as segment_{{ segment_type }},
        {%- endfor %}
        -- Specific before general.
        cast(
            case
                when not is_customer then 'prospect'
                when active_until is not null then 'churned'
                when is_subscription_cancelled then 'at_risk'
                when spell_number > 1 and active_from > new_after then 'reactivated'
                when spell_number = 1 and active_from > new_after then 'new'
                when not has_open_subscription and last_order_on <= silent_before then 'at_risk'
                else 'active'
            end as {{ dbt.type_string() }}
        ) as lifecycle_stage,
        cast(coalesce(customer_segment, 'prospect') as {{ dbt.type_string() }}) as customer_segment,
        cast(loyalty_tier as {{ dbt.type_string() }}) as loyalty_tier,
        cast(recency_score as {{ dbt.type_bigint() }}) as recency_score,
        cast(frequency_score as {{ dbt.type_bigint() }}) as frequency_score,
        cast(monetary_score as {{ dbt.type_bigint() }}) as monetary_score,
        cast(health_band as {{ dbt.type_string() }}) as health_band,
        cast(health_score as {{ type_ratio() }}) as health_score,
        cast(health_driver as {{ dbt.type_string() }}) as health_driver,
        cast(last_nps_category as {{ dbt.type_string() }}) as last_nps_category,
        cast(signed_up_on as date) as signed_up_on,
        cast(first_order_on as date) as first_order_on,
        cast(last_order_on as date) as last_order_on,
        cast(cohort_month as date) as cohort_month,
        {{ days_between('first_purchase_on', 'as_of_date') }} as tenure_days,
        cast(coalesce(order_count, 0) as {{ dbt.type_bigint() }}) as order_count,
        cast(coalesce(order_day_count, 0) as {{ dbt.type_bigint() }}) as order_day_count,
        cast(coalesce(gross_revenue, 0) as {{ type_money() }}) as gross_revenue,
        cast(coalesce(refunded_amount, 0) as {{ type_money() }}) as refunded_amount,
        cast(coalesce(net_revenue, 0) as {{ type_money() }}) as net_revenue,
        cast(average_order_value as {{ type_money() }}) as average_order_value,
        cast(coalesce(subscription_value, 0) as {{ type_money() }}) as subscription_value,
        cast(coalesce(historic_value, 0) as {{ type_money() }}) as historic_value,
        cast(predicted_value_365_days as {{ type_money() }}) as predicted_value_365_days,
        cast(probability_alive as {{ type_ratio() }}) as probability_alive,
        cast(is_registered as boolean) as is_registered,
        cast(is_customer as boolean) as is_customer,
        cast(is_customer and active_until is null as boolean) as is_active,
        cast(as_of_date as date) as as_of_date
    from joined
)

select * from final
