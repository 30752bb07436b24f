"""The scratch DuckDB file into which the formats load a company's files, each into a table of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from scripts.core.sql import identifier, literal

# What `source` calls the number of the row; reserved.
SOURCE_ROW = "_source_row"


@dataclass(frozen=True)
class InputFile:
    """A file to load.

    `path` is a link with a plain name, or a copy in UTF-8; `name` is what messages call the file; `number` is
    the input's in the scratch file; `ends_line` tells whether the last line has a line end.
    """

    path: Path
    name: str
    number: int
    ends_line: bool = True


@dataclass(frozen=True)
class Cells:
    """Where the values of a workbook stand: the letters of the columns by name; the sheets, each with the
    number of the row before its first, and its name.
    """

    letters: Mapping[str, str]
    sheets: tuple[tuple[int, str], ...]

    def place(self, column: str, row: str) -> str:
        """SQL of the name of a cell, as `G12` or, with several sheets, `Feb!G12`; `row` is SQL."""
        letter = self.letters[column]
        if len(self.sheets) == 1:
            return f"{literal(letter)} || {row}"
        cases = [
            f"when {row} > {before} then {literal(f'{name}!{letter}')} || ({row} - {before})"
            for before, name in reversed(self.sheets)
        ]
        return f"case {' '.join(cases)} end"


@dataclass(frozen=True)
class LoadedInput:
    """One input in the scratch file: the tables that hold its rows, their columns, all its data rows."""

    tables: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int
    # How many of the rows are broken lines; they are in `inputs.broken`, not in the tables.
    broken: int = 0
    # What `inputs.broken` calls it.
    number: int = 0
    # Of a spreadsheet, where its values stand.
    cells: Cells | None = None


@dataclass(frozen=True)
class BrokenLine:
    """A record of a file that is no row: its data row and its first physical line (both 1-based)."""

    source_row: int
    line: int
    reason: str
    content: str


@dataclass(frozen=True)
class Workspace:
    """The connection to the scratch file, and the folder it lies in, for files that must be rewritten."""

    connection: duckdb.DuckDBPyConnection
    directory: Path

    def create(self) -> None:
        """Make the schema of the inputs and the table of lines that are no rows."""
        self.connection.execute("create schema inputs")
        self.connection.execute(
            "create table inputs.broken "
            "(input integer, source_row bigint, line bigint, reason varchar, content varchar)"
        )

    @staticmethod
    def table(number: int) -> str:
        """The table of an input, quoted."""
        return f"inputs.{identifier(str(number))}"

    def loaded(self, number: int, broken: int = 0, cells: Cells | None = None) -> LoadedInput:
        """What the table of an input holds; `broken` lines are no rows of it."""
        table = self.table(number)
        described = self.connection.execute(f"describe {table}").fetchall()
        columns = tuple(row[0] for row in described if row[0] != SOURCE_ROW)
        (rows,) = self.connection.execute(f"select count(*) from {table}").fetchone()
        return LoadedInput((table,), columns, rows + broken, broken, number, cells)

    def record_broken(self, number: int, lines: Sequence[BrokenLine], unit: str = "line") -> None:
        """Keep the lines of an input that are no rows; `unit` is what people call a line there."""
        self.connection.execute(
            "insert into inputs.broken "
            "select ?, unnest(?::bigint[]), unnest(?::bigint[]), unnest(?::varchar[]), unnest(?::varchar[])",
            [
                number,
                [line.source_row for line in lines],
                [line.line for line in lines],
                [f"{unit} {line.line}: {line.reason}" for line in lines],
                [line.content for line in lines],
            ],
        )

    def first_broken(self, loaded: LoadedInput) -> str:
        """The first line of an input that is no row, and why."""
        return self.connection.execute(
            "select reason from inputs.broken where input = ? order by line limit 1", [loaded.number]
        ).fetchone()[0]
