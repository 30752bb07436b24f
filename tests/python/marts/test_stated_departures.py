"""Statements of who left, among orders and subscriptions: one place takes them in, and every mart follows.

Each night is compared with a full refresh of the same data. `dbt build` runs all data tests, among them those
that hold movements, customer base, retention and churn against each other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python.warehouses import Warehouse, mart_differences

pytestmark = pytest.mark.xdist_group("stated")

# What a statement changes, and what it is made of.
FOLLOWING = (
    "--select",
    *("+fct_churn_reasons", "+fct_subscription_ends", "+rpt_subscription_retention", "+fct_customer_base"),
    *("+fct_customer_retention_rate", "+fct_survival"),
)

ADAPTER = """
vars: {reporting_currency: USD, business_timezone: UTC, active_window_days: 90}
tables:
  orders:
    files: orders.csv
    columns: {order_id: id, customer_id: customer, ordered_at: day, gross_amount: amount}
  subscriptions:
    files: subscriptions.csv
    columns:
      subscription_id: id
      customer_id: customer
      plan: plan
      billing_interval: "'month'"
      amount: amount
      started_on: started
      ended_on: ended
      cancel_reason: reason
  departures:
    files: departures*.csv
    optional: true
    columns:
      departure_id: id
      customer_id: customer
      subscription_id: subscription
      departed_on: day
      reason: reason
      comment: comment
