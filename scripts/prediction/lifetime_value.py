"""What the value models ask of a warehouse, and what they give back: cells in, fits and scores out.

A cell is a distinct history with the number of customers who share it; the models know customers by their
cells alone, so an engine that can group rows can use them. `models/intermediate/int_clv_*.py` hand the
cells over as Arrow tables on DuckDB; nothing in here knows of an engine. Time is counted in weeks of seven
days in the orders' models, in terms (billing intervals) in the subscriptions'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from scripts.prediction import bg_nbd, gamma_gamma, sbg
from scripts.prediction.fitting import Fit

DAYS_PER_WEEK = 7
WEEKS_PER_YEAR = 365 / DAYS_PER_WEEK

# Months that a subscription pays for with each renewal; a week is the share of a month that MRR takes it for.
TERM_MONTHS: dict[str, float] = {"week": 12 / 52, "month": 1, "quarter": 3, "year": 12}

# Months ahead that stand for 90 and 365 days.
QUARTER_MONTHS, YEAR_MONTHS = 3, 12

# A curve of renewals is drawn to this many times the renewals that have been seen.
PROJECTED_HISTORIES = 2

PARAMETERS = ("r", "alpha", "a", "b", "p", "q", "v", "beta")

_KEY = (
    ("window_name", pa.string()),
    ("segment_type", pa.string()),
    ("segment_value", pa.string()),
)
FIT_SCHEMA = pa.schema(
    [
        *_KEY,
        ("model", pa.string()),
        ("billing_interval", pa.string()),
        ("customers", pa.int64()),
        ("informative_customers", pa.int64()),
        ("cells", pa.int64()),
        ("is_fitted", pa.bool_()),
        ("is_converged", pa.bool_()),
        ("log_likelihood", pa.float64()),
        ("starts", pa.int64()),
        ("iterations", pa.int64()),
        ("bounded_parameters", pa.string()),
        ("reason", pa.string()),
        *((name, pa.float64()) for name in PARAMETERS),
        *((f"{name}_standard_error", pa.float64()) for name in PARAMETERS),
    ]
)
ORDER_SCORE_SCHEMA = pa.schema(
    [
        *_KEY,
        ("frequency", pa.int64()),
        ("recency_days", pa.int64()),
        ("age_days", pa.int64()),
        ("probability_alive", pa.float64()),
        ("expected_orders_90_days", pa.float64()),
        ("expected_orders_365_days", pa.float64()),
        ("discounted_orders_365_days", pa.float64()),
        ("expected_orders_holdout", pa.float64()),
    ]
)
VALUE_SCORE_SCHEMA = pa.schema(
    [
        *_KEY,
        ("valued_frequency", pa.int64()),
        ("mean_repeat_value", pa.decimal128(18, 4)),
        ("expected_order_value", pa.float64()),
    ]
)
RENEWAL_SCORE_SCHEMA = pa.schema(
    [
        *_KEY,
        ("billing_interval", pa.string()),
        ("renewals", pa.int64()),
        ("begun_months_of_term", pa.int64()),
        ("expected_paid_months_90_days", pa.float64()),
        ("expected_paid_months_365_days", pa.float64()),
        ("discounted_paid_months_365_days", pa.float64()),
        ("expected_renewed_months_holdout", pa.float64()),
        ("renewable_months_holdout", pa.int64()),
    ]
)
RENEWAL_CURVE_SCHEMA = pa.schema(
    [
        *_KEY,
        ("billing_interval", pa.string()),
        ("renewals", pa.int64()),
        ("survival_rate", pa.float64()),
        ("renewal_rate", pa.float64()),
        ("discounted_residual_terms", pa.float64()),
    ]
)

Key = tuple[str, ...]


def fit_models(
    order_cells: pa.Table,
    value_cells: pa.Table,
    renewal_cells: pa.Table,
    windows: pa.Table,
    settings: Mapping[str, Any],
) -> pa.Table:
    """Fit BG/NBD and Gamma-Gamma to the cells of orders, the shifted beta-geometric to those of renewals.

    One row per window, model, billing interval and segment that was tried, as `FIT_SCHEMA`: the pooled fit
    always, where there are cells, and a segment's own where `clv_segment_minimum_customers` of its
    customers told something in the calibration window. A row without a fit has no parameters, and its
    reason. `settings` is the row of int_settings.
    """
    days = {row["window_name"]: row["history_days"] for row in windows.to_pylist()}
    orders = dict(_groups(order_cells, ("window_name", "segment_type", "segment_value")))
    values = dict(_groups(value_cells, ("window_name", "segment_type", "segment_value")))
    renewals = dict(
        _groups(renewal_cells, ("window_name", "segment_type", "segment_value", "billing_interval"))
    )
    rows = []
    for key in _tried(orders, _repeat_customers, settings):
        cells = orders[key]
        obstacle = _obstacle(days[key[0]], _repeat_customers(cells), "ordered again", settings)
        fit = obstacle or bg_nbd.fit(
            cells["frequency"],
            cells["recency_days"] / DAYS_PER_WEEK,
            cells["age_days"] / DAYS_PER_WEEK,
            cells["customers"],
        )
        rows.append(_fit_row(key, "bg_nbd", "none", cells["customers"], _repeat_customers(cells), fit))

        spent = values[key]
        valued = int(spent["customers"][spent["valued_frequency"] > 0].sum())
        obstacle = _obstacle(days[key[0]], valued, "ordered again at a price", settings)
        fit = obstacle or gamma_gamma.fit(
            spent["valued_frequency"], spent["mean_repeat_value"], spent["customers"]
        )
        rows.append(_fit_row(key, "gamma_gamma", "none", spent["customers"], valued, fit))
    for key in _tried(renewals, _decided_contracts, settings):
        cells = renewals[key]
        decided = _decided_contracts(cells)
        obstacle = _obstacle(days[key[0]], decided, "came up for renewal", settings)
        fit = obstacle or sbg.fit(cells["renewals"], cells["is_ended"], cells["contracts"])
        rows.append(_fit_row(key[:3], "sbg", key[3], cells["contracts"], decided, fit))
    return pa.Table.from_pylist(rows, schema=FIT_SCHEMA)


def score_orders(
    order_cells: pa.Table, fits: pa.Table, windows: pa.Table, settings: Mapping[str, Any]
) -> pa.Table:
    """Score each cell of each BG/NBD fit, as `ORDER_SCORE_SCHEMA`.

    The full window looks ahead 90 and 365 days from its end, orders of a year discounted by
    `clv_annual_discount_rate`; the calibration window over the part of the history held out.
    """
    holdout = {row["window_name"]: row["holdout_days"] for row in windows.to_pylist()}
    tables = []
    for key, parameters, cells in _fitted(order_cells, fits, "bg_nbd"):
        history = (
            parameters,
            cells["frequency"],
            cells["recency_days"] / DAYS_PER_WEEK,
            cells["age_days"] / DAYS_PER_WEEK,
        )
        columns = {name: cells[name] for name in ("frequency", "recency_days", "age_days")}
        columns["probability_alive"] = bg_nbd.probability_alive(*history)
        if holdout[key[0]] is None:
            columns["expected_orders_90_days"] = bg_nbd.expected_purchases(*history, 90 / DAYS_PER_WEEK)
            columns["expected_orders_365_days"] = bg_nbd.expected_purchases(*history, WEEKS_PER_YEAR)
            columns["discounted_orders_365_days"] = bg_nbd.discounted_expected_purchases(
                *history, WEEKS_PER_YEAR, settings["clv_annual_discount_rate"], WEEKS_PER_YEAR
            )
        else:
            columns["expected_orders_holdout"] = bg_nbd.expected_purchases(
                *history, holdout[key[0]] / DAYS_PER_WEEK
            )
        tables.append(_score_table(key, columns, ORDER_SCORE_SCHEMA))
    return pa.concat_tables([*tables, ORDER_SCORE_SCHEMA.empty_table()])


def score_values(value_cells: pa.Table, fits: pa.Table) -> pa.Table:
    """Score each cell of each Gamma-Gamma fit: the value of one purchase, as `VALUE_SCORE_SCHEMA`."""
    tables = []
    for key, parameters, cells in _fitted(value_cells, fits, "gamma_gamma"):
        columns = {
            "valued_frequency": cells["valued_frequency"],
            # The key to join by: the very decimals that came, not what a float makes of them.
            "mean_repeat_value": cells["exact"]["mean_repeat_value"],
            "expected_order_value": gamma_gamma.expected_value(
                parameters, cells["valued_frequency"], cells["mean_repeat_value"]
            ),
        }
        tables.append(_score_table(key, columns, VALUE_SCORE_SCHEMA))
    return pa.concat_tables([*tables, VALUE_SCORE_SCHEMA.empty_table()])


def score_renewals(
    renewal_cells: pa.Table, fits: pa.Table, windows: pa.Table, settings: Mapping[str, Any]
) -> pa.Table:
    """Score each cell of running contracts of each sBG fit: expected paid months, as
    `RENEWAL_SCORE_SCHEMA`.

    Months that the running term has paid for are certain, the others as likely as the renewals before them.
    In the calibration window only those others count: what is certain proves no model.
    """
    months_held_out = {row["window_name"]: row["holdout_months"] for row in windows.to_pylist()}
    tables = []
    for key, parameters, cells in _fitted(renewal_cells, fits, "sbg"):
        running = ~cells["is_ended"]
        renewals, begun = cells["renewals"][running], cells["begun_months_of_term"][running]
        holdout = months_held_out[key[0]]
        months = YEAR_MONTHS if holdout is None else int(holdout)
        chances, is_renewed = month_chances(parameters, renewals, begun, TERM_MONTHS[key[3]], months)
        columns: dict[str, Any] = {"renewals": renewals, "begun_months_of_term": begun}
        if holdout is None:
            # A month is worth what it is in its middle.
            discount = (1 + settings["clv_annual_discount_rate"]) ** -((np.arange(months) + 0.5) / 12)
            columns["expected_paid_months_90_days"] = chances[:, :QUARTER_MONTHS].sum(axis=1)
            columns["expected_paid_months_365_days"] = chances.sum(axis=1)
            columns["discounted_paid_months_365_days"] = chances @ discount
        else:
            columns["expected_renewed_months_holdout"] = (chances * is_renewed).sum(axis=1)
            columns["renewable_months_holdout"] = is_renewed.sum(axis=1)
        tables.append(_score_table(key, columns, RENEWAL_SCORE_SCHEMA))
    return pa.concat_tables([*tables, RENEWAL_SCORE_SCHEMA.empty_table()])


def month_chances(
    parameters: Mapping[str, float],
    renewals: np.ndarray,
    begun_months_of_term: np.ndarray,
    term_months: float,
    months: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The chance that each of the next `months` months is paid, and whether that takes a renewal.

    Both of shape (contracts, months). `renewals` is how often a contract has been renewed,
    `begun_months_of_term` how many months of the running term have begun. Of terms shorter than a month the
    middle of the month counts.
    """
    ahead = np.arange(months)[np.newaxis, :]
    if term_months >= 1:
        opportunities = np.floor((begun_months_of_term[:, np.newaxis] + ahead) / term_months)
    else:
        opportunities = np.floor((ahead + 0.5) / term_months) + 0 * renewals[:, np.newaxis]
    later = (renewals[:, np.newaxis] + opportunities).ravel()
    chances = sbg.survival(parameters, later).reshape(opportunities.shape)
    return chances / sbg.survival(parameters, renewals)[:, np.newaxis], opportunities > 0


