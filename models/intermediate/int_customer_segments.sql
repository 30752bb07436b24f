-- Grain: one row per person and segment type: ('all', 'all') always, then the types that the setting
-- `segments` lists. A value is the one known at the start of the customer's life with us: channel, country, plan and
-- billing interval. What the source does not say is `unknown`; who began without a subscription has the plan `none`.

with customers as (
    select
        *,
        -- Who subscribed only in a later month had no plan in the beginning: by that plan, its orders would be those of
        -- customers who stayed.
        coalesce({{ month_start('first_subscription_on') }} <= cohort_month, false) as began_with_subscription
    from {{ ref('int_customers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

candidates as (
    {%- for segment_type, value in [
        ('all', "'all'"),
        ('acquisition_channel', "coalesce(acquisition_channel, 'unknown')"),
        ('country', "coalesce(country, 'unknown')"),
        ('plan', "case when began_with_subscription then coalesce(first_plan, 'unknown') else 'none' end"),
        ('billing_interval', "case when began_with_subscription then first_billing_interval else 'none' end"),
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
        candidates.customer_id,
        cast(candidates.segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(candidates.segment_value as {{ dbt.type_string() }}) as segment_value
    from candidates
    cross join settings
    where
        candidates.segment_type = 'all'
        or concat(',', replace(settings.segments, ' ', ''), ',') like concat('%,', candidates.segment_type, ',%')
)

select * from final
