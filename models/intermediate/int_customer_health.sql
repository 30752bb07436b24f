{{
    config(
        materialized='incremental',
        incremental_strategy='replace_customer_months',
        unique_key=['customer_id', 'month'],
        on_schema_change='sync_all_columns',
        post_hook="{{ remember_increment(ref('int_settings'), 'as_of_date') }}",
    )
}}

-- Grain: one row per customer and month at whose end they were active: how healthy are they, and what made them so?
-- From events up to the month-end (as_of_date, in a month that is not over), so that the row of a past month never
-- changes by what came later. For readers it is fct_customer_health.

-- Each month needs the one before it too.
with measures as (
    select *
    from {{ ref('int_health_measures') }}
    where {{ only_touched_customer_months(month=add_months('month', 1)) }}
),

rules as (
    select
        {%- for component in health_components() %}
            max(case when component = '{{ component }}' then direction end) as {{ component }}_direction,
            max(case when component = '{{ component }}' then good_threshold end) as {{ component }}_good_threshold,
            max(case when component = '{{ component }}' then poor_threshold end) as {{ component }}_poor_threshold,
            max(case when component = '{{ component }}' then full_points_at end) as {{ component }}_full_points_at,
            max(case when component = '{{ component }}' then no_points_at end) as {{ component }}_no_points_at,
            max(case when component = '{{ component }}' then points end) as {{ component }}_points,
            max(
                case when component = '{{ component }}' and is_sign_of_life then 1 else 0 end
            ) as {{ component }}_is_sign_of_life{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('health_rules') }}
),

-- Trouble: 0 good, 1 average, 2 poor, 3 without a value. All of a row in one number, a digit to base 4 per component:
-- what follows from it is worked out once per number, of which there are few, not once per row.
judged as (
    select
        measures.*,
        (
            {%- for component in health_components() %}
                {%- set value = 'measures.' ~ component %}
                {%- set good = 'cast(rules.' ~ component ~ '_good_threshold as ' ~ type_ratio() ~ ')' %}
                {%- set poor = 'cast(rules.' ~ component ~ '_poor_threshold as ' ~ type_ratio() ~ ')' %}
                {{ '+ ' if not loop.first }}{{ 4 ** loop.index0 }} * case
                    when {{ value }} is null then 3
                    when rules.{{ component }}_direction = 'higher_is_better' and {{ value }} >= {{ good }} then 0
                    when rules.{{ component }}_direction = 'higher_is_better' and {{ value }} <= {{ poor }} then 2
                    when rules.{{ component }}_direction = 'lower_is_better' and {{ value }} <= {{ good }} then 0
                    when rules.{{ component }}_direction = 'lower_is_better' and {{ value }} >= {{ poor }} then 2
                    else 1
                end
            {%- endfor %}
        ) as trouble_code,
        -- In proportion from where there are none to where there are all.
        (
            {%- for component in health_components() %}
                {%- set value = 'measures.' ~ component %}
                {%- set no_points = 'cast(rules.' ~ component ~ '_no_points_at as ' ~ type_ratio() ~ ')' %}
                {%- set all_points = 'cast(rules.' ~ component ~ '_full_points_at as ' ~ type_ratio() ~ ')' %}
                {{ '+ ' if not loop.first }}case
                    when {{ value }} is null then 0
                    else
                        cast(rules.{{ component }}_points as {{ type_ratio() }})
                        * greatest(0, least(1, ({{ value }} - {{ no_points }}) / ({{ all_points }} - {{ no_points }})))
                end
            {%- endfor %}
        ) as reached_points
    from measures
    cross join rules
),

trouble_codes as (
    select distinct trouble_code from judged
),

decoded as (
    select
        trouble_codes.trouble_code,
        rules.*,
        {%- for component in health_components() %}
            nullif(
                cast(floor(trouble_codes.trouble_code / {{ 4 ** loop.index0 }}) as {{ dbt.type_bigint() }}) % 4, 3
            ) as {{ component }}_trouble{{ ',' if not loop.last }}
        {%- endfor %}
    from trouble_codes
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
        ) as possible_points
    from decoded
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

