"""What drifted: the last delivery against those before it, and the age of the newest row by the clock."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from scripts.contract.check_history import CheckResult, Status
from scripts.contract.quality_limits import Freshness, QualityLimits
from scripts.contract.raw_tables import TABLES
from scripts.validation import drift
from scripts.validation.runner import run_suites
from scripts.validation.suites import Past, Suite
from scripts.validation.validate import ValidationFailedError, check_freshness
from tests.python.schemas import create_raw
from tests.python.small_company import ORDERS, Company

# A Tuesday; the deliveries of the sixty-nine days before it follow a bulk delivery of the history.
LAST = date(2026, 3, 31)
DAYS = 70

ROWS = "Rows that the last delivery brought are as many as usual"
KEPT = "Files that the last delivery brought again have kept their rows"
REJECTS = "Rejected rows of the last delivery are no more than usual"
VALUES = "Values of the last delivery are distributed as before"
AMOUNTS = "Amounts of the last delivery are of the usual size"

# A shop that is closed on Sundays, sells half on Saturdays and three times as much on the last day of a
# month, in two currencies. Everything is drawn by hash: the same rows each time, spread as by chance.
FILL = f"""
create temp table deliveries as
select
    cast(range as date) as day,
    row_number() over (order by range) as batch_id,
    cast(
        case
            when range = date '{LAST}' - {DAYS} then 3000
            when month(range + interval 1 day) <> month(range) then 360
            when isodow(range) = 7 then 0
            when isodow(range) = 6 then 60
            else 120
        end
        -- The root of a count spreads evenly.
        + sqrt(120) * (hash(range) % 1000 / 1000 - 0.5) * 3 * (isodow(range) <> 7)::int as bigint
    ) as number
from range(date '{LAST}' - {DAYS}, date '{LAST}' + 1, interval 1 day);

insert into raw.orders (
    order_id, customer_id, ordered_at, gross_amount, currency, status, _batch_id, _source_file, _row_key,
    _loaded_at, _file_sequence, _source_row
)
select
    key, if(hash(key, 1) % 20 = 0, null, 'c' || key), day - interval 6 hour,
    if(hash(key, 2) % 10 < 7, 1, 25000) * exp((hash(key, 3) % 1000 + hash(key, 4) % 1000) / 500.0),
    if(hash(key, 2) % 10 < 7, 'USD', 'VND'), if(hash(key, 5) % 12 = 0, 'cancelled', 'completed'),
    batch_id, 'orders-' || day || '.csv', key, day + interval 3 hour, batch_id, number
from (
    select *, strftime(day, '%Y%m%d-') || unnest(range(number)) as key from deliveries
);

insert into raw.loads
select
    batch_id, 'shop', 'orders', 'orders-' || day || '.csv', batch_id, 'h', 'm', number, number,
    number - number // 100, number - number // 100, 0, number // 100, day + interval 3 hour, true
from deliveries where number > 0;

-- A list of all products, delivered whole every night; order lines stand for it.
insert into raw.loads
select
    batch_id, 'shop', 'order_items', 'items.csv', batch_id, 'h' || day, 'm', 1000 + batch_id, 1000 + batch_id,
    1000 + batch_id, 1000 + batch_id, 0, 0, day + interval 3 hour, day = date '{LAST}'
from deliveries;
"""


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build file with seventy daily deliveries of orders, and a snapshot that grows."""
    database = tmp_path_factory.mktemp("drift") / "build.duckdb"
    with duckdb.connect(str(database)) as connection:
        create_raw(connection)
        connection.execute(FILL)
    return database


@pytest.fixture
def look(deliveries: Path, tmp_path: Path) -> Callable[..., list[CheckResult]]:
    """What comes of the checks of one table after `change`, all that was landed after `until` being gone."""

    def run(
        change: str = "",
        *,
        until: date = LAST,
        table: str = "orders",
        past: Past | None = None,
    ) -> list[CheckResult]:
        database = tmp_path / f"{until}.duckdb"
        shutil.copy(deliveries, database)
        past = past or Past()
        with duckdb.connect(str(database)) as connection:
            for raw_table in ("orders", "loads"):
                loaded_at = "_loaded_at" if raw_table == "orders" else "loaded_at"
                connection.execute(f"delete from raw.{raw_table} where {loaded_at} > date '{until}' + 1")
            if change:
                connection.execute(change)
        expectations = (
            *drift.checks(TABLES[table], past),
            *drift.freshness(TABLES[table], past, {"orders": "ordered_at"}.get(table)),
        )
        shutil.rmtree(tmp_path / "site", ignore_errors=True)
        _, _, errors, checks = run_suites(
            database, [Suite("raw", table, expectations)], "run", tmp_path / "site"
        )
        assert errors == []
        return checks

    return run


def found(checks: list[CheckResult]) -> set[tuple[str, str | None]]:
    return {(check.check, check.column) for check in checks if check.status not in ("pass", "no_verdict")}


