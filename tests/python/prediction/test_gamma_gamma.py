"""Gamma-Gamma: published results, the package lifetimes, the process itself, and every kind of bad data."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifetimes import GammaGammaFitter
from lifetimes.datasets import load_cdnow_summary_data_with_monetary_value
from scipy.special import gammaln

from scripts.prediction import gamma_gamma
from scripts.prediction.fitting import Fit

pytestmark = pytest.mark.filterwarnings("error")

PLANTED = {"p": 6.25, "q": 3.75, "v": 15.5}


def made_up(size: int, seed: int = 1, **changed: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequency, mean value and ones for customers of the planted model, some of it changed."""
    generator = np.random.default_rng(seed)
    frequency = 1.0 + generator.poisson(2.0, size)
    return frequency, gamma_gamma.simulate(PLANTED | changed, frequency, generator), np.ones(size)


def test_cdnow_sample_gives_the_published_results(shared: Path) -> None:
    summary = load_cdnow_summary_data_with_monetary_value()
    fit = gamma_gamma.fit(summary["frequency"], summary["monetary_value"], np.ones(len(summary)))
    found = {
        "repeat_customers": fit.customers,
        **{f"gamma_gamma_{name}": value for name, value in fit.parameters.items()},
        "gamma_gamma_log_likelihood": fit.log_likelihood,
    }
    with (shared / "oracles" / "published.csv").open(encoding="utf-8", newline="") as file:
        published = [row for row in csv.DictReader(file) if row["oracle"] == "cdnow_sample"]
    compared = 0
    for row in published:
        if row["quantity"] in found:
            assert abs(found[row["quantity"]] - float(row["value"])) <= float(row["tolerance"]), row
            compared += 1
    assert compared == len(found)
    assert fit.reason == "1,411 customers left out: no purchase to take the mean of."


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("changed", [{}, {"p": 1.2, "q": 2.5}, {"p": 20.0, "v": 2.0}])
def test_lifetimes_agrees_on_generated_customers(changed: dict[str, float]) -> None:
    frequency, mean_value, ones = made_up(2_000, seed=3, **changed)
    fit = gamma_gamma.fit(frequency, mean_value, ones)
    theirs = GammaGammaFitter().fit(frequency, mean_value)
    parameters = {name: float(value) for name, value in theirs.params_.items()}
    for name, value in parameters.items():
        assert fit.parameters[name] == pytest.approx(value, rel=2e-2)
        assert fit.standard_errors[name] == pytest.approx(theirs.standard_errors_[name], rel=5e-2)
    assert fit.log_likelihood is not None
    their_likelihood = gamma_gamma.log_likelihood(parameters, frequency, mean_value, ones)
    assert their_likelihood - 1e-6 <= fit.log_likelihood <= their_likelihood + 0.01
    np.testing.assert_allclose(
        gamma_gamma.expected_value(parameters, frequency, mean_value),
        theirs.conditional_expected_average_profit(frequency, mean_value),
        rtol=1e-9,
    )


def test_likelihood_is_that_of_the_note() -> None:
    """Equation (1a), written down as it stands."""
    p, q, v = PLANTED.values()
    rows = [(1, 12.5), (4, 30.0), (9, 0.5)]

    def log_density(x: int, mean: float) -> float:
        value = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        value += (p * x - 1) * np.log(mean) + p * x * np.log(x)
        return value - (p * x + q) * np.log(v + mean * x)

    expected = sum(count * log_density(*row) for count, row in zip((3, 2, 1), rows, strict=True))
    found = gamma_gamma.log_likelihood(PLANTED, *zip(*rows, strict=True), (3, 2, 1))
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("values", [(6.25, 3.75, 15.5), (0.01, 0.02, 300.0), (700.0, 900.0, 0.2)])
def test_gradient_is_that_of_the_likelihood(values: tuple[float, ...]) -> None:
    objective = gamma_gamma._objective(*made_up(300))
    _, gradient = objective(np.array(values))
    for place, value in enumerate(values):
        step = np.zeros(3)
        step[place] = 1e-5 * value
        slope = (objective(values + step)[0] - objective(values - step)[0]) / (2e-5 * value)
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-4 / value)


