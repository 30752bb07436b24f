"""Orders, lines and refunds: a BG/NBD purchase process with Gamma-Gamma values, and what real shops add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.demo.money import Rates
from scripts.demo.parameters import (
    BG_NBD,
    BOTH,
    COUNTRY_CURRENCY,
    COUNTRY_SHARES,
    CURRENCIES,
    CURRENCY_STEP,
    DAY_SECONDS,
    GAMMA_GAMMA,
    SHOPPER,
    Parameters,
    seconds_of_day,
)
from scripts.demo.people import People

COMPLETED, CANCELLED, RETURNED = range(3)
REFUND_REASONS = ("damaged", "wrong item", "arrived late", "changed my mind", "goodwill")

# (name, USD, popularity)
PRODUCTS = (
    ("Coffee beans 1 kg", 18, 10), ("Hand grinder", 42, 3), ("Pour-over set", 29, 5), ("Paper filters", 5, 9),
    ("Phin filter", 9, 8), ("Condensed milk", 4, 7), ("Green tea 200 g", 12, 8), ("Lotus tea 100 g", 15, 5),
    ("Clay teapot", 35, 4), ("Tea cups, set of 4", 22, 4), ("Dark chocolate", 6, 9), ("Cashew nuts", 11, 8),
    ("Dried mango", 8, 7), ("Coconut candy", 5, 6), ("Fish sauce 40 °N", 10, 6), ("Chilli sauce", 5, 6),
    ("Rice noodles", 4, 7), ("Pho spice kit", 9, 5), ("Bamboo steamer", 21, 3), ("Chopsticks", 13, 4),
    ("Ceramic bowl", 14, 5), ("Linen apron", 27, 2), ("Cookbook", 24, 3), ("Chef's knife", 58, 2),
    ("Whetstone", 26, 2), ("Cutting board", 31, 3), ("Spice jars, set of 6", 19, 3), ("Honey 500 g", 13, 5),
    ("Cinnamon sticks", 7, 4), ("Black pepper", 8, 5), ("Cold brew bottle", 23, 3), ("Travel mug", 25, 4),
    ("Milk frother", 33, 2), ("Espresso cups", 20, 3), ("Cocoa powder", 9, 4), ("Gift box", 6, 6),
    ("Greeting card", 3, 6), ("Scented candle", 16, 4), ("Wooden tray", 28, 2), ("Tote bag", 12, 4),
)  # fmt: skip
CATEGORIES = ("coffee", "tea", "sweets", "pantry", "kitchen", "tableware", "gifts")
# The place of each product's category; tote bags have none.
CATEGORY = (
    0, 0, 0, 0, 0, 3, 1, 1, 1, 5, 2, 3, 2, 2, 3, 3, 3, 3, 4, 5,
    5, 4, 4, 4, 4, 4, 4, 3, 3, 3, 0, 0, 0, 5, 2, 6, 6, 6, 5, -1,
)  # fmt: skip
# Who buys the first takes the second with it in AFFINITY_SHARE of the orders.
AFFINITIES = ((0, 1), (2, 3), (4, 5), (8, 9), (17, 16), (23, 24), (35, 36))
AFFINITY_SHARE = 0.4
MAX_LINES = 5


@dataclass(frozen=True)
class Shop:
    """`orders` has a row per version of an order: a new status is a new row, `is_final` the last."""

    orders: dict[str, np.ndarray]
    items: dict[str, np.ndarray]
    refunds: dict[str, np.ndarray]
    # Of each buyer: customer, first purchase (seconds), purchases per day, drop-out probability, still buys.
    buyers: dict[str, np.ndarray]


def _purchases(
    random: np.random.Generator, people: People, parameters: Parameters
) -> tuple[dict, np.ndarray, np.ndarray]:
    """Draw the purchase times: (buyers, index of the buyer per purchase, seconds per purchase)."""
    end = parameters.last_day + 1
    customer = np.flatnonzero((people.kind == SHOPPER) | (people.kind == BOTH))
    lag = np.where(
        random.random(customer.size) < 0.55,
        random.uniform(5, 90, customer.size) / 1440,
        random.exponential(12, customer.size),
    )
    first = people.signed_up[customer] / DAY_SECONDS + lag
    customer, first = customer[first < end], first[first < end]

    rate = random.gamma(BG_NBD["r"], 1 / BG_NBD["alpha"], customer.size)
    rate = np.maximum(rate, 1e-9)
    dropout = random.beta(BG_NBD["a"], BG_NBD["b"], customer.size)
    is_alive = np.ones(customer.size, dtype=bool)

    who, when = [np.arange(customer.size)], [first]
    buyer, time = who[0], when[0]
    while buyer.size:
        time = time + random.exponential(1 / rate[buyer])
        buyer, time = buyer[time < end], time[time < end]
        who.append(buyer)
        when.append(time)
        stays = random.random(buyer.size) >= dropout[buyer]
        is_alive[buyer[~stays]] = False
        buyer, time = buyer[stays], time[stays]

    who, when = np.concatenate(who), np.concatenate(when)
    first_seconds = (first * DAY_SECONDS).astype(np.int64)
    seconds = when.astype(np.int64) * DAY_SECONDS + seconds_of_day(random, when.size)
    seconds[: customer.size] = first_seconds
    # A second purchase on the first day comes after the first; the day stays.
    last_second = (seconds // DAY_SECONDS + 1) * DAY_SECONDS - 1
    seconds = np.minimum(np.maximum(seconds, first_seconds[who]), last_second)
    buyers = {
        "customer": customer,
        "first": first_seconds,
        "rate": rate,
        "dropout": dropout,
        "is_alive": is_alive,
    }
    return buyers, who, seconds


def _purchase_values(random: np.random.Generator, who: np.ndarray, buyers: int) -> np.ndarray:
    """Net USD per purchase."""
    scale = random.gamma(GAMMA_GAMMA["q"], 1 / GAMMA_GAMMA["v"], buyers)
    return np.maximum(random.gamma(GAMMA_GAMMA["p"], 1 / scale[who]), 1.0)


def make_shop(parameters: Parameters, people: People, rates: Rates) -> Shop:
    """Draw orders, lines and refunds."""
    random = parameters.random("orders")
    last_second = (parameters.last_day + 1) * DAY_SECONDS - 1
    buyers, who, seconds = _purchases(random, people, parameters)
    net = _purchase_values(random, who, buyers["customer"].size)
    customer = buyers["customer"][who]

    # Some purchases are two orders on one day: together they are worth what the process says.
    split = np.flatnonzero(random.random(net.size) < 0.03)
    share = random.uniform(0.3, 0.7, split.size)
    second_seconds = np.minimum(
        seconds[split] + random.integers(600, 12_000, split.size),
        (seconds[split] // DAY_SECONDS + 1) * DAY_SECONDS - 1,
    )
    second_net = net[split] * (1 - share)
    net[split] *= share
    genuine = net.size
    customer = np.concatenate([customer, customer[split]])
    seconds = np.concatenate([seconds, second_seconds])
    net = np.concatenate([net, second_net])

    # Guests have a value, but no history.
    guests = int(random.poisson(0.07 * genuine)) if genuine > 10 else 0
    guest_day = seconds[random.integers(0, genuine, guests)] // DAY_SECONDS
    customer = np.concatenate([customer, np.full(guests, -1)])
    seconds = np.concatenate([seconds, guest_day * DAY_SECONDS + seconds_of_day(random, guests)])
    guest_scale = random.gamma(GAMMA_GAMMA["q"], 1 / GAMMA_GAMMA["v"], guests)
    net = np.concatenate([net, np.maximum(random.gamma(GAMMA_GAMMA["p"], 1 / guest_scale), 1.0)])
    status = np.full(net.size, COMPLETED, dtype=np.int8)
    changed_day = np.full(net.size, -1, dtype=np.int64)

    # Orders that do not count (cancelled, or sent back in full) come on top of the purchase process, which so
    # stays exactly what the parameters say. The last of them change their status within the days that are
    # delivered singly.
    extra = np.flatnonzero(random.random(genuine) < 0.055)
    recent = np.flatnonzero(
        (seconds[:genuine] // DAY_SECONDS > parameters.base_day - 20)
        & (seconds[:genuine] // DAY_SECONDS <= parameters.base_day - 2)
    )[: min(3, parameters.days)]
    extra = np.concatenate([extra, recent])
    extra_seconds = seconds[extra] + random.integers(0, 20 * DAY_SECONDS, extra.size)
    extra_status = np.where(random.random(extra.size) < 0.45, CANCELLED, RETURNED).astype(np.int8)
    extra_changed = extra_seconds // DAY_SECONDS + np.where(
        extra_status == CANCELLED, random.integers(0, 3, extra.size), random.integers(3, 16, extra.size)
    )
    if recent.size:
        extra_seconds[-recent.size :] = seconds[recent] + 60
        extra_status[-recent.size :] = RETURNED
        extra_changed[-recent.size :] = parameters.base_day + 1 + np.arange(recent.size)
    in_time = (extra_changed <= parameters.last_day) & (extra_seconds <= last_second)
    extra = extra[in_time]
    customer = np.concatenate([customer, customer[extra]])
    seconds = np.concatenate([seconds, extra_seconds[in_time]])
    net = np.concatenate([net, net[extra] * random.uniform(0.7, 1.4, extra.size)])
    status = np.concatenate([status, extra_status[in_time]])
    changed_day = np.concatenate([changed_day, extra_changed[in_time]])

    order = np.lexsort((customer, seconds))
    customer, seconds, net = customer[order], seconds[order], net[order]
    status, changed_day = status[order], changed_day[order]
    count = net.size
    day = seconds // DAY_SECONDS

    # A part of some orders comes back: they count, and what was paid back lowers net revenue that day.
    counts = status == COMPLETED
    part_returned = counts & (random.random(count) < 0.015) & (day + 20 <= parameters.last_day)
    part_returned_day = day + random.integers(3, 16, count)
    status[part_returned] = RETURNED
    changed_day[part_returned] = part_returned_day[part_returned]

    is_guest = customer < 0
    guest_currency = np.array([CURRENCIES.index(name) for name in COUNTRY_CURRENCY])[
        random.choice(len(COUNTRY_SHARES), size=count, p=COUNTRY_SHARES)
    ]
    currency = np.where(is_guest, guest_currency, people.currency[np.maximum(customer, 0)]).astype(np.int8)

    bargain = ~is_guest & people.is_bargain_hunter[np.maximum(customer, 0)]
    is_discounted = random.random(count) < np.where(bargain, 0.8, 0.12)
    discount_share = np.where(bargain, random.uniform(0.1, 0.35, count), random.uniform(0.05, 0.2, count))
    gross = rates.to_hundredths(net / np.where(is_discounted, 1 - discount_share, 1.0), currency, day)
    net_amount = np.minimum(rates.to_hundredths(net, currency, day), gross)
    discount = np.where(is_discounted, gross - net_amount, 0)
    cost = (gross * random.uniform(0.45, 0.65, count)).astype(np.int64)
    cost[random.random(count) < 0.04] = -1

    delivered = day.copy()
    never_changes = changed_day < 0
    late = never_changes & (random.random(count) < 0.01)
    delivered[late] += random.integers(1, 11, count)[late]
    # A few orders of the bulk period turn up in the daily files.
    window = np.flatnonzero(
        never_changes & ~late & (day > parameters.base_day - 30) & (day <= parameters.base_day)
    )
    chosen = window[:: max(1, window.size // 3)][: min(3, parameters.days)]
    delivered[chosen] = parameters.base_day + 1 + np.arange(chosen.size) * max(1, parameters.days // 3)
    delivered = np.minimum(delivered, parameters.last_day)

    number = np.arange(count)
    changed = np.flatnonzero(changed_day >= 0)
    version_delivered = changed_day[changed]
    same_day = version_delivered <= delivered[changed]
    first_status = np.where(changed_day >= 0, COMPLETED, status)

    def versions(first: np.ndarray, later: np.ndarray) -> np.ndarray:
        return np.concatenate([first, later])

    first_rows = np.ones(count, dtype=bool)
    # Changed on the day it was placed: only the last state was ever delivered.
    first_rows[changed[same_day]] = False
    rows = versions(number[first_rows], changed)
    orders = {
        "delivered": versions(delivered[first_rows], version_delivered),
        "number": rows,
        "customer": customer[rows],
        "seconds": seconds[rows],
        "gross": gross[rows],
        "discount": discount[rows],
        "cost": cost[rows],
        "currency": currency[rows],
        "status": versions(first_status[first_rows], status[changed]).astype(np.int8),
        "is_final": versions((changed_day < 0)[first_rows], np.ones(changed.size, dtype=bool)),
    }

    items = _make_items(parameters, gross, currency, delivered)
    refunds = _make_refunds(
        parameters, customer, seconds, gross - discount, currency, status, changed_day, part_returned
    )
    return Shop(orders=orders, items=items, refunds=refunds, buyers=buyers)


def _make_items(
    parameters: Parameters, gross: np.ndarray, currency: np.ndarray, delivered: np.ndarray
) -> dict[str, np.ndarray]:
    """Lines whose quantity times unit price sums to the order's gross amount exactly."""
    random = parameters.random("items")
    count = gross.size
    popularity = np.array([weight for _, _, weight in PRODUCTS], dtype=float)
    lines = np.minimum(1 + random.poisson(0.9, count), MAX_LINES)
    product = random.choice(len(PRODUCTS), size=(count, MAX_LINES), p=popularity / popularity.sum()).astype(
        np.int16
    )

    partner = np.full(len(PRODUCTS), -1)
    for first, second in AFFINITIES:
        partner[first] = second
    goes_with = partner[product[:, 0]]
    taken = (goes_with >= 0) & (random.random(count) < AFFINITY_SHARE)
    product[taken, 1] = goes_with[taken]
    lines[taken] = np.maximum(lines[taken], 2)

    is_line = np.arange(MAX_LINES) < lines[:, None]
    for later in range(1, MAX_LINES):
        for earlier in range(later):
            is_line[:, later] &= ~(is_line[:, earlier] & (product[:, later] == product[:, earlier]))

    quantity = np.where(
        random.random((count, MAX_LINES)) < 0.75, 1, random.integers(2, 4, (count, MAX_LINES))
    )
    # The first line takes what rounding leaves over.
    quantity[:, 0] = 1
    base = np.array([price for _, price, _ in PRODUCTS], dtype=float)[product]
    weight = np.where(is_line, base * quantity, 0.0)
    step = np.array([CURRENCY_STEP[name] for name in CURRENCIES])[currency][:, None]
    share = gross[:, None] * weight / weight.sum(axis=1, keepdims=True)
    unit_price = np.floor(share / quantity / step).astype(np.int64) * step
    unit_price[:, 0] = gross - np.where(is_line, unit_price * quantity, 0)[:, 1:].sum(axis=1)

    order, position = np.nonzero(is_line)
    line_number = np.cumsum(is_line, axis=1)[order, position]
    return {
        "delivered": delivered[order],
        "number": order,
        "line": line_number,
        "product": product[order, position],
        "quantity": quantity[order, position],
        "unit_price": unit_price[order, position],
    }


