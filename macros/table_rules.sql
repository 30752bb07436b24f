{#-
    The rules of a table stand in its .yml, each beside the column it bounds, and are checked by one test, `holds`: one
    scan for all rules of rows, one grouping for each key. As many tests as rules would take longer than the models of a
    small company.

    columns:
      - name: health_score
        config: {meta: {rules: {not_null: true, unique: true, minimum: 0, maximum: 100, accepted_values: [a, b]}}}

    of a column. A value that is null breaks `not_null` alone. Of the table:

    config:
      meta:
        key: [customer_id, month]      # together they identify a row, and none of them is null
        identities:
          a_name_that_says_it: is_active or health_score is null      # false or null: broken
-#}

{#- The columns that name a row to people: the key, or each column whose values are unique. -#}
{% macro key_columns(node) -%}
    {%- set columns = (node.config.meta or {}).get('key', []) -%}
    {%- if not columns -%}
        {%- set columns = [] -%}
        {%- for column in node.columns.values() if column_rules(column).unique -%}
            {%- do columns.append(column.name) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{%- endmacro %}

{#-
    What identifies a row of each mart, for those who read the build file without the project: a publication sorts by it.
    Columns of a key are separated by commas.
-#}
{% macro remember_mart_keys() -%}
    drop table if exists {{ mart_keys_relation() }};
    create table {{ mart_keys_relation() }} (
        mart_name {{ dbt.type_string() }}, key_columns {{ dbt.type_string() }}
    );
    {%- set keys = [] -%}
    {#- While dbt parses there is no graph yet. -#}
    {%- for node in (graph.nodes.values() if execute else []) if node.resource_type == 'model' and node.schema == 'marts' -%}
        {%- do keys.append("('" ~ node.alias ~ "', '" ~ key_columns(node) | join(', ') ~ "')") -%}
    {%- endfor %}
    {%- if keys %}
        insert into {{ mart_keys_relation() }} values {{ keys | sort | join(', ') }}
    {%- endif %}
{%- endmacro %}

{% macro mart_keys_relation() -%}
    {{ return(api.Relation.create(database=target.database, schema='intermediate', identifier='mart_keys')) }}
{%- endmacro %}

{% macro column_rules(column) -%}
    {%- set rules = ((column.config or {}).meta or {}).get('rules', {}) -%}
    {%- for rule in rules if rule not in ['not_null', 'unique', 'minimum', 'maximum', 'accepted_values'] -%}
        {%- do exceptions.raise_compiler_error(
            "Column " ~ column.name ~ ": there is no rule '" ~ rule ~ "', see macros/table_rules.sql."
        ) -%}
    {%- endfor -%}
    {{ return(rules) }}
{%- endmacro %}

{#- The rules that a row keeps or breaks by itself: pairs of a name and the condition that is true of a row that breaks it. -#}
{% macro row_rules(node) -%}
    {%- set rules = [] -%}
    {%- set meta = node.config.meta or {} -%}
    {%- for name in meta.get('key', []) -%}
        {%- do rules.append((name ~ ': not_null', name ~ ' is null')) -%}
    {%- endfor -%}
    {%- for column in node.columns.values() -%}
        {%- set name = column.name -%}
        {%- set declared = column_rules(column) -%}
        {%- if declared.not_null and name not in meta.get('key', []) -%}
            {%- do rules.append((name ~ ': not_null', name ~ ' is null')) -%}
        {%- endif -%}
        {%- if 'minimum' in declared -%}
            {%- do rules.append((name ~ ': minimum ' ~ declared.minimum, name ~ ' < ' ~ declared.minimum)) -%}
        {%- endif -%}
        {%- if 'maximum' in declared -%}
            {%- do rules.append((name ~ ': maximum ' ~ declared.maximum, name ~ ' > ' ~ declared.maximum)) -%}
        {%- endif -%}
        {%- if 'accepted_values' in declared -%}
            {%- set values = [] -%}
            {%- for value in declared.accepted_values -%}
                {%- do values.append(dbt.string_literal(dbt.escape_single_quotes(value | string))) -%}
            {%- endfor -%}
            {%- do rules.append((
                name ~ ': accepted_values ' ~ declared.accepted_values | join(', '),
                name ~ ' not in (' ~ values | join(', ') ~ ')'
            )) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name, expression in meta.get('identities', {}).items() -%}
        {%- do rules.append(('identity ' ~ name, 'not coalesce(' ~ expression | trim ~ ', false)')) -%}
    {%- endfor -%}
    {{ return(rules) }}
{%- endmacro %}

{#- The columns that identify a row, each as a list. -#}
{% macro unique_rules(node) -%}
    {%- set keys = [] -%}
    {%- if (node.config.meta or {}).get('key') -%}
        {%- do keys.append(node.config.meta.key) -%}
    {%- endif -%}
    {%- for column in node.columns.values() if column_rules(column).unique -%}
        {%- do keys.append([column.name]) -%}
    {%- endfor -%}
    {{ return(keys) }}
{%- endmacro %}

{#- The body of the test `holds`. -#}
{% macro rows_that_break_rules(relation) -%}
    {%- if not execute -%} {{ return('select 1 as broken_rules') }} {%- endif -%}
    {%- set node = graph.nodes[attached_node()] -%}
    {%- set of_rows = row_rules(node) -%}
    {%- set keys = unique_rules(node) -%}
    {%- if not of_rows and not keys -%}
        {%- do exceptions.raise_compiler_error(node.name ~ " declares no rule for the test 'holds' to check.") -%}
    {%- endif -%}
    {%- set shown = key_columns(node) | list -%}
    {%- for column in keys | sum(start=[]) if column not in shown -%}
        {%- do shown.append(column) -%}
    {%- endfor -%}
    {%- if of_rows -%}
select
    {%- for column in shown %}
    {{ column }},
    {%- endfor %}
    {%- set names = [] -%}
    {%- for name, broken in of_rows -%}
        {%- set literal = dbt.string_literal(dbt.escape_single_quotes(name ~ '\n')) -%}
        {%- do names.append('\n        case when ' ~ broken ~ ' then ' ~ literal ~ " else '' end") %}
    {%- endfor %}
    {{ dbt.concat(names) }} as broken_rules
from {{ relation }}
where
    {{ of_rows | map(attribute=1) | join('\n    or ') }}
    {%- endif -%}
    {%- for key in keys %}
{{ 'union all' if of_rows or not loop.first }}
select
        {%- for column in shown %}
    {{ column if column in key else 'null as ' ~ column }},
        {%- endfor %}
    {{ dbt.string_literal(key | join(', ') ~ ': unique\n') }} as broken_rules
from {{ relation }}
where {{ key | join(' is not null and ') }} is not null
group by {{ key | join(', ') }}
having count(*) > 1
    {%- endfor %}
{%- endmacro %}

{#- The id of the table that a test is about; a macro with an argument `model` cannot see the test itself. -#}
{% macro attached_node() -%} {{ return(model.get('attached_node')) }} {%- endmacro %}

{#- dbt's own test of a relationship shows the value that the other table lacks; this one shows whose value it is, too. -#}
{% macro default__test_relationships(model, column_name, to, field) -%}
    {%- set table = graph.nodes[attached_node()] if execute else none -%}
select
    {%- for column in (key_columns(table) if table else []) if column != column_name %}
    child.{{ column }},
    {%- endfor %}
    child.{{ column_name }}
from {{ model }} as child
left join {{ to }} as parent
    on child.{{ column_name }} = parent.{{ field }}
where
    child.{{ column_name }} is not null
    and parent.{{ field }} is null
{%- endmacro %}
