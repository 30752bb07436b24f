"""Parquet: columns with types of their own, read where the file lies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from scripts.core.errors import LandingError
from scripts.core.sql import error_line, identifier, literal
from scripts.landing.formats.format import Format, Layout, UnreadableError
from scripts.landing.formats.headers import checked_header
from scripts.landing.formats.workspace import SOURCE_ROW, InputFile, LoadedInput, Workspace
from scripts.personal_data.patterns import without_addresses


def load_parquet(workspace: Workspace, file: InputFile, options: None = None) -> LoadedInput:
    """A view on the file: nothing is copied."""
    scan = f"read_parquet({literal(str(file.path))}, file_row_number = true, hive_partitioning = false)"
    try:
        # DuckDB would give the second of two columns of one name another one.
        own = _own_columns(workspace.connection, file.path)
        names = checked_header(own, file.name)
        described = workspace.connection.execute(f"describe select * from {scan}").fetchall()
        kinds = {name: kind for name, kind, *_ in described}
        columns = "".join(
            f", {_composed(column, kinds.get(column))} as {identifier(name)}"
            for column, name in zip(own, names, strict=True)
        )
        workspace.connection.execute(
            f"create view {workspace.table(file.number)} as "
            f"select file_row_number + 1 as {SOURCE_ROW}{columns} from {scan}"
        )
        return workspace.loaded(file.number)
    except duckdb.Error as error:
        raise damaged_parquet(error, file) from error


def _own_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """The names of the columns themselves, not of what is nested in them, as the file has them."""
    nodes = connection.execute(
        f"select name, coalesce(num_children, 0) from parquet_schema({literal(str(path))})"
    ).fetchall()
    names: list[str] = []
    # The tree in pre-order, from its root: how many nodes of each level are still to come.
    open_nodes = [nodes[0][1]]
    for name, children in nodes[1:]:
        while open_nodes[-1] == 0:
            open_nodes.pop()
        open_nodes[-1] -= 1
        if len(open_nodes) == 1:
            names.append(name)
        open_nodes.append(children)
    return names


def _composed(column: str, kind: str | None) -> str:
    """A column as SQL, of texts with letters with accents as one character each."""
    return f"nfc_normalize({identifier(column)})" if kind == "VARCHAR" else identifier(column)


def damaged_parquet(error: duckdb.Error, file: InputFile) -> LandingError:
    """The message for a file that cannot be read."""
    shown = without_addresses(error_line(error)).replace(str(file.path), file.name)
    return LandingError(
        f"{file.name}: cannot be read as Parquet: {shown} The file is damaged, cut off, or of another format."
    )


def _layout(path: Path, encoding: str) -> Layout:
    try:
        with _memory() as connection:
            described = connection.execute(f"describe select * from read_parquet({_path(path)})").fetchall()
    except duckdb.Error as error:
        raise _not_parquet(error) from error
    return Layout("parquet", tuple(row[0] for row in described), types=tuple(row[1] for row in described))


def _sample(path: Path, layout: Layout, limit: int) -> Iterator[Sequence[str | None]]:
    columns = ", ".join(f"nullif(cast({identifier(name)} as varchar), '')" for name in layout.columns)
    try:
        with _memory() as connection:
            yield from connection.execute(
                f"select {columns} from read_parquet({_path(path)}) limit {limit}"
            ).fetchall()
    except duckdb.Error as error:
        raise _not_parquet(error) from error


def _not_parquet(error: duckdb.Error) -> UnreadableError:
    return UnreadableError(f"no Parquet file: {str(error).splitlines()[0]}")


def _memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})


def _path(path: Path) -> str:
    """A literal for DuckDB's readers, which take every path for a pattern."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


PARQUET = Format(
    "parquet",
    load_parquet,
    extensions=(".parquet",),
    more_extensions=(".pq",),
    is_text=False,
    layouts=lambda path, encoding: [_layout(path, encoding)],
    sample=_sample,
    stays_in_place=True,
    damaged=damaged_parquet,
)
