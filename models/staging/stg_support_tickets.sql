{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per support ticket.

with current_rows as (
    {{ current_rows('support_tickets') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.ticket_id as {{ dbt.type_string() }}) as ticket_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(current_rows.priority as {{ dbt.type_string() }}) as priority,
        cast(current_rows.satisfaction as {{ dbt.type_bigint() }}) as satisfaction,
        cast({{ instant('current_rows', 'opened_at') }} as timestamp) as opened_at,
        cast({{ business_time('current_rows', 'opened_at') }} as date) as opened_on,
        cast({{ instant('current_rows', 'closed_at') }} as timestamp) as closed_at,
        cast({{ business_time('current_rows', 'closed_at') }} as date) as closed_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