def _make_refunds(
    parameters: Parameters,
    customer: np.ndarray,
    seconds: np.ndarray,
    net: np.ndarray,
    currency: np.ndarray,
    status: np.ndarray,
    changed_day: np.ndarray,
    part_returned: np.ndarray,
) -> dict[str, np.ndarray]:
    """Full refunds of what was sent back, partial ones of other orders, and a few larger than their order."""
    random = parameters.random("refunds")
    count = net.size
    step = np.array([CURRENCY_STEP[name] for name in CURRENCIES])[currency]
    day = seconds // DAY_SECONDS

    full = (status == RETURNED) & ~part_returned
    complaint = (status == COMPLETED) & (random.random(count) < 0.025)
    partial = part_returned | complaint
    refund_day = np.where(complaint, day + random.integers(2, 61, count), changed_day)
    partial_amount = (
        np.maximum(np.floor(net * random.uniform(0.1, 0.6, count) / step).astype(np.int64), 1) * step
    )
    # With the postage, a refund can be larger than its order.
    with_postage = full & (random.random(count) < 0.03)
    amount = np.where(
        full, net + np.where(with_postage, 5 * step + net // 20 // step * step, 0), partial_amount
    )
    rows = np.flatnonzero((full | partial) & (refund_day <= parameters.last_day))

    refunded = refund_day[rows] * DAY_SECONDS + seconds_of_day(random, rows.size)
    order = np.argsort(refunded, kind="stable")
    rows, refunded = rows[order], refunded[order]
    return {
        "delivered": refunded // DAY_SECONDS,
        "refund": np.arange(rows.size),
        "number": rows,
        "customer": customer[rows],
        "seconds": refunded,
        "amount": amount[rows],
        "currency": currency[rows],
        "reason": random.integers(0, len(REFUND_REASONS), rows.size).astype(np.int8),
        "is_full": full[rows],
    }