def test_expected_value_is_that_of_the_process() -> None:
    """The next purchase of customers with a mean like theirs, drawn another way than by `simulate`."""
    generator = np.random.default_rng(5)
    size = 200_000
    rate = generator.gamma(PLANTED["q"], 1 / PLANTED["v"], size)
    values = generator.gamma(PLANTED["p"], 1.0, (size, 4)) / rate[:, None]
    for frequency in (0, 1, 3):
        mean = values[:, :frequency].mean(axis=1) if frequency else np.full(size, np.nan)
        following = values[:, 3]
        expected = gamma_gamma.expected_value(PLANTED, np.full(size, frequency), mean)
        for low, high in ((0.0, 15.0), (15.0, 30.0), (30.0, 60.0), (60.0, np.inf)):
            members = (mean >= low) & (mean < high) if frequency else np.full(size, True)
            difference = following[members] - expected[members]
            z = difference.mean() / (difference.std() / np.sqrt(members.sum()))
            assert abs(z) < 4.5, (frequency, low, z)


def test_simulation_is_the_process() -> None:
    generator = np.random.default_rng(6)
    frequency = np.repeat([0.0, 1.0, 5.0], 40_000)
    mean = gamma_gamma.simulate(PLANTED, frequency, generator)
    assert np.isnan(mean[frequency == 0]).all()
    p, q, v = PLANTED.values()
    population = p * v / (q - 1)
    for x in (1.0, 5.0):
        drawn = mean[frequency == x]
        assert drawn.mean() == pytest.approx(population, abs=4.5 * drawn.std() / 200)
        # Variance between customers plus that within, over x purchases; both moments of inverse gammas.
        between = population**2 / (q - 2)
        within = p * v**2 / ((q - 1) * (q - 2)) / x
        assert drawn.var() == pytest.approx(between + within, rel=0.15)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.01, 100.0),
    st.floats(1.01, 100.0),
    st.floats(0.01, 1e6),
    st.integers(1, 500),
    st.floats(0.01, 1e6),
)
def test_expected_value_lies_between_own_and_population_mean(
    p: float, q: float, v: float, x: int, mean: float
) -> None:
    parameters = {"p": p, "q": q, "v": v}
    population = gamma_gamma.expected_value(parameters, [0], [np.nan])[0]
    assert population == pytest.approx(p * v / (q - 1))
    expected = gamma_gamma.expected_value(parameters, [x], [mean])[0]
    assert min(population, mean) * (1 - 1e-9) <= expected <= max(population, mean) * (1 + 1e-9)
    # In cents it is the same money.
    scaled = gamma_gamma.expected_value(parameters | {"v": 100 * v}, [x], [100 * mean])[0]
    assert scaled == pytest.approx(100 * expected, rel=1e-12)


@pytest.mark.parametrize("unit", [100.0, 1e-9])
def test_unit_of_money_does_not_matter(unit: float) -> None:
    frequency, mean_value, ones = made_up(1_000)
    fit = gamma_gamma.fit(frequency, mean_value, ones)
    other = gamma_gamma.fit(frequency, mean_value * unit, ones)
    for name, factor in (("p", 1.0), ("q", 1.0), ("v", unit)):
        assert other.parameters[name] == pytest.approx(fit.parameters[name] * factor, rel=1e-9)
        assert other.standard_errors[name] == pytest.approx(fit.standard_errors[name] * factor, rel=1e-4)
    assert fit.log_likelihood is not None
    assert other.log_likelihood == pytest.approx(fit.log_likelihood - 1_000 * np.log(unit), abs=1e-5)


@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_splitting_of_cells_do_not_matter(random: object, copies: int) -> None:
    frequency, mean_value, ones = made_up(200)
    fit = gamma_gamma.fit(frequency, mean_value, ones * copies)
    rows = list(zip(frequency, mean_value, ones, strict=True)) * copies
    random.shuffle(rows)
    assert gamma_gamma.fit(*zip(*rows, strict=True)) == fit


# Bad cases: each ends in a Fit that says why, without a crash or a warning.


def assert_no_fit(fit: Fit, words: str) -> None:
    assert not fit.is_fitted
    assert fit.parameters == {} == fit.standard_errors
    assert fit.log_likelihood is None
    assert words in (fit.reason or "")


def assert_bounded(fit: Fit, **bounded: str) -> None:
    assert fit.is_fitted
    assert fit.is_converged
    assert set(fit.bounded_parameters) == set(bounded)
    for name, words in bounded.items():
        assert fit.standard_errors[name] is None
        assert words in (fit.reason or "")


def test_no_rows() -> None:
    assert_no_fit(gamma_gamma.fit([], [], []), "no customers with a mean value")


