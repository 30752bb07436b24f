"""From cells to fits and scores: what is fitted, what is not and why, and what a score means."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from scripts.prediction import bg_nbd, gamma_gamma, sbg
from scripts.prediction.lifetime_value import (
    fit_models,
    month_chances,
    renewal_curves,
    score_orders,
    score_renewals,
    score_values,
)

SETTINGS: dict[str, Any] = {
    "clv_minimum_customers": 20,
    "clv_segment_minimum_customers": 300,
    "clv_minimum_history_days": 180,
    "clv_annual_discount_rate": 0.1,
}
DAYS = {"full": 730, "calibration": 480}
WINDOWS = pa.Table.from_pylist(
    [
        {"window_name": "full", "history_days": 730, "holdout_days": None, "holdout_months": None},
        {"window_name": "calibration", "history_days": 480, "holdout_days": 250, "holdout_months": 8},
    ]
)
ORDER_CELLS = pa.schema(
    [
        *((name, pa.string()) for name in ("window_name", "segment_type", "segment_value")),
        *((name, pa.int64()) for name in ("frequency", "recency_days", "age_days", "customers")),
    ]
)
VALUE_CELLS = pa.schema(
    [
        *((name, pa.string()) for name in ("window_name", "segment_type", "segment_value")),
        ("valued_frequency", pa.int64()),
        ("mean_repeat_value", pa.decimal128(18, 4)),
        ("customers", pa.int64()),
    ]
)
RENEWAL_CELLS = pa.schema(
    [
        *((name, pa.string()) for name in ("window_name", "segment_type", "segment_value")),
        ("billing_interval", pa.string()),
        ("renewals", pa.int64()),
        ("is_ended", pa.bool_()),
        ("begun_months_of_term", pa.int64()),
        ("contracts", pa.int64()),
    ]
)
NO_RENEWALS = RENEWAL_CELLS.empty_table()


def table(schema: pa.Schema, histories: dict[tuple[str, ...], list[tuple[Any, ...]]]) -> pa.Table:
    """Cells of customers by window and segment."""
    rows = [
        dict(zip(schema.names, (*key, *cell, count), strict=True))
        for key, customers in histories.items()
        for cell, count in Counter(customers).items()
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def shop(
    segments: dict[str, tuple[dict[str, float], int]], windows: dict[str, int] = DAYS, seed: int = 3
) -> tuple[pa.Table, pa.Table]:
    """Cells of a shop whose segments buy at their own pace, pooled ones included."""
    generator = np.random.default_rng(seed)
    histories: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    values: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for window, days in windows.items():
        for segment, (parameters, customers) in segments.items():
            ages = generator.integers(0, days, customers)
            frequency, recency = bg_nbd.simulate(parameters, ages / 7, generator)
            spent = gamma_gamma.simulate({"p": 6, "q": 4, "v": 15}, frequency, generator)
            for x, last, age, mean in zip(frequency, recency, ages, spent, strict=True):
                mean = round(float(mean), 2) if x > 0 else 0.0
                for key in ((window, "all", "all"), (window, "country", segment)):
                    histories.setdefault(key, []).append(
                        (int(x), min(round(float(last) * 7), int(age)), int(age))
                    )
                    values.setdefault(key, []).append((int(x), mean))
    return table(ORDER_CELLS, histories), _money(values)


def _money(values: dict[tuple[str, ...], list[tuple[Any, ...]]]) -> pa.Table:
    floats = pa.schema(
        [f if f.name != "mean_repeat_value" else pa.field(f.name, pa.float64()) for f in VALUE_CELLS]
    )
    return table(floats, values).cast(VALUE_CELLS)


def fits_by_key(fits: pa.Table) -> dict[tuple[str, ...], dict[str, Any]]:
    return {
        (row["window_name"], row["model"], row["billing_interval"], row["segment_value"]): row
        for row in fits.to_pylist()
    }


PACE = {"r": 0.25, "alpha": 4.4, "a": 0.8, "b": 2.4}
FASTER = {"r": 2.0, "alpha": 4.0, "a": 0.8, "b": 2.4}


def test_a_large_segment_has_its_own_fit_and_a_small_one_the_pooled() -> None:
    cells, values = shop({"large": (FASTER, 800), "small": (PACE, 200)})
    fits = fits_by_key(fit_models(cells, values, NO_RENEWALS, WINDOWS, SETTINGS))
    assert {key[3] for key in fits} == {"all", "large"}
    large, pooled = fits["full", "bg_nbd", "none", "large"], fits["full", "bg_nbd", "none", "all"]
    assert large["customers"] == 800 and pooled["customers"] == 1000
    assert large["is_fitted"] and large["is_converged"] and large["reason"] is None
    assert abs(large["r"] - 2) < 4 * large["r_standard_error"]
    # Both kinds in one pot are more unlike each other.
    assert pooled["r"] < 0.8 * large["r"]
    assert large["informative_customers"] == sum(
        row["customers"]
        for row in cells.to_pylist()
        if row["segment_value"] == "large" and row["window_name"] == "full" and row["frequency"] > 0
    )


@pytest.mark.parametrize(
    ("settings", "history_days", "reason"),
    [
        ({}, 21, "21 days of history are too few: clv_minimum_history_days asks for 180"),
        ({"clv_minimum_customers": 9999}, 730, "customers ordered again, too few to learn from"),
    ],
)
def test_too_little_to_learn_from_is_no_fit_with_a_reason(
    settings: dict[str, Any], history_days: int, reason: str
) -> None:
    cells, values = shop({"VN": (PACE, 300)})
    windows = WINDOWS.set_column(1, "history_days", pa.array([history_days] * 2))
    fits = fit_models(cells, values, NO_RENEWALS, windows, SETTINGS | settings)
    for row in fits.to_pylist():
        assert not row["is_fitted"] and row["r"] is None and row["log_likelihood"] is None
        if row["model"] == "bg_nbd":
            assert reason in row["reason"]
    scores = score_orders(cells, fits, windows, SETTINGS)
    assert scores.num_rows == 0 and "probability_alive" in scores.column_names
    assert score_values(values, fits).num_rows == 0


ONE = {"full": 1, "calibration": 1}


@pytest.mark.parametrize(
    ("name", "orders", "spent"),
    [
        ("one customer", [(0, 0, 400)], [(0, 0)]),
        ("no repeaters", [(0, 0, age) for age in range(1, 400)], [(0, 0)] * 399),
        ("all on the same day", [(0, 0, 0)] * 300, [(0, 0)] * 300),
        ("everybody comes back every week", [(50, 350, 353)] * 200, [(50, 10)] * 200),
        ("values of nothing", [(3, 200, 300)] * 60, [(0, 0)] * 60),
        ("all spend the same", [(3, 200, 300), (1, 20, 300)] * 60, [(3, 10), (1, 10)] * 60),
        (
            "ten outliers",
            [(2, 100 + n % 50, 300 + n % 7) for n in range(300)] + [(250, 299, 300)] * 10,
            [(2, 10 + n % 9) for n in range(300)] + [(250, 1_000_000)] * 10,
        ),
    ],
)
def test_odd_shops_end_in_a_reason_or_in_sane_numbers(
    name: str, orders: list[tuple[int, ...]], spent: list[tuple[int, ...]]
) -> None:
    settings = SETTINGS | {"clv_minimum_customers": 1}
    cells = table(ORDER_CELLS, {(window, "all", "all"): list(orders) for window in ONE})
    values = _money({(window, "all", "all"): [(x, float(mean)) for x, mean in spent] for window in ONE})
    fits = fit_models(cells, values, NO_RENEWALS, WINDOWS, settings)
    for row in fits.to_pylist():
        assert row["is_fitted"] or row["reason"], name
        assert row["is_fitted"] == row["is_converged"], name
    for row in score_orders(cells, fits, WINDOWS, settings).to_pylist():
        assert 0 <= row["probability_alive"] <= 1
        if row["window_name"] == "full":
            assert 0 <= row["expected_orders_90_days"] <= row["expected_orders_365_days"]
            assert 0 <= row["discounted_orders_365_days"] <= row["expected_orders_365_days"]
            # Nobody is expected to buy at more than twice the pace at which they have.
            pace = (row["frequency"] + 1) / max(row["age_days"], 30)
            assert row["expected_orders_365_days"] <= 2 * 365 * pace, name
    largest = max(float(mean) for _, mean in spent)
    for row in score_values(values, fits).to_pylist():
        assert row["expected_order_value"] is None or 0 < row["expected_order_value"] <= 1.01 * largest


def test_scores_are_of_the_cells_at_the_fits_parameters() -> None:
    """Weeks are seven days; a year ahead is 365 days, discounted month by month."""
    cells, values = shop({"VN": (PACE, 400)})
    fits = fit_models(cells, values, NO_RENEWALS, WINDOWS, SETTINGS)
    found = fits_by_key(fits)
    scores = score_orders(cells, fits, WINDOWS, SETTINGS).to_pylist()
    assert len(scores) == sum(row["segment_type"] == "all" for row in cells.to_pylist())
    for row in scores[:: max(1, len(scores) // 40)]:
        fit = found[row["window_name"], "bg_nbd", "none", "all"]
        parameters = {name: fit[name] for name in ("r", "alpha", "a", "b")}
        history = [[row["frequency"]], [row["recency_days"] / 7], [row["age_days"] / 7]]
        horizon = 250 / 7 if row["window_name"] == "calibration" else 365 / 7
        expected = bg_nbd.expected_purchases(parameters, *history, horizon)[0]
        got = "expected_orders_holdout" if row["window_name"] == "calibration" else "expected_orders_365_days"
        assert row[got] == pytest.approx(expected)
        if row["window_name"] == "full":
            # A year's orders come in the middle of it, more or less.
            share = row["discounted_orders_365_days"] / row["expected_orders_365_days"]
            assert 1.1**-1 < share < 1 and share == pytest.approx(1.1**-0.5, abs=0.02)
            assert row["expected_orders_holdout"] is None
    for row in score_values(values, fits).to_pylist()[::50]:
        fit = found[row["window_name"], "gamma_gamma", "none", "all"]
        p, q, v = (fit[name] for name in ("p", "q", "v"))
        x, mean = row["valued_frequency"], float(row["mean_repeat_value"])
        assert row["expected_order_value"] == pytest.approx(p * (v + x * mean) / (p * x + q - 1))


def test_months_of_a_paid_term_are_certain_and_the_others_as_likely_as_their_renewals() -> None:
    parameters = {"alpha": 1.0, "beta": 3.0}
    # S(1) / S(0) = 3/4, S(2) / S(1) = 4/5
    chances, is_renewed = month_chances(parameters, np.array([0, 1]), np.array([11, 12]), 12, 3)
    assert chances.tolist() == [[1, pytest.approx(0.75), pytest.approx(0.75)], [pytest.approx(0.8)] * 3]
    assert is_renewed.tolist() == [[False, True, True], [True, True, True]]
    # Each month is a term.
    chances, _ = month_chances(parameters, np.array([0]), np.array([1]), 1, 2)
    assert chances.tolist() == [[pytest.approx(0.75), pytest.approx(0.6)]]
    # Some four weeks a month; by the middle of the first two have been renewed.
    chances, _ = month_chances(parameters, np.array([0]), np.array([1]), 12 / 52, 1)
    assert chances.tolist() == [[pytest.approx(float(sbg.survival(parameters, [2])[0]))]]


def test_contracts_are_fitted_by_interval_and_scored_while_they_run() -> None:
    generator = np.random.default_rng(5)
    planted = {"month": {"alpha": 0.7, "beta": 4.0}, "year": {"alpha": 1.0, "beta": 6.0}}
    histories = {}
    for interval, parameters in planted.items():
        renewals, is_ended = sbg.simulate(parameters, generator.integers(1, 20, 900), generator)
        cells = [(int(n), bool(ended), 1) for n, ended in zip(renewals, is_ended, strict=True)]
        for window in DAYS:
            histories[window, "all", "all", interval] = cells
    # Nobody has come up for renewal by the quarter.
    for window in DAYS:
        histories[window, "all", "all", "quarter"] = [(0, False, 2)] * 40
    cells = table(RENEWAL_CELLS, histories)
    fits = fit_models(ORDER_CELLS.empty_table(), VALUE_CELLS.empty_table(), cells, WINDOWS, SETTINGS)
    found = fits_by_key(fits)
    for interval, parameters in planted.items():
        fit = found["full", "sbg", interval, "all"]
        for name, value in parameters.items():
            assert abs(fit[name] - value) < 4 * fit[f"{name}_standard_error"], (interval, name)
    assert "0 customers came up for renewal" in found["full", "sbg", "quarter", "all"]["reason"]

    scores = score_renewals(cells, fits, WINDOWS, SETTINGS).to_pylist()
    assert {row["billing_interval"] for row in scores} == {"month", "year"}
    for row in scores:
        if row["window_name"] == "full":
            quarter, year = row["expected_paid_months_90_days"], row["expected_paid_months_365_days"]
            assert 0 < quarter <= 3 and quarter < year <= 12
            assert 1.1**-1 * year < row["discounted_paid_months_365_days"] < year
            if row["billing_interval"] == "year":
                # One month of the term has begun, eleven are paid for.
                assert quarter == 3 and year > 11
        else:
            # Of eight months held out none takes a renewal of a year that has just begun.
            assert (row["expected_renewed_months_holdout"] == 0) == (row["billing_interval"] == "year")

    curves = renewal_curves(cells, fits, SETTINGS).to_pylist()
    monthly = [row for row in curves if row["billing_interval"] == "month"]
    assert monthly[0]["survival_rate"] == 1 and monthly[0]["renewal_rate"] is None
    assert [row["renewals"] for row in monthly] == list(range(len(monthly)))
    assert len(monthly) - 1 == 2 * max(n for n, _, _ in histories["full", "all", "all", "month"])
    for before, after in itertools.pairwise(monthly):
        ratio = after["survival_rate"] / before["survival_rate"]
        assert after["renewal_rate"] == pytest.approx(ratio)
        assert after["discounted_residual_terms"] > before["discounted_residual_terms"]


def test_nothing_in_nothing_out() -> None:
    empty = (ORDER_CELLS.empty_table(), VALUE_CELLS.empty_table(), NO_RENEWALS)
    fits = fit_models(*empty, WINDOWS.slice(0, 0), SETTINGS)
    assert fits.num_rows == 0
    assert score_orders(empty[0], fits, WINDOWS.slice(0, 0), SETTINGS).num_rows == 0
    assert score_values(empty[1], fits).num_rows == 0
    assert score_renewals(empty[2], fits, WINDOWS.slice(0, 0), SETTINGS).num_rows == 0
    assert renewal_curves(empty[2], fits, SETTINGS).num_rows == 0


def test_the_order_of_cells_and_rows_does_not_matter() -> None:
    """An engine may hand them over as it likes: not a digit changes."""
    cells, values = shop({"VN": (PACE, 500)})
    fits = fit_models(cells, values, NO_RENEWALS, WINDOWS, SETTINGS)
    back = [table_.take(pa.array(range(table_.num_rows - 1, -1, -1))) for table_ in (cells, values)]
    assert fit_models(*back, NO_RENEWALS, WINDOWS, SETTINGS).equals(fits)
