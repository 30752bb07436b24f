{#-
    Every rule that the table's .yml declares holds of every row, see macros/table_rules.sql. A row that breaks some fails
    once, with the names of the rules in `broken_rules`, a line each.
-#}
{% test holds(model) %}

{{ rows_that_break_rules(model) }}

{% endtest %}
