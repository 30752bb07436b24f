"""The two subscriber bases of Fader and Hardie (2007), through landing and dbt."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.python.small_company import Company
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("survival")

# A thousand customers each begin on one day and pay by the year; some leave each year, and the rest is still
# there after the last year of the series.
ADAPTER = """
vars:
  as_of_date: 2007-01-01
  clv_segment: plan
  # A year and a month: one renewal is held out.
  clv_holdout_days: 400
tables:
  subscriptions:
    files: subscriptions.csv
    columns:
      subscription_id: id
      customer_id: id
      plan: plan
      billing_interval: "'year'"
      amount: "120"
      started_on: "date '2000-01-01'"
      ended_on: ended
"""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Warehouse:
    survivors: dict[str, dict[int, int]] = {}
    with (shared / "oracles/series.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["series"].startswith("sbg_"):
                plan = row["series"].removesuffix("_survivors_of_1000")
                survivors.setdefault(plan, {})[int(row["position"])] = int(row["value"])
    lines = ["id,plan,ended"]
    for plan, series in survivors.items():
        for year, left in series.items():
            leavers = left - series.get(year + 1, 0)
            ended = date(2000 + year + 1, 1, 1) if year + 1 in series else ""
            lines += [f"{plan}-{year}-{number},{plan},{ended}" for number in range(leavers)]
    folder = tmp_path_factory.mktemp("renewals")
    company = Company(folder, ADAPTER)
    company.write("subscriptions.csv", "\n".join(lines) + "\n")
    company.land()
    warehouse = Warehouse(folder)
    warehouse.dbt(
        "build",
        "--exclude-resource-type",
        "unit_test",
        "test",
        "--select",
        "+fct_customer_lifetime_value",
        "+fct_renewal_curves",
    )
    return warehouse


@pytest.mark.parametrize("plan", ["sbg_high_end", "sbg_regular"])
def test_fits_and_projections_are_the_published_ones(
    plan: str, bases: Warehouse, published: dict[str, dict[str, Any]]
) -> None:
    """Each plan is large enough for a fit of its own."""
    ((alpha, beta, log_likelihood, is_published),) = bases.rows(
        f"""
        select alpha, beta, log_likelihood, is_published from marts.fct_clv_models
        where window_name = 'full' and segment_type = 'plan' and segment_value = '{plan}'
        """
    )
    found = {"alpha": alpha, "beta": beta, "log_likelihood": log_likelihood}
    for renewals, survival, residual in bases.rows(
        f"""
        select renewals, survival_rate, discounted_residual_terms from marts.fct_renewal_curves
        where segment_type = 'plan' and segment_value = '{plan}'
        """
    ):
        found[f"survival_year_{renewals}"] = survival
        found[f"derl_10pct_after_{renewals}_renewals"] = residual
    assert is_published
    for quantity, value in published[plan].items():
        assert value == found[quantity], quantity


def test_the_last_renewal_was_expected_as_it_came(bases: Warehouse) -> None:
    """Of 551 and 289 who were there a year before, 517 - 491 and 262 - 241 leave at the last two renewals."""
    rows = bases.rows(
        """
        select segment_value, customers, actual_purchases, purchase_bias, has_passed_gate
        from marts.fct_clv_backtest where bucket = 'all' order by segment_value
        """
    )
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        ("sbg_high_end", 551, 517 * 12, True),
        ("sbg_regular", 289, 262 * 12, True),
    ]
    assert all(abs(row[3]) < 0.02 for row in rows)


def test_subscribers_are_worth_what_is_paid_for_and_the_renewal_after_it(bases: Warehouse) -> None:
    """On the day of the seventh renewal the year is paid: eleven months of it are still to come."""
    rows = bases.rows(
        """
        select
            subscription_fit_segment, model, probability_alive, count(*), min(expected_paid_months_365_days),
            max(expected_paid_months_365_days), min(predicted_value_365_days)
        from marts.fct_customer_lifetime_value group by all order by 1, 3
        """
    )
    assert [row[:4] for row in rows] == [
        ("sbg_high_end", "sbg", 0, 509),
        ("sbg_high_end", "sbg", 1, 491),
        ("sbg_regular", "sbg", 0, 759),
        ("sbg_regular", "sbg", 1, 241),
    ]
    for segment, _, alive, _, least, most, value in rows:
        assert least == most, segment
        if alive:
            # The twelfth month takes a renewal, at 10 a month; what comes later is worth a little less.
            assert 11.9 < least < 12
            assert 0.95 * 10 * least < value < 10 * least
        else:
            assert most == value == 0
