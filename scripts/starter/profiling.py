"""What a column's sampled values are: dates in which format, numbers in which writing, e-mails, currency
codes, keys.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb

from scripts.contract.raw_tables import CURRENCIES
from scripts.personal_data.patterns import EMAIL_PATTERN
from scripts.starter.scanning import FileGroup
from scripts.starter.vocabulary import THRESHOLD, fold, is_personal_name, name_score, word_set

# So much of a column must be of a type to be of that type; the rest is for landing to refuse, with its
# reason.
TYPICAL_SHARE = 0.9
# Distinct values that are looked at for the format of dates and numbers.
_LOOKED_AT = 2_000
_FIRST_YEAR, _LAST_YEAR = 1970, 2100

_EMAIL = re.compile(EMAIL_PATTERN)
_PHONE = re.compile(r"\+?[\d() ./-]{8,20}")
_PERSON = re.compile(r"[^\W\d_][^\W\d_.'’-]*(?:[ ,]+[^\W\d_][^\W\d_.'’-]*\.?){1,5}")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?P<zone> "
    r"?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
)
SYMBOL_CURRENCIES = {
    "€": "EUR",
    "£": "GBP",
    "₫": "VND",
    "đ": "VND",
    "₹": "INR",
    "zł": "PLN",
    "₩": "KRW",
    "₺": "TRY",
}
_MARKS = re.compile(r"[€£¥₫đĐ₹₩₺$]|[A-Z]{3}(?![A-Za-z])|VNĐ|vnđ|vnd|zł|kr\.?|Fr\.?|R\$")
_NUMBER = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:[.,'’\s]\d{3})+|\d{1,3}(?:,\d{2})*,\d{3})(?:[.,]\d*)?|[+-]?[.,]\d+"
)

_DATES = {
    "day": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y"),
    "month": ("%m/%d/%Y", "%m.%d.%Y", "%m-%d-%Y", "%m/%d/%y", "%m.%d.%y", "%m-%d-%y"),
    "other": (
        "%Y/%m/%d",
        "%Y.%m.%d",
        "%Y%m%d",
        "%Y-%m-%d",
        "%d %b %Y",
        "%d %B %Y",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%b %d, %Y",
        "%B %d, %Y",
        "%b %d %Y",
        "%a, %d %b %Y",
    ),
}
_TIMES = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    ", %H:%M",
    ", %H:%M:%S",
    ", %I:%M %p",
    "T%H:%M:%S",
    " %Hh%M",
)
_TIMES_FIRST = ("%H:%M ", "%H:%M:%S ")


@dataclass(frozen=True)
class Numbers:
    """How a column writes numbers. `marks` are currency marks to take away; `unsure`: 1.234 may be 1234
    or 1 and a bit.
    """

    decimal: str = "."
    thousands: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    unsure: str | None = None
    whole: bool = False
    share: float = 1.0
    negative_share: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether the text converts as it stands."""
        return self.decimal == "." and not self.thousands and not self.marks


@dataclass(frozen=True)
class Dates:
    """How a column writes dates.

    `style` is iso, strptime, epoch, epoch_ms, excel or native (a Parquet type). `other_formats` is the
    reading with day and month the other way round where the sample allows both.
    """

    style: str
    formats: tuple[str, ...] = ()
    other_formats: tuple[str, ...] = ()
    has_time: bool = False
    has_zone: bool = False
    share: float = 1.0


@dataclass
class Profile:
    """One column of one group of files."""

    name: str
    type: str | None
    rows: int
    counts: Counter[str] = field(repr=False)
    numbers: Numbers | None = None
    dates: Dates | None = None
    is_email: bool = False
    is_phone: bool = False
    is_person: bool = False
    is_currency: bool = False
    is_personal: bool = False

    @property
    def filled(self) -> int:
        return sum(self.counts.values())

    @property
    def filled_share(self) -> float:
        return self.filled / self.rows if self.rows else 0.0

    @property
    def is_unique(self) -> bool:
        return self.filled > 0 and len(self.counts) == self.filled

    @property
    def is_text(self) -> bool:
        """Whether the relation holds text; Parquet keeps its types."""
        return self.type is None or self.type == "VARCHAR"

    def samples(self, count: int = 3) -> list[str]:
        """The most frequent values; call it only when not `is_personal`."""
        return [value for value, _ in self.counts.most_common(count)]


def profile(group: FileGroup, connection: duckdb.DuckDBPyConnection) -> list[Profile]:
    """Profile every column of a group's sample."""
    types = group.layout.types or (None,) * len(group.layout.columns)
    return [
        _profile(name, type_, group.values[name], connection)
        for name, type_ in zip(group.layout.columns, types, strict=True)
    ]


