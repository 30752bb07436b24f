"""What is fixed about the demo company: its size, dates and prices, and what its customers do."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import numpy as np

DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1)

# Business time is UTC+7 all year: the demo can be checked without a time-zone database.
UTC_OFFSET_SECONDS = 7 * 3600

COUNTRIES = ("VN", "GB", "DE", "US", "FR", "SG")
COUNTRY_SHARES = (0.42, 0.18, 0.15, 0.17, 0.05, 0.03)
CURRENCIES = ("USD", "EUR", "GBP", "VND")
COUNTRY_CURRENCY = ("VND", "GBP", "EUR", "USD", "EUR", "USD")
# Prices are rounded to this many hundredths: cents, and a thousand dong.
CURRENCY_STEP = {"USD": 1, "EUR": 1, "GBP": 1, "VND": 100_000}

CHANNELS = ("organic", "search_ads", "social_ads", "referral", "partner", "email")
CHANNEL_SHARES = (0.27, 0.22, 0.21, 0.14, 0.10, 0.06)
# What a channel does to the satisfaction of those it brings, in standard deviations.
CHANNEL_SATISFACTION = (0.1, 0.0, -0.35, 0.45, 0.05, 0.1)
# USD of marketing per sign-up; a channel without an entry costs nothing.
CHANNEL_COST = {"search_ads": 60.0, "social_ads": 48.0, "partner": 36.0, "email": 6.0}

PROSPECT, SHOPPER, SUBSCRIBER, BOTH = range(4)
KINDS = ("prospect", "shopper", "subscriber", "both")
KIND_SHARES = (0.13, 0.47, 0.22, 0.18)
KIND_SHARES_SOCIAL_ADS = (0.26, 0.47, 0.15, 0.12)

PLANS = ("starter", "growth", "pro")
PLAN_SHARES = (0.52, 0.34, 0.14)
# Per month, in hundredths of the currency: before and after the price rise. A year costs ten months.
PLAN_PRICES = {
    "USD": ((900, 2900, 7900), (1000, 3400, 9200)),
    "EUR": ((900, 2700, 7500), (1000, 3200, 8700)),
    "GBP": ((800, 2400, 6500), (900, 2800, 7500)),
    "VND": ((19_900_000, 69_900_000, 189_900_000), (22_900_000, 81_900_000, 219_900_000)),
}

REASONS = (
    "price",
    "missing_feature",
    "competitor",
    "poor_service",
    "not_using",
    "business_closed",
    "moved",
    "other",
)

# Purchases of a shopper, time in days: BG/NBD (Fader, Hardie, Lee 2005).
BG_NBD = {"r": 0.75, "alpha": 40.0, "a": 0.8, "b": 3.2}
# Gamma-Gamma (Fader, Hardie 2013): net value of a purchase day in USD; its mean is p * v / (q - 1).
GAMMA_GAMMA = {"p": 5.0, "q": 4.5, "v": 35.0}

# Hazards of a subscription at a renewal, for a customer of average satisfaction.
SUBSCRIPTION_PROCESS = {
    "monthly_voluntary": 0.030,
    "annual_voluntary": 0.17,
    "monthly_involuntary": 0.007,
    "annual_involuntary": 0.02,
    "satisfaction_effect": -0.45,
    "price_rise_extra_first_renewal": 0.08,
    "price_rise_extra_second_renewal": 0.03,
    "upgrade": 0.014,
    "downgrade": 0.007,
    "vanish": 0.06,
    "reactivate_voluntary": 0.20,
    "reactivate_involuntary": 0.35,
}


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def from_day_number(days: int) -> date:
    """The date, from the number of days after 1970-01-01."""
    return EPOCH + timedelta(days=int(days))


def add_months(days: np.ndarray, months: int | np.ndarray) -> np.ndarray:
    """The same day of a later month, or that month's last day; `days` since 1970-01-01."""
    dates = np.asarray(days).astype("M8[D]")
    month = dates.astype("M8[M]")
    day_of_month = (dates - month.astype("M8[D]")).astype(np.int64)
    target = month + np.asarray(months).astype("m8[M]")
    last = ((target + 1).astype("M8[D]") - target.astype("M8[D]")).astype(np.int64) - 1
    return target.astype("M8[D]").astype(np.int64) + np.minimum(day_of_month, last)


@dataclass(frozen=True)
class Parameters:
    """What identifies a demo company: the same parameters give the same bytes.

    `customers` sign up over three years that end on `until`; the last `days` days are delivered day by day,
    what was before in files of a year or a month.
    """

    customers: int = 2000
    seed: int = 7
    until: date = date(2026, 6, 30)
    days: int = 7

    def __post_init__(self) -> None:
        if self.customers < 1:
            raise ValueError("a company has at least one customer")
        if not 0 <= self.days <= 365:
            raise ValueError("between 0 and 365 days can be delivered one by one")
        if self.until.year < 2000:
            raise ValueError("the last day lies in 2000 or later")

    @property
    def first_day(self) -> int:
        """Day number of the first sign-up."""
        return int(add_months(np.array([self.last_day + 1]), -36)[0])

    @property
    def last_day(self) -> int:
        """Day number of the last day with events."""
        return day_number(self.until)

    @property
    def base_day(self) -> int:
        """Day number of the last day that is delivered in bulk."""
        return self.last_day - self.days

    @property
    def price_rise_day(self) -> int:
        """Day number from which renewals and new subscriptions cost more: 16 months before the end."""
        return int(add_months(np.array([self.last_day + 1]), -16)[0])

    def random(self, topic: str) -> np.random.Generator:
        """A stream of its own per topic: a change in one process leaves the others as they were."""
        return np.random.Generator(np.random.PCG64([self.seed, zlib.crc32(topic.encode())]))

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "until": self.until.isoformat()}


def seconds_of_day(random: np.random.Generator, count: int) -> np.ndarray:
    """Times of day in seconds: few at night, most at lunch and in the evening."""
    weights = np.array(
        [1, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 13, 13, 10, 9, 9, 9, 10, 12, 15, 16, 13, 8, 3], dtype=float
    )
    hours = random.choice(24, size=count, p=weights / weights.sum())
    return hours * 3600 + random.integers(0, 3600, size=count)
