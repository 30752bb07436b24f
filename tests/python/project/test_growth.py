"""What a model costs grows with the rows, not with their square.

Time tells nothing on a shared machine, so work is counted: the rows that every operator of a query passes on
or scans, and for a join that hashes nothing each row of one side with each of the other. Three companies at
1, 2 and 4 times a small size are computed from nothing; the work of a model at 4 times must be at most 4
times as much, times the logarithm that sorting costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts.benchmark.company import Company
from scripts.benchmark.files import ADAPTER, write_company
from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.demo import company as demo
from scripts.demo import deliveries
from scripts.demo.parameters import Parameters
from scripts.landing.land import land
from tests.python.query_plans import UNHASHED
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("growth")

SIZES = (1, 2, 4)

# Sorting a thousand and four thousand rows: log 4000 / log 1000 is 1.2, and customers are not all alike.
SLACK = 1.35
# Below that a query is at its fixed cost, whatever the company.
FIXED_ROWS = 5_000


def _orders_only(folder: Path, size: int) -> tuple[str, Path]:
    write_company(folder, Company(customers=500 * size))
    return str(folder / ADAPTER), folder / "data"


def _subscriptions_with_usage(folder: Path, size: int) -> tuple[str, Path]:
    write_company(folder, Company(customers=500 * size, has_relationships=True))
    return str(folder / ADAPTER), folder / "data"


def _demo(folder: Path, size: int) -> tuple[str, Path]:
    deliveries.write_company(folder, demo.generate(Parameters(customers=150 * size, days=0)))
    return "demo", folder


@dataclass
class Project:
    """Every model as dbt compiles it for a first night, in the order in which they are built."""

    nodes: list[dict[str, Any]]
    seeds: list[dict[str, Any]]
    build_database: Path


@dataclass
class Work:
    """Rows that each model handles, by size of the company."""

    rows: dict[str, list[int]] = field(default_factory=dict)

    def too_much(self) -> list[str]:
        """Models whose work grows faster than the company."""
        return [
            f"{name}: {' → '.join(f'{rows:,}' for rows in counted)} rows"
            for name, counted in self.rows.items()
            if counted[-1] > SLACK * SIZES[-1] / SIZES[0] * max(counted[0], FIXED_ROWS)
        ]


@pytest.fixture(scope="module")
def project(demo_warehouse: Warehouse) -> Project:
    manifest = json.loads(demo_warehouse.manifest.read_text(encoding="utf-8"))
    known = {
        name: node for name, node in manifest["nodes"].items() if node["resource_type"] in ("model", "seed")
    }
    ordered: dict[str, dict[str, Any]] = {}

    def add(name: str) -> None:
        if name in known and name not in ordered:
            for parent in known[name]["depends_on"].get("nodes", []):
                add(parent)
            ordered[name] = known[name]

    for name in sorted(known):
        add(name)
    return Project(
        [node for node in ordered.values() if node["resource_type"] == "model"],
        [node for node in ordered.values() if node["resource_type"] == "seed"],
        demo_warehouse.settings.build_database,
    )


def _compute(project: Project, settings: Settings) -> dict[str, int]:
    """Compute every model from what was landed; the rows each handled."""
    rows = {}
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("set enable_profiling = 'no_output'")
        connection.execute(f"attach {literal(str(project.build_database))} as built (read_only)")
        for schema in sorted({node["schema"] for node in (*project.nodes, *project.seeds)}):
            connection.execute(f"create schema if not exists {identifier(schema)}")
        for seed in project.seeds:
            place = f"{identifier(seed['schema'])}.{identifier(seed['alias'])}"
            connection.execute(f"create table {place} as from built.{place}")
        for node in project.nodes:
            place = f"{identifier(node['schema'])}.{identifier(node['alias'])}"
            if node["language"] == "python":
                _run_python(connection, node, place)
                continue
            kind = "view" if node["config"]["materialized"] == "view" else "table"
            connection.execute(f"create {kind} {place} as {node['compiled_code']}")
            if kind == "table":
                rows[node["name"]] = _work_of_the_last_query(connection)
    return rows


def _run_python(connection: duckdb.DuckDBPyConnection, node: dict[str, Any], place: str) -> None:
    """As dbt-duckdb runs it: `dbt.ref` gives a relation, and what is returned becomes the table."""
    names: dict[str, Any] = {}
    exec(compile(node["compiled_code"], node["name"], "exec"), names)  # noqa: S102
    made = names["model"](names["dbtObj"](connection.table), connection)  # noqa: F841
    connection.execute(f"create table {place} as from made")


def _work_of_the_last_query(connection: duckdb.DuckDBPyConnection) -> int:
    profile = json.loads(connection.get_profiling_information(format="json"))
    return sum(map(_work_of, profile["children"]))


def _work_of(operator: dict[str, Any]) -> int:
    children = operator["children"]
    rows = max(operator["operator_cardinality"], operator["operator_rows_scanned"])
    if operator["operator_name"] in UNHASHED and len(children) == 2:
        rows += children[0]["operator_cardinality"] * children[1]["operator_cardinality"]
    return rows + sum(map(_work_of, children))


@pytest.mark.parametrize("write", [_orders_only, _subscriptions_with_usage, _demo])
def test_the_work_of_a_model_grows_no_faster_than_the_company(
    project: Project, tmp_path: Path, write: Callable[[Path, int], tuple[str, Path]]
) -> None:
    work = Work()
    for size in SIZES:
        settings = Settings(tmp_path / f"warehouse_{size}")
        source, data = write(tmp_path / f"company_{size}", size)
        land(settings, source, data)
        for name, rows in _compute(project, settings).items():
            work.rows.setdefault(name, []).append(rows)
    assert len(work.rows) >= 70
    assert not work.too_much(), "\n".join(["work that grows faster than the company:", *work.too_much()])


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("select customer, sum(day) from orders group by customer", False),
        ("select *, sum(day) over (partition by customer order by day) from orders", False),
        ("select * from orders inner join customers on orders.customer = customers.customer", False),
        ("select * from orders cross join (select max(day) from orders)", False),
        # An equality, but of what has no more values in a larger company.
        (
            "select one.day, count(*) from orders as one inner join orders as other using (day) group by all",
            True,
        ),
        # Few rows come out of it, and every pair is compared.
        (
            "select * from customers as one inner join customers as other "
            "on one.customer < other.customer - 3990",
            True,
        ),
        (
            "select * from customers where "
            "(select count(*) from orders where day < customers.customer) > 1e9",
            True,
        ),
    ],
)
def test_what_grows_with_the_square_is_found(sql: str, is_found: bool) -> None:
    work = Work({"model": []})
    for size in SIZES:
        with duckdb.connect() as connection:
            connection.execute("set enable_profiling = 'no_output'")
            connection.execute(
                "create table customers as "
                f"select range as customer, range % 365 as joined from range({1_000 * size})"
            )
            connection.execute(
                f"create table orders as select range % {1_000 * size} as customer, range % 365 as day "
                f"from range({5_000 * size})"
            )
            connection.execute(sql).fetchall()
            work.rows["model"].append(_work_of_the_last_query(connection))
    assert bool(work.too_much()) is is_found, work.rows
