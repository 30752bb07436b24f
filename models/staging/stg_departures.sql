{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per statement of a source that a customer has left, or will. What it ends is judged in
-- int_stated_departures. A departure to come is a plan until its day.

with current_rows as (
    {{ current_rows('departures') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.departure_id as {{ dbt.type_string() }}) as departure_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(nullif(trim(current_rows.subscription_id), '') as {{ dbt.type_string() }}) as subscription_id,
        cast(current_rows.departed_on as date) as departed_on,
        cast({{ instant('current_rows', 'recorded_at') }} as timestamp) as recorded_at,
        cast({{ business_time('current_rows', 'recorded_at') }} as date) as recorded_on,
        cast(nullif(trim(current_rows.reason), '') as {{ dbt.type_string() }}) as reason,
        cast(nullif(trim(current_rows.comment), '') as {{ dbt.type_string() }}) as comment_text,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
