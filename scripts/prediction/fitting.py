"""Maximum likelihood for the models of this package: the one maximiser, and what a fit tells.

The likelihoods are taken over cells: distinct rows with the number of customers who have them. A customer
base of a million has some ten or hundred thousand of them, and the result is that of the single customers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import ndtri

Array = NDArray[np.float64]
Objective = Callable[[Array], tuple[float, Array]]

# The largest slope of the log-likelihood per customer, by the logarithm of a parameter, that counts as none.
GRADIENT_TOLERANCE = 1e-7
# Starts that end within this of the best log-likelihood have found the same place.
AGREEMENT = 0.01
NEWTON_ITERATIONS = 80
# Differences of the log-likelihood per customer below this are rounding.
NOISE = 1e-10
# Half the width of the differences of the gradient that give the second derivatives, in log-parameters.
DIFFERENCE = 1e-3
# A standard error beyond this factor (e^10) says that the data tell nothing about the parameter.
LARGEST_LOG_ERROR = 10.0


@dataclass(frozen=True)
class Fit:
    """A model fitted by maximum likelihood, or why it was not.

    `parameters` is empty when there is no fit. `standard_errors` come from the observed information (delta
    method from log-parameters); None for a parameter at its bound or one the data tell nothing about.
    `customers` are those the likelihood was taken over, `cells` their distinct rows. `iterations` are of all
    `starts` together. `reason` says why there is no fit, or what to know about the one there is.
    """

    model: str
    parameters: dict[str, float]
    standard_errors: dict[str, float | None]
    log_likelihood: float | None
    customers: int
    cells: int
    starts: int
    iterations: int
    is_converged: bool
    bounded_parameters: tuple[str, ...]
    reason: str | None

    @property
    def is_fitted(self) -> bool:
        """Whether there are parameters to predict with; some may lie at a bound."""
        return bool(self.parameters)

    def interval(self, parameter: str, level: float = 0.95) -> tuple[float, float] | None:
        """Wald interval on the logarithm of a parameter; None without a standard error."""
        error = self.standard_errors.get(parameter)
        if error is None:
            return None
        value = self.parameters[parameter]
        factor = float(np.exp(ndtri((1 + level) / 2) * error / value))
        return value / factor, value * factor


@dataclass(frozen=True)
class Parameter:
    """A positive parameter and its bounds, where the model has become a simpler one.

    `scale` is the size of the data's unit in it: the fit is done without it, the result given back with it.
    """

    name: str
    lower: float = 1e-4
    upper: float = 1e4
    scale: float = 1.0


# What it says of the customers that a parameter, by its name, lies at that side ("lower", "upper").
Meaning = Callable[[str, str, Mapping[str, float]], str]


def no_fit(model: str, reason: str, customers: float = 0, cells: int = 0) -> Fit:
    """A fit that could not be tried."""
    return Fit(model, {}, {}, None, int(customers), cells, 0, 0, False, (), reason)


def as_columns(**columns: ArrayLike) -> tuple[Array, ...]:
    """One-dimensional float columns of one length; ValueError names those that differ."""
    arrays = {name: np.atleast_1d(np.asarray(column, dtype=np.float64)) for name, column in columns.items()}
    if len({array.shape for array in arrays.values()}) > 1 or any(a.ndim != 1 for a in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"columns of one length are needed, not {shapes}")
    return tuple(arrays.values())


def check_counts(customers: Array) -> None:
    """ValueError for numbers of customers that are negative, missing or not whole."""
    if not (np.isfinite(customers).all() and (customers >= 0).all() and (customers % 1 == 0).all()):
        raise ValueError("customers must be whole numbers, none negative or missing")


def distinct_rows(columns: Sequence[Array]) -> tuple[list[Array], NDArray[np.int64]]:
    """The distinct rows of some columns, sorted, and for each row its place among them."""
    order = np.lexsort(columns[::-1])
    is_first = np.zeros(len(order), dtype=bool)
    is_first[:1] = True
    for column in columns:
        is_first[1:] |= column[order[1:]] != column[order[:-1]]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = is_first.cumsum() - 1
    return [column[order[is_first]] for column in columns], place


def distinct_cells(columns: Sequence[Array], customers: Array) -> tuple[list[Array], Array]:
    """Sorted distinct rows with the customers of each: neither order nor splitting of rows matters."""
    cells, place = distinct_rows(columns)
    return cells, np.bincount(place, customers)


@dataclass(frozen=True)
class _Search:
    """The negative mean log-likelihood in log-parameters, within bounds."""

    objective: Objective
    size: float
    lower: Array
    upper: Array

    def __call__(self, theta: Array) -> tuple[float, Array]:
        values = np.exp(theta)
        log_likelihood, gradient = self.objective(values)
        if not np.isfinite(log_likelihood) or not np.isfinite(gradient).all():
            return 1e300, np.zeros_like(theta)
        return -log_likelihood / self.size, -gradient * values / self.size

    def hessian(self, theta: Array) -> Array:
        """Central differences of the analytic gradient."""
        rows = []
        for step in np.eye(len(theta)) * DIFFERENCE:
            rows.append((self(theta + step)[1] - self(theta - step)[1]) / (2 * DIFFERENCE))
        matrix = np.array(rows)
        return (matrix + matrix.T) / 2

    def bounds_that_bind(self, theta: Array, gradient: Array) -> tuple[Array, Array]:
        """Where theta lies at a lower or upper bound and would go on beyond it (or has nowhere to go)."""
        return (theta <= self.lower) & (gradient >= 0), (theta >= self.upper) & (gradient <= 0)

    def free(self, theta: Array, gradient: Array) -> NDArray[np.bool_]:
        at_lower, at_upper = self.bounds_that_bind(theta, gradient)
        return ~(at_lower | at_upper)

    def newton(self, theta: Array) -> tuple[Array, int]:
        """Newton's steps from a point near the optimum, until they are too short to matter.

        A likelihood that only flattens out towards a limit (customers who are all alike, say) has a slope
        near zero long before; its steps stay long, so they are followed until the bound.
        """
        value, gradient = self(theta)
        for iteration in range(1, NEWTON_ITERATIONS + 1):
            is_free = self.free(theta, gradient)
            if not is_free.any():
                return theta, iteration
            curvature, directions = np.linalg.eigh(self.hessian(theta)[np.ix_(is_free, is_free)])
            slopes = directions.T @ gradient[is_free]
            # A direction without curvature or slope is one the data don't tell: stay where the start was.
            flat = (np.abs(curvature) < 1e-11) & (np.abs(slopes) < 1e-11)
            lengths = np.where(flat, 0.0, slopes / np.maximum(np.abs(curvature), 1e-11))
            step = np.zeros_like(theta)
            step[is_free] = -directions @ lengths
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            for _ in range(30):
                trial = np.clip(theta + step, self.lower, self.upper)
                trial_value, trial_gradient = self(trial)
                if trial_value <= value + NOISE:
                    break
                step /= 2
            else:
                return theta, iteration
            moved = float(np.abs(trial - theta).max())
            theta, value, gradient = trial, trial_value, trial_gradient
            if moved < 1e-9:
                return theta, iteration
        return theta, NEWTON_ITERATIONS

    def is_hilltop(self, theta: Array, is_free: NDArray[np.bool_]) -> bool:
        """Whether the likelihood falls, or stays, in every direction that is free."""
        matrix = self.hessian(theta)[np.ix_(is_free, is_free)]
        return bool((np.linalg.eigvalsh(matrix) >= -GRADIENT_TOLERANCE).all())

    def log_errors(self, theta: Array, is_free: NDArray[np.bool_]) -> list[float | None]:
        """Standard errors of the log-parameters from the observed information of the free ones."""
        errors: list[float | None] = [None] * len(theta)
        information = self.hessian(theta) * self.size
        told = np.flatnonzero(is_free & (np.diag(information) > LARGEST_LOG_ERROR**-2))
        if not len(told):
            return errors
        matrix = information[np.ix_(told, told)]
        scale = np.sqrt(np.diag(matrix))
        curvature, directions = np.linalg.eigh(matrix / np.outer(scale, scale))
        if curvature[0] <= 1e-9:
            return errors
        variances = ((directions**2) / curvature).sum(axis=1) / scale**2
        for place, variance in zip(told, variances, strict=True):
            if np.sqrt(variance) <= LARGEST_LOG_ERROR:
                errors[place] = float(np.sqrt(variance))
        return errors


def fit_by_maximum_likelihood(
    model: str,
    objective: Objective,
    parameters: Sequence[Parameter],
    meaning: Meaning,
    starts: Sequence[Sequence[float]],
    customers: float,
    cells: int,
    *,
    log_likelihood_shift: float = 0.0,
    notes: Sequence[str] = (),
) -> Fit:
    """Maximise `objective` (log-likelihood and its gradient by the parameters, without units).

    SLSQP in log-parameters from every start, then Newton's method from the best. `log_likelihood_shift` is
    what the data's unit adds to the log-likelihood; `notes` come first in the reason, then what is bounded.
    """
    lower = np.log([parameter.lower for parameter in parameters])
    upper = np.log([parameter.upper for parameter in parameters])
    search = _Search(objective, customers, lower, upper)
    ends: list[tuple[float, Array]] = []
    iterations = 0
    with np.errstate(all="ignore"):
        for start in starts:
            end = minimize(
                search,
                np.clip(np.log(start), lower, upper),
                jac=True,
                # Not L-BFGS-B: its tiny matrices go through threaded BLAS, and where other work or a
                # container's limit takes the processors the threads wait for each other most of the time.
                method="SLSQP",
                bounds=list(zip(lower, upper, strict=True)),
                options={"maxiter": 500, "ftol": 1e-12},
            )
            iterations += int(end.nit)
            ends.append((float(end.fun), np.asarray(end.x)))
        value, theta = min(ends, key=lambda end: end[0])
        theta, newton_iterations = search.newton(theta)
        iterations += newton_iterations
        value, gradient = search(theta)
        at_lower, at_upper = search.bounds_that_bind(theta, gradient)
        is_free = ~(at_lower | at_upper)
        steepest = float(np.abs(np.where(is_free, gradient, 0.0)).max())
        is_converged = value < 1e299 and steepest <= GRADIENT_TOLERANCE and search.is_hilltop(theta, is_free)
        log_errors = search.log_errors(theta, is_free) if is_converged else []
    apart = sum((end - value) * customers > AGREEMENT for end, _ in ends)
    sentences = list(notes)
    if not is_converged:
        sentences.append(
            "The likelihood has no maximum that could be found "
            f"(slope {steepest:.1g} per customer at the best of {len(starts)} starts)."
        )
        failed = no_fit(model, " ".join(sentences), customers, cells)
        return replace(failed, starts=len(starts), iterations=iterations)
    values: dict[str, float] = {}
    standard_errors: dict[str, float | None] = {}
    bounded: dict[str, str] = {}
    for place, parameter in enumerate(parameters):
        value_here, error = float(np.exp(theta[place])), log_errors[place]
        if not is_free[place]:
            bounded[parameter.name] = "lower" if at_lower[place] else "upper"
            value_here = parameter.lower if at_lower[place] else parameter.upper
        elif error is None:
            sentences.append(f"{parameter.name} has no standard error: the data hardly tell it.")
        values[parameter.name] = value_here * parameter.scale
        standard_errors[parameter.name] = None if error is None else values[parameter.name] * error
    for name, side in bounded.items():
        sentences.append(f"{name} is at its {side} bound: {meaning(name, side, values)}.")
    if apart:
        sentences.append(f"{apart} of {len(starts)} starts ended at a lower likelihood.")
    return Fit(
        model=model,
        parameters=values,
        standard_errors=standard_errors,
        log_likelihood=-value * customers + log_likelihood_shift,
        customers=int(customers),
        cells=cells,
        starts=len(starts),
        iterations=iterations,
        is_converged=True,
        bounded_parameters=tuple(bounded),
        reason=" ".join(sentences) or None,
    )


def left_out(customers: float, what: str) -> list[str]:
    """The note that customers were left out, if any were."""
    return [f"{int(customers):,} customers left out: {what}."] if customers else []


def values_of(parameters: Mapping[str, float], *names: str) -> tuple[float, ...]:
    """The parameters by name; ValueError for one that is missing or not a positive number."""
    values = tuple(float(parameters.get(name, np.nan)) for name in names)
    for name, value in zip(names, values, strict=True):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"parameter {name} must be a positive number, not {value}")
    return values