def _profile(
    name: str, type_: str | None, values: list[str | None], connection: duckdb.DuckDBPyConnection
) -> Profile:
    counts = Counter(value for value in values if value is not None and value.strip())
    result = Profile(name, type_, len(values), counts)
    distinct = [value for value, _ in counts.most_common(_LOOKED_AT)]
    if not distinct:
        result.is_personal = is_personal_name(name)
        return result
    result.is_email = _share(counts, distinct, _EMAIL) >= TYPICAL_SHARE
    result.is_currency = _is_currency(counts, distinct)
    if type_ is None or type_ == "VARCHAR":
        result.dates = _dates(name, counts, distinct, connection)
        if result.dates is None:
            result.numbers = _numbers(counts, distinct)
    elif type_ == "DATE" or type_.startswith("TIMESTAMP"):
        result.dates = Dates("native", has_time=type_ != "DATE", has_zone="TIME ZONE" in type_)
    elif re.match(r"U?(TINY|SMALL|BIG|HUGE)?INT|DOUBLE|FLOAT|DECIMAL", type_):
        whole = "INT" in type_ or all(float(value).is_integer() for value in distinct)
        negative = sum(counts[value] for value in distinct if value.startswith("-")) / result.filled
        result.numbers = Numbers(whole=whole, negative_share=negative)
        if whole and "INT" in type_:
            result.dates = _numeric_dates(name, counts, distinct)
    numeric = result.numbers is not None or result.dates is not None
    letters = [value for value in distinct if not value.strip().isdigit()]
    result.is_phone = (
        not result.dates
        and _share(counts, distinct, _PHONE) >= TYPICAL_SHARE
        and _is_phone_like(name, distinct, letters)
    )
    named = sum(bool(_PERSON.fullmatch(value.strip())) for value in distinct)
    # Of the different values, not of the rows: half of all customers may live in the United Kingdom.
    result.is_person = not numeric and len(distinct) > 1 and named >= 0.6 * len(distinct)
    has_address = _share(counts, distinct, _IPV4) >= TYPICAL_SHARE
    personal_name = (
        is_personal_name(name) and not (numeric and not result.is_phone) and not result.is_currency
    )
    result.is_personal = result.is_email or result.is_phone or has_address or personal_name
    return result


def _share(counts: Counter[str], distinct: list[str], pattern: re.Pattern[str]) -> float:
    total = sum(counts[value] for value in distinct)
    return sum(counts[value] for value in distinct if pattern.fullmatch(value.strip())) / total


def _is_phone_like(name: str, distinct: list[str], with_marks: list[str]) -> bool:
    words = set(fold(name).split())
    if words & {
        "phone",
        "tel",
        "telephone",
        "telefon",
        "mobile",
        "cell",
        "sdt",
        "handy",
        "fax",
    } or "dien thoai" in fold(name):
        return True
    international = sum(value.strip().startswith(("+", "00")) for value in distinct) / len(distinct)
    return international >= 0.5 and len(with_marks) >= len(distinct) / 2


def _is_currency(counts: Counter[str], distinct: list[str]) -> bool:
    total = sum(counts[value] for value in distinct)
    good = sum(counts[value] for value in distinct if value.strip().upper() in CURRENCIES)
    return len(distinct) <= 60 and good / total >= 0.95


# --------------------------------------------------------------------------------------------- numbers


def _numbers(counts: Counter[str], distinct: list[str]) -> Numbers | None:
    total = good = negative = 0
    decimals: set[str] = set()
    thousands: set[str] = set()
    maybe: set[str] = set()
    marks: set[str] = set()
    whole = True
    for value in distinct:
        total += counts[value]
        bare = value.strip()
        found = _MARKS.findall(bare)
        for mark in found:
            bare = bare.replace(mark, "", 1)
        bare = bare.strip(" \u00a0\u202f")
        if len(found) > 1 or not _NUMBER.fullmatch(bare):
            continue
        good += counts[value]
        negative += counts[value] if bare.startswith("-") else 0
        marks.update(found)
        _separators(bare, decimals, thousands, maybe)
        whole = whole and not re.search(r"[.,]\d*[1-9]\d*$", bare)
    if not total or good / total < TYPICAL_SHARE or len(decimals & {".", ","}) > 1 or decimals & thousands:
        return None
    unsure = None
    decimal = next(iter(decimals), None)
    if decimal is None:
        # Only marks of three digits: 1.234 and 12,500. Where the other mark groups thousands, it is a
        # decimal mark.
        certain = thousands & {".", ","}
        if certain:
            decimal = "," if "." in certain else "."
        elif maybe:
            unsure = next(iter(maybe)) if len(maybe) == 1 else None
            if unsure is None:
                return None
            decimal = "." if unsure == "," else ","
    thousands |= maybe - {decimal}
    return Numbers(
        decimal or ".",
        tuple(sorted(thousands)),
        tuple(sorted(marks, key=lambda mark: (-len(mark), mark))),
        unsure,
        whole or (decimal is None),
        good / total,
        negative / total,
    )


