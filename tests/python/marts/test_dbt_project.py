"""The dbt project as an analyst runs it, and what its files promise."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from scripts.build.dbt_runner import dbt_target_path
from scripts.contract.raw_tables import TABLES, stored_name
from scripts.core.settings import PROJECT_ROOT
from tests.python.small_company import Company
from tests.python.warehouses import Warehouse

# Tests that share a warehouse run in one worker: it is built once.
pytestmark = pytest.mark.xdist_group("demo")


def test_plain_dbt_build_runs_every_unit_test_and_data_test(demo_warehouse: Warehouse) -> None:
    """The fixture has run it; here we see that it did what we think it did."""
    results = json.loads((demo_warehouse.settings.warehouse / "dbt/target/run_results.json").read_text())[
        "results"
    ]
    kinds = {
        kind: [r for r in results if r["unique_id"].startswith(kind + ".")]
        for kind in ("model", "test", "unit_test")
    }
    assert len(kinds["model"]) >= 38
    assert len(kinds["test"]) >= 130
    assert len(kinds["unit_test"]) >= 40
    # There is nothing to run of saved queries and exposures.
    assert {r["status"] for r in results if r["status"] != "no-op"} <= {"success", "pass"}


def test_docs_and_tests_run_in_the_project_root(demo_warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    warehouse.settings.warehouse.mkdir()
    shutil.copy(demo_warehouse.settings.build_database, warehouse.settings.build_database)
    assert "Catalog written" in warehouse.dbt("docs", "generate", "--static")
    # One file, to be sent or put anywhere.
    page = (dbt_target_path(warehouse.settings) / "static_index.html").read_text(encoding="utf-8")
    assert "Each mart has a group, and the group an owner" in page and "metric.tenure.retention_rate" in page
    assert "ERROR=0" in warehouse.dbt("test", "--select", "staging", "dim_customers,test_type:data")


def test_source_yaml_is_the_raw_contract() -> None:
    document = yaml.safe_load((PROJECT_ROOT / "models/staging/_raw__sources.yml").read_text())
    described = {
        table["name"]: {column["name"]: column["data_type"] for column in table["columns"]}
        for table in document["sources"][0]["tables"]
        if "columns" in table
    }
    assert described == {
        table.name: {stored_name(column): column.kind.value.lower() for column in table.columns}
        for table in TABLES.values()
    }


def test_every_model_and_every_column_of_a_mart_is_described(demo_warehouse: Warehouse) -> None:
    manifest = json.loads((demo_warehouse.settings.warehouse / "dbt/target/manifest.json").read_text())
    built: dict[tuple[str, str], set[str]] = {}
    for schema, table, column in demo_warehouse.rows(
        "select schema_name, table_name, column_name from duckdb_columns()"
    ):
        built.setdefault((schema, table), set()).add(column)
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        assert node["description"].startswith("One row"), node["name"]
        columns = {name for name, column in node["columns"].items() if column["description"]}
        assert columns == built[node["schema"], node["name"]], node["name"]


def test_model_header_says_the_grain() -> None:
    """A Python model says it in its docstring."""
    models = sorted(path for path in (PROJECT_ROOT / "models").rglob("*") if path.suffix in (".sql", ".py"))
    assert models
    for path in models:
        grain = {".sql": "-- Grain: one row", ".py": '"""Grain: one row'}[path.suffix]
        assert grain in path.read_text(), path.name
        assert path.with_suffix(".yml").exists(), path.name


def test_no_personal_data_in_the_marts(demo_warehouse: Warehouse, demo_data: Path) -> None:
    """No column for it, and no e-mail address in any text."""
    columns = demo_warehouse.rows(
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts'"
    )
    assert not [c for c in columns if c[1] in ("email", "email_hash", "name", "phone")]
    with demo_warehouse.reading() as connection:
        for table, column, kind in columns:
            if kind == "VARCHAR":
                sql = f"select count(*) from marts.{table} where {column} like '%@%'"
                assert connection.execute(sql).fetchall() == [(0,)], (table, column)


def test_adapter_vars_reach_a_plain_dbt_build(demo_warehouse: Warehouse) -> None:
    (row,) = demo_warehouse.rows(
        "select business_timezone, reporting_currency, segments from intermediate.int_settings"
    )
    assert row == ("Asia/Ho_Chi_Minh", "USD", "acquisition_channel,country,plan,billing_interval")


WITH_RATES = """
tables:
  orders:
    files: orders.csv
    columns:
      order_id: id
      customer_id: customer
      ordered_at: placed
      gross_amount: amount
      currency: currency
  exchange_rates:
    files: rates.csv
    optional: true
    columns: {currency: currency, rate_date: day, rate_to_reporting: rate}
"""


@pytest.mark.xdist_group("rates")
def test_currency_without_a_rate_stops_the_build_and_is_named(tmp_path: Path) -> None:
    """Then the rate arrives, the night goes on, and the smallest company there is has marts."""
    company = Company(tmp_path, WITH_RATES)
    company.write("orders.csv", "id,customer,placed,amount,currency\n1,a,2026-01-05,100,JPY\n")
    company.land()
    warehouse = Warehouse(tmp_path)
    output = warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test", succeeds=False)
    assert "No exchange rate for JPY on 2026-01-05: add it to exchange_rates" in output

    # A Friday's rate holds over the week-end.
    company.write("rates.csv", "currency,day,rate\nJPY,2026-01-02,0.0064\n")
    company.land()
    warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test")
    (row,) = warehouse.rows("select net_revenue, lifecycle_stage, frequency_score from marts.dim_customers")
    assert row == (Decimal("0.64"), "new", 1)
    # One customer of one day: nothing is predicted, and why not is said.
    (row,) = warehouse.rows(
        """
        select model, model_reason, probability_alive, expected_orders_90_days, predicted_value_365_days,
            lifetime_value
        from marts.fct_customer_lifetime_value
        """
    )
    reason = "orders: no fit: 0 days of history are too few: clv_minimum_history_days asks for 180"
    assert row == ("none", reason, None, None, None, None)
    assert (
        warehouse.value("select count(*) from marts.fct_cohort_retention where retention_rate is not null")
        == 0
    )


@pytest.mark.parametrize(
    ("exposure", "package"), [("report", "report"), ("summary_of_a_night", "publication")]
)
def test_an_exposure_names_the_marts_that_are_read(exposure: str, package: str) -> None:
    document = yaml.safe_load((PROJECT_ROOT / "models/exposures.yml").read_text(encoding="utf-8"))
    (named,) = (each["depends_on"] for each in document["exposures"] if each["name"] == exposure)
    read = {
        mart
        for file in (PROJECT_ROOT / "scripts" / package).rglob("*.py")
        for mart in re.findall(r"marts\.((?:dim|fct|rpt)_[a-z_]+)", file.read_text(encoding="utf-8"))
    }
    assert {f"ref('{mart}')" for mart in read} == set(named)
