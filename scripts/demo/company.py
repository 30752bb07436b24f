"""Draws the whole company: puts the processes together, plants what landing must notice, keeps the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from scripts.demo.feedback import make_feedback
from scripts.demo.money import Rates, make_marketing_spend
from scripts.demo.parameters import Parameters
from scripts.demo.people import People, make_people, people_table
from scripts.demo.shop import make_shop
from scripts.demo.subscriptions import make_subscriptions
from scripts.demo.usage import make_usage

# Bulk files hold a year or a month each, then comes a file per day.
# "snapshot": one file that is rewritten every day.
PERIODS = {
    "customers": "year",
    "orders": "year",
    "order_items": "year",
    "refunds": "year",
    "subscriptions": "snapshot",
    "survey_invitations": "year",
    "survey_responses": "year",
    "usage_events": "month",
    "support_tickets": "year",
    "payment_failures": "year",
    "marketing_spend": "snapshot",
    "exchange_rates": "snapshot",
}
# Tables whose rows come again when they change: the column that says which row it is.
_VERSIONED = {"orders": "number", "support_tickets": "ticket", "payment_failures": "failure"}

# What is planted per table, see deliveries.py for the damage: name -> rows it takes in the file. Landing
# refuses all but `duplicate`, a byte-identical repetition.
PLANTED: dict[str, dict[str, int]] = {
    "customers": {"missing_key": 1, "duplicate": 1},
    "orders": {
        "negative_amount": 1,
        "unknown_currency": 1,
        "unconvertible_date": 1,
        "unknown_status": 1,
        "conflicting_key": 2,
        "duplicate": 1,
    },
    "order_items": {"zero_quantity": 1, "duplicate": 1},
    "refunds": {"zero_amount": 1, "duplicate": 1},
    "subscriptions": {"ended_before_started": 1, "unknown_interval": 1, "conflicting_key": 2},
    "survey_responses": {"score_eleven": 1, "fractional_score": 1, "duplicate": 1},
    "usage_events": {"negative_uses": 1},
    "support_tickets": {"satisfaction_nine": 1},
    "payment_failures": {"missing_customer": 1},
}
# One planted row of each kind per this number of good ones, and a most: far below what would stop a landing.
PLANTED_EVERY, PLANTED_AT_MOST = 1500, 12


@dataclass(frozen=True)
class Company:
    """A generated company.

    `tables`: per raw table what its system knows, sorted by `delivered` (day number of the file a row comes
    in). `planted`: per raw table `row` (position in the table of the row that is copied), `kind` and
    `serial`. `people`, `spells`, `buyers`: the latent truth, one entry per customer, subscription and buyer.
    """

    parameters: Parameters
    tables: dict[str, pa.Table]
    planted: dict[str, pa.Table]
    sentences: list[str]
    rates: Rates
    people: People
    spells: dict[str, np.ndarray] = field(repr=False)
    buyers: dict[str, np.ndarray] = field(repr=False)


def file_days(parameters: Parameters, period: str) -> np.ndarray:
    """The last days of the files of a table, in order: bulk files by period, then one per day."""
    daily = np.arange(parameters.base_day + 1, parameters.last_day + 1)
    if period == "snapshot":
        return np.array([parameters.last_day])
    months = np.array([parameters.first_day]).astype("M8[D]").astype("M8[M]") + np.arange(1, 40)
    ends = months.astype("M8[D]").astype(np.int64) - 1
    if period == "year":
        ends = ends[months.astype(np.int64) % 12 == 0]
    bulk = ends[(ends >= parameters.first_day) & (ends < parameters.base_day)]
    return np.concatenate([bulk, [parameters.base_day], daily])


def _latest_per_file(columns: dict[str, np.ndarray], key: str, ends: np.ndarray) -> dict[str, np.ndarray]:
    """Drop versions that a later one in the same file supersedes: a system exports a row once per file."""
    in_file = np.searchsorted(ends, columns["delivered"])
    # Versions are in order of their time in the columns; lexsort is stable.
    order = np.lexsort((columns["delivered"], columns[key], in_file))
    same_as_next = (columns[key][order][:-1] == columns[key][order][1:]) & (
        in_file[order][:-1] == in_file[order][1:]
    )
    keep = np.sort(order[np.concatenate([~same_as_next, [True]])]) if order.size else order
    return {name: values[keep] for name, values in columns.items()}


def _plant(parameters: Parameters, table: str, rows: int) -> pa.Table:
    """Choose the rows whose damaged copies are planted: none in a small table."""
    random = parameters.random("planted " + table)
    chosen, kinds, serials = [], [], []
    kinds_of_table = PLANTED.get(table, {})
    for kind, size in kinds_of_table.items():
        number = min(rows // PLANTED_EVERY, PLANTED_AT_MOST)
        if number == 0 and rows >= 300 * len(kinds_of_table):
            number = 1
        for row in random.integers(0, max(rows, 1), number):
            for copy in range(size):
                chosen.append(int(row))
                kinds.append(kind if size == 1 else f"{kind}_{copy + 1}")
                serials.append(len(set(serials)) if copy == 0 else serials[-1])
    return pa.table(
        {
            "row": pa.array(chosen, pa.int64()),
            "kind": pa.array(kinds, pa.string()),
            "serial": pa.array(serials, pa.int64()),
        }
    )


def _rates_table(parameters: Parameters, rates: Rates) -> dict[str, np.ndarray]:
    published = rates.is_published
    # The demo's currencies, the reporting one first, see parameters.py.
    _, euro, pound, dong = rates.by_currency
    days = rates.days[published]
    return {
        "delivered": np.maximum(days, parameters.first_day),
        "day": days,
        "eur": euro[published],
        "gbp": pound[published],
        "vnd": dong[published],
    }


def generate(parameters: Parameters) -> Company:
    """Draw the company that the parameters stand for."""
    people = make_people(parameters)
    rates = Rates(parameters)
    shop = make_shop(parameters, people, rates)
    subscriptions = make_subscriptions(parameters, people)
    feedback = make_feedback(parameters, people, shop, subscriptions)
    columns = {
        "customers": people_table(people),
        "orders": shop.orders,
        "order_items": shop.items,
        "refunds": shop.refunds,
        "subscriptions": {**subscriptions.rows, "text": feedback.cancel_texts},
        "survey_invitations": feedback.invitations,
        "survey_responses": feedback.responses,
        "usage_events": make_usage(parameters, people, subscriptions.spells),
        "support_tickets": feedback.tickets,
        "payment_failures": subscriptions.failures,
        "marketing_spend": make_marketing_spend(parameters, people.signed_up),
        "exchange_rates": _rates_table(parameters, rates),
    }
    tables = {}
    for name, period in PERIODS.items():
        of_table = columns.pop(name)
        if name in _VERSIONED:
            of_table = _latest_per_file(of_table, _VERSIONED[name], file_days(parameters, period))
        if (np.diff(of_table["delivered"]) < 0).any():
            order = np.argsort(of_table["delivered"], kind="stable")
            of_table = {column: values[order] for column, values in of_table.items()}
        tables[name] = pa.table({column: pa.array(values) for column, values in of_table.items()})
    return Company(
        parameters=parameters,
        tables=tables,
        planted={name: _plant(parameters, name, table.num_rows) for name, table in tables.items()},
        sentences=feedback.sentences,
        rates=rates,
        people=people,
        spells=subscriptions.spells,
        buyers=shop.buyers,
    )