def test_one_customer() -> None:
    assert_no_fit(gamma_gamma.fit([3], [20.0], [1]), "Too few customers (1)")


def test_nobody_has_a_mean_value() -> None:
    fit = gamma_gamma.fit([0, 0], [np.nan, 0], [5, 6])
    assert_no_fit(fit, "11 customers left out: no purchase to take the mean of.")


def test_values_that_are_missing_zero_or_negative_are_left_out() -> None:
    frequency, mean_value, ones = made_up(500)
    fit = gamma_gamma.fit(
        np.append(frequency, [0, 2, 2, 2, np.nan, 2, -1]),
        np.append(mean_value, [50.0, 0.0, -5.0, np.nan, 5.0, np.inf, 5.0]),
        np.append(ones, [1, 2, 3, 4, 5, 6, 7]),
    )
    assert fit.parameters == gamma_gamma.fit(frequency, mean_value, ones).parameters
    assert fit.reason == (
        "1 customers left out: no purchase to take the mean of. "
        "5 customers left out: mean value zero or negative. "
        "22 customers left out: frequency or mean value missing or negative."
    )


def test_all_values_equal() -> None:
    frequency, _, ones = made_up(800)
    fit = gamma_gamma.fit(frequency, np.full(800, 29.99), ones)
    assert_bounded(
        fit,
        p="the purchases of one customer all have the same value",
        q="customers do not differ in what their purchases are worth",
    )
    expected = gamma_gamma.expected_value(fit.parameters, [0, 1, 9], [0, 29.99, 29.99])
    np.testing.assert_allclose(expected, 29.99, rtol=2e-4)


def test_one_purchase_each() -> None:
    generator = np.random.default_rng(3)
    ones = np.ones(2_000)
    fit = gamma_gamma.fit(ones, gamma_gamma.simulate(PLANTED, ones, generator), ones)
    assert fit.is_fitted
    assert (fit.reason or "").startswith("Nobody has two purchases")


def test_customers_do_not_differ() -> None:
    generator = np.random.default_rng(2)
    frequency, _, ones = made_up(800)
    values = generator.gamma(2 * frequency) / frequency
    assert_bounded(gamma_gamma.fit(frequency, values, ones), q="customers do not differ")


@pytest.mark.parametrize("changed", [{}, {"q": 1e6, "v": 5e6}, {"p": 1e6, "v": 1e-4}])
def test_every_sample_ends_in_a_maximum(changed: dict[str, float]) -> None:
    """Of an ordinary model, and of the limits where the likelihood flattens out instead of turning."""
    for seed in range(8):
        fit = gamma_gamma.fit(*made_up(300, seed=seed, **changed))
        assert fit.is_fitted, fit.reason
        assert set(fit.bounded_parameters) <= set(changed) - {"v"}


def test_ten_outliers_among_a_thousand() -> None:
    frequency, mean_value, ones = made_up(1_000)
    mean_value[:10] = 1e7
    fit = gamma_gamma.fit(frequency, mean_value, ones)
    assert fit.is_fitted
    expected = gamma_gamma.expected_value(fit.parameters, frequency, mean_value)
    assert ((expected > 0) & (expected <= 1e7)).all()


def test_population_mean_that_does_not_exist_is_missing() -> None:
    parameters = {"p": 2.0, "q": 0.8, "v": 5.0}
    expected = gamma_gamma.expected_value(parameters, [0, 0, 1], [np.nan, 10.0, 10.0])
    assert np.isnan(expected[:2]).all()
    assert expected[2] == pytest.approx(2 * 15 / 1.8)
    # Not even with one purchase.
    assert np.isnan(gamma_gamma.expected_value({"p": 0.1, "q": 0.8, "v": 5.0}, [1], [10.0])[0])


def test_scores_of_missing_numbers_are_missing() -> None:
    scores = gamma_gamma.expected_value(PLANTED, [np.nan, 2, -1, 2], [5, np.nan, 5, -3])
    assert np.isnan(scores).all()


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="columns of one length"):
        gamma_gamma.fit([1, 2], [1.0], [1, 1])
    with pytest.raises(ValueError, match="customers must be whole numbers"):
        gamma_gamma.fit([1], [1.0], [0.5])
    with pytest.raises(ValueError, match="parameter q"):
        gamma_gamma.expected_value({"p": 1.0, "q": -1.0, "v": 1.0}, [1], [1.0])
