{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per customer, day and feature used.

with current_rows as (
    {{ current_rows('usage_events') }}
),

final as (
    select
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(current_rows.feature as {{ dbt.type_string() }}) as feature,
        cast(coalesce(current_rows.uses, 1) as {{ dbt.type_bigint() }}) as uses,
        cast(current_rows.minutes as {{ type_order_money() }}) as minutes,
        cast(current_rows.used_on as date) as used_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
)

select * from final
