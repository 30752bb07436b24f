"""Quoting for the SQL that scripts assemble, and what DuckDB says of SQL that fails.

Names and values from outside go through here, all of them.
"""

from __future__ import annotations

import re


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


def error_line(error: Exception) -> str:
    """The first line of a DuckDB message, without the name of its class."""
    line = str(error).strip().split("\n")[0]
    return re.sub(r"^[A-Za-z ]+ Error: ", "", line)
