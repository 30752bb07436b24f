-- Fails where marts disagree on customers, whether they subscribe only or shop too: the movement of MRR in a month must
-- be that of the paid spells of the churn database (new is the first paid day, whatever they ordered before), and as
-- long as the churn database has a customer, they are active. The reverse need not be: an order after the subscription
-- makes active, and brings nobody back to what they had left.

with spells as (
    select
        customer_id,
        began_on,
        subscribed_on,
        {{ open_end('churned_on') }} as churned_on
    from {{ ref('int_churn_spells') }}
),

customers as (
    select
        customer_id,
        first_subscription_on
    from {{ ref('int_customers') }}
    where first_subscription_on is not null
),

activity_spells as (
    select
        customer_id,
        active_from,
        {{ open_end('active_until') }} as active_until
    from {{ ref('int_customer_spells') }}
),

months as (
    select * from {{ ref('int_months') }}
),

told as (
    select
        movements.customer_id,
        movements.month,
        movements.movement,
        customers.first_subscription_on,
        count(case when spells.subscribed_on < movements.month and spells.churned_on >= movements.month then 1 end) > 0
            as was_paying,
        count(
            case
                when spells.subscribed_on <= months.observed_until and spells.churned_on > months.observed_until
                    then 1
            end
        ) > 0 as is_paying
    from {{ ref('fct_subscription_movements') }} as movements
    inner join customers on movements.customer_id = customers.customer_id
    inner join months on movements.month = months.month
    left join spells on movements.customer_id = spells.customer_id
    group by movements.customer_id, movements.month, movements.movement, customers.first_subscription_on
),

covered as (
    select
        spells.customer_id,
        spells.began_on
    from spells
    inner join activity_spells
        on
            spells.customer_id = activity_spells.customer_id
            and spells.began_on >= activity_spells.active_from
            and spells.churned_on <= activity_spells.active_until
)

select
    customer_id,
    month,
    movement
from told
where
    case
        when not was_paying and is_paying and first_subscription_on >= month then movement <> 'new'
        when not was_paying and is_paying then movement <> 'reactivation'
        when was_paying and not is_paying then movement <> 'churn'
        else movement in ('new', 'reactivation', 'churn')
    end

union all

select
    spells.customer_id,
    {{ month_start('spells.began_on') }} as month,
    'not active' as movement
from spells
left join covered on spells.customer_id = covered.customer_id and spells.began_on = covered.began_on
where covered.customer_id is null