def renewal_curves(renewal_cells: pa.Table, fits: pa.Table, settings: Mapping[str, Any]) -> pa.Table:
    """The curve of each sBG fit of the full window, as `RENEWAL_CURVE_SCHEMA`.

    `survival_rate` after that number of renewals, of those who ever paid; `renewal_rate` of that renewal, of
    those who came up for it; `discounted_residual_terms` that a customer will still pay for just after it
    (DERL, Fader and Hardie 2010), at the annual discount rate of the settings.
    """
    tables = []
    for key, parameters, cells in _fitted(renewal_cells, fits, "sbg"):
        if key[0] != "full":
            continue
        numbers = np.arange(PROJECTED_HISTORIES * max(1, int(cells["renewals"].max())) + 1)
        terms_per_year = 12 / TERM_MONTHS[key[3]]
        discount = (1 + settings["clv_annual_discount_rate"]) ** (1 / terms_per_year) - 1
        columns = {
            "renewals": numbers,
            "survival_rate": sbg.survival(parameters, numbers),
            "renewal_rate": np.where(
                numbers > 0, sbg.retention_rate(parameters, np.maximum(numbers, 1)), np.nan
            ),
            "discounted_residual_terms": sbg.discounted_expected_residual_lifetime(
                parameters, numbers, discount
            ),
        }
        tables.append(_score_table(key, columns, RENEWAL_CURVE_SCHEMA))
    return pa.concat_tables([*tables, RENEWAL_CURVE_SCHEMA.empty_table()])


