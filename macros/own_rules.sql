{#-
    A company's own rules. Landing reads them from the folder that the adapter names (`rules:`) and keeps each value in
    `raw.rules`, and the hash of each file among the settings, as `rules.<seed>`. As seeds are loaded, what they say is put
    over what the checkout says, so that whoever builds this warehouse, by whatever command, builds it by the same rules.

    Rows that make sense only together (bands, tiers, ages, scenarios, themes) take the place of all the rows of the seed.
    Where each row stands by itself under a key, `config.meta.own_rows_by` of the seed names it, and an own row takes the
    place of the row of that key alone. `own_rows_follow` names a column that holds such a key: default rows that point to
    an own row say of it what the own row says.
-#}

{% macro own_rules_relation() -%}
    {{ return(api.Relation.create(database=target.database, schema='raw', identifier='rules')) }}
{%- endmacro %}

{#- Post-hook of every seed. Where nothing has been landed yet, there are no own rules. -#}
{% macro put_own_rules_over() -%}
    {%- if not execute or load_relation(own_rules_relation()) is none -%} {{ return('') }} {%- endif -%}
    {%- set types = model.config.column_types -%}
    {%- set key = model.config.meta.get('own_rows_by') -%}
    {%- set follows = model.config.meta.get('own_rows_follow') -%}
    {%- set own -%}
        (
            select
                {%- for name, type in types.items() %}
                    cast(max(case when column_name = '{{ name }}' then value end) as {{ type }}) as {{ name }}
                    {{- ',' if not loop.last }}
                {%- endfor %}
            from {{ own_rules_relation() }}
            where rule_file = '{{ model.name }}'
            group by source_row
        )
    {%- endset %}
    {%- if follows %}
        update {{ this }} set
            {%- for name in types if name != key %}
                {{ name }} = (select own.{{ name }} from {{ own }} as own where own.{{ key }} = {{ this }}.{{ follows }})
                {{- ',' if not loop.last }}
            {%- endfor %}
        where {{ follows }} in (select own.{{ key }} from {{ own }} as own);
    {%- endif %}
    delete from {{ this }}
    where
        {% if key -%}
            {{ key }} in (select own.{{ key }} from {{ own }} as own)
        {%- else -%}
            exists (select 1 from {{ own }} as own)
        {%- endif %};
    insert into {{ this }} ({{ types.keys() | join(', ') }})
    select {{ types.keys() | join(', ') }} from {{ own }} as own
{%- endmacro %}

{#- What to call a rule file in a message: where its rows come from, as SQL. -#}
{% macro rule_file(name) -%}
    {%- set default = 'seeds/' ~ name ~ '.csv' -%}
    {%- set seed = (graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed')
        | selectattr('name', 'equalto', name) | first) if execute else none -%}
    {%- if seed is none or load_relation(own_rules_relation()) is none -%}
        '{{ default }}'
    {%- else -%}
        coalesce(
            (
                select concat(max(source_file), '{{ ' over ' ~ default if seed.config.meta.get('own_rows_by') }}')
                from {{ own_rules_relation() }}
                where rule_file = '{{ name }}'
                having count(*) > 0
            ),
            '{{ default }}'
        )
    {%- endif -%}
{%- endmacro %}

{#- The hashes of a company's own rules among the nodes that a model is made of, as SQL; none: null. -#}
{% macro own_rules_hashes(unique_ids) -%}
    {%- set names = [] -%}
    {%- for unique_id in unique_ids if unique_id.split('.')[0] == 'seed' -%}
        {%- do names.append("'rules." ~ unique_id.split('.')[-1] ~ "'") -%}
    {%- endfor -%}
    {%- for name in names | sort -%}
        concat(
            ' ',
            (
                select max(value)
                from {{ api.Relation.create(database=target.database, schema='raw', identifier='settings') }}
                where name = {{ name }}
            )
        )
        {{- ' || ' if not loop.last -}}
    {%- endfor -%}
{%- endmacro %}
