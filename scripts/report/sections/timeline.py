"""Months as places on an axis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from scripts.report.language import Language


def place(month: date) -> float:
    """Where a month stands: its number since year 0, so that months are equally far apart."""
    return month.year * 12 + month.month - 1


def ticks(months: Sequence[date], say: Language) -> list[tuple[float, str]]:
    """Marks of an axis: each month of few, else Januaries and Julys, else Januaries alone."""
    every = 1 if len(months) <= 8 else 6 if len(months) <= 48 else 12
    return [(place(month), say.short_month(month)) for month in months if (month.month - 1) % every == 0]


def labels_every(width: int, columns: int) -> int:
    """How many columns share a label on so many pixels."""
    return max(1, -(-columns * 66 // width))
