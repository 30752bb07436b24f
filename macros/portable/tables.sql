{#-
    How DuckDB makes a table: in one transaction the former one goes and the new one comes, and all its comments are one
    statement. dbt-duckdb builds beside it, renames twice and drops afterwards, and asks for the columns twice: with small
    tables that takes longer than the rows. Other engines use the materialization of their adapter.
-#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set former = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {#- A Python model writes by a connection of its own, outside of our transaction: beside the former table. -#}
    {%- set beside = make_intermediate_relation(target) if model.language == 'python' else none -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {%- if beside is not none %}
        {#- What a killed run has left. -#}
        {%- call statement('drop_beside', auto_begin=False) %} drop table if exists {{ beside }} {%- endcall %}
    {%- endif %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set drop_former -%}
        {%- if former is not none %} drop {{ former.type }} if exists {{ former }}; {%- endif %}
    {%- endset %}
    {%- if beside is none %}
        {%- call statement('main') %} {{ drop_former }} {{ create_table_as(False, target, compiled_code) }} {%- endcall %}
    {%- else %}
        {%- call statement('main', language='python') %}
            {{- create_table_as(False, beside, compiled_code, 'python') }}
        {%- endcall %}
        {%- call statement('swap') %}
            {{ drop_former }} alter table {{ beside }} rename to {{ target.include(database=false, schema=false) }}
        {%- endcall %}
    {%- endif %}
    {%- do create_indexes(target) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- A description of a column that is not there stops the build: the .yml or the model is wrong. -#}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {%- set comments = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do comments.append(duckdb__alter_relation_comment(relation, told_description(model))) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() -%}
            {%- set name = adapter.quote(column.name) if column.quote else column.name -%}
            {%- set comment = duckdb_escape_comment(column.description) -%}
            {%- do comments.append('comment on column ' ~ relation ~ '.' ~ name ~ ' is ' ~ comment ~ ';') -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if comments -%}
        {%- call statement('comments') -%} {{ comments | join('\n') }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#- A seed is made anew each time: emptied and filled, it would keep the columns it had before its file got another one. -#}
{% macro duckdb__reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
    {{ return(default__reset_csv_table(model, true, old_relation, agate_table)) }}
{%- endmacro %}

{#- What readers are told of a table: of one with segments first that its rows must not be added up. -#}
{% macro told_description(node) -%}
    {%- if 'segment_type' in node.columns and node.schema == 'marts' -%}
        {{ return("Filter segment_type = 'all' unless you compare segments: each segment type counts every customer again. "
            ~ node.description) }}
    {%- endif -%}
    {{ return(node.description) }}
{%- endmacro %}
