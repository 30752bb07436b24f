{{ config(materialized='view') }}

-- Grain: one row per person and segment type, all that there are. A value is the one known at the start of the
-- customer's life with us: channel, country, plan, billing interval, and the year he came. What the source does not
-- say is `unknown`; who began without a subscription has the plan `none`. Marts of periods use those that the company
-- lists: int_customer_segments.

with customers as (
    select
        *,
        -- Who subscribed only in a later month had no plan in the beginning: by that plan, its orders would be those of
        -- customers who stayed.
        coalesce({{ month_start('first_subscription_on') }} <= cohort_month, false) as began_with_subscription
    from {{ ref('int_customers') }}
),

candidates as (
    {%- for segment_type, value in [
        ('all', "'all'"),
        ('acquisition_channel', "coalesce(acquisition_channel, 'unknown')"),
        ('country', "coalesce(country, 'unknown')"),
        ('plan', "case when began_with_subscription then coalesce(first_plan, 'unknown') else 'none' end"),
        ('billing_interval', "case when began_with_subscription then first_billing_interval else 'none' end"),
        (
            'cohort_year',
            "coalesce(cast(extract(year from cohort_month) as " ~ dbt.type_string() ~ "), 'none')"
        ),
    ] %}
        select
            customer_id,
            '{{ segment_type }}' as segment_type,
            {{ value }} as segment_value
        from customers
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        customer_id,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value
    from candidates
)

select * from final
