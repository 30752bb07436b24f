{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per period of a subscription with one plan and price, as delivered. Overlaps are clipped in
-- int_subscription_periods: it takes the whole subscription, and staging is kept row by row.

with current_rows as (
    {{ current_rows('subscriptions') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.subscription_id as {{ dbt.type_string() }}) as subscription_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(current_rows.plan as {{ dbt.type_string() }}) as plan,
        cast(current_rows.billing_interval as {{ dbt.type_string() }}) as billing_interval,
        cast(current_rows.cancel_type as {{ dbt.type_string() }}) as cancel_type,
        cast(current_rows.cancel_reason as {{ dbt.type_string() }}) as cancel_reason,
        cast(current_rows.cancel_comment as {{ dbt.type_string() }}) as cancel_comment,
        cast(coalesce(current_rows.currency, settings.reporting_currency) as {{ dbt.type_string() }}) as currency,
        cast(current_rows.amount as {{ type_order_money() }}) as amount,
        cast(coalesce(current_rows.discount_amount, 0) as {{ type_order_money() }}) as discount_amount,
        cast(current_rows.started_on as date) as started_on,
        cast(current_rows.ended_on as date) as ended_on,
        cast(current_rows.cancel_requested_on as date) as cancel_requested_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
