"""The views for people: each usual question is one query, and says what the marts say."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from scripts.core.settings import PROJECT_ROOT
from scripts.publication.publications import publish
from tests.python.small_warehouse import make_warehouse
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("demo")

QUESTIONS = re.findall(
    r"^-- (.*\?)\n(select .*);$", (PROJECT_ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
)


def test_there_are_ten() -> None:
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("query", [query for _, query in QUESTIONS], ids=[name for name, _ in QUESTIONS])
def test_each_question_of_the_readme_is_one_query(demo_warehouse: Warehouse, query: str) -> None:
    assert "simple." in query and "marts." not in query
    assert demo_warehouse.rows(query)


def test_months_say_what_the_marts_say(demo_warehouse: Warehouse) -> None:
    """All customers once, guests' revenue with that of the others, and three ways to count who left."""
    assert demo_warehouse.rows(
        """
        select count(*), count(distinct month), sum(revenue), sum(departures), sum(orders) from simple.months
        """
    ) == demo_warehouse.rows(
        """
        select
            count(*), count(distinct month),
            sum(net_revenue + guest_net_revenue + subscription_revenue),
            (select count(*) from marts.fct_churn_events),
            (select count(*) from marts.fct_orders where is_counted)
        from marts.fct_customer_base where segment_type = 'all'
        """
    )
    assert (
        demo_warehouse.value(
            "select count(*) from simple.months where retention_rate is not null and not is_complete"
        )
        == 0
    )


def test_customers_are_those_who_bought(demo_warehouse: Warehouse) -> None:
    assert demo_warehouse.rows(
        "select count(*), count(distinct customer_id), sum(historic_value) from simple.customers"
    ) == demo_warehouse.rows(
        "select count(*), count(*), sum(historic_value) from marts.dim_customers where is_customer"
    )
    assert (
        demo_warehouse.value("select count(*) from simple.customers where is_active and left_on is not null")
        == 0
    )
    assert demo_warehouse.value("select count(left_because) > 0 from simple.customers")


def test_who_sees_segments_is_told_first(demo_warehouse: Warehouse) -> None:
    """In the description of every mart with segments, and of no other."""
    comments = dict(
        demo_warehouse.rows(
            """
            select table_name, starts_with(comment, 'Filter segment_type = ''all'' unless')
            from duckdb_tables() where schema_name = 'marts'
            """
        )
    )
    segmented = {
        name
        for (name,) in demo_warehouse.rows(
            """
            select table_name from duckdb_columns()
            where schema_name = 'marts' and column_name = 'segment_type'
            """
        )
    }
    assert {name for name, is_told in comments.items() if is_told} == segmented


def test_a_publication_has_them_whatever_it_is_called(tmp_path: Path) -> None:
    """Also attached under another name, and with their descriptions."""
    settings = make_warehouse(tmp_path / "wh")
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("create schema simple")
        connection.execute("create view simple.months as select month from marts.fct_customer_base")
        connection.execute("comment on view simple.months is 'One row per month'")
        connection.execute("comment on column simple.months.month is 'First day'")
    publish(settings, "20261121T203000Z")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{settings.analytics_database}' as other (read_only)")
        assert connection.execute("select count(*) > 0 from other.simple.months").fetchone() == (True,)
        assert connection.execute(
            "select comment from duckdb_views() where view_name = 'months' union all "
            "select comment from duckdb_columns() where table_name = 'months'"
        ).fetchall() == [("One row per month",), ("First day",)]
