-- Grain: one row per group of customers who have the same values of all segment types that the company lists, and
-- segment type: ('all', 'all') always, then the types listed. Period marts aggregate by `segment_group`, of which there
-- are few, and sum up by this. A customer's is in int_customers.

with customers as (
    select * from {{ ref('int_customers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

groups as (
    select
        segment_group,
        {%- for segment_type, value in segment_types().items() %}
            min({{ value }}) as {{ segment_type }}{{ ',' if not loop.last }}
        {%- endfor %}
    from customers
    group by segment_group
),

candidates as (
    select
        segment_group,
        'all' as segment_type,
        'all' as segment_value
    from groups

    {%- for segment_type in segment_types() %}

        union all

        select
            groups.segment_group,
            '{{ segment_type }}' as segment_type,
            groups.{{ segment_type }} as segment_value
        from groups
        cross join settings
        where {{ is_segment_type_listed(segment_type, 'settings.segments') }}
    {%- endfor %}
),

final as (
    select
        segment_group,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value
    from candidates
)

select * from final
