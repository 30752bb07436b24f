{{ config(materialized='view') }}

-- Grain: one row per person and segment type, all that there are. A value is the one known at the start of the
-- customer's life with us: channel, country, plan, billing interval, the year they came, what the company divides by
-- besides, and its pairs. What the source does not say is `unknown`; who began without a subscription has the plan
-- `none`. Marts of periods use those that the company lists: int_customer_segments.

with customers as (
    select * from {{ ref('int_customers') }}
),

segment_groups as (
    select * from {{ ref('int_segment_groups') }}
),

candidates as (
    {%- for segment_type, value in segment_types().items() %}
        select
            customer_id,
            '{{ segment_type }}' as segment_type,
            {{ value }} as segment_value
        from customers

        union all
    {%- endfor %}

    select
        customer_id,
        'all' as segment_type,
        'all' as segment_value
    from customers

    union all

    select
        customer_id,
        'cohort_year' as segment_type,
        coalesce(cast(extract(year from cohort_month) as {{ dbt.type_string() }}), 'none') as segment_value
    from customers

    union all

    select
        customers.customer_id,
        segment_groups.segment_type,
        segment_groups.segment_value
    from customers
    inner join segment_groups on customers.segment_group = segment_groups.segment_group
    where
        segment_groups.segment_type <> 'all'
        {%- for segment_type in segment_types() %}
            and segment_groups.segment_type <> '{{ segment_type }}'
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
