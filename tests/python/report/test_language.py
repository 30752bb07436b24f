"""Nothing is missing in a language, and numbers, money and dates have its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from string import Formatter
from typing import Any

import pytest

from scripts.core.settings import PROJECT_ROOT
from scripts.report.language import PAGES, Language, catalogue
from scripts.report.reading import readable

ENGLISH, VIETNAMESE = Language("en"), Language("vi")


def forms(text: Any) -> Iterator[str]:
    yield from text.values() if isinstance(text, dict) else [text]


def values_of(text: Any) -> set[str]:
    return {name for form in forms(text) for _, name, _, _ in Formatter().parse(form) if name}


@pytest.mark.parametrize("key", catalogue())
def test_every_text_stands_in_every_language_with_the_same_values(key: str) -> None:
    texts = catalogue()[key]
    assert set(texts) == set(PAGES)
    for code, text in texts.items():
        assert all(isinstance(form, str) and form.strip() for form in forms(text)), (key, code)
        if isinstance(text, dict):
            # The classes of CLDR that the language has.
            assert set(text) <= set(Language(code).locale.plural_form.tags) | {"other"}, (key, code)
            assert "other" in text
    english, vietnamese = (values_of(texts[code]) for code in ("en", "vi"))
    # The form for one thing need not say how many.
    assert vietnamese == english, key


def code_of_the_report() -> str:
    files = (PROJECT_ROOT / "scripts/report").rglob("*")
    return "\n".join(
        file.read_text(encoding="utf-8") for file in sorted(files) if file.suffix in (".py", ".html")
    )


def test_every_text_that_is_asked_for_exists() -> None:
    asked = set(re.findall(r'\bsay\(\s*"([^"{]+)"', code_of_the_report()))
    assert len(asked) > 100
    assert asked - set(catalogue()) == set()


def test_no_text_is_left_that_nobody_asks_for() -> None:
    code = code_of_the_report()
    whole = set(re.findall(r'"([a-z0-9_.]+)"', code))
    # Keys that are put together from a word of the marts.
    begun = set(re.findall(r'f"([a-z_.]+[._])\{', code))
    begun |= {f"{kind}." for kind in re.findall(r'\.name\(\s*f?"([a-z_.]+)', code)}
    begun |= {"segment."}
    unused = [key for key in catalogue() if key not in whole and not key.startswith(tuple(begun))]
    assert not unused


def test_money_has_the_form_of_its_currency_and_of_the_language() -> None:
    assert VIETNAMESE.money(1234567, "VND") == "1.234.567\u00a0₫"
    assert ENGLISH.money(1234567, "VND") == "₫1,234,567"
    assert ENGLISH.money(12.5, "USD") == "$12.50"
    assert VIETNAMESE.money(12.5, "USD") == "12,50\u00a0US$"
    # Cents of a thousand tell nobody anything.
    assert ENGLISH.money(31363.49, "USD") == "$31,363"
    assert ENGLISH.money(-1234.5, "EUR") == "-€1,234"
    # A currency that nobody knows has its code.
    assert ENGLISH.money(5, "XXQ") == "XXQ5.00"
    assert ENGLISH.headline_money(186837.59, "USD") == "$186,838"
    assert VIETNAMESE.headline_money(4670939782, "VND") == "4,7\u00a0T\u00a0₫"


def test_numbers_and_shares() -> None:
    assert (ENGLISH.number(1234.5, 1), VIETNAMESE.number(1234.5, 1)) == ("1,234.5", "1.234,5")
    assert (ENGLISH.percent(0.3149), VIETNAMESE.percent(0.3149, 1)) == ("31%", "31,5%")
    assert [ENGLISH.signed(value, 1) for value in (2.04, -2.06, 0.04, -0.04)] == [
        "+2.0",
        "−2.1",
        "±0.0",
        "±0.0",
    ]
    assert ENGLISH.number(-0.2) == "0"
    # What nobody knows is no zero.
    assert [ENGLISH.number(None), ENGLISH.percent(None), ENGLISH.money(None, "USD")] == ["–", "–", "–"]


def test_dates() -> None:
    day = date(2026, 6, 5)
    assert (ENGLISH.day(day), VIETNAMESE.day(day)) == ("June 5, 2026", "5 tháng 6, 2026")
    assert (ENGLISH.month(day), VIETNAMESE.month(day)) == ("June 2026", "tháng 6 năm 2026")
    assert (ENGLISH.short_month(day), VIETNAMESE.short_month(day)) == ("Jun 2026", "06/2026")
    assert (ENGLISH.quarter(day), VIETNAMESE.quarter(day)) == ("Q2 2026", "Quý 2/2026")


def test_one_and_several() -> None:
    told = {"customers": "1", "unknown": "0"}
    assert ENGLISH("figure.predicted_value.note", count=1, **told).startswith("from 1 customer;")
    assert ENGLISH("figure.predicted_value.note", count=2, **told).startswith("from 1 customers;")


def test_crossed_segments_are_named_part_by_part() -> None:
    assert VIETNAMESE.segment_type("country x billing_interval") == "quốc gia × chu kỳ thanh toán"
    assert ENGLISH.segment_value("country x billing_interval", "VN x month") == "VN × billed monthly"
    assert VIETNAMESE.segment_value("buyer_type", "unknown") == "không rõ"
    # A name of the company's that looks like two.
    assert ENGLISH.segment_value("country", "a x b") == "a x b"


def test_a_word_of_the_company_stays_as_it_is() -> None:
    assert VIETNAMESE.name("theme", "price") == "giá cả"
    assert VIETNAMESE.name("theme", "vegan leather") == "vegan leather"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("VN\u202e nam", "VN nam"),
        ("\u2066a\u2069\u200f\u061cb", "ab"),
        ("a\x00\x07\x1b[31mb", "a[31mb"),
        ("two\r\nlines\u2028three", "two lines three"),
        ("\ufeffTiếng Việt", "Tiếng Việt"),
        ("\ue000x", "x"),
    ],
)
def test_what_nobody_sees_is_taken_out_of_labels(written: str, shown: str) -> None:
    assert readable(written) == shown


def test_a_label_without_end_is_cut() -> None:
    assert len(readable("x" * 100_000)) == 300
