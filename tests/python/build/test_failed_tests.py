"""One test a table checks all of its rules, and a broken one is told with column, rule, number and keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from scripts.build.check_outcomes import outcomes
from scripts.build.dbt_runner import BuildFailedError, build
from scripts.build.failed_tests import SHOWN_ROWS, describe_rows
from scripts.contract.check_history import Status
from scripts.core.errors import CheckFailedError
from scripts.core.settings import PROJECT_ROOT, Settings

PROJECT = """
name: tenure
version: "1.0"
profile: tenure
model-paths: [models]
test-paths: [tests]
vars: {as_of_date: null}
"""

CUSTOMERS = "select 'a' as customer_id union all select 'b'"

# Rows that break nothing: what is null breaks no rule but `not_null`.
SOUND = [
    "'a', 1, 'new', 0.5, 10, true",
    "'b', 1, null, null, null, true",
    "'b', 2, 'it''s', 1.0, 0, true",
]

MODELS = """
models:
  - name: customers
    columns:
      - name: customer_id
        config: {meta: {rules: {not_null: true, unique: true}}}
    data_tests: [holds]
  - name: orders
    config:
      meta:
        key: [customer_id, number]
        identities:
          paid_orders_have_an_amount: amount is not null or not is_paid or share is null
    data_tests: [holds]
    columns:
      - name: customer_id
        data_tests:
          - relationships: {arguments: {to: ref('customers'), field: customer_id}}
      - name: number
      - name: status
        config: {meta: {rules: {accepted_values: [new, "it's"]}}}
      - name: share
        config: {meta: {rules: {minimum: 0, maximum: 1}}}
      - name: amount
        config: {meta: {rules: {minimum: 0}}}
      - name: is_paid
        config: {meta: {rules: {not_null: true}}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A project with the rules of this one, and a warehouse in which something was landed."""
    settings = Settings(warehouse=tmp_path / "warehouse", project_root=tmp_path / "project")
    for folder in ("models", "macros", "tests"):
        (settings.project_root / folder).mkdir(parents=True)
    (settings.project_root / "dbt_project.yml").write_text(PROJECT)
    shutil.copy(PROJECT_ROOT / "profiles.yml", settings.project_root)
    shutil.copy(PROJECT_ROOT / "macros/table_rules.sql", settings.project_root / "macros")
    shutil.copytree(PROJECT_ROOT / "tests/dbt/generic", settings.project_root / "tests/generic")
    settings.warehouse.mkdir()
    duckdb.connect(str(settings.build_database)).close()
    write(settings, SOUND)
    return settings


def write(settings: Settings, rows: list[str], rules: str = MODELS) -> None:
    """Write the models with these rows in `orders`."""
    folder = settings.project_root / "models"
    (folder / "customers.sql").write_text(CUSTOMERS)
    (folder / "orders.sql").write_text(
        "-- depends_on: {{ ref('customers') }}\n"
        "select * from (values\n"
        + ",\n".join(f"({row})" for row in rows)
        + ") as t (customer_id, number, status, share, amount, is_paid)"
    )
    (folder / "models.yml").write_text(rules)


def failures(settings: Settings) -> list[list[str]]:
    """The lines of each failure, without the path of the compiled SQL."""
    with pytest.raises(BuildFailedError) as told:
        build(settings)
    lines = [failure.splitlines() for failure in told.value.result.failures]
    assert all(Path(each[-1]).exists() for each in lines)
    return [each[:-1] for each in lines]


def kept(settings: Settings) -> list[tuple]:
    """What came of the tests, as readers will find it."""
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        return connection.execute(
            "select run_id, border || '.' || table_name, column_name, check_name, severity || ' ' || status, "
            "observed, rows_affected, message from raw.check_results order by all"
        ).fetchall()


def test_rules_that_hold_are_two_tests_and_a_relationship(settings: Settings) -> None:
    assert build(settings, run_id="r").nodes == {"model": 2, "test": 3}
    passed = ("critical pass", "0 rows", 0, None)
    assert kept(settings) == [
        ("r", "build.customers", None, "The rules of the table hold", *passed),
        ("r", "build.orders", "customer_id", "Is known in customers", *passed),
        ("r", "build.orders", None, "The rules of the table hold", *passed),
    ]


def test_every_kind_of_rule_is_told_with_its_rows(settings: Settings) -> None:
    write(
        settings,
        [
            *SOUND,
            # Not null, and an identity.
            "'a', 2, 'new', 0.5, 10, null",
            "'a', 3, 'new', 0.5, null, true",
            # A key with a part that is missing, and one that is there twice.
            "'a', null, 'new', 0.5, 10, true",
            "'b', 1, null, null, null, true",
            # A class, and both ends of a range, twice in one row.
            "'a', 4, 'old', 1.5, -1, true",
            "'a', 5, 'new', -0.5, 10, true",
            # Nobody's.
            "'c\x1b[31m', 1, 'new', 0.5, 10, true",
        ],
    )
    holds, relationship = sorted(failures(settings))
    assert holds == [
        "test holds_orders: 6 rows where none should be",
        "amount: minimum 0: 1 row, such as (customer_id a, number 4)",
        "customer_id, number: unique: 1 row, such as (customer_id b, number 1)",
        "identity paid_orders_have_an_amount: 1 row, such as (customer_id a, number 3)",
        "is_paid: not_null: 1 row, such as (customer_id a, number 2)",
        "number: not_null: 1 row, such as (customer_id a)",
        "share: maximum 1: 1 row, such as (customer_id a, number 4)",
        "share: minimum 0: 1 row, such as (customer_id a, number 5)",
        "status: accepted_values new, it's: 1 row, such as (customer_id a, number 4)",
    ]
    assert relationship[0].startswith("test relationships_orders_customer_id")
    assert relationship[1:] == ["such as (customer_id c\\x1b[31m, number 1)"]
    # Kept without the keys.
    passed, known, broken = [row[1:] for row in kept(settings)]
    assert passed[3] == "critical pass"
    assert known[3:] == ("critical fail", "1 row", 1, "the record of the run names the rows")
    assert broken[3:6] == ("critical fail", "6 rows", 6)
    assert broken[6].startswith(
        "amount: minimum 0: 1 row; customer_id, number: unique: 1 row; identity paid_"
    )
    assert "such as" not in broken[6]


def test_what_did_not_run_has_no_verdict_and_what_could_not_says_why() -> None:
    tests = {
        "a": {"table": "orders", "column": None, "check": "rules"},
        "b": {"table": "orders", "column": "customer_id", "check": "known"},
    }
    results = [
        {"unique_id": "a", "status": "skipped", "failures": None},
        {"unique_id": "b", "status": "error", "failures": None, "message": "no table\nann@example.com"},
        {"unique_id": "model.a", "status": "error"},
    ]
    skipped, error = outcomes(results, tests, {})
    assert (skipped.status, skipped.observed, skipped.message) == (
        Status.NO_VERDICT,
        "did not run: the build stopped before",
        None,
    )
    assert (error.status, error.observed, error.message) == (
        Status.ERROR,
        "could not run",
        "no table\\n[e-mail]",
    )


def test_no_more_than_some_rows_are_shown(settings: Settings) -> None:
    write(settings, [*SOUND, *(f"'a', {number}, 'old', 0.5, 10, true" for number in range(10, 40))])
    ((_, line),) = failures(settings)
    assert line.startswith("status: accepted_values new, it's: 30 rows, such as (customer_id a, number 10)")
    assert line.count("(customer_id") == SHOWN_ROWS


def test_a_misspelt_rule_is_refused(settings: Settings) -> None:
    write(settings, SOUND, MODELS.replace("maximum", "maximun"))
    with pytest.raises(CheckFailedError, match="Column share: there is no rule 'maximun'"):
        build(settings)


def test_what_cannot_run_again_is_told_by_its_number_alone(settings: Settings) -> None:
    manifest = {"nodes": {"test.t": {"compiled_code": "select * from no_such_table"}}}
    assert describe_rows(settings.build_database, manifest, "test.t") == []
    assert describe_rows(settings.build_database, {"nodes": {}}, "test.t") == []


def test_every_table_with_rules_has_the_test_that_checks_them() -> None:
    """Rules without it would stand in the documentation and bound nothing."""
    files = [*(PROJECT_ROOT / "models").rglob("*.yml"), *(PROJECT_ROOT / "seeds").glob("*.yml")]
    checked = 0
    for file in files:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for table in (*document.get("models", []), *document.get("seeds", [])):
            items = [table, *table.get("columns", [])]
            metas = [(item.get("config") or {}).get("meta") or {} for item in items]
            if any(meta.keys() & {"key", "identities", "rules"} for meta in metas):
                assert "holds" in table.get("data_tests", []), table["name"]
                checked += 1
    assert checked > 90
