{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per order as the source last told it, in its own currency. For amounts in the reporting
-- currency, refunds and whether it counts see int_orders_valued.

with current_rows as (
    {{ current_rows('orders') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.order_id as {{ dbt.type_string() }}) as order_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(coalesce(current_rows.status, 'completed') as {{ dbt.type_string() }}) as status,
        cast(coalesce(current_rows.currency, settings.reporting_currency) as {{ dbt.type_string() }}) as currency,
        cast(current_rows.gross_amount as {{ type_order_money() }}) as gross_amount,
        cast(coalesce(current_rows.discount_amount, 0) as {{ type_order_money() }}) as discount_amount,
        cast(current_rows.cost_amount as {{ type_order_money() }}) as cost_amount,
        cast({{ instant('current_rows', 'ordered_at') }} as timestamp) as ordered_at,
        cast({{ business_time('current_rows', 'ordered_at') }} as date) as ordered_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
