-- Grain: one row per customer and month in which there is something to add up: they were active at one of its ends or
-- in between, ordered, got money back, or paid for a subscription. All measures are sums: over the customers of a month
-- they are the figures of fct_customer_base, fct_customer_retention_rate and rpt_subscription_retention, whatever the
-- customers are divided by; over months only the flows are. Guests are nobody's and not in it. A month in which
-- somebody was silent has no row.

with months as (
    select * from {{ ref('int_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

spells as (
    select
        spells.customer_id,
        spells.spell_number,
        {{ month_start('spells.active_from') }} as first_month,
        {{ month_start('spells.active_until') }} as lapse_month,
        coalesce(spells.active_until, settings.as_of_date) as seen_until
    from {{ ref('int_customer_spells') }} as spells
    cross join settings
),

customer_months as (
    select * from {{ ref('int_customer_months') }}
),

subscription_months as (
    select * from {{ ref('int_subscription_months') }}
),

movements as (
    select * from {{ ref('fct_subscription_movements') }}
),

-- The months of a spell, those in which it begins and ends included.
spell_months as (
    {{ expand_months(
        'spells', ['customer_id', 'spell_number', 'first_month', 'lapse_month'], 'first_month', 'seen_until'
    ) }}
),

{% set counts = [
    'starting_customers', 'ending_customers', 'new_customers', 'reactivated_customers', 'lapsed_customers', 'order_count',
] -%}
{%- set amounts = [
    'subscription_revenue', 'opening_mrr', 'new_mrr', 'reactivation_mrr', 'expansion_mrr', 'contraction_mrr', 'churn_mrr',
    'closing_mrr',
] -%}
{%- set parts = {
    'activity': counts[:-1],
    'purchases': ['order_count', 'net_revenue'],
    'payments': amounts[:1],
    'recurring': amounts[1:],
} -%}
activity as (
    select
        customer_id,
        month,
        case when month > first_month then 1 else 0 end as starting_customers,
        case when {{ open_end('lapse_month') }} > month then 1 else 0 end as ending_customers,
        case when month = first_month and spell_number = 1 then 1 else 0 end as new_customers,
        case when month = first_month and spell_number > 1 then 1 else 0 end as reactivated_customers,
        case when month = lapse_month then 1 else 0 end as lapsed_customers
    from spell_months
),

purchases as (
    select
        customer_id,
        month,
        order_count,
        net_revenue
    from customer_months
    where order_count <> 0 or net_revenue <> 0
),

payments as (
    select
        customer_id,
        month,
        subscription_revenue
    from subscription_months
    where subscription_revenue <> 0
),

recurring as (
    select *
    from movements
    where movement <> 'inactive'
),

combined as (
    {%- for part, own in parts.items() %}
        select
            customer_id,
            month,
            {%- for column in counts + ['net_revenue'] + amounts %}
                {{ column if column in own else '0 as ' ~ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ part }}
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

totals as (
    select
        customer_id,
        month,
        {%- for column in counts + ['net_revenue'] + amounts %}
            sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from combined
    group by customer_id, month
),

final as (
    select
        cast(totals.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(totals.month as date) as month,
        cast(
            case when movements.customer_id is null then 'none' else coalesce(movements.plan, 'unknown') end
            as {{ dbt.type_string() }}
        ) as plan,
        cast(
            case when movements.customer_id is null then 'none' else coalesce(movements.billing_interval, 'unknown') end
            as {{ dbt.type_string() }}
        ) as billing_interval,
        {%- for column in counts %}
            cast(totals.{{ column }} as {{ dbt.type_bigint() }}) as {{ column }},
        {%- endfor %}
        cast(
            case when totals.starting_customers > totals.ending_customers then 1 else 0 end as {{ dbt.type_bigint() }}
        ) as lost_customers,
        cast(
            case when totals.ending_customers > totals.starting_customers then 1 else 0 end as {{ dbt.type_bigint() }}
        ) as gained_customers,
        cast(
            case when totals.starting_customers + totals.ending_customers = 2 then 1 else 0 end
            as {{ dbt.type_bigint() }}
        ) as retained_customers,
        cast(totals.net_revenue as {{ type_order_money() }}) as net_revenue,
        {%- for column in amounts %}
            cast(totals.{{ column }} as {{ type_money() }}) as {{ column }},
        {%- endfor %}
        cast(
            {{ add_days('settings.first_event_on', 'settings.active_window_days') }} <= totals.month as boolean
        ) as is_window_observed,
        cast(months.is_complete as boolean) as is_complete
    from totals
    inner join months on totals.month = months.month
    cross join settings
    left join movements on totals.customer_id = movements.customer_id and totals.month = movements.month
)

select * from final
