-- Grain: one row per run and check: of a table, or of one column of it. `is_latest` picks what holds now. Checks are
-- dbt's tests of a build and the expectations of a validation. What a build found that stopped the night is told by the
-- next one that passes.

with check_results as (
    select * from {{ ref('stg_check_results') }}
),

-- A build begins before its validation, and each has its own checks. A night without news asks for the age of the rows
-- alone; it does not tell which checks there are.
full_runs as (
    select
        max(case when border = 'build' then checked_at end) as built_at,
        max(case when border = 'marts' then checked_at end) as validated_at
    from check_results
),

judged as (
    select
        *,
        status in ('warn', 'fail', 'error') as is_finding,
        {{ days_between("cast('2000-01-01' as date)", 'cast(checked_at as date)') }} as day_number,
        row_number() over (
            partition by border, table_name, column_name, check_name
            order by checked_at desc, run_id desc
        ) as recency
    from check_results
),

-- A streak ends with a pass, and with nothing else: without a verdict nobody knows.
streaks as (
    select
        *,
        sum(case when status = 'pass' then 1 else 0 end) over (
            partition by border, table_name, column_name, check_name
            order by checked_at, run_id
            rows between unbounded preceding and current row
        ) as streak
    from judged
),

history as (
    select
        *,
        min(case when is_finding then checked_at end) over (
            partition by border, table_name, column_name, check_name, streak
            order by checked_at, run_id
            rows between unbounded preceding and current row
        ) as failing_since,
        sum(case when is_finding then 1 else 0 end) over (
            partition by border, table_name, column_name, check_name, streak
            order by checked_at, run_id
            rows between unbounded preceding and current row
        ) as consecutive_findings,
        max(case when status = 'pass' then checked_at end) over (
            partition by border, table_name, column_name, check_name
            order by checked_at, run_id
            rows between unbounded preceding and current row
        ) as last_passed_at,
        sum(case when is_finding then 1 else 0 end) over (
            partition by border, table_name, column_name, check_name
            order by day_number
            range between 29 preceding and current row
        ) as findings_30_days,
        sum(case when is_finding then 1 else 0 end) over (
            partition by border, table_name, column_name, check_name
            order by day_number
            range between 89 preceding and current row
        ) as findings_90_days
    from streaks
),

final as (
    select
        cast(history.run_id as {{ dbt.type_string() }}) as run_id,
        cast(history.border as {{ dbt.type_string() }}) as border,
        cast(history.table_name as {{ dbt.type_string() }}) as table_name,
        cast(history.column_name as {{ dbt.type_string() }}) as column_name,
        cast(history.check_name as {{ dbt.type_string() }}) as check_name,
        cast(history.severity as {{ dbt.type_string() }}) as severity,
        cast(history.status as {{ dbt.type_string() }}) as status,
        cast(history.observed as {{ dbt.type_string() }}) as observed,
        cast(history.expected as {{ dbt.type_string() }}) as expected,
        cast(history.message as {{ dbt.type_string() }}) as message,
        cast(history.consecutive_findings as {{ dbt.type_bigint() }}) as consecutive_findings,
        cast(history.findings_30_days as {{ dbt.type_bigint() }}) as findings_30_days,
        cast(history.findings_90_days as {{ dbt.type_bigint() }}) as findings_90_days,
        cast(history.rows_affected as {{ dbt.type_bigint() }}) as rows_affected,
        cast(history.observed_value as {{ type_ratio() }}) as observed_value,
        cast(history.lowest_value as {{ type_ratio() }}) as lowest_value,
        cast(history.highest_value as {{ type_ratio() }}) as highest_value,
        cast(history.is_finding as boolean) as is_finding,
        cast(
            history.recency = 1
            and history.checked_at >= coalesce(
                case when history.border = 'build' then full_runs.built_at else full_runs.validated_at end,
                history.checked_at
            )
            as boolean
        ) as is_latest,
        cast(history.as_of_date as date) as as_of_date,
        cast(history.checked_at as timestamp) as checked_at,
        cast(history.failing_since as timestamp) as failing_since,
        cast(history.last_passed_at as timestamp) as last_passed_at
    from history
    cross join full_runs
)

select * from final
