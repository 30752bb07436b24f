{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per response; a response without a score is kept.

with current_rows as (
    {{ current_rows('survey_responses') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.response_id as {{ dbt.type_string() }}) as response_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(coalesce(current_rows.survey, 'nps') as {{ dbt.type_string() }}) as survey,
        cast(current_rows.score as {{ dbt.type_bigint() }}) as score,
        cast(current_rows.comment as {{ dbt.type_string() }}) as comment,
        cast({{ instant('current_rows', 'responded_at') }} as timestamp) as responded_at,
        cast({{ business_time('current_rows', 'responded_at') }} as date) as responded_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
