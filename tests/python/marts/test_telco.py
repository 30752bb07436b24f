"""IBM's telephone company: one snapshot of subscribers becomes subscriptions, and their departures."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("telco")

CHURN_BY_CONTRACT = """
    select
        customers.first_plan as contract,
        count(*) as customers,
        count(events.churn_event_id) as churned,
        count(events.churn_event_id) / count(*) as churn_rate
    from marts.dim_customers as customers
    left join marts.fct_churn_events as events on customers.customer_id = events.customer_id
    where customers.is_customer
    group by customers.first_plan
    order by contract
"""


@pytest.fixture(scope="module")
def telco(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Warehouse:
    """The sample, landed and built: every data test and identity has held on it."""
    warehouse = Warehouse(tmp_path_factory.mktemp("telco"))
    warehouse.land("telco", shared / "data")
    warehouse.dbt("build", "--exclude-resource-type", "unit_test")
    return warehouse


@pytest.fixture(scope="module")
def subscribers(shared: Path) -> list[dict[str, str]]:
    """The rows of the file; nothing of the project is used."""
    with (shared / "data/telco_churn.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_churn_by_contract_is_that_of_the_file(telco: Warehouse, subscribers: list[dict[str, str]]) -> None:
    customers = Counter(row["Contract"] for row in subscribers)
    churned = Counter(row["Contract"] for row in subscribers if row["Churn"] == "Yes")
    found = telco.rows(CHURN_BY_CONTRACT)
    assert [(contract, number, gone) for contract, number, gone, _ in found] == [
        (contract, customers[contract], churned[contract]) for contract in sorted(customers)
    ]
    # As published with the sample.
    assert [f"{rate:.1%}" for *_, rate in found] == ["42.7%", "11.3%", "2.8%"]
    assert (sum(customers.values()), sum(churned.values())) == (7043, 1869)


def test_nobody_left_but_those_of_the_file(telco: Warehouse, subscribers: list[dict[str, str]]) -> None:
    """With the tenure of the file, in whole months."""
    found = dict(telco.rows("select customer_id, tenure_months from marts.fct_churn_events"))
    assert found == {row["customerID"]: int(row["tenure"]) for row in subscribers if row["Churn"] == "Yes"}


def test_those_who_stayed_bring_in_what_they_are_charged(
    telco: Warehouse, subscribers: list[dict[str, str]]
) -> None:
    """With them the eleven who came on the day of the snapshot and have paid nothing yet."""
    stayed = [row for row in subscribers if row["Churn"] == "No"]
    (found,) = telco.rows(
        """
        select new_customers, closing_customers, closing_mrr, is_complete
        from marts.rpt_subscription_retention
        where segment_type = 'all' and month = '2026-06-01'
        """
    )
    new = sum(row["tenure"] == "0" for row in subscribers)
    assert found == (new, len(stayed), sum(Decimal(row["MonthlyCharges"]) for row in stayed), True)
    assert (new, len(stayed)) == (11, 5174)


def test_a_row_that_says_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    """Nor one without a tenure: nobody is counted as a subscriber for a slip of the pen."""
    (tmp_path / "telco_churn.csv").write_text(
        "customerID,tenure,Contract,MonthlyCharges,Churn\n"
        + "".join(f"A-{number},{number},One year,20.5,No\n" for number in range(60))
        + "B-1,3,One year,20.5,Maybe\nB-2,,One year,20.5,Yes\n",
        encoding="utf-8",
    )
    warehouse = Warehouse(tmp_path / "one")
    warehouse.land("telco", tmp_path)
    refused = warehouse.rows(
        "select source_row, reason from raw.rejects where table_name = 'subscriptions' order by source_row"
    )
    assert [(row, reason.split(" (")[0]) for row, reason in refused] == [
        (61, "ended_on 'Maybe' is not a date"),
        (62, "started_on is missing"),
    ]
