"""Shifted-beta-geometric: published results, brute force, the process itself, and every kind of bad data."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import beta as beta_function

from scripts.prediction import sbg
from scripts.prediction.fitting import Fit

pytestmark = pytest.mark.filterwarnings("error")

PLANTED = {"alpha": 0.67, "beta": 3.8}

# Customers of 1,000 still there after 0, 1, … 7 years; Fader and Hardie (2007), table 1.
SEGMENTS = {
    "high_end": [1000, 869, 743, 653, 593, 551, 517, 491],
    "regular": [1000, 631, 468, 382, 326, 289, 262, 241],
}


def cells_of(still_there: list[int]) -> tuple[list[int], list[bool], list[int]]:
    """Renewals, whether ended, and customers: those lost in each year, and those there at the end."""
    lost = [before - after for before, after in pairwise(still_there)]
    years = len(lost)
    return [*range(years), years], [True] * years + [False], [*lost, still_there[-1]]


def made_up(size: int, seed: int = 1, opportunities: int = 7, **changed: float) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    most = generator.integers(1, opportunities + 1, size)
    return (*sbg.simulate(PLANTED | changed, most, generator), np.ones(size))


@pytest.mark.parametrize("segment", SEGMENTS)
def test_published_results(segment: str, shared: Path) -> None:
    fit = sbg.fit(*cells_of(SEGMENTS[segment]))
    p = fit.parameters
    found = {
        **p,
        "log_likelihood": fit.log_likelihood,
        "survival_year_8": sbg.survival(p, [8])[0],
        "survival_year_12": sbg.survival(p, [12])[0],
        "derl_10pct_after_7_renewals": sbg.discounted_expected_residual_lifetime(p, [7], 0.1)[0],
    }
    with (shared / "oracles" / "published.csv").open(encoding="utf-8", newline="") as file:
        published = [row for row in csv.DictReader(file) if row["oracle"] == f"sbg_{segment}"]
    assert len(published) >= 3
    for row in published:
        assert abs(found[row["quantity"]] - float(row["value"])) <= float(row["tolerance"]), row
    assert (fit.customers, fit.cells, fit.reason, fit.bounded_parameters) == (1000, 8, None, ())


def test_likelihood_is_that_of_the_paper() -> None:
    """P(T = t) = B(alpha + 1, beta + t - 1) / B(alpha, beta), S(t) = B(alpha, beta + t) / B(alpha, beta)."""
    fit = sbg.fit(*cells_of(SEGMENTS["regular"]))
    alpha, beta = fit.parameters.values()
    total = beta_function(alpha, beta)
    expected = 0.0
    for renewals, is_ended, customers in zip(*cells_of(SEGMENTS["regular"]), strict=True):
        first, second = (alpha + 1, beta + renewals) if is_ended else (alpha, beta + renewals)
        expected += customers * np.log(beta_function(first, second) / total)
    assert fit.log_likelihood == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("values", [(0.67, 3.8), (0.001, 0.002), (5_000.0, 9_000.0)])
def test_gradient_is_that_of_the_likelihood(values: tuple[float, ...]) -> None:
    objective = sbg._objective(np.array([700.0, 500.0, 300.0, 0.0]), np.array([300.0, 150.0, 90.0, 40.0]))
    _, gradient = objective(np.array(values))
    for place, value in enumerate(values):
        step = np.zeros(2)
        step[place] = 1e-5 * value
        slope = (objective(values + step)[0] - objective(values - step)[0]) / (2e-5 * value)
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-4 / value)


@pytest.mark.slow
def test_scores_against_brute_force() -> None:
    """Sums of survival over fifty thousand periods, for parameters from nearly none to very many."""
    for alpha in (0.001, 0.67, 1.0, 40.0):
        for beta in (0.001, 3.8, 9_000.0):
            p = {"alpha": alpha, "beta": beta}
            for renewals in (0, 1, 7, 60):
                steps = np.arange(50_000)
                kept = (beta + renewals + steps) / (alpha + beta + renewals + steps)
                still = np.cumprod(kept)
                assert sbg.retention_rate(p, [renewals + 1])[0] == pytest.approx(kept[0], rel=1e-12)
                ratio = sbg.survival(p, [renewals + 5])[0] / sbg.survival(p, [renewals])[0]
                assert ratio == pytest.approx(still[4], rel=1e-9)
                assert sbg.expected_renewals(p, [renewals], 30)[0] == pytest.approx(
                    still[:30].sum(), rel=1e-12
                )
                for discount in (0.002, 0.1, 3.0):
                    lifetime = sbg.discounted_expected_residual_lifetime(p, [renewals], discount)[0]
                    expected = (still * (1 + discount) ** -steps.astype(float)).sum()
                    assert lifetime == pytest.approx(expected, rel=1e-9), (p, renewals, discount)


def test_lifetime_without_discount() -> None:
    p = {"alpha": 4.0, "beta": 2.0}
    steps = np.arange(200_000)
    still = np.cumprod((2.0 + 3 + steps) / (6.0 + 3 + steps))
    assert sbg.discounted_expected_residual_lifetime(p, [3], 0.0)[0] == pytest.approx(still.sum(), rel=1e-9)
    # So many stay for good that the sum has no end.
    assert np.isnan(sbg.discounted_expected_residual_lifetime(PLANTED, [3], 0.0)[0])


def test_simulation_is_the_process() -> None:
    """Renewals drawn one opportunity after the other, against those of the generator and of `survival`."""
    generator = np.random.default_rng(4)
    size = 40_000
    leaves = generator.beta(PLANTED["alpha"], PLANTED["beta"], size)
    renewals, there = np.zeros(size), np.full(size, True)
    for _ in range(7):
        there &= generator.random(size) >= leaves
        renewals += there
    mine, is_ended = sbg.simulate(PLANTED, np.full(size, 7), np.random.default_rng(5))
    assert (is_ended == (mine < 7)).all()
    for count in range(8):
        share = (renewals == count).mean()
        error = np.sqrt(2 * share * (1 - share) / size)
        assert (mine == count).mean() == pytest.approx(share, abs=4.5 * error)
    assert there.mean() == pytest.approx(sbg.survival(PLANTED, [7])[0], abs=4.5 * 0.5 / np.sqrt(size))


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.01, 1e3), st.floats(0.01, 1e3), st.integers(0, 300), st.integers(1, 60), st.floats(0.001, 2.0)
)
def test_properties_of_scores(
    alpha: float, beta: float, renewals: int, periods: int, discount: float
) -> None:
    p = {"alpha": alpha, "beta": beta}
    survival = sbg.survival(p, np.arange(20))
    assert survival[0] == pytest.approx(1)
    assert (np.diff(survival) <= 1e-12).all()
    # Who has renewed more often is likelier to renew again, and worth more.
    rates = sbg.retention_rate(p, np.arange(1, 20))
    assert ((rates > 0) & (rates < 1) & (np.diff(rates, prepend=0) > 0)).all()
    expected = sbg.expected_renewals(p, [renewals, renewals, renewals + 1], periods)
    assert 0 < expected[0] == expected[1] < expected[2] <= periods
    assert expected[0] <= sbg.expected_renewals(p, [renewals], periods + 1)[0]
    lifetime, longer = sbg.discounted_expected_residual_lifetime(p, [renewals, renewals + 1], discount)
    assert 0 < lifetime <= longer * (1 + 1e-9)
    assert longer <= (1 + discount) / discount * (1 + 1e-9)


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_order_and_splitting_of_cells_do_not_matter(random: object, copies: int) -> None:
    renewals, is_ended, ones = made_up(300)
    fit = sbg.fit(renewals, is_ended, ones * copies)
    rows = list(zip(renewals, is_ended, ones, strict=True)) * copies
    random.shuffle(rows)
    assert sbg.fit(*zip(*rows, strict=True)) == fit


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
    lifetime = sbg.discounted_expected_residual_lifetime(fit.parameters, [0, 5], 0.1)
    assert ((lifetime > 0) & (lifetime <= 11 + 1e-9)).all()


def test_no_rows() -> None:
    assert_no_fit(sbg.fit([], [], []), "no customers")


def test_one_customer() -> None:
    assert_no_fit(sbg.fit([2], [True], [1]), "Too few customers (1)")


def test_nobody_has_come_to_a_renewal() -> None:
    assert_no_fit(sbg.fit([0], [False], [100]), "Nobody has come to a renewal yet")


def test_none_ended() -> None:
    assert_no_fit(sbg.fit([5, 3], [False, False], [100, 10]), "Nobody has ended yet")


def test_one_period_only() -> None:
    assert_no_fit(sbg.fit([0, 1], [True, False], [30, 70]), "Only the first renewal has been seen")
    assert_no_fit(sbg.fit([0], [True], [30]), "Only the first renewal has been seen")


def test_all_ended() -> None:
    fit = sbg.fit([0, 1, 2, 5], [True] * 4, [100, 30, 15, 12])
    assert fit.is_fitted
    assert fit.bounded_parameters == ()
    # Churn rising with tenure is what the model cannot tell: the nearest it has is the same for all.
    rising = sbg.fit([0, 1, 2, 3], [True] * 4, [10, 20, 40, 80])
    assert_bounded(rising, beta="all leave with the same probability (30")


def test_all_leave_with_the_same_probability() -> None:
    assert_bounded(
        sbg.fit([0, 1, 2, 3, 4], [True, True, True, True, False], [400, 240, 144, 87, 129]),
        beta="all leave with the same probability (40",
    )


def test_leaving_at_once_or_never() -> None:
    fit = sbg.fit([0, 40], [True, False], [25, 75])
    assert_bounded(fit, alpha="customers leave at their first renewal (25")


def test_missing_and_negative_numbers_are_left_out() -> None:
    renewals, is_ended, ones = made_up(300)
    fit = sbg.fit(
        np.append(renewals, [np.nan, -1, 2]), np.append(is_ended, [1, 1, np.nan]), np.append(ones, [1, 2, 3])
    )
    assert fit.parameters == sbg.fit(renewals, is_ended, ones).parameters
    assert (fit.reason or "").startswith("6 customers left out")
    for scores in (
        sbg.survival(PLANTED, [np.nan, -1]),
        sbg.retention_rate(PLANTED, [np.nan, 0]),
        sbg.expected_renewals(PLANTED, [np.nan, -1], 12),
        sbg.discounted_expected_residual_lifetime(PLANTED, [np.nan, -1], 0.1),
    ):
        assert np.isnan(scores).all()


def test_wrong_arguments_are_named() -> None:
    for renewals in (1.5, 1e9):
        with pytest.raises(ValueError, match="renewals must be whole numbers up to 100,000; row 1 has"):
            sbg.fit([1, renewals], [True, True], [5, 5])
    with pytest.raises(ValueError, match="columns of one length"):
        sbg.fit([1, 2], [True], [1, 1])
    with pytest.raises(ValueError, match="discount_rate_per_period"):
        sbg.discounted_expected_residual_lifetime(PLANTED, [1], -0.1)
    with pytest.raises(ValueError, match="periods"):
        sbg.expected_renewals(PLANTED, [1], -1)
    with pytest.raises(ValueError, match="parameter alpha"):
        sbg.survival({"alpha": np.nan, "beta": 1.0}, [1])


def test_two_customers() -> None:
    """As few as parameters: a fit that says how little it knows, or why there is none."""
    fit = sbg.fit([0, 3], [True, False], [1, 1])
    assert fit.is_fitted
    assert all(error is None or error > 0 for error in fit.standard_errors.values())
    assert fit.reason
