-- Fails for a period that does not start with the customers with whom the one before ended.

with periods as (
    select
        *,
        lag(ending_customers, 1, 0) over (
            partition by period_type, segment_type, segment_value order by period_start
        ) as previous_ending_customers
    from {{ ref('fct_customer_retention_rate') }}
)

select *
from periods
where starting_customers <> previous_ending_customers
