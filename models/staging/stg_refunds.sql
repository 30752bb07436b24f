{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per refund, in its own currency. For the reporting currency and whose refund it is see
-- int_refunds_valued.

with current_rows as (
    {{ current_rows('refunds') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.refund_id as {{ dbt.type_string() }}) as refund_id,
        cast(current_rows.order_id as {{ dbt.type_string() }}) as order_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(current_rows.reason as {{ dbt.type_string() }}) as reason,
        cast(current_rows.currency as {{ dbt.type_string() }}) as currency,
        cast(current_rows.amount as {{ type_order_money() }}) as amount,
        cast({{ instant('current_rows', 'refunded_at') }} as timestamp) as refunded_at,
        cast({{ business_time('current_rows', 'refunded_at') }} as date) as refunded_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
