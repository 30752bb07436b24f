-- Grain: one row per basis, segment and day of tenure on which something happened, and one for day 0: the Kaplan-Meier
-- curve until the first departure. It is a step function: survival_rate holds from its day until the day of the next
-- row. Who is still here is censored at as_of_date. Medians, survival after a year and whether segments differ are in
-- rpt_survival_summary; retention by calendar, in fct_cohort_retention.

with counts as (
    select * from {{ ref('int_survival_counts') }}
),

-- When the last who are at risk leave, nobody is left, whatever was before.
factors as (
    select
        *,
        case
            when churned_customers < at_risk_customers
                then ln({{ ratio('(at_risk_customers - churned_customers)', 'at_risk_customers') }})
        end as log_factor,
        case
            when churned_customers < at_risk_customers
                then
                    {{ ratio('churned_customers', 'at_risk_customers') }}
                    / cast(at_risk_customers - churned_customers as {{ type_ratio() }})
        end as greenwood_term
    from counts
),

curves as (
    select
        *,
        case
            when churned_customers < at_risk_customers then exp(sum(log_factor) over until_here)
            else 0
        end as survival_rate,
        case
            when churned_customers < at_risk_customers then sum(greenwood_term) over until_here
        end as relative_variance
    from factors
    window until_here as (
        partition by basis, segment_type, segment_value
        order by tenure_days
        rows between unbounded preceding and current row
    )
),

-- On the scale of log(-log S) the interval never leaves 0 to 1. There is none at 1 and at 0: nothing has varied yet, or
-- nobody is left who could.
bounded as (
    select
        *,
        case
            when relative_variance > 0 and survival_rate < 1
                then exp({{ normal_quantile_95() }} * sqrt(relative_variance) / abs(ln(survival_rate)))
        end as interval_factor
    from curves
),

final as (
    select
        cast(basis as {{ dbt.type_string() }}) as basis,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(tenure_days as {{ dbt.type_bigint() }}) as tenure_days,
        cast(at_risk_customers as {{ dbt.type_bigint() }}) as at_risk_customers,
        cast(churned_customers as {{ dbt.type_bigint() }}) as churned_customers,
        cast(censored_customers as {{ dbt.type_bigint() }}) as censored_customers,
        -- A sum of logarithms: past twelve digits it is noise, that could keep a curve from touching one half.
        cast(round(survival_rate, 12) as {{ type_ratio() }}) as survival_rate,
        cast(round(survival_rate * sqrt(relative_variance), 12) as {{ type_ratio() }}) as standard_error,
        cast(round(power(survival_rate, interval_factor), 12) as {{ type_ratio() }}) as survival_lower_95,
        cast(round(power(survival_rate, 1 / interval_factor), 12) as {{ type_ratio() }}) as survival_upper_95
    from bounded
)

select * from final
