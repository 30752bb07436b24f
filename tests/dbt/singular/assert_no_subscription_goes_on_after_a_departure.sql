{{ config(severity='warn') }}

-- Warns of each statement that its customer has left which their subscription contradicts: it has a later period, or an
-- end of its own on another day. Such a statement ends nothing. A warning, since the numbers are right without it: the
-- source that stated it should know.

select distinct
    departure_id,
    customer_id,
    departed_on
from {{ ref('int_stated_departures') }}
where is_contradicted
