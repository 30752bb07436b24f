"""Subscriptions, renewal by renewal: plan changes, a price rise, cancellations, failed payments, returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.demo.parameters import (
    BOTH,
    CURRENCIES,
    DAY_SECONDS,
    PLAN_PRICES,
    PLAN_SHARES,
    PLANS,
    REASONS,
    SUBSCRIBER,
    SUBSCRIPTION_PROCESS,
    Parameters,
    add_months,
    seconds_of_day,
)
from scripts.demo.people import People

MONTH, YEAR = range(2)
NOT_CANCELLED, VOLUNTARY, INVOLUNTARY = range(3)
CANCEL_TYPES = ("", "voluntary", "involuntary")
STEADY, FADING, VANISHED = range(3)
ENGAGEMENTS = ("steady", "fading", "vanished")
# Access goes on for this many days after the first of three failed payments.
GRACE_DAYS = 10

# Hundredths of the currency per month: [currency][price version][plan].
_PRICES = np.array([PLAN_PRICES[name] for name in CURRENCIES])
# How often a reason is the true one, for an average customer; `price` rises with the prices.
_REASON_SHARES = np.array([0.15, 0.20, 0.16, 0.14, 0.18, 0.07, 0.05, 0.05])
# The chance that use fades before somebody leaves for that reason.
_FADE_SHARES = np.array([0.75, 0.88, 0.88, 0.88, 0.97, 0.30, 0.30, 0.75])


@dataclass(frozen=True)
class Subscriptions:
    """`rows` are the periods as billed, `spells` the unbroken subscriptions they make up; day -1 is none."""

    rows: dict[str, np.ndarray]
    spells: dict[str, np.ndarray]
    failures: dict[str, np.ndarray]


class _Recorder:
    """Collects columns of rows that come in batches."""

    def __init__(self) -> None:
        self._batches: list[dict[str, np.ndarray]] = []

    def add(self, **columns: np.ndarray | int) -> None:
        size = max(np.size(values) for values in columns.values() if not np.isscalar(values))
        self._batches.append({name: np.broadcast_to(values, size) for name, values in columns.items()})

    def columns(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        return {
            name: np.concatenate([batch[name] for batch in self._batches] or [np.zeros(0)]).astype(np.int64)
            for name in names
        }


ROW_COLUMNS = ("spell", "plan", "interval", "amount", "discount", "started", "ended")
FAILURE_COLUMNS = ("customer", "day", "amount", "currency", "recovered_on")
SPELL_COLUMNS = (
    "customer",
    "started",
    "ended",
    "requested",
    "cancel_type",
    "true_reason",
    "engagement",
    "fade_started",
    "vanish_days",
    "is_annual",
)


def _simulate(
    random: np.random.Generator,
    parameters: Parameters,
    people: People,
    customer: np.ndarray,
    started: np.ndarray,
    first_spell: int,
    rows: _Recorder,
    failures: _Recorder,
) -> dict[str, np.ndarray]:
    """Live through one subscription per entry of `customer`; returns its spells, in that order."""
    process = SUBSCRIPTION_PROCESS
    count = customer.size
    last_day = parameters.last_day
    satisfaction = people.satisfaction[customer]
    currency = people.currency[customer].astype(np.int64)
    plan = random.choice(len(PLANS), size=count, p=PLAN_SHARES)
    interval = np.where(random.random(count) < 0.32, YEAR, MONTH)
    price_version = (started >= parameters.price_rise_day).astype(np.int64)
    # A coupon: a fifth off for the first three months, a tenth off for good when paid by the year.
    has_coupon = random.random(count) < 0.15
    vanishes = random.random(count) < process["vanish"]

    def price(of: np.ndarray) -> np.ndarray:
        monthly = _PRICES[currency[of], price_version[of], plan[of]]
        return monthly * np.where(interval[of] == YEAR, 10, 1)

    def discount(of: np.ndarray) -> np.ndarray:
        share = np.where(has_coupon[of], np.where(interval[of] == YEAR, 10, 20), 0)
        return price(of) * share // 100

    is_live = np.ones(count, dtype=bool)
    row_started = started.copy()
    amount, reduction, row_plan = price(np.arange(count)), discount(np.arange(count)), plan.copy()
    renewals_since_rise = np.zeros(count, dtype=np.int64)
    spells = {name: np.full(count, -1, dtype=np.int64) for name in SPELL_COLUMNS}
    spells |= {"customer": customer, "started": started, "is_annual": (interval == YEAR).astype(np.int64)}
    spells["cancel_type"][:] = NOT_CANCELLED
    spells["engagement"][:] = np.where(vanishes, VANISHED, STEADY)
    spells["vanish_days"][vanishes] = random.integers(1, 13, int(vanishes.sum()))

    def close_row(of: np.ndarray, day: np.ndarray | int) -> None:
        if of.size:
            rows.add(
                spell=of + first_spell,
                plan=row_plan[of],
                interval=interval[of],
                amount=amount[of],
                discount=reduction[of],
                started=row_started[of],
                ended=day,
            )

    for month in range(1, 40):
        due = np.flatnonzero(is_live & ((interval == MONTH) | (month % 12 == 0)))
        boundary = add_months(started[due], month)
        near = boundary <= last_day + 60
        due, boundary = due[near], boundary[near]
        if not due.size:
            continue
        annual = interval[due] == YEAR
        before_rise = price_version[due] == 0
        is_risen = boundary >= parameters.price_rise_day
        renewals_since_rise[due] += before_rise & is_risen

        # Does the customer give notice during the period that ends here?
        usual = np.where(annual, process["annual_voluntary"], process["monthly_voluntary"])
        usual = usual * np.exp(process["satisfaction_effect"] * satisfaction[due])
        usual = np.where(~annual & (month == 1), usual * 1.6, usual)
        usual = np.where(vanishes[due], 0.9, usual)
        extra = np.zeros(due.size)
        first_time = before_rise & is_risen
        extra[first_time] = process["price_rise_extra_first_renewal"]
        was_before = (started[due] < parameters.price_rise_day) & ~annual
        second_time = was_before & ~before_rise & (renewals_since_rise[due] == 1)
        extra[second_time] = process["price_rise_extra_second_renewal"]
        renewals_since_rise[due[second_time]] += 1

        usual_leaves = random.random(due.size) < usual
        price_leaves = (random.random(due.size) < extra) & ~usual_leaves
        notice = np.where(annual, random.integers(1, 61, due.size), random.integers(1, 26, due.size))
        requested = boundary - notice
        leaves = (usual_leaves | price_leaves) & (requested <= last_day)
        shares = np.tile(_REASON_SHARES, (due.size, 1))
        shares[:, REASONS.index("poor_service")] *= np.exp(-0.8 * satisfaction[due])
        shares[:, REASONS.index("not_using")] += np.where(vanishes[due], 3.0, 0.0)
        cumulative = np.cumsum(shares, axis=1)
        draw = random.random(due.size) * cumulative[:, -1]
        reason = (draw[:, None] >= cumulative).sum(axis=1)
        reason = np.where(price_leaves, REASONS.index("price"), reason)

        # A failed payment is either mended within days or, after three attempts, ends the subscription.
        inside = ~leaves & (boundary <= last_day)
        fails_for_good = inside & (
            random.random(due.size)
            < np.where(annual, process["annual_involuntary"], process["monthly_involuntary"])
        )
        fails_once = inside & ~fails_for_good & (random.random(due.size) < 0.025)

        go = due[leaves]
        spells["ended"][go] = boundary[leaves]
        spells["requested"][go] = np.maximum(requested[leaves], started[go])
        spells["cancel_type"][go] = VOLUNTARY
        spells["true_reason"][go] = reason[leaves]
        fades = (random.random(due.size) < _FADE_SHARES[reason])[leaves] & ~vanishes[go]
        fade_days = random.integers(35, 71, due.size)[leaves]
        spells["engagement"][go[fades]] = FADING
        spells["fade_started"][go[fades]] = np.maximum(spells["requested"][go] - fade_days, started[go])[
            fades
        ]
        close_row(go, boundary[leaves])

        lost = due[fails_for_good]
        lost_boundary = boundary[fails_for_good]
        for attempt in (0, 3, 7):
            happened = lost_boundary + attempt <= last_day
            if happened.any():
                failures.add(
                    customer=customer[lost][happened],
                    day=(lost_boundary + attempt)[happened],
                    amount=(amount - reduction)[lost][happened],
                    currency=currency[lost][happened],
                    recovered_on=-1,
                )
        ends_in_time = lost_boundary + GRACE_DAYS <= last_day
        gone = lost[ends_in_time]
        spells["ended"][gone] = lost_boundary[ends_in_time] + GRACE_DAYS
        spells["cancel_type"][gone] = INVOLUNTARY
        close_row(gone, lost_boundary[ends_in_time] + GRACE_DAYS)

        mended = due[fails_once]
        if mended.size:
            failures.add(
                customer=customer[mended],
                day=boundary[fails_once],
                amount=(amount - reduction)[mended],
                currency=currency[mended],
                recovered_on=boundary[fails_once] + random.integers(1, 6, mended.size),
            )

        # Who stays may change the plan; a change, a new price or an expired coupon opens a new row.
        is_live[go] = False
        is_live[lost] = False
        # Not yet ended on the last day: the open row is what is known.
        close_row(lost[~ends_in_time], -1)
        stays = inside & ~fails_for_good
        stay, day = due[stays], boundary[stays]
        up = (random.random(due.size) < process["upgrade"] * np.exp(0.3 * satisfaction[due]))[stays]
        down = (random.random(due.size) < process["downgrade"])[stays]
        scale = np.where(interval[stay] == YEAR, 6.0, 1.0)
        up |= (random.random(due.size)[stays] < process["upgrade"] * (scale - 1)) & (scale > 1)
        plan[stay] = np.clip(plan[stay] + up - (down & ~up), 0, len(PLANS) - 1)
        price_version[stay] = np.where(day >= parameters.price_rise_day, 1, price_version[stay])
        has_coupon[stay] &= (interval[stay] == YEAR) | (month < 3)
        new_amount, new_reduction = price(stay), discount(stay)
        differs = (
            (new_amount != amount[stay]) | (new_reduction != reduction[stay]) | (plan[stay] != row_plan[stay])
        )
        close_row(stay[differs], day[differs])
        changed = stay[differs]
        row_started[changed] = day[differs]
        amount[changed], reduction[changed] = new_amount[differs], new_reduction[differs]
        row_plan[changed] = plan[changed]

    close_row(np.flatnonzero(is_live), -1)
    return spells


def make_subscriptions(parameters: Parameters, people: People) -> Subscriptions:
    """Draw up to three subscriptions per subscriber, each after a gap of at least ten days."""
    random = parameters.random("subscriptions")
    process = SUBSCRIPTION_PROCESS
    customer = np.flatnonzero((people.kind == SUBSCRIBER) | (people.kind == BOTH))
    lag = np.where(
        people.kind[customer] == BOTH,
        random.integers(0, 121, customer.size),
        np.minimum(random.exponential(4, customer.size), 20).astype(np.int64),
    )
    lag[0:1] = 20
    started = people.signed_up[customer] // DAY_SECONDS + lag
    customer, started = customer[started <= parameters.last_day], started[started <= parameters.last_day]

    rows, failures = _Recorder(), _Recorder()
    rounds: list[dict[str, np.ndarray]] = []
    total = 0
    for _ in range(3):
        if not customer.size:
            break
        spells = _simulate(random, parameters, people, customer, started, total, rows, failures)
        rounds.append(spells)
        total += customer.size
        chance = np.choose(
            spells["cancel_type"], [0.0, process["reactivate_voluntary"], process["reactivate_involuntary"]]
        )
        back = (random.random(customer.size) < chance) & (spells["engagement"] != VANISHED)
        gap = 10 + random.exponential(75, customer.size).astype(np.int64)
        again = spells["ended"] + gap
        back &= again <= parameters.last_day
        customer, started = customer[back], again[back]

    spells = {
        name: np.concatenate([one[name] for one in rounds] or [np.zeros(0, np.int64)])
        for name in SPELL_COLUMNS
    }
    return Subscriptions(
        rows=_finish_rows(parameters, spells, rows.columns(ROW_COLUMNS), people),
        spells=spells,
        failures=_finish_failures(parameters, failures.columns(FAILURE_COLUMNS)),
    )


def _finish_rows(
    parameters: Parameters, spells: dict[str, np.ndarray], rows: dict[str, np.ndarray], people: People
) -> dict[str, np.ndarray]:
    """Rows in the order of their start, with what the shop's system says about their end, right or wrong."""
    random = parameters.random("subscription rows")
    order = np.lexsort((rows["spell"], rows["started"]))
    rows = {name: values[order] for name, values in rows.items()}
    spell = rows["spell"]
    count = spell.size
    is_last = (rows["ended"] == spells["ended"][spell]) & (rows["ended"] >= 0)
    cancel_type = np.where(is_last, spells["cancel_type"][spell], NOT_CANCELLED)
    voluntary = cancel_type == VOLUNTARY
    true_reason = np.where(voluntary, spells["true_reason"][spell], -1)

    # What people say: the truth mostly, else nothing or `other`.
    u = random.random(count)
    stated = np.where(u < 0.85, true_reason, np.where(u < 0.95, -1, REASONS.index("other")))
    stated = np.where(voluntary, stated, -1)

    # The end of a billed period is sometimes some days late when the plan changed: two periods overlap.
    is_change = (rows["ended"] >= 0) & ~is_last
    overlap = is_change & (random.random(count) < 0.02)
    reported_end = rows["ended"] + np.where(overlap, random.integers(3, 11, count), 0)
    known_end = np.where(voluntary, spells["requested"][spell], rows["ended"])
    # Some requests are booked after the subscription was over.
    requested = np.where(voluntary, spells["requested"][spell], -1)
    late = voluntary & (random.random(count) < 0.01) & (rows["ended"] + 2 <= parameters.last_day)
    requested = np.where(late, rows["ended"] + 2, requested)
    known_end = np.where(late, rows["ended"] + 2, known_end)
    return rows | {
        "delivered": rows["started"],
        "customer": spells["customer"][spell],
        "currency": people.currency[spells["customer"][spell]].astype(np.int8),
        "reported_end": reported_end,
        "known_end": np.where(rows["ended"] < 0, parameters.last_day + 1, known_end),
        "requested": requested,
        "cancel_type": cancel_type.astype(np.int8),
        "true_reason": true_reason.astype(np.int8),
        "stated_reason": stated.astype(np.int8),
        "is_overlap": overlap,
        "is_late_request": late,
    }


def _finish_failures(parameters: Parameters, failures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A row per version of a failure: first open, then recovered."""
    random = parameters.random("failures")
    order = np.lexsort((failures["customer"], failures["day"]))
    failures = {name: values[order] for name, values in failures.items()}
    count = order.size
    recovered = (failures["recovered_on"] >= 0) & (failures["recovered_on"] <= parameters.last_day)
    rows = np.concatenate([np.arange(count), np.flatnonzero(recovered)])
    seconds = failures["day"] * DAY_SECONDS + seconds_of_day(random, count)
    is_second = np.arange(rows.size) >= count
    return {
        "delivered": np.where(is_second, failures["recovered_on"][rows], failures["day"][rows]),
        "failure": rows,
        "customer": failures["customer"][rows],
        "seconds": seconds[rows],
        "amount": failures["amount"][rows],
        "currency": failures["currency"][rows].astype(np.int8),
        "is_recovered": is_second,
        "is_final": is_second | ~recovered[rows],
    }
