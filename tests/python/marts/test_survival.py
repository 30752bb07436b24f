"""How long customers stay: the shipped models against published results and against lifelines."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test, multivariate_logrank_test
from lifelines.utils import median_survival_times, restricted_mean_survival_time
from scipy.stats import norm

from scripts.prediction.survival import compare_segments, log_rank
from tests.python.small_company import Company
from tests.python.warehouses import Warehouse

# Tests that share a warehouse run in one worker: it is built once.
pytestmark = pytest.mark.xdist_group("survival")

AS_OF = date(2026, 2, 28)
WINDOW_DAYS = 30
SEED = 11
HORIZONS = (30, 90, 180, 365, 730)
# The quantile that the intervals of the marts are made with, as lifelines wants it.
ALPHA = 2 * norm.sf(1.959964)

# Weeks of remission in acute leukaemia (Freireich et al., Blood 21 (1963) 699-716), and whether it ended.
PATIENTS = {
    "6mp": [(weeks, True) for weeks in (6, 6, 6, 7, 10, 13, 16, 22, 23)]
    + [(weeks, False) for weeks in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)],
    "placebo": [
        (weeks, True) for weeks in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
    ],
}

ADAPTER = f"""
vars:
  as_of_date: {AS_OF}
  active_window_days: {WINDOW_DAYS}
  # Survival is there by every segment, listed or not.
  segments: []
tables:
  customers:
    files: customers.csv
    columns: {{customer_id: customer, country: country}}
  orders:
    files: orders.csv
    columns: {{order_id: id, customer_id: customer, ordered_at: placed, gross_amount: "10"}}
  subscriptions:
    files: subscriptions.csv
    columns:
      subscription_id: customer
      customer_id: customer
      plan: plan
      billing_interval: "'month'"
      amount: "10"
      started_on: started
      ended_on: ended