def _tried(groups: Mapping[Key, dict[str, Any]], informative: Any, settings: Mapping[str, Any]) -> list[Key]:
    """The keys to fit, sorted: pooled ones, and those of segments that were large enough when calibrated."""
    minimum = settings["clv_segment_minimum_customers"]
    return [
        key
        for key in sorted(groups)
        if key[1] == "all" or informative(groups.get(("calibration", *key[1:]), {})) >= minimum
    ]


def _repeat_customers(cells: Mapping[str, Any]) -> int:
    return int(cells["customers"][cells["frequency"] > 0].sum()) if cells else 0


def _decided_contracts(cells: Mapping[str, Any]) -> int:
    """Contracts that have come up for renewal."""
    return int(cells["contracts"][(cells["renewals"] > 0) | cells["is_ended"]].sum()) if cells else 0


def _obstacle(history_days: int, informative: int, did_what: str, settings: Mapping[str, Any]) -> str | None:
    """Why a fit is not tried at all; None if it is."""
    if history_days < settings["clv_minimum_history_days"]:
        return (
            f"{history_days} days of history are too few: "
            f"clv_minimum_history_days asks for {settings['clv_minimum_history_days']}"
        )
    if informative < settings["clv_minimum_customers"]:
        return (
            f"{informative} customers {did_what}, too few to learn from: "
            f"clv_minimum_customers asks for {settings['clv_minimum_customers']}"
        )
    return None


