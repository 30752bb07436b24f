{#-
    The price rises that subscribers came to pay, from the paid and priced periods of a relation: the same subscription,
    plan, interval and currency at a higher list price. The end of a discount is none, nor is a change of plan.
-#}
{% macro price_rises(periods) -%}
    select
        subscription_id,
        customer_id,
        started_on as price_rise_on,
        list_amount,
        previous_list_amount
    from (
        select
            *,
            lag(plan) over of_subscription as previous_plan,
            lag(billing_interval) over of_subscription as previous_billing_interval,
            lag(currency) over of_subscription as previous_currency,
            lag(list_amount) over of_subscription as previous_list_amount
        from {{ periods }}
        window of_subscription as (partition by subscription_id order by started_on)
    ) as priced_periods
    where
        coalesce(plan, 'unknown') = coalesce(previous_plan, 'unknown')
        and billing_interval = previous_billing_interval
        and currency = previous_currency
        and list_amount > previous_list_amount
{%- endmacro %}
