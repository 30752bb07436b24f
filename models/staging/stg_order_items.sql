{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per line of an order. Of an order that was delivered again, only the lines of the last delivery are
-- left.

with current_rows as (
    {{ current_rows('order_items') }}
),

last_deliveries as (
    {{ last_deliveries('order_items') }}
),

final as (
    select
        cast(current_rows.order_id as {{ dbt.type_string() }}) as order_id,
        cast(current_rows.line_number as {{ dbt.type_bigint() }}) as line_number,
        cast(current_rows.product_id as {{ dbt.type_string() }}) as product_id,
        cast(current_rows.product_name as {{ dbt.type_string() }}) as product_name,
        cast(current_rows.category as {{ dbt.type_string() }}) as category,
        cast(current_rows.quantity as {{ type_order_money() }}) as quantity,
        cast(current_rows.unit_price as {{ type_order_money() }}) as unit_price,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    left join last_deliveries on current_rows.order_id = last_deliveries.order_id
    where current_rows._file_sequence >= coalesce(last_deliveries.since, 0)
)

select * from final