"""


@dataclass(frozen=True)
class Shopper:
    """What is true of a made-up shopper: `tenure` in days until they left, or until they were last seen."""

    customer: str
    country: str
    first: date
    tenure: int
    has_churned: bool
    orders: tuple[date, ...]


def make_shoppers() -> list[Shopper]:
    """Four countries that differ in pace, with ties and returns; in a fifth nobody can have left yet."""
    random = np.random.default_rng(SEED)
    shoppers = []
    for number in range(320):
        country = "LA" if number < 5 else ("DE", "FR", "SG", "VN")[number % 4]
        first = AS_OF - timedelta(days=int(random.integers(0, 25 if country == "LA" else 900)))
        mean = {"DE": 90, "FR": 150, "SG": 150, "VN": 330, "LA": 150}[country]
        # Weeks, so that many leave after the same number of days; each stays for the window at least.
        active_days = 7 * int(random.exponential(mean) / 7)
        tenure = active_days + WINDOW_DAYS
        lapsed = first + timedelta(days=tenure)
        orders = [first + timedelta(days=day) for day in (*range(0, active_days, 28), active_days)]
        if random.random() < 0.3:
            # Who comes back has left.
            orders.append(lapsed + timedelta(days=int(random.integers(1, 60))))
        has_churned = lapsed <= AS_OF
        shoppers.append(
            Shopper(
                f"s{number}",
                country,
                first,
                tenure if has_churned else (AS_OF - first).days,
                has_churned,
                tuple(day for day in orders if day <= AS_OF),
            )
        )
    return shoppers


@pytest.fixture(scope="module")
def shoppers() -> list[Shopper]:
    return make_shoppers()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, shoppers: list[Shopper]) -> Warehouse:
    """Subscribers are the patients, a day for a week and a plan for an arm; shoppers are made up."""
    folder = tmp_path_factory.mktemp("survival")
    company = Company(folder, ADAPTER)
    company.write(
        "customers.csv", "customer,country\n" + "".join(f"{s.customer},{s.country}\n" for s in shoppers)
    )
    orders = [(s.customer, day) for s in shoppers for day in s.orders]
    company.write(
        "orders.csv",
        "id,customer,placed\n" + "".join(f"{n},{who},{day}\n" for n, (who, day) in enumerate(orders)),
    )
    lines = []
    for arm, patients in PATIENTS.items():
        for number, (tenure, has_churned) in enumerate(patients):
            # Who left did so at any time, one of them on the very last day; who did not is seen to the end.
            ended = AS_OF - timedelta(days=number) if has_churned else None
            started = (ended or AS_OF) - timedelta(days=tenure)
            lines.append(f"{arm}{number},{arm},{started},{ended or ''}\n")
    company.write("subscriptions.csv", "customer,plan,started,ended\n" + "".join(lines))
    company.land()
    assert company.reasons() == []
    warehouse = Warehouse(folder)
    warehouse.dbt(
        "build",
        *("--select", "+rpt_survival_summary"),
        *("--indirect-selection", "cautious"),
        *("--exclude-resource-type", "unit_test"),
    )
    return warehouse


def summary(warehouse: Warehouse, basis: str, segment_type: str) -> dict[str, dict[str, Any]]:
    """Rows of rpt_survival_summary by segment."""
    columns = [row[0] for row in warehouse.rows("describe marts.rpt_survival_summary")]
    rows = warehouse.rows(
        f"""
        select * from marts.rpt_survival_summary
        where basis = '{basis}' and segment_type = '{segment_type}' order by segment_value
        """
    )
    return {row[2]: dict(zip(columns, row, strict=True)) for row in rows}


def test_published_remissions_of_freireich(warehouse: Warehouse, shared: Path) -> None:
    """Survival, standard error and median of both arms, with the tolerances of the published values."""
    with (shared / "oracles/published.csv").open(encoding="utf-8") as file:
        published = [row for row in csv.DictReader(file) if row["oracle"].startswith("freireich_")]
    assert len(published) == 11
    with (shared / "oracles/series.csv").open(encoding="utf-8") as file:
        series = {
            row["series"]: [int(weeks) for weeks in row["value"].split()]
            for row in csv.DictReader(file)
            if row["series"].startswith("freireich_")
        }
    assert series == {
        f"freireich_{arm}_weeks_{'event' if event else 'censored'}": weeks
        for arm, patients in PATIENTS.items()
        for event in (True, False)
        if (weeks := [week for week, has_event in patients if has_event is event])
    }
    medians = summary(warehouse, "subscription", "plan")
    for row in published:
        arm = row["oracle"].removeprefix("freireich_")
        if row["quantity"] == "median":
            found = medians[arm]["median_tenure_days"]
        else:
            quantity, week = row["quantity"].rsplit("_", 1)
            column = {"survival": "survival_rate", "standard_error": "standard_error"}[quantity]
            found = warehouse.value(
                f"""
                select {column} from marts.fct_survival
                where basis = 'subscription' and segment_type = 'plan' and segment_value = '{arm}'
                    and tenure_days = {week}
                """
            )
        assert found == pytest.approx(float(row["value"]), abs=float(row["tolerance"])), row


def test_arms_of_freireich_differ_as_published(warehouse: Warehouse) -> None:
    """16.79 with one degree of freedom; lifelines says the same to the last digits."""
    (treated, with_event), (control, control_event) = (
        zip(*PATIENTS[arm], strict=True) for arm in ("6mp", "placebo")
    )
    reference = logrank_test(treated, control, with_event, control_event)
    assert reference.test_statistic == pytest.approx(16.79, abs=0.005)
    for row in summary(warehouse, "subscription", "plan").values():
        assert row["segment_type_degrees_of_freedom"] == 1
        for test in ("log_rank", "segment_type"):
            assert row[f"{test}_chi_square"] == pytest.approx(reference.test_statistic, rel=1e-9)
            assert row[f"{test}_p_value"] == pytest.approx(reference.p_value, rel=1e-9)


def test_curves_are_those_of_lifelines(warehouse: Warehouse, shoppers: list[Shopper]) -> None:
    """Survival, Greenwood's error, interval, median and the first year, on ties and censored tenures."""
    rows = summary(warehouse, "orders", "country")
    assert set(rows) == {shopper.country for shopper in shoppers}
    for country, row in rows.items():
        group = [shopper for shopper in shoppers if shopper.country == country]
        tenures = np.array([shopper.tenure for shopper in group])
        fitted = KaplanMeierFitter(alpha=ALPHA).fit(tenures, [shopper.has_churned for shopper in group])
        events = fitted.event_table
        curve = fitted.survival_function_.iloc[:, 0]
        error = curve * np.sqrt(fitted._cumulative_sq_)
        interval = fitted.confidence_interval_
        built = warehouse.rows(
            f"""
            select
                tenure_days, at_risk_customers, churned_customers, censored_customers, survival_rate,
                standard_error, survival_lower_95, survival_upper_95
            from marts.fct_survival
            where basis = 'orders' and segment_type = 'country' and segment_value = '{country}'
            order by tenure_days
            """
        )
        assert [line[0] for line in built] == sorted({0, *tenures})
        for day, at_risk, churned, censored, rate, standard_error, lower, upper in built:
            expected = events.loc[day]
            assert (churned, censored) == (expected["observed"], expected["censored"]), (country, day)
            assert at_risk == expected["at_risk"] or day == 0, (country, day)
            assert rate == pytest.approx(curve[day], abs=1e-11), (country, day)
            if 0 < rate < 1:
                assert standard_error == pytest.approx(error[day], abs=1e-9), (country, day)
                assert (lower, upper) == pytest.approx(tuple(interval.loc[day]), abs=1e-9), (country, day)
            else:
                # lifelines gives an interval of no width here.
                assert (lower, upper) == (None, None), (country, day)

        assert row["customers"] == len(group)
        assert row["churned_customers"] == sum(shopper.has_churned for shopper in group)
        assert row["median_tenure_days"] == known(fitted.median_survival_time_)
        bounds = median_survival_times(interval).iloc[0] if row["churned_customers"] > 1 else [np.inf, np.inf]
        assert [row["median_tenure_days_lower_95"], row["median_tenure_days_upper_95"]] == list(
            map(known, bounds)
        )
        for days in HORIZONS:
            seen = days <= tenures.max()
            found = row[f"survival_rate_{days}_days"]
            assert found == (pytest.approx(fitted.predict(days), abs=1e-9) if seen else None), (country, days)
        mean = restricted_mean_survival_time(fitted, t=365) if tenures.max() >= 365 else None
        assert row["mean_tenure_days_of_365"] == (None if mean is None else pytest.approx(mean, abs=1e-6))


