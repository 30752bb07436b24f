"""Incremental equals full: after daily deliveries the marts are those of `--full-refresh`, row for row."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from warehouses import Warehouse, mart_differences

from scripts.demo.company import generate
from scripts.demo.deliveries import write_deliveries
from scripts.demo.parameters import Parameters


def full_refresh_of(warehouse: Warehouse, folder: Path, *arguments: str) -> Warehouse:
    """A copy of the warehouse, all of it built anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy = Warehouse(folder)
    shutil.copytree(warehouse.settings.warehouse, copy.settings.warehouse)
    copy.dbt("run", "--full-refresh", *arguments)
    return copy


def differences(one: Warehouse, other: Warehouse) -> dict[str, int]:
    found = {}
    for schema in ("staging", "intermediate", "marts"):
        found |= mart_differences(one.settings.build_database, other.settings.build_database, schema)
    # The note of what was built when is no result.
    found.pop("incremental_state", None)
    return found


@pytest.mark.xdist_group("incremental")
def test_a_week_of_deliveries_equals_a_full_refresh(tmp_path: Path) -> None:
    """Late orders, changed orders, refunds of old orders, corrected files are among the deliveries."""
    company = generate(Parameters(customers=120))
    warehouse = Warehouse(tmp_path / "daily")
    batches = []
    for _, folder in write_deliveries(tmp_path / "deliveries", company):
        batches.append(warehouse.land("demo", folder).batch_id)
        warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test")
    assert len(batches) >= 7 and batches == sorted(set(batches))

    # The increments really were increments: not every customer was computed again on the last day.
    touched = warehouse.value(
        f"select count(distinct customer_id) from raw.customer_changes where batch_id = {batches[-1]}"
    )
    everybody = warehouse.value("select count(distinct customer_id) from intermediate.int_customer_days")
    assert 0 < touched < everybody / 2
    state = dict(warehouse.rows("select model_name, batch_id from intermediate.incremental_state"))
    assert state["int_customer_days"] == batches[-1] == state["stg_orders"]

    assert differences(warehouse, full_refresh_of(warehouse, tmp_path / "full")) == {}

    # In another time zone a shop clock tells other instants: everything is computed again, unasked.
    instants = "select order_id, ordered_at from staging.stg_orders order by 1"
    before = warehouse.rows(instants)
    warehouse.dbt("run", "--vars", "{business_timezone: America/Los_Angeles}")
    moved = full_refresh_of(
        warehouse, tmp_path / "full", "--vars", "{business_timezone: America/Los_Angeles}"
    )
    assert differences(warehouse, moved) == {}
    assert warehouse.rows(instants) != before
