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
