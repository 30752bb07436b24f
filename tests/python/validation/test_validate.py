"""Validation on small DuckDB files: what it finds, how it says so, and what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from great_expectations.expectations.core import ExpectColumnValuesToBeBetween

from scripts.contract.raw_tables import TABLES
from scripts.core.errors import EXIT_CHECK_FAILED, CheckFailedError, ConfigurationError
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.publication.publications import publish
from scripts.validation import mart_suites, raw_suites
from scripts.validation.data_docs import without_outside
from scripts.validation.results import Finding, Severity
from scripts.validation.runner import run_suites
from scripts.validation.suites import Past, Suite, figure, no_rows
from scripts.validation.validate import ValidationFailedError, validate, validate_command
from tests.python.schemas import create_mart, create_raw

RUN_ID = "20260101T000000Z"
AS_OF = date(2026, 3, 31)
LOADED_AT = datetime(2026, 4, 1, 1)

# The columns of the marts that the expectations read; the marts have more.
MARTS = {
    "dim_months": "month as_of_date",
    "fct_orders": "order_id ordered_on gross_amount discount_amount refunded_amount net_revenue is_counted "
    "original_currency customer_id is_booked",
    "fct_customer_base": "month segment_type segment_value base_customers installed_customers prospects "
    "ordering_customers order_count guest_order_count net_revenue guest_net_revenue "
    "unattributed_refunded_amount is_complete subscription_revenue",
    "fct_customer_retention_rate": "period_type period_start segment_type segment_value starting_customers "
    "ending_customers retention_rate churn_rate is_window_observed is_complete",
    "rpt_subscription_retention": "month segment_type segment_value opening_customers closing_customers "
    "opening_mrr closing_mrr logo_churn_rate gross_mrr_churn_rate gross_revenue_retention_rate is_complete",
    "fct_nps_responses": "response_id survey score is_counted comment_text theme_count days_to_respond",
    "fct_churn_events": "churn_event_id customer_id reason_code stated_reason",
}
# Read by a check of another mart, and without one of its own.
READ_TOO = {"fct_subscription_ends": "customer_id subscription_id started_on ended_on is_stated"}

# Two customers, three orders of 10.0001 (one of them a guest's), months January to March 2026. One of them
# pays 10 a month and answered a survey, the other has left.
GOOD_MARTS = """
insert into marts.dim_months select month, date '2026-03-31' from months;
insert into marts.fct_orders values
    ('1', '2026-01-10', 10.0001, 0, 0, 10.0001, true, 'GBP', 'a', true),
    ('2', '2026-02-10', 10.0001, 0, 0, 10.0001, true, 'GBP', 'b', true),
    ('3', '2026-03-10', 10.0001, 0, 0, 10.0001, true, 'GBP', null, true);
insert into marts.fct_customer_base values
    ('2026-01-01', 'all', 'all', 1, 1, 0, 1, 1, 0, 10.0001, 0, 0, true, 0),
    ('2026-02-01', 'all', 'all', 2, 2, 1, 1, 1, 0, 10.0001, 0, 0, true, 0),
    ('2026-03-01', 'all', 'all', 2, 1, 1, 0, 0, 1, 0, 10.0001, 0, true, 0);
insert into marts.fct_customer_retention_rate values
    ('month', '2026-01-01', 'all', 'all', 0, 1, null, null, true, true),
    ('month', '2026-02-01', 'all', 'all', 1, 2, 1, 0, true, true),
    ('month', '2026-03-01', 'all', 'all', 2, 1, 0.5, 0.5, true, true),
    ('quarter', '2026-01-01', 'all', 'all', 0, 1, null, null, true, true);
insert into marts.rpt_subscription_retention values
    ('2026-01-01', 'all', 'all', 0, 1, 0, 10, null, null, null, true),
    ('2026-02-01', 'all', 'all', 1, 1, 10, 10, 0, 0, 1, true),
    ('2026-03-01', 'all', 'all', 1, 1, 10, 10, 0, 0, 1, true);
insert into marts.fct_nps_responses values
    ('r1', 'relationship', 9, true, 'fast', 1, 3), ('r2', 'relationship', null, false, null, 0, null);
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(warehouse=tmp_path / "warehouse")


@pytest.fixture
def warehouse(settings: Settings) -> Path:
    """A build file with three orders, a subscription and two responses, and the marts made from them."""
    settings.warehouse.mkdir()
    with duckdb.connect(str(settings.build_database)) as connection:
        create_raw(connection)
        for number, (customer, day) in enumerate((("a", "01-10"), ("b", "02-10"), (None, "03-10")), start=1):
            insert(
                connection,
                "orders",
                order_id=str(number),
                customer_id=customer,
                ordered_at=f"2026-{day}",
                gross_amount=Decimal("10.0001"),
            )
        insert(
            connection,
            "subscriptions",
            subscription_id="s",
            customer_id="a",
            billing_interval="year",
            amount=Decimal(150),
            discount_amount=Decimal(30),
            started_on="2026-01-10",
        )
        answers: list[tuple[str, str, int | None]] = [("r1", "2026-02-11", 9), ("r2", "2026-03-01", None)]
        for response, day, score in answers:
            insert(
                connection,
                "survey_responses",
                response_id=response,
                customer_id="a",
                survey="relationship",
                responded_at=day,
                score=score,
            )
        note_loads(connection)
        create_marts(connection)
    return settings.build_database


def create_marts(connection: duckdb.DuckDBPyConnection) -> None:
    """Schema marts and the settings behind it."""
    connection.execute("create schema marts; create schema intermediate")
    for name, columns in (MARTS | READ_TOO).items():
        create_mart(connection, name, columns)
    connection.execute("alter table marts.fct_orders alter original_currency set default 'GBP'")
    connection.execute(
        "create temp table months as select unnest([date '2026-01-01', '2026-02-01', '2026-03-01']) as month"
    )
    connection.execute(GOOD_MARTS)
    connection.execute(
        "create table intermediate.int_settings as select date '2026-03-31' as as_of_date, "
        "date '2026-03-31' as last_event_on, 'GBP' as reporting_currency, 'UTC' as business_timezone, "
        "'orders' as as_of_table, 0 as planned_subscriptions, 0 as planned_departures, 0 as later_events"
    )
    connection.execute(
        "create table intermediate.int_subscription_bills as select * from (values "
        "('a', date '2026-01-10', 120.0000)) as t (customer_id, billed_on, billed_amount)"
    )


def insert(connection: duckdb.DuckDBPyConnection, table: str, **values: object) -> None:
    """One raw row; what landing adds is filled in, and may be given too (`_file_sequence=2`)."""
    key = "|".join(str(values.get(column)) for column in TABLES[table].key)
    row = {
        "_batch_id": 1,
        "_source_file": f"{table}.csv",
        "_source_row": 1,
        "_loaded_at": LOADED_AT,
        "_file_sequence": 1,
        "_row_key": key,
        "_is_utc": True,
    } | values
    names = ", ".join(f'"{name}"' for name in row)
    connection.execute(
        f'insert into raw."{table}" ({names}) values ({", ".join("?" * len(row))})', list(row.values())
    )


