"""What a page shows of marts made by hand: of nothing, of a little, of values that mean harm."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from scripts.report.language import PAGES
from scripts.report.page import CONTENT_POLICY, make_pages, make_pictures
from tests.python.report.pages import Page
from tests.python.schemas import create_marts

MANIFEST: dict[str, Any] = {
    "run_id": "20260701T030000Z",
    "published_at": "2026-07-01T03:00:09+00:00",
    "as_of_date": "2026-06-15",
    "reporting_currency": "USD",
    "business_timezone": "UTC",
    "source_name": "shop",
    "rows_read": 0,
    "rows_rejected": 0,
}

HARM = (
    '"><meta http-equiv=refresh content=0;url=//evil.example><script>alert(1)</script></title></style>'
    "\u202e\x07"
)


@pytest.fixture
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    """All marts as their contracts say, without rows."""
    with duckdb.connect() as connection:
        create_marts(connection)
        yield connection


def english(connection: duckdb.DuckDBPyConnection, /, **manifest: Any) -> Page:
    return Page(make_pages(connection, MANIFEST | manifest)["report.html"])


def insert(marts: duckdb.DuckDBPyConnection, mart: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        marts.execute(
            f"insert into marts.{mart} ({', '.join(row)}) values ({', '.join('?' * len(row))})",
            list(row.values()),
        )


def all_of_it(**columns: Any) -> dict[str, Any]:
    return {"segment_type": "all", "segment_value": "all"} | columns


def add_months(marts: duckdb.DuckDBPyConnection) -> None:
    """A shop that began in April; May is over, June is not."""
    insert(
        marts,
        "fct_customer_base",
        [
            all_of_it(
                month=f"2026-{month:02d}-01",
                installed_customers=active,
                new_customers=new,
                reactivated_customers=0,
                lapsed_customers=0,
                subscribers=0,
                order_count=orders,
                guest_order_count=1,
                net_revenue=revenue,
                subscription_revenue=0,
                guest_net_revenue=5,
                closing_mrr=0,
                is_complete=month < 6,
            )
            for month, active, new, orders, revenue in (
                (4, 10, 10, 12, 100),
                (5, 15, 5, 9, 95),
                (6, 99, 84, 99, 9),
            )
        ],
    )
    insert(
        marts,
        "fct_customer_retention_rate",
        [
            all_of_it(
                period_type="month",
                period_start=f"2026-{month:02d}-01",
                starting_customers=start,
                retained_customers=start,
                lost_customers=0,
                gained_customers=5,
                retention_rate=rate,
                is_window_observed=False,
                is_complete=month < 6,
            )
            for month, start, rate in ((4, 0, None), (5, 10, 1.0), (6, 15, None))
        ],
    )


def test_a_company_of_which_nothing_is_known(marts: duckdb.DuckDBPyConnection) -> None:
    page = english(marts)
    assert "There is nothing to show yet." in page.text
    assert "Could not be drawn" not in page.text
    assert page.sections == []
    assert page.tags["h1"] == 1


def test_a_month_that_is_not_over_is_in_no_figure(marts: duckdb.DuckDBPyConnection) -> None:
    add_months(marts)
    page = english(marts)
    assert page.figures["Active customers"] == ["15", "+50.0%"]
    assert page.figures["New customers"] == ["5", "−50.0%"]
    # Guests' orders are orders too.
    assert page.figures["Orders"] == ["10", "−23.1%"]
    assert page.figures["Net revenue"] == ["$100", "−4.8%"]
    assert page.articles["headlines-months"].column("Orders") == {"Apr 2026": "13", "May 2026": "10"}


def test_what_nobody_can_know_says_why(marts: duckdb.DuckDBPyConnection) -> None:
    add_months(marts)
    page = english(marts)
    assert page.figures["Lost customers"] == [
        "–",
        "The history is too short for anybody to have been lost yet.",
    ]
    assert page.figures["Customer retention rate"][0] == "–"
    assert page.figures["Expected in a year"] == ["–", "No model has passed its test yet."]
    # A rate of 100 %, because nobody could have been lost, is neither drawn nor written.
    article = page.articles["retention-rate"]
    assert article.reading.startswith("Nobody can know yet")
    assert article.drawings == 0
    assert article.column("Customer retention rate") == {
        "Apr 2026": "not known",
        "May 2026": "not known",
        "Jun 2026": "not over",
    }


def test_a_section_without_data_is_not_there(marts: duckdb.DuckDBPyConnection) -> None:
    add_months(marts)
    page = english(marts)
    assert page.sections == ["headlines", "retention"]
    # Nor is a figure of what the company does not have.
    assert not {"MRR", "Subscribers", "NPS"} & set(page.figures)


def test_unfinished_ages_are_hatched(marts: duckdb.DuckDBPyConnection) -> None:
    insert(
        marts,
        "fct_cohort_retention",
        [
            all_of_it(
                cohort_month=f"2026-{cohort:02d}-01",
                months_since_first=age,
                cohort_size=20,
                active_customers=5,
                retention_rate=None if cohort + age == 6 else 0.25,
                is_complete=cohort + age < 6,
            )
            for cohort in (4, 5, 6)
            for age in range(7 - cohort)
        ],
    )
    pages = make_pages(marts, MANIFEST)
    page = Page(pages["report.html"])
    article = page.articles["cohort-retention"]
    assert article.reading.startswith(
        "Of the 20 who first bought in April 2026, 25% bought or subscribed a month later"
    )
    assert article.column("Month 1") == {"May 2026": "not over", "Apr 2026": "25.0%"}
    # One cell of May and one of April, on both drawings.
    assert pages["report.html"].count('class="open"') == 4
    assert "Hatched: the month is not over" in page.text


def test_a_model_that_failed_is_told_with_its_reason(marts: duckdb.DuckDBPyConnection) -> None:
    insert(
        marts,
        "fct_customer_lifetime_value",
        [{"customer_id": "c1", "cohort_month": "2026-04-01", "historic_value": 7}],
    )
    insert(
        marts,
        "fct_clv_models",
        [
            all_of_it(
                window_name="full",
                model="bg_nbd",
                billing_interval="none",
                customers=1,
                is_published=False,
                withheld_reason="no fit: too few customers",
            )
        ],
    )
    pages = make_pages(marts, MANIFEST)
    article = Page(pages["report.html"]).articles["prediction-expected"]
    assert article.reading == "Of 1 customer nothing is predicted: no model has passed its test."
    assert article.tables[0][1] == ["orders (BG/NBD)", "1", "everything", "no fit: too few customers"]
    # What the marts say in English is told so to who listens.
    assert '<span lang="en">no fit: too few customers</span>' in pages["report.vi.html"]


def test_the_owners_own_figures_stand_beside_ours(marts: duckdb.DuckDBPyConnection) -> None:
    insert(
        marts,
        "rpt_control_totals",
        [
            {
                "month": "2026-05-01",
                "measure": measure,
                "control_value": there,
                "warehouse_value": here,
                "is_agreed": there == here,
                "explanation": None if there == here else "unexplained",
            }
            for measure, there, here in (("orders", 7, 7), ("net_sales", 1200.25, 1100.5), ("mrr", 5, None))
        ],
    )
    page = english(marts, rows_read=10, marts={"rpt_control_totals": {}})
    article = page.articles["quality-control-totals"]
    assert article.reading == "1 of 3 figures that you wrote down agree."
    # To the cent, and what differs at once.
    assert article.tables[0][1:] == [
        ["May 2026", "MRR", "$5.00", "–", "unexplained"],
        ["May 2026", "net sales", "$1,200.25", "$1,100.50", "unexplained"],
    ]
    assert ["May 2026", "orders", "7", "7", "they agree"] in article.tables[1]
    assert "quality-control-totals" not in english(marts, rows_read=10).articles


def test_a_score_no_better_than_a_coin_is_told(marts: duckdb.DuckDBPyConnection) -> None:
    def told(score: float, silence: float) -> str:
        marts.execute("delete from marts.fct_health_skill")
        skill = all_of_it(
            month="2026-03-01",
            churn_basis="orders",
            pooled_score_auc=score,
            pooled_silence_auc=silence,
            is_better_than_silence=score > silence,
        )
        insert(marts, "fct_health_skill", [skill])
        return english(marts).articles["health-skill"].reading

    assert "hardly tells who leaves: AUC 0.54, where 0.5 is chance" in told(0.54, 0.50)
    assert "(AUC 0.61) hardly better than silence" in told(0.612, 0.608)
    assert "no better (AUC 0.60) than silence alone (0.60)" in told(0.6, 0.6)
    assert "(AUC 0.70) better than silence alone does (0.60)" in told(0.7, 0.6)


def test_a_shopper_who_says_why_is_no_subscriber(marts: duckdb.DuckDBPyConnection) -> None:
    """Departures may be stated of shoppers too; the many who lapse without a word are in no bar."""
    insert(
        marts,
        "fct_churn_reasons",
        [
            all_of_it(
                month="2026-05-01",
                basis=basis,
                reason=reason,
                churn_type="voluntary",
                is_controllable=True,
                churn_events=events,
                mrr_lost=0,
                is_complete=True,
            )
            for basis, reason, events in (
                ("orders", "not_given", 90),
                ("orders", "price", 3),
                ("orders", "moved", 1),
                ("subscription", "price", 2),
            )
        ],
    )
    page = english(marts)
    article = page.articles["churn-reasons-shoppers"]
    assert article.reading == "Of 94 departures of shoppers 4 came with a reason, most often: price (75%)."
    assert article.column("Departures") == {"price": "3", "moved": "1"}
    assert page.articles["churn-reasons"].column("Departures") == {"price": "2"}


def add_harm(marts: duckdb.DuckDBPyConnection) -> None:
    """A company that has put what means harm into every label it may choose."""
    insert(
        marts,
        "rpt_survival_summary",
        [
            {
                "basis": "orders",
                "segment_type": kind,
                "segment_value": value,
                "customers": 30,
                "churned_customers": 10,
                "survival_rate_180_days": rate,
                "segment_type_p_value": p,
            }
            for kind, value, rate, p in (
                ("all", "all", 0.5, None),
                (HARM, HARM, 0.7, 1e-9),
                (HARM, "b", 0.3, 1e-9),
            )
        ],
    )
    insert(
        marts,
        "fct_survival",
        [
            {
                "basis": "orders",
                "segment_type": kind,
                "segment_value": value,
                "tenure_days": days,
                "at_risk_customers": 20,
                "survival_rate": 1 - days / 300,
            }
            for kind, value in (("all", "all"), (HARM, HARM), (HARM, "b"))
            for days in (0, 90, 200)
        ],
    )
    for tier, value in ((HARM, 9), ("b", 1)):
        customer = {"customer_id": tier, "is_customer": True, "loyalty_tier": tier, "historic_value": value}
        insert(marts, "dim_customers", [customer])
    insert(
        marts,
        "fct_churn_reasons",
        [
            all_of_it(
                month="2026-05-01",
                basis="subscription",
                reason=HARM,
                churn_type="voluntary",
                is_controllable=True,
                churn_events=3,
                mrr_lost=9,
                is_complete=True,
            )
        ],
    )
    insert(
        marts,
        "rpt_feedback_themes",
        [
            {
                "period_type": "quarter",
                "period_start": "2026-01-01",
                "comment_type": "survey",
                "theme": HARM,
                "comments": 5,
                "mentions": 3,
                "promoter_mentions": 1,
                "passive_mentions": 1,
                "detractor_mentions": 1,
                "is_complete": True,
            }
        ],
    )
    insert(
        marts,
        "rpt_winback_candidates",
        [{"basis": "orders", "time_away": HARM, "days_away": 3, "value_if_back": 9, "expected_value": 1}],
    )
    insert(
        marts,
        "fct_data_quality",
        [
            {
                "border": "raw",
                "table_name": HARM,
                "column_name": HARM,
                "check_name": HARM,
                "status": "warn",
                "is_latest": True,
                "is_finding": True,
                "consecutive_findings": 1,
                "failing_since": "2026-05-01",
            }
        ],
    )


@pytest.mark.parametrize("file", PAGES.values())
def test_what_means_harm_is_text(marts: duckdb.DuckDBPyConnection, file: str) -> None:
    add_months(marts)
    harmless = Page(make_pages(marts, MANIFEST)[file])
    add_harm(marts)
    text = make_pages(marts, MANIFEST | {"source_name": HARM})[file]
    page = Page(text)
    assert set(page.sections) >= {"survival", "value", "churn", "nps", "winback", "quality"}
    assert "evil.example" in page.text
    # It made no element that the template does not make, and ended none.
    assert page.tags["meta"] == harmless.tags["meta"]
    for tag in ("script", "link", "base", "iframe", "form", "img", "object", "embed"):
        assert tag not in page.tags
    assert (page.tags["title"] >= 1, page.tags["style"]) == (True, 1)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not {"\u202e", "\x07", "\x00"} & set(text)


@pytest.mark.parametrize("file", PAGES.values())
def test_nothing_can_be_fetched(marts: duckdb.DuckDBPyConnection, file: str) -> None:
    add_months(marts)
    add_harm(marts)
    page = Page(make_pages(marts, MANIFEST)[file])
    metas = [value for tag, name, value in page.attributes if tag == "meta" and name == "content"]
    assert metas[0] == CONTENT_POLICY
    assert CONTENT_POLICY.startswith("default-src 'none'; style-src 'unsafe-inline';")
    links = [
        value
        for _, name, value in page.attributes
        if name in ("href", "src", "srcset", "action", "xlink:href")
    ]
    assert links
    assert all(link and link.startswith("#") for link in links)
    # Patterns are of the page itself.
    fills = [value for _, name, value in page.attributes if value and "url(" in value and name != "content"]
    assert all(fill and fill.startswith("url(#") for fill in fills)


def test_ids_are_unique(marts: duckdb.DuckDBPyConnection) -> None:
    add_months(marts)
    add_harm(marts)
    ids = [value for _, name, value in english(marts).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_what_a_check_saw_is_not_mailed_about(marts: duckdb.DuckDBPyConnection) -> None:
    add_harm(marts)
    marts.execute("update marts.fct_data_quality set observed = 'row of c4711', message = 'ask c4711'")
    for page in make_pages(marts, MANIFEST).values():
        assert "c4711" not in page


def test_a_section_that_fails_takes_no_other_with_it(
    marts: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a publication of another version, which lacks a mart or a column."""
    add_months(marts)
    marts.execute("drop table marts.fct_nps_scores")
    marts.execute("alter table marts.fct_customer_retention_rate drop lost_customers")
    with caplog.at_level(logging.WARNING):
        page = english(marts)
    assert page.sections == []
    assert "Could not be drawn: How it is going, Who stays and What they say." in page.text
    assert [record.getMessage().split(":")[1] for record in caplog.records][:1] == [
        " the section headlines is left out"
    ]


