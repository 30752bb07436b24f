"""Look for traces of given values in all files below a folder: tables by columns, everything else as text.

DuckDB and Parquet compress, so their bytes alone prove nothing: each text column is read. The proof that a
customer is forgotten and the test that no secret is written anywhere both rest on this.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from scripts.core.sql import identifier, literal

# Shorter than this, a run of letters and digits stands somewhere by accident.
_DISTINCT_LENGTH = 5
_CERTAIN_LENGTH = 15


@dataclass(frozen=True)
class Trace:
    """A value to look for. `what` is what messages call it, since they must not repeat it.

    `columns` are the columns that are declared to hold such values: a value that also stands elsewhere by
    accident (customer 7, order 10001) is looked for in these alone, and as the whole value.
    """

    value: str
    what: str
    columns: tuple[str, ...] = ()
    only_columns: bool = False

    @property
    def is_distinct(self) -> bool:
        """Whether it means the same wherever it stands."""
        if self.only_columns:
            return False
        has_both = re.search(r"[^\W\d_]", self.value) and re.search(r"\d", self.value)
        return bool(has_both and len(self.value) >= _DISTINCT_LENGTH) or len(self.value) >= _CERTAIN_LENGTH

    @property
    def pattern(self) -> str:
        """A regular expression, for Python and DuckDB: the value, not as a part of a longer word."""
        return rf"(^|[^0-9A-Za-z])({_escaped(self.value)})($|[^0-9A-Za-z])"


@dataclass(frozen=True)
class Search:
    """What was looked through, and what was found: `(where, what)`, never the value itself."""

    files: int
    tables: int
    columns: int
    found: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        scanned = f"{self.files:,} files, {self.tables:,} tables, {self.columns:,} columns scanned"
        if not self.found:
            return f"{scanned}: nothing found"
        return f"{scanned}, and found:\n" + "\n".join(f"  {where}: {what}" for where, what in self.found)


def search(folder: Path, traces: Collection[Trace], skip: Collection[Path] = ()) -> Search:
    """Look into every file below `folder` but those of `skip`; links are not followed.

    A file that should be a database or a Parquet file and cannot be opened is an error of DuckDB: what was
    not read proves nothing.
    """
    found: dict[tuple[str, str], None] = {}
    files = tables = columns = 0
    connection = duckdb.connect(":memory:")
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path in skip:
            continue
        files += 1
        where = path.relative_to(folder).as_posix()
        for trace in traces:
            if trace.is_distinct and re.search(trace.pattern, where):
                # The name tells what it is, so it is not repeated.
                found[f"the name of a file in {path.parent.relative_to(folder).as_posix()}", trace.what] = (
                    None
                )
        if path.suffix not in (".duckdb", ".parquet"):
            found |= {(where, trace.what): None for trace in _in_text(path, traces)}
            continue
        with _opened(connection, path) as database:
            for table, names, hits in _tables_of(connection, database, traces):
                tables += 1
                columns += names
                for column, trace in hits:
                    found[f"{where}, {table}.{column}", trace.what] = None
            for trace in _in_free_blocks(path, connection, database, traces):
                found[f"{where}, where rows were deleted", trace.what] = None
    connection.close()
    return Search(files, tables, columns, tuple(found))


def database_holds(connection: duckdb.DuckDBPyConnection, database: str, traces: Collection[Trace]) -> bool:
    """Whether any table of an attached database has any of the values."""
    return any(hits for _, _, hits in _tables_of(connection, database, traces))


def _in_text(path: Path, traces: Collection[Trace]) -> Iterator[Trace]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    for trace in traces:
        # The first test is the fast one.
        if (
            trace.is_distinct
            and trace.value.encode() in content
            and re.search(trace.pattern, content.decode("utf-8", errors="replace"))
        ):
            yield trace
    common = [trace for trace in traces if not trace.is_distinct and trace.columns]
    if common and path.suffix == ".json":
        values = set(_keyed_values(json.loads(content)))
        yield from (
            trace
            for trace in common
            if any(key in trace.columns and trace.value == value for key, value in values)
        )


def _keyed_values(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a JSON document with the name under which each stands."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _keyed_values(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from _keyed_values(value, key)
    elif isinstance(content, str):
        yield key, content


@contextmanager
def _opened(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[str]:
    """A DuckDB or Parquet file in the connection, and what the database is called there."""
    if path.suffix == ".duckdb":
        connection.execute(f"attach {literal(str(path))} as scanned (read_only)")
        yield "scanned"
        connection.execute("detach scanned")
    else:
        connection.execute(f"create view parquet as from read_parquet({literal(str(path))})")
        yield "memory"
        connection.execute("drop view parquet")


def _in_free_blocks(
    path: Path, connection: duckdb.DuckDBPyConnection, database: str, traces: Collection[Trace]
) -> Iterator[Trace]:
    """What stands in the file and in no value of its tables, not even in a longer one (C1000 in C10001)."""
    content = path.read_bytes()
    for trace in traces:
        if trace.is_distinct and trace.value.encode() in content:
            values = (
                connection.execute(
                    f"select 1 from {relation} where contains({_text(column)}, ?) limit 1", [trace.value]
                ).fetchone()
                for _, relation, columns in _relations(connection, database)
                for column in columns
            )
            if not any(values):
                yield trace


def _tables_of(
    connection: duckdb.DuckDBPyConnection, database: str, traces: Collection[Trace]
) -> Iterator[tuple[str, int, list[tuple[str, Trace]]]]:
    """For each table: its name, how many columns were read, and where which value was found."""
    for table, relation, columns in _relations(connection, database):
        yield table, len(columns), find_in_columns(connection, relation, columns, traces)


def _relations(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str, list[str]]]:
    """Each table of a database: its name, the same quoted, and its columns that may hold text."""
    # A view of a database shows what its tables hold; a file of Parquet has nothing but a view.
    names = connection.execute(
        """
        select schema_name, table_name from duckdb_tables() where database_name = $1
        union all
        select schema_name, view_name from duckdb_views() where database_name = $1 and not internal
            and $1 = 'memory'
        order by 1, 2
        """,
        [database],
    ).fetchall()
    relations = []
    for schema, table in names:
        relation = ".".join(identifier(name) for name in (database, schema, table))
        columns = [
            name
            for name, kind, *_ in connection.execute(f"describe {relation}").fetchall()
            if "VARCHAR" in kind or "JSON" in kind
        ]
        relations.append((f"{schema}.{table}", relation, columns))
    return relations


def _text(column: str) -> str:
    return f"cast({identifier(column)} as varchar)"


def find_in_columns(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[str], traces: Collection[Trace]
) -> list[tuple[str, Trace]]:
    """In which column which value stands, by one pass over the table; `relation` is quoted."""
    tests: list[tuple[str, Trace, str]] = []
    values: list[list[str]] = []
    for column in columns:
        text = _text(column)
        for trace in traces:
            if trace.is_distinct:
                # The pattern is asked only where the value stands.
                test = (
                    f"case when contains({text}, {literal(trace.value)}) "
                    f"then regexp_matches({text}, {literal(trace.pattern)}) end"
                )
                tests.append((column, trace, test))
        whole: dict[str, list[Trace]] = {}
        for trace in traces:
            if not trace.is_distinct and column in trace.columns:
                whole.setdefault(trace.what, []).append(trace)
        for some in whole.values():
            values.append([trace.value for trace in some])
            tests.append((column, some[0], f"{text} in (select unnest(${len(values)}::varchar[]))"))
    if not tests:
        return []
    selected = ", ".join(f"bool_or({test})" for _, _, test in tests)
    row = connection.execute(f"select {selected} from {relation}", values).fetchone() or ()
    return [(column, trace) for (column, trace, _), is_there in zip(tests, row, strict=True) if is_there]


def _escaped(value: str) -> str:
    """Escape what means something in a regular expression of Python and of RE2."""
    return re.sub(r"([\\.^$*+?{}\[\]|()/-])", r"\\\1", value)
