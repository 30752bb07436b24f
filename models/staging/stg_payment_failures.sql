{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per failed payment.

with current_rows as (
    {{ current_rows('payment_failures') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.failure_id as {{ dbt.type_string() }}) as failure_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(current_rows.amount as {{ type_order_money() }}) as amount,
        cast(current_rows.recovered as boolean) as is_recovered,
        cast({{ instant('current_rows', 'failed_at') }} as timestamp) as failed_at,
        cast({{ business_time('current_rows', 'failed_at') }} as date) as failed_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
