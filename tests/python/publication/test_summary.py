"""What a night says last: figures from the published file, and a command that works when pasted."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from scripts.core.settings import Settings
from scripts.publication.publications import Publication, current_publication, publish
from scripts.publication.summary import (
    Headlines,
    OpenFindings,
    format_control_totals,
    format_findings,
    format_headlines,
    format_health,
    format_rejects,
    format_subscriptions,
    query_command,
    read_control_totals,
    read_headlines,
    read_open_findings,
    read_subscriptions,
    summarize,
)
from tests.python.small_warehouse import make_warehouse

RUN = "20261121T203000Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A published warehouse, its path not made for shells."""
    settings = make_warehouse(tmp_path / "the shop's warehouse")
    publish(settings, RUN)
    return settings


def test_figures_come_from_the_published_file(settings: Settings) -> None:
    # What is built but not published does not count.
    make_warehouse(settings.warehouse, number=2)
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("update marts.fct_customer_base set net_revenue = 0")
    publication = publish(settings, f"{RUN}-2")
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("delete from marts.fct_customer_base")
    assert read_headlines(publication) == Headlines(
        as_of_date=date(2011, 3, 9),
        # The last month's stocks, all months' flows, and no segment twice.
        customers=43,
        active_customers=23,
        customer_orders=300,
        guest_orders=30,
        customer_revenue=Decimal("0.00"),
        guest_revenue=Decimal("750.75"),
        # March is not over.
        retention_month=date(2011, 2, 1),
        retention_rate=pytest.approx(0.7),
        retention_base=50,
        top_20_percent_share=pytest.approx(0.746),
        predicted_customers=3,
        known_customers=5,
        predicted_value=Decimal("300.75"),
    )


def test_what_was_billed_for_subscriptions_is_revenue(settings: Settings) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("update marts.fct_customer_base set net_revenue = -1, subscription_revenue = 20")
    assert read_headlines(publish(settings, f"{RUN}-2")).customer_revenue == Decimal(3 * (20 - 1))


def test_a_publication_that_knows_no_bills_is_read_too(settings: Settings) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("alter table marts.fct_customer_base drop subscription_revenue")
    assert read_headlines(publish(settings, f"{RUN}-2")).customer_revenue == Decimal("3001.50")


def test_a_month_in_which_nobody_could_lapse_is_no_headline(settings: Settings) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("update marts.fct_customer_retention_rate set is_window_observed = false")
    headlines = read_headlines(publish(settings, f"{RUN}-2"))
    assert (headlines.retention_month, headlines.retention_rate) == (None, None)


def test_summary_as_a_whole(settings: Settings) -> None:
    assert summarize(settings).splitlines()[:13] == [
        f"Published {RUN}, 5 marts from shop: {settings.analytics_database}",
        "",
        "  As of                    2011-03-09, the last event: orders",
        "  Customers                43, of whom 23 active",
        "  Orders                   330",
        "  Net revenue              3,752.25 GBP",
        "    of guests              750.75 GBP (20.0 %) in 30 orders",
        "  Retention rate, 2011-02  70.0 % of 50 active at its start",
        "  Best 20 % of customers   74.6 % of revenue",
        "  Expected in a year       300.75 GBP from 3 customers; of 2 nothing is said",
        "  After that day           1 planned subscription, in no figure",
        # Of the delivery that a corrected one replaced, nothing.
        "  Rejected                 72 of 1,692 rows (4.3 %), see raw.rejects",
        "",
    ]


def test_what_the_data_does_not_say_is_told(settings: Settings) -> None:
    young = Headlines(
        date(2011, 1, 5), 2, 2, 2, 0, Decimal(10), Decimal(0), None, None, None, None, 0, 2, None
    )
    lines = dict(format_headlines(young, "EUR"))
    assert lines["Retention rate"] == "no complete month with a full window before it yet"
    assert lines["Best 20 % of customers"] == "no complete period yet"
    assert lines["Expected in a year"] == "no model has stood its test, see fct_clv_models"
    assert "  of guests" not in lines
    lines = dict(format_headlines(replace(young, guest_orders=1, customer_revenue=Decimal(0)), "EUR"))
    assert lines["  of guests"] == "0.00 EUR in 1 order"


def test_a_score_that_is_no_better_than_silence_is_told() -> None:
    assert format_health([("orders", 0.77, 0.74), ("subscription", 0.6, 0.6)]) == [
        ("Health of shoppers", "tells who leaves: AUC 0.77, silence alone 0.74"),
        (
            "Health of subscribers",
            "no better than silence at telling who leaves: AUC 0.60 against 0.60",
        ),
    ]
    assert format_health([]) == []


def test_rejects_are_told_in_every_case_that_is_known() -> None:
    assert format_rejects({"rows_read": 1692, "rows_rejected": 0}) == [("Rejected", "0 of 1,692 rows")]
    assert format_rejects({}) == []


