-- Fails for each month in which the customers of fct_customer_months do not sum to what fct_customer_base,
-- fct_customer_retention_rate and rpt_subscription_retention say.

{%- set base = [
    'new_customers', 'reactivated_customers', 'lapsed_customers', 'order_count', 'net_revenue', 'subscription_revenue',
] %}
{%- set retention = [
    'starting_customers', 'ending_customers', 'lost_customers', 'gained_customers', 'retained_customers',
] %}
{%- set subscriptions = [
    'opening_mrr', 'new_mrr', 'reactivation_mrr', 'expansion_mrr', 'contraction_mrr', 'churn_mrr', 'closing_mrr',
] %}

with summed as (
    select
        month,
        {%- for column in base + retention + subscriptions %}
            sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('fct_customer_months') }}
    group by month
),

told as (
    select
        base.month,
        {%- for column in base %}
            base.{{ column }},
        {%- endfor %}
        {%- for column in retention %}
            retention.{{ column }},
        {%- endfor %}
        {%- for column in subscriptions %}
            subscriptions.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('fct_customer_base') }} as base
    inner join {{ ref('fct_customer_retention_rate') }} as retention
        on
            base.month = retention.period_start
            and retention.period_type = 'month'
            and base.segment_type = retention.segment_type
            and base.segment_value = retention.segment_value
    inner join {{ ref('rpt_subscription_retention') }} as subscriptions
        on
            base.month = subscriptions.month
            and base.segment_type = subscriptions.segment_type
            and base.segment_value = subscriptions.segment_value
    where base.segment_type = 'all'
)

select told.month
from told
left join summed on told.month = summed.month
where
    {%- for column in base + retention + subscriptions %}
        {{ 'or ' if not loop.first }}told.{{ column }} <> coalesce(summed.{{ column }}, 0)
    {%- endfor %}
