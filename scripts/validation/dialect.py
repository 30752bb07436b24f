"""A read-only SQLAlchemy dialect through which Great Expectations pushes its queries down to DuckDB.

Great Expectations 1.24 reads a cursor after it has closed the connection. Closing rolls back, and a
rollback in DuckDB empties the cursor: every expectation then fails with "list index out of range". Nothing
is written through this dialect, so a transaction has no purpose and beginning, committing and rolling back
may do nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb_engine
from duckdb_engine.datatypes import ISCHEMA_NAMES
from sqlalchemy import text, types
from sqlalchemy.dialects import registry

URL_NAME = "duckdb.readonly"


class ReadOnlyDialect(duckdb_engine.Dialect):
    """DuckDB without transactions, and with columns that are found in any schema."""

    supports_statement_cache = False

    def do_begin(self, connection: Any) -> None:
        """Nothing is written, so there is no transaction."""

    def do_commit(self, connection: Any) -> None:
        """Nothing is written, so there is no transaction."""

    def do_rollback(self, connection: Any) -> None:
        """Nothing is written, and a rollback would empty the cursor that is still to be read."""

    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        """The schemas of this file by their plain names; the inherited ones carry the database's name."""
        rows = connection.execute(
            text("select schema_name from duckdb_schemas() where database_name = current_database()")
        )
        return [name for (name,) in rows.fetchall()]

    def get_pk_constraint(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        """No table of the warehouse declares a primary key: dbt tests its keys."""
        return {"constrained_columns": [], "name": None}

    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        """The columns of a table, in order. The inherited query asks Postgres catalogs that DuckDB lacks."""
        rows = connection.execute(
            text(
                "select column_name, data_type, is_nullable from duckdb_columns() "
                "where database_name = current_database() "
                "and schema_name = :schema and table_name = :table order by column_index"
            ),
            {"schema": schema or "main", "table": str(table_name)},
        ).fetchall()
        return [
            {
                "name": name,
                "type": ISCHEMA_NAMES.get(data_type.split("(")[0].lower(), types.NullType)(),
                "nullable": nullable,
                "default": None,
            }
            for name, data_type, nullable in rows
        ]


def connection_string(database: Path) -> str:
    """The SQLAlchemy URL of a DuckDB file; registers the dialect it names. `database` must be absolute."""
    registry.register(URL_NAME, __name__, ReadOnlyDialect.__name__)
    return f"duckdb+readonly:///{database.as_posix()}"
