-- Grain: one row per basis, segment and day of tenure on which anybody of its segment type left: what the log-rank test
-- compares. A segment has a row on each such day, also if nobody of it left, or is left. `all` has no other to compare
-- with.

with counts as (
    select *
    from {{ ref('int_survival_counts') }}
    where segment_type <> 'all'
),

days as (
    select
        basis,
        segment_type,
        tenure_days,
        sum(churned_customers) as churned_customers
    from counts
    group by
        basis,
        segment_type,
        tenure_days
),

segments as (
    select distinct
        basis,
        segment_type,
        segment_value
    from counts
),

spine as (
    select
        segments.basis,
        segments.segment_type,
        segments.segment_value,
        days.tenure_days,
        days.churned_customers > 0 as is_departure_day
    from segments
    inner join days on segments.basis = days.basis and segments.segment_type = days.segment_type
),

-- Days on which only the stay of somebody ended count too, until all is summed.
filled as (
    select
        spine.*,
        coalesce(counts.churned_customers, 0) as churned_customers,
        sum(coalesce(counts.churned_customers + counts.censored_customers, 0)) over (
            partition by spine.basis, spine.segment_type, spine.segment_value
            order by spine.tenure_days desc
            rows between unbounded preceding and current row
        ) as at_risk_customers
    from spine
    left join counts
        on
            spine.basis = counts.basis
            and spine.segment_type = counts.segment_type
            and spine.segment_value = counts.segment_value
            and spine.tenure_days = counts.tenure_days
),

final as (
    select
        basis,
        segment_type,
        segment_value,
        tenure_days,
        cast(at_risk_customers as {{ dbt.type_bigint() }}) as at_risk_customers,
        cast(churned_customers as {{ dbt.type_bigint() }}) as churned_customers
    from filled
    where is_departure_day
)

select * from final
