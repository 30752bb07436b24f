-- Fails where the churn database and the spells behind fct_customer_base disagree though both rest on the same: of
-- a customer without any subscription every spell must be a spell of both; a departure from a subscription must be a
-- lapse there, unless they still order.

with churn_spells as (
    select * from {{ ref('int_churn_spells') }}
),

activity_spells as (
    select * from {{ ref('int_customer_spells') }}
),

subscribers as (
    select customer_id
    from {{ ref('int_customers') }}
    where first_subscription_on is not null
),

events as (
    select * from {{ ref('fct_churn_events') }}
)

select
    activity_spells.customer_id,
    activity_spells.active_from as disagree_on
from activity_spells
left join subscribers on activity_spells.customer_id = subscribers.customer_id
left join churn_spells
    on
        activity_spells.customer_id = churn_spells.customer_id
        and activity_spells.active_from = churn_spells.began_on
        and coalesce(activity_spells.active_until, cast('9999-12-31' as date))
        = coalesce(churn_spells.churned_on, cast('9999-12-31' as date))
where subscribers.customer_id is null and churn_spells.customer_id is null

union all

select
    events.customer_id,
    events.churned_on as disagree_on
from events
left join activity_spells
    on events.customer_id = activity_spells.customer_id and events.churned_on = activity_spells.active_until
where (activity_spells.customer_id is null) <> events.is_still_ordering
