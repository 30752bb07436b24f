-- Grain: one row per run and check: of a table, or of one column of it.

with check_results as (
    select * from {{ source('raw', 'check_results') }}
),

final as (
    select
        cast(run_id as {{ dbt.type_string() }}) as run_id,
        cast(checked_at as timestamp) as checked_at,
        cast(as_of_date as date) as as_of_date,
        cast(border as {{ dbt.type_string() }}) as border,
        cast(table_name as {{ dbt.type_string() }}) as table_name,
        cast(coalesce(column_name, 'all') as {{ dbt.type_string() }}) as column_name,
        cast(check_name as {{ dbt.type_string() }}) as check_name,
        cast(severity as {{ dbt.type_string() }}) as severity,
        cast(status as {{ dbt.type_string() }}) as status,
        cast(observed as {{ dbt.type_string() }}) as observed,
        cast(expected as {{ dbt.type_string() }}) as expected,
        cast(observed_value as {{ type_ratio() }}) as observed_value,
        cast(lowest_value as {{ type_ratio() }}) as lowest_value,
        cast(highest_value as {{ type_ratio() }}) as highest_value,
        cast(rows_affected as {{ dbt.type_bigint() }}) as rows_affected,
        cast(message as {{ dbt.type_string() }}) as message
    from check_results
)

select * from final
