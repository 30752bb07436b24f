"""The temporary relations of one landing in the build file: the names of those that stand for a table."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from scripts.contract.raw_tables import Table
from scripts.core.sql import identifier


@dataclass(frozen=True)
class Names:
    """The temporary relations of a landing that stand for one table, quoted; see `scripts.landing.checks`."""

    table: Table

    def _name(self, what: str) -> str:
        return identifier(f"{what}_{self.table.name}")

    @property
    def bad(self) -> str:
        """The rows that are rejected, each with its reason."""
        return self._name("bad")

    @property
    def repeated(self) -> str:
        """The rows that say again what another one of the file says."""
        return self._name("repeated")

    @property
    def left_out(self) -> str:
        """The rows of forgotten customers."""
        return self._name("left_out")

    @property
    def read(self) -> str:
        """All rows but those of forgotten customers, converted."""
        return self._name("read")

    @property
    def stored(self) -> str:
        """The rows that `raw` is to have of the new files."""
        return self._name("stored")

    @property
    def kept(self) -> str:
        """The rows of corrected files that stay as they are."""
        return self._name("kept")

    @property
    def former(self) -> str:
        """The keys of rows that are gone, or stand beside a new one with the same key."""
        return self._name("former")

    @property
    def touched(self) -> str:
        """The keys of all rows that came, went, count no longer or count again."""
        return self._name("touched")


def has_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Whether a relation (quoted) has a row."""
    return bool(connection.execute(f"select 1 from {relation} limit 1").fetchone())
