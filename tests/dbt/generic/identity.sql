{#- An expression that is true of every row; a row for which it is false or null fails. -#}
{% test identity(model, expression) %}

select *
from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}
