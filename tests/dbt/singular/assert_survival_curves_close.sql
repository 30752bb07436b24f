-- Fails for a row of fct_survival that does not go on from the row before it: at risk are those of the row before less
-- those who left and those who were last seen on it; survival never rises; and the last row leaves nobody.

with survival as (
    select
        *,
        lead(at_risk_customers, 1, 0) over of_curve as next_at_risk_customers,
        lead(survival_rate, 1, 0) over of_curve as next_survival_rate
    from {{ ref('fct_survival') }}
    window of_curve as (partition by basis, segment_type, segment_value order by tenure_days)
)

select *
from survival
where
    next_at_risk_customers <> at_risk_customers - churned_customers - censored_customers
    or next_survival_rate > survival_rate
