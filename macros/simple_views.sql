{#-
    A mart, named without the database: the view of a publication is made by the same words as that of the build file, and
    must read the marts that lie beside it.
-#}
{% macro published(mart) -%}
    {{ return(ref(mart).include(database=false)) }}
{%- endmacro %}
