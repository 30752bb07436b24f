"""A table is made in one transaction, with its comments, in the place of whatever was there."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from scripts.build.dbt_runner import BuildFailedError, build
from scripts.core.settings import PROJECT_ROOT, Settings

PROJECT = """
name: tenure
version: "1.0"
profile: tenure
model-paths: [models]
vars: {as_of_date: null}
models:
  tenure:
    +persist_docs: {relation: true, columns: true}
    +materialized: table
"""
DOCUMENTED = """
models:
  - name: orders
    description: One row per order; "theirs", it's 100 %.
    config: {contract: {enforced: true}}
    columns:
      - {name: order_id, data_type: integer, description: The order.}
      - {name: amount, data_type: "decimal(28,4)", description: "Gross; $1 is 'a' dollar."}
  - name: fitted
    description: One row per fit.
    columns:
      - {name: n, description: A number.}
"""
ORDERS = "select 1 as order_id, cast(2 as decimal(28, 4)) as amount"
FITTED = """
def model(dbt, session):
    dbt.config(materialized="table")
    return dbt.ref("orders").project("order_id + 1 as n").to_arrow_table()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(warehouse=tmp_path / "warehouse", project_root=tmp_path / "project")
    for folder in ("models", "macros"):
        (settings.project_root / folder).mkdir(parents=True)
    (settings.project_root / "dbt_project.yml").write_text(PROJECT)
    shutil.copy(PROJECT_ROOT / "profiles.yml", settings.project_root)
    shutil.copy(PROJECT_ROOT / "macros/portable/tables.sql", settings.project_root / "macros")
    settings.warehouse.mkdir()
    (settings.project_root / "models/orders.yml").write_text(DOCUMENTED)
    (settings.project_root / "models/orders.sql").write_text(ORDERS)
    (settings.project_root / "models/fitted.py").write_text(FITTED)
    query(settings, "create view main.orders as select 'former' as order_id")
    query(settings, "create table main.fitted__dbt_tmp as select 'left by a killed run' as n")
    return settings


def query(settings: Settings, sql: str) -> list[tuple]:
    with duckdb.connect(str(settings.build_database)) as connection:
        return connection.execute(sql).fetchall()


def test_tables_take_the_place_of_what_was_there(settings: Settings) -> None:
    for _ in range(2):
        build(settings)
        assert query(settings, "select * from main.orders") == [(1, 2)]
        assert query(settings, "select * from main.fitted") == [(2,)]
        assert query(settings, "select table_name, comment from duckdb_tables() order by all") == [
            ("fitted", "One row per fit."),
            ("orders", 'One row per order; "theirs", it\'s 100 %.'),
        ]
        assert query(
            settings,
            "select column_name, data_type, comment from duckdb_columns() "
            "where table_name = 'orders' order by 1",
        ) == [("amount", "DECIMAL(28,4)", "Gross; $1 is 'a' dollar."), ("order_id", "INTEGER", "The order.")]


def test_a_model_that_fails_leaves_the_former_table(settings: Settings) -> None:
    build(settings)
    (settings.project_root / "models/orders.sql").write_text(
        "select cast('x' as integer) as order_id, cast(2 as decimal(28, 4)) as amount"
    )
    with pytest.raises(BuildFailedError, match="Could not convert"):
        build(settings)
    assert query(settings, "select * from main.orders") == [(1, 2)]


def test_a_description_of_no_column_is_refused(settings: Settings) -> None:
    yml = settings.project_root / "models/orders.yml"
    yml.write_text(yml.read_text().replace("{name: n,", "{name: m,"))
    with pytest.raises(BuildFailedError, match=r'"m"|column m'):
        build(settings)
