"""A language of the report: its texts, and its forms of numbers, money and dates (CLDR's, by Babel)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
)
from markupsafe import Markup

# By language, the name of its page in a publication.
PAGES = {"en": "report.html", "vi": "report.vi.html"}

# What the marts write between two segments that are crossed.
_CROSSED = " x "

_CATALOGUE = Path(__file__).with_name("texts.yml")


@cache
def catalogue() -> Mapping[str, Mapping[str, Any]]:
    """By key, the text in each language."""
    # The safe loader, in C where there is one: it reads the file in a tenth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(_CATALOGUE.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506


class Language:
    """Says things in one language."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.locale = Locale.parse(code)

    def __call__(self, key: str, *, count: float | None = None, **values: object) -> str:
        """The text of a key, with values in it; where it differs by number, that of `count`."""
        text = catalogue()[key][self.code]
        if isinstance(text, Mapping):
            text = text.get(self.locale.plural_form(count or 0), text["other"])
        return text.format(**values)

    def name(self, kind: str, value: str | None) -> str:
        """What a class of ours is called, such as a theme; what the company names stays as it wrote it."""
        if value is None:
            return self("word.unknown")
        text = catalogue().get(f"{kind}.{value}")
        return text[self.code] if text else value

    def segment_type(self, kind: str) -> str:
        """What customers are divided by; of two crossed kinds, both."""
        return " × ".join(self.name("segment_type", part) for part in kind.split(_CROSSED))

    def segment_value(self, kind: str, value: str) -> str:
        """What a segment is called: by us, or by the company."""
        kinds, values = kind.split(_CROSSED), value.split(_CROSSED)
        if len(kinds) != len(values):
            return value
        return " × ".join(
            self("word.unknown") if part == "unknown" else self.name(f"segment.{one}", part)
            for one, part in zip(kinds, values, strict=True)
        )

    def number(self, value: float | None, digits: int = 0) -> str:
        """A number with so many digits after the point; a dash where nobody knows."""
        if value is None:
            return "–"
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(_no_minus_zero(value, digits), pattern, locale=self.locale)

    def signed(self, value: float, digits: int = 0) -> str:
        """A change, with its sign."""
        rounded = _no_minus_zero(value, digits)
        return ("+" if rounded > 0 else "−" if rounded < 0 else "±") + self.number(abs(rounded), digits)

    def percent(self, share: float | None, digits: int = 0) -> str:
        """A share of 1 as a percentage."""
        if share is None:
            return "–"
        pattern = "#,##0" + ("." + "0" * digits if digits else "") + "%"
        return format_percent(_no_minus_zero(share, digits + 2), pattern, locale=self.locale)

    def money(self, amount: float | None, currency: str) -> str:
        """An amount in its currency's own form; from a hundred on without its cents, which nobody reads."""
        if amount is None:
            return "–"
        if abs(amount) < 99.5:
            return format_currency(amount, currency, locale=self.locale)
        pattern = self.locale.currency_formats["standard"].pattern.replace(".00", "")
        return format_currency(round(amount), currency, pattern, locale=self.locale, currency_digits=False)

    def exact_money(self, amount: float | None, currency: str) -> str:
        """An amount to the cent, where that is what matters."""
        return "–" if amount is None else format_currency(amount, currency, locale=self.locale)

    def headline_money(self, amount: float, currency: str) -> str:
        """An amount in large letters: whole as long as there is room, else 439.6M."""
        whole = self.money(amount, currency)
        return whole if len(whole) <= 11 else self.short_money(amount, currency)

    def short_money(self, amount: float, currency: str) -> str:
        """An amount for the mark of an axis: 12K, 1,2 Tr."""
        if abs(amount) < 1000:
            pattern = self.locale.currency_formats["standard"].pattern.replace(".00", "")
            digits = "" if amount == round(amount) else ".0#"
            pattern = pattern.replace("0", "0" + digits, 1) if digits else pattern
            return format_currency(amount, currency, pattern, locale=self.locale, currency_digits=False)
        return format_compact_currency(amount, currency, locale=self.locale, fraction_digits=1)

    def compact(self, value: float | None, digits: int = 1) -> str:
        """A number for a small place: 950, 1.2K."""
        if value is None:
            return "–"
        if abs(value) < 1000:
            return self.number(value, 0 if abs(value) >= 10 or value == round(value) else digits)
        return format_compact_decimal(value, locale=self.locale, fraction_digits=digits)

    def month(self, month: date) -> str:
        """A month in a sentence."""
        return format_skeleton("yMMMM", month, locale=self.locale)

    def short_month(self, month: date) -> str:
        """A month on an axis, or in a table."""
        return format_date(month, self("form.short_month"), locale=self.locale)

    def quarter(self, first: date) -> str:
        """A quarter by its first day."""
        return format_date(first, self("form.quarter"), locale=self.locale)

    def day(self, day: date) -> str:
        """A day in a sentence."""
        return format_date(day, "long", locale=self.locale)

    def listed(self, parts: list[str]) -> str:
        """Several things, with commas between them and a word before the last."""
        if len(parts) < 2:
            return "".join(parts)
        return self("form.list", first=", ".join(parts[:-1]), last=parts[-1])

    def in_english(self, text: str) -> str | Markup:
        """A text of the marts that is written in English, told so to who reads the page aloud."""
        return text if self.code == "en" else Markup('<span lang="en">{}</span>').format(text)


def _no_minus_zero(value: float, digits: int) -> float:
    return round(value, digits) + 0.0
