-- Fails for each pair of `crossed_segments` with more values than the setting crossed_segments_maximum_values: each is
-- a row of each period in each mart, and of few customers.

with segment_values as (
    select distinct
        segment_type,
        segment_value
    from {{ ref('fct_customer_base') }}

    union

    -- With plan and interval as held in the course of time there may be more of them.
    select distinct
        segment_type,
        segment_value
    from {{ ref('rpt_subscription_retention') }}
),

crossed_segments as (
    select segment_type
    from {{ ref('int_crossed_segments') }}
),

counted as (
    select
        segment_values.segment_type,
        count(*) as segment_values
    from segment_values
    inner join crossed_segments on segment_values.segment_type = crossed_segments.segment_type
    group by segment_values.segment_type
)

select counted.*
from counted
cross join {{ ref('int_settings') }} as settings
where counted.segment_values > settings.crossed_segments_maximum_values