def _separators(bare: str, decimals: set[str], thousands: set[str], maybe: set[str]) -> None:
    """Sort the marks of one number into decimal, thousands and "either"."""
    thousands.update(set(re.findall(r"[\s'’]", bare)))
    marks = re.findall(r"[.,]", bare)
    if not marks:
        return
    last = marks[-1]
    if len(set(marks)) == 2:
        decimals.add(last)
        thousands.update(set(marks) - {last})
    elif len(marks) > 1:
        thousands.add(last)
    else:
        before, _, after = bare.lstrip("+-").rpartition(last)
        if not bare.strip("+-0.,"):
            # 0.000 is nothing in either writing.
            return
        grouped = len(after) == 3 and 1 <= len(re.sub(r"\D", "", before)) <= 3 and not before.startswith("0")
        (maybe if grouped and not re.search(r"[\s'’]", before) else decimals).add(last)


def settle_numbers(profiles: list[Profile], hints: Iterable[str]) -> None:
    """Where 1.234 may be either, take the decimal mark that the other columns of the export (`hints`) use.

    Without a hint the mark groups thousands, which the reader is asked to check; but pieces are seldom sold
    by the thousand: a quantity of 2.000 is two.
    """
    marks = Counter(hints)
    for column in profiles:
        numbers = column.numbers
        if numbers is None or numbers.unsure is None:
            continue
        pieces = name_score(column.name, "order_items", "quantity") >= THRESHOLD
        if (
            pieces
            and numbers.unsure == "."
            and all(re.search(r"\.0+$", v) for v in column.counts if "." in v)
        ):
            column.numbers = Numbers(share=numbers.share, whole=True, negative_share=numbers.negative_share)
        elif marks and numbers.unsure == marks.most_common(1)[0][0]:
            column.numbers = Numbers(
                numbers.unsure, (), numbers.marks, None, False, numbers.share, numbers.negative_share
            )
        elif marks:
            column.numbers = Numbers(
                numbers.decimal,
                numbers.thousands,
                numbers.marks,
                None,
                True,
                numbers.share,
                numbers.negative_share,
            )


def decimal_hint(column: Profile) -> str | None:
    """The decimal mark this column proves, if it does."""
    numbers = column.numbers
    if numbers is None or not column.is_text or numbers.unsure:
        return None
    if numbers.thousands and set(numbers.thousands) & {".", ","}:
        return "," if "." in numbers.thousands else "."
    has_mark = any(numbers.decimal in value for value in list(column.counts)[:200])
    return numbers.decimal if has_mark else None


# ----------------------------------------------------------------------------------------------- dates


def _dates(
    name: str, counts: Counter[str], distinct: list[str], connection: duckdb.DuckDBPyConnection
) -> Dates | None:
    stripped = [value.strip() for value in distinct]
    total = sum(counts[value] for value in distinct)
    iso = [match for value in stripped if (match := _ISO.fullmatch(value))]
    if sum(counts[value] for value in distinct if _ISO.fullmatch(value.strip())) / total >= TYPICAL_SHARE:
        return Dates(
            "iso",
            has_time=any(len(match[0]) > 10 for match in iso),
            has_zone=any(match["zone"] for match in iso),
            share=1.0,
        )
    numeric = _numeric_dates(name, counts, distinct)
    if numeric:
        return numeric
    plausible = [
        value for value in stripped if len(value) <= 40 and re.search(r"\d.*[-/.:, ].*\d|^\d{8}$", value)
    ]
    if len(plausible) < TYPICAL_SHARE * len(stripped):
        return None
    weights = {value.strip(): counts[value] for value in distinct}
    families = {
        family: _family(formats, plausible, weights, total, connection) for family, formats in _DATES.items()
    }
    family, (formats, share) = max(families.items(), key=lambda item: item[1][1])
    if share < TYPICAL_SHARE:
        return None
    # 2 500.00 and 01.02.03 are no dates; and eight digits are one only where the name says so.
    if formats == ("%Y%m%d",) and not _speaks_of_time(name):
        return None
    other: tuple[str, ...] = ()
    if family != "other":
        turned, turned_share = families["month" if family == "day" else "day"]
        other = turned if turned_share == share else ()
    has_time = any("%H" in format_ or "%I" in format_ for format_ in formats)
    return Dates("strptime", formats, other, has_time, share=share)


