"""Monthly recurring revenue of the demo company, held against the planted truth and against plain Python."""

from __future__ import annotations

import csv
from calendar import monthrange
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from scripts.demo.company import generate
from scripts.demo.parameters import Parameters
from scripts.demo.truth import write_truth
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("demo")

# MRR has four decimals: a sum over so many periods may be off by half of the last digit of each.
ROUNDING = Decimal("0.00005")

Movements = dict[tuple[date, str], Decimal]


def test_mrr_and_subscribers_are_the_planted_ones(demo_warehouse: Warehouse, tmp_path: Path) -> None:
    write_truth(tmp_path, generate(Parameters(customers=150)))
    with (tmp_path / "truth/mrr.csv").open(encoding="utf-8") as file:
        truth = {date.fromisoformat(row["month"]): row for row in csv.DictReader(file)}
    built = demo_warehouse.rows(
        """
        select month, closing_customers, closing_mrr from marts.rpt_subscription_retention
        where segment_type = 'all' order by month
        """
    )
    assert [month for month, _, _ in built] == sorted(truth)
    for month, subscribers, mrr in built:
        assert subscribers == int(truth[month]["subscribers"]), month
        assert abs(mrr - Decimal(truth[month]["closing_mrr"])) <= ROUNDING * (subscribers + 1), month


def test_movements_are_those_of_plain_python(demo_warehouse: Warehouse) -> None:
    """From the periods alone: what each customer pays on each month's last day, and how it differs."""
    ends = demo_warehouse.rows("select month, observed_until from intermediate.int_months order by month")
    paid: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for customer, started, ended, mrr in demo_warehouse.rows(
        "select customer_id, started_on, ended_on, mrr from intermediate.int_subscription_periods"
    ):
        for month, day in ends:
            if started <= day and (ended is None or ended > day):
                paid[customer][month] += mrr

    expected: Movements = defaultdict(Decimal)
    for amounts in paid.values():
        before, has_paid = Decimal(0), False
        for month, _ in ends:
            now = amounts[month]
            if before == 0 and now > 0:
                expected[month, "reactivation" if has_paid else "new"] += now
            elif now == 0 and before > 0:
                expected[month, "churn"] += before
            elif now != before:
                expected[month, "expansion" if now > before else "contraction"] += abs(now - before)
            before, has_paid = now, has_paid or now > 0

    built = demo_warehouse.rows(
        """
        select month, movement, sum(abs(closing_mrr - opening_mrr)) from marts.fct_subscription_movements
        where movement not in ('unchanged', 'inactive') group by month, movement
        """
    )
    assert {(month, movement): amount for month, movement, amount in built} == expected
    # Each kind of movement has happened, or the test says little.
    assert {movement for _, movement in expected} == {
        "new",
        "reactivation",
        "expansion",
        "contraction",
        "churn",
    }


def test_subscription_value_is_that_of_plain_python(demo_warehouse: Warehouse) -> None:
    """From the periods alone, interval by interval, each at the price of its first day."""
    (as_of,) = demo_warehouse.rows("select as_of_date from intermediate.int_settings")[0]
    periods: dict[str, list[tuple[str, date, date, str, Decimal]]] = defaultdict(list)
    for subscription, customer, started, ended, interval, price in demo_warehouse.rows(
        """
        select subscription_id, customer_id, started_on, ended_on, billing_interval, net_amount
        from intermediate.int_subscription_periods where is_paid order by subscription_id, started_on
        """
    ):
        periods[subscription].append((customer, started, ended or as_of + timedelta(1), interval, price))

    expected: dict[str, Decimal] = defaultdict(Decimal)
    for rows in periods.values():
        anchor, count, due = rows[0][1], 0, rows[0][1]
        last_end, last_interval = None, None
        for customer, started, ended, interval, price in rows:
            if last_end != started or last_interval != interval:
                anchor, count, due = started, 0, started
            while due < ended:
                expected[customer] += price
                count += 1
                due = _later(anchor, interval, count)
            last_end, last_interval = ended, interval

    built = demo_warehouse.rows(
        """
        select customer_id, subscription_value from marts.fct_customer_lifetime_value
        where subscription_value <> 0
        """
    )
    assert dict(built) == expected
    # More than one price in a subscription, or the test says little.
    assert any(len({price for *_, price in rows}) > 1 for rows in periods.values())


def _later(anchor: date, interval: str, count: int) -> date:
    """So many billing intervals after a day, clamped to the end of the month."""
    if interval == "week":
        return anchor + timedelta(7 * count)
    months = anchor.month - 1 + count * {"month": 1, "quarter": 3, "year": 12}[interval]
    year, month = anchor.year + months // 12, months % 12 + 1
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))
