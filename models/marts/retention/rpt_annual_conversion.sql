-- Grain: one row per segment (`all`, and each plan) and month on monthly billing: of those who still paid by the month
-- and could pay by the year, how many moved to annual billing in it, and how many in all by its end? Leaving is an end
-- of its own, not a loss of sight: the cumulative rate is that of moving before leaving (Aalen and Johansen 1978). How
-- many moved in all, and after how many months, stands in each row of a segment. For whom to ask see
-- rpt_annual_candidates.

with conversions as (
    select *
    from {{ ref('int_annual_conversions') }}
    where first_month <= last_month
),

settings as (
    select * from {{ ref('int_settings') }}
),

segmented as (
    select
        'all' as segment_type,
        'all' as segment_value,
        conversions.*
    from conversions

    union all

    select
        'plan' as segment_type,
        plan as segment_value,
        conversions.*
    from conversions
),

totals as (
    select
        segment_type,
        segment_value,
        0 as first_number,
        max(last_month) as last_number,
        count(*) as all_customers,
        count(case when has_converted then 1 end) as all_converted_customers,
        {{ percentile('case when has_converted then last_month end', 0.5) }} as median_months_to_conversion
    from segmented
    group by segment_type, segment_value
),

spine as (
    {{ expand_numbers(
        'totals',
        ['segment_type', 'segment_value', 'all_customers', 'all_converted_customers', 'median_months_to_conversion'],
        'first_number',
        'last_number'
    ) }}
),

-- Who comes into the risk set, and who is no more in it.
changes as (
    select
        segment_type,
        segment_value,
        first_month as number,
        1 as change,
        0 as converted,
        0 as departed
    from segmented

    union all

    select
        segment_type,
        segment_value,
        last_month as number,
        0 as change,
        case when has_converted then 1 else 0 end as converted,
        case when has_left then 1 else 0 end as departed
    from segmented

    union all

    select
        segment_type,
        segment_value,
        last_month + 1 as number,
        -1 as change,
        0 as converted,
        0 as departed
    from segmented
),

changed as (
    select
        segment_type,
        segment_value,
        number,
        sum(change) as change,
        sum(converted) as converted,
        sum(departed) as departed
    from changes
    group by segment_type, segment_value, number
),

counted as (
    select
        spine.*,
        sum(coalesce(changed.change, 0)) over until_here as at_risk_customers,
        coalesce(changed.converted, 0) as converted_customers,
        coalesce(changed.departed, 0) as left_customers
    from spine
    left join changed
        on
            spine.segment_type = changed.segment_type
            and spine.segment_value = changed.segment_value
            and spine.number = changed.number
    window until_here as (
        partition by spine.segment_type, spine.segment_value
        order by spine.number
        rows between unbounded preceding and current row
    )
),

stayed as (
    select
        *,
        {{ ratio('converted_customers', 'at_risk_customers') }} as conversion_rate,
        {{ ratio('(at_risk_customers - converted_customers - left_customers)', 'at_risk_customers') }} as stay_rate
    from counted
),

-- Who had neither moved nor left when the month began.
remained as (
    select
        *,
        min(at_risk_customers) over (
            partition by segment_type, segment_value order by number rows between unbounded preceding and current row
        ) as fewest_at_risk,
        case
            when coalesce(min(stay_rate) over before, 1) = 0 then 0
            else exp(coalesce(sum(case when stay_rate > 0 then ln(stay_rate) end) over before, 0))
        end as remaining_share
    from stayed
    window before as (
        partition by segment_type, segment_value
        order by number
        rows between unbounded preceding and 1 preceding
    )
),

cumulated as (
    select
        *,
        sum(remaining_share * coalesce(conversion_rate, 0)) over (
            partition by segment_type, segment_value order by number rows between unbounded preceding and current row
        ) as cumulative_rate
    from remained
),

final as (
    select
        cast(cumulated.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(cumulated.segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(cumulated.number as {{ dbt.type_bigint() }}) as months_on_monthly,
        cast(cumulated.at_risk_customers as {{ dbt.type_bigint() }}) as at_risk_customers,
        cast(cumulated.converted_customers as {{ dbt.type_bigint() }}) as converted_customers,
        cast(cumulated.left_customers as {{ dbt.type_bigint() }}) as left_customers,
        cast(
            case
                when cumulated.at_risk_customers >= settings.comparison_minimum_customers then cumulated.conversion_rate
            end as {{ type_ratio() }}
        ) as conversion_rate,
        cast(
            case
                when cumulated.fewest_at_risk >= settings.comparison_minimum_customers then cumulated.cumulative_rate
            end as {{ type_ratio() }}
        ) as cumulative_conversion_rate,
        cast(cumulated.all_customers as {{ dbt.type_bigint() }}) as all_customers,
        cast(cumulated.all_converted_customers as {{ dbt.type_bigint() }}) as all_converted_customers,
        cast(cumulated.median_months_to_conversion as {{ type_ratio() }}) as median_months_to_conversion
    from cumulated
    cross join settings
)

select * from final
