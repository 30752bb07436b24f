{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per currency and day on which a rate was published. For the rate of any day see
-- int_exchange_rates.

with current_rows as (
    {{ current_rows('exchange_rates') }}
),

final as (
    select
        cast(current_rows.currency as {{ dbt.type_string() }}) as currency,
        cast(current_rows.rate_date as date) as rate_date,
        cast(current_rows.rate_to_reporting as decimal(28, 12)) as rate_to_reporting,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
)

select * from final
