{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per day and channel.

with current_rows as (
    {{ current_rows('marketing_spend') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.channel as {{ dbt.type_string() }}) as channel,
        cast(coalesce(current_rows.currency, settings.reporting_currency) as {{ dbt.type_string() }}) as currency,
        cast(current_rows.amount as {{ type_order_money() }}) as amount,
        cast(current_rows.spent_on as date) as spent_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
