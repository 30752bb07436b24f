-- Fails for a spell that begins before, or on the day, the one before it has ended: they would be one spell.

with spells as (
    select
        *,
        lag(active_until) over (partition by customer_id order by spell_number) as previous_active_until
    from {{ ref('int_customer_spells') }}
)

select *
from spells
where spell_number > 1 and (previous_active_until is null or active_from <= previous_active_until)
