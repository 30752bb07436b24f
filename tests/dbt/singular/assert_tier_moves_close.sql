-- Fails for a month and segment in which those who moved out of the tiers are not those who had moved into them the
-- month before, or those who are in a tier are not the customer base.

with moves as (
    select
        month,
        segment_type,
        segment_value,
        sum(case when from_tier <> 'none' then customers else 0 end) as from_customers,
        sum(customers) as to_customers
    from {{ ref('fct_loyalty_tier_moves') }}
    group by month, segment_type, segment_value
),

followed as (
    select
        *,
        lag(to_customers, 1, 0) over (
            partition by segment_type, segment_value order by month
        ) as previous_to_customers
    from moves
)

select followed.*
from followed
left join {{ ref('fct_customer_base') }} as base
    on
        followed.month = base.month
        and followed.segment_type = base.segment_type
        and followed.segment_value = base.segment_value
where
    followed.from_customers <> followed.previous_to_customers
    or followed.to_customers <> coalesce(base.base_customers, 0)
