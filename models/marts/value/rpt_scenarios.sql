-- Grain: one row per scenario, basis and segment: what the customers of today would bring in the next twelve months
-- if they were kept, or paid, as the scenario assumes. A calculation, not a forecast. The scenario's change comes
-- from this base's own rates: with c customers at the end of the last complete month, v a month from each, and a
-- share r^12 of customers kept through a year, the value is c v (r + r^2 + ... + r^12), v over the last
-- scenario_history_months complete months, r^12 the share of those who were customers twelve months before. Where the
-- value models have passed their gate, what the very customers are expected to bring by them is the value that is
-- changed, in the proportion that the rates give; else it is that of the rates. Neither newcomers nor who had left
-- are in it. For what was observed month by month see fct_segment_lifetime_value.

with scenarios as (
    select * from {{ ref('scenarios') }}
),

observed_months as (
    select * from {{ ref('fct_segment_lifetime_value') }}
),

lifetime_values as (
    select * from {{ ref('fct_customer_lifetime_value') }}
),

spells as (
    select * from {{ ref('int_customer_spells') }}
),

customer_segments as (
    select *
    from {{ ref('int_customer_segments') }}
    where not {{ is_held_segment_type('segment_type') }}
),

{{ crossed_with_held() }},

subscription_months as (
    select * from {{ ref('int_subscription_months') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

horizon as (
    {{ number_series(1, 12) }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by segment_type, segment_value, basis, is_complete
            order by month desc
        ) as months_back
    from observed_months
),

-- Pooled, not a mean of rates: a month counts by its customers.
history as (
    select
        numbered.segment_type,
        numbered.segment_value,
        numbered.basis,
        min(case when numbered.is_complete then numbered.month end) as history_from,
        max(case when numbered.is_complete then numbered.month end) as history_until,
        sum(
            case
                when numbered.is_complete and numbered.is_window_observed and numbered.starting_customers > 0 then 1
                else 0
            end
        ) as history_months,
        sum(case when numbered.is_complete then numbered.starting_customers else 0 end) as starting_customers,
        sum(case when numbered.is_complete then numbered.lost_customers else 0 end) as lost_customers,
        sum(case when numbered.is_complete then numbered.active_customers else 0 end) as active_customers,
        sum(case when numbered.is_complete then numbered.revenue else 0 end) as revenue,
        sum(case when numbered.is_complete then coalesce(numbered.gross_margin, 0) else 0 end) as gross_margin,
        sum(
            case
                when numbered.is_complete and numbered.gross_margin is null and numbered.revenue <> 0 then 1 else 0
            end
        ) as unknown_margins,
        sum(
            case when numbered.is_complete and numbered.months_back = 1 then numbered.active_customers else 0 end
        ) as customers
    from numbered
    cross join settings
    where numbered.months_back <= settings.scenario_history_months
    group by numbered.segment_type, numbered.segment_value, numbered.basis
),

-- The last complete month, and the one twelve before it.
bounds as (
    select
        last_month,
        {{ add_months('last_month', -12) }} as first_month,
        {{ period_end('month', 'last_month') }} as last_day,
        {{ period_end('month', add_months('last_month', -12)) }} as first_day
    from (
        select max(month) as last_month
        from observed_months
        where is_complete
    ) as complete_months
),

-- Who was a customer twelve months before the end of the last complete month, and is one at it, in between or not.
year_customers as (
    select
        lifetime_values.customer_id,
        'orders' as basis,
        cast(null as {{ dbt.type_string() }}) as plan,
        cast(null as {{ dbt.type_string() }}) as billing_interval,
        max(
            case
                when spells.active_from <= bounds.last_day and {{ open_end('spells.active_until') }} > bounds.last_day
                    then 1
                else 0
            end
        ) as is_kept
    from lifetime_values
    cross join bounds
    inner join spells on lifetime_values.customer_id = spells.customer_id
    where lifetime_values.first_order_on <= bounds.first_day
    group by lifetime_values.customer_id
    having max(
        case
            when spells.active_from <= bounds.first_day and {{ open_end('spells.active_until') }} > bounds.first_day
                then 1
            else 0
        end
    ) = 1

    union all

    select
        subscription_months.customer_id,
        'subscription' as basis,
        -- As held on the eve of the next month.
        max(
            case
                when subscription_months.month = {{ add_months('bounds.first_month', 1) }}
                    then coalesce(subscription_months.plan, 'unknown')
            end
        ) as plan,
        max(
            case
                when subscription_months.month = {{ add_months('bounds.first_month', 1) }}
                    then coalesce(subscription_months.billing_interval, 'unknown')
            end
        ) as billing_interval,
        max(
            case
                when subscription_months.month = bounds.last_month and subscription_months.closing_mrr > 0 then 1
                else 0
            end
        ) as is_kept
    from subscription_months
    cross join bounds
    where
        subscription_months.month
        in (bounds.first_month, {{ add_months('bounds.first_month', 1) }}, bounds.last_month)
    group by subscription_months.customer_id
    having max(
        case
            when subscription_months.month = bounds.first_month and subscription_months.closing_mrr > 0 then 1
            else 0
        end
    ) = 1
),

year_subscribers as (
    select *
    from year_customers
    where basis = 'subscription'
),

held_year_segments as (
    {{ held_segments('year_subscribers', ['basis', 'is_kept']) }}
),

year_segments as (
    select
        year_customers.basis,
        year_customers.is_kept,
        customer_segments.segment_type,
        customer_segments.segment_value
    from year_customers
    inner join customer_segments on year_customers.customer_id = customer_segments.customer_id

    union all

    select * from held_year_segments
),

year_rates as (
    select
        basis,
        segment_type,
        segment_value,
        {{ ratio('sum(is_kept)', 'count(*)') }} as annual_retention_rate
    from year_segments
    group by basis, segment_type, segment_value
),

rated as (
    select
        history.*,
        year_rates.annual_retention_rate as observed_annual_retention_rate,
        case
            when history.customers = 0 then 'no customers'
            when history.history_months < settings.scenario_history_months then 'history too short'
            when history.revenue <= 0 then 'no revenue'
            when year_rates.annual_retention_rate is null then 'no customers a year before'
            -- More of none is none, and what a model expects cannot be scaled by it.
            when year_rates.annual_retention_rate = 0 then 'nobody kept through a year'
        end as scenario_reason,
        {{ ratio('(history.starting_customers - history.lost_customers)', 'history.starting_customers') }}
            as observed_retention_rate,
        {{ ratio('history.revenue', 'history.active_customers') }} as observed_monthly_value,
        -- Unknown of one month is unknown of all.
        case
            when history.unknown_margins = 0 then {{ ratio('history.gross_margin', 'history.revenue') }}
        end as observed_margin_rate
    from history
    cross join settings
    left join year_rates
        on
            history.segment_type = year_rates.segment_type
            and history.segment_value = year_rates.segment_value
            and history.basis = year_rates.basis
),

last_plans as (
    select
        customer_id,
        plan,
        billing_interval,
        closing_mrr
    from (
        select
            *,
            row_number() over (partition by customer_id order by month desc) as months_back
        from subscription_months
    ) as numbered_months
    where months_back = 1
),

-- Of the customers of today: who has lapsed, or pays no more, is none, though a model may expect some of them back.
predictions as (
    select
        lifetime_values.customer_id,
        'orders' as basis,
        lifetime_values.predicted_order_value_365_days as predicted_value
    from lifetime_values
    inner join spells on lifetime_values.customer_id = spells.customer_id
    where lifetime_values.order_count > 0 and spells.active_until is null

    union all

    select
        lifetime_values.customer_id,
        'subscription' as basis,
        lifetime_values.predicted_subscription_value_365_days as predicted_value
    from lifetime_values
    inner join last_plans on lifetime_values.customer_id = last_plans.customer_id
    where last_plans.closing_mrr > 0
),

subscriber_predictions as (
    select
        predictions.*,
        last_plans.plan,
        last_plans.billing_interval
    from predictions
    inner join last_plans on predictions.customer_id = last_plans.customer_id
    where predictions.basis = 'subscription'
),

-- Plan and interval are those of the last month, as in the months that the rates come from.
held_predictions as (
    {{ held_segments('subscriber_predictions', ['basis', 'predicted_value']) }}
),

segmented as (
    select
        predictions.basis,
        predictions.predicted_value,
        customer_segments.segment_type,
        customer_segments.segment_value
    from predictions
    inner join customer_segments on predictions.customer_id = customer_segments.customer_id

    union all

    select * from held_predictions
),

-- What is not known of one customer is not known of all.
predicted as (
    select
        basis,
        segment_type,
        segment_value,
        case when count(predicted_value) = count(*) then sum(predicted_value) end as predicted_value
    from segmented
    group by basis, segment_type, segment_value
),

-- The change is one of the share kept through a year: 5 % of a monthly rate would be compounded twelve times. That
-- share is observed too: who lapses in one month of a shop is often back in another, and the monthly rate to the
-- power of twelve would lose them.
assumed as (
    select
        rated.segment_type,
        rated.segment_value,
        rated.basis,
        scenarios.scenario,
        scenarios.scenario_label,
        scenarios.retention_change,
        scenarios.price_change,
        rated.history_from,
        rated.history_until,
        rated.history_months,
        rated.customers,
        rated.scenario_reason,
        case when rated.scenario_reason is null then rated.observed_retention_rate end as observed_retention_rate,
        case when rated.scenario_reason is null then rated.observed_monthly_value end as observed_monthly_value,
        case
            when rated.scenario_reason is null then rated.observed_annual_retention_rate
        end as observed_annual_retention_rate,
        case when rated.scenario_reason is null then rated.observed_margin_rate end as observed_margin_rate
    from rated
    cross join scenarios
),

changed as (
    select
        *,
        observed_annual_retention_rate * (1 + retention_change) > 1 as is_retention_capped,
        -- least() alone would turn what nobody knows into 1.
        case
            when observed_annual_retention_rate is not null
                then least(1, observed_annual_retention_rate * (1 + retention_change))
        end as annual_retention_rate,
        observed_monthly_value * (1 + price_change) as monthly_value
    from assumed
),

monthly as (
    select
        *,
        power(observed_annual_retention_rate, cast(1 as {{ type_ratio() }}) / 12) as unchanged_retention_rate,
        power(annual_retention_rate, cast(1 as {{ type_ratio() }}) / 12) as monthly_retention_rate
    from changed
),

valued as (
    select
        monthly.segment_type,
        monthly.segment_value,
        monthly.basis,
        monthly.scenario,
        sum(
            monthly.customers * monthly.observed_monthly_value * power(monthly.unchanged_retention_rate, horizon.number)
        ) as unchanged_value,
        sum(
            monthly.customers * monthly.monthly_value * power(monthly.monthly_retention_rate, horizon.number)
        ) as next_12_months_value
    from monthly
    cross join horizon
    group by monthly.segment_type, monthly.segment_value, monthly.basis, monthly.scenario
),

sourced as (
    select
        valued.segment_type,
        valued.segment_value,
        valued.basis,
        valued.scenario,
        case
            when valued.unchanged_value is null then null
            when predicted.predicted_value > 0 then 'predictions'
            else 'observed rates'
        end as value_source,
        case
            when valued.unchanged_value is not null and predicted.predicted_value > 0 then predicted.predicted_value
            else valued.unchanged_value
        end as unchanged_value,
        case
            when valued.unchanged_value is not null and predicted.predicted_value > 0
                then
                    predicted.predicted_value
                    * {{ ratio('valued.next_12_months_value', 'valued.unchanged_value') }}
            else valued.next_12_months_value
        end as next_12_months_value
    from valued
    left join predicted
        on
            valued.segment_type = predicted.segment_type
            and valued.segment_value = predicted.segment_value
            and valued.basis = predicted.basis
),

final as (
    select
        cast(monthly.scenario as {{ dbt.type_string() }}) as scenario,
        cast(monthly.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(monthly.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(monthly.basis as {{ dbt.type_string() }}) as basis,
        cast(monthly.scenario_label as {{ dbt.type_string() }}) as scenario_label,
        cast(monthly.retention_change as {{ type_ratio() }}) as retention_change,
        cast(monthly.price_change as {{ type_ratio() }}) as price_change,
        cast(monthly.history_from as date) as history_from,
        cast(monthly.history_until as date) as history_until,
        cast(monthly.history_months as {{ dbt.type_bigint() }}) as history_months,
        cast(monthly.customers as {{ dbt.type_bigint() }}) as customers,
        cast(monthly.observed_retention_rate as {{ type_ratio() }}) as observed_monthly_retention_rate,
        cast(monthly.observed_annual_retention_rate as {{ type_ratio() }}) as observed_annual_retention_rate,
        cast(monthly.observed_monthly_value as {{ type_ratio() }}) as observed_monthly_value,
        cast(monthly.observed_margin_rate as {{ type_ratio() }}) as observed_margin_rate,
        cast(monthly.monthly_retention_rate as {{ type_ratio() }}) as monthly_retention_rate,
        cast(monthly.annual_retention_rate as {{ type_ratio() }}) as annual_retention_rate,
        cast(monthly.is_retention_capped as boolean) as is_retention_capped,
        cast(monthly.monthly_value as {{ type_ratio() }}) as monthly_value,
        cast(sourced.value_source as {{ dbt.type_string() }}) as value_source,
        cast(sourced.unchanged_value as {{ type_money() }}) as unchanged_value,
        cast(sourced.next_12_months_value as {{ type_money() }}) as next_12_months_value,
        cast(
            cast(sourced.next_12_months_value as {{ type_money() }})
            - cast(sourced.unchanged_value as {{ type_money() }}) as {{ type_money() }}
        ) as value_change,
        {{ ratio('(sourced.next_12_months_value - sourced.unchanged_value)', 'sourced.unchanged_value') }}
            as value_change_share,
        -- A higher price costs us nothing: costs are those of what is sold, at the price as it was.
        cast(sourced.unchanged_value * monthly.observed_margin_rate as {{ type_money() }}) as unchanged_profit,
        cast(
            {{ ratio('sourced.next_12_months_value', '(1 + monthly.price_change)') }}
            * (monthly.observed_margin_rate + monthly.price_change) as {{ type_money() }}
        ) as next_12_months_profit,
        cast(monthly.scenario_reason as {{ dbt.type_string() }}) as scenario_reason
    from monthly
    inner join sourced
        on
            monthly.segment_type = sourced.segment_type
            and monthly.segment_value = sourced.segment_value
            and monthly.basis = sourced.basis
            and monthly.scenario = sourced.scenario
)

select * from final
