"""Gamma-Gamma: what a purchase of a customer is worth on average.

Fader, P. S. and Hardie, B. G. S. (2013), The Gamma-Gamma Model of Monetary Value,
https://www.brucehardie.com/notes/025/.

The values of a customer's purchases are Gamma(p, rate nu), nu ~ Gamma(q, rate v) differs between customers,
and neither depends on how often they buy. Per customer: `frequency`, the purchases the mean is taken over,
and `mean_value`, their mean value in money; v is in that unit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, gammaln

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

MODEL = "gamma_gamma"
NAMES = ("p", "q", "v")


def _objective(frequency: Array, mean_value: Array, customers: Array) -> Objective:
    """Log-likelihood of distinct cells and its gradient by (p, q, v); equation (1a) of the note, in full."""
    x, x_of = np.unique(frequency, return_inverse=True)
    by_x = np.bincount(x_of, customers)
    total = float(customers.sum())
    spent = frequency * mean_value
    log_value = float((customers * np.log(mean_value)).sum())

    def objective(values: Array) -> tuple[float, Array]:
        p, q, v = values
        # log((v + x m) / (x m)) and log((v + x m) / v)
        above_spent = np.log1p(v / spent)
        above_v = np.log1p(spent / v)
        shape = p * x
        per_x = gammaln(shape + q) - gammaln(shape) - gammaln(q)
        value = float((by_x * per_x).sum()) - log_value
        value -= float((customers * (p * frequency * above_spent + q * above_v)).sum())
        common = digamma(shape + q)
        by_p = (by_x * x * (common - digamma(shape))).sum() - (customers * frequency * above_spent).sum()
        by_q = (by_x * common).sum() - total * digamma(q) - (customers * above_v).sum()
        by_v = total * q / v - (customers * (p * frequency + q) / (v + spent)).sum()
        return value, np.array([by_p, by_q, by_v])

    return objective


def _meaning(name: str, side: str, parameters: Mapping[str, float]) -> str:
    """What a parameter at its bound says of the customers."""
    if name == "p":
        if side == "upper":
            return "the purchases of one customer all have the same value"
        return "the purchases of one customer differ beyond measure"
    if name == "q" and side == "upper":
        return "customers do not differ in what their purchases are worth"
    return "customers differ beyond measure in what their purchases are worth"


def fit(frequency: ArrayLike, mean_value: ArrayLike, customers: ArrayLike) -> Fit:
    """Fit p, q and v to cells of customers; v comes in the unit of `mean_value`.

    Customers without a purchase to take the mean of, or whose mean is missing, zero or negative, are left
    out; the reason says how many.
    """
    x, mean, count = as_columns(frequency=frequency, mean_value=mean_value, customers=customers)
    check_counts(count)
    bought = x > 0
    notes = left_out(count[x == 0].sum(), "no purchase to take the mean of")
    notes += left_out(count[bought & (mean <= 0)].sum(), "mean value zero or negative")
    known = bought & (mean > 0) & np.isfinite(x) & np.isfinite(mean)
    unknown = ~(known | (x == 0) | (bought & (mean <= 0)))
    notes += left_out(count[unknown].sum(), "frequency or mean value missing or negative")
    known &= count > 0
    if not known.any():
        return no_fit(MODEL, " ".join([*notes, "There are no customers with a mean value."]))
    (x, mean), count = distinct_cells([x[known], mean[known]], count[known])
    total, cells = float(count.sum()), len(count)
    if total < len(NAMES):
        reason = f"Too few customers ({int(total)}) for {len(NAMES)} parameters."
        return no_fit(MODEL, " ".join([*notes, reason]), total, cells)
    if x.max() == 1:
        notes.append(
            "Nobody has two purchases: how much those of one customer differ is told by the shape of the "
            "distribution only."
        )
    scale = float(np.exp((count * np.log(mean)).sum() / total))
    return fit_by_maximum_likelihood(
        MODEL,
        _objective(x, mean / scale, count),
        (Parameter("p"), Parameter("q"), Parameter("v", 1e-8, 1e8, scale)),
        _meaning,
        [(6.0, 4.0, 0.5), (1.0, 2.0, 1.0), (1.0, 20.0, 19.0), (50.0, 2.0, 0.02), (20.0, 20.0, 1.0)],
        total,
        cells,
        log_likelihood_shift=-total * float(np.log(scale)),
        notes=notes,
    )


def log_likelihood(
    parameters: Mapping[str, float], frequency: ArrayLike, mean_value: ArrayLike, customers: ArrayLike
) -> float:
    """Log-likelihood of cells of customers with purchases under given parameters, as `fit` reports it."""
    x, mean, count = as_columns(frequency=frequency, mean_value=mean_value, customers=customers)
    check_counts(count)
    return _objective(x, mean, count)(np.array(values_of(parameters, *NAMES)))[0]


def expected_value(parameters: Mapping[str, float], frequency: ArrayLike, mean_value: ArrayLike) -> Array:
    """Mean value expected of each customer's purchases; equation (5): p (v + x m) / (p x + q - 1).

    With frequency 0 (`mean_value` is ignored) that of the population, p v / (q - 1). NaN where it does not
    exist (q <= 1 with frequency 0, p x + q <= 1 else) and where a number is missing or negative.
    """
    p, q, v = values_of(parameters, *NAMES)
    x, mean = as_columns(frequency=frequency, mean_value=mean_value)
    spent = np.where(x == 0, 0.0, x * mean)
    below = p * x + q - 1
    known = np.isfinite(spent) & np.isfinite(x) & (x >= 0) & (spent >= 0) & (below > 0)
    return np.where(known, p * (v + spent) / np.where(known, below, 1.0), np.nan)


def simulate(parameters: Mapping[str, float], frequency: ArrayLike, generator: np.random.Generator) -> Array:
    """Draw the mean value of `frequency` purchases of one customer each; NaN for frequency 0."""
    p, q, v = values_of(parameters, *NAMES)
    (x,) = as_columns(frequency=frequency)
    rate = generator.gamma(q, 1 / v, len(x))
    shape = p * np.maximum(x, 1)
    return np.where(x > 0, generator.gamma(shape, 1.0) / (rate * np.maximum(x, 1)), np.nan)
