-- Fails for each segment whose months do not hold all who moved to annual billing, and for `all` if the plans do not.

with totals as (
    select
        segment_type,
        segment_value,
        sum(converted_customers) as converted_customers,
        max(all_converted_customers) as all_converted_customers,
        max(all_customers) as all_customers
    from {{ ref('rpt_annual_conversion') }}
    group by segment_type, segment_value
),

plans as (
    select
        sum(all_customers) as all_customers,
        sum(all_converted_customers) as all_converted_customers
    from totals
    where segment_type = 'plan'
)

select totals.*
from totals
cross join plans
where
    totals.converted_customers <> totals.all_converted_customers
    or (
        totals.segment_type = 'all'
        and (
            totals.all_customers <> plans.all_customers
            or totals.all_converted_customers <> plans.all_converted_customers
        )
    )