-- What a component weighs as the reason: its points, where it is the one that puts the band there.
weighed as (
    select
        *,
        {%- for component in health_components() %}
            case
                when health_band = 'unknown' then 0
                when {{ component }}_trouble = worst_trouble then {{ component }}_points
                else 0
            end as {{ component }}_weight{{ ',' if not loop.last }}
        {%- endfor %}
    from banded
),

explained as (
    select
        *,
        greatest(
            {%- for component in health_components() %}
                {{ component }}_weight{{ ',' if not loop.last }}
            {%- endfor %}
        ) as top_weight
    from weighed
),

standings as (
    select
        trouble_code,
        worst_trouble,
        health_band,
        possible_points,
        case
            when top_weight = 0 then null
            {%- for component in health_components() %}
                when {{ component }}_weight = top_weight then '{{ component }}'
            {%- endfor %}
        end as main_driver,
        {%- for component in health_components() %}
            case {{ component }}_trouble
                when 0 then 'good'
                when 1 then 'average'
                when 2 then 'poor'
                else 'unknown'
            end as {{ component }}_band{{ ',' if not loop.last }}
        {%- endfor %}
    from explained
),

previous as (
    select
        customer_id,
        {{ add_months('month', 1) }} as month,
        trouble_code
    from judged
),

followed as (
    select
        judged.*,
        standings.health_band,
        case
            when standings.health_band <> 'unknown'
                then round({{ ratio('100 * judged.reached_points', 'standings.possible_points') }}, 1)
        end as health_score,
        standings.main_driver,
        {%- for component in health_components() %}
            standings.{{ component }}_band,
        {%- endfor %}
        previous_standings.health_band as previous_health_band,
        previous_standings.main_driver as previous_main_driver,
        case
            when previous.customer_id is null then 'first'
            when standings.health_band = previous_standings.health_band then 'same'
            when standings.health_band = 'unknown' or previous_standings.health_band = 'unknown' then 'unclear'
            when standings.worst_trouble > previous_standings.worst_trouble then 'worsened'
            when standings.worst_trouble < previous_standings.worst_trouble then 'improved'
        end as band_change
    from judged
    inner join standings on judged.trouble_code = standings.trouble_code
    left join previous on judged.customer_id = previous.customer_id and judged.month = previous.month
    left join standings as previous_standings on previous.trouble_code = previous_standings.trouble_code
    where {{ only_touched_customer_months('judged.customer_id', 'judged.month') }}
),

final as (
    select
        cast(followed.customer_id as {{ dbt.type_string() }}) as customer_id,
        cast(followed.month as date) as month,
        cast(followed.observed_until as date) as observed_until,
        cast(followed.spell_number as {{ dbt.type_bigint() }}) as spell_number,
        cast(followed.churn_basis as {{ dbt.type_string() }}) as churn_basis,
        cast(followed.health_band as {{ dbt.type_string() }}) as health_band,
        cast(followed.health_score as {{ type_ratio() }}) as health_score,
        cast(followed.main_driver as {{ dbt.type_string() }}) as main_driver,
        cast(followed.previous_health_band as {{ dbt.type_string() }}) as previous_health_band,
        cast(followed.band_change as {{ dbt.type_string() }}) as band_change,
        cast(
            case followed.band_change
                -- Nobody was in so bad a band before: what puts them there now has moved them.
                when 'worsened' then followed.main_driver
                when 'improved' then followed.previous_main_driver
            end as {{ dbt.type_string() }}
        ) as change_driver,
        {%- for component in health_components() %}
            cast(followed.{{ component }} as {{ type_ratio() }}) as {{ component }}_value,
            cast(followed.{{ component }}_band as {{ dbt.type_string() }}) as {{ component }}_band
            {{- ',' if not loop.last }}
        {%- endfor %}
    from followed
)

select * from final
