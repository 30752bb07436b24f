{#- An expression that stops the query with a message for people, evaluated only for the rows that reach it. -#}
{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'tenure')(message)) }}
{%- endmacro %}

{% macro default__raise_error(message) -%} error({{ message }}) {%- endmacro %}

{% macro spark__raise_error(message) -%} raise_error({{ message }}) {%- endmacro %}
