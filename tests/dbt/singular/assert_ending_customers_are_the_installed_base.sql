-- Fails for a month and segment whose customers active at the end are not the installed base: one of two marts counts
-- another window or another segment.

with rates as (
    select
        period_start as month,
        segment_type,
        segment_value,
        ending_customers
    from {{ ref('fct_customer_retention_rate') }}
    where period_type = 'month'
)

select
    coalesce(rates.month, base.month) as month,
    coalesce(rates.segment_type, base.segment_type) as segment_type,
    coalesce(rates.segment_value, base.segment_value) as segment_value,
    rates.ending_customers,
    base.installed_customers
from rates
full outer join {{ ref('fct_customer_base') }} as base
    on
        rates.month = base.month
        and rates.segment_type = base.segment_type
        and rates.segment_value = base.segment_value
where coalesce(rates.ending_customers, -1) <> coalesce(base.installed_customers, -1)
