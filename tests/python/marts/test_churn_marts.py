"""Churn and customer health of the demo company, held against the planted truth and against their past."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from scripts.build.dbt_runner import dbt_target_path
from scripts.demo.company import generate
from scripts.demo.parameters import Parameters
from scripts.demo.truth import write_truth
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("demo")

PAST = date(2025, 12, 31)


@pytest.fixture(scope="module")
def departures(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The subscriptions that ended by the last day, as the demo company lived through them."""
    folder = tmp_path_factory.mktemp("truth")
    parameters = Parameters(customers=150)
    write_truth(folder, generate(parameters))
    with (folder / "truth/churned.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["ended_on"] <= parameters.until.isoformat()]


def test_departures_are_the_planted_ones(demo_warehouse: Warehouse, departures: list[dict[str, str]]) -> None:
    """Who left, when, by whom, after which first day, and when they came back."""
    built = demo_warehouse.rows(
        """
        select customer_id, churned_on, churn_type, subscribed_on, billing_interval, reactivated_on
        from marts.fct_churn_events where basis = 'subscription'
        """
    )
    assert sorted(tuple(str(value or "") for value in row) for row in built) == sorted(
        (
            row["customer_id"],
            row["ended_on"],
            row["cancel_type"],
            row["started_on"],
            row["billing_interval"],
            row["reactivated_on"],
        )
        for row in departures
    )


def test_stated_reasons_are_kept(demo_warehouse: Warehouse, departures: list[dict[str, str]]) -> None:
    """What nobody said is `not_given`, or the failed payment that ended the subscription."""
    built = dict(
        demo_warehouse.rows(
            "select reason, count(*) from marts.fct_churn_events where basis = 'subscription' group by reason"
        )
    )
    planted = Counter(
        row["stated_reason"] or ("payment_failed" if row["cancel_type"] == "involuntary" else "not_given")
        for row in departures
    )
    assert built == planted


def test_most_who_faded_are_seen_to_fade(demo_warehouse: Warehouse, departures: list[dict[str, str]]) -> None:
    """Where there is enough to compare with: most who faded are seen, of the steady fewer than half."""
    trends = {
        (customer, str(churned_on)): trend
        for customer, churned_on, trend in demo_warehouse.rows(
            "select customer_id, churned_on, engagement_trend from marts.fct_churn_events"
        )
    }
    seen: dict[str, Counter[bool]] = {"fading": Counter(), "steady": Counter()}
    for row in departures:
        trend = trends[row["customer_id"], row["ended_on"]]
        if row["engagement"] in seen and trend != "unknown":
            seen[row["engagement"]][trend in ("declining", "silent")] += 1
    assert seen["fading"][True] >= 0.75 * seen["fading"].total() > 0
    assert seen["steady"][True] < 0.5 * seen["steady"].total()


def test_what_was_known_then_is_what_is_said_now(demo_warehouse: Warehouse, tmp_path: Path) -> None:
    """Departures and health up to a past day are the same, seen from that day and from the last."""
    past = Warehouse(tmp_path)
    past.settings.warehouse.mkdir(parents=True)
    shutil.copy(demo_warehouse.settings.build_database, past.settings.build_database)
    past.dbt(
        "run",
        "-s",
        "+fct_churn_events",
        "+fct_customer_health",
        "--vars",
        f"{{as_of_date: {PAST.isoformat()}}}",
    )
    later = "is_reactivated, reactivated_on, days_away"
    for mart, known_on, columns in (
        ("fct_churn_events", "churned_on", f"* exclude ({later})"),
        # The month of the past day was over.
        ("fct_customer_health", "observed_until", "*"),
    ):
        sql = f"select {columns} from marts.{mart} where {known_on} <= date '{PAST}' order by all"
        then = past.rows(sql)
        assert then
        assert then == demo_warehouse.rows(sql), mart


RULES = "assert_health_rules_make_sense"
REASONS = "assert_churn_reasons_make_sense"


@pytest.fixture
def connection(demo_warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """What is changed in the seeds is undone."""
    with duckdb.connect(str(demo_warehouse.settings.build_database)) as connection:
        connection.execute("begin")
        yield connection
        connection.execute("rollback")


@pytest.mark.parametrize(
    ("check", "change", "message"),
    [
        (
            RULES,
            "update seeds.health_rules set good_threshold = 30 where component = 'usage_recency'",
            "the rule `usage_recency`: the good threshold is not better",
        ),
        (
            RULES,
            "update seeds.health_rules set poor_threshold = 9 where component = 'nps'",
            "the rule `nps`: the good threshold is not better",
        ),
        (
            RULES,
            "update seeds.health_rules set full_points_at = 8 where component = 'nps'",
            "the rule `nps`: full_points_at must be at least as good",
        ),
        (
            RULES,
            "update seeds.health_rules set no_points_at = 20 where component = 'usage_recency'",
            "the rule `usage_recency`: full_points_at must be at least as good",
        ),
        (RULES, "update seeds.health_rules set points = 0 where component = 'nps'", "the rule `nps`: points"),
        (RULES, "delete from seeds.health_rules where component = 'nps'", "the rule `nps` is missing"),
        (
            REASONS,
            "update seeds.churn_reasons set reason_code = 'Price ' where reason_code = 'price'",
            "the code `Price `: write it in lower case",
        ),
        (
            REASONS,
            "update seeds.churn_reasons set owning_team = 'sales' where reason_code = 'too_expensive'",
            "the code `too_expensive` disagrees with `price`",
        ),
        (
            REASONS,
            "delete from seeds.churn_reasons where reason_code = 'not_given'",
            "the code `not_given` is missing",
        ),
    ],
)
def test_malformed_rule_is_refused_by_name(
    demo_warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, check: str, change: str, message: str
) -> None:
    (path,) = (dbt_target_path(demo_warehouse.settings) / "compiled").rglob(f"{check}.sql")
    assert connection.execute(f"select count(*) from ({path.read_text()}) as failures").fetchone() == (0,)
    connection.execute(change)
    with pytest.raises(duckdb.Error, match=message):
        connection.execute(path.read_text()).fetchall()
