-- Grain: one row per basis and segment: after how long do half of the customers leave for the first time, how many are
-- left after 30, 90, 180, 365 and 730 days, and does the segment leave at another pace than the others of its type? The
-- curves behind it are in fct_survival.

{%- set horizons = [30, 90, 180, 365, 730] %}

with survival as (
    select * from {{ ref('fct_survival') }}
),

tests as (
    select * from {{ ref('int_survival_tests') }}
),

windowed as (
    select
        *,
        lead(tenure_days) over (
            partition by basis, segment_type, segment_value order by tenure_days
        ) as next_tenure_days,
        sum(censored_customers) over (partition by basis, segment_type, segment_value) as all_censored_customers
    from survival
),

-- A rate holds until the day of the next row. The last one is known of its own day only: that the one customer who was
-- seen for so long left on it tells nothing of the others' later days, unless there are no others, and all have left.
steps as (
    select
        *,
        case
            when next_tenure_days is not null then next_tenure_days
            when all_censored_customers = 0 then greatest(tenure_days, {{ horizons | last }}) + 1
            else tenure_days + 1
        end as holds_until
    from windowed
),

summaries as (
    select
        basis,
        segment_type,
        segment_value,
        max(at_risk_customers) as customers,
        sum(churned_customers) as churned_customers,
        max(tenure_days) as longest_tenure_days,
        min(case when survival_rate <= 0.5 then tenure_days end) as median_tenure_days,
        min(case when survival_lower_95 <= 0.5 then tenure_days end) as median_lower_95,
        min(case when survival_upper_95 <= 0.5 then tenure_days end) as median_upper_95,
        {%- for days in horizons %}
            {%- for column, suffix in [
                ('survival_rate', ''), ('survival_lower_95', '_lower_95'), ('survival_upper_95', '_upper_95'),
            ] %}
                max(
                    case when tenure_days <= {{ days }} and holds_until > {{ days }} then {{ column }} end
                ) as survival_rate_{{ days }}_days{{ suffix }},
            {%- endfor %}
        {%- endfor %}
        -- The area under the curve.
        sum(
            case when tenure_days < 365 then survival_rate * (least(holds_until, 365) - tenure_days) end
        ) as mean_days_of_365
    from steps
    group by
        basis,
        segment_type,
        segment_value
),

final as (
    select
        cast(summaries.basis as {{ dbt.type_string() }}) as basis,
        cast(summaries.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(summaries.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(summaries.customers as {{ dbt.type_bigint() }}) as customers,
        cast(summaries.churned_customers as {{ dbt.type_bigint() }}) as churned_customers,
        cast(summaries.longest_tenure_days as {{ dbt.type_bigint() }}) as longest_tenure_days,
        cast(summaries.median_tenure_days as {{ dbt.type_bigint() }}) as median_tenure_days,
        -- From one departure nobody knows how far they scatter.
        cast(
            case when summaries.churned_customers > 1 then summaries.median_lower_95 end as {{ dbt.type_bigint() }}
        ) as median_tenure_days_lower_95,
        cast(
            case when summaries.churned_customers > 1 then summaries.median_upper_95 end as {{ dbt.type_bigint() }}
        ) as median_tenure_days_upper_95,
        {%- for days in horizons %}
            {%- for suffix in ['', '_lower_95', '_upper_95'] %}
                {%- set column = 'survival_rate_' ~ days ~ '_days' ~ suffix %}
                cast(summaries.{{ column }} as {{ type_ratio() }}) as {{ column }},
            {%- endfor %}
        {%- endfor %}
        cast(
            case when summaries.survival_rate_365_days is not null then summaries.mean_days_of_365 end
            as {{ type_ratio() }}
        ) as mean_tenure_days_of_365,
        cast(tests.expected_churned_customers as {{ type_ratio() }}) as expected_churned_customers,
        cast(tests.log_rank_chi_square as {{ type_ratio() }}) as log_rank_chi_square,
        cast(tests.log_rank_p_value as {{ type_ratio() }}) as log_rank_p_value,
        cast(tests.segment_type_chi_square as {{ type_ratio() }}) as segment_type_chi_square,
        cast(tests.segment_type_degrees_of_freedom as {{ dbt.type_bigint() }}) as segment_type_degrees_of_freedom,
        cast(tests.segment_type_p_value as {{ type_ratio() }}) as segment_type_p_value
    from summaries
    left join tests
        on
            summaries.basis = tests.basis
            and summaries.segment_type = tests.segment_type
            and summaries.segment_value = tests.segment_value
)

select * from final