@pytest.mark.parametrize(
    "until",
    [
        pytest.param(date(2026, 2, 28), id="a month-end on a Saturday"),
        pytest.param(date(2026, 3, 1), id="a Sunday, closed, first of the month"),
        pytest.param(date(2026, 3, 2), id="a Monday"),
        pytest.param(date(2026, 3, 14), id="a Saturday"),
        pytest.param(LAST, id="a month-end of three times the orders"),
    ],
)
def test_weekends_and_month_ends_are_no_drift(look: Callable[..., list[CheckResult]], until: date) -> None:
    checks = look(until=until)
    assert found(checks) == set()
    # The rows at least were judged.
    assert next(check for check in checks if check.check == ROWS).status is Status.PASS


TODAY = f"_loaded_at > date '{LAST - timedelta(days=1)}'"
YESTERDAY = LAST - timedelta(days=1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            "update raw.loads set rows_read = rows_read // 2 where {ledger}", {(ROWS, None)}, id="half"
        ),
        pytest.param(
            "update raw.loads set rows_read = rows_read * 3 where {ledger}", {(ROWS, None)}, id="tripled"
        ),
        pytest.param("delete from raw.loads where {ledger}", {(ROWS, None)}, id="stuck table"),
        pytest.param(
            "update raw.orders set currency = 'VND', gross_amount = gross_amount where {rows}",
            {(VALUES, "currency"), (AMOUNTS, "gross_amount")},
            id="a currency flips",
        ),
        pytest.param(
            "update raw.orders set customer_id = null where {rows} and hash(order_id) % 2 = 0",
            {(VALUES, "customer_id")},
            id="nulls in a column",
        ),
        pytest.param(
            "update raw.orders set status = 'returned' where {rows} and hash(order_id) % 3 = 0",
            {(VALUES, "status")},
            id="a value never seen",
        ),
        pytest.param(
            "update raw.orders set gross_amount = gross_amount * 100 where {rows}",
            {(AMOUNTS, "gross_amount")},
            id="amounts times 100",
        ),
        pytest.param(
            "update raw.loads set rows_rejected = rows_read // 8 where {ledger}",
            {(REJECTS, None)},
            id="rejects",
        ),
    ],
)
def test_planted_drift_is_found_the_same_day_and_nothing_else(
    look: Callable[..., list[CheckResult]], change: str, expected: set[tuple[str, str | None]]
) -> None:
    day = f"> date '{YESTERDAY}' and"
    change = change.format(rows=f"_loaded_at {day} true", ledger=f"loaded_at {day} table_name = 'orders'")
    # On the day before the month-end there is nothing special about the day.
    change = change.replace(str(YESTERDAY), str(YESTERDAY - timedelta(days=1)))
    checks = look(change, until=YESTERDAY)
    assert found(checks) == expected
    for check in checks:
        if check.status is Status.WARN:
            assert check.observed_value is not None and check.message
            assert check.observed and check.expected


def test_a_file_that_comes_again_cut_off(look: Callable[..., list[CheckResult]]) -> None:
    cut = (
        f"update raw.loads set rows_read = 700 where table_name = 'order_items' and loaded_at > date '{LAST}'"
    )
    assert found(look(table="order_items")) == set()
    assert found(look(cut, table="order_items")) == {(KEPT, None)}


def test_a_delivery_after_a_pause_may_bring_what_has_gathered(look: Callable[..., list[CheckResult]]) -> None:
    """Two nights failed; what they would have brought came with the third."""
    until = date(2026, 3, 20)
    pause = f"""
        delete from raw.loads where cast(loaded_at as date) in (date '{until}' - 1, date '{until}' - 2);
        update raw.loads set rows_read = rows_read * 3 where cast(loaded_at as date) = date '{until}'
    """
    assert found(look(pause, until=until)) == set()


def test_what_is_landed_again_on_a_day_is_the_same_delivery(look: Callable[..., list[CheckResult]]) -> None:
    again = f"""
        insert into raw.loads
        select * replace (batch_id + 1000 as batch_id, loaded_at + interval 5 hour as loaded_at)
        from raw.loads where loaded_at > date '{YESTERDAY}' and table_name = 'orders'
    """
    rows = next(c for c in look(again, until=YESTERDAY) if c.check == ROWS)
    assert rows.status is Status.PASS
    assert rows.observed == next(c for c in look(until=YESTERDAY) if c.check == ROWS).observed


def test_without_enough_deliveries_there_is_no_verdict(look: Callable[..., list[CheckResult]]) -> None:
    checks = look(until=LAST - timedelta(days=DAYS - 6))
    assert {(check.check, check.column): check.status for check in checks} == {
        (ROWS, None): Status.NO_VERDICT,
        (KEPT, None): Status.NO_VERDICT,
        (REJECTS, None): Status.NO_VERDICT,
        **{
            (VALUES, column): Status.NO_VERDICT
            for column in ("currency", "status", "customer_id", "discount_amount", "cost_amount")
        },
        (AMOUNTS, "gross_amount"): Status.NO_VERDICT,
    }
    assert all("not enough history" in check.observed for check in checks if check.check != KEPT)


