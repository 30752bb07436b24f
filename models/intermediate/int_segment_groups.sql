-- Grain: one row per group of customers who have the same values of all segment types that the company lists, crosses
-- or has of its own, and segment type: ('all', 'all') always, then the types listed, its own, and the pairs. Period
-- marts aggregate by `segment_group`, of which there are few, and sum up by this. A customer's is in int_customers.

with customers as (
    select * from {{ ref('int_customers') }}
),

settings as (
    select * from {{ ref('int_settings') }}
),

crossed_segments as (
    select * from {{ ref('int_crossed_segments') }}
),

groups as (
    select
        segment_group,
        min(company_segments) as company_segments,
        {%- for segment_type, value in segment_types().items() %}
            min({{ value }}) as {{ segment_type }}{{ ',' if not loop.last }}
        {%- endfor %}
    from customers
    group by segment_group
),

named_types as (
    {{ split_to_rows('settings', ['company_segments'], 'company_segments', ',') }}
),

company_types as (
    select distinct trim(part) as segment_type
    from named_types
    where trim(part) <> ''
),

written_segments as (
    {{ split_to_rows('groups', ['segment_group'], 'company_segments', '|') }}
),

-- `industry=retail`; a bar in a value is written ~1, and ~ itself ~0.
company_segments as (
    select
        segment_group,
        left(part, position('=' in part) - 1) as segment_type,
        replace(replace(substring(part, position('=' in part) + 1), '~1', '|'), '~0', '~') as segment_value
    from written_segments
    where position('=' in part) > 0
),

-- Each group has each type: who came without a word, as a customer of orders only, is `unknown`.
singles as (
    {%- for segment_type in segment_types() %}
        select
            groups.segment_group,
            '{{ segment_type }}' as segment_type,
            groups.{{ segment_type }} as segment_value,
            {{ is_segment_type_listed(segment_type, 'settings.segments') }} as is_listed
        from groups
        cross join settings

        union all
    {%- endfor %}

    select
        groups.segment_group,
        company_types.segment_type,
        coalesce(company_segments.segment_value, 'unknown') as segment_value,
        true as is_listed
    from groups
    cross join company_types
    left join company_segments
        on
            groups.segment_group = company_segments.segment_group
            and company_types.segment_type = company_segments.segment_type
),

candidates as (
    select
        segment_group,
        'all' as segment_type,
        'all' as segment_value
    from groups

    union all

    select
        segment_group,
        segment_type,
        segment_value
    from singles
    where is_listed

    union all

    select
        first_values.segment_group,
        crossed_segments.segment_type,
        concat(first_values.segment_value, ' x ', second_values.segment_value) as segment_value
    from crossed_segments
    inner join singles as first_values on crossed_segments.first_type = first_values.segment_type
    inner join singles as second_values
        on
            crossed_segments.second_type = second_values.segment_type
            and first_values.segment_group = second_values.segment_group
),

final as (
    select
        segment_group,
        cast(segment_type as {{ dbt.type_string() }}) as segment_type,
        cast(segment_value as {{ dbt.type_string() }}) as segment_value
    from candidates
)

select * from final
