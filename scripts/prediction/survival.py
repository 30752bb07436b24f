"""Do groups of customers leave at the same pace? The log-rank test; the curves are SQL (fct_survival)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import chi2

Array = NDArray[np.float64]

_KEY = ("basis", "segment_type", "segment_value")

_SCHEMA = pa.schema(
    [
        ("basis", pa.string()),
        ("segment_type", pa.string()),
        ("segment_value", pa.string()),
        ("expected_churned_customers", pa.float64()),
        ("log_rank_chi_square", pa.float64()),
        ("log_rank_p_value", pa.float64()),
        ("segment_type_chi_square", pa.float64()),
        ("segment_type_degrees_of_freedom", pa.int64()),
        ("segment_type_p_value", pa.float64()),
    ]
)


@dataclass(frozen=True)
class LogRank:
    """What the log-rank test says of k groups; NaN where nothing can be said.

    `observed`, `expected`: events of each group, and how many it would have had at the pace of all, shape
    (k,). `covariance`: of observed less expected, shape (k, k). `chi_square`, `p_value`: each group against
    all others together, one degree of freedom, shape (k,). `overall_chi_square`, `overall_p_value`: all
    groups against each other, with `degrees_of_freedom`, 0 if there are not two groups that can be compared.
    """

    observed: Array
    expected: Array
    covariance: Array
    chi_square: Array
    p_value: Array
    overall_chi_square: float
    degrees_of_freedom: int
    overall_p_value: float


def log_rank(at_risk: NDArray[Any], events: NDArray[Any]) -> LogRank:
    """The log-rank test of k groups at T times of an event, ties included.

    `at_risk`, `events`: whole numbers, shape (k, T): how many of each group are at risk just before each
    time, and how many of them have the event at it. Who is censored at a time is still at risk at it. Times
    at which nobody has the event may be in it and change nothing.

    At each time the events fall on the groups as draws without replacement from those at risk do: with d
    events among n at risk, n_j of them in group j, j expects d n_j / n, and the covariance of groups j and l
    is d (n - d) / (n - 1) (n_j / n) ([j = l] - n_l / n), summed over the times. One group against all others
    is (O - E)² / V, which is the test of two groups; all groups, (O - E)' V⁻ (O - E), where one of the groups
    that can have deviated at all is left out, since the deviations sum to zero.

    Source: Mantel, Cancer Chemotherapy Reports 50 (1966) 163-170; Peto & Peto, JRSS A 135 (1972) 185-207;
    Kalbfleisch & Prentice, The Statistical Analysis of Failure Time Data (2002), section 1.4.

    Raises `ValueError` if the shapes differ, or a group has more events than customers at risk.
    """
    at_risk = np.asarray(at_risk, dtype=np.float64)
    events = np.asarray(events, dtype=np.float64)
    if at_risk.ndim != 2 or at_risk.shape != events.shape:
        raise ValueError(f"at_risk and events differ in shape: {at_risk.shape}, {events.shape}")
    if (events > at_risk).any() or (events < 0).any():
        raise ValueError("a group has more events than members at risk, or fewer than none")
    groups = len(at_risk)

    total = at_risk.sum(axis=0)
    at_risk, events, total = at_risk[:, total > 0], events[:, total > 0], total[total > 0]
    happened = events.sum(axis=0)
    share = at_risk / total
    # The last one at risk has no others to draw from: that event tells nothing of the groups.
    weight = np.where(total > 1, happened * (total - happened) / np.maximum(total - 1, 1), 0.0)
    observed = events.sum(axis=1)
    expected = share @ happened
    covariance = -(share * weight) @ share.T
    # By itself, so that a group that was alone at risk has none, to the last digit.
    variance = (share * (1 - share)) @ weight
    np.fill_diagonal(covariance, variance)

    deviation = observed - expected
    chi_square = np.full(groups, np.nan)
    compared = np.flatnonzero(variance > 0)
    chi_square[compared] = deviation[compared] ** 2 / variance[compared]

    overall = np.nan
    degrees_of_freedom = max(len(compared) - 1, 0)
    if degrees_of_freedom:
        # All of them are at risk at the first event, and not all of those have it: the rest is of full rank.
        # Without the largest, the rest can be solved most exactly.
        kept = np.delete(compared, np.argmax(variance[compared]))
        overall = float(deviation[kept] @ np.linalg.solve(covariance[np.ix_(kept, kept)], deviation[kept]))
    return LogRank(
        observed,
        expected,
        covariance,
        chi_square,
        chi2.sf(chi_square, 1),
        overall,
        degrees_of_freedom,
        float(chi2.sf(overall, degrees_of_freedom)) if degrees_of_freedom else np.nan,
    )


def compare_segments(risk_sets: pa.Table) -> pa.Table:
    """The rows of `int_survival_tests` from those of `int_survival_risk_sets`, in the order of their key.

    Nulls stand where there is nothing to compare. Without rows the table is empty and has its types.
    """
    rows = risk_sets.sort_by([(column, "ascending") for column in (*_KEY, "tenure_days")]).to_pydict()
    segments: dict[tuple[str, str], dict[str, list[int]]] = {}
    for number, key in enumerate(zip(*(rows[column] for column in _KEY), strict=True)):
        segments.setdefault(key[:2], {}).setdefault(key[2], []).append(number)

    at_risk, churned = (
        np.array(rows[f"{name}_customers"], dtype=np.int64) for name in ("at_risk", "churned")
    )
    found: list[dict[str, Any]] = []
    for (basis, segment_type), values in segments.items():
        # Each segment has a row for each day: a rectangle.
        cells = np.array(list(values.values()))
        test = log_rank(at_risk[cells], churned[cells])
        for number, value in enumerate(values):
            found.append(
                {
                    "basis": basis,
                    "segment_type": segment_type,
                    "segment_value": value,
                    "expected_churned_customers": test.expected[number],
                    "log_rank_chi_square": _known(test.chi_square[number]),
                    "log_rank_p_value": _known(test.p_value[number]),
                    "segment_type_chi_square": _known(test.overall_chi_square),
                    "segment_type_degrees_of_freedom": test.degrees_of_freedom or None,
                    "segment_type_p_value": _known(test.overall_p_value),
                }
            )
    return pa.Table.from_pylist(found, schema=_SCHEMA)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