def insert_days(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    column: str,
    days: int,
    *,
    per_day: int = 10,
    until: date = AS_OF,
    **expressions: str,
) -> None:
    """`per_day` rows on each of the `days` days up to `until`; `expressions` are SQL over `day` and
    `number`.
    """
    columns = {
        TABLES[table].key[0]: "strftime(day, '%Y%m%d') || '-' || number",
        column: "day",
        "_batch_id": "1",
        "_loaded_at": f"timestamp '{LOADED_AT}'",
        "_file_sequence": "1",
        "_source_row": "1",
        "_row_key": "strftime(day, '%Y%m%d') || '-' || number",
    } | expressions
    first = until - timedelta(days=days - 1)
    connection.execute(
        f"insert into raw.{table} ({', '.join(columns)}) select {', '.join(columns.values())} "
        f"from range(date '{first}', date '{until + timedelta(days=1)}', interval 1 day) as days(day) "
        f"cross join range({per_day}) as numbers(number)"
    )


def note_loads(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the ledger that fits what lies in raw."""
    connection.execute("delete from raw.loads")
    for table in TABLES:
        row = connection.execute(f"select count(*) from raw.{table}").fetchone()
        count = row[0] if row else 0
        if count:
            connection.execute(
                "insert into raw.loads values (1, 'shop', ?, ?, 1, 'h', 'm', ?, ?, ?, ?, 0, 0, ?, true)",
                [table, f"{table}.csv", *[count] * 4, LOADED_AT],
            )


@pytest.fixture
def find_raw(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Runs the raw suites over tables that `fill` makes, but those of empty tables; the findings."""

    def find(
        fill: Callable[[duckdb.DuckDBPyConnection], object], *, ledger: str | None = None
    ) -> list[Finding]:
        database = tmp_path / "landed.duckdb"
        with duckdb.connect(str(database)) as connection:
            create_raw(connection)
            fill(connection)
            note_loads(connection)
            filled = {"orders", "loads"} | {
                name for (name,) in connection.execute("select table_name from raw.loads").fetchall()
            }
            if ledger:
                connection.execute(ledger)
        suites = [suite for suite in raw_suites.suites(Past(as_of=AS_OF)) if suite.table in filled]
        _, findings, errors, _ = run_suites(database, suites, RUN_ID, tmp_path / "site")
        assert errors == []
        return findings

    return find


@pytest.fixture
def find_marts(warehouse: Path, tmp_path: Path) -> Callable[..., list[Finding]]:
    """Runs the marts suites, or one of them, over the good marts after `change`; the findings."""

    def find(change: str, past: Past | None = None, mart: str | None = None) -> list[Finding]:
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(change)
        suites = [
            suite for suite in mart_suites.suites(past or Past(as_of=AS_OF)) if mart in (None, suite.table)
        ]
        _, findings, errors, _ = run_suites(warehouse, suites, RUN_ID, tmp_path / "site")
        assert errors == []
        return findings

    return find


def only(findings: list[Finding], expectation: str) -> Finding:
    """The one finding whose expectation begins so; a test of one kind of finding expects no other."""
    assert [finding.expectation for finding in findings if finding.expectation.startswith(expectation)] == [
        finding.expectation for finding in findings
    ]
    assert len(findings) == 1
    return findings[0]


# --- the whole


def test_good_data_passes_without_a_finding(warehouse: Path, settings: Settings) -> None:
    now = datetime(2026, 4, 1, 3, 30, tzinfo=UTC)
    result = validate(settings, RUN_ID, now)
    assert result.findings == ()
    assert result.errors == ()
    assert result.as_of == AS_OF
    # Each check is kept, once, though its run is validated twice; what has no past yet has not passed.
    passed, unknown = kept_results(warehouse, "pass"), kept_results(warehouse, "no_verdict")
    validate(settings, RUN_ID, now)
    assert (kept_results(warehouse, "pass"), kept_results(warehouse, "no_verdict")) == (passed, unknown)
    assert {row[5:] for row in (*passed, *unknown)} == {(RUN_ID, datetime(2026, 4, 1, 3, 30), AS_OF)}
    volume = "Rows that the last delivery brought are as many as usual"
    assert ("orders", volume) in {row[:2] for row in unknown}
    assert "customers" not in {row[0] for row in (*passed, *unknown)}
    assert {suite.table for suite in result.suites} >= {
        # Of tables that a company lacks nothing is asked but what they must agree with.
        *(f"raw.{table}" for table in ("orders", "refunds", "subscriptions", "survey_responses", "loads")),
        *(f"marts.{mart}" for mart in MARTS),
    }
    assert "fct_orders" in result.table()
    assert result.report() == "No findings."


def test_a_warning_is_reported_and_stops_nothing(warehouse: Path, settings: Settings) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        insert(connection, "survey_responses", response_id="r1", responded_at="2026-01-05", score=9)
        note_loads(connection)
    result = validate(settings, RUN_ID)
    assert not result.stops_publication
    finding = only(list(result.warnings), "Responses without a customer")
    assert finding.table == "raw.survey_responses"
    assert finding.observed == "1 row"
    assert finding.expected == "no such row"
    assert finding.sample == ({"response_id": "r1", "responded_at": "2026-01-05 00:00:00", "survey": "null"},)
    report = result.report()
    for part in (
        "raw.survey_responses",
        "observed: 1 row",
        "expected: no such row",
        "response_id=r1",
        "what now",
    ):
        assert part in report


def test_a_critical_finding_stops_after_everything_is_written(warehouse: Path, settings: Settings) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from marts.fct_orders where order_id = '3'")
    with pytest.raises(ValidationFailedError) as caught:
        validate(settings, RUN_ID)
    assert isinstance(caught.value, CheckFailedError)
    assert caught.value.exit_code == EXIT_CHECK_FAILED
    assert "currency=GBP, orders landed=3, orders built=2, gross landed=30.0003, gross built=20.0002" in str(
        caught.value
    )
    assert (settings.data_docs / "index.html").exists()
    written = json.loads((settings.data_docs / "validation.json").read_text(encoding="utf-8"))
    assert written["stops_publication"] is True
    assert written["run_id"] == RUN_ID
    assert {finding["table"] for finding in written["findings"]} == {"marts.fct_orders"}
    assert caught.value.result.errors == ()
    # The next publication tells since when.
    assert ("fct_orders", "Orders and their gross amount are those that were landed", "critical") in {
        row[:3] for row in kept_results(warehouse, "fail")
    }


def kept_results(database: Path, status: str) -> list[tuple]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(
            "select table_name, check_name, severity, observed, message, run_id, checked_at, as_of_date "
            "from raw.check_results where status = ? order by all",
            [status],
        ).fetchall()


def test_a_broken_check_is_no_finding_about_the_data(warehouse: Path, settings: Settings) -> None:
    publish(settings, "20251231T000000Z")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("alter table marts.fct_customer_retention_rate drop column retention_rate")
        connection.execute("drop table marts.rpt_subscription_retention")
    with pytest.raises(ValidationFailedError) as caught:
        validate(settings, RUN_ID)
    result = caught.value.result
    broken = {"marts.fct_customer_retention_rate", "marts.rpt_subscription_retention"}
    assert {error.table for error in result.errors} == broken
    # That a published mart is gone is a finding, too.
    finding = only(list(result.findings), "Every published mart is there")
    assert finding.sample == ({"mart": "rpt_subscription_retention"},)
    message = str(caught.value)
    assert (
        "the check itself failed: marts.fct_customer_retention_rate: Retention of the last complete month"
        in message
    )
    assert 'Referenced column "retention_rate" not found' in message
    assert "Table with name rpt_subscription_retention does not exist" in message
    assert "SQL:" not in message
    counts = {suite.table: suite for suite in result.suites}
    assert counts["marts.fct_customer_retention_rate"].errors == 1
    assert counts["marts.fct_customer_retention_rate"].failed == 0
    # The one expectation of the mart that needs no such column has run.
    assert counts["marts.fct_customer_retention_rate"].expectations == 2
    assert {row[0]: row[3] for row in kept_results(warehouse, "error")} == dict.fromkeys(
        (name.removeprefix("marts.") for name in broken), "could not run"
    )


def test_nothing_to_validate_is_a_configuration_error(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="nothing to validate"):
        validate(settings, RUN_ID)


def test_raw_without_marts_reports_what_cannot_be_compared(warehouse: Path, settings: Settings) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop schema marts cascade; drop schema intermediate cascade")
    with pytest.raises(ValidationFailedError) as caught:
        validate(settings, RUN_ID)
    assert {error.table for error in caught.value.result.errors} == {f"marts.{mart}" for mart in MARTS}
    # Without a build the newest event in raw is the last day known.
    assert caught.value.result.as_of == date(2026, 3, 10)


# --- what it leaves behind


def test_the_build_file_is_free_afterwards(warehouse: Path, settings: Settings) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop table marts.rpt_subscription_retention")
    for _ in range(2):
        with pytest.raises(ValidationFailedError):
            validate(settings, RUN_ID)
        writer = (
            "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create or replace table t as select 1')"
        )
        subprocess.run([sys.executable, "-c", writer, str(warehouse)], check=True)


def test_nothing_is_written_but_the_docs_and_the_results(
    warehouse: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere, temporary = (tmp_path / name for name in ("home", "elsewhere", "tmp"))
    for folder in (home, elsewhere, temporary):
        folder.mkdir()
    with duckdb.connect(str(warehouse)) as connection:
        before = connection.execute("select count(*) from duckdb_tables()").fetchall()
    # In a process of its own: what is written while Great Expectations is imported counts too.
    process = subprocess.run(
        [sys.executable, "-m", "scripts", "validate"],
        cwd=elsewhere,
        env=os.environ
        | {
            "TENURE_WAREHOUSE": str(settings.warehouse),
            "PYTHONPATH": str(PROJECT_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            "TMPDIR": str(temporary),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert process.stdout.splitlines()[0].split() == ["table", "expectations", "failed", "warnings", "errors"]
    assert "No findings." in process.stdout
    with duckdb.connect(str(warehouse)) as connection:
        # What came of the checks, and nothing else.
        assert connection.execute("select count(*) > 30 from raw.check_results").fetchall() == [(True,)]
        connection.execute("drop table raw.check_results")
        assert connection.execute("select count(*) from duckdb_tables()").fetchall() == before
    assert [path for folder in (home, elsewhere, temporary) for path in folder.rglob("*")] == []
    assert {path.name for path in settings.warehouse.iterdir()} - {".lock", ".scratch"} == {
        "build.duckdb",
        "data_docs",
    }
    assert list(settings.scratch.iterdir()) == []


class References(HTMLParser):
    """Collects what a page refers to, and the tags that could fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "data")]


def test_the_docs_can_be_read_without_a_network(warehouse: Path, settings: Settings) -> None:
    hostile = '<script src="https://evil.example/x.js"></script>$x<img src=//evil.example/p.png>'
    with duckdb.connect(str(warehouse)) as connection:
        insert(connection, "survey_responses", response_id=hostile, responded_at="2026-01-05", score=9)
        note_loads(connection)
    with pytest.raises(ValidationFailedError):
        validate(settings, RUN_ID)
    pages = sorted(settings.data_docs.rglob("*.html"))
    # The index and a page for each suite's results, no other.
    assert len(pages) == 1 + len(json.loads((settings.data_docs / "validation.json").read_text())["suites"])
    for page in pages:
        content = page.read_text(encoding="utf-8")
        parser = References()
        parser.feed(content)
        assert not parser.tags & {"script", "img", "link", "iframe", "object"}, page
        for reference in parser.references:
            assert not re.match(r"\s*(\w+:)?//", reference), (page, reference)
            if reference and not reference.startswith("#"):
                assert (page.parent / reference.split("#")[0]).exists(), (page, reference)
        assert not re.search(r"url\(|@import", content), page
        assert "default-src 'none'" in content
    index = (settings.data_docs / "index.html").read_text(encoding="utf-8")
    # The response is not in the mart.
    assert "Responses and their scores are those that were landed" in index
    assert "&lt;script" in index


def test_links_to_other_hosts_become_text() -> None:
    page = '<head></head><p>by <a href="https://a.example" rel=x>them</a> <a href="#top">up</a></p>'
    assert '<p>by them <a href="#top">up</a></p>' in without_outside(page)


def test_a_second_validation_replaces_the_docs_of_the_first(warehouse: Path, settings: Settings) -> None:
    validate(settings, "20260101T000000Z")
    validate(settings, "20260102T000000Z")
    assert "20260102T000000Z" in (settings.data_docs / "index.html").read_text(encoding="utf-8")
    assert not list(settings.data_docs.rglob("*20260101T000000Z*"))


def test_the_command_prints_the_counts_even_when_it_fails(
    warehouse: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_WAREHOUSE", str(settings.warehouse))
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from marts.fct_orders where order_id = '3'")
    outcome = CliRunner().invoke(validate_command)
    assert isinstance(outcome.exception, CheckFailedError)
    line = next(line for line in outcome.stdout.splitlines() if line.startswith("marts.fct_orders"))
    assert line.split()[2] == "1"


# --- the machinery


def run(database: Path, site: Path, *expectations: object) -> list[Finding]:
    _, findings, errors, _ = run_suites(
        database, [Suite("main", "t", tuple(expectations), ("name",))], RUN_ID, site
    )
    assert errors == []
    return findings


@pytest.fixture
def table(tmp_path: Path) -> Path:
    database = tmp_path / "t.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("create table t (name VARCHAR, amount DECIMAL(28,4))")
        connection.execute(
            "insert into t select 'n' || i, 123456789012345678901234.5678 + i from range(12) as r(i)"
        )
    return database


def test_decimals_keep_all_their_digits(table: Path, tmp_path: Path) -> None:
    (finding,) = run(
        table,
        tmp_path / "site",
        figure(
            "sum",
            'select sum("amount") as "observed", 0.0001 as "highest" from "t" where "name" = \'n0\'',
            Severity.WARNING,
            expected="",
            todo="",
        ),
    )
    assert finding.observed == "123456789012345678901234.5678"
    assert finding.expected == "at most 0.0001"


def test_a_sample_is_small_and_in_order_and_the_number_is_of_all(table: Path, tmp_path: Path) -> None:
    (finding,) = run(
        table, tmp_path / "site", no_rows("rows", 'select "name" from "t"', Severity.WARNING, todo="look")
    )
    assert finding.observed == "12 rows"
    assert [row["name"] for row in finding.sample] == ["n0", "n1", "n10", "n11", "n2"]
    assert finding.todo == "look"


def test_a_sample_never_shows_an_email_address(table: Path, tmp_path: Path) -> None:
    query = (
        """select 'ann.b+c@mail.example.com' as "customer_id", 'x {a} :b 100%' as "text" where 1::int = 1"""
    )
    (finding,) = run(table, tmp_path / "site", no_rows("rows", query, Severity.WARNING, todo=""))
    assert finding.sample == ({"customer_id": "[e-mail]", "text": "x {a} :b 100%"},)
    pages = "".join(page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html"))
    assert "mail.example.com" not in pages.split("<body")[-1]


def test_expectations_of_great_expectations_show_the_key_of_the_rows(table: Path, tmp_path: Path) -> None:
    (finding,) = run(
        table,
        tmp_path / "site",
        ExpectColumnValuesToBeBetween(description="small", column="amount", max_value=1, severity="critical"),
    )
    assert finding.severity is Severity.CRITICAL
    assert finding.observed == "12 of 12 rows"
    assert finding.expected == "at most 1"
    assert len(finding.sample) == 5
    assert finding.sample[0]["name"] == "n0"


def test_bounds_of_a_figure(table: Path, tmp_path: Path) -> None:
    cases = {
        "below": ("1", "2", "3", "2 to 3"),
        "above": ("4", "2", "3", "2 to 3"),
        "above, no lowest": ("4", "null", "3", "at most 3"),
        "below, no highest": ("1", "2", "null", "at least 2"),
        "at lowest": ("2", "2", "3", None),
        "at highest": ("0.1::double", "0", "0.1", None),
        "nothing observed": ("null", "2", "3", None),
    }
    findings = run(
        table,
        tmp_path / "site",
        *(
            figure(
                name,
                f'select {observed} as "observed", {lowest} as "lowest", {highest} as "highest"',
                Severity.WARNING,
                expected="",
                todo="",
            )
            for name, (observed, lowest, highest, _) in cases.items()
        ),
    )
    assert {finding.expectation: finding.expected for finding in findings} == {
        name: expected for name, (*_, expected) in cases.items() if expected
    }


def test_a_figure_without_a_row_has_nothing_to_compare_with(table: Path, tmp_path: Path) -> None:
    query = 'select 1 as "observed", 2 as "lowest", 3 as "highest" where false'
    assert run(table, tmp_path / "site", figure("f", query, Severity.WARNING, expected="", todo="")) == []


# --- what suppliers send


def fill_orders(connection: duckdb.DuckDBPyConnection) -> None:
    """Three hundred ordinary days of orders, ten a day."""
    insert_days(
        connection,
        "orders",
        "ordered_at",
        300,
        gross_amount="10 + number",
        customer_id="'c' || number",
        currency="'GBP'",
    )


def test_ordinary_orders_give_no_finding(find_raw: Callable[..., list[Finding]]) -> None:
    assert find_raw(fill_orders) == []


def test_empty_raw_tables_are_one_critical_finding(find_raw: Callable[..., list[Finding]]) -> None:
    finding = only(find_raw(lambda connection: None), "There are orders, subscriptions or survey responses")
    assert finding.severity is Severity.CRITICAL


def test_subscriptions_alone_are_enough(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        insert(
            connection,
            "subscriptions",
            subscription_id="s",
            customer_id="a",
            billing_interval="month",
            amount=1,
            started_on="2026-01-01",
        )

    assert find_raw(fill) == []


def test_orders_of_unknown_customers(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        insert(connection, "customers", customer_id="a")
        order = {"ordered_at": "2026-01-05", "gross_amount": 1}
        insert(connection, "orders", order_id="known", customer_id="a", **order)
        insert(connection, "orders", order_id="guest", **order)
        insert(connection, "orders", order_id="stranger", customer_id="x", **order)
        # A later file has put the customer right.
        insert(connection, "orders", order_id="corrected", customer_id="y", **order)
        insert(connection, "orders", order_id="corrected", customer_id="a", _file_sequence=2, **order)

    finding = only(find_raw(fill), "Orders of an unknown customer")
    assert finding.sample == (
        {"order_id": "stranger", "customer_id": "x", "ordered_at": "2026-01-05 00:00:00"},
    )


def test_departures_that_can_end_nothing(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        insert(
            connection, "orders", order_id="1", customer_id="a", ordered_at="2026-01-05 10:00", gross_amount=1
        )
        insert(
            connection,
            "subscriptions",
            subscription_id="s",
            customer_id="b",
            started_on="2026-01-10",
            amount=1,
        )
        for name, customer, subscription, day in (
            ("shopper", "a", None, "2026-01-06"),
            ("subscriber", "b", "s", "2026-01-11"),
            ("nobody", "x", None, "2026-01-06"),
            ("the day", "a", None, "2026-01-05"),
            ("not theirs", "a", "s", "2026-01-06"),
        ):
            insert(
                connection,
                "departures",
                departure_id=name,
                customer_id=customer,
                subscription_id=subscription,
                departed_on=day,
            )
        # A later file has put it right.
        insert(connection, "departures", departure_id="was", customer_id="x", departed_on="2026-01-06")
        again = {"departed_on": "2026-01-07", "_file_sequence": 2}
        insert(connection, "departures", departure_id="was", customer_id="a", **again)

    found = {
        finding.expectation: [row["departure_id"] for row in finding.sample] for finding in find_raw(fill)
    }
    assert found == {
        "Departures of somebody who never bought": ["nobody"],
        "Departures before the first purchase of their customer": ["the day"],
        "Departures from a subscription that is not their customer's": ["not theirs"],
    }


def test_without_a_table_of_customers_nobody_is_unknown(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        insert(connection, "orders", order_id="1", customer_id="a", ordered_at="2026-01-05", gross_amount=1)

    assert find_raw(fill) == []


def test_discounts_larger_than_the_amount(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        for order, discount in (("all", 10), ("more", 11)):
            insert(
                connection,
                "orders",
                order_id=order,
                ordered_at="2026-01-05",
                gross_amount=10,
                discount_amount=discount,
            )

    finding = only(find_raw(fill), "Orders with a discount larger than their amount")
    assert [row["order_id"] for row in finding.sample] == ["more"]
    assert finding.sample[0]["discount_amount"] == "11.0000"


def test_refunds_larger_than_their_order(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        for order in ("whole", "twice", "discounted", "foreign"):
            insert(
                connection,
                "orders",
                order_id=order,
                ordered_at="2026-01-05",
                gross_amount=10,
                discount_amount=2 if order == "discounted" else None,
                currency="GBP",
            )
        refund = {"refunded_at": "2026-01-06"}
        for number, (order, amount, currency) in enumerate(
            (
                ("whole", "10", "GBP"),
                ("twice", "5.0001", "GBP"),
                ("twice", "5", None),
                ("twice", "5", "GBP"),
                ("discounted", "9", "GBP"),
                # Other money cannot be compared here.
                ("foreign", "5000", "VND"),
                (None, "99", "GBP"),
            )
        ):
            insert(
                connection,
                "refunds",
                refund_id=str(number),
                order_id=order,
                amount=Decimal(amount),
                currency=currency,
                **refund,
            )

    finding = only(find_raw(fill), "Refunds larger than their order")
    assert [(row["order_id"], row["refunded"], row["refunds"]) for row in finding.sample] == [
        ("discounted", "9.0000", "1"),
        ("twice", "15.0001", "3"),
    ]


def subscribe(connection: duckdb.DuckDBPyConnection, started_on: str, **values: object) -> None:
    """One period of subscription `s`."""
    row = {"subscription_id": "s", "customer_id": "a", "billing_interval": "month", "amount": 1} | values
    insert(connection, "subscriptions", started_on=started_on, **row)


def test_overlapping_periods(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        subscribe(connection, "2025-01-01", ended_on="2025-02-01")
        subscribe(connection, "2025-02-01", ended_on="2025-03-02")
        subscribe(connection, "2025-03-01")
        subscribe(connection, "2025-04-01")
        subscribe(connection, "2025-01-01", subscription_id="other", ended_on="2025-12-01")
        subscribe(connection, "2025-01-09", subscription_id="other", ended_on="2025-01-09")

    finding = only(find_raw(fill), "Overlapping periods of one subscription")
    assert [(row["started_on"], row["ended_on"]) for row in finding.sample] == [
        ("2025-02-01", "2025-03-02"),
        ("2025-03-01", "null"),
    ]


def test_a_period_put_right_by_a_later_file_does_not_overlap(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        subscribe(connection, "2025-01-01", ended_on="2025-09-01")
        subscribe(connection, "2025-01-01", ended_on="2025-02-01", _file_sequence=2)
        subscribe(connection, "2025-02-01")

    assert find_raw(fill) == []


def test_cancel_requests_after_the_end(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        subscribe(connection, "2025-01-01", ended_on="2025-02-01", cancel_requested_on="2025-02-01")
        subscribe(connection, "2025-03-01", ended_on="2025-04-01", cancel_requested_on="2025-04-02")

    finding = only(find_raw(fill), "Cancel requests after the end")
    assert finding.sample[0]["started_on"] == "2025-03-01"


@pytest.mark.parametrize("change", ["rows_read = rows_read + 1", "rows_repeated = rows_repeated + 1"])
def test_rows_that_the_ledger_lost(find_raw: Callable[..., list[Finding]], change: str) -> None:
    finding = only(
        find_raw(fill_orders, ledger=f"update raw.loads set {change}"), "Rows read are all accounted"
    )
    assert finding.severity is Severity.CRITICAL
    assert finding.sample[0]["table_name"] == "orders"


def test_rows_that_the_ledger_does_not_know(find_raw: Callable[..., list[Finding]]) -> None:
    finding = only(
        find_raw(fill_orders, ledger="delete from raw.orders where gross_amount = 10"), "Raw tables hold what"
    )
    assert finding.severity is Severity.CRITICAL
    assert finding.sample == ({"table_name": "orders", "rows_found": "2700", "rows_noted": "3000"},)


def test_a_replaced_load_counts_no_more(find_raw: Callable[..., list[Finding]]) -> None:
    ledger = (
        "insert into raw.loads select * replace (false as is_current, 0 as batch_id) from raw.loads "
        "where table_name = 'orders'"
    )
    assert find_raw(fill_orders, ledger=ledger) == []


@pytest.mark.parametrize(
    ("rejected", "severities"),
    [(0, []), (10, []), (50, ["warning"]), (800, ["critical", "warning"])],
)
def test_shares_of_rejected_rows(
    find_raw: Callable[..., list[Finding]], rejected: int, severities: list[str]
) -> None:
    ledger = (
        "insert into raw.loads select * replace ("
        "batch_id + 1 as batch_id, 'p' as table_name, 1000 as rows_read, "
        f"{1000 - rejected} as rows_accepted, 0 as rows_stored, {1000 - rejected} as rows_repeated, "
        f"{rejected} as rows_rejected) from raw.loads"
    )
    findings = find_raw(fill_orders, ledger=ledger)
    assert sorted(str(finding.severity) for finding in findings) == severities
    for finding in findings:
        # A line of the log says what was hoped for and what was found.
        assert finding.headline.endswith(f"expected: {finding.expected}, observed: {finding.observed}")
        assert Decimal(finding.observed) == Decimal(rejected) / 1000
        assert finding.sample[0]["rows rejected"] == str(rejected)


def last_days(days: int) -> str:
    """SQL for the last so many days known."""
    return f"ordered_at > timestamp '{AS_OF}' - interval {days} day"


def test_a_week_with_few_rows(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        connection.execute(f"delete from raw.orders where {last_days(7)} and hash(order_id) % 10 < 8")

    finding = only(find_raw(fill), "Rows of the seven days to 2026-03-31")
    assert finding.severity is Severity.WARNING
    assert int(finding.observed) < 24
    assert finding.expected == "24 to 210"
    assert finding.sample == ({"periods compared": "8"},)


def test_rows_delivered_again_count_once(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        for sequence in range(2, 6):
            connection.execute(
                f"insert into raw.orders select * replace ({sequence} as _file_sequence) "
                f"from raw.orders where _file_sequence = 1 and {last_days(7)}"
            )

    assert find_raw(fill) == []


def test_a_month_with_many_rows(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        # Not in the last week: that one is ordinary.
        insert_days(
            connection,
            "orders",
            "ordered_at",
            20,
            per_day=60,
            until=date(2026, 3, 22),
            gross_amount="10 + number % 10",
            customer_id="'c'",
            currency="'GBP'",
            _row_key="'again' || strftime(day, '%Y%m%d') || '-' || number",
        )

    finding = only(find_raw(fill), "Rows of 2026-03")
    assert finding.observed == str(310 + 1200)
    assert finding.expected.endswith(f"to {31 * 10 * 3}")


def test_a_table_that_no_longer_arrives(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        # Every third day, and none for the last seventeen.
        insert_days(
            connection, "refunds", "refunded_at", 200, per_day=1, until=AS_OF - timedelta(days=17), amount="5"
        )
        connection.execute(
            "delete from raw.refunds where date_diff('day', date '2026-03-14', refunded_at) % 3 <> 0"
        )

        # That there were none for a year is too long ago to be an excuse. Four are no stray rows.
        for number in range(4):
            insert(connection, "refunds", refund_id=f"old{number}", refunded_at="2024-06-01", amount=5)

    finding = only(find_raw(fill), "Days without a row")
    assert finding.table == "raw.refunds"
    assert finding.observed == "17"
    assert finding.expected == "at most 15"
    assert finding.sample == ({"latest row": "2026-03-14", "longest silence in the year before": "3"},)
    assert finding.headline == (
        "raw.refunds: Days without a row, up to the last day known; expected: at most 15, observed: 17"
    )


def test_a_small_shop_wins_nobody_for_a_while(find_raw: Callable[..., list[Finding]]) -> None:
    """Two sign-ups in nine days, and none for the last seventeen."""

    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        insert_days(
            connection, "refunds", "refunded_at", 350, per_day=1, until=AS_OF - timedelta(days=17), amount="5"
        )
        connection.execute(
            "delete from raw.refunds where date_diff('day', refunded_at, date '2026-03-14') % 9 not in (0, 4)"
        )

    assert find_raw(fill) == []


def test_a_table_that_is_often_silent_may_be(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        insert_days(
            connection, "refunds", "refunded_at", 350, per_day=1, until=AS_OF - timedelta(days=10), amount="5"
        )
        connection.execute(
            "delete from raw.refunds where date_diff('day', refunded_at, date '2026-03-21') % 14 <> 0"
        )

    assert find_raw(fill) == []


def test_a_feed_that_was_given_up_long_ago_is_no_news(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        insert_days(
            connection, "refunds", "refunded_at", 60, per_day=1, until=AS_OF - timedelta(days=200), amount="5"
        )

    assert find_raw(fill) == []


def load_days(connection: duckdb.DuckDBPyConnection, ages: list[int]) -> None:
    """Batches a week apart; each brings a week, up to so many days before it was loaded."""
    for number, age in enumerate(ages, start=1):
        loaded_on = AS_OF - timedelta(days=7 * (len(ages) - number) - 1)
        insert_days(
            connection,
            "orders",
            "ordered_at",
            7,
            until=loaded_on - timedelta(days=age),
            gross_amount="10",
            _batch_id=str(number),
            _loaded_at=f"timestamp '{loaded_on}'",
        )


def test_files_that_bring_nothing_new(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        load_days(connection, [1, 1, 1, 1, 1])
        # A year later the old rows come once more, under new keys.
        connection.execute(
            "insert into raw.orders select * replace (6 as _batch_id, _row_key || 'x' as _row_key, "
            "_loaded_at + interval 365 day as _loaded_at) from raw.orders where _batch_id = 5"
        )

    findings = [finding for finding in find_raw(fill) if finding.expectation.startswith("The newest row")]
    finding = only(findings, "The newest row is as fresh as usual")
    assert finding.observed == "366"
    assert finding.expected == "at most 10"


@pytest.mark.parametrize(
    "ages", [[1, 1, 1, 1, 3], [5000], [400, 1, 1, 1, 1], [90, 90, 90, 90], [1, 1, 1, 1, 300]]
)
def test_usual_ages_and_old_archives_are_fresh_enough(
    find_raw: Callable[..., list[Finding]], ages: list[int]
) -> None:
    findings = find_raw(lambda connection: load_days(connection, ages))
    assert [finding for finding in findings if finding.expectation.startswith("The newest row")] == []


def test_a_column_that_is_suddenly_empty(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        connection.execute(
            "update raw.orders set customer_id = null "
            "where ordered_at >= '2026-03-01' and hash(order_id) % 2 = 0"
        )

    finding = only(find_raw(fill), "Columns are as complete in 2026-03 as before")
    assert (finding.column, finding.sample) == ("customer_id", ({"empty before": "0"},))
    assert 0.4 < float(finding.observed.split()[0]) < 0.6
    assert finding.headline.startswith("raw.orders.customer_id: Columns")


def test_a_column_filled_by_a_later_file_is_not_empty(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        connection.execute(
            "insert into raw.orders select * replace (0 as _file_sequence, null as customer_id) "
            "from raw.orders where ordered_at >= '2026-03-01'"
        )

    assert find_raw(fill) == []


def test_amounts_in_another_unit(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        connection.execute(
            "update raw.orders set gross_amount = gross_amount * 10 where ordered_at >= '2026-03-01'"
        )

    finding = only(find_raw(fill), "Amounts of 2026-03 are of the usual order")
    assert finding.sample == (
        {"currency": "GBP", "median in the month": "145.0000", "median before": "14.5000"},
    )


def test_sign_ups_that_come_after_what_customers_did(find_raw: Callable[..., list[Finding]]) -> None:
    """A sign-up that is the day of the last change."""

    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("delete from raw.customers")
        for number in range(30):
            insert(connection, "customers", customer_id=f"c{number}", signed_up_at="2026-02-01")
            insert(
                connection,
                "usage_events",
                customer_id=f"c{number}",
                used_on="2026-01-15" if number < 7 else "2026-02-15",
                feature="x",
            )

    (finding,) = (one for one in find_raw(fill) if "Rows before the sign-up" in str(one))
    assert (finding.table, finding.observed) == ("raw.usage_events", "0.2333 of the rows before the sign-up")


def test_a_customer_of_its_own_for_each_order(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("delete from raw.customers")
        for number in range(60):
            insert(
                connection,
                "orders",
                order_id=f"o{number}",
                customer_id=f"visit {number}",
                ordered_at="2026-03-01",
                gross_amount=10,
                currency="GBP",
            )

    assert any("Customers for each order" in str(finding) for finding in find_raw(fill))


def test_a_mistyped_year(find_raw: Callable[..., list[Finding]]) -> None:
    """Before all the others, behind them, and behind the last day known; a corrected row is none."""

    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        for order, day in (("slip", "2015-03-05"), ("leap", "2026-05-01"), ("mended", "2027-03-05")):
            insert(connection, "orders", order_id=order, ordered_at=day, gross_amount=1, currency="GBP")
        insert(
            connection,
            "orders",
            order_id="mended",
            ordered_at="2026-03-05",
            gross_amount=1,
            currency="GBP",
            _file_sequence=2,
        )
        insert(connection, "customers", customer_id="z", signed_up_at="2026-11-01")

    found = [finding for finding in find_raw(fill) if "far from the rest" in str(finding)]
    assert {finding.table: sorted(row["key"] for row in finding.sample) for finding in found} == {
        "raw.orders": ["leap", "slip"],
        "raw.customers": ["z"],
    }


def test_an_absurd_amount(find_raw: Callable[..., list[Finding]]) -> None:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        fill_orders(connection)
        insert(
            connection,
            "orders",
            order_id="slip",
            ordered_at="2026-03-05",
            gross_amount=Decimal("123456789012.3456"),
            currency="GBP",
        )
        # Large, but in money of which a bread costs as much.
        insert(
            connection, "orders", order_id="dong", ordered_at="2026-03-05", gross_amount=10**6, currency="VND"
        )

    finding = only(find_raw(fill), "No gross_amount is beyond all others")
    assert [(row["key"], row["gross_amount"]) for row in finding.sample] == [("slip", "123456789012.3456")]


# --- what readers get


@pytest.mark.parametrize(("unknown", "found"), [(4, 0), (5, 1)])
def test_reasons_that_nobody_has_mapped(
    find_marts: Callable[..., list[Finding]], unknown: int, found: int
) -> None:
    """Of twenty reasons that the source stated; who said nothing is another thing."""
    change = f"""
        insert into marts.fct_churn_events (churn_event_id, customer_id, reason_code, stated_reason)
        select 'e' || i, 'a', if(i < {unknown}, 'unknown', 'price'), if(i < {unknown}, 'P-' || i, 'price')
        from range(20) as events (i)
        union all
        select 'n' || i, 'a', 'not_given', null from range(90) as events (i)
    """
    assert len([one for one in find_marts(change) if "Reasons that the source states" in str(one)]) == found


def test_a_survey_without_a_name_is_the_one_that_was_landed(find_marts: Callable[..., list[Finding]]) -> None:
    change = (
        "update raw.survey_responses set survey = null; update marts.fct_nps_responses set survey = 'nps'"
    )
    assert find_marts(change) == []


def test_good_marts_give_no_finding(find_marts: Callable[..., list[Finding]]) -> None:
    assert find_marts("select 1") == []


@pytest.mark.parametrize(
    ("mart", "change", "expectation"),
    [
        (
            "dim_months",
            "update marts.dim_months set as_of_date = '2026-04-03'",
            "The last day known is not after the last load",
        ),
        (
            "fct_orders",
            "update marts.fct_orders set gross_amount = 10.0002 where order_id = '1'; "
            "update marts.fct_orders set gross_amount = 20 where order_id = '2'",
            "Orders and their gross amount are those that were landed",
        ),
        (
            "rpt_subscription_retention",
            "update marts.rpt_subscription_retention set closing_customers = 2 where month = '2026-03-01'",
            "Subscribers and MRR are those whose subscriptions run, as landed",
        ),
        (
            "rpt_subscription_retention",
            "update marts.rpt_subscription_retention set closing_mrr = 120 where month = '2026-03-01'",
            "Subscribers and MRR are those whose subscriptions run, as landed",
        ),
        (
            "rpt_subscription_retention",
            "update raw.subscriptions set ended_on = '2026-03-31'",
            "Subscribers and MRR are those whose subscriptions run, as landed",
        ),
        (
            "fct_nps_responses",
            "delete from marts.fct_nps_responses where response_id = 'r2'",
            "Responses and their scores are those that were landed",
        ),
        (
            "fct_nps_responses",
            "update marts.fct_nps_responses set score = 6 where response_id = 'r1'",
            "Responses and their scores are those that were landed",
        ),
    ],
)
def test_marts_that_contradict(
    find_marts: Callable[..., list[Finding]], mart: str, change: str, expectation: str
) -> None:
    finding = only(find_marts(change, mart=mart), expectation)
    assert finding.table == f"marts.{mart}"
    assert finding.severity is (Severity.WARNING if mart == "dim_months" else Severity.CRITICAL)
    assert finding.observed
    assert finding.expected
    assert finding.sample
    assert finding.todo


def test_orders_that_repeat_the_bills_of_a_subscription(find_marts: Callable[..., list[Finding]]) -> None:
    # The bill of 10 January: with a discount, and booked a day later in another time zone.
    change = (
        "update marts.fct_orders set gross_amount = 130, discount_amount = 10, ordered_on = '{day}' "
        "where order_id = '1'"
    )
    unlike = "update raw.orders set gross_amount = 130 where order_id = '1'; "
    assert find_marts(unlike + change.format(day="2026-01-12"), mart="fct_orders") == []
    finding = only(
        find_marts(unlike + change.format(day="2026-01-11"), mart="fct_orders"),
        "No order is the bill of a subscription once more",
    )
    assert finding.severity is Severity.WARNING
    assert finding.sample == ({"customer_id": "a", "orders like bills": "1", "bills": "1"},)
    # One of three bills is chance.
    more = (
        "insert into intermediate.int_subscription_bills values "
        "('a', '2026-02-10', 120), ('a', '2026-03-10', 120)"
    )
    assert find_marts(more, mart="fct_orders") == []


def test_a_free_month_and_a_period_without_length_are_no_contradiction(
    find_marts: Callable[..., list[Finding]],
) -> None:
    free = "insert into raw.subscriptions by name select * replace ({}) from raw.subscriptions"
    assert (
        find_marts(
            free.format(
                "date '2026-03-20' as started_on, date '2026-03-20' as ended_on, 90 as amount, "
                "'3' as _row_key"
            ),
            mart="rpt_subscription_retention",
        )
        == []
    )
    # The MRR goes on.
    assert (
        find_marts(
            free.format(
                "date '2026-03-25' as started_on, 0 as amount, 0 as discount_amount, '2' as _row_key"
            ),
            mart="rpt_subscription_retention",
        )
        == []
    )


def test_converted_amounts_are_not_compared_with_raw_but_their_number_is(
    find_marts: Callable[..., list[Finding]],
) -> None:
    change = """
    update raw.orders set currency = 'USD' where order_id <> '1';
    update marts.fct_orders set original_currency = 'USD', gross_amount = 7 where order_id <> '1';
    """
    assert find_marts(change, mart="fct_orders") == []
    finding = only(
        find_marts(
            "update marts.fct_orders set original_currency = 'GBP' where order_id = '2'", mart="fct_orders"
        ),
        "Orders and their gross amount",
    )
    assert {row["currency"]: (row["orders landed"], row["orders built"]) for row in finding.sample} == {
        "GBP": ("1", "2"),
        "USD": ("2", "1"),
    }


@pytest.mark.parametrize("mart", ["fct_orders", "fct_nps_responses"])
def test_an_earlier_day_is_not_compared_with_raw(find_marts: Callable[..., list[Finding]], mart: str) -> None:
    assert (
        find_marts(
            "update intermediate.int_settings set as_of_date = '2026-03-31', last_event_on = '2026-04-30'; "
            "update marts.fct_orders set gross_amount = 7; update marts.fct_nps_responses set score = 7",
            mart=mart,
        )
        == []
    )


def test_subscriptions_as_landed_and_as_built(find_marts: Callable[..., list[Finding]]) -> None:
    """Free ones, later ones and the earlier of two overlapping periods are no subscribers."""
    change = """
    insert into raw.subscriptions
        (subscription_id, customer_id, billing_interval, amount, started_on, ended_on, _file_sequence,
            _source_row, _row_key)
    values
        ('free', 'c', 'month', 0, '2026-01-01', null, 1, 2, 'free'),
        ('later', 'd', 'month', 9, '2026-04-01', null, 1, 3, 'later'),
        ('moved', 'e', 'month', 9, '2026-01-01', null, 1, 4, 'moved 1'),
        ('moved', 'e', 'month', 9, '2026-02-01', '2026-03-01', 1, 5, 'moved 2'),
        -- Told again, and then with an end.
        ('ended', 'f', 'month', 9, '2026-02-01', null, 1, 6, 'ended'),
        ('ended', 'f', 'month', 9, '2026-02-01', '2026-03-31', 2, 1, 'ended');
    """
    assert find_marts(change, mart="rpt_subscription_retention") == []
    # The amount of another currency was converted.
    change = """
    update raw.subscriptions set currency = 'USD' where subscription_id = 's';
    update marts.rpt_subscription_retention set closing_mrr = 7 where month = '2026-03-01';
    """
    assert find_marts(change, mart="rpt_subscription_retention") == []


@pytest.mark.parametrize(("mrr", "found"), [(1600, 1), (1400, 0), (700, 0), (600, 1)])
def test_a_month_with_unlikely_mrr(find_marts: Callable[..., list[Finding]], mrr: int, found: int) -> None:
    change = f"""
    delete from marts.rpt_subscription_retention;
    insert into marts.rpt_subscription_retention
    select
        month, 'all', 'all', 50, 50, 1000, if(month = '2026-03-01', {mrr}, 1000), 0, 0, 1,
        month < '2026-04-01'
    from range(date '2025-09-01', date '2026-05-01', interval 1 month) as months(month);
    """
    findings = find_marts(change, mart="rpt_subscription_retention")
    assert [finding.observed for finding in findings if finding.severity is Severity.WARNING] == [
        f"{mrr}.0000"
    ] * found


def test_versions_of_an_order_are_one_order(find_marts: Callable[..., list[Finding]]) -> None:
    change = (
        "insert into raw.orders select * replace (0 as _file_sequence, 99 as gross_amount) from raw.orders"
    )
    assert find_marts(change) == []


@pytest.mark.parametrize(
    ("published", "found"),
    [
        ({}, []),
        ({"fct_orders": 3}, []),
        ({"fct_orders": 4}, ["critical"]),
        ({"fct_customer_base": 4}, ["warning"]),
    ],
)
def test_marts_that_lost_rows_since_the_last_publication(
    find_marts: Callable[..., list[Finding]], published: dict[str, int], found: list[str]
) -> None:
    past = Past(as_of=AS_OF, published_rows=published, published_as_of=AS_OF)
    findings = find_marts("select 1", past)
    assert [str(finding.severity) for finding in findings] == found
    for finding in findings:
        assert (finding.observed, finding.expected) == ("3", "at least 4")


def test_an_earlier_day_may_have_fewer_rows(find_marts: Callable[..., list[Finding]]) -> None:
    past = Past(as_of=AS_OF, published_rows={"fct_orders": 400}, published_as_of=AS_OF + timedelta(days=1))
    assert find_marts("select 1", past) == []


def test_marts_that_no_suite_knows_are_held_against_the_last_publication(
    find_marts: Callable[..., list[Finding]],
) -> None:
    past = Past(as_of=AS_OF, marts=("fct_new",), published_rows={"fct_new": 10}, published_as_of=AS_OF)
    finding = only(find_marts("create table marts.fct_new as select 1 as x", past), "No more than 10%")
    assert finding.table == "marts.fct_new"


def test_rows_are_compared_with_what_readers_have(warehouse: Path, settings: Settings) -> None:
    publish(settings, "20251231T000000Z")
    assert validate(settings, RUN_ID).findings == ()
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from marts.dim_months where month = '2026-01-01'")
    with pytest.raises(ValidationFailedError) as caught:
        validate(settings, RUN_ID)
    finding = only(list(caught.value.result.findings), "No more than 10% of the 3 published rows")
    assert finding.table == "marts.dim_months"
    assert (finding.observed, finding.expected) == ("2", "at least 3")


def test_a_month_unlike_those_before(find_marts: Callable[..., list[Finding]]) -> None:
    change = """
    delete from marts.fct_customer_retention_rate;
    insert into marts.fct_customer_retention_rate
    select
        'month', month, 'all', 'all', 100, 100,
        case when month = '2026-03-01' then 0.4 else 0.9 end,
        0.1,
        -- In the first month nobody can have lapsed yet, and April is not over.
        month > '2025-09-01', month < '2026-04-01'
    from range(date '2025-09-01', date '2026-05-01', interval 1 month) as months(month);
    """
    findings = find_marts(change, mart="fct_customer_retention_rate")
    findings = [finding for finding in findings if finding.severity is Severity.WARNING]
    finding = only(findings, "Retention of the last complete month is as usual")
    assert (finding.observed, finding.expected) == ("0.4", "0.65 to 1.15")
    assert finding.sample == ({"month": "2026-03-01"},)


def test_few_customers_may_come_and_go(find_marts: Callable[..., list[Finding]]) -> None:
    change = """
    delete from marts.fct_customer_retention_rate;
    insert into marts.fct_customer_retention_rate
    select 'month', month, 'all', 'all', 49, 49, if(month = '2026-03-01', 0.4, 0.9), 0.1, true, true
    from range(date '2025-09-01', date '2026-04-01', interval 1 month) as months(month);
    """
    findings = find_marts(change, mart="fct_customer_retention_rate")
    assert [finding for finding in findings if finding.severity is Severity.WARNING] == []


@pytest.mark.parametrize(("revenue", "found"), [(29, 0), (31, 1), (3, 1), (4, 0)])
def test_a_month_with_unlikely_revenue(
    find_marts: Callable[..., list[Finding]], revenue: int, found: int
) -> None:
    change = f"""
    delete from marts.fct_customer_base;
    insert into marts.fct_customer_base
    select
        month, 'all', 'all', 2, 2, 0, 0, 0, 0,
        if(month = '2026-03-01', {revenue} - 3, 7), 1, 0, month < '2026-04-01', 2
    from range(date '2025-09-01', date '2026-05-01', interval 1 month) as months(month);
    """
    findings = find_marts(change, mart="fct_customer_base")
    findings = [finding for finding in findings if finding.severity is Severity.WARNING]
    assert len(findings) == found
    for finding in findings:
        assert finding.expectation == "Net revenue of the last complete month is of the usual size"
        assert Decimal(finding.observed) == revenue
