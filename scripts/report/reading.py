"""What a report reads: the marts of one publication, each query once, and what it was told of the company."""

from __future__ import annotations

import textwrap
import unicodedata
from collections import namedtuple
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

# What is longer is cut: a label of the company's may be as long as it likes.
_LONGEST = 300


class Reader:
    """The marts of a publication, read-only. The statements it has run are those that the report shows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> None:
        self._connection = connection
        self._answers: dict[str, list[Any]] = {}
        self.manifest = manifest
        # The sections that could not be drawn from it.
        self.failed: set[str] = set()

    @property
    def currency(self) -> str:
        """The company's reporting currency, in which all money is."""
        return self.manifest["reporting_currency"]

    @property
    def as_of(self) -> date:
        """The last day that the publication knows."""
        return date.fromisoformat(self.manifest["as_of_date"])

    @property
    def statements(self) -> list[str]:
        """What was asked so far."""
        return list(self._answers)

    def has(self, mart: str) -> bool:
        """Whether the publication has a mart; one of an older version may not."""
        return mart in self.manifest.get("marts", {})

    def rows(self, statement: str) -> list[Any]:
        """The rows of a query, with its columns as attributes; the same question is asked once."""
        statement = as_shown(statement)
        if statement not in self._answers:
            result = self._connection.execute(statement)
            row = namedtuple("Row", [column[0] for column in result.description])
            self._answers[statement] = [row(*map(readable, values)) for values in result.fetchall()]
        return self._answers[statement]


def as_shown(statement: str) -> str:
    """A query without the indentation it has in the code: so it is run, and so it is shown."""
    return textwrap.dedent(statement).strip()


def readable(value: Any) -> Any:
    """A value as it can be shown: money as a number, text without what nobody sees.

    Control characters would end a page, marks of direction turn a line around.

    >>> readable("V\\u202eN\\x00 nam"), readable(Decimal("1.50"))
    ('VN nam', 1.5)
    """
    if isinstance(value, Decimal):
        return float(value)
    if not isinstance(value, str):
        return value
    seen = "".join(" " if one.isspace() else one for one in value)
    seen = "".join(one for one in seen if unicodedata.category(one)[0] != "C" and one not in "\u2028\u2029")
    text = " ".join(seen.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
