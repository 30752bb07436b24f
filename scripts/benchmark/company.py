"""A company of any size by a stated process, block by block, the same for the same seed.

Customers come evenly over the history and buy as BG/NBD says: at random with a rate of their own, and after
each further purchase they leave for good with a probability of their own. What they spend is Gamma-Gamma: an
order varies around a mean of the customer, independently of how often they buy. With relationships a tenth of
them also subscribe (renewing as the shifted beta-geometric says), use the product, are asked in surveys and
open tickets.

Customers are drawn in blocks of a fixed size, each from a random stream of its own: what is drawn for a
customer depends neither on how many there are nor on how the blocks are put into files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

# So many customers are in memory at once, with all they do.
BLOCK = 20_000

SECONDS_PER_DAY = 86_400
_DAY = np.timedelta64(1, "D")

COUNTRIES = {"US": 0.4, "GB": 0.2, "DE": 0.15, "FR": 0.1, "VN": 0.08, "JP": 0.07}
CHANNELS = {"organic": 0.3, "search": 0.25, "social": 0.2, "email": 0.1, "referral": 0.1, "affiliate": 0.05}
PLANS = {"basic": 0.5, "plus": 0.35, "pro": 0.15}
# In cents a month; a year costs ten months.
PRICES = np.array([900, 1900, 4900])
FEATURES = ("editor", "export", "sharing")
REASONS = ("too_expensive", "not_used", "missing_feature", "competitor")
COMMENTS = (
    "Great product, easy to use",
    "Too expensive for what it does",
    "Support never answers",
    "Delivery was late again",
    "The app is slow",
)

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Process:
    """What customers do. Rates are per week, as in the literature; amounts in the reporting currency.

    `purchases`: BG/NBD's r, alpha, a, b. `spend`: Gamma-Gamma's p, q, v. `renewals`: alpha and beta of the
    shifted beta-geometric model, by term. Each customer has traits of their own, drawn independently.
    """

    first_day: date = date(2023, 1, 1)
    days: int = 1096
    purchases: dict[str, float] = field(default_factory=lambda: {"r": 0.9, "alpha": 10.0, "a": 0.8, "b": 4.7})
    spend: dict[str, float] = field(default_factory=lambda: {"p": 6.25, "q": 3.75, "v": 15.5})
    renewals: dict[str, float] = field(default_factory=lambda: {"alpha": 0.67, "beta": 3.8})
    # So many orders are reduced, by a tenth of what is paid for them.
    discounted_share: float = 0.15
    subscriber_share: float = 0.1
    yearly_share: float = 0.2
    use_share: float = 0.35
    days_between_surveys: int = 90
    response_share: float = 0.4
    days_between_tickets: float = 120.0

    @property
    def last_day(self) -> date:
        """The last day with events."""
        return (np.datetime64(self.first_day) + (self.days - 1) * _DAY).item()


@dataclass(frozen=True)
class Company:
    """A made-up company: the same seed and number of customers give the same rows."""

    customers: int
    seed: int = 1
    has_relationships: bool = False
    process: Process = field(default_factory=Process)

    @property
    def blocks(self) -> int:
        """How many blocks the customers come in; the last one may be cut."""
        return -(-self.customers // BLOCK)


@dataclass(frozen=True)
class Block:
    """Some customers and all they did: the columns of each table as arrays of one length, by its name.

    `customer` is the number of a customer, from 0; `at` a second, `day` and its like a day since the history
    began, -1 for none; `net`, `discount` and `cents` are hundredths; `country`, `plan` and their like places
    in the lists above, -1 for none. `place` numbers what a customer does of a kind, from 0. Orders are sorted
    by customer and time.
    """

    tables: dict[str, dict[str, np.ndarray]]


def blocks(company: Company) -> Iterator[Block]:
    """Draw the company block by block; at most one of them is in memory, if nobody keeps the others."""
    for number in range(company.blocks):
        yield draw_block(company, number)


def draw_block(company: Company, number: int) -> Block:
    """The block of that number, from 0."""
    process = company.process
    # Whole blocks are drawn and then cut: what a customer does depends on nothing but the seed.
    size = min(BLOCK, company.customers - number * BLOCK)
    people = _stream(company, number, 0)
    born = people.integers(0, process.days * SECONDS_PER_DAY, BLOCK)
    country = people.choice(len(COUNTRIES), BLOCK, p=list(COUNTRIES.values()))
    channel = people.choice(len(CHANNELS), BLOCK, p=list(CHANNELS.values()))
    orders = _orders(company, number, born)
    kept = orders["customer"] < size
    tables = {"orders": {name: column[kept] for name, column in orders.items()}}
    if company.has_relationships:
        for table, columns in _relationships(company, number, born).items():
            kept = columns["customer"] < size
            tables[table] = {name: column[kept] for name, column in columns.items()}
    first = number * BLOCK
    for columns in tables.values():
        columns["customer"] = columns["customer"] + first
    tables["customers"] = {
        "customer": np.arange(first, first + size),
        "at": born[:size],
        "country": country[:size],
        "channel": channel[:size],
    }
    return Block(tables)


def _stream(company: Company, block: int, purpose: int) -> np.random.Generator:
    """A random stream of its own for each block and purpose: one more table changes no other."""
    return np.random.default_rng(np.random.SeedSequence(company.seed, spawn_key=(block, purpose)))


def _orders(company: Company, number: int, born: Integers) -> dict[str, np.ndarray]:
    """The orders of a block, by customer and time."""
    process, draws = company.process, _stream(company, number, 1)
    end, week = process.days * SECONDS_PER_DAY, 7 * SECONDS_PER_DAY
    rate = draws.gamma(process.purchases["r"], 1 / process.purchases["alpha"], BLOCK) / week
    leaves = draws.beta(process.purchases["a"], process.purchases["b"], BLOCK)
    # Gamma-Gamma: an order is Gamma(p, rate nu) with nu ~ Gamma(q, rate v), one for each customer.
    rate_of_spend = draws.gamma(process.spend["q"], 1 / process.spend["v"], BLOCK)

    there, now, place = np.arange(BLOCK), born.astype(np.float64), 0
    parts: list[dict[str, np.ndarray]] = []
    while len(there):
        if place > 0:
            with np.errstate(divide="ignore", over="ignore"):
                now[there] += draws.exponential(1.0, len(there)) / rate[there]
            there = there[now[there] < end]
        amount = draws.gamma(process.spend["p"], 1.0, len(there)) / rate_of_spend[there]
        net = np.maximum(np.rint(amount * 100), 1).astype(np.int64)
        is_discounted = draws.random(len(there)) < process.discounted_share
        parts.append(
            {
                "customer": there,
                "place": np.full(len(there), place),
                "at": now[there].astype(np.int64),
                "net": net,
                "discount": np.where(is_discounted, np.maximum(net // 10, 1), 0),
            }
        )
        if place > 0:
            there = there[draws.random(len(there)) >= leaves[there]]
        place += 1
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((columns["place"], columns["customer"]))
    return {name: column[order] for name, column in columns.items()}


def _relationships(company: Company, number: int, born: Integers) -> dict[str, dict[str, np.ndarray]]:
    """Subscriptions of a tenth of the customers, and what they do while these run.

    Days are counted since the history began; `customer` is the place in the block, made whole by the caller.
    -1 is no day.
    """
    process, draws = company.process, _stream(company, number, 2)
    chosen = draws.random(BLOCK) < process.subscriber_share
    delay = draws.integers(0, 90, BLOCK)
    plan = draws.choice(len(PLANS), BLOCK, p=list(PLANS.values()))
    is_yearly = draws.random(BLOCK) < process.yearly_share
    theta = draws.beta(process.renewals["alpha"], process.renewals["beta"], BLOCK)
    chance = draws.random(BLOCK)
    reason = draws.integers(0, len(REASONS), BLOCK)

    start = born // SECONDS_PER_DAY + delay
    chosen &= start < process.days
    who = np.flatnonzero(chosen)
    start, plan, is_yearly, theta = start[who], plan[who], is_yearly[who], theta[who]
    chance, reason = chance[who], reason[who]
    # Terms until somebody does not renew: geometric, by inversion.
    with np.errstate(divide="ignore"):
        terms = np.ceil(np.log1p(-chance) / np.log1p(-theta))
    terms = np.clip(np.nan_to_num(terms, nan=1, posinf=10_000), 1, 10_000).astype(np.int64)
    first_day = np.datetime64(process.first_day)
    begins = first_day + start * _DAY
    ends = _add_months(begins, terms * np.where(is_yearly, 12, 1))
    end = (ends - first_day).astype(np.int64)
    has_ended = end < process.days
    subscriptions = {
        "customer": who,
        "plan": plan,
        "is_yearly": is_yearly,
        "cents": PRICES[plan] * np.where(is_yearly, 10, 1),
        "started": start,
        "ended": np.where(has_ended, end, -1),
        "requested": np.where(has_ended, np.maximum(end - 5, start), -1),
        "reason": np.where(has_ended, reason, -1),
    }
    last = np.minimum(end, process.days)
    return {
        "subscriptions": subscriptions,
        "usage_events": _usage(company, number, who, start, last),
        **_surveys(company, number, who, start, last),
        "support_tickets": _tickets(company, number, who, start, last),
    }


def _usage(
    company: Company, number: int, who: Integers, start: Integers, last: Integers
) -> dict[str, np.ndarray]:
    """A row for each feature that a subscriber used on a day."""
    draws = _stream(company, number, 3)
    length = last - start
    customer = np.repeat(who, length)
    day = np.arange(len(customer)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(start, length)
    used = draws.random(len(customer)) < company.process.use_share
    customer, day = customer[used], day[used]
    # The first feature on each day, the others on every third.
    features = draws.random((len(customer), len(FEATURES))) < 1 / 3
    features[:, 0] = True
    row, feature = np.nonzero(features)
    return {
        "customer": customer[row],
        "day": day[row],
        "feature": feature,
        "uses": 1 + draws.poisson(3.0, len(row)),
    }


def _surveys(
    company: Company, number: int, who: Integers, start: Integers, last: Integers
) -> dict[str, dict[str, np.ndarray]]:
    """An invitation each quarter of a subscription, and the answers."""
    process, draws = company.process, _stream(company, number, 4)
    invitations = (last - start - 1) // process.days_between_surveys
    customer = np.repeat(who, invitations)
    place = np.arange(len(customer)) - np.repeat(np.cumsum(invitations) - invitations, invitations)
    day = np.repeat(start, invitations) + (place + 1) * process.days_between_surveys
    answers = draws.random(len(customer)) < process.response_share
    answered = np.minimum(day + draws.integers(0, 10, len(day)), process.days - 1)
    score = np.clip(np.rint(draws.normal(7.8, 2.2, len(day))), 0, 10).astype(np.int64)
    comment = np.where(
        draws.random(len(day)) < 0.5, -1, np.where(score >= 8, 0, draws.integers(1, len(COMMENTS), len(day)))
    )
    return {
        "survey_invitations": {"customer": customer, "place": place, "day": day},
        "survey_responses": {
            "customer": customer[answers],
            "place": place[answers],
            "day": answered[answers],
            "score": score[answers],
            "comment": comment[answers],
        },
    }


def _tickets(
    company: Company, number: int, who: Integers, start: Integers, last: Integers
) -> dict[str, np.ndarray]:
    """Tickets at random while a subscription runs."""
    draws = _stream(company, number, 5)
    length = last - start
    tickets = draws.poisson(length / company.process.days_between_tickets)
    customer = np.repeat(who, tickets)
    place = np.arange(len(customer)) - np.repeat(np.cumsum(tickets) - tickets, tickets)
    day = np.repeat(start, tickets) + (draws.random(len(customer)) * np.repeat(length, tickets)).astype(
        np.int64
    )
    return {
        "customer": customer,
        "place": place,
        "day": day,
        "hours": draws.integers(1, 72, len(customer)),
        "satisfaction": draws.integers(1, 6, len(customer)),
    }


def _add_months(days: np.ndarray, months: Integers) -> np.ndarray:
    """The same day of the month, some months later, or its last day."""
    month = days.astype("datetime64[M]")
    later = month + months.astype("timedelta64[M]")
    last = (later + np.timedelta64(1, "M")).astype("datetime64[D]") - later.astype("datetime64[D]") - _DAY
    return later.astype("datetime64[D]") + np.minimum(days - month.astype("datetime64[D]"), last)
