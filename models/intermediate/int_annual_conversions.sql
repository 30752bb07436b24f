-- Grain: one row per time that a customer paid by the month without a break, before they ever paid by the year, on a
-- plan that could be had by the year: until when it is observed, and whether they moved to annual billing or left
-- monthly billing in another way. Time is in whole months since it began. Nobody is at risk before they could convert,
-- nor in a month that is not over: who leaves or converts in it is not counted yet.

with periods as (
    select *
    from {{ ref('int_subscription_periods') }}
    where is_paid
),

settings as (
    select * from {{ ref('int_settings') }}
),

monthly as (
    select
        customer_id,
        subscription_id,
        coalesce(plan, 'unknown') as plan,
        started_on,
        {{ open_end('ended_on') }} as ended_on
    from periods
    where billing_interval = 'month'
),

annual_plans as (
    select
        coalesce(plan, 'unknown') as plan,
        min(started_on) as could_from
    from periods
    where billing_interval = 'year'
    group by coalesce(plan, 'unknown')
),

first_annual as (
    select
        customer_id,
        min(started_on) as first_annual_on
    from periods
    where billing_interval = 'year'
    group by customer_id
),

previous as (
    select
        monthly.*,
        settings.departure_days,
        max(monthly.ended_on) over (
            partition by monthly.customer_id
            order by monthly.started_on, monthly.subscription_id
            rows between unbounded preceding and 1 preceding
        ) as previous_ended_on
    from monthly
    cross join settings
),

opened as (
    select
        *,
        case
            when {{ days_between('previous_ended_on', 'started_on') }} <= departure_days then 0
            else 1
        end as opens_spell
    from previous
),

numbered as (
    select
        *,
        sum(opens_spell) over (
            partition by customer_id
            order by started_on, subscription_id
            rows between unbounded preceding and current row
        ) as spell_number,
        row_number() over (partition by customer_id order by started_on, subscription_id) as period_number
    from opened
),

spells as (
    select
        customer_id,
        spell_number,
        min(started_on) as began_on,
        max(ended_on) as ended_on,
        min(period_number) as first_period_number
    from numbered
    group by customer_id, spell_number
),

-- The plan with which it began: by a later one, the rate of a plan would be that of those who had stayed.
dated as (
    select
        spells.customer_id,
        spells.spell_number,
        numbered.plan,
        spells.began_on,
        annual_plans.could_from,
        settings.as_of_date,
        case
            when {{ days_between('spells.ended_on', 'first_annual.first_annual_on') }} <= settings.departure_days
                then first_annual.first_annual_on
        end as converted_on,
        case when spells.ended_on < cast('9999-12-31' as date) then spells.ended_on end as ended_on
    from spells
    inner join numbered
        on spells.customer_id = numbered.customer_id and spells.first_period_number = numbered.period_number
    inner join annual_plans on numbered.plan = annual_plans.plan
    cross join settings
    left join first_annual on spells.customer_id = first_annual.customer_id
    where {{ open_end('first_annual.first_annual_on') }} > spells.began_on
),

measured as (
    select
        *,
        case when could_from > began_on then {{ months_run('began_on', 'could_from') }} else 0 end as first_month,
        {{ months_over('began_on', add_days('as_of_date', 1)) }} - 1 as last_observed_month,
        {{ months_over('began_on', 'coalesce(converted_on, ended_on)') }} as exit_month
    from dated
),

final as (
    select
        customer_id,
        cast(spell_number as {{ dbt.type_bigint() }}) as spell_number,
        plan,
        began_on,
        converted_on,
        case when converted_on is null then ended_on end as left_on,
        cast(first_month as {{ dbt.type_bigint() }}) as first_month,
        cast(
            case
                when exit_month <= last_observed_month then exit_month
                else last_observed_month
            end as {{ dbt.type_bigint() }}
        ) as last_month,
        coalesce(exit_month <= last_observed_month, false) and converted_on is not null as has_converted,
        coalesce(exit_month <= last_observed_month, false) and converted_on is null as has_left
    from measured
)

select * from final
