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
