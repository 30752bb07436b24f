"""The mapped rows of one table as the sandbox left them, and the SQL that cleans and converts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import duckdb

from scripts.contract.raw_tables import Table
from scripts.landing.row_rules import (
    Limits,
    Mapped,
    cleaned_select,
    converted_select,
    faulty_select,
    plain_columns,
    plain_select,
)
from scripts.landing.sandbox import Sandbox

# SQL of converted rows, given the condition on `_mapped_row` that chooses them.
Converted = Callable[[str], str]


@dataclass(frozen=True)
class MappedRows:
    """All mapped rows of a table, in one part for each combination of types."""

    table: Table
    parts: tuple[Mapped, ...]
    limits: Limits

    def converted(self, where: str) -> str:
        """The converted rows that `where` chooses, by `_mapped_row`, as SQL."""
        # An input without a single row may leave no table: there are columns all the same.
        nothing = Mapped("(select 0 as rowid, 0 as _file, 0 as _source_row limit 0)", {})
        return " union all ".join(
            converted_select(self.table, part, self.limits, where) for part in self.parts or (nothing,)
        )

    def cleaned(self, where: str = "true") -> str:
        """The rows as texts, cleaned, as SQL."""
        return " union all ".join(cleaned_select(self.table, part, where) for part in self.parts)

    def faulty(self) -> list[str]:
        """The rows that break the contract, with their reasons, as SQL, one select per part."""
        return [faulty_select(self.table, part, self.limits) for part in self.parts]


def find_mapped_rows(
    connection: duckdb.DuckDBPyConnection, sandbox: Sandbox, table: Table, limits: Limits
) -> MappedRows:
    """What the sandbox, attached as `scratch`, left for a table; finds the columns of plain texts."""
    found = []
    first_id = 0
    for relation, types in sandbox.mapped.get(table.name, {}).items():
        part = Mapped(f"scratch.{relation}", types, first_id)
        columns = plain_columns(table, part)
        if columns:
            plain = connection.execute(plain_select(table, part)).fetchone()
            names = (column.name for column, is_plain in zip(columns, plain, strict=True) if is_plain)
            part = replace(part, plain=frozenset(names))
        first_id += connection.execute(f"select count(*) from {part.relation}").fetchone()[0]
        found.append(part)
    return MappedRows(table, tuple(found), limits)