def test_open_findings_are_told_with_their_age(settings: Settings) -> None:
    assert read_open_findings(current_publication(settings)) is None
    assert format_findings(None) == []
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(
            """
            create table marts.fct_data_quality as
            select *, 'raw' as border, 'orders' as table_name from (values
                ('open', true, true, 3, timestamp '2011-03-07 03:00:00'),
                ('new', true, true, 1, timestamp '2011-03-09 03:00:00'),
                ('passed', true, false, 0, null),
                ('earlier', false, true, 1, timestamp '2011-01-07 03:00:00')
            ) as v(check_name, is_latest, is_finding, consecutive_findings, failing_since)
            """
        )
    publish(settings, f"{RUN}-2")
    line = (
        "  Findings                 2 open, 1 of them new, the oldest since 2011-03-07, see fct_data_quality"
    )
    told = summarize(settings).splitlines()
    place = told.index(line)
    # The newest first.
    assert [one.strip() for one in told[place + 1 : place + 4]] == ["raw.orders: new", "raw.orders: open", ""]
    assert format_findings(OpenFindings(0, 0, None)) == [("Findings", "none open")]


def test_nothing_published(tmp_path: Path) -> None:
    assert summarize(Settings(warehouse=tmp_path)) == ""


def test_command_works_when_pasted(settings: Settings) -> None:
    command = summarize(settings).splitlines()[-1].strip()
    assert command == query_command(settings)
    shown = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert "customer_id" in shown.stdout
    assert "c4" in shown.stdout
    assert shown.stderr == ""


def test_command_is_short_in_the_project(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    python = Path(shlex.split(query_command(settings))[0])
    monkeypatch.chdir(python.parent.parent.parent if python.is_absolute() else Path.cwd())
    assert shlex.split(query_command(settings))[0].count("/") == 2


def with_marts(settings: Settings, sql: str) -> Publication:
    """A publication that has these marts too."""
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(sql)
    return publish(settings, f"{RUN}-2")


RETENTION = """
    create table marts.rpt_subscription_retention as
    from (values
        (date '2026-01-01', 'all', 100, 90.5, 10, 9, 1, 0, 2, 0.8, 0.9, true),
        (date '2026-02-01', 'all', 90.5, 120, 9, 12, 3, 1, 1, 0.75, 1.1, true),
        (date '2026-02-01', 'plan', 1, 2, 3, 4, 5, 6, 7, 0.1, 0.1, true),
        (date '2026-03-01', 'all', 120, 0, 12, 0, 0, 0, 0, 0.1, 0.1, false)
    ) as t (
        month, segment_type, opening_mrr, closing_mrr, opening_customers, closing_customers, new_customers,
        reactivated_customers, churned_customers, trailing_12_month_gross_revenue_retention_rate,
        trailing_12_month_net_revenue_retention_rate, is_complete
    );
    create table marts.fct_churn_reasons as
    from (values
        (date '2026-02-01', 'all', 'subscription', 'voluntary', 'unknown', 9, true),
        (date '2026-02-01', 'all', 'subscription', 'voluntary', 'price', 2, true),
        (date '2025-03-01', 'all', 'subscription', 'voluntary', 'price', 1, true),
        (date '2025-02-01', 'all', 'subscription', 'voluntary', 'price', 50, true),
        (date '2026-02-01', 'all', 'subscription', 'involuntary', 'payment', 50, true),
        (date '2026-02-01', 'all', 'orders', 'voluntary', 'price', 50, true),
        (date '2026-02-01', 'plan', 'subscription', 'voluntary', 'price', 50, true)
    ) as t (month, segment_type, basis, churn_type, reason, churn_events, is_complete)
"""


def test_a_subscription_company_sees_its_mrr_and_why_they_leave(settings: Settings) -> None:
    """Of the last month that is over, all customers, and of the year up to it."""
    publication = with_marts(settings, RETENTION)
    assert format_subscriptions(read_subscriptions(publication), "EUR") == [
        ("MRR, 2026-02", "120.00 EUR, +29.50 EUR in the month"),
        ("Subscribers", "12; 4 came, 1 left in the month"),
        ("MRR kept in a year", "75.0 % gross, 110.0 % net"),
        ("Why they left", "price 3, unknown 9 of 12 in a year"),
    ]


def test_a_company_that_never_had_a_subscriber_has_no_mrr(settings: Settings) -> None:
    nobody = "; update marts.rpt_subscription_retention set closing_customers = 0"
    assert read_subscriptions(with_marts(settings, RETENTION + nobody)) is None
    assert format_subscriptions(None, "EUR") == []


def test_control_totals_that_do_not_agree_come_first(settings: Settings) -> None:
    publication = with_marts(
        settings,
        """
        create table marts.rpt_control_totals as
        from (values
            (date '2026-02-01', 'orders', 7.0000, 7.0000, true, null),
            (date '2026-01-01', 'mrr', 70.5000, 71.0000, false, 'unexplained'),
            (date '2026-02-01', 'customers', 5.0000, null, false, 'no data of this month here')
        ) as t (month, measure, control_value, warehouse_value, is_agreed, explanation)
        """,
    )
    assert format_control_totals(read_control_totals(publication)) == [
        ("Control totals", "1 of 3 agree, see rpt_control_totals"),
        ("", "2026-02 customers: 5 there, unknown here; no data of this month here"),
        ("", "2026-01 mrr: 70.50 there, 71 here; unexplained"),
    ]
    assert format_control_totals([]) == []
