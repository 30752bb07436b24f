"""Who signs up: when, from where, through which channel, and how content they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scripts.demo.parameters import (
    BOTH,
    CHANNEL_SATISFACTION,
    CHANNEL_SHARES,
    CHANNELS,
    COUNTRIES,
    COUNTRY_CURRENCY,
    COUNTRY_SHARES,
    CURRENCIES,
    DAY_SECONDS,
    KIND_SHARES,
    KIND_SHARES_SOCIAL_ADS,
    SHOPPER,
    Parameters,
    seconds_of_day,
)


@dataclass(frozen=True)
class People:
    """One entry per customer, in the order of their sign-up; a customer is named by the position here.

    `signed_up` in seconds of business time, `referrer` -1 for none, `satisfaction` in standard deviations:
    the latent variable behind scores, churn, tickets and comments. `is_registered` is false for the few whose
    customer row is lost.
    """

    signed_up: np.ndarray
    country: np.ndarray
    country_is_known: np.ndarray
    currency: np.ndarray
    channel: np.ndarray
    referrer: np.ndarray
    satisfaction: np.ndarray
    kind: np.ndarray
    is_bargain_hunter: np.ndarray
    is_registered: np.ndarray


def make_people(parameters: Parameters) -> People:
    """Draw the customers. The first always shops and subscribes: the smallest company has both."""
    random = parameters.random("people")
    count = parameters.customers
    span = parameters.last_day + 1 - parameters.first_day

    # Sign-ups grow: density 0.5 + t over the three years, t in [0, 1]; this is its inverse.
    position = np.sqrt(0.25 + 2 * random.random(count)) - 0.5
    day = parameters.first_day + np.minimum((position * span).astype(np.int64), span - 1)
    signed_up = np.sort(day * DAY_SECONDS + seconds_of_day(random, count))
    signed_up[0] = min(signed_up[0], (parameters.first_day + 10) * DAY_SECONDS)

    country = random.choice(len(COUNTRIES), size=count, p=COUNTRY_SHARES).astype(np.int8)
    currency_of_country = np.array([CURRENCIES.index(name) for name in COUNTRY_CURRENCY], dtype=np.int8)
    channel = random.choice(len(CHANNELS), size=count, p=CHANNEL_SHARES).astype(np.int8)
    satisfaction = random.normal(0, 1, count) + np.array(CHANNEL_SATISFACTION)[channel]

    u = random.random(count)
    social = channel == CHANNELS.index("social_ads")
    kind = np.where(
        social,
        np.searchsorted(np.cumsum(KIND_SHARES_SOCIAL_ADS)[:-1], u, side="right"),
        np.searchsorted(np.cumsum(KIND_SHARES)[:-1], u, side="right"),
    ).astype(np.int8)
    kind[0] = BOTH

    # Only content customers recommend, and of them only one in four: advocates bring several each.
    advocates = np.flatnonzero((satisfaction > 0.5) & (random.random(count) < 0.25))
    referred = np.flatnonzero(channel == CHANNELS.index("referral"))
    choices = np.searchsorted(advocates, referred)
    referrer = np.full(count, -1, dtype=np.int64)
    has_choice = choices > 0
    pick = (random.random(referred.size) * choices).astype(np.int64)
    referrer[referred[has_choice]] = advocates[pick[has_choice]]
    channel[referred[~has_choice]] = CHANNELS.index("organic")

    # Their customer rows never arrive; what they bought does.
    is_registered = np.ones(count, dtype=bool)
    is_referrer = np.isin(np.arange(count), referrer)
    shoppers = np.flatnonzero((kind == SHOPPER) & ~is_referrer)
    lost = min(shoppers.size, count // 500)
    is_registered[random.choice(shoppers, size=lost, replace=False)] = False

    return People(
        signed_up=signed_up,
        country=country,
        country_is_known=random.random(count) >= 0.01,
        currency=currency_of_country[country],
        channel=channel,
        referrer=referrer,
        satisfaction=satisfaction,
        kind=kind,
        is_bargain_hunter=random.random(count) < 0.15,
        is_registered=is_registered,
    )


def people_table(people: People) -> dict[str, np.ndarray]:
    """The rows of the shop's customer file."""
    who = np.flatnonzero(people.is_registered)
    return {
        "delivered": people.signed_up[who] // DAY_SECONDS,
        "customer": who,
        "signed_up": people.signed_up[who],
        "country": np.where(people.country_is_known, people.country, -1)[who],
        "channel": people.channel[who],
        "referrer": people.referrer[who],
    }