def _family(
    formats: tuple[str, ...],
    values: list[str],
    weights: dict[str, int],
    total: int,
    connection: duckdb.DuckDBPyConnection,
) -> tuple[tuple[str, ...], float]:
    """The fewest formats of a family that read the values, and the share of the rows they read."""
    left = list(dict.fromkeys(values))
    chosen: list[str] = []
    read_rows = 0
    candidates = [date + time for date in formats for time in _TIMES]
    candidates += [time + date for date in formats for time in _TIMES_FIRST]
    candidates = [format_ for format_ in candidates if _could_be(format_, left)]
    while left and candidates and len(chosen) < 3:
        best: set[str] = set()
        best_format = ""
        for format_ in candidates:
            rows = connection.execute(
                "select value from (select unnest(?) as value) where year(try_strptime(value, ?)) between "
                "? and ?",
                [left, format_, _FIRST_YEAR, _LAST_YEAR],
            ).fetchall()
            if len(rows) > len(best):
                best, best_format = {row[0] for row in rows}, format_
        if len(best) < max(1, 0.005 * len(values)):
            break
        chosen.append(best_format)
        read_rows += sum(weights[value] for value in best)
        left = [value for value in left if value not in best]
    return tuple(chosen), read_rows / total


def _could_be(format_: str, values: list[str]) -> bool:
    """Whether one of the first values has the marks of the format: saves asking the database 150 times."""
    expression = re.escape(format_)
    for directive, pattern in (
        ("%Y", r"\d{4}"),
        ("%y", r"\d{2}"),
        ("%a", "[A-Za-z]+"),
        ("%b", "[A-Za-z]+"),
        ("%B", "[A-Za-z]+"),
        ("%p", "[AaPp][Mm]"),
        ("%f", r"\d+"),
    ):
        expression = expression.replace(directive, pattern)
    expression = re.sub(r"%[A-Za-z]", r"\\d{1,2}", expression)
    return any(re.fullmatch(expression, value) for value in values)


def _speaks_of_time(name: str) -> bool:
    words = set(fold(name).split())
    return bool(
        words
        & word_set(
            "date day time timestamp datum tag created updated at on datetime ngay fecha jour started "
            "ended canceled cancelled since created bestelldatum seit when start end utc"
        )
    ) or any(part in fold(name) for part in ("date", "datum", "timestamp"))


def _numeric_dates(name: str, counts: Counter[str], distinct: list[str]) -> Dates | None:
    """Seconds or milliseconds since 1970, or days as Excel counts them, where the name speaks of time."""
    if not _speaks_of_time(name) or not all(
        re.fullmatch(r"\d{5}(?:\.\d+)?|\d{10}|\d{13}", v.strip()) for v in distinct
    ):
        return None
    numbers = [float(value) for value in distinct]
    for style, low, high in (("epoch", 3e8, 4e9), ("epoch_ms", 3e11, 4e12), ("excel", 25_569, 73_050)):
        if all(low <= number <= high for number in numbers):
            return Dates(
                style, has_time=style != "excel" or any(n % 1 for n in numbers), has_zone=style != "excel"
            )
    return None


def settle_dates(columns: list[Profile], *, day_first: Counter[bool], likely_day_first: bool) -> None:
    """Turn undecided dates the way that the other dates of the exports (`day_first`) go, else the likelier
    way.

    They stay marked as undecided: a person must look.
    """
    for column in columns:
        dates = column.dates
        if dates is None or not dates.other_formats:
            continue
        want = day_first.most_common(1)[0][0] if day_first else likely_day_first
        if "." in dates.formats[0]:
            want = True
        if any("%p" in format_ for format_ in dates.formats) and not day_first:
            want = False
        if is_day_first(dates) is not want:
            column.dates = Dates(
                dates.style, dates.other_formats, dates.formats, dates.has_time, dates.has_zone, dates.share
            )


def is_day_first(dates: Dates) -> bool | None:
    """Whether a decided or undecided format has the day before the month; None for formats that name the
    month.
    """
    if dates.style != "strptime" or not dates.formats:
        return None
    first = dates.formats[0]
    if "%m" not in first or first.startswith("%Y"):
        return None
    return first.index("%d") < first.index("%m")
