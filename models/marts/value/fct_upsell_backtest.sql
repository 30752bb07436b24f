-- Grain: one row: on quarters that it had not seen, did the group of use that had gone up most do so more often than
-- the others of the same plan? The obvious rule is the plan alone: all of a plan alike. Only if it was better are the
-- rates, and the order, of rpt_upsell_candidates by plan and use. Plans are held against themselves (Mantel and
-- Haenszel 1959).

with standings as (
    select *
    from {{ ref('int_upsell_standings') }}
    where is_observed and extract(month from month) in (1, 4, 7, 10)
),

windows as (
    select *
    from {{ ref('int_clv_windows') }}
    where window_name = 'calibration'
),

settings as (
    select * from {{ ref('int_settings') }}
),

parted as (
    select
        standings.*,
        standings.later_month <= windows.observed_until as is_known,
        standings.month > windows.observed_until as is_held_out
    from standings
    cross join windows
),

known_groups as (
    select
        parted.use_group,
        count(*) as quarters,
        count(case when parted.has_gone_up then 1 end) as upgrades
    from parted
    where parted.is_known and parted.use_group <> 'unknown'
    group by parted.use_group
),

-- The first whose rate is at least that of all others; of equal ones the larger.
ranked_groups as (
    select
        known_groups.*,
        row_number() over (
            order by
                {{ ratio('known_groups.upgrades', 'known_groups.quarters') }} desc,
                known_groups.quarters desc,
                known_groups.use_group asc
        ) as place
    from known_groups
    inner join settings on known_groups.quarters >= settings.comparison_minimum_customers
),

best_group as (
    select *
    from ranked_groups
    where place = 1
),

held_out_plans as (
    select
        parted.plan,
        cast(count(*) as {{ type_ratio() }}) as quarters,
        cast(count(case when parted.has_gone_up then 1 end) as {{ type_ratio() }}) as upgrades,
        cast(count(case when parted.use_group = best_group.use_group then 1 end) as {{ type_ratio() }})
            as group_quarters,
        cast(
            count(case when parted.use_group = best_group.use_group and parted.has_gone_up then 1 end)
            as {{ type_ratio() }}
        ) as group_upgrades
    from parted
    cross join best_group
    where parted.is_held_out and parted.use_group <> 'unknown'
    group by parted.plan
),

-- What chance would bring the group, if all of a plan were alike.
totals as (
    select
        coalesce(sum(quarters), 0) as quarters,
        coalesce(sum(upgrades), 0) as upgrades,
        coalesce(sum(group_quarters), 0) as group_quarters,
        coalesce(sum(group_upgrades), 0) as group_upgrades,
        sum(group_quarters * upgrades / quarters) as expected_upgrades,
        sum(
            case
                when quarters > 1
                    then
                        group_quarters * (quarters - group_quarters) * upgrades * (quarters - upgrades)
                        / (quarters * quarters * (quarters - 1))
            end
        ) as variance
    from held_out_plans
),

judged as (
    select
        best_group.use_group,
        best_group.quarters as known_quarters,
        best_group.upgrades as known_upgrades,
        totals.*,
        case
            when
                best_group.use_group is null
                or totals.group_quarters < settings.comparison_minimum_customers
                or totals.quarters - totals.group_quarters < settings.comparison_minimum_customers
                then 'too few subscribers to tell'
            when
                coalesce(
                    totals.group_upgrades - totals.expected_upgrades
                    <= {{ normal_quantile_95() }} * sqrt(totals.variance),
                    true
                )
                then 'not better than the plan alone'
        end as withheld_reason
    from totals
    cross join settings
    left join best_group on 1 = 1
),

final as (
    select
        cast(use_group as {{ dbt.type_string() }}) as use_group,
        cast(known_quarters as {{ dbt.type_bigint() }}) as known_quarters,
        cast(known_upgrades as {{ dbt.type_bigint() }}) as known_upgrades,
        cast(quarters as {{ dbt.type_bigint() }}) as held_out_quarters,
        cast(upgrades as {{ dbt.type_bigint() }}) as held_out_upgrades,
        cast(group_quarters as {{ dbt.type_bigint() }}) as group_quarters,
        cast(group_upgrades as {{ dbt.type_bigint() }}) as group_upgrades,
        cast(expected_upgrades as {{ type_ratio() }}) as expected_group_upgrades,
        {{ ratio('group_upgrades', 'group_quarters') }} as group_upgrade_rate,
        {{ ratio('expected_upgrades', 'group_quarters') }} as expected_group_upgrade_rate,
        cast(withheld_reason is null as boolean) as is_published,
        cast(withheld_reason as {{ dbt.type_string() }}) as withheld_reason
    from judged
)

select * from final