def test_everybody_is_who_was_made_up(warehouse: Warehouse, shoppers: list[Shopper]) -> None:
    """`all` has the customers of all countries, and returns of those who had left are no tenures."""
    (row,) = summary(warehouse, "orders", "all").values()
    assert row["customers"] == len(shoppers)
    assert row["churned_customers"] == sum(shopper.has_churned for shopper in shoppers)
    assert row["longest_tenure_days"] == max(shopper.tenure for shopper in shoppers)
    assert row["log_rank_p_value"] is None and row["segment_type_p_value"] is None
    # Who came back is in the data, or the test says little.
    returned = [s for s in shoppers if s.has_churned and (s.orders[-1] - s.first).days > s.tenure]
    assert len(returned) > 20


@pytest.mark.parametrize("segment_type", ["country", "cohort_year"])
def test_log_rank_is_that_of_lifelines(
    warehouse: Warehouse, shoppers: list[Shopper], segment_type: str
) -> None:
    """Each segment against the others, and all of them; without one that was never at risk with others."""
    segments = np.array([s.country if segment_type == "country" else str(s.first.year) for s in shoppers])
    tenures = np.array([shopper.tenure for shopper in shoppers])
    churned = np.array([shopper.has_churned for shopper in shoppers])
    compared = segments != "LA"
    overall = multivariate_logrank_test(tenures[compared], segments[compared], churned[compared])
    rows = summary(warehouse, "orders", segment_type)
    assert set(rows) == set(segments)
    for segment, row in rows.items():
        assert row["segment_type_degrees_of_freedom"] == len(set(segments[compared])) - 1
        assert row["segment_type_chi_square"] == pytest.approx(overall.test_statistic, rel=1e-9)
        assert row["segment_type_p_value"] == pytest.approx(overall.p_value, rel=1e-8)
        if segment == "LA":
            assert row["log_rank_chi_square"] is None and row["log_rank_p_value"] is None
            assert row["expected_churned_customers"] == 0
            continue
        inside = segments == segment
        reference = logrank_test(tenures[inside], tenures[~inside], churned[inside], churned[~inside])
        assert row["log_rank_chi_square"] == pytest.approx(reference.test_statistic, rel=1e-9)
        assert row["log_rank_p_value"] == pytest.approx(reference.p_value, rel=1e-8)
    assert sum(row["expected_churned_customers"] for row in rows.values()) == pytest.approx(churned.sum())


