-- Grain: one row per month and segment: what became of the subscribers and the monthly recurring revenue (MRR)
-- with which the month began. Plan and billing interval are those held when it began, so that a customer who
-- changes plans is counted where they came from; closing amounts are those of the same customers. For single
-- customers see fct_subscription_movements.

{%- set movement_columns = [
    'customer_id', 'month', 'movement', 'opening_mrr', 'new_mrr', 'reactivation_mrr', 'expansion_mrr',
    'contraction_mrr', 'churn_mrr', 'closing_mrr',
] %}

with movements as (
    select * from {{ ref('fct_subscription_movements') }}
),

months as (
    select * from {{ ref('int_months') }}
),

segments as (
    select *
    from {{ ref('int_customer_segments') }}
    where not {{ is_held_segment_type('segment_type') }}
),

{{ crossed_with_held() }},

held as (
    {{ held_segments('movements', movement_columns) }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segments

    union

    select distinct
        segment_type,
        segment_value
    from held
),

segmented as (
    select
        {%- for column in movement_columns %}
            movements.{{ column }},
        {%- endfor %}
        segments.segment_type,
        segments.segment_value
    from movements
    inner join segments on movements.customer_id = segments.customer_id

    union all

    select * from held
),

totals as (
    select
        month,
        segment_type,
        segment_value,
        sum(case when opening_mrr > 0 then 1 else 0 end) as opening_customers,
        sum(case when movement = 'new' then 1 else 0 end) as new_customers,
        sum(case when movement = 'reactivation' then 1 else 0 end) as reactivated_customers,
        sum(case when movement = 'expansion' then 1 else 0 end) as expanded_customers,
        sum(case when movement = 'contraction' then 1 else 0 end) as contracted_customers,
        sum(case when movement = 'churn' then 1 else 0 end) as churned_customers,
        sum(case when closing_mrr > 0 then 1 else 0 end) as closing_customers,
        sum(opening_mrr) as opening_mrr,
        sum(new_mrr) as new_mrr,
        sum(reactivation_mrr) as reactivation_mrr,
        sum(expansion_mrr) as expansion_mrr,
        sum(contraction_mrr) as contraction_mrr,
        sum(churn_mrr) as churn_mrr,
        sum(closing_mrr) as closing_mrr
    from segmented
    group by month, segment_type, segment_value
),

-- Of those who paid when the twelve months up to this one began: what is left of their MRR, and what it has become. By
-- the plan and interval they had then; who returned within the year counts by what they pay now.
year_kept as (
    select
        {{ add_months('began.month', 11) }} as month,
        began.segment_type,
        began.segment_value,
        sum(began.opening_mrr) as year_opening_mrr,
        sum(least(began.opening_mrr, coalesce(ended.closing_mrr, 0))) as year_kept_mrr,
        sum(coalesce(ended.closing_mrr, 0)) as year_closing_mrr
    from segmented as began
    left join movements as ended
        on began.customer_id = ended.customer_id and {{ add_months('began.month', 11) }} = ended.month
    where began.opening_mrr > 0
    group by {{ add_months('began.month', 11) }}, began.segment_type, began.segment_value
),

{%- set counts = [
    'opening_customers', 'new_customers', 'reactivated_customers', 'expanded_customers', 'contracted_customers',
    'churned_customers', 'closing_customers',
] %}
{%- set amounts = [
    'opening_mrr', 'new_mrr', 'reactivation_mrr', 'expansion_mrr', 'contraction_mrr', 'churn_mrr', 'closing_mrr',
] %}

combined as (
    select
        months.month,
        months.is_complete,
        segment_values.segment_type,
        segment_values.segment_value,
        {%- for column in counts + amounts %}
            coalesce(totals.{{ column }}, 0) as {{ column }},
        {%- endfor %}
        year_kept.year_opening_mrr,
        year_kept.year_kept_mrr,
        year_kept.year_closing_mrr
    from months
    cross join segment_values
    left join totals
        on
            months.month = totals.month
            and segment_values.segment_type = totals.segment_type
            and segment_values.segment_value = totals.segment_value
    left join year_kept
        on
            months.month = year_kept.month
            and segment_values.segment_type = year_kept.segment_type
            and segment_values.segment_value = year_kept.segment_value
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        {%- for column in counts %}
            cast({{ column }} as {{ dbt.type_bigint() }}) as {{ column }},
        {%- endfor %}
        {%- for column in amounts %}
            cast({{ column }} as {{ type_money() }}) as {{ column }},
        {%- endfor %}
        case when is_complete then {{ ratio('churned_customers', 'opening_customers') }} end as logo_churn_rate,
        case
            when is_complete then {{ ratio('(churn_mrr + contraction_mrr)', 'opening_mrr') }}
        end as gross_mrr_churn_rate,
        case
            when is_complete then {{ ratio('(churn_mrr + contraction_mrr - expansion_mrr)', 'opening_mrr') }}
        end as net_mrr_churn_rate,
        case
            when is_complete then {{ ratio('(opening_mrr - churn_mrr - contraction_mrr)', 'opening_mrr') }}
        end as gross_revenue_retention_rate,
        case
            when is_complete
                then {{ ratio('(opening_mrr - churn_mrr - contraction_mrr + expansion_mrr)', 'opening_mrr') }}
        end as net_revenue_retention_rate,
        case
            when is_complete
                then {{ ratio('(new_mrr + reactivation_mrr + expansion_mrr)', '(churn_mrr + contraction_mrr)') }}
        end as quick_ratio,
        case
            when is_complete then {{ ratio('year_kept_mrr', 'year_opening_mrr') }}
        end as trailing_12_month_gross_revenue_retention_rate,
        case
            when is_complete then {{ ratio('year_closing_mrr', 'year_opening_mrr') }}
        end as trailing_12_month_net_revenue_retention_rate,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final
