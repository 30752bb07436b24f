"""Quoting for the SQL that scripts assemble. Names and values from outside go through here, all of them."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Quote a table, schema or column name.

    >>> identifier('odd"name')
    '"odd""name"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Quote a text value, for the statements that take no parameters.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"