def test_the_adapters_limits_count(look: Callable[..., list[CheckResult]]) -> None:
    half = (
        "update raw.loads set rows_read = rows_read // 2 "
        f"where table_name = 'orders' and loaded_at > date '{YESTERDAY}'"
    )
    assert found(look(half, until=YESTERDAY)) == {(ROWS, None)}
    generous = Past(limits=QualityLimits(deviations=12))
    assert found(look(half, until=YESTERDAY, past=generous)) == set()


@pytest.mark.parametrize(
    ("days_later", "expected"),
    [
        # The newest order is of the evening before the last delivery.
        (2, {}),
        (3, {"warn"}),
        (9, {"warn"}),
        (10, {"warn", "fail"}),
    ],
)
def test_rows_too_old_by_the_clock(
    look: Callable[..., list[CheckResult]], days_later: int, expected: set[str]
) -> None:
    limits = QualityLimits(Freshness(warn_after_days=3, stop_after_days=10))
    past = Past(today=LAST + timedelta(days=days_later), limits=limits)
    checks = [check for check in look(past=past) if check.check.startswith("Days since")]
    assert len(checks) == 2
    assert {check.status.value for check in checks} - {"pass"} == set(expected)
    assert checks[0].observed == f"{days_later + 1} days, the newest row is of 2026-03-30"


def test_a_table_that_is_often_silent_has_its_own_limit(look: Callable[..., list[CheckResult]]) -> None:
    """Orders on Mondays only: two weeks are not yet too long, whatever the limit."""
    mondays = f"delete from raw.orders where (date '{LAST}' - cast(ordered_at as date)) % 7 <> 1"
    few = f"{mondays} or ordered_at < date '2026-03-01'"
    limits = QualityLimits(Freshness(warn_after_days=3))

    def statuses(change: str, age: int) -> set[str]:
        past = Past(today=YESTERDAY + timedelta(days=age), limits=limits)
        return {c.status.value for c in look(change, past=past) if c.check.startswith("Days since")}

    assert statuses(mondays, 14) == {"pass"}
    assert statuses(mondays, 15) == {"warn"}
    # With fewer than ten days nobody knows what is usual: the limit holds.
    assert statuses(few, 3) == {"pass"}
    assert statuses(few, 4) == {"warn"}


def test_no_limit_no_question(look: Callable[..., list[CheckResult]]) -> None:
    own = QualityLimits(Freshness(warn_after_days=3), {"orders": Freshness()})
    for limits in (QualityLimits(), own):
        checks = look(past=Past(today=date(2036, 1, 1), limits=limits))
        assert not [check for check in checks if check.check.startswith("Days since")]


LIMITED = "freshness: {{warn_after_days: 5, stop_after_days: {stop}}}" + ORDERS


def test_a_night_without_news_asks_the_clock(tmp_path: Path) -> None:
    """As nightly does; landing has put the limits where validation finds them."""
    company = Company(tmp_path, LIMITED.format(stop=30))
    company.orders("1,a,2026-03-09,10", "2,b,2026-03-08,10")
    company.land()
    kept = "select run_id, status, observed from raw.check_results order by run_id, status"

    assert not check_freshness(company.settings, "r1", datetime(2026, 3, 12, tzinfo=UTC)).findings
    warned = check_freshness(company.settings, "r2", datetime(2026, 3, 20, tzinfo=UTC))
    assert [finding.observed for finding in warned.findings] == ["11 days, the newest row is of 2026-03-09"]
    with pytest.raises(
        ValidationFailedError, match=r"(?s)raw\.orders: Days since the newest row.*2026-03-09"
    ):
        check_freshness(company.settings, "r3", datetime(2026, 4, 20, tzinfo=UTC))
    assert [row[:2] for row in company.rows(kept)] == [
        ("r1", "pass"),
        ("r1", "pass"),
        ("r2", "pass"),
        ("r2", "warn"),
        ("r3", "fail"),
        ("r3", "warn"),
    ]
    # The same run again counts once.
    check_freshness(company.settings, "r2", datetime(2026, 3, 20, tzinfo=UTC))
    assert len(company.rows(kept)) == 6

    # The limits are the adapter's: another one holds with the next landing, though no file is new.
    company.adapter(ORDERS)
    assert company.land().changed_vars == ("freshness.stop_after_days", "freshness.warn_after_days")
    assert check_freshness(company.settings, "r4", datetime(2036, 4, 20, tzinfo=UTC)) is None


def test_a_warehouse_of_before_gets_the_table_of_results(tmp_path: Path) -> None:
    company = Company(tmp_path)
    company.orders("1,a,2026-03-09,10")
    company.land()
    with duckdb.connect(str(company.settings.build_database)) as connection:
        connection.execute("drop table raw.check_results")
    assert company.land().batch_id is None
    assert company.rows("select count(*) from raw.check_results") == [(0,)]


def test_limits_survive_the_way_through_the_warehouse() -> None:
    for limits in (
        QualityLimits(),
        QualityLimits(
            Freshness(3, 10),
            {"refunds": Freshness(), "survey_responses": Freshness(45)},
            deviations=5.5,
            smallest_shift=0.2,
            smallest_factor=2.0,
        ),
    ):
        assert QualityLimits.from_settings(limits.to_settings() | {"segments": "country"}) == limits
    assert QualityLimits().to_settings() == {}
