-- Fails for a departure or a return after the last day known: a plan to leave is no departure yet.

with settings as (
    select as_of_date from {{ ref('int_settings') }}
)

select
    events.customer_id,
    events.spell_number,
    events.churned_on,
    events.reactivated_on,
    settings.as_of_date
from {{ ref('fct_churn_events') }} as events
inner join settings
    on greatest(events.churned_on, coalesce(events.reactivated_on, events.churned_on)) > settings.as_of_date
