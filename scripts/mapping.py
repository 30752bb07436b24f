"""Runs the SQL of an adapter, inside the locked sandbox, and finds the column at fault when it fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from scripts.adapters import Sql, TableMapping, first_line, nearest
from scripts.errors import ConfigurationError, LandingError
from scripts.reading import SOURCE_ROW, LoadedInput, Sandbox, without_addresses
from scripts.sql import identifier


def run_mapping(
    sandbox: Sandbox,
    mapping: TableMapping,
    adapter_file: Path,
    file_number: int,
    name: str,
    source: LoadedInput,
    joins: dict[str, LoadedInput],
) -> int:
    """Run one mapping over one input; gives the number of rows it put into `mapped.<table>` as `file_number`.

    `name` is what messages call the input. LandingError when the input lacks a column that the adapter names,
    ConfigurationError for any other fault of the SQL.
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
        return _Run(connection, mapping, adapter_file, file_number, name, relations).run()
    finally:
        for relation in relations:
            connection.execute(f"drop view if exists {identifier(relation)}")


@dataclass(frozen=True)
class _Run:
    """One mapping over one input."""

    connection: duckdb.DuckDBPyConnection
    mapping: TableMapping
    adapter_file: Path
    file_number: int
    name: str
    relations: dict[str, LoadedInput]

    def run(self) -> int:
        select, names = self._query() if self.mapping.query else self._columns()
        targets = ", ".join(identifier(name) for name in names)
        values = ", ".join(
            f"cast({identifier(name)} as {'bigint' if name == SOURCE_ROW else 'varchar'})" for name in names
        )
        try:
            return self.connection.execute(
                f"insert into mapped.{identifier(self.mapping.table.name)} (_file, {targets}) "
                f"select {self.file_number}, {values} from ({select}\n) as mapped_rows"
            ).fetchone()[0]
        except duckdb.Error as error:
            raise self._error(error) from error

    def _columns(self) -> tuple[str, list[str]]:
        """The select statement of a mapping by `columns:`, and the names it gives."""
        names = [*self.mapping.columns, SOURCE_ROW]
        expressions = [sql.text for sql in self.mapping.columns.values()] + [f"source.{SOURCE_ROW}"]
        # Numbered first and named after: an expression sees the file's columns, never another canonical one.
        inner = ",\n".join(f"({text}\n) as _c{place}" for place, text in enumerate(expressions))
        outer = ", ".join(f"_c{place} as {identifier(name)}" for place, name in enumerate(names))
        numbered = f"select {inner}\nfrom source{self._where()}"
        if len(self._describe(numbered)) != len(names):
            raise ConfigurationError(
                f"{self.adapter_file}:{self.mapping.line}: {self.mapping.table.name}: an expression of "
                "`columns:` gives more than one value; write one expression per column."
            )
        return f"select {outer} from ({numbered}) as numbered", names

    def _where(self) -> str:
        return f"\nwhere ({self.mapping.where.text}\n)" if self.mapping.where else ""

    def _query(self) -> tuple[str, list[str]]:
        """The select statement of a mapping by `query:`, and the names it gives, checked."""
        query, table = self.mapping.query, self.mapping.table
        names = self._describe(query.text)
        where = f"{self.adapter_file}:{query.line}: {table.name}.query"
        known = (*table.column_names, SOURCE_ROW)
        for name in names:
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

    def _describe(self, select: str) -> list[str]:
        try:
            return [row[0] for row in self.connection.execute(f"describe {select}").fetchall()]
        except duckdb.Error as error:
            raise self._error(error) from error

    def _error(self, error: duckdb.Error) -> LandingError | ConfigurationError:
        """The message for a failed mapping: which column, and what is wrong with it."""
        column, sql, cause = self._culprit(error)
        where = f"{self.adapter_file}:{sql.line}: {self.mapping.table.name}.{column}"
        text = without_addresses(first_line(cause))
        missing = re.search(r'column "([^"]*)" not found|does not have a column named "([^"]*)"', text)
        if missing:
            name = missing.group(1) or missing.group(2)
            known = list(dict.fromkeys(c for loaded in self.relations.values() for c in loaded.columns))
            hint = ""
            if sql.text.strip() == name:
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
