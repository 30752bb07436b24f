-- Grain: one row per person and segment type: ('all', 'all') always, then the types that the setting
-- `segments` lists. A value is the one known at the start of the customer's life with us: channel, country,
-- first plan. None is `unknown`.

with customers as (
    select * from {{ ref('int_customers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

candidates as (
    {%- for segment_type, value in [
        ('all', "'all'"),
        ('acquisition_channel', "coalesce(acquisition_channel, 'unknown')"),
        ('country', "coalesce(country, 'unknown')"),
        ('plan', "coalesce(first_plan, 'unknown')"),
        ('billing_interval', "coalesce(first_billing_interval, 'unknown')"),
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
