{#-
    Sums of groups of customers, as sums of the segments they belong to, over the CTE `segment_groups` of the model. A
    customer is in one group only, so that a model of many customers groups them once, and not for each segment type.
-#}
{% macro sum_by_segment(groups, keys, sums) -%}
    select
        {%- for key in keys %}
        {{ groups }}.{{ key }},
        {%- endfor %}
        segment_groups.segment_type,
        segment_groups.segment_value,
        {%- for column in sums %}
        sum({{ groups }}.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ groups }}
    inner join segment_groups on {{ groups }}.segment_group = segment_groups.segment_group
    group by
        {%- for key in keys %}
        {{ groups }}.{{ key }},
        {%- endfor %}
        segment_groups.segment_type,
        segment_groups.segment_value
{%- endmacro %}

{#-
    Every cohort, also one in which nobody came, at every age up to as_of_date, for each segment. From the CTEs `months`,
    `segment_values` and `customers`, who have a cohort_month.
-#}
{% macro cohort_spine() -%}
    select
        cohorts.month as cohort_month,
        cohorts.is_complete as is_cohort_complete,
        ages.month,
        {{ months_between('cohorts.month', 'ages.month') }} as months_since_first,
        segment_values.segment_type,
        segment_values.segment_value,
        ages.is_complete
    from months as cohorts
    inner join (select min(cohort_month) as month from customers) as first_cohort on cohorts.month >= first_cohort.month
    inner join months as ages on cohorts.month <= ages.month
    cross join segment_values
{%- endmacro %}

{#- The segment types that marts of subscribers take as held at the time of the row, and not as they began. -#}
{% macro held_types() -%} ('plan', 'billing_interval') {%- endmacro %}

{#- Whether a segment type is one of those, or crossed with one. -#}
{% macro is_held_segment_type(segment_type) -%}
    (
        {{ segment_type }} in {{ held_types() }}
        or {{ segment_type }} like 'plan x %'
        or {{ segment_type }} like 'billing_interval x %'
        or {{ segment_type }} like '% x plan'
        or {{ segment_type }} like '% x billing_interval'
    )
{%- endmacro %}

{#-
    The rows of a CTE by the plan and the billing interval that they hold themselves (columns `plan` and `billing_interval`,
    of a `customer_id`), and by the pairs that the company crosses with one of them. From the CTEs `crossed_segments` and
    `crossed_values`.
-#}
{% macro held_segments(rows, columns) -%}
    {%- for segment_type in ['plan', 'billing_interval'] %}
        select
            {%- for column in columns %}
                {{ column }},
            {%- endfor %}
            '{{ segment_type }}' as segment_type,
            coalesce({{ segment_type }}, 'unknown') as segment_value
        from {{ rows }}

        union all
    {%- endfor %}

    select
        {%- for column in columns %}
            {{ rows }}.{{ column }},
        {%- endfor %}
        crossed_segments.segment_type,
        concat(
            {%- for side in ['first_type', 'second_type'] %}
                case crossed_segments.{{ side }}
                    when 'plan' then coalesce({{ rows }}.plan, 'unknown')
                    when 'billing_interval' then coalesce({{ rows }}.billing_interval, 'unknown')
                    else coalesce(crossed_values.segment_value, 'unknown')
                end{{ ", ' x '," if not loop.last }}
            {%- endfor %}
        ) as segment_value
    from {{ rows }}
    cross join crossed_segments
    left join crossed_values
        on
            {{ rows }}.customer_id = crossed_values.customer_id
            and crossed_segments.other_type = crossed_values.segment_type
{%- endmacro %}

{#- The CTEs that `held_segments` reads. -#}
{% macro crossed_with_held() -%}
crossed_segments as (
    select *
    from {{ ref('int_crossed_segments') }}
    where is_held
),

crossed_values as (
    select *
    from {{ ref('int_customer_segment_values') }}
    where segment_type in (select other_type from crossed_segments)
)
{%- endmacro %}
