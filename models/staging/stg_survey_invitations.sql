{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='_row_key',
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('stg_settings')) }}",
    )
}}

-- Grain: one row per invitation to a survey.

with current_rows as (
    {{ current_rows('survey_invitations') }}
),

settings as (
    select * from {{ ref('stg_settings') }}
),

final as (
    select
        cast(current_rows.invitation_id as {{ dbt.type_string() }}) as invitation_id,
        cast(current_rows.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(coalesce(current_rows.survey, 'nps') as {{ dbt.type_string() }}) as survey,
        cast({{ instant('current_rows', 'sent_at') }} as timestamp) as sent_at,
        cast({{ business_time('current_rows', 'sent_at') }} as date) as sent_on,
        cast(current_rows._row_key as {{ dbt.type_string() }}) as _row_key,
        cast(current_rows._batch_id as {{ dbt.type_bigint() }}) as _batch_id
    from current_rows
    cross join settings
)

select * from final
