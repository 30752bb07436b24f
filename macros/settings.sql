{#-
    One setting of the company as SQL. Three places can name it, the first that does counts: `--vars` on the command
    line, the adapter's `vars` (landing wrote them to raw.settings), the default in dbt_project.yml.
-#}
{% macro setting(name, type) -%}
    {%- set given = (invocation_args_dict.get('vars') or {}) if invocation_args_dict is mapping else {} -%}
    {%- if name in given and given[name] is not none -%}
        cast({{ setting_literal(given[name]) }} as {{ type }})
    {%- else -%}
        cast(
            coalesce(
                (select max(s.value) from {{ source('raw', 'settings') }} as s where s.name = '{{ name }}'),
                {{ setting_literal(var(name)) }}
            ) as {{ type }}
        )
    {%- endif -%}
{%- endmacro %}

{#- Lists become comma-separated text: `acquisition_channel,country`. -#}
{% macro setting_literal(value) -%}
    {%- if value is none -%}
        cast(null as {{ dbt.type_string() }})
    {%- elif value is sequence and value is not string -%}
        {{ dbt.string_literal(value | join(',')) }}
    {%- else -%}
        {{ dbt.string_literal(dbt.escape_single_quotes(value | string)) }}
    {%- endif -%}
{%- endmacro %}