def test_one_segment_has_nothing_to_be_compared_with(warehouse: Warehouse) -> None:
    """No channel is known of anybody."""
    (row,) = summary(warehouse, "orders", "acquisition_channel").values()
    assert row["segment_value"] == "unknown"
    for column in (
        "log_rank_chi_square",
        "log_rank_p_value",
        "segment_type_chi_square",
        "segment_type_p_value",
    ):
        assert row[column] is None, column
    assert row["segment_type_degrees_of_freedom"] is None


def known(value: float) -> float | None:
    """A time as the mart has it: null while it has not come."""
    return None if np.isinf(value) else value


def test_log_rank_of_two_small_groups_by_hand() -> None:
    """Two of five leave, one of each group; then one of the three who are left, of the first group."""
    test = log_rank(np.array([[2, 1], [3, 2]]), np.array([[1, 1], [1, 0]]))
    assert test.observed.tolist() == [2, 1]
    assert test.expected == pytest.approx([2 * 2 / 5 + 1 / 3, 2 * 3 / 5 + 2 / 3])
    variance = 2 * 3 / 4 * (2 / 5) * (3 / 5) + 1 / 3 * 2 / 3
    assert test.covariance == pytest.approx(np.array([[variance, -variance], [-variance, variance]]))
    assert test.chi_square == pytest.approx([(2 - 4 / 5 - 1 / 3) ** 2 / variance] * 2)
    assert test.overall_chi_square == pytest.approx(test.chi_square[0])
    assert test.degrees_of_freedom == 1


@pytest.mark.parametrize(
    ("at_risk", "events"),
    [
        # One group; no events; all leave at once; groups that were never at risk together; no times.
        ([[9, 4]], [[2, 1]]),
        ([[9, 4], [5, 3]], [[0, 0], [0, 0]]),
        ([[4], [3]], [[4], [3]]),
        ([[4, 0], [0, 3]], [[1, 0], [0, 1]]),
        ([[], []], [[], []]),
        ([[0], [0]], [[0], [0]]),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_compare(
    at_risk: list[list[int]], events: list[list[int]]
) -> None:
    test = log_rank(np.array(at_risk), np.array(events))
    assert np.isnan(test.chi_square).all() and np.isnan(test.p_value).all()
    assert np.isnan(test.overall_chi_square) and np.isnan(test.overall_p_value)
    assert test.degrees_of_freedom == 0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="more events than members at risk"):
        log_rank(np.array([[1, 1]]), np.array([[2, 0]]))
    with pytest.raises(ValueError, match="differ in shape"):
        log_rank(np.array([[1, 1]]), np.array([[1]]))


def test_no_risk_sets_make_an_empty_table_with_types() -> None:
    """A company without spells, or without departures: the mart that reads it still finds its columns."""
    types = {
        "basis": pa.string(),
        "segment_type": pa.string(),
        "segment_value": pa.string(),
        "tenure_days": pa.int64(),
        "at_risk_customers": pa.int64(),
        "churned_customers": pa.int64(),
    }
    empty = compare_segments(pa.schema(types).empty_table())
    assert empty.num_rows == 0
    one = {"basis": "orders", "segment_type": "plan", "tenure_days": 5, "churned_customers": 1}
    rows = [one | {"segment_value": name, "at_risk_customers": 4} for name in ("b", "a")]
    full = compare_segments(pa.Table.from_pylist(rows, schema=pa.schema(types)))
    assert full.schema == empty.schema
    assert full["segment_value"].to_pylist() == ["a", "b"]
    assert full["expected_churned_customers"].to_pylist() == [1, 1]
