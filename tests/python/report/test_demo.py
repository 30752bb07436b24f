"""The report of the demo company: its figures are those of the marts, reckoned here by other ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts.report.language import PAGES, Language
from scripts.report.page import SECTIONS, make_page, make_pages
from scripts.report.reading import Reader
from tests.python.report.pages import Page

pytestmark = pytest.mark.xdist_group("report")

SAY = Language("en")


@pytest.fixture(scope="module")
def marts(demo_publication: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_publication / "analytics.duckdb"), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def page(demo_publication: Path) -> Page:
    return Page((demo_publication / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def copied(demo_publication: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The marts, to be changed."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{demo_publication / 'analytics.duckdb'}' as published (read_only)")
        connection.execute("copy from database published to memory")
        connection.execute("detach published")
        yield connection


def value(marts: duckdb.DuckDBPyConnection, question: str) -> Any:
    (row,) = marts.execute(question).fetchall()
    return row[0]


def test_every_section_is_there_in_its_order(page: Page) -> None:
    assert page.sections == [module.__name__.rsplit(".", 1)[-1] for module in SECTIONS]
    assert "Could not be drawn" not in page.text


def test_every_picture_has_a_sentence_a_definition_its_sql_and_its_numbers(page: Page) -> None:
    for name, article in page.articles.items():
        assert article.title, name
        assert re.search(r"[.!?]$", article.reading), (name, article.reading)
        assert article.statements, name
        header, *rows = article.tables[-1]
        assert rows, name
        assert {len(row) for row in rows} == {len(header)}, name
        # One for a screen and one for a telephone, or a table alone.
        assert article.drawings in (0, 2), name
    assert sum(article.drawings == 2 for article in page.articles.values()) > 15


def test_the_sql_shown_is_the_sql_that_was_run(
    marts: duckdb.DuckDBPyConnection, demo_manifest: dict[str, Any]
) -> None:
    reader = Reader(marts, demo_manifest)
    page = Page(make_page(reader, SAY))
    shown = {statement for article in page.articles.values() for statement in article.statements}
    assert shown <= set(reader.statements)
    # What was asked and is not shown is of a picture that is not there.
    assert not [rows for rows in map(reader.rows, set(reader.statements) - shown) if rows]
    # And whoever pastes it gets the same.
    for statement in shown:
        again = Reader(marts, demo_manifest)
        assert again.rows(statement) == reader.rows(statement)
        assert again.statements == [statement]


def last_month(marts: duckdb.DuckDBPyConnection) -> Any:
    return value(marts, "select max(month) from marts.dim_months where is_complete")


def test_headlines(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    month = last_month(marts)
    orders = marts.execute(
        "select count(*) from marts.fct_orders where is_counted and ordered_month = $1", [month]
    ).fetchone()
    assert page.figures["Orders"][0] == SAY.number(orders[0])
    new = marts.execute(
        "select count(*) from marts.dim_customers where cohort_month = $1", [month]
    ).fetchone()
    assert page.figures["New customers"][0] == SAY.number(new[0])
    active = value(marts, "select count(*) from marts.dim_customers where is_active")
    assert page.figures["Active customers"][0] == SAY.number(active)
    mrr, subscribers = marts.execute(
        "select sum(closing_mrr), count(*) filter (closing_mrr > 0) from marts.fct_subscription_movements "
        "where month = $1",
        [month],
    ).fetchone()
    assert page.figures["MRR"][0] == SAY.money(float(mrr), "USD")
    assert page.figures["Subscribers"][0] == SAY.number(subscribers)
    predicted = value(marts, "select sum(predicted_value_365_days) from marts.dim_customers")
    expected = "–" if predicted is None else SAY.money(float(predicted), "USD")
    assert page.figures["Expected in a year"][0] == expected


def test_cohorts(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    sizes = marts.execute(
        "select cohort_month, count(*) from marts.fct_customer_lifetime_value group by cohort_month"
    ).fetchall()
    shown = page.articles["cohort-retention"].column("Customers")
    assert len(shown) > 12
    known = {SAY.short_month(month): SAY.number(customers) for month, customers in sizes}
    assert {month: known[month] for month in shown} == shown
    # What a cohort has brought in all months is what its customers have brought.
    values = dict(
        marts.execute(
            "select cohort_month, cast(sum(historic_value) / count(*) as double) "
            "from marts.fct_customer_lifetime_value group by cohort_month"
        ).fetchall()
    )
    newest = sorted(values)[-1]
    (row,) = [row for row in page.articles["cohort-value"].tables[-1] if row[0] == SAY.short_month(newest)]
    assert row[2] == SAY.money(values[newest], "USD")


def test_bridge(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    told = page.articles["mrr-bridge"].column("Amount")
    gained, lost = marts.execute(
        "select cast(sum(new_mrr) as double), cast(sum(churn_mrr) as double) "
        "from marts.fct_subscription_movements "
        "where is_complete and month > ("
        "  select max(month) - interval 12 month from marts.dim_months where is_complete)"
    ).fetchone()
    assert told["New"] == "+" + SAY.money(gained, "USD")
    assert told["Churn"] == "−" + SAY.money(lost, "USD")
    assert told["At the end"] == page.figures["MRR"][0]


def test_concentration_and_tiers(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    cumulative = page.articles["value-concentration"].column("With all better ones")
    assert cumulative["10"] == "100.0%"
    top = value(
        marts,
        """
        select cast(sum(revenue) filter (place <= ceil(0.2 * customers)) / sum(revenue) as double) from (
            select
                gross_revenue + subscription_value as revenue,
                row_number() over (order by gross_revenue + subscription_value desc, customer_id) as place,
                count(*) over () as customers
            from marts.fct_customer_lifetime_value
        )
        """,
    )
    assert SAY.percent(top, 1) in page.articles["value-concentration"].reading
    spread = page.articles["value-distribution"].column("Customers")
    customers = value(marts, "select count(*) from marts.fct_customer_lifetime_value")
    assert sum(int(number.replace(",", "")) for number in spread.values()) == customers
    shares = page.articles["value-tiers"].column("Share of value")
    assert sum(float(share.rstrip("%")) for share in shares.values()) == pytest.approx(100, abs=0.2)


def test_scores(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    quarter = value(
        marts,
        "select max(period_start) from marts.fct_nps_scores "
        "where period_type = 'quarter' and is_complete and votes > 0",
    )
    # One vote per customer, their last of the quarter.
    votes = marts.execute(
        """
        select nps_category, count(*) from (
            select nps_category from marts.fct_nps_responses
            where score is not null and date_trunc('quarter', responded_on) = $1
            qualify row_number() over (
                partition by coalesce(customer_id, response_id) order by responded_at desc, response_id desc
            ) = 1
        ) group by nps_category
        """,
        [quarter],
    ).fetchall()
    counts = dict(votes)
    total = sum(counts.values())
    nps = 100 * (counts.get("promoter", 0) - counts.get("detractor", 0)) / total
    assert page.articles["nps-scores"].column("Votes")[SAY.quarter(quarter)] == SAY.number(total)
    assert page.articles["nps-scores"].column("NPS")[SAY.quarter(quarter)] == SAY.number(nps)


def test_departures_and_health(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    left = value(
        marts,
        "select count(*) from marts.fct_churn_events where basis = 'subscription' "
        "and churn_month in (select month from marts.dim_months where is_complete and months_ago <= 12) "
        "and churn_month > (select max(month) - interval 12 month from marts.dim_months where is_complete)",
    )
    reasons = page.articles["churn-reasons"].column("Departures")
    assert sum(map(int, reasons.values())) == left
    bands = dict(
        marts.execute(
            "select health_band, count(*) from marts.fct_customer_health where month = $1 group by 1",
            [last_month(marts)],
        ).fetchall()
    )
    header, first, *_ = page.articles["health-bands"].tables[-1]
    assert dict(zip(header[1:], first[1:], strict=True)) == {
        band: SAY.number(bands.get(band, 0)) for band in header[1:]
    }


def test_candidates_are_told_in_sums_alone(marts: duckdb.DuckDBPyConnection, page: Page) -> None:
    numbers = page.articles["winback-value"].tables[-1]
    candidates = value(marts, "select count(*) from marts.rpt_winback_candidates")
    assert sum(int(row[2]) for row in numbers[1:]) == candidates


@pytest.mark.parametrize("file", PAGES.values())
def test_nobody_is_named_and_nobody_quoted(
    marts: duckdb.DuckDBPyConnection, demo_publication: Path, file: str
) -> None:
    text = (demo_publication / file).read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", text))
    for column, mart in (
        ("customer_id", "dim_customers"),
        ("response_id", "fct_nps_responses"),
        ("churn_event_id", "fct_churn_events"),
    ):
        ids = {one for (one,) in marts.execute(f"select {column} from marts.{mart}").fetchall()}
        assert ids
        assert not ids & words
    for mart, column in (("fct_nps_responses", "comment_text"), ("fct_churn_events", "cancel_comment")):
        for (comment,) in marts.execute(
            f"select distinct {column} from marts.{mart} where length({column}) > 12"
        ).fetchall():
            assert comment not in text


def test_both_languages_have_the_same_pictures_and_numbers_of_rows(
    page: Page, demo_publication: Path
) -> None:
    vietnamese = Page((demo_publication / PAGES["vi"]).read_text(encoding="utf-8"))
    assert vietnamese.sections == page.sections
    assert list(vietnamese.articles) == list(page.articles)
    for name, article in page.articles.items():
        other = vietnamese.articles[name]
        assert [len(table) for table in other.tables] == [len(table) for table in article.tables], name
        assert other.statements == article.statements
        assert other.title != article.title or name == "nps-scores"


def test_written_twice_it_is_the_same_to_the_byte(
    marts: duckdb.DuckDBPyConnection, demo_manifest: dict[str, Any], demo_publication: Path
) -> None:
    for file, text in make_pages(marts, demo_manifest).items():
        assert (demo_publication / file).read_bytes() == text.encode()


def of_shop_alone(marts: duckdb.DuckDBPyConnection) -> None:
    """The marts as of a company without subscriptions."""
    for mart in ("fct_survival", "rpt_survival_summary", "fct_churn_events", "fct_churn_reasons"):
        marts.execute(f"delete from marts.{mart} where basis <> 'orders'")
    marts.execute("delete from marts.rpt_winback_candidates where basis <> 'orders'")
    marts.execute(
        "update marts.fct_customer_base set subscribers = 0, closing_mrr = 0, subscription_revenue = 0"
    )
    marts.execute("delete from marts.fct_health_skill where churn_basis <> 'orders'")
    marts.execute("delete from marts.fct_clv_models where model = 'sbg'")
    marts.execute("delete from marts.fct_clv_backtest where model = 'sbg'")
    # Its rows stay, and are all zero.
    columns = marts.execute(
        "select column_name, data_type from duckdb_columns() where table_name = 'rpt_subscription_retention' "
        "and (column_name like '%mrr' or column_name like '%rate' or column_name like '%customers')"
    ).fetchall()
    zeros = ", ".join(f"{name} = {'null' if kind == 'DOUBLE' else 0}" for name, kind in columns)
    marts.execute(f"update marts.rpt_subscription_retention set {zeros}")


def test_a_shop_without_subscriptions(
    copied: duckdb.DuckDBPyConnection, demo_manifest: dict[str, Any]
) -> None:
    of_shop_alone(copied)
    page = Page(make_pages(copied, demo_manifest)["report.html"])
    assert "mrr" not in page.sections
    assert not {"MRR", "Subscribers", "NRR, twelve months"} & set(page.figures)
    assert "Orders" in page.figures
    assert "subscriber" not in " ".join(article.reading for article in page.articles.values()).lower()
    assert not {"survival-subscription", "churn-reasons"} & set(page.articles)
    assert "Could not be drawn" not in page.text


def test_subscriptions_without_a_shop(
    copied: duckdb.DuckDBPyConnection, demo_manifest: dict[str, Any]
) -> None:
    for mart in ("fct_survival", "rpt_survival_summary", "fct_churn_events", "fct_churn_reasons"):
        copied.execute(f"delete from marts.{mart} where basis = 'orders'")
    copied.execute("delete from marts.rpt_winback_candidates where basis = 'orders'")
    copied.execute("delete from marts.fct_health_skill where churn_basis = 'orders'")
    copied.execute("delete from marts.fct_clv_models where model <> 'sbg'")
    copied.execute("delete from marts.fct_clv_backtest where model <> 'sbg'")
    copied.execute(
        "update marts.fct_customer_base set order_count = 0, guest_order_count = 0, net_revenue = 0, "
        "guest_net_revenue = 0"
    )
    copied.execute("delete from marts.fct_nps_scores")
    copied.execute("delete from marts.rpt_feedback_themes")
    page = Page(make_pages(copied, demo_manifest)["report.html"])
    assert "Orders" not in page.figures
    assert {"MRR", "Subscribers", "Net revenue"} <= set(page.figures)
    assert "NPS" not in page.figures
    assert "nps" not in page.sections
    assert not {"survival-orders", "backtest-bg-nbd-none"} & set(page.articles)
    assert "Could not be drawn" not in page.text


def test_dong_have_no_cents(copied: duckdb.DuckDBPyConnection, demo_manifest: dict[str, Any]) -> None:
    pages = make_pages(copied, demo_manifest | {"reporting_currency": "VND"})
    vietnamese = Page(pages["report.vi.html"])
    amounts = vietnamese.articles["mrr-months"].tables[-1][1][1:]
    assert all(re.fullmatch(r"\d{1,3}(\.\d{3})*\xa0₫", amount) for amount in amounts), amounts
