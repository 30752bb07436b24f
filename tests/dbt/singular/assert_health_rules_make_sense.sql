-- Stops, naming the rule and what is wrong with it: a component that is missing, a good threshold that is not better
-- than the poor one, points that are given from a worse value than good or down to a better one than poor, points or a
-- window that are not above zero.

with rules as (
    select * from {{ ref('health_rules') }}
),

components as (
    {%- for component in health_components() %}
        select '{{ component }}' as component
        {{- ' union all' if not loop.last }}
    {%- endfor %}
),

problems as (
    select
        component,
        concat('the rule `', component, '`: the good threshold is not better than the poor one.') as problem
    from rules
    where
        (direction = 'higher_is_better' and good_threshold <= poor_threshold)
        or (direction = 'lower_is_better' and good_threshold >= poor_threshold)

    union all

    select
        component,
        concat(
            'the rule `', component, '`: full_points_at must be at least as good as the good threshold, and ',
            'no_points_at at least as poor as the poor one.'
        ) as problem
    from rules
    where
        (direction = 'higher_is_better' and (full_points_at < good_threshold or no_points_at > poor_threshold))
        or (direction = 'lower_is_better' and (full_points_at > good_threshold or no_points_at < poor_threshold))

    union all

    select
        component,
        concat('the rule `', component, '`: points and window_days must be above zero.') as problem
    from rules
    where points <= 0 or window_days <= 0

    union all

    select
        components.component,
        concat('the rule `', components.component, '` is missing.') as problem
    from components
    left join rules on components.component = rules.component
    where rules.component is null
)

select *
from problems
where {{ raise_error("concat(" ~ rule_file('health_rules') ~ ", ': ', problem)") }}
