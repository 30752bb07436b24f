-- Grain: one row per month, basis and segment: does the health score tell who leaves within health_outcome_days
-- better than the obvious rule, silence? AUC: of two customers, one of whom left and one stayed, how often does
-- the one who left look worse (a tie counts half; 0.5 is chance)? Lift: how much more often did the worst tenth
-- leave than all? Customers whose health is unknown are in neither. For the bands see fct_health_outcomes.

{% set rules = ['score', 'silence'] -%}

with outcomes as (
    select * from {{ ref('int_health_outcomes') }}
),

months as (
    select * from {{ ref('int_months') }}
),

segments as (
    select * from {{ ref('int_segment_groups') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

-- Customers are counted once, by what both rules say of them.
standings as (
    select
        month,
        churn_basis,
        segment_group,
        health_score,
        silence,
        count(*) as customers,
        count(case when has_left then 1 end) as churned_customers
    from outcomes
    where health_score is not null
    group by month, churn_basis, segment_group, health_score, silence
),

-- The higher, the worse. Whoever cannot be told apart by a rule stands together: values are few, customers are not.
group_counts as (
    {%- for rule in rules %}
        {%- set risk = '-health_score' if rule == 'score' else 'coalesce(silence, -1)' %}
        select
            month,
            churn_basis,
            segment_group,
            '{{ rule }}' as rule_name,
            {{ risk }} as risk,
            sum(customers) as customers,
            sum(churned_customers) as churned_customers
        from standings
        group by month, churn_basis, segment_group, {{ risk }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

counts as (
    select
        group_counts.month,
        group_counts.churn_basis,
        segments.segment_type,
        segments.segment_value,
        group_counts.rule_name,
        group_counts.risk,
        cast(sum(group_counts.customers) as {{ dbt.type_bigint() }}) as customers,
        cast(sum(group_counts.churned_customers) as {{ dbt.type_bigint() }}) as churned_customers
    from group_counts
    inner join segments on group_counts.segment_group = segments.segment_group
    group by
        group_counts.month,
        group_counts.churn_basis,
        segments.segment_type,
        segments.segment_value,
        group_counts.rule_name,
        group_counts.risk
),

-- All who look as bad or less so, and all there are.
cumulated as (
    select
        *,
        sum(customers) over ascending as customers_up_to,
        sum(customers - churned_customers) over ascending as stayed_up_to,
        sum(customers) over (
            partition by month, churn_basis, segment_type, segment_value, rule_name
        ) as all_customers
    from counts
    window ascending as (
        partition by month, churn_basis, segment_type, segment_value, rule_name
        order by risk
        rows between unbounded preceding and current row
    )
),

-- Twice the pairs, so that half a pair is a whole number; ten times the customers, so that a tenth of them is.
measured as (
    select
        *,
        churned_customers * (2 * stayed_up_to - (customers - churned_customers)) as ordered_half_pairs,
        least(
            greatest(all_customers - 10 * (all_customers - customers_up_to), 0), 10 * customers
        ) as worst_tenth_customers_times_ten
    from cumulated
),

totals as (
    select
        month,
        churn_basis,
        segment_type,
        segment_value,
        rule_name,
        sum(customers) as customers,
        sum(churned_customers) as churned_customers,
        2 * sum(churned_customers) * (sum(customers) - sum(churned_customers)) as half_pairs,
        sum(ordered_half_pairs) as ordered_half_pairs,
        -- Of those who look alike at the edge of the tenth, as many as belong to it, left and stayed alike.
        sum(
            cast(
                {{ ratio('churned_customers * worst_tenth_customers_times_ten', '10 * customers') }}
                as decimal(28, 6)
            )
        ) as worst_tenth_churned_customers
    from measured
    group by month, churn_basis, segment_type, segment_value, rule_name
),

by_month as (
    select
        totals.month,
        totals.churn_basis,
        totals.segment_type,
        totals.segment_value,
        max(totals.customers) as customers,
        max(totals.churned_customers) as churned_customers,
        max(totals.half_pairs) as half_pairs,
        {%- for rule in rules %}
            max(case when totals.rule_name = '{{ rule }}' then totals.ordered_half_pairs end)
                as {{ rule }}_ordered_half_pairs,
            max(case when totals.rule_name = '{{ rule }}' then totals.worst_tenth_churned_customers end)
                as {{ rule }}_worst_tenth_churned_customers,
        {%- endfor %}
        {{ add_days('max(months.month_end_on)', 'max(settings.health_outcome_days)') }} <= max(settings.as_of_date)
            as is_complete
    from totals
    inner join months on totals.month = months.month
    cross join settings
    group by totals.month, totals.churn_basis, totals.segment_type, totals.segment_value
),

-- Of all months whose outcome is known, this one among them. Pairs are of one month each.
pooled as (
    select
        *,
        sum(case when is_complete then half_pairs else 0 end) over so_far as pooled_half_pairs,
        {%- for rule in rules %}
            sum(case when is_complete then {{ rule }}_ordered_half_pairs else 0 end) over so_far
                as pooled_{{ rule }}_ordered_half_pairs{{ ',' if not loop.last }}
        {%- endfor %}
    from by_month
    window so_far as (
        partition by churn_basis, segment_type, segment_value
        order by month
        rows between unbounded preceding and current row
    )
),

final as (
    select
        cast(month as date) as month,
        cast(churn_basis as {{ dbt.type_string() }}) as churn_basis,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        cast(churned_customers as {{ dbt.type_bigint() }}) as churned_customers,
        {%- for rule in rules %}
            case
                when is_complete then {{ ratio(rule ~ '_ordered_half_pairs', 'half_pairs') }}
            end as {{ rule }}_auc,
        {%- endfor %}
        {%- for rule in rules %}
            case
                when is_complete
                    then {{ ratio('10 * ' ~ rule ~ '_worst_tenth_churned_customers', 'churned_customers') }}
            end as {{ rule }}_lift,
        {%- endfor %}
        {%- for rule in rules %}
            case
                when is_complete
                    then {{ ratio('pooled_' ~ rule ~ '_ordered_half_pairs', 'pooled_half_pairs') }}
            end as pooled_{{ rule }}_auc,
        {%- endfor %}
        case
            when is_complete and pooled_half_pairs > 0
                then pooled_score_ordered_half_pairs > pooled_silence_ordered_half_pairs
        end as is_better_than_silence,
        cast(is_complete as boolean) as is_complete
    from pooled
)

select * from final
