"""BG/NBD: published results, the package lifetimes, the process itself, and every kind of bad data."""

from __future__ import annotations

import csv
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifetimes import BetaGeoFitter
from lifetimes.datasets import load_dataset
from scipy.special import betaln

from scripts.prediction import bg_nbd
from scripts.prediction.fitting import Fit, distinct_cells

pytestmark = pytest.mark.filterwarnings("error")

PLANTED = {"r": 0.25, "alpha": 4.4, "a": 0.8, "b": 2.4}


def made_up(
    size: int, seed: int = 1, weeks: float = 78.0, **changed: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Frequency, recency, age and ones for customers of the planted model, some of it changed."""
    generator = np.random.default_rng(seed)
    age = np.round(generator.uniform(weeks / 2, weeks, size) * 7) / 7
    frequency, recency = bg_nbd.simulate(PLANTED | changed, age, generator, grid=1 / 7)
    return frequency, recency, age, np.ones(size)


@pytest.fixture(scope="module")
def cdnow() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequency, recency and age in weeks of the CDNOW sample until 1997-09-30; a day is one purchase."""
    log = load_dataset("CDNOW_sample.txt", header=None, sep=r"\s+", dtype=str)
    days: dict[str, set[date]] = {}
    for customer, day in zip(log[1], log[2], strict=True):
        days.setdefault(customer, set()).add(date(int(day[:4]), int(day[4:6]), int(day[6:])))
    last_day = date(1997, 9, 30)
    seen = [sorted(day for day in dates if day <= last_day) for dates in days.values()]
    frequency = np.array([len(dates) - 1 for dates in seen], dtype=float)
    recency = np.array([(dates[-1] - dates[0]).days / 7 for dates in seen])
    age = np.array([(last_day - dates[0]).days / 7 for dates in seen])
    return frequency, recency, age


def test_cdnow_sample_gives_the_published_results(
    cdnow: tuple[np.ndarray, np.ndarray, np.ndarray], shared: Path
) -> None:
    frequency, recency, age = cdnow
    fit = bg_nbd.fit(frequency, recency, age, np.ones(len(age)))
    p = fit.parameters
    found = {
        "customers": fit.customers,
        "repeat_purchases": frequency.sum(),
        "repeat_customers": (frequency > 0).sum(),
        **{f"bgnbd_{name}": value for name, value in p.items()},
        "bgnbd_log_likelihood": fit.log_likelihood,
        "expected_purchases_x2_tx30.43_T38.86_t39": bg_nbd.expected_purchases(p, [2], [30.43], [38.86], 39)[
            0
        ],
        "p_alive_x2_tx30.43_T38.86": bg_nbd.probability_alive(p, [2], [30.43], [38.86])[0],
    }
    with (shared / "oracles" / "published.csv").open(encoding="utf-8", newline="") as file:
        published = [row for row in csv.DictReader(file) if row["oracle"] == "cdnow_sample"]
    compared = 0
    for row in published:
        if row["quantity"] in found:
            assert abs(found[row["quantity"]] - float(row["value"])) <= float(row["tolerance"]), row
            compared += 1
    assert compared == len(found)


def test_lifetimes_agrees_on_cdnow(cdnow: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    compare_with_lifetimes(*cdnow)


@pytest.mark.parametrize(
    "changed", [{}, {"r": 1.5, "alpha": 8.0}, {"a": 2.0, "b": 3.0}], ids=["few", "many", "short"]
)
def test_lifetimes_agrees_on_generated_customers(changed: dict[str, float]) -> None:
    frequency, recency, age, _ = made_up(2_000, seed=5, **changed)
    compare_with_lifetimes(frequency, recency, age)


@pytest.mark.filterwarnings("default")
def compare_with_lifetimes(frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> None:
    ones = np.ones(len(age))
    fit = bg_nbd.fit(frequency, recency, age, ones)
    theirs = BetaGeoFitter().fit(frequency, recency, age)
    parameters = {name: float(value) for name, value in theirs.params_.items()}
    # lifetimes stops at a relative 1e-7 of the likelihood: ours is at least as good, and near.
    for name, value in parameters.items():
        assert fit.parameters[name] == pytest.approx(value, rel=2e-2)
    assert fit.log_likelihood is not None
    their_likelihood = bg_nbd.log_likelihood(parameters, frequency, recency, age, ones)
    assert their_likelihood - 1e-6 <= fit.log_likelihood <= their_likelihood + 0.01
    for name, error in theirs.standard_errors_.items():
        assert fit.standard_errors[name] == pytest.approx(error, rel=5e-2)
    np.testing.assert_allclose(
        bg_nbd.probability_alive(parameters, frequency, recency, age),
        theirs.conditional_probability_alive(frequency, recency, age),
        rtol=1e-9,
    )
    for horizon in (0.5, 39.0, 104.0):
        np.testing.assert_allclose(
            bg_nbd.expected_purchases(parameters, frequency, recency, age, horizon),
            theirs.conditional_expected_number_of_purchases_up_to_time(horizon, frequency, recency, age),
            rtol=1e-7,
        )
    assert bg_nbd.expected_purchases_of_newcomer(parameters, 39.0) == pytest.approx(
        theirs.expected_number_of_purchases_up_to_time(39.0), rel=1e-7
    )


@pytest.mark.parametrize(
    "values", [(0.25, 4.4, 0.8, 2.4), (3.0, 0.5, 0.01, 0.02), (900.0, 5000.0, 70.0, 2.0)]
)
def test_gradient_is_that_of_the_likelihood(values: tuple[float, ...]) -> None:
    frequency, recency, age, ones = made_up(300)
    objective = bg_nbd._objective(frequency, recency, age, ones)
    _, gradient = objective(np.array(values))
    for place, value in enumerate(values):
        step = np.zeros(4)
        step[place] = 1e-5 * value
        slope = (objective(values + step)[0] - objective(values - step)[0]) / (2e-5 * value)
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-5 / value)


def test_likelihood_is_that_of_the_paper() -> None:
    """Equation (6), written down as it stands, for a customer of each kind."""
    r, alpha, a, b = PLANTED.values()

    def beta(first: float, second: float) -> float:
        return float(np.exp(betaln(first, second)))

    def likelihood(x: int, recency: float, age: float) -> float:
        rising = np.prod(r + np.arange(x)) * alpha**r
        value = beta(a, b + x) / beta(a, b) * rising / (alpha + age) ** (r + x)
        if x > 0:
            value += beta(a + 1, b + x - 1) / beta(a, b) * rising / (alpha + recency) ** (r + x)
        return value

    rows = [(0, 0.0, 30.0), (1, 5.0, 30.0), (2, 30.43, 38.86), (7, 12.0, 12.0)]
    expected = sum(count * np.log(likelihood(*row)) for count, row in zip((5, 3, 2, 1), rows, strict=True))
    found = bg_nbd.log_likelihood(PLANTED, *zip(*rows, strict=True), (5, 3, 2, 1))
    assert found == pytest.approx(expected, rel=1e-12)


def simulate_paths(size: int, age: float, horizon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequency and recency at `age`, and purchases in the horizon after it; not by the code under test."""
    generator = np.random.default_rng(11)
    rate = generator.gamma(PLANTED["r"], 1 / PLANTED["alpha"], size)
    lives = generator.geometric(np.maximum(generator.beta(PLANTED["a"], PLANTED["b"], size), 1e-9))
    times = np.cumsum(generator.exponential(1.0, (size, 150)), axis=1) / np.maximum(rate, 1e-12)[:, None]
    times[np.arange(1, 151) > lives[:, None]] = np.inf
    assert (times[:, -1] > age + horizon).all()
    seen = times <= age
    recency = np.where(seen, times, 0.0).max(axis=1)
    return seen.sum(axis=1).astype(float), recency, ((times > age) & (times <= age + horizon)).sum(axis=1)


@pytest.mark.slow
def test_expected_purchases_are_those_of_the_process() -> None:
    age, horizon = 30.0, 40.0
    frequency, recency, bought = simulate_paths(60_000, age, horizon)
    ages = np.full(len(bought), age)
    expected = bg_nbd.expected_purchases(PLANTED, frequency, recency, ages, horizon)
    groups = np.minimum(frequency, 4) * 3 + np.searchsorted([10, 22], recency)
    checked = 0
    for group in np.unique(groups):
        members = groups == group
        if members.sum() < 100:
            continue
        difference = bought[members] - expected[members]
        z = difference.mean() / (difference.std() / np.sqrt(members.sum()))
        assert abs(z) < 4.5, (group, z)
        checked += 1
    assert checked >= 10
    new = bg_nbd.expected_purchases_of_newcomer(PLANTED, age)
    assert frequency.mean() == pytest.approx(new, abs=4.5 * frequency.std() / np.sqrt(len(frequency)))


def test_simulation_is_the_process() -> None:
    """The generator of the tests and the benchmark against paths drawn another way: counts and recencies."""
    age = 30.0
    frequency, recency, _ = simulate_paths(60_000, age, 1.0)
    mine, my_recency = bg_nbd.simulate(PLANTED, np.full(60_000, age), np.random.default_rng(12))
    for count in range(6):
        share = (frequency == count).mean()
        error = np.sqrt(2 * share * (1 - share) / 60_000)
        assert (mine == count).mean() == pytest.approx(share, abs=4.5 * error)
    of_all, of_mine = recency[frequency > 0], my_recency[mine > 0]
    assert of_mine.mean() == pytest.approx(of_all.mean(), abs=4.5 * 2 * of_all.std() / np.sqrt(len(of_all)))
    assert (my_recency[mine == 0] == 0).all()
    assert (my_recency <= age).all()


def test_simulation_on_a_grid_counts_days() -> None:
    frequency, recency, age, _ = made_up(3_000, r=5.0, alpha=0.5)
    days = recency * 7
    np.testing.assert_allclose(days, np.round(days), atol=1e-9)
    assert (frequency <= np.round(days)).all()
    assert (recency <= age).all()
    assert ((recency == 0) == (frequency == 0)).all()


def by_brute_force(p: dict[str, float], x: float, age: float, horizon: float) -> float:
    """Purchases of a customer alive, by the trapezoid rule over the logit of the probability of leaving."""
    a, b = p["a"], p["b"] + x
    logit = np.linspace(-40 / min(a, 1) - 20, 40 / min(b, 1) + 5, 20_001)
    log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    leaves = np.maximum(np.exp(log_p), 1e-250)
    purchases = -np.expm1(-(p["r"] + x) * np.log1p(leaves * horizon / (p["alpha"] + age))) / leaves
    density = np.exp(a * log_p + b * log_q - betaln(a, b))
    return float((density * purchases).sum() * (logit[1] - logit[0]))


@pytest.mark.slow
def test_expected_purchases_hold_where_the_textbook_formula_fails() -> None:
    """Whole ranges of parameters, frequent buyers, long horizons, a at 1: against brute force."""
    for r, alpha, a, b in product((0.05, 4.0), (2.0, 40.0), (0.1, 1.0, 1.0 + 1e-9, 60.0), (0.3, 9_000.0)):
        p = {"r": r, "alpha": alpha, "a": a, "b": b}
        for x, age, horizon in ((0, 0, 520), (1, 1, 52), (60, 60, 260), (3_000, 400, 520)):
            found = bg_nbd.expected_purchases(p, [x], [age if x else 0], [age], horizon)[0]
            alive = bg_nbd.probability_alive(p, [x], [age if x else 0], [age])[0]
            assert found == pytest.approx(alive * by_brute_force(p, x, age, horizon), rel=1e-7), (p, x)


def test_discounted_purchases_near_those_of_finer_steps() -> None:
    frequency, recency, age, _ = made_up(300)
    arguments = (PLANTED, frequency, recency, age, 104.0, 0.15, 365.25 / 7)
    monthly = bg_nbd.discounted_expected_purchases(*arguments)
    daily = bg_nbd.discounted_expected_purchases(*arguments, steps_per_year=365)
    # The docstring's promise.
    np.testing.assert_allclose(monthly, daily, rtol=2e-4)
    expected = bg_nbd.expected_purchases(PLANTED, frequency, recency, age, 104.0)
    assert (monthly < expected).all()
    assert (monthly > expected * 1.15**-2).all()
    undiscounted = bg_nbd.discounted_expected_purchases(PLANTED, frequency, recency, age, 104.0, 0.0, 52.18)
    np.testing.assert_allclose(undiscounted, expected, rtol=1e-12)


POSITIVE = st.floats(0.01, 50.0)
PARAMETERS = st.fixed_dictionaries({"r": POSITIVE, "alpha": POSITIVE, "a": POSITIVE, "b": POSITIVE})
WEEKS = st.floats(0.0, 300.0)


@settings(max_examples=60, deadline=None)
@given(PARAMETERS, st.integers(0, 200), WEEKS, WEEKS, WEEKS, st.floats(0.1, 300.0), st.floats(0.01, 100.0))
def test_properties_of_scores(
    parameters: dict[str, float],
    x: int,
    recency: float,
    silence: float,
    more: float,
    horizon: float,
    unit: float,
) -> None:
    recency = recency if x else 0.0
    age = recency + silence
    alive = bg_nbd.probability_alive(parameters, [x], [recency], [age])[0]
    assert 0 <= alive <= 1
    assert x > 0 or alive == 1
    # Longer silence, less alive.
    assert bg_nbd.probability_alive(parameters, [x], [recency], [age + more])[0] <= alive * (1 + 1e-12)
    soon, later = (
        bg_nbd.expected_purchases(parameters, [x], [recency], [age], length)[0]
        for length in (horizon, horizon + more)
    )
    # Never more than at the expected rate without leaving, and never fewer for a longer time.
    rate = (parameters["r"] + x) / (parameters["alpha"] + age)
    assert 0 <= soon <= alive * rate * horizon * (1 + 1e-9)
    assert soon <= later * (1 + 1e-9)
    # In another unit of time nothing changes.
    scaled = parameters | {"alpha": parameters["alpha"] * unit}
    again = bg_nbd.expected_purchases(scaled, [x], [recency * unit], [age * unit], horizon * unit)[0]
    assert again == pytest.approx(soon, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("unit", [7.0, 1e-6])
def test_unit_of_time_does_not_matter(unit: float) -> None:
    frequency, recency, age, ones = made_up(1_000)
    fit = bg_nbd.fit(frequency, recency, age, ones)
    other = bg_nbd.fit(frequency, recency * unit, age * unit, ones)
    for name, factor in (("r", 1.0), ("alpha", unit), ("a", 1.0), ("b", 1.0)):
        assert other.parameters[name] == pytest.approx(fit.parameters[name] * factor, rel=1e-9)
        assert other.standard_errors[name] == pytest.approx(fit.standard_errors[name] * factor, rel=1e-4)
    assert fit.log_likelihood is not None
    assert other.log_likelihood == pytest.approx(
        fit.log_likelihood - frequency.sum() * np.log(unit), abs=1e-6
    )


@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_splitting_of_cells_do_not_matter(random: object, copies: int) -> None:
    columns = made_up(200)
    cells, counts = distinct_cells(columns[:3], columns[3])
    fit = bg_nbd.fit(*cells, counts * copies)
    rows = list(zip(*columns, strict=True)) * copies
    random.shuffle(rows)
    assert bg_nbd.fit(*zip(*rows, strict=True)) == fit


def test_the_report_of_a_fit() -> None:
    frequency, recency, age, ones = made_up(2_000)
    fit = bg_nbd.fit(frequency, recency, age, ones)
    assert (fit.model, fit.is_fitted, fit.is_converged, fit.reason) == ("bg_nbd", True, True, None)
    assert fit.bounded_parameters == ()
    assert fit.customers == 2_000
    assert fit.cells == len(set(zip(frequency, recency, age, strict=True))) < 2_000
    assert fit.log_likelihood == pytest.approx(
        bg_nbd.log_likelihood(fit.parameters, frequency, recency, age, ones), abs=1e-6
    )
    low, high = fit.interval("r") or (0, 0)
    assert low < fit.parameters["r"] < high
    wider = fit.interval("r", level=0.99) or (0, 0)
    assert wider[0] < low
    assert wider[1] > high


# Bad cases: each ends in a Fit that says why, without a crash or a warning.


def assert_no_fit(fit: Fit, words: str) -> None:
    assert not fit.is_fitted
    assert not fit.is_converged
    assert fit.parameters == {} == fit.standard_errors
    assert fit.log_likelihood is None
    assert words in (fit.reason or "")


def assert_sane(fit: Fit, **bounded: str) -> None:
    """A fit at the bounds named, each with words; all its predictions within reason."""
    assert fit.is_fitted
    assert fit.is_converged
    assert set(fit.bounded_parameters) == set(bounded)
    for name, words in bounded.items():
        assert fit.standard_errors[name] is None
        assert words in (fit.reason or "")
    ages = np.full(4, 30.0)
    x, recency = np.array([0.0, 1.0, 5.0, 200.0]), np.array([0.0, 10.0, 25.0, 29.0])
    expected = bg_nbd.expected_purchases(fit.parameters, x, recency, ages, 52.0)
    rate = (fit.parameters["r"] + x) / (fit.parameters["alpha"] + ages)
    assert ((expected >= 0) & (expected <= 52 * rate * (1 + 1e-9))).all()


def test_no_rows() -> None:
    assert_no_fit(bg_nbd.fit([], [], [], []), "no customers")
    assert_no_fit(bg_nbd.fit([1.0], [2.0], [3.0], [0.0]), "no customers")


def test_one_customer() -> None:
    assert_no_fit(bg_nbd.fit([3], [5], [10], [1]), "Too few customers (1)")


def test_customers_all_alike() -> None:
    assert_sane(
        bg_nbd.fit([3], [5], [10], [500]), r="all buy equally often", b="all leave with the same probability"
    )


def test_no_repeaters() -> None:
    _, _, age, ones = made_up(500)
    assert_no_fit(bg_nbd.fit(0 * age, 0 * age, age, ones), "Nobody has bought again")


def test_everybody_repeats() -> None:
    frequency, recency, age, ones = made_up(3_000)
    again = frequency > 0
    assert_sane(bg_nbd.fit(frequency[again], recency[again], age[again], ones[again]))


def test_nobody_leaves() -> None:
    frequency, recency, age, ones = made_up(1_000, seed=2, r=0.5, a=1e-9)
    fit = bg_nbd.fit(frequency, recency, age, ones)
    assert_sane(fit, a="nobody is seen to leave", b="nobody is seen to leave")
    assert (bg_nbd.probability_alive(fit.parameters, frequency, recency, age) > 0.999).all()


def test_all_leave_with_the_same_probability() -> None:
    fit = bg_nbd.fit(*made_up(1_500, seed=4, a=1e6, b=4e6))
    assert_sane(fit, b="all leave with the same probability (20")


def test_customers_leave_at_once_or_never() -> None:
    fit = bg_nbd.fit([0, 1, 9, 10], [0, 2, 39, 38], [40, 40, 40, 40], [500, 100, 100, 100])
    assert_sane(fit, a="customers leave with their first repeat purchase (29")


def test_all_on_the_last_day() -> None:
    assert_no_fit(bg_nbd.fit([0], [0], [0], [800]), "no time to buy again")


def test_missing_and_negative_numbers_are_left_out() -> None:
    frequency, recency, age, ones = made_up(800)
    bad = ([np.nan, 1, 2, -1], [1, np.nan, 1, 0], [5, 5, np.nan, 5])
    columns = [np.append(good, extra) for good, extra in zip((frequency, recency, age), bad, strict=True)]
    fit = bg_nbd.fit(*columns, np.append(ones, [1, 2, 3, 4]))
    assert fit.reason is not None
    assert fit.reason.startswith("10 customers left out")
    assert fit.parameters == bg_nbd.fit(frequency, recency, age, ones).parameters
    assert_no_fit(bg_nbd.fit([np.nan], [1], [5], [3]), "3 customers left out")
    scores = bg_nbd.expected_purchases(PLANTED, [np.nan, 1, -1], [1, 1, 0], [5, np.nan, 5], 52)
    assert np.isnan(scores).all()
    assert np.isnan(bg_nbd.probability_alive(PLANTED, [np.nan, 1, -1], [1, 1, 0], [5, np.nan, 5])).all()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ((1, 6, 5), "recency is greater than age in 1 rows, first in row 1: frequency 1, recency 6, age 5"),
        ((0, 2, 5), "recency is greater than 0 without a repeat purchase"),
        ((1.5, 2, 5), "frequency is not a whole number"),
        ((1e9, 2, 5), "frequency is not a whole number up to 100,000"),
    ],
)
def test_cells_no_customer_can_have_are_the_callers_defect(cell: tuple[float, ...], words: str) -> None:
    columns = [[good, bad] for good, bad in zip((1, 2, 5), cell, strict=True)]
    with pytest.raises(ValueError, match=words):
        bg_nbd.fit(*columns, [1, 1])
    with pytest.raises(ValueError, match=words):
        bg_nbd.probability_alive(PLANTED, *columns)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="columns of one length"):
        bg_nbd.fit([1, 2], [1], [3, 3], [1, 1])
    with pytest.raises(ValueError, match="customers must be whole numbers"):
        bg_nbd.fit([1], [1], [3], [-1])
    with pytest.raises(ValueError, match="parameter b"):
        bg_nbd.probability_alive({"r": 1, "alpha": 1, "a": 1}, [1], [1], [3])
    for horizon in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="horizon"):
            bg_nbd.expected_purchases(PLANTED, [1], [1], [3], horizon)
    with pytest.raises(ValueError, match="annual_discount_rate"):
        bg_nbd.discounted_expected_purchases(PLANTED, [1], [1], [3], 52, -1.0, 52)
    with pytest.raises(ValueError, match="units_per_year"):
        bg_nbd.discounted_expected_purchases(PLANTED, [1], [1], [3], 52, 0.1, 0)
    assert bg_nbd.expected_purchases(PLANTED, [1], [1], [3], 0.0)[0] == 0


def test_ten_outliers_among_a_thousand() -> None:
    frequency, recency, age, ones = made_up(1_000)
    frequency[:10], recency[:10] = 5_000, age[:10]
    assert_sane(bg_nbd.fit(frequency, recency, age, ones))


@pytest.mark.parametrize("seed", range(3))
def test_three_weeks_of_history(seed: int) -> None:
    """Little is told; whatever comes is converged, and its predictions within reason."""
    fit = bg_nbd.fit(*made_up(1_000, seed=seed, weeks=3.0))
    reasons = {"a": "leave", "b": "leave"}
    assert_sane(fit, **{name: reasons[name] for name in fit.bounded_parameters})


@pytest.mark.parametrize("size", [4, 8, 30])
def test_few_customers(size: int) -> None:
    for seed in range(3, 6):
        fit = bg_nbd.fit(*made_up(size, seed=seed))
        if fit.is_fitted:
            assert_sane(fit, **dict.fromkeys(fit.bounded_parameters, ""))
        else:
            assert_no_fit(fit, "Nobody has bought again")