def test_written_twice_it_is_the_same_to_the_byte(marts: duckdb.DuckDBPyConnection) -> None:
    add_months(marts)
    add_harm(marts)
    assert make_pages(marts, MANIFEST) == make_pages(marts, MANIFEST)
    assert make_pictures(marts, MANIFEST) == make_pictures(marts, MANIFEST)


def test_a_picture_alone_brings_its_colours(marts: duckdb.DuckDBPyConnection) -> None:
    add_harm(marts)
    pictures = make_pictures(marts, MANIFEST)
    assert "survival-orders.svg" in pictures
    for picture in pictures.values():
        # Alone it is XML, and one stray sign makes it no picture at all.
        ElementTree.fromstring(picture)  # noqa: S314
        assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert picture.count("<style>") == 1
        assert "prefers-color-scheme: dark" in picture


def test_who_looks_for_a_difference_finds_one(marts: duckdb.DuckDBPyConnection) -> None:
    """The kind of segments that differs most is shown, at the price of having looked for it."""

    def reading(p: float) -> str:
        marts.execute("delete from marts.rpt_survival_summary")
        marts.execute("delete from marts.fct_survival")
        segments = [
            ("all", "all", None),
            *(
                (kind, value, q)
                for kind, q in (("plan", p), ("country", 0.4))
                for value in ("a", "b", "unknown")
            ),
        ]
        for kind, value, q in segments:
            segment = {"basis": "orders", "segment_type": kind, "segment_value": value}
            summary = {"customers": 30, "churned_customers": 9, "segment_type_p_value": q}
            summary["survival_rate_180_days"] = {"a": 0.6, "b": 0.4}.get(value, 0.1)
            insert(marts, "rpt_survival_summary", [segment | summary])
            curve = [{"tenure_days": days, "at_risk_customers": 20, "survival_rate": 0.5} for days in (0, 90)]
            insert(marts, "fct_survival", [segment | point for point in curve])
        return english(marts).articles["survival-segments-orders"].reading

    # Twice 0.03, for two kinds, is no longer below 0.05.
    assert reading(0.03).startswith("No kind of segment tells shoppers apart by more than chance")
    assert "(p\u00a0=\u00a00.060, after a choice among 2)" in reading(0.03)
    assert reading(0.01).startswith("By plan, shoppers differ by more than chance (p\u00a0=\u00a00.020")
    # That those are worst of whom nothing is known is no news.
    assert "60% of “a” are still there, and 40% of “b”." in reading(0.01)
