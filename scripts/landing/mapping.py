"""Runs the SQL of an adapter, inside the locked sandbox, and finds the column at fault when it fails."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from scripts.contract.raw_tables import COMPANY_SEGMENTS, SEGMENT_PREFIX
from scripts.core.errors import ConfigurationError, LandingError
from scripts.core.sql import error_line, identifier, literal
from scripts.core.text import BLANKS, nearest
from scripts.landing.adapters import Postgres, TableMapping
from scripts.landing.formats.workspace import SOURCE_ROW, LoadedInput
from scripts.landing.row_rules import passed_type
from scripts.landing.sandbox import Sandbox
from scripts.landing.yaml_nodes import Sql
from scripts.personal_data.patterns import EMAIL_PATTERN, without_addresses

# A mapping that gives more rows than the first, and than the second for each row it reads, has no end.
_MANY_ROWS = 1_000_000
_MANY_ROWS_EACH = 1000
# Table functions that show other things than the rows a mapping is given.
# Files it has in `source` only: those of other inputs are readable too.
_FORBIDDEN_FUNCTIONS = re.compile(
    r"query|query_table|(duckdb|pragma)_.*|show_.*|sql_auto_complete|(read|parquet)_.*|.*_scan|glob|sniff_csv"
)


def run_mapping(
    sandbox: Sandbox,
    mapping: TableMapping,
    adapter_file: Path,
    file_number: int,
    name: str,
    source: LoadedInput,
    joins: dict[str, LoadedInput],
    seconds: float,
) -> int:
    """Run one mapping over one input; gives the number of rows it left in the sandbox as `file_number`.

    `name` is what messages call the input, `seconds` how long it may take. LandingError when the input
    lacks a column that the adapter names, ConfigurationError for any other fault of the SQL.
    """
    if not source.columns:
        # JSON lines without a single row have no columns to map.
        return 0
    connection = sandbox.locked_connection
    relations = {"source": source, **joins}
    for relation, loaded in relations.items():
        union = " union all by name ".join(f"select * from {table}" for table in loaded.tables)
        connection.execute(f"create or replace temp view {identifier(relation)} as {union}")
    try:
        return _Run(sandbox, connection, mapping, adapter_file, file_number, name, relations, seconds).run()
    finally:
        for relation in relations:
            connection.execute(f"drop view if exists {identifier(relation)}")


def columns_named(sql: str, columns: Iterable[str]) -> list[str]:
    '''Those of an input's columns that a piece of SQL names.

    >>> columns_named("""case when Paid = 'Total' then "Total (net)" end""", ["Total", "Total (net)", "paid"])
    ['Total (net)', 'paid']
    '''
    tokens = re.findall(r"'(?:[^']|'')*'|\"((?:[^\"]|\"\")+)\"|(\w+)", sql)
    names = {(quoted.replace('""', '"') or bare).casefold() for quoted, bare in tokens}
    return [column for column in columns if column.casefold() in names]


@dataclass(frozen=True)
class _Run:
    """One mapping over one input."""

    sandbox: Sandbox
    connection: duckdb.DuckDBPyConnection
    mapping: TableMapping
    adapter_file: Path
    file_number: int
    name: str
    relations: dict[str, LoadedInput]
    seconds: float

    def run(self) -> int:
        select, names = self._query() if self.mapping.query else self._columns()
        targets = ", ".join(identifier(name) for name in names)
        kinds = dict(zip(names, (kind for _, kind in self._describe(select)), strict=True))
        types = {
            column.name: passed_type(column, kinds[column.name])
            for column in self.mapping.table.columns
            if column.name in kinds
        }
        values = ", ".join(self._value(name, kinds[name], types.get(name)) for name in names)
        target = self.sandbox.mapped_table(self.mapping.table.name, types)
        most = max(_MANY_ROWS, _MANY_ROWS_EACH * sum(loaded.rows for loaded in self.relations.values()))
        with self._time_limit():
            try:
                rows = self.connection.execute(
                    f"insert into {target} (_file, {targets}) "
                    f"select {self.file_number}, {values} from ({select}\n) as mapped_rows limit {most + 1}"
                ).fetchone()[0]
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                raise self._error(error) from error
        if rows > most:
            raise self._refusal(
                f"gives more than {most:,} rows for the {self.relations['source'].rows:,} of {self.name}: "
                "it has no end, or a join that multiplies. Give one row per row of the table."
            )
        return rows

    @contextmanager
    def _time_limit(self) -> Iterator[None]:
        """Interrupt the SQL after `seconds`; a ConfigurationError then."""
        is_over = threading.Event()

        def interrupt() -> None:
            is_over.set()
            self.connection.interrupt()

        timer = threading.Timer(self.seconds, interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            if not is_over.is_set():
                raise
            raise self._refusal(
                f"is not done with {self.name} after {self.seconds / 60:g} minutes "
                "(max_mapping_minutes): it has no end, or a join that multiplies. Mend it, or raise "
                "max_mapping_minutes in the adapter."
            ) from error
        finally:
            timer.cancel()

    def _value(self, name: str, kind: str, passed: str | None) -> str:
        """The SQL of one value as it is `passed` on, as text if need be.

        ConfigurationError if its type holds several values, or no text.
        """
        value = identifier(name)
        if name == SOURCE_ROW:
            return f"cast({value} as bigint)"
        if kind == passed:
            return value
        if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "VARIANT")):
            raise self._refusal(
                f"gives a {kind.split('(')[0]}, which is not one value: take one of its fields.", name
            )
        if kind == "BLOB":
            raise self._refusal("gives binary data: write decode(…) if it is text in UTF-8.", name)
        if kind in ("DOUBLE", "FLOAT") and name.endswith("_id"):
            # Whole numbers beside missing ones: what writes 17850.0 means 17850.
            return f"""case
                when {value} = trunc({value}) and abs({value}) < 1e15
                then cast(cast({value} as bigint) as varchar)
                else cast({value} as varchar) end"""
        return f"cast({value} as varchar)"

    def _refusal(self, text: str, column: str | None = None) -> ConfigurationError:
        """A ConfigurationError on the query, or on one column of the mapping."""
        sql = self.mapping.query or self.mapping.columns.get(column or "")
        line = sql.line if sql else self.mapping.line
        place = "query" if self.mapping.query else column or "columns"
        told = f"{column} " if self.mapping.query and column else ""
        return ConfigurationError(
            f"{self.adapter_file}:{line}: {self.mapping.table.name}.{place}: {told}{text}"
        )

    def _columns(self) -> tuple[str, list[str]]:
        """The select statement of a mapping by `columns:`, and the names it gives."""
        names = [*self.mapping.columns, SOURCE_ROW]
        expressions = [sql.text for sql in self.mapping.columns.values()] + [f"source.{SOURCE_ROW}"]
        # Numbered first and named after: an expression sees the file's columns, never another canonical one.
        inner = ",\n".join(f"({text}\n) as _c{place}" for place, text in enumerate(expressions))
        outer = ", ".join(f"_c{place} as {identifier(name)}" for place, name in enumerate(names))
        numbered = f"select {inner}\nfrom source{self._where()}"
        self._require_own_relations(numbered)
        if len(self._describe(numbered)) != len(names):
            raise ConfigurationError(
                f"{self.adapter_file}:{self.mapping.line}: {self.mapping.table.name}: an expression of "
                "`columns:` gives more than one value; write one expression per column."
            )
        return self._with_segments(f"select {outer} from ({numbered}) as numbered", names)

    def _with_segments(self, select: str, names: list[str]) -> tuple[str, list[str]]:
        """The same with the company's own segments in one text, in the place of a column for each."""
        own = self.mapping.company_segments
        if not own:
            return select, names
        kinds = dict(self._describe(select))
        parts = []
        for name in own:
            column = SEGMENT_PREFIX + name
            text = f"nullif(trim({self._value(column, kinds[column], None)}, {literal(BLANKS)}), '')"
            text = f"regexp_replace({text}, {literal(EMAIL_PATTERN)}, '[e-mail]', 'g')"
            # Without a value nothing is concatenated.
            parts.append(f"{literal(name + '=')} || replace(replace({text}, '~', '~0'), '|', '~1')")
        kept = [name for name in names if not name.startswith(SEGMENT_PREFIX)]
        columns = ", ".join(identifier(name) for name in kept)
        composed = f"nullif(concat_ws('|', {', '.join(parts)}), '') as {COMPANY_SEGMENTS}"
        return f"select {columns}, {composed} from ({select}) as separate", [*kept, COMPANY_SEGMENTS]

    def _where(self) -> str:
        return f"\nwhere ({self.mapping.where.text}\n)" if self.mapping.where else ""

    def _query(self) -> tuple[str, list[str]]:
        """The select statement of a mapping by `query:`, and the names it gives, checked."""
        query, table = self.mapping.query, self.mapping.table
        self._require_own_relations(query.text)
        names = [name for name, _ in self._describe(query.text)]
        where = f"{self.adapter_file}:{query.line}: {table.name}.query"
        known = (*table.column_names, SOURCE_ROW)
        for name in names:
            if table.has_company_segments and name.startswith(SEGMENT_PREFIX):
                raise ConfigurationError(
                    f"{where}: gives {name!r}: segments of your own need `columns:`, which names them "
                    "before it runs."
                )
            if name not in known:
                raise ConfigurationError(f"{where}: gives the unknown column {name!r}{nearest(name, known)}")
            if names.count(name) > 1:
                raise ConfigurationError(f"{where}: gives the column {name!r} twice.")
        missing = [name for name in table.required_columns if name not in names]
        if missing:
            raise ConfigurationError(
                f"{where}: {table.name} requires {', '.join(missing)}; the query does not give it."
            )
        return query.text, names

    def _require_own_relations(self, select: str) -> None:
        """ConfigurationError if the SQL names other relations than `source` and its joins.

        What it read from them would change without the table being landed again.
        """
        (text,) = self.connection.execute("select json_serialize_sql(?)", [select]).fetchone()
        others = _other_relations(json.loads(text), self.relations)
        if others:
            known = " and ".join(f"`{name}`" for name in self.relations)
            raise self._refusal(
                f"reads {min(others)!r}. A mapping reads {known}, and nothing else; "
                "name other inputs under `join:`."
            )

    def _describe(self, select: str) -> list[tuple[str, str]]:
        """Names and types of what a select gives."""
        try:
            return [(row[0], row[1]) for row in self.connection.execute(f"describe {select}").fetchall()]
        except duckdb.Error as error:
            raise self._error(error) from error

    def _error(self, error: duckdb.Error) -> LandingError | ConfigurationError:
        """The message for a failed mapping: which column, and what is wrong with it."""
        for loaded in self.relations.values():
            self.sandbox.require_readable(loaded)
        column, sql, cause = self._culprit(error)
        where = f"{self.adapter_file}:{sql.line}: {self.mapping.table.name}.{column}"
        text = without_addresses(error_line(cause))
        missing = re.search(r'column "([^"]*)" not found|does not have a column named "([^"]*)"', text)
        if missing:
            name = missing.group(1) or missing.group(2)
            known = list(dict.fromkeys(c for loaded in self.relations.values() for c in loaded.columns))
            hint = ""
            own = self.relations["source"].columns
            if len(own) == 1 and not isinstance(self.mapping.input, Postgres):
                hint = " It has one column only: is the delimiter another? Say `csv: {delimiter: …}`."
            elif any(re.fullmatch(r"[+-]?[0-9][0-9.,:/ -]*", column) for column in own):
                hint = " If the file has no header, say `csv: {header: false, columns: […]}`."
            elif sql.text.strip() == name:
                hint = f" (A fixed text is written \"'{name}'\", in both kinds of quotes.)"
            return LandingError(f"{where}: {self.name} has no column {name!r}{nearest(name, known)}{hint}")
        if isinstance(cause, duckdb.PermissionException):
            text += " A mapping reads `source` and its `join:` inputs, and nothing else."
        elif isinstance(
            cause, (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
        ):
            text += " Use try_cast or try_strptime, and the row is rejected with its reason instead."
        return ConfigurationError(f"{where}: {self.name}: {text}")

    def _culprit(self, error: duckdb.Error) -> tuple[str, Sql, duckdb.Error]:
        """The part of the mapping that fails by itself, with its own error."""
        if self.mapping.query:
            return "query", self.mapping.query, error
        if self.mapping.where:
            try:
                self.connection.execute(f"select count(*) from source{self._where()}")
            except duckdb.Error as cause:
                return "where", self.mapping.where, cause
        for name, sql in self.mapping.columns.items():
            try:
                self.connection.execute(
                    f"select max(cast(v as varchar)) from "
                    f"(select ({sql.text}\n) as v from source{self._where()})"
                )
            except duckdb.Error as cause:
                return name, sql, cause
        return "columns", Sql("", self.mapping.line), error


def _other_relations(tree: Any, known: Iterable[str]) -> set[str]:
    """What a syntax tree of DuckDB reads besides `known`, its own `with` and functions that make rows."""
    named: list[str] = []
    own = {name.casefold() for name in known}
    others: set[str] = set()
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += node
        if not isinstance(node, dict):
            continue
        nodes += node.values()
        kind = node.get("type")
        if kind == "BASE_TABLE":
            parts = [node.get("catalog_name"), node.get("schema_name"), node["table_name"]]
            named.append(".".join(part for part in parts if part))
        elif kind == "TABLE_FUNCTION" and _FORBIDDEN_FUNCTIONS.fullmatch(
            node["function"]["function_name"].lower()
        ):
            others.add(node["function"]["function_name"] + "()")
        elif kind == "SHOW_REF":
            others.add("show")
        own |= {entry["key"].casefold() for entry in (node.get("cte_map") or {}).get("map", [])}
    return others | {name for name in named if name.casefold() not in own}
