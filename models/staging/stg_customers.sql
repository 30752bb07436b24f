{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per customer as the source last told it. Whoever bought without standing here appears in
-- int_customers.

with current_rows as (
    {{ current_rows('customers') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(current_rows.country as {{ dbt.type_string() }}) as country,
        cast(current_rows.acquisition_channel as {{ dbt.type_string() }}) as acquisition_channel,
        cast(current_rows.company_segments as {{ dbt.type_string() }}) as company_segments,
        cast(current_rows.referred_by_customer_id as {{ dbt.type_string() }}) as referred_by_customer_id,
        cast(current_rows.email_hash as {{ dbt.type_string() }}) as email_hash,
        cast({{ instant('current_rows', 'signed_up_at') }} as timestamp) as signed_up_at,
        cast({{ business_time('current_rows', 'signed_up_at') }} as date) as signed_up_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
