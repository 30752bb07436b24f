{#- Each theme of seeds/feedback_themes.csv once, whatever its languages, and the one of comments without any. -#}
{% macro feedback_theme_list() -%}
    select distinct
        theme,
        category,
        owning_team
    from {{ ref('feedback_themes') }}

    union all

    select
        'unclassified' as theme,
        'unclassified' as category,
        cast(null as {{ dbt.type_string() }}) as owning_team
{%- endmacro %}
