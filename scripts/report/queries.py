"""Questions that the report and the summary of a night both ask, as SQL on the published file."""

from __future__ import annotations

# Only what passed its test on the last part of the history is there.
PREDICTED = """
    select
        count(predicted_value_365_days) as predicted_customers,
        count(*) as customers,
        sum(predicted_value_365_days) as predicted_value
    from marts.fct_customer_lifetime_value
"""

# Of the last month whose outcome is known; each is over all months up to it.
HEALTH = """
    select churn_basis, pooled_score_auc, pooled_silence_auc
    from marts.fct_health_skill
    where segment_type = 'all' and is_better_than_silence is not null
    qualify row_number() over (partition by churn_basis order by month desc) = 1
    order by churn_basis
"""

# Below it a score that beats silence is still hardly better than a coin.
TELLING_AUC = 0.55

OPEN_FINDINGS = """
    select
        count(*) as findings,
        count(*) filter (consecutive_findings = 1) as new_findings,
        min(failing_since) as oldest_since
    from marts.fct_data_quality
    where is_latest and is_finding
"""

# What the owner's own screen says, and we; what does not agree first.
CONTROL_TOTALS = """
    select month, measure, control_value, warehouse_value, is_agreed, explanation
    from marts.rpt_control_totals
    order by is_agreed, month desc, measure
"""
