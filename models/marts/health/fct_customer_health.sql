{{ config(materialized='view') }}

-- Grain: one row per customer and month at whose end they were active: how healthy are they, and what made them so?
-- From events up to the month-end (as_of_date, in a month that is not over), so that the row of a past month never
-- changes by what came later. Whether the score predicts is in fct_health_outcomes.

with customer_health as (
    select * from {{ ref('int_customer_health') }}
),

months as (
    select * from {{ ref('int_months') }}
),

final as (
    select
        cast(customer_health.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(customer_health.month as date) as month,
        cast(customer_health.observed_until as date) as observed_until,
        cast(customer_health.spell_number as {{ dbt.type_bigint() }}) as spell_number,
        cast(customer_health.churn_basis as {{ dbt.type_string() }}) as churn_basis,
        cast(customer_health.health_band as {{ dbt.type_string() }}) as health_band,
        cast(customer_health.health_score as {{ type_ratio() }}) as health_score,
        cast(customer_health.main_driver as {{ dbt.type_string() }}) as main_driver,
        cast(customer_health.previous_health_band as {{ dbt.type_string() }}) as previous_health_band,
        cast(customer_health.band_change as {{ dbt.type_string() }}) as band_change,
        cast(customer_health.change_driver as {{ dbt.type_string() }}) as change_driver,
        {%- for component in health_components() %}
            cast(customer_health.{{ component }}_value as {{ type_ratio() }}) as {{ component }}_value,
            cast(customer_health.{{ component }}_band as {{ dbt.type_string() }}) as {{ component }}_band,
        {%- endfor %}
        cast(months.is_complete as boolean) as is_complete
    from customer_health
    inner join months on customer_health.month = months.month
)

select * from final
