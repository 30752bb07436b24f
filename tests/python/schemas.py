"""Tables as landing and the contracts make them, empty: for tests that fill them with SQL.

Nothing here repeats a column's type: `raw` is what landing has made, marts are what their YAML promises.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import duckdb
import yaml

from scripts.contract.raw_tables import TABLES
from scripts.core.settings import PROJECT_ROOT
from tests.python.small_company import Company


def create_raw(connection: duckdb.DuckDBPyConnection) -> None:
    """Schema raw with the tables of the contract and the ledger `raw.loads`."""
    connection.execute("create schema raw")
    for name in (*TABLES, "loads"):
        connection.execute(_raw_statements()[name])


@cache
def _raw_statements() -> Mapping[str, str]:
    """The statement that creates each table of raw, from a landing of one row."""
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        company.orders("1,a,2026-01-05 10:00,1")
        company.land()
        return dict(company.rows("select table_name, sql from duckdb_tables() where schema_name = 'raw'"))


def create_mart(connection: duckdb.DuckDBPyConnection, name: str, columns: str) -> None:
    """A mart with those of its columns that a test needs, named with blanks between them, in that order."""
    types = _marts()[name]
    listed = ", ".join(f'"{column}" {types[column]}' for column in columns.split())
    connection.execute(f"create table marts.{name} ({listed})")


def create_marts(connection: duckdb.DuckDBPyConnection) -> None:
    """Every mart with all its columns: what a company has of which nothing is known yet."""
    connection.execute("create schema marts")
    for name, columns in _marts().items():
        create_mart(connection, name, " ".join(columns))


@cache
def _marts() -> Mapping[str, Mapping[str, str]]:
    """By mart, its columns and their types, as the enforced contracts have them."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for file in (PROJECT_ROOT / "models/marts").rglob("*.yml")
        for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    }
