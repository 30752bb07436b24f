"""Every column of text says what it holds of a person, and one name means one thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts.contract.personal import NAMES_SOMEBODY, Personal, declared_in_marts
from scripts.contract.raw_tables import TABLES, Kind
from scripts.core.errors import ConfigurationError
from scripts.core.settings import PROJECT_ROOT
from scripts.forget.case import customer_columns
from tests.python.warehouses import Warehouse

MARTS = declared_in_marts(PROJECT_ROOT)


def test_every_text_column_of_the_contract_is_classified() -> None:
    """Add a column to raw_tables.py with `_id`, `_label`, `_choice` or `_free_text`."""
    assert not [
        f"{table.name}.{column.name}"
        for table in TABLES.values()
        for column in table.columns
        if (column.kind is Kind.TEXT) is (column.personal is None)
    ]


def test_every_text_column_of_the_marts_is_classified() -> None:
    """Add `config: {meta: {personal: ...}}` to the column's YAML, see scripts/contract/personal.py."""
    missing, total = [], 0
    for file in sorted((PROJECT_ROOT / "models/marts").rglob("*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]:
            for column in model["columns"]:
                if column["data_type"] == "varchar":
                    total += 1
                    if column["name"] not in MARTS[model["name"]]:
                        missing.append(f"{model['name']}.{column['name']}")
    assert total > 150
    assert not missing


def test_a_name_of_an_id_means_the_same_everywhere() -> None:
    """Records of runs and tables between raw and the marts are searched by the names of columns."""
    meanings: dict[str, set[Personal]] = {}
    for columns in MARTS.values():
        for name, personal in columns.items():
            meanings.setdefault(name, set()).add(personal)
    for table in TABLES.values():
        for column in table.columns:
            if column.personal is not None:
                meanings.setdefault(column.name, set()).add(column.personal)
    ids = {*NAMES_SOMEBODY, Personal.RECORD}
    assert not {name for name, held in meanings.items() if held & ids and len(held) > 1}


def test_no_mart_has_an_e_mail_address() -> None:
    assert not [
        name for name, columns in MARTS.items() for held in columns.values() if held is Personal.EMAIL
    ]


def test_a_class_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models/marts"
    folder.mkdir(parents=True)
    (folder / "dim_pets.yml").write_text(
        "models:\n  - name: dim_pets\n    columns:\n"
        "      - {name: pet_name, data_type: varchar, config: {meta: {personal: private}}}\n"
    )
    with pytest.raises(ConfigurationError, match=r"dim_pets\.pet_name: meta\.personal is 'private'"):
        declared_in_marts(tmp_path)


@pytest.mark.xdist_group("demo")
def test_whatever_holds_ids_of_customers_has_a_declared_name(demo_warehouse: Warehouse) -> None:
    """The tables between raw and the marts too: forgetting searches all of them by these names."""
    declared = customer_columns(PROJECT_ROOT)
    undeclared = []
    with demo_warehouse.reading() as connection:
        for schema, table, column in connection.execute(
            """
            select schema_name, table_name, column_name
            from duckdb_columns()
            where data_type = 'VARCHAR' and not internal
                and (schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables())
            """
        ).fetchall():
            # The key of a row of raw.customers is the customer's id; the row has a customer_id as well.
            if column in declared or column in ("_row_key", "row_key"):
                continue
            theirs = f'"{column}" in (select customer_id from raw.customers)'
            if connection.execute(f"select 1 from {schema}.{table} where {theirs} limit 1").fetchone():
                undeclared.append(f"{schema}.{table}.{column}")
    assert not undeclared
