"""The names of a file's columns, as its header has them."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.core.errors import LandingError
from scripts.core.text import BLANKS, composed
from scripts.landing.formats.format import UnreadableError
from scripts.landing.formats.workspace import SOURCE_ROW

# What DuckDB calls the number of a row of a Parquet file, while it is read.
_PARQUET_ROW = "file_row_number"


def column_names(fields: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns: trimmed, letters with accents as one character each, blank ones numbered.

    >>> column_names([" id", ""])
    ('id', 'column2')
    """
    return tuple(
        composed(field).strip(BLANKS) or f"column{place}" for place, field in enumerate(fields, start=1)
    )


def checked_header(fields: Sequence[str], file: str) -> tuple[str, ...]:
    """As `column_names`; LandingError if two are the same to SQL, or one is reserved."""
    columns = column_names(fields)
    twice = repeated_name(columns)
    if twice:
        place, column = twice
        raise LandingError(
            f"{file}: two columns are called {column!r} (column {place} is the second; case does not "
            "count). Rename one where the file is made."
        )
    for column in columns:
        if column.casefold() in (SOURCE_ROW, _PARQUET_ROW):
            raise LandingError(f"{file}: the column name {column!r} is reserved for the number of the row.")
    return columns


def starter_header(fields: Sequence[str]) -> tuple[str, ...]:
    """As `column_names`, for the starter: two columns of one name make a file unreadable there too."""
    columns = column_names(fields)
    twice = repeated_name(columns)
    if twice:
        raise UnreadableError(f"two columns are called {twice[1]!r}: rename one")
    return columns


def repeated_name(columns: Sequence[str]) -> tuple[int, str] | None:
    """Place (1-based) and name of the first column that is called as one before it; case does not count.

    >>> repeated_name(["id", "day", "ID"])
    (3, 'ID')
    """
    seen: set[str] = set()
    for place, column in enumerate(columns, start=1):
        if column.casefold() in seen:
            return place, column
        seen.add(column.casefold())
    return None
