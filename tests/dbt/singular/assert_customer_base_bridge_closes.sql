-- Fails for a month and segment in which base or installed customers are not those of the month before plus new and
-- reactivated less lapsed ones.

with base as (
    select
        *,
        lag(base_customers, 1, 0) over months_of_segment as previous_base_customers,
        lag(installed_customers, 1, 0) over months_of_segment as previous_installed_customers
    from {{ ref('fct_customer_base') }}
    window months_of_segment as (partition by segment_type, segment_value order by month)
)

select *
from base
where
    base_customers <> previous_base_customers + new_customers
    or installed_customers
    <> previous_installed_customers + new_customers + reactivated_customers - lapsed_customers
