-- Stops with the tier of seeds/loyalty_tiers.csv that is not dearer than one ranked below it: nobody would ever stand
-- in it, and whoever rises by value would fall by rank.

with tiers as (
    select * from {{ ref('loyalty_tiers') }}
),

problems as (
    select
        concat(
            'the tier `', upper_tier.tier, '` is ranked above `', lower_tier.tier,
            '`: its minimum_net_revenue must be higher, too'
        ) as problem
    from tiers as lower_tier
    inner join tiers as upper_tier on lower_tier.tier_rank < upper_tier.tier_rank
    where lower_tier.minimum_net_revenue >= upper_tier.minimum_net_revenue
)

select *
from problems
where {{ raise_error("concat(" ~ rule_file('loyalty_tiers') ~ ", ': ', problem)") }}
