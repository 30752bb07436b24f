{#- Schemas are named as the layers are, not `<target>_<layer>`: one warehouse file holds one company. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
