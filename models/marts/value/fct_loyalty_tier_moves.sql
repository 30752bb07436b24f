-- Grain: one row per month, segment, and pair of loyalty tiers: how many customers stood in `from_tier` at the
-- end of the month before and in `to_tier` at the end of this one; who was no customer before comes from
-- `none`. Staying is a move too, so that the row sums are the tiers of the month before and the column sums
-- those of the month.

with month_ends as (
    select * from {{ ref('int_customer_month_ends') }}
),

months as (
    select * from {{ ref('int_months') }}
),

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

segment_values as (
    select distinct
        segment_type,
        segment_value
    from segment_groups
),

tiers as (
    select
        tier,
        tier_rank
    from {{ ref('loyalty_tiers') }}
),

from_tiers as (
    select
        tier,
        tier_rank
    from tiers
    union all
    select
        'none' as tier,
        0 as tier_rank
),

spine as (
    select
        months.month,
        months.is_complete,
        segment_values.segment_type,
        segment_values.segment_value,
        from_tiers.tier as from_tier,
        from_tiers.tier_rank as from_tier_rank,
        tiers.tier as to_tier,
        tiers.tier_rank as to_tier_rank
    from months
    cross join segment_values
    cross join from_tiers
    cross join tiers
),

group_totals as (
    select
        month,
        segment_group,
        previous_loyalty_tier as from_tier,
        loyalty_tier as to_tier,
        count(*) as customers
    from month_ends
    group by month, segment_group, previous_loyalty_tier, loyalty_tier
),

totals as (
    {{ sum_by_segment('group_totals', ['month', 'from_tier', 'to_tier'], ['customers']) }}
),

combined as (
    select
        spine.month,
        spine.segment_type,
        spine.segment_value,
        spine.from_tier,
        spine.from_tier_rank,
        spine.to_tier,
        spine.to_tier_rank,
        spine.is_complete,
        coalesce(totals.customers, 0) as customers,
        sum(coalesce(totals.customers, 0)) over (
            partition by spine.month, spine.segment_type, spine.segment_value, spine.from_tier
        ) as from_tier_customers
    from spine
    left join totals
        on
            spine.month = totals.month
            and spine.segment_type = totals.segment_type
            and spine.segment_value = totals.segment_value
            and spine.from_tier = totals.from_tier
            and spine.to_tier = totals.to_tier
),

final as (
    select
        cast(month as date) as month,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value,
        cast(from_tier as {{ dbt.type_string() }}) as from_tier,
        cast(to_tier as {{ dbt.type_string() }}) as to_tier,
        cast(
            case
                when from_tier_rank = 0 then 'joined'
                when to_tier_rank > from_tier_rank then 'up'
                when to_tier_rank < from_tier_rank then 'down'
                when to_tier_rank = from_tier_rank then 'stayed'
            end as {{ dbt.type_string() }}
        ) as direction,
        cast(customers as {{ dbt.type_bigint() }}) as customers,
        case when is_complete then {{ ratio('customers', 'from_tier_customers') }} end as move_rate,
        cast(is_complete as boolean) as is_complete
    from combined
)

select * from final
