"""What has been landed: `raw.loads`, which has a line for each file, and the tables that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from scripts.contract.raw_tables import CHECK_RESULT_COLUMNS, LANDING_COLUMNS, TABLES, stored_name
from scripts.core.errors import ConfigurationError
from scripts.core.settings import Settings
from scripts.core.sql import identifier
from scripts.landing.adapters import Adapter
from scripts.landing.working_tables import Names

_LEDGER_TABLES = {
    "loads": """
        batch_id bigint, source_name varchar, table_name varchar, source_file varchar,
        file_sequence bigint, content_hash varchar, mapping_hash varchar,
        rows_in_file bigint, rows_read bigint, rows_accepted bigint, rows_stored bigint,
        rows_repeated bigint, rows_rejected bigint, loaded_at timestamp, is_current boolean""",
    "rejects": """
        batch_id bigint, table_name varchar, source_file varchar, source_row bigint, reason varchar,
        content json, loaded_at timestamp""",
    "customer_changes": "batch_id bigint, customer_id varchar",
    "removed_rows": "batch_id bigint, table_name varchar, row_key varchar",
    "settings": "name varchar, value varchar",
    # A company's own rules, a row for each value of their files: their columns differ.
    "rules": "rule_file varchar, source_file varchar, source_row bigint, column_name varchar, value varchar",
    # Written by validation; it is made here, so that dbt finds it before the first one.
    "check_results": CHECK_RESULT_COLUMNS,
}


@dataclass(frozen=True)
class LedgerLine:
    """What was landed of one file for one table."""

    content_hash: str
    mapping_hash: str
    file_sequence: int
    rows_read: int


Ledger = dict[tuple[str, str], LedgerLine]


def read_ledger(connection: duckdb.DuckDBPyConnection, settings: Settings, adapter: Adapter) -> Ledger:
    """The current line of each landed file, by table and file; another company is an error."""
    has_ledger = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'raw' and table_name = 'loads'"
    ).fetchone()
    if not has_ledger:
        return {}
    other = connection.execute(
        "select distinct source_name from raw.loads where source_name <> ? order by 1", [adapter.name]
    ).fetchone()
    if other:
        raise ConfigurationError(
            f"The warehouse {settings.warehouse} holds {other[0]!r}; a warehouse holds one company. "
            f"Set TENURE_WAREHOUSE to another folder for {adapter.name!r}."
        )
    return {
        (table, file): LedgerLine(content, mapping, sequence, rows)
        for table, file, content, mapping, sequence, rows in connection.execute(
            "select table_name, source_file, content_hash, mapping_hash, file_sequence, rows_read "
            "from raw.loads where is_current"
        ).fetchall()
    }


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """All tables of `raw` that are not there yet."""
    run = connection.execute
    run("create schema if not exists raw")
    for name, columns in _LEDGER_TABLES.items():
        run(f"create table if not exists raw.{identifier(name)} ({columns})")
    for table in TABLES.values():
        columns = [f"{identifier(stored_name(column))} {column.kind.value}" for column in table.columns]
        columns += [f"{name} {sql_type}" for name, sql_type in LANDING_COLUMNS.items()]
        run(f"create table if not exists raw.{identifier(table.name)} ({', '.join(columns)})")
    _add_new_columns(connection)


def _add_new_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Columns that the contract has got since the warehouse was made; its files are landed again anyway."""
    there = set(
        connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'raw'"
        ).fetchall()
    )
    for table in TABLES.values():
        for column in table.columns:
            if (table.name, stored_name(column)) not in there:
                connection.execute(
                    f"alter table raw.{identifier(table.name)} "
                    f"add column {identifier(stored_name(column))} {column.kind.value}"
                )


def write_ledger(
    connection: duckdb.DuckDBPyConnection, adapter: Adapter, batch_id: int, moment: datetime
) -> None:
    """The lines and the rejects of the files that have just been landed, in the place of former ones."""
    run = connection.execute
    again = "(table_name, source_file) in (select (table_name, source_file) from landing_files)"
    run(f"update raw.loads set is_current = false where is_current and {again}")
    run(f"delete from raw.rejects where {again}")
    tables = run("select distinct table_name from landing_files").fetchall()
    landed = [Names(TABLES[name]) for (name,) in tables]

    def counted(relations: list[str]) -> str:
        return " union all ".join(
            f"select _file, count(*) as number from {name} group by _file" for name in relations
        )

    run(
        f"""
        insert into raw.loads
        select
            $1, $2, table_name, source_file, file_sequence, content_hash, mapping_hash, rows_in_file,
            rows_read, coalesce(stored.number, 0) + coalesce(repeated.number, 0),
            coalesce(stored.number, 0), coalesce(repeated.number, 0), coalesce(rejected, 0), $3, true
        from landing_files
        left join ({counted([names.stored for names in landed])}) as stored using (_file)
        left join ({counted([names.repeated for names in landed])}) as repeated using (_file)
        left join (
            select _file, count(*) as rejected from landing_rejects group by _file
        ) as refused using (_file)
        order by _file
        """,
        [batch_id, adapter.name, moment],
    )
    run(
        """
        insert into raw.rejects
        select $1, table_name, source_file, source_row, reason, content, $2
        from landing_rejects
        join landing_files using (_file)
        order by _file, source_row
        """,
        [batch_id, moment],
    )


def store_settings(connection: duckdb.DuckDBPyConnection, adapter: Adapter) -> tuple[str, ...]:
    """Rewrite raw.settings with what the adapter says, raw.rules with the company's own rules.

    Gives the names of the settings that changed; a file of rules has one, `rules.<name>`, with its hash.
    """
    run = connection.execute
    before = dict(run("select name, value from raw.settings").fetchall())
    hashes = {f"rules.{rules.name}": rules.content_hash for rules in adapter.own_rules}
    now = adapter.variables | adapter.quality_limits.to_settings() | hashes
    if before != now:
        run("delete from raw.settings")
        for name, value in now.items():
            run("insert into raw.settings values (?, ?)", [name, value])
    values = [
        (rules.name, str(rules.path), line, column, value)
        for rules in adapter.own_rules
        for line, row in rules.rows
        for column, value in row.items()
    ]
    if values != run("select * from raw.rules order by rowid").fetchall():
        run("delete from raw.rules")
        if values:
            connection.executemany("insert into raw.rules values (?, ?, ?, ?, ?)", values)
    return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))
