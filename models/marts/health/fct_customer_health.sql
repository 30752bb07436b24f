-- Grain: one row per customer and month at whose end he was active: how healthy is he, and what made him so?
-- From events up to the month-end (as_of_date, in a month that is not over), so that the row of a past month never
-- changes by what came later. Whether the score predicts is in fct_health_outcomes.

with measures as (
    select * from {{ ref('int_health_measures') }}
),

months as (
    select * from {{ ref('int_months') }}
),

rules as (
    select
        {%- for component in health_components() %}
            max(case when component = '{{ component }}' then direction end) as {{ component }}_direction,
            max(case when component = '{{ component }}' then good_threshold end) as {{ component }}_good_threshold,
            max(case when component = '{{ component }}' then poor_threshold end) as {{ component }}_poor_threshold,
            max(case when component = '{{ component }}' then points end) as {{ component }}_points,
            max(
                case when component = '{{ component }}' and is_sign_of_life then 1 else 0 end
            ) as {{ component }}_is_sign_of_life{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('health_rules') }}
),

-- Trouble: 0 good, 1 average, 2 poor, null without a value.
judged as (
    select
        measures.*,
        {%- for component in health_components() %}
            {%- set value = 'measures.' ~ component %}
            {%- set good = 'cast(rules.' ~ component ~ '_good_threshold as ' ~ type_ratio() ~ ')' %}
            {%- set poor = 'cast(rules.' ~ component ~ '_poor_threshold as ' ~ type_ratio() ~ ')' %}
            rules.{{ component }}_points,
            rules.{{ component }}_is_sign_of_life,
            case
                when {{ value }} is null then null
                when rules.{{ component }}_direction = 'higher_is_better' and {{ value }} >= {{ good }} then 0
                when rules.{{ component }}_direction = 'higher_is_better' and {{ value }} <= {{ poor }} then 2
                when rules.{{ component }}_direction = 'lower_is_better' and {{ value }} <= {{ good }} then 0
                when rules.{{ component }}_direction = 'lower_is_better' and {{ value }} >= {{ poor }} then 2
                else 1
            end as {{ component }}_trouble{{ ',' if not loop.last }}
        {%- endfor %}
    from measures
    cross join rules
),

summed as (
    select
        *,
        greatest(
            {%- for component in health_components() %}
                coalesce({{ component }}_trouble, 0){{ ',' if not loop.last }}
            {%- endfor %}
        ) as worst_trouble,
        (
            {%- for component in health_components() %}
                {{ '+ ' if not loop.first }}case
                    when {{ component }}_trouble is not null then {{ component }}_is_sign_of_life else 0
                end
            {%- endfor %}
        ) as signs_of_life,
        (
            {%- for component in health_components() %}
                {{ '+ ' if not loop.first }}case
                    when {{ component }}_trouble is not null then {{ component }}_points else 0
                end
            {%- endfor %}
        ) as possible_points,
        (
            {%- for component in health_components() %}
                {{ '+ ' if not loop.first }}coalesce({{ component }}_points * (2 - {{ component }}_trouble) / 2, 0)
            {%- endfor %}
        ) as reached_points
    from judged
),

banded as (
    select
        *,
        case
            when worst_trouble = 2 then 'poor'
            when worst_trouble = 1 then 'average'
            when signs_of_life > 0 then 'good'
            else 'unknown'
        end as health_band
    from summed
),

followed as (
    select
        *,
        lag(month) over of_customer = {{ add_months('month', -1) }} as has_previous,
        lag(health_band) over of_customer as previous_band,
        lag(worst_trouble) over of_customer as previous_worst_trouble,
        {%- for component in health_components() %}
            lag({{ component }}_trouble) over of_customer as previous_{{ component }}_trouble{{ ',' if not loop.last }}
        {%- endfor %}
    from banded
    window of_customer as (partition by customer_id order by month)
),

changed as (
    select
        *,
        case when has_previous then previous_band end as previous_health_band,
        case
            when not coalesce(has_previous, false) then 'first'
            when health_band = previous_band then 'same'
            when health_band = 'unknown' or previous_band = 'unknown' then 'unclear'
            when worst_trouble > previous_worst_trouble then 'worsened'
            when worst_trouble < previous_worst_trouble then 'improved'
        end as band_change
    from followed
),

-- What a component weighs as the reason: its points, where it is the one that puts the band there.
weighed as (
    select
        *,
        {%- for component in health_components() %}
            case
                when health_band = 'unknown' then 0
                when {{ component }}_trouble = worst_trouble then {{ component }}_points
                else 0
            end as {{ component }}_main_weight,
            case
                -- Nobody was in so bad a band before: whoever is in it now has fallen into it.
                when band_change = 'worsened' and {{ component }}_trouble = worst_trouble then {{ component }}_points
                when band_change = 'improved' and previous_{{ component }}_trouble = previous_worst_trouble
                    then {{ component }}_points
                else 0
            end as {{ component }}_change_weight{{ ',' if not loop.last }}
        {%- endfor %}
    from changed
),

explained as (
    select
        *,
        {%- for driver in ['main', 'change'] %}
            greatest(
                {%- for component in health_components() %}
                    {{ component }}_{{ driver }}_weight{{ ',' if not loop.last }}
                {%- endfor %}
            ) as top_{{ driver }}_weight{{ ',' if not loop.last }}
        {%- endfor %}
    from weighed
),

final as (
    select
        cast(explained.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(explained.month as date) as month,
        cast(explained.observed_until as date) as observed_until,
        cast(explained.spell_number as {{ dbt.type_bigint() }}) as spell_number,
        cast(explained.churn_basis as {{ dbt.type_string() }}) as churn_basis,
        cast(explained.health_band as {{ dbt.type_string() }}) as health_band,
        case
            when explained.health_band <> 'unknown'
                then {{ ratio('100 * explained.reached_points', 'explained.possible_points') }}
        end as health_score,
        cast(
            case
                when explained.top_main_weight = 0 then null
                {%- for component in health_components() %}
                    when explained.{{ component }}_main_weight = explained.top_main_weight then '{{ component }}'
                {%- endfor %}
            end as {{ dbt.type_string() }}
        ) as main_driver,
        cast(explained.previous_health_band as {{ dbt.type_string() }}) as previous_health_band,
        cast(explained.band_change as {{ dbt.type_string() }}) as band_change,
        cast(
            case
                when explained.top_change_weight = 0 then null
                {%- for component in health_components() %}
                    when explained.{{ component }}_change_weight = explained.top_change_weight then '{{ component }}'
                {%- endfor %}
            end as {{ dbt.type_string() }}
        ) as change_driver,
        {%- for component in health_components() %}
            cast(explained.{{ component }} as {{ type_ratio() }}) as {{ component }}_value,
            cast(
                case explained.{{ component }}_trouble
                    when 0 then 'good'
                    when 1 then 'average'
                    when 2 then 'poor'
                    else 'unknown'
                end as {{ dbt.type_string() }}
            ) as {{ component }}_band,
        {%- endfor %}
        cast(months.is_complete as boolean) as is_complete
    from explained
    inner join months on explained.month = months.month
)

select * from final
