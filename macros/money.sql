{#- An amount in the reporting currency. Without a rate the build stops and names currency and date: no number is better
    than a wrong one. `rate` comes from int_exchange_rates, joined by currency and day. -#}
{% macro to_reporting_currency(amount, rate, currency, date) -%}
    case
        when ({{ amount }}) is null then null
        -- The usual case, and by far the cheapest.
        when {{ rate }} = 1 then ({{ amount }})
        when {{ rate }} is not null then round(({{ amount }}) * {{ rate }}, 4)
        else {{ raise_error(
            "concat('No exchange rate for ', " ~ currency ~ ", ' on ', cast(" ~ date ~ " as " ~ dbt.type_string()
            ~ "), ': add it to exchange_rates, or correct the currency of the row.')"
        ) }}
    end
{%- endmacro %}

{#- The rate that holds on a row's day. -#}
{% macro join_exchange_rate(relation, date) -%}
    left join exchange_rates
        on
            {{ relation }}.currency = exchange_rates.currency
            and {{ relation }}.{{ date }} >= exchange_rates.valid_from
            and {{ relation }}.{{ date }} < exchange_rates.valid_until
{%- endmacro %}
