-- Fails when no class of time away begins at 0 days, or one begins before: who left yesterday would be in none.

with lowest as (
    select min(minimum_days_away) as minimum_days_away
    from {{ ref('winback_ages') }}
)

select *
from lowest
where coalesce(minimum_days_away, -1) <> 0
