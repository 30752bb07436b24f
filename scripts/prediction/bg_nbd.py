"""BG/NBD: how often customers without a contract buy, and whether they still do.

Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005), "Counting Your Customers" the Easy Way: An Alternative
to the Pareto/NBD Model, Marketing Science 24(2), 275-284.

While alive a customer buys at random with rate lambda ~ Gamma(r, rate alpha); after each repeat purchase the
customer leaves for good with probability p ~ Beta(a, b). Both differ between customers, independently.

Per customer: `frequency`, the repeat purchases (purchases of one day are one; the first is not counted);
`recency`, the time from the first to the last purchase (0 without a repeat); `age`, the time from the first
purchase until the end of observation. Time is in weeks by convention, any unit works: alpha is in that unit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import expit

from scripts.prediction.fitting import (
    Array,
    Fit,
    Objective,
    Parameter,
    as_columns,
    check_counts,
    distinct_cells,
    distinct_rows,
    fit_by_maximum_likelihood,
    left_out,
    no_fit,
    values_of,
)

MODEL = "bg_nbd"
NAMES = ("r", "alpha", "a", "b")

# Purchases on a day each for nearly three hundred years; more are a caller's defect.
MOST_PURCHASES = 100_000
# A mean probability of leaving below this is that of customers who stay.
NOBODY = 1e-4

# Most points of the quadrature over p, and how many points of all rows are taken at once (memory).
MOST_POINTS = 1024
POINTS_AT_ONCE = 1_000_000
STEPS_PER_YEAR = 12


def _objective(frequency: Array, recency: Array, age: Array, customers: Array) -> Objective:
    """Log-likelihood of distinct cells and its gradient by (r, alpha, a, b); equation (6) of the paper.

    Gamma(r + x) / Gamma(r) and B(a, b + x) / B(a, b) are taken as products over the purchases i < x, and
    powers of alpha + T relative to alpha: nothing cancels when r, a or b are large. What depends on one
    column only is computed once for each of its values.
    """
    ages, age_of = np.unique(age, return_inverse=True)
    by_age = np.bincount(age_of, customers)
    purchases_by_age = np.bincount(age_of, customers * frequency)
    by_frequency = np.bincount(frequency.astype(np.int64), customers)
    # How many customers have made repeat purchase number i + 1.
    reached = by_frequency[::-1].cumsum()[::-1][1:]
    i = np.arange(len(reached), dtype=np.float64)
    # Only who has bought again can have left.
    is_repeater = frequency > 0
    x, count, age_of = frequency[is_repeater], customers[is_repeater], age_of[is_repeater]
    recencies, recency_of = np.unique(recency[is_repeater], return_inverse=True)
    before_last = x.astype(np.int64) - 1

    def objective(values: Array) -> tuple[float, Array]:
        r, alpha, a, b = values
        log_ages, log_recencies = np.log1p(ages / alpha), np.log1p(recencies / alpha)
        # The odds of having left, then how many have.
        log_odds = log_ages[age_of]
        log_odds -= log_recencies[recency_of]
        log_odds *= r + x
        log_odds += (np.log(a) - np.log(b + i))[before_last]
        small = np.exp(-np.abs(log_odds))
        left = np.where(log_odds >= 0, 1.0, small)
        left /= 1 + small
        left *= count
        log_one_plus_odds = np.log1p(small)
        log_one_plus_odds += np.maximum(log_odds, 0.0)
        value = (reached * (np.log((r + i) / alpha) - np.log1p(a / (b + i)))).sum()
        value += (count * log_one_plus_odds).sum() - ((r * by_age + purchases_by_age) * log_ages).sum()

        left_purchases = left * x
        gone = np.bincount(recency_of, left)
        gone_purchases = np.bincount(recency_of, left_purchases)
        stayed = by_age - np.bincount(age_of, left, len(ages))
        stayed_purchases = purchases_by_age - np.bincount(age_of, left_purchases, len(ages))
        by_r = (reached / (r + i)).sum() - (stayed * log_ages).sum() - (gone * log_recencies).sum()
        by_alpha = ((stayed * (r * ages / alpha) - stayed_purchases) / (alpha + ages)).sum()
        by_alpha += ((gone * (r * recencies / alpha) - gone_purchases) / (alpha + recencies)).sum()
        shared = (reached / (a + b + i)).sum()
        by_a = left.sum() / a - shared
        by_b = ((reached - np.bincount(before_last, left)) / (b + i)).sum() - shared
        return float(value), np.array([by_r, by_alpha, by_a, by_b])

    return objective


def _meaning(name: str, side: str, parameters: Mapping[str, float]) -> str:
    """What a parameter at its bound says of the customers."""
    if name == "r":
        return "all buy equally often" if side == "upper" else "hardly anybody buys again"
    if name == "alpha":
        return "the time between purchases is out of proportion to the time observed"
    share = parameters["a"] / (parameters["a"] + parameters["b"])
    if share < NOBODY:
        return "nobody is seen to leave"
    if side == "upper":
        return f"all leave with the same probability ({share:.1%}) after a repeat purchase"
    return f"customers leave with their first repeat purchase ({share:.1%} of them) or never"


def _check(frequency: Array, recency: Array, age: Array) -> None:
    """ValueError, naming the first row, for cells that no customer can have. NaN passes."""
    for wrong, what in (
        (recency > age, "recency is greater than age"),
        ((frequency == 0) & (recency > 0), "recency is greater than 0 without a repeat purchase"),
        (
            np.isfinite(frequency) & ((frequency % 1 != 0) | (frequency > MOST_PURCHASES)),
            f"frequency is not a whole number up to {MOST_PURCHASES:,}",
        ),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{what} in {int(wrong.sum())} rows, first in row {row}: "
                f"frequency {frequency[row]:g}, recency {recency[row]:g}, age {age[row]:g}"
            )


def fit(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, customers: ArrayLike) -> Fit:
    """Fit r, alpha, a and b to cells of customers; alpha comes in the unit of `age`.

    Rows with missing or negative numbers are left out, and the reason says how many customers that are.
    ValueError for rows no customer can have: recency greater than age, or without a repeat purchase.
    """
    x, last, until, count = as_columns(frequency=frequency, recency=recency, age=age, customers=customers)
    check_counts(count)
    _check(x, last, until)
    known = np.isfinite(x) & np.isfinite(last) & np.isfinite(until) & (x >= 0) & (last >= 0) & (until >= 0)
    notes = left_out(count[~known].sum(), "frequency, recency or age missing or negative")
    known &= count > 0
    if not known.any():
        return no_fit(MODEL, " ".join([*notes, "There are no customers."]))
    (x, last, until), count = distinct_cells([x[known], last[known], until[known]], count[known])
    total, cells = float(count.sum()), len(count)

    def refuse(reason: str) -> Fit:
        return no_fit(MODEL, " ".join([*notes, reason]), total, cells)

    if total < len(NAMES):
        return refuse(f"Too few customers ({int(total)}) for {len(NAMES)} parameters.")
    scale = float((count * until).sum() / total)
    if scale == 0:
        return refuse("All customers came on the last day of observation: there was no time to buy again.")
    purchases = float((count * x).sum())
    if purchases == 0:
        return refuse(
            "Nobody has bought again: how often customers buy, and whether they leave, cannot be told."
        )
    last, until = last / scale, until / scale
    rate = purchases / total
    return fit_by_maximum_likelihood(
        MODEL,
        _objective(x, last, until, count),
        (
            Parameter("r"),
            Parameter("alpha", 1e-7, 1e9, scale),
            Parameter("a"),
            Parameter("b"),
        ),
        _meaning,
        [
            (0.3, 0.3 / rate, 0.8, 2.5),
            (1.0, 1.0 / rate, 1.0, 5.0),
            (5.0, 5.0 / rate, 0.2, 2.0),
            (0.3, 0.1 / rate, 0.2, 0.3),
            (2.0, 1.0 / rate, 5.0, 20.0),
        ],
        total,
        cells,
        log_likelihood_shift=-purchases * float(np.log(scale)),
        notes=notes,
    )


def log_likelihood(
    parameters: Mapping[str, float],
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    customers: ArrayLike,
) -> float:
    """Log-likelihood of cells of customers under given parameters, as `fit` reports it for its own."""
    x, last, until, count = as_columns(frequency=frequency, recency=recency, age=age, customers=customers)
    check_counts(count)
    _check(x, last, until)
    return _objective(x, last, until, count)(np.array(values_of(parameters, *NAMES)))[0]


def probability_alive(
    parameters: Mapping[str, float], frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
) -> Array:
    """Probability that each customer still buys: 1 without a repeat purchase, NaN where a number is missing.

    From the likelihood of the paper, as in Fader, Hardie and Lee (2008), Computing P(alive) Using the BG/NBD
    Model.
    """
    r, alpha, a, b = values_of(parameters, *NAMES)
    x, last, until = as_columns(frequency=frequency, recency=recency, age=age)
    _check(x, last, until)
    with np.errstate(all="ignore"):
        gone = np.log(a / (b + x - 1)) + (r + x) * (np.log1p(until / alpha) - np.log1p(last / alpha))
        alive = np.where(x == 0, 1.0, expit(-gone))
    unknown = ~(np.isfinite(x + last + until) & (x >= 0) & (last >= 0) & (until >= 0))
    return np.where(unknown, np.nan, alive)


def _beta_quadrature(a: float, b: float, size: int) -> tuple[Array, Array]:
    """Points and weights (sum 1) of the Gauss quadrature with `size` points for Beta(a, b) on [0, 1].

    Golub and Welsch (1969): eigenvalues of the Jacobi matrix, written so that nothing cancels for small a.
    """
    k = np.arange(1, size, dtype=np.float64)
    s = a + b - 2
    diagonal = np.empty(size)
    diagonal[0] = a / (a + b)
    diagonal[1:] = (4 * k * k + 4 * k * (s + 1) + 2 * s * a) / (2 * (2 * k + s) * (2 * k + s + 2))
    squares = np.empty(size - 1)
    squares[0] = a * b / ((2 + s) ** 2 * (3 + s))
    k = k[1:]
    squares[1:] = (
        k * (k + b - 1) * (k + a - 1) * (k + s) / ((2 * k + s) ** 2 * (2 * k + s + 1) * (2 * k + s - 1))
    )
    points, vectors = eigh_tridiagonal(diagonal, np.sqrt(squares))
    return np.clip(points, 1e-200, 1.0), vectors[0] ** 2


def _points_needed(exponent: Array, reach: Array) -> NDArray[np.int64]:
    """How many points give (1 - (1 + p reach)^-exponent) / p to eight digits, found by trial; a power of 2.

    The integrand turns at p = 1 / reach, or earlier for a large exponent, and the points nearest to zero must
    see it.
    """
    needed = 16 + 10 * np.sqrt(reach) + 2 * np.sqrt(exponent * reach)
    return np.clip(2 ** np.ceil(np.log2(needed)), 32, MOST_POINTS).astype(np.int64)


def _discounted_purchases_while_alive(
    parameters: Mapping[str, float], x: Array, age: Array, horizon: float, factors: Array
) -> Array:
    """Expected purchases within `horizon` of customers alive now, each of equal steps times its factor.

    Alive at `age` after x repeat purchases, lambda ~ Gamma(r + x, alpha + age) and p ~ Beta(a, b + x), and
    (1 - exp(-lambda p t)) / p purchases are expected until t. The mean over lambda is elementary; that over p
    is taken by quadrature. This is equation (10) of the paper without its hypergeometric function, which
    overflows or cancels for frequent buyers, long horizons and a near 1; here all terms are positive.
    """
    r, alpha, a, b = values_of(parameters, *NAMES)
    result = np.full(len(x), np.nan)
    is_known = np.isfinite(x) & np.isfinite(age) & (x >= 0) & (age >= 0)
    if not is_known.any():
        return result
    # Without recency: far fewer rows than cells.
    (distinct_x, distinct_age), row_of = distinct_rows([x[is_known], age[is_known]])
    exponents = r + distinct_x
    sizes = _points_needed(exponents, horizon / (alpha + distinct_age))
    ends = horizon * np.arange(1, len(factors) + 1) / len(factors)
    expected = np.zeros(len(distinct_x))
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        frequencies, frequency_of = np.unique(distinct_x[rows], return_inverse=True)
        quadratures = [_beta_quadrature(a, b + frequency, int(size)) for frequency in frequencies]
        at_once = max(1, POINTS_AT_ONCE // int(size))
        for first in range(0, len(rows), at_once):
            part = rows[first : first + at_once]
            places = frequency_of[first : first + at_once]
            points = np.array([points for points, _ in quadratures])[places]
            weights = np.array([weights for _, weights in quadratures])[places] / points
            exponent = exponents[part][:, None]
            rate = points / (alpha + distinct_age[part])[:, None]
            before = np.zeros(len(part))
            for end, factor in zip(ends, factors, strict=True):
                until = (weights * -np.expm1(-exponent * np.log1p(rate * end))).sum(axis=1)
                expected[part] += factor * (until - before)
                before = until
    result[is_known] = expected[row_of]
    return result


def _check_horizon(horizon: float) -> float:
    if not (np.isfinite(horizon) and horizon >= 0):
        raise ValueError(f"horizon must be a number of at least 0, not {horizon}")
    return float(horizon)


def expected_purchases(
    parameters: Mapping[str, float],
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    horizon: float,
) -> Array:
    """Purchases expected of each customer within `horizon` (in the unit of `age`) from now; equation (10).

    NaN where a number is missing or negative.
    """
    x, last, until = as_columns(frequency=frequency, recency=recency, age=age)
    alive = probability_alive(parameters, x, last, until)
    factors = np.ones(1)
    return alive * _discounted_purchases_while_alive(parameters, x, until, _check_horizon(horizon), factors)


def expected_purchases_of_newcomer(parameters: Mapping[str, float], horizon: float) -> float:
    """Repeat purchases expected within `horizon` of the first purchase; equation (9)."""
    return float(expected_purchases(parameters, [0], [0], [0], horizon)[0])


def discounted_expected_purchases(
    parameters: Mapping[str, float],
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    horizon: float,
    annual_discount_rate: float,
    units_per_year: float,
    steps_per_year: int = STEPS_PER_YEAR,
) -> Array:
    """Expected purchases within `horizon`, each discounted to now at a rate compounded yearly (0.1: 10 %).

    A sum over equal steps, of a month at most, each discounted at its middle. At 15 % and the pace of CDNOW's
    customers this differs from daily steps by less than 0.02 %, most for those who have just come.
    """
    if not (np.isfinite(annual_discount_rate) and annual_discount_rate > -1):
        raise ValueError(f"annual_discount_rate must be greater than -1, not {annual_discount_rate}")
    if not (np.isfinite(units_per_year) and units_per_year > 0):
        raise ValueError(f"units_per_year must be greater than 0, not {units_per_year}")
    x, last, until = as_columns(frequency=frequency, recency=recency, age=age)
    years = _check_horizon(horizon) / units_per_year
    # A little less than a whole number of steps is that number: 365.25 days are no thirteen months.
    steps = max(1, int(np.ceil(years * steps_per_year - 1e-9)))
    factors = (1 + annual_discount_rate) ** -((np.arange(steps) + 0.5) * years / steps)
    alive = probability_alive(parameters, x, last, until)
    return alive * _discounted_purchases_while_alive(parameters, x, until, horizon, factors)


def simulate(
    parameters: Mapping[str, float],
    age: ArrayLike,
    generator: np.random.Generator,
    *,
    grid: float | None = None,
) -> tuple[Array, Array]:
    """Draw frequency and recency of one customer for each age, by the model's own story.

    With `grid` (1 / 7 for days when time is in weeks) a purchase falls on the next whole multiple of it, and
    several on one are one, as in a log of order days; ages should lie on it.
    """
    r, alpha, a, b = values_of(parameters, *NAMES)
    (age,) = as_columns(age=age)
    size = len(age)
    rate = generator.gamma(r, 1 / alpha, size)
    leaves = generator.beta(a, b, size)
    frequency = np.zeros(size)
    recency = np.zeros(size)
    now = np.zeros(size)
    there = np.flatnonzero(rate > 0)
    while len(there):
        now[there] += generator.exponential(1.0, len(there)) / rate[there]
        seen = now[there] if grid is None else np.ceil(now[there] / grid) * grid
        in_time = seen <= age[there] * (1 + 1e-12)
        there, seen = there[in_time], np.minimum(seen[in_time], age[there][in_time])
        frequency[there] += 1.0 if grid is None else seen > recency[there] + grid / 2
        recency[there] = seen
        there = there[generator.random(len(there)) >= leaves[there]]
    return frequency, recency
