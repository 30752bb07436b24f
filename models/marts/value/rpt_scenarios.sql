-- Grain: one row per scenario, basis and segment: what the customers of today would bring in the next twelve months
-- if they were kept, or paid, as the scenario assumes. A calculation, not a forecast. The scenario's change comes
-- from this base's own rates: with c customers at the end of the last complete month, v a month from each, and a
-- monthly retention rate r, the value is c v (r + r^2 + ... + r^12), v and r over the last scenario_history_months
-- complete months. Where the value models have passed their gate, what the very customers are expected to bring by
-- them is the value that is changed, in the proportion that the rates give; else it is that of the rates. Newcomers
-- are in neither. For what was observed month by month see fct_segment_lifetime_value.

with scenarios as (
    select * from {{ ref('scenarios') }}
),

observed_months as (
    select * from {{ ref('fct_segment_lifetime_value') }}
),

predictions as (
    select
        customer_id,
        'orders' as basis,
        predicted_order_value_365_days as predicted_value
    from {{ ref('fct_customer_lifetime_value') }}
    where order_count > 0

    union all

    select
        customer_id,
        'subscription' as basis,
        predicted_subscription_value_365_days as predicted_value
    from {{ ref('fct_customer_lifetime_value') }}
    where paid_month_count > 0
),

customer_segments as (
    select *
    from {{ ref('int_customer_segments') }}
    where segment_type not in ('plan', 'billing_interval')
),

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
        sum(
            case when numbered.is_complete and numbered.months_back = 1 then numbered.active_customers else 0 end
        ) as customers
    from numbered
    cross join settings
    where numbered.months_back <= settings.scenario_history_months
    group by numbered.segment_type, numbered.segment_value, numbered.basis
),

rated as (
    select
        history.*,
        case
            when history.customers = 0 then 'no customers'
            when history.history_months < settings.scenario_history_months then 'history too short'
            when history.revenue <= 0 then 'no revenue'
        end as scenario_reason,
        {{ ratio('(history.starting_customers - history.lost_customers)', 'history.starting_customers') }}
            as observed_retention_rate,
        {{ ratio('history.revenue', 'history.active_customers') }} as observed_monthly_value
    from history
    cross join settings
),

last_plans as (
    select
        customer_id,
        plan,
        billing_interval
    from (
        select
            *,
            row_number() over (partition by customer_id order by month desc) as months_back
        from subscription_months
    ) as numbered_months
    where months_back = 1
),

-- Plan and interval are those of the last month, as in the months that the rates come from.
segmented as (
    select
        predictions.basis,
        predictions.predicted_value,
        customer_segments.segment_type,
        customer_segments.segment_value
    from predictions
    inner join customer_segments on predictions.customer_id = customer_segments.customer_id

    {%- for segment_type in ['plan', 'billing_interval'] %}

        union all

        select
            predictions.basis,
            predictions.predicted_value,
            '{{ segment_type }}' as segment_type,
            coalesce(last_plans.{{ segment_type }}, 'unknown') as segment_value
        from predictions
        inner join last_plans on predictions.customer_id = last_plans.customer_id
        where predictions.basis = 'subscription'
    {%- endfor %}
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

-- The change is one of the share kept through a year: 5 % of a monthly rate would be compounded twelve times.
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
            when rated.scenario_reason is null then power(rated.observed_retention_rate, 12)
        end as observed_annual_retention_rate
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
        -- A change of nothing leaves the observed rate as it is, to the last digit.
        case
            when retention_change = 0 then observed_retention_rate
            else power(annual_retention_rate, cast(1 as {{ type_ratio() }}) / 12)
        end as monthly_retention_rate
    from changed
),

valued as (
    select
        monthly.segment_type,
        monthly.segment_value,
        monthly.basis,
        monthly.scenario,
        sum(
            monthly.customers * monthly.observed_monthly_value * power(monthly.observed_retention_rate, horizon.number)
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