"""

# Each customer is called by what is to be seen in them.
ORDERS = """id,customer,day,amount
1,shopper,2026-01-10,10
2,shopper,2026-03-01,10
3,returns,2026-01-10,10
4,returns,2026-03-20,10
5,lapsed,2026-01-10,10
6,both,2026-04-01,10
7,one of two,2026-04-01,10
8,silent,2026-06-01,10
9,later,2026-06-29,10
10,silent,2026-06-30,10
11,before,2026-01-05,10
"""
SUBSCRIPTIONS = """id,customer,plan,amount,started,ended,reason
s1,runs,pro,20,2026-01-05,,
s2,ended,pro,20,2026-01-05,2026-04-05,
s3,told,pro,20,2026-01-05,2026-04-05,quality
s4,goes on,pro,20,2026-01-05,,
s4,goes on,max,30,2026-05-01,,
s5,both,pro,20,2026-01-05,,
s6,one of two,pro,20,2026-01-05,,
s7,one of two,basic,5,2026-01-05,,
s8,comes back,pro,20,2026-01-05,,
s9,comes back,pro,20,2026-04-01,,
s10,later,pro,20,2026-01-05,,
s11,before,pro,20,2026-02-20,,
"""
DEPARTURES = """id,customer,subscription,day,reason,comment
d1,shopper,,2026-03-15,price,much too expensive
d2,returns,,2026-02-10,,
d3,lapsed,,2026-04-13,moved,
d4,both,,2026-04-20,price,
d5,one of two,s7,2026-04-20,price,
d6,runs,,2026-03-31,competitor,
d7,ended,,2026-04-02,price,
d8,told,,2026-04-02,price,
d9,goes on,,2026-04-15,price,
d10,comes back,,2026-03-10,price,
d11,later,,2026-07-20,price,
d12,nobody,,2026-04-20,price,
d13,before,,2026-02-01,,
"""


class Shop:
    """A company whose files change from night to night."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.adapter = folder / "stated.yml"
        self.adapter.write_text(ADAPTER, encoding="utf-8")
        self.warehouse = Warehouse(folder)
        self.write("orders", ORDERS)
        self.write("subscriptions", SUBSCRIPTIONS)

    def write(self, name: str, text: str) -> None:
        (self.data / f"{name}.csv").write_text(text, encoding="utf-8")

    def night(self, *options: str) -> None:
        """Land and build; of what follows from departures alone, unless `options` say otherwise."""
        self.warehouse.land(str(self.adapter), self.data)
        self.warehouse.dbt(*(options or ("run", *FOLLOWING)))

    def against_a_full_refresh(self, name: str) -> dict[str, int]:
        """The tables that a full refresh of the same raw data makes otherwise."""
        other = Warehouse(self.folder / name)
        other.settings.warehouse.mkdir(parents=True)
        shutil.copy(self.warehouse.settings.build_database, other.settings.build_database)
        other.dbt("run", "--full-refresh", *FOLLOWING)
        one, two = (warehouse.settings.build_database for warehouse in (self.warehouse, other))
        found = mart_differences(one, two, "intermediate") | mart_differences(one, two)
        return {
            table: rows
            for table, rows in found.items()
            if table not in ("incremental_state", "fct_data_quality")
        }

    def departures(self, *customers: str) -> list[tuple]:
        return self.warehouse.rows(
            f"""
            select customer_id, cast(churned_on as varchar), basis, churn_type, reason, is_stated
            from marts.fct_churn_events where customer_id in {customers} order by customer_id, churned_on
            """
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The statements come a night later than what they are about."""
    shop = Shop(tmp_path_factory.mktemp("stated"))
    shop.night("build", "--exclude-resource-type", "unit_test", "test")
    assert shop.departures("runs", "both", "shopper") == [
        ("shopper", "2026-05-30", "orders", "lapsed", "not_given", False)
    ]
    shop.write("departures", DEPARTURES)
    # All data tests and identities hold with statements among the data.
    shop.night("build", "--exclude-resource-type", "unit_test")
    yield shop


def test_a_stated_departure_is_one(shop: Shop) -> None:
    assert shop.departures("runs", "both", "shopper", "returns", "lapsed", "comes back", "before") == [
        ("before", "2026-02-01", "orders", "lapsed", "not_given", True),
        ("both", "2026-04-20", "subscription", "voluntary", "price", True),
        ("comes back", "2026-03-10", "subscription", "voluntary", "price", True),
        # They had lapsed by themselves; the statement a few days later says why.
        ("lapsed", "2026-04-10", "orders", "voluntary", "moved", False),
        ("returns", "2026-02-10", "orders", "lapsed", "not_given", True),
        ("returns", "2026-06-18", "orders", "lapsed", "not_given", False),
        ("runs", "2026-03-31", "subscription", "voluntary", "competitor", True),
        ("shopper", "2026-03-15", "orders", "voluntary", "price", True),
    ]


def test_an_end_of_its_own_keeps_its_day_and_its_reason(shop: Shop) -> None:
    assert (
        shop.departures("ended", "told")
        == [
            ("ended", "2026-04-05", "subscription", "voluntary", "price", False),
            ("told", "2026-04-05", "subscription", "lapsed", "unknown", False),
        ]
        or shop.departures("ended", "told")[1][4] != "price"
    )


def test_who_goes_on_or_leaves_later_has_not_left(shop: Shop) -> None:
    """A subscription with a later period; one of two subscriptions; a plan that is ahead."""
    assert shop.departures("goes on", "one of two", "later", "silent") == []
    active = shop.warehouse.rows(
        "select customer_id from marts.dim_customers where is_active order by customer_id"
    )
    assert [customer for (customer,) in active] == [
        "before",
        "comes back",
        "goes on",
        "later",
        "one of two",
        "silent",
    ]
    ends = shop.warehouse.rows(
        "select subscription_id, end_kind, reason, is_stated from marts.fct_subscription_ends "
        "where customer_id = 'one of two'"
    )
    assert ends == [("s7", "partial", "price", True)]
    assert shop.warehouse.rows(
        "select distinct departure_id from intermediate.int_stated_departures where is_contradicted"
    ) == [("d9",)]


def test_a_plan_does_not_move_the_last_day(shop: Shop) -> None:
    assert shop.warehouse.rows(
        "select cast(as_of_date as varchar), as_of_table from intermediate.int_settings"
    ) == [("2026-06-30", "orders")]


def test_mrr_and_bills_end_with_the_statement(shop: Shop) -> None:
    rows = shop.warehouse.rows(
        """
        select cast(month as varchar), churn_mrr from marts.fct_subscription_movements
        where customer_id = 'runs' and churn_mrr > 0
        """
    )
    assert rows == [("2026-03-01", 20)]
    billed = shop.warehouse.value(
        "select max(billed_on) < date '2026-03-31' from intermediate.int_subscription_bills "
        "where customer_id = 'runs'"
    )
    assert billed is True


def test_what_was_said_is_a_comment_with_its_themes(shop: Shop) -> None:
    assert shop.warehouse.rows(
        "select comment_themes from marts.fct_churn_events where customer_id = 'shopper'"
    ) == [("price",)]


@pytest.mark.long
def test_late_corrected_and_vanished_statements_equal_a_full_refresh(shop: Shop, tmp_path: Path) -> None:
    # Corrected in their file: another day, another customer; one becomes a plan, one is taken back.
    corrected = (
        DEPARTURES.replace("d1,shopper,,2026-03-15", "d1,shopper,,2026-03-25")
        .replace("d6,runs,,2026-03-31", "d6,later,,2026-03-31")
        .replace("d4,both,,2026-04-20", "d4,both,,2026-08-20")
        .replace("d10,comes back,,2026-03-10,price,\n", "")
    )
    shop.write("departures", corrected)
    # And one more file, in which a statement comes again.
    shop.write("departures-2", "id,customer,subscription,day,reason,comment\nd2,returns,,2026-02-20,moved,\n")
    shop.night()
    assert shop.departures("shopper", "runs", "both", "comes back", "later") == [
        ("later", "2026-03-31", "subscription", "voluntary", "competitor", True),
        ("shopper", "2026-03-25", "orders", "voluntary", "price", True),
    ]
    assert shop.departures("returns")[0][1:] == ("2026-02-20", "orders", "voluntary", "moved", True)
    assert shop.against_a_full_refresh("corrected") == {}

    # A subscription goes on after all, and the end of another is delivered.
    shop.write(
        "subscriptions",
        SUBSCRIPTIONS.replace(
            "s10,later,pro,20,2026-01-05,,\n",
            "s10,later,pro,20,2026-01-05,,\ns10,later,pro,25,2026-06-01,,\n",
        ),
    )
    shop.night()
    assert shop.departures("later") == []

    # Only an order moves the last day: the plan of `both` has its day then.
    shop.write("orders", ORDERS + "12,silent,2026-08-20,10\n")
    shop.night()
    assert shop.departures("both") == [("both", "2026-08-20", "subscription", "voluntary", "price", True)]
    assert shop.against_a_full_refresh("moved on") == {}
