-- Fails where two marts disagree on who is new, reactivated or gone: for a customer who never ordered, the movement of
-- a month must be that of the spells; each return must be that of a departure; and in a month, who was gained for the
-- first time and who came for the first time but was gone by its end must be the new customers of the base.

with subscribers as (
    select
        customer_id,
        first_purchase_on
    from {{ ref('int_customers') }}
    where first_subscription_on is not null and first_order_on is null
),

spells as (
    select
        spells.customer_id,
        spells.spell_number,
        spells.active_from,
        {{ open_end('spells.active_until') }} as active_until
    from {{ ref('int_customer_spells') }} as spells
),

months as (
    select * from {{ ref('int_months') }}
),

movements as (
    select
        movements.customer_id,
        movements.month,
        movements.movement,
        subscribers.first_purchase_on,
        months.observed_until
    from {{ ref('fct_subscription_movements') }} as movements
    inner join subscribers on movements.customer_id = subscribers.customer_id
    inner join months on movements.month = months.month
),

told as (
    select
        movements.customer_id,
        movements.month,
        movements.movement,
        movements.first_purchase_on,
        count(case when spells.active_from < movements.month and spells.active_until >= movements.month then 1 end) > 0
            as was_active,
        count(
            case
                when spells.active_from <= movements.observed_until and spells.active_until > movements.observed_until
                    then 1
            end
        ) > 0 as is_active
    from movements
    left join spells on movements.customer_id = spells.customer_id
    group by movements.customer_id, movements.month, movements.movement, movements.first_purchase_on
),

by_customer as (
    select
        customer_id,
        month,
        movement
    from told
    where
        case
            when not was_active and is_active and first_purchase_on >= month then movement <> 'new'
            when not was_active and is_active then movement <> 'reactivation'
            when was_active and not is_active then movement <> 'churn'
            else movement in ('new', 'reactivation', 'churn')
        end
),

unexplained_returns as (
    select
        spells.customer_id,
        {{ month_start('spells.active_from') }} as month,
        'return without departure' as movement
    from spells
    inner join subscribers on spells.customer_id = subscribers.customer_id
    left join {{ ref('fct_churn_events') }} as events
        on spells.customer_id = events.customer_id and spells.active_from = events.reactivated_on
    where spells.spell_number > 1 and events.customer_id is null
),

-- Who came for the first time in a month and was gone by its end, whatever happened in between.
gone as (
    select
        {{ month_start('customers.first_purchase_on') }} as month,
        count(*) as customers
    from {{ ref('int_customers') }} as customers
    inner join months on {{ month_start('customers.first_purchase_on') }} = months.month
    left join spells
        on
            customers.customer_id = spells.customer_id
            and spells.active_from <= months.observed_until
            and spells.active_until > months.observed_until
    where customers.is_customer and spells.customer_id is null
    group by {{ month_start('customers.first_purchase_on') }}
),

by_month as (
    select
        'all' as customer_id,
        base.month,
        'new' as movement
    from {{ ref('fct_customer_base') }} as base
    inner join {{ ref('fct_customer_retention_rate') }} as retention
        on
            base.month = retention.period_start
            and base.segment_type = retention.segment_type
            and base.segment_value = retention.segment_value
            and retention.period_type = 'month'
    left join gone on base.month = gone.month
    where
        base.segment_type = 'all'
        and base.new_customers <> retention.gained_first_time_customers + coalesce(gone.customers, 0)
)

select * from by_customer
union all
select * from unexplained_returns
union all
select * from by_month
