{#-
    The spans of a customer with the number of the spell they belong to, from 1. A span that begins when all before it
    have ended by then, and not on the very day, opens a new spell. `spans` has customer_id, active_from, active_until.
-#}
{% macro number_spells(spans) -%}
    select
        *,
        sum(opens_spell) over (
            partition by customer_id
            order by active_from, active_until
            rows between unbounded preceding and current row
        ) as spell_number
    from (
        select
            *,
            case
                when
                    active_from <= max(active_until) over (
                        partition by customer_id
                        order by active_from, active_until
                        rows between unbounded preceding and 1 preceding
                    )
                    then 0
                else 1
            end as opens_spell
        from {{ spans }}
    ) as marked
{%- endmacro %}

{#-
    The days on which orders make a customer active: each for active_window_days, its own day included, and no longer than
    until the customer is stated to have left. From the CTEs `customer_days` (of days with an order), `stated_departures`
    (that end what orders do) and `settings` of the model.
-#}
{% macro order_spans(customer_days='customer_days') -%}
    select
        days.customer_id,
        days.activity_on as active_from,
        least(
            {{ add_days('days.activity_on', 'max(settings.active_window_days)') }},
            coalesce(min(stated_departures.departed_on), cast('9999-12-31' as date))
        ) as active_until
    from {{ customer_days }} as days
    cross join settings
    left join stated_departures
        on days.customer_id = stated_departures.customer_id and days.activity_on < stated_departures.departed_on
    group by days.customer_id, days.activity_on
{%- endmacro %}
