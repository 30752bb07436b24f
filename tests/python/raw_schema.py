"""Schema `raw`, empty, as landing makes it: for tests that fill it with SQL."""

from __future__ import annotations

import duckdb

from scripts.contract.raw_tables import LANDING_COLUMNS, TABLES, stored_name


def create_raw(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of schema raw, as landing makes them."""
    connection.execute("create schema raw")
    for table in TABLES.values():
        columns = [
            f'"{stored_name(column)}" {"VARCHAR" if column.is_email else column.kind.value}'
            for column in table.columns
        ] + [f'"{name}" {kind}' for name, kind in LANDING_COLUMNS.items()]
        connection.execute(f'create table raw."{table.name}" ({", ".join(columns)})')
    connection.execute(
        "create table raw.loads (batch_id BIGINT, source_name VARCHAR, table_name VARCHAR, source_file "
        "VARCHAR, "
        "file_sequence BIGINT, content_hash VARCHAR, mapping_hash VARCHAR, rows_in_file BIGINT, "
        "rows_read BIGINT, "
        "rows_accepted BIGINT, rows_stored BIGINT, rows_repeated BIGINT, rows_rejected BIGINT, loaded_at "
        "TIMESTAMP, "
        "is_current BOOLEAN)"
    )
