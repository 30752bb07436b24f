-- Grain: one row per customer who pays by the month, could pay by the year, never has, and has been on monthly billing
-- at least as long as half of those who moved: what do they pay in a year, and what would the annual price be? The
-- median is that of their plan where enough moved, else of all; where too few moved nobody can say when it is time, and
-- there is no row. Whether those who had been there so long moved more often than those before them stands beside it:
-- it is no score, and there is no rank.

with conversions as (
    select *
    from {{ ref('int_annual_conversions') }}
    where converted_on is null and left_on is null
),

curves as (
    select * from {{ ref('rpt_annual_conversion') }}
),

periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid and ended_on is null and billing_interval = 'month'
),

annual_prices as (
    select
        plan,
        running_customers,
        running_mrr
    from {{ ref('int_plan_levels') }}
    where billing_interval = 'year' and running_customers > 0
),

settings as (
    select * from {{ ref('int_settings') }}
),

segments as (
    select
        curves.segment_type,
        curves.segment_value,
        curves.all_customers,
        curves.all_converted_customers,
        curves.median_months_to_conversion,
        sum(
            case
                when curves.months_on_monthly < curves.median_months_to_conversion then curves.at_risk_customers
                else 0
            end
        ) as months_before,
        sum(
            case
                when curves.months_on_monthly < curves.median_months_to_conversion then curves.converted_customers
                else 0
            end
        ) as converted_before,
        sum(
            case
                when curves.months_on_monthly >= curves.median_months_to_conversion then curves.at_risk_customers
                else 0
            end
        ) as months_since,
        sum(
            case
                when curves.months_on_monthly >= curves.median_months_to_conversion then curves.converted_customers
                else 0
            end
        ) as converted_since
    from curves
    cross join settings
    where curves.all_converted_customers >= settings.comparison_minimum_customers
    group by
        curves.segment_type,
        curves.segment_value,
        curves.all_customers,
        curves.all_converted_customers,
        curves.median_months_to_conversion
),

judged as (
    select
        *,
        {{ ratio('converted_before', 'months_before') }} as rate_before,
        {{ ratio('converted_since', 'months_since') }} as rate_since,
        {{ ratio('(converted_before + converted_since)', '(months_before + months_since)') }} as rate_of_both
    from segments
),

of_all as (
    select
        {%- for column in [
            'segment_type', 'all_customers', 'all_converted_customers', 'median_months_to_conversion', 'months_before',
            'converted_before', 'months_since', 'converted_since', 'rate_before', 'rate_since', 'rate_of_both',
        ] %}
            max({{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from judged
    where segment_type = 'all'
),

-- Several contracts by the month are asked about together.
paying as (
    select
        customer_id,
        sum(mrr) as mrr,
        min(coalesce(plan, 'unknown')) as plan,
        count(distinct coalesce(plan, 'unknown')) as plans
    from periods
    group by customer_id
),

candidates as (
    select
        conversions.customer_id,
        paying.plan,
        conversions.began_on,
        {{ months_over('conversions.began_on', 'settings.as_of_date') }} as months_on_monthly,
        paying.mrr,
        annual_prices.running_customers as annual_customers,
        annual_prices.running_mrr as annual_mrr,
        coalesce(of_plan.segment_type, of_all.segment_type) as similar_by,
        coalesce(of_plan.median_months_to_conversion, of_all.median_months_to_conversion)
            as median_months_to_conversion,
        coalesce(of_plan.all_customers, of_all.all_customers) as similar_customers,
        coalesce(of_plan.all_converted_customers, of_all.all_converted_customers) as similar_converted_customers,
        {%- for column in ['months_before', 'converted_before', 'months_since', 'converted_since'] %}
            case when of_plan.segment_type is null then of_all.{{ column }} else of_plan.{{ column }} end
                as {{ column }},
        {%- endfor %}
        {%- for column in ['rate_before', 'rate_since', 'rate_of_both'] %}
            case when of_plan.segment_type is null then of_all.{{ column }} else of_plan.{{ column }} end
                as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from conversions
    inner join paying on conversions.customer_id = paying.customer_id and paying.plans = 1
    inner join annual_prices on paying.plan = annual_prices.plan
    cross join settings
    cross join of_all
    left join judged as of_plan on of_plan.segment_type = 'plan' and paying.plan = of_plan.segment_value
),

final as (
    select
        cast(customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(plan as {{ dbt.type_string() }}) as plan,
        cast(began_on as date) as monthly_since,
        cast(months_on_monthly as {{ dbt.type_bigint() }}) as months_on_monthly,
        cast(12 * mrr as {{ type_money() }}) as paid_in_a_year,
        cast(12 * annual_mrr as {{ type_money() }}) as annual_price,
        cast(12 * mrr - 12 * annual_mrr as {{ type_money() }}) as saving,
        cast(annual_customers as {{ dbt.type_bigint() }}) as annual_customers,
        cast(similar_by as {{ dbt.type_string() }}) as similar_by,
        cast(similar_customers as {{ dbt.type_bigint() }}) as similar_customers,
        cast(similar_converted_customers as {{ dbt.type_bigint() }}) as similar_converted_customers,
        cast(median_months_to_conversion as {{ type_ratio() }}) as median_months_to_conversion,
        cast(months_before as {{ dbt.type_bigint() }}) as customer_months_before,
        cast(converted_before as {{ dbt.type_bigint() }}) as conversions_before,
        cast(months_since as {{ dbt.type_bigint() }}) as customer_months_since,
        cast(converted_since as {{ dbt.type_bigint() }}) as conversions_since,
        rate_before as monthly_conversion_rate_before,
        rate_since as monthly_conversion_rate_since,
        cast(
            case
                when months_before > 0 and months_since > 0
                    then
                        rate_since - rate_before
                        > {{ normal_quantile_95() }} * sqrt(
                            rate_of_both * (1 - rate_of_both)
                            * ({{ ratio('1', 'months_before') }} + {{ ratio('1', 'months_since') }})
                        )
            end as boolean
        ) as is_more_likely_than_before
    from candidates
    where months_on_monthly >= median_months_to_conversion
)

select * from final
