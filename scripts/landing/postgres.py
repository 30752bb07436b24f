"""Fetching a relation of a Postgres server through ADBC. Connection secrets never reach a message."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

import duckdb

from scripts.core.errors import ConfigurationError, LandingError
from scripts.core.sql import error_line, identifier
from scripts.core.text import composed, nearest
from scripts.landing.adapters import Postgres

# Types that arrive as they are; all others (numeric, uuid, json, enums, money, …) are asked for as text.
_NATIVE_TYPES = frozenset(
    {
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "text",
        "character varying",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
    }
)
_COLUMNS = """
    select a.attname::text, format_type(a.atttypid, null)
    from pg_attribute as a
    join pg_class as c on c.oid = a.attrelid
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
    order by a.attnum
"""
_RELATIONS = """
    select n.nspname::text || '.' || c.relname::text
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
"""


def fetch_relation(
    connection: duckdb.DuckDBPyConnection, table: str, source: Postgres, row_column: str
) -> None:
    """Copy a relation into the new table `table`, numbering the rows in `row_column` as they arrive.

    ConfigurationError when the environment variable is not set, LandingError when the server or the relation
    cannot be read.
    """
    # Imported here: most companies have no Postgres, and the driver takes a moment to load.
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as driver

    uri = os.environ.get(source.connection)
    if not uri:
        raise ConfigurationError(
            f"{source.source_file}: the environment variable {source.connection} is not set; it must hold "
            "the URI of the Postgres server (postgresql://user:password@host/database)."
        )
    schema, relation = source.relation
    try:
        with driver.connect(uri) as client, client.cursor() as cursor:
            cursor.execute(_COLUMNS, (schema, relation))
            columns = cursor.fetchall()
            if not columns:
                cursor.execute(_RELATIONS)
                known = [name for (name,) in cursor.fetchall()]
                raise LandingError(
                    f"{source.source_file}: no such relation, or no right to see it, through "
                    f"{source.connection}{nearest('.'.join(source.relation), known)}"
                )
            selected = ", ".join(
                identifier(name)
                if kind in _NATIVE_TYPES
                else f"{identifier(name)}::text as {identifier(name)}"
                for name, kind in columns
            )
            cursor.execute(f"select {selected} from {identifier(schema)}.{identifier(relation)}")
            connection.register("fetched", cursor.fetch_record_batch())
            composed_columns = "".join(
                f", {_composed(name, kind)} as {identifier(composed(name))}" for name, kind in columns
            )
            try:
                connection.execute(
                    f"create table {table} as "
                    f"select row_number() over () as {row_column}{composed_columns} from fetched"
                )
            finally:
                connection.unregister("fetched")
    except (adbc_driver_manager.Error, duckdb.Error) as error:
        text = _without_secrets(error_line(error), uri)
        # Not `from error`: its own text may hold what was taken out.
        raise LandingError(
            f"{source.source_file}: cannot be read through {source.connection}: {text}"
        ) from None


def _composed(name: str, kind: str) -> str:
    """A fetched column as SQL, of texts with letters with accents as one character each."""
    is_text = kind not in _NATIVE_TYPES or kind in ("text", "character varying")
    return f"nfc_normalize({identifier(name)})" if is_text else identifier(name)


def _without_secrets(text: str, uri: str) -> str:
    """The message without the connection's URI and password, as written or unquoted."""
    secrets = {uri, *re.findall(r"password=('[^']*'|\S+)", uri)}
    try:
        password = urlsplit(uri).password
    except ValueError:
        password = None
    if password:
        secrets |= {password, unquote(password)}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    return re.sub(r"//[^@\s/]*@", "//…@", text)