def _fit_row(
    key: Key, model: str, billing_interval: str, counts: np.ndarray, informative: int, fit: Fit | str
) -> dict[str, Any]:
    row = {
        "window_name": key[0],
        "segment_type": key[1],
        "segment_value": key[2],
        "model": model,
        "billing_interval": billing_interval,
        "customers": int(counts.sum()),
        "informative_customers": informative,
        "cells": len(counts),
    }
    if isinstance(fit, str):
        return row | {"is_fitted": False, "is_converged": False, "starts": 0, "iterations": 0, "reason": fit}
    return row | {
        "is_fitted": fit.is_fitted,
        "is_converged": fit.is_converged,
        "log_likelihood": fit.log_likelihood,
        "starts": fit.starts,
        "iterations": fit.iterations,
        "bounded_parameters": ", ".join(fit.bounded_parameters) or None,
        "reason": fit.reason,
        **fit.parameters,
        **{f"{name}_standard_error": error for name, error in fit.standard_errors.items()},
    }


def _fitted(
    cells: pa.Table, fits: pa.Table, model: str
) -> Iterator[tuple[Key, dict[str, float], dict[str, Any]]]:
    """Key, parameters and cells of each fit of a model that has parameters."""
    names = ["window_name", "segment_type", "segment_value"]
    if model == "sbg":
        names.append("billing_interval")
    groups = dict(_groups(cells, tuple(names)))
    for row in fits.to_pylist():
        if row["model"] == model and row["is_fitted"]:
            key = tuple(row[name] for name in names)
            parameters = {name: row[name] for name in PARAMETERS if row[name] is not None}
            yield key, parameters, groups[key]


def _groups(table: pa.Table, names: tuple[str, ...]) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The rows of each distinct key, as arrays by column; decimals as floats, and as they were under
    `exact`.
    """
    if not table.num_rows:
        return
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for name in names:
        encoded = table.column(name).combine_chunks().dictionary_encode()
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0])
    for first, end in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = table.take(pa.array(order[first:end]))
        key = tuple(rows.column(name)[0].as_py() for name in names)
        arrays: dict[str, Any] = {"exact": {}}
        for name in table.column_names:
            if name in names:
                continue
            column = rows.column(name)
            if pa.types.is_decimal(column.type):
                arrays["exact"][name] = column
                column = column.cast(pa.float64())
            arrays[name] = column.to_numpy()
        yield key, arrays


def _score_table(key: Key, columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """A table of `schema` with one key; columns that are not given, and values that are no numbers, are
    null.
    """
    rows = len(next(iter(columns.values())))
    constants = dict(
        zip(("window_name", "segment_type", "segment_value", "billing_interval"), key, strict=False)
    )
    arrays = []
    for field in schema:
        if field.name in constants:
            arrays.append(pa.array([constants[field.name]] * rows, field.type))
        elif field.name not in columns:
            arrays.append(pa.nulls(rows, field.type))
        elif isinstance(columns[field.name], np.ndarray):
            arrays.append(pa.array(columns[field.name], field.type, from_pandas=True))
        else:
            arrays.append(columns[field.name].cast(field.type))
    return pa.Table.from_arrays([_flat(array) for array in arrays], schema=schema)


def _flat(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
