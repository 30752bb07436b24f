-- Grain: one row per landed file and table, also of files that were corrected since.

with loads as (
    select * from {{ source('raw', 'loads') }}
),

final as (
    select
        cast(batch_id as {{ dbt.type_bigint() }}) as batch_id,
        cast(source_name as {{ dbt.type_string() }}) as source_name,
        cast(table_name as {{ dbt.type_string() }}) as table_name,
        cast(source_file as {{ dbt.type_string() }}) as source_file,
        cast(rows_read as {{ dbt.type_bigint() }}) as rows_read,
        cast(rows_accepted as {{ dbt.type_bigint() }}) as rows_accepted,
        cast(rows_rejected as {{ dbt.type_bigint() }}) as rows_rejected,
        cast(loaded_at as timestamp) as loaded_at,
        cast(is_current as boolean) as is_current
    from loads
)

select * from final
