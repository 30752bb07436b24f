"""Shifted-beta-geometric: how long customers with a contract renew it.

Fader, P. S. and Hardie, B. G. S. (2007), How to Project Customer Retention, Journal of Interactive Marketing
21(1), 76-90; (2010), Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity,
Marketing Science 29(1), 85-93.

At each renewal opportunity a customer leaves with probability theta ~ Beta(alpha, beta), which differs
between customers and stays the same for each. Retention rises with tenure because the likeliest leave first.
`renewals`: how often a customer has renewed (0: none; whoever ended then left at the first opportunity).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln

from scripts.prediction.fitting import (
    Array,
    Fit,
    Objective,
    Parameter,
    as_columns,
    check_counts,
    distinct_cells,
    fit_by_maximum_likelihood,
    left_out,
    no_fit,
    values_of,
)

MODEL = "sbg"
NAMES = ("alpha", "beta")
# Weekly renewals for two thousand years; more are a caller's defect.
MOST_RENEWALS = 100_000
# Below a hundred-millionth a period the sum of discounted payments is no longer exact to eight digits.
LEAST_DISCOUNT = 1e-8


def _objective(renewed: Array, lost: Array) -> Objective:
    """Log-likelihood and its gradient by (alpha, beta), from who renewed and who left at each opportunity.

    Retention at opportunity i = 0, 1, … is (beta + i) / (alpha + beta + i): equation (8) of the 2007 paper.
    """
    i = np.arange(len(renewed), dtype=np.float64)
    faced = renewed + lost
    all_lost = float(lost.sum())

    def objective(values: Array) -> tuple[float, Array]:
        alpha, beta = values
        value = (renewed * np.log(beta + i)).sum() - (faced * np.log(alpha + beta + i)).sum()
        value += all_lost * np.log(alpha)
        shared = (faced / (alpha + beta + i)).sum()
        return float(value), np.array([all_lost / alpha - shared, (renewed / (beta + i)).sum() - shared])

    return objective


def _check(renewals: Array) -> None:
    wrong = np.isfinite(renewals) & ((renewals % 1 != 0) | (renewals > MOST_RENEWALS))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"renewals must be whole numbers up to {MOST_RENEWALS:,}; row {row} has {renewals[row]:g}"
        )


def _meaning(name: str, side: str, parameters: Mapping[str, float]) -> str:
    """What a parameter at its bound says of the customers."""
    share = parameters["alpha"] / (parameters["alpha"] + parameters["beta"])
    if side == "upper":
        return f"all leave with the same probability ({share:.1%}) at each renewal"
    return f"customers leave at their first renewal ({share:.1%} of them) or never"


def fit(renewals: ArrayLike, is_ended: ArrayLike, customers: ArrayLike) -> Fit:
    """Fit alpha and beta to cells of customers who have renewed so often, and have ended or not.

    Rows with a missing or negative number are left out; the reason says how many customers that are.
    """
    k, ended, count = as_columns(renewals=renewals, is_ended=is_ended, customers=customers)
    check_counts(count)
    _check(k)
    known = np.isfinite(k) & np.isfinite(ended) & (k >= 0)
    notes = left_out(count[~known].sum(), "renewals or the end missing or negative")
    known &= count > 0
    if not known.any():
        return no_fit(MODEL, " ".join([*notes, "There are no customers."]))
    (k, ended), count = distinct_cells([k[known], (ended[known] != 0).astype(np.float64)], count[known])
    total, cells = float(count.sum()), len(count)
    opportunities = int(k.max()) + 1
    place = k.astype(np.int64)
    lost = np.bincount(place, count * ended, minlength=opportunities)
    # Whoever has renewed k times did so at the opportunities 0 … k - 1.
    reached = np.bincount(place, count, minlength=opportunities)[::-1].cumsum()[::-1]
    renewed = np.append(reached[1:], 0.0)

    def refuse(reason: str) -> Fit:
        return no_fit(MODEL, " ".join([*notes, reason]), total, cells)

    if total < len(NAMES):
        return refuse(f"Too few customers ({int(total)}) for {len(NAMES)} parameters.")
    if not (renewed + lost).any():
        return refuse("Nobody has come to a renewal yet.")
    if not lost.any():
        return refuse("Nobody has ended yet: how customers leave cannot be told.")
    if not (renewed + lost)[1:].any():
        return refuse("Only the first renewal has been seen: how retention goes on after it cannot be told.")
    churn = float(lost.sum() / (renewed + lost).sum())
    return fit_by_maximum_likelihood(
        MODEL,
        _objective(renewed, lost),
        (Parameter("alpha"), Parameter("beta")),
        _meaning,
        [(size * churn, size * (1 - churn) + 1e-4) for size in (2.0, 0.3, 20.0)],
        total,
        cells,
        notes=notes,
    )


def survival(parameters: Mapping[str, float], periods: ArrayLike) -> Array:
    """Share of newcomers still there after `periods` renewal opportunities; equation (6), 2007."""
    alpha, beta = values_of(parameters, *NAMES)
    (t,) = as_columns(periods=periods)
    with np.errstate(all="ignore"):
        share = np.exp(betaln(alpha, beta + t) - betaln(alpha, beta))
    return np.where(t >= 0, share, np.nan)


def retention_rate(parameters: Mapping[str, float], period: ArrayLike) -> Array:
    """Share of those still there who renew at opportunity `period` = 1, 2, …; equation (8), 2007."""
    alpha, beta = values_of(parameters, *NAMES)
    (t,) = as_columns(period=period)
    with np.errstate(all="ignore"):
        share = (beta + t - 1) / (alpha + beta + t - 1)
    return np.where(t >= 1, share, np.nan)


def expected_renewals(parameters: Mapping[str, float], renewals: ArrayLike, periods: int) -> Array:
    """Renewals expected at the next `periods` opportunities of customers there after `renewals`.

    The sum of S(renewals + j) / S(renewals) for j = 1 … periods; NaN where renewals are missing or negative.
    """
    alpha, beta = values_of(parameters, *NAMES)
    (k,) = as_columns(renewals=renewals)
    if periods < 0 or periods % 1 != 0:
        raise ValueError(f"periods must be a whole number of at least 0, not {periods}")
    distinct, place = np.unique(k, return_inverse=True)
    expected = np.zeros(len(distinct))
    with np.errstate(all="ignore"):
        still = np.where(distinct >= 0, 1.0, np.nan)
        for step in range(int(periods)):
            still = still * ((beta + distinct + step) / (alpha + beta + distinct + step))
            expected += still
    return np.where(k >= 0, expected[place], np.nan)


def _hypergeometric(b: Array, c: Array, discount: float) -> Array:
    """2F1(1, b; c; 1 / (1 + discount)) for c > b > 0, by the continued fraction of Gauss.

    That of scipy is not a number for b in the thousands. The terms needed grow as the root of 1 / discount.
    """
    z = 1 / (1 + discount)
    pairs = 10 + int(10 / np.sqrt(max(discount, LEAST_DISCOUNT)))
    tail = np.ones_like(b)
    for m in range(pairs, -1, -1):
        tail = 1 - (m + 1) * (c - b + m) / ((c + 2 * m) * (c + 2 * m + 1)) * z / tail
        tail = 1 - (b + m) * (c - 1 + m) / ((c + 2 * m - 1) * (c + 2 * m)) * z / tail
    return 1 / tail


def discounted_expected_residual_lifetime(
    parameters: Mapping[str, float], renewals: ArrayLike, discount_rate_per_period: float
) -> Array:
    """DERL of customers about to meet their next renewal, in payments; equation (6) of the 2010 paper.

    The sum of S(renewals + j) / S(renewals) / (1 + d)^(j - 1) for j = 1, 2, …: the payment of the coming
    renewal is not discounted and counts with the probability that it comes; the one made before does not.
    Without discount (d = 0) the sum is (beta + renewals) / (alpha - 1), and NaN where it has no end
    (alpha <= 1). NaN where renewals are missing or negative.
    """
    alpha, beta = values_of(parameters, *NAMES)
    d = float(discount_rate_per_period)
    if not (np.isfinite(d) and d >= 0):
        raise ValueError(f"discount_rate_per_period must be a number of at least 0, not {d}")
    (k,) = as_columns(renewals=renewals)
    distinct, place = np.unique(k, return_inverse=True)
    with np.errstate(all="ignore"):
        if d > 0:
            first = (beta + distinct) / (alpha + beta + distinct)
            lifetime = first * _hypergeometric(beta + distinct + 1, alpha + beta + distinct + 1, d)
        else:
            lifetime = (beta + distinct) / (alpha - 1) if alpha > 1 else np.full(len(distinct), np.nan)
    return np.where(k >= 0, lifetime[place], np.nan)


def simulate(
    parameters: Mapping[str, float], opportunities: ArrayLike, generator: np.random.Generator
) -> tuple[Array, np.ndarray]:
    """Draw renewals and whether it ended, for customers who meet up to `opportunities` renewals each."""
    alpha, beta = values_of(parameters, *NAMES)
    (most,) = as_columns(opportunities=opportunities)
    leaves = np.maximum(generator.beta(alpha, beta, len(most)), 1e-12)
    ends_at = generator.geometric(leaves).astype(np.float64)
    is_ended = ends_at <= most
    return np.where(is_ended, ends_at - 1, most), is_ended
