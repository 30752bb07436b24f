"""Exchange rates and marketing spend."""

from __future__ import annotations

import numpy as np

from scripts.demo.parameters import (
    CHANNEL_COST,
    CHANNEL_SHARES,
    CHANNELS,
    CURRENCIES,
    CURRENCY_STEP,
    Parameters,
)

# USD per unit: the level the random walk starts from, and the decimals a bank would publish.
RATE_START = {"EUR": (1.09, 4), "GBP": (1.27, 4), "VND": (0.0000412, 9)}
# So many days of rates before the first event: a first day on a Sunday needs Friday's.
RATE_LEAD_DAYS = 7


class Rates:
    """USD per unit of a currency; published on business days, valid until the next one."""

    def __init__(self, parameters: Parameters) -> None:
        random = parameters.random("rates")
        self.first_day = parameters.first_day - RATE_LEAD_DAYS
        self.days = np.arange(self.first_day, parameters.last_day + 1)
        # 1970-01-01 was a Thursday.
        self.is_published = (self.days + 3) % 7 < 5
        published_before = np.maximum.accumulate(np.where(self.is_published, np.arange(self.days.size), 0))
        self.by_currency = np.ones((len(CURRENCIES), self.days.size))
        for currency, (start, decimals) in RATE_START.items():
            walk = start * np.exp(np.cumsum(random.normal(0, 0.0035, self.days.size)))
            self.by_currency[CURRENCIES.index(currency)] = np.round(walk, decimals)[published_before]

    def at(self, currency: np.ndarray, day: np.ndarray) -> np.ndarray:
        """USD per unit; `currency` is an index into CURRENCIES; a day after the last has the last rate."""
        position = np.clip(np.asarray(day) - self.first_day, 0, self.days.size - 1)
        return self.by_currency[currency, position]

    def to_hundredths(self, usd: np.ndarray, currency: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Hundredths of the currency worth so many USD that day, rounded as prices are, at least a step."""
        step = np.array([CURRENCY_STEP[name] for name in CURRENCIES])[currency]
        units = usd / self.at(currency, day) * 100
        return (np.maximum(np.round(units / step), 1) * step).astype(np.int64)


def make_marketing_spend(parameters: Parameters, signed_up: np.ndarray) -> dict[str, np.ndarray]:
    """A row per day and paid channel: it follows the sign-ups as they were planned, not as they came.

    Social ads are billed in dong, the rest in USD.
    """
    random = parameters.random("spend")
    span = parameters.last_day + 1 - parameters.first_day
    position = (np.arange(span) + 0.5) / span
    # The density of the sign-ups, see people.py.
    planned = (0.5 + position) / span * signed_up.size
    channels = [CHANNELS.index(name) for name in CHANNEL_COST]
    noise = random.lognormal(0, 0.15, size=(span, len(channels)))
    usd = planned[:, None] * noise * [CHANNEL_SHARES[i] * CHANNEL_COST[CHANNELS[i]] for i in channels]
    channel = np.tile(channels, span)
    day = np.repeat(np.arange(span) + parameters.first_day, len(channels))
    currency = np.where(
        channel == CHANNELS.index("social_ads"), CURRENCIES.index("VND"), CURRENCIES.index("USD")
    )
    rates = Rates(parameters)
    return {
        "delivered": day,
        "day": day,
        "channel": channel.astype(np.int8),
        "currency": currency.astype(np.int8),
        "amount": rates.to_hundredths(usd.ravel(), currency, day),
    }
