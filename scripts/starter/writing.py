"""Write the adapter: YAML with the SQL for what is known, and comments for what a person must choose."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from scripts.contract.raw_tables import TABLES, Kind
from scripts.core.sql import identifier, literal
from scripts.starter.expressions import Expression, amount_sql, expression
from scripts.starter.guessing import SUMMED, Guess, Guesses, Match, fits, line_columns, number_of
from scripts.starter.known_exports import KnownFile, currencies_of
from scripts.starter.profiling import SYMBOL_CURRENCIES, Numbers, Profile
from scripts.starter.questions import questions_of
from scripts.starter.scanning import FileGroup, Unreadable
from scripts.starter.vocabulary import fold, name_score

_WIDTH = 110
_VIETNAMESE = re.compile("[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")
_COLUMN = "      "


@dataclass
class Adapter:
    """The text of the file, and per table what a person should look at."""

    text: str
    looks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def questions(self) -> int:
        """How many questions landing waits for."""
        blocks = re.findall(r"^ *undecided:\n((?: *- .*\n)+)", self.text, re.MULTILINE)
        return sum(len(block.splitlines()) for block in blocks)


def adapter(
    name: str,
    known: list[KnownFile],
    guesses: Guesses,
    profiles: dict[int, list[Profile]],
    unreadable: list[Unreadable],
    data: Path,
    target: Path,
) -> Adapter:
    """Compose the adapter `name` for the folder `data`, to be written to `target`. `profiles` by `id` of
    the group.
    """
    looks: dict[str, list[str]] = {}
    currencies = currencies_of(known) + _currencies(guesses)
    base = _rate_of_one(guesses)
    body = _known_tables(known)
    for guess in guesses.tables.values():
        written, look = _table(guess, profiles[id(guess.group)], currencies, guesses)
        looks.setdefault(guess.table.name, [])[:0] = look
        body += written
    suggested = {name: value for one in known for name, value in one.export.variables.items()}
    suggested = _vietnamese(guesses, profiles) | suggested
    head = _variables(currencies, base, "exchange_rates" in guesses.tables, looks, suggested)
    questions = _general_questions(body, currencies, base, suggested)
    questions += [
        f"{one.group.label} looks like {one.table.name}, without {', '.join(one.missing)}: fill the question "
        "marks of its draft below, or it stays out of all numbers."
        for one in guesses.incomplete
        if body
    ]
    lines = [
        f"# A first draft of the adapter {name}, from the names and the first rows of the exports.",
        "# Look at every line marked CHOOSE; a line that starts with # is not in force.",
        "# Where a setting or a column follows such a line, remove its `# ` to take it (of two lines for one",
        "# column keep one). Landing waits until no question is left under `undecided:`.",
        f"description: {_scalar(f'Exports in the folder {data.name}')}",
        "# Where the exports lie, unless --data says otherwise; relative to this file.",
        f"data: {_scalar(_data_path(data, target))}",
        "",
    ]
    lines += head
    lines += [
        "",
        "# How a time without offset is meant: business (the time zone above) or utc.",
        "timestamps: business",
        "",
        *_undecided(questions, ""),
        "tables:",
        *body,
    ]
    for guess in guesses.incomplete:
        lines += _incomplete(guess)
    lines += _unused(guesses, profiles, unreadable)
    return Adapter("\n".join(lines).rstrip() + "\n", looks)


# -------------------------------------------------------------------------------------------- the head


def _data_path(data: Path, target: Path) -> str:
    relative = os.path.relpath(data, target.parent)
    return str(data) if relative.count("..") > 2 else Path(relative).as_posix()


def _currencies(guesses: Guesses) -> Counter[str]:
    """How often each currency is named: in currency columns, else by the marks beside the amounts and in
    their names.
    """
    named: Counter[str] = Counter()
    marked: Counter[str] = Counter()
    for guess in guesses.tables.values():
        if guess.table.name == "exchange_rates":
            continue
        profile = guess.profile("currency")
        if profile:
            for value, count in profile.counts.items():
                named[value.strip().upper()] += count
        for amount in ("gross_amount", "amount", "unit_price"):
            profile = guess.profile(amount)
            code = currency_of(profile) if profile else None
            if profile and code:
                marked[code] += profile.filled
    return named or marked


def _rate_of_one(guesses: Guesses) -> str | None:
    """The currency that the exchange rates are in: the only one whose rate is always 1."""
    rates = guesses.tables.get("exchange_rates")
    if rates is None:
        return None
    currency, rate = rates.matches["currency"].profile, rates.matches["rate_to_reporting"].profile
    seen: dict[str, set[object]] = {}
    for code, value in zip(rates.group.values[currency.name], rates.group.values[rate.name], strict=True):
        if code:
            seen.setdefault(code.strip().upper(), set()).add(number_of(value, rate.numbers))
    ones = [code for code, values in seen.items() if values == {1}]
    return ones[0] if len(ones) == 1 else None


def currency_of(profile: Profile) -> str | None:
    """The currency that an amount's marks (12,00 €) or its column's name (`Total (EUR)`) speak of."""
    marks = {
        SYMBOL_CURRENCIES.get(mark, mark.upper())
        for mark in (profile.numbers.marks if profile.numbers else ())
    }
    marks = {"VND" if mark in ("VNĐ", "Đ") else mark for mark in marks}
    words = {
        word.upper() for word in re.findall(r"[A-Za-z]{3}", profile.name.replace("_", " ")) if len(word) == 3
    }
    usual = {
        "EUR",
        "USD",
        "GBP",
        "VND",
        "CHF",
        "JPY",
        "CAD",
        "AUD",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "INR",
        "SGD",
        "THB",
    }
    found = (marks & usual) or (
        {w for w in words if w in usual and re.search(rf"\b{w}\b", _spaced(profile.name), re.I)}
    )
    return next(iter(found)) if len(found) == 1 else None


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _known_tables(known: list[KnownFile]) -> list[str]:
    """The entries of files that are known exports; of several files for one table, a list."""
    entries: dict[str, list[list[str]]] = {}
    for one in known:
        remarks = [f"# {one.export.system}, {one.export.name} export."]
        if one.export.unverified:
            remarks += _remark("Nobody has shown us these headers: check what is made of them.")
        for note in one.export.notes:
            remarks += _remark(note)
        for table, entry in one.tables.items():
            one.questions.clear()
            body = _known_body(one, table, entry)
            questions = [*(one.export.undecided if remarks else ()), *one.questions]
            lines = _input(one.group, one.group.patterns, "")
            entries.setdefault(table, []).append([*remarks, *lines, *_undecided(questions, ""), *body])
            # Once a file.
            remarks = []
    written = []
    for table in (name for name in TABLES if name in entries):
        written.append(f"  {table}:")
        if len(entries[table]) == 1:
            written += [f"    {line}".rstrip() for line in entries[table][0]]
        else:
            for first, *others in entries[table]:
                written += [f"    - {first}", *(f"      {line}".rstrip() for line in others)]
        written.append("")
    return written


def _known_body(one: KnownFile, table: str, entry: Mapping[str, Any]) -> list[str]:
    lines = []
    for key in ("where", "query"):
        if key in entry:
            lines += [f"{key}: |-", *(f"  {line}" for line in one.sql(str(entry[key])).rstrip().split("\n"))]
    if "columns" in entry:
        lines.append("columns:")
        for name, text in entry["columns"].items():
            lines += [line.removeprefix(_COLUMN[:-2]) for line in _mapped(name, one.sql(str(text)))]
    return lines


def _remark(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(_visible(text), _WIDTH - 8, break_long_words=False)]


def _undecided(questions: Iterable[str], indent: str) -> list[str]:
    """Questions that landing waits for."""
    listed = [f"{indent}  - {_scalar(_visible(question), quoted=True)}" for question in questions]
    if not listed:
        return []
    return [
        f"{indent}# Landing waits for an answer: remove a line when it is answered.",
        f"{indent}undecided:",
        *listed,
    ]


def _general_questions(
    body: list[str], currencies: Counter[str], base: str | None, suggested: Mapping[str, str]
) -> list[str]:
    """What the numbers of all tables depend on: currency and time zone, where no file tells."""
    text = "\n".join(body)
    questions = []
    has_amounts = re.search(r"\b(gross_amount|amount|unit_price)\b", text) is not None
    asks_itself = "reporting_currency above" in text
    if has_amounts and not (currencies or base or "reporting_currency" in suggested or asks_itself):
        questions.append("Which currency are the amounts in? Set reporting_currency above.")
    if "business_timezone" not in suggested and re.search(r"'Z'|\[\+-\]|%z", text):
        questions.append(
            "Where is the business? Times are in UTC or have an offset, and days and months are cut in "
            "business_timezone: set it above."
        )
    return questions


def _vietnamese(guesses: Guesses, profiles: dict[int, list[Profile]]) -> dict[str, str]:
    """Vietnamese headers over amounts without decimals speak of dong, and of the time in Vietnam."""
    amounts = [
        profile
        for guess in guesses.tables.values()
        for name in ("gross_amount", "amount", "unit_price")
        if (profile := guess.profile(name)) is not None
    ]
    headers = " ".join(one.name for columns in profiles.values() for one in columns)
    is_vietnamese = len(_VIETNAMESE.findall(headers.lower())) >= 3
    if not is_vietnamese or not amounts or not all(one.numbers and one.numbers.whole for one in amounts):
        return {}
    return {"business_timezone": "Asia/Ho_Chi_Minh", "reporting_currency": "VND"}


def _variables(
    currencies: Counter[str],
    base: str | None,
    has_rates: bool,
    looks: dict[str, list[str]],
    suggested: Mapping[str, str],
) -> list[str]:
    zone = [
        "  # Where days and months are cut: an IANA name such as Europe/London, Asia/Ho_Chi_Minh, "
        "America/New_York.",
        "  # CHOOSE: where is the business? Without a time zone, days are cut in UTC.",
        "  # business_timezone: Europe/London",
    ]
    if "business_timezone" in suggested:
        zone[1:] = [
            "  # CHOOSE: taken from the system or the language of the files.",
            f"  business_timezone: {suggested['business_timezone']}",
        ]
    zone.append("  # ISO 4217; every amount in the marts is in this currency.")
    if base:
        return ["vars:", *zone, "  # Its rate in the exchange rates is 1.", f"  reporting_currency: {base}"]
    if not currencies and "reporting_currency" in suggested:
        taken = "  # CHOOSE: taken from the system or the language of the files."
        return ["vars:", *zone, taken, f"  reporting_currency: {suggested['reporting_currency']}"]
    if not currencies:
        question = "  # CHOOSE: which currency? None was found; without one, amounts are called USD."
        return ["vars:", *zone, question, "  # reporting_currency: EUR"]
    lines = ["vars:", *zone]
    best, count = currencies.most_common(1)[0]
    if len(currencies) > 1:
        others = ", ".join(f"{code} {n}" for code, n in currencies.most_common(6)[1:])
        lines.append(
            f"  # CHOOSE: the most frequent ({best} {count}; also {others}). Others need `exchange_rates`."
        )
        if not has_rates:
            looks.setdefault("orders", []).append("several currencies: exchange_rates needed")
    return [*lines, f"  reporting_currency: {best}"]


# --------------------------------------------------------------------------------------------- a table


def _table(
    guess: Guess, profiles: list[Profile], currencies: Counter[str], guesses: Guesses
) -> tuple[list[str], list[str]]:
    table = guess.table
    look: list[str] = list(guess.remarks)
    lines = [f"  {table.name}:"]
    lines += [f"    # CHOOSE: {line}" for line in guess.remarks]
    lines += _files(guess)
    entries = _entries(_with_plain_sums(guess), look)
    lines += _undecided(questions_of(guess, look, guesses), "    ")
    if guess.from_orders:
        lines += _customers_of_orders(guess, entries)
    elif guess.amount_from:
        lines += _joined(guess, entries)
    elif guess.lines and table.name == "orders":
        lines += _orders_of_lines(guess, entries)
    elif table.name == "order_items" and "line_number" in guess.derived:
        lines += _numbered_items(guess, entries, look)
    elif table.name in SUMMED and not _is_unique(guess):
        lines += _summed(guess, entries, look)
    else:
        lines.append("    columns:")
        lines += _columns(entries, guess, profiles)
    lines += _leftovers(guess, profiles, guesses)
    return lines, look


def _files(guess: Guess) -> list[str]:
    return _input(guess.group, [p for group in (guess.group, *guess.merged) for p in group.patterns], "    ")


def _input(group: FileGroup, patterns: list[str], indent: str) -> list[str]:
    layout = group.layout
    if len(patterns) == 1:
        lines = [f"files: {_scalar(patterns[0], quoted=True)}"]
    else:
        lines = ["files:", *(f"  - {_scalar(pattern, quoted=True)}" for pattern in patterns)]
    if group.needs_format:
        lines.append(f"format: {layout.format}")
    if layout.encoding != "utf-8":
        lines.append(f"encoding: {layout.encoding}")
    if layout.format == "csv":
        delimiter = '"\\t"' if layout.delimiter == "\t" else f'"{layout.delimiter}"'
        lines.append(f"csv: {{delimiter: {delimiter}}}")
    if layout.sheets:
        named = ", ".join(_scalar(name, quoted=True) for name in layout.sheets)
        lines.append(f"excel: {{sheet: {named if len(layout.sheets) == 1 else f'[{named}]'}}}")
    return [indent + line for line in lines]


@dataclass(frozen=True)
class _Entry:
    """One canonical column: its expression, or None where it is left to choose; comments stand above it."""

    name: str
    sql: str | None
    comments: tuple[str, ...] = ()


def _entries(guess: Guess, look: list[str]) -> list[_Entry]:
    entries = []
    for column in guess.table.columns:
        if column.is_composed:
            continue
        profile = guess.profile(column.name)
        if profile is not None:
            made = expression(guess.table.name, column, profile)
            made = _adjusted(guess, column.name, profile, made)
            look += made.look
            entries.append(_Entry(column.name, made.sql, made.choices))
        elif column.name == "product_id" and column.name in guess.derived:
            name = guess.matches["product_name"].profile
            entries.append(
                _Entry(column.name, identifier(name.name), ("no product number found: the name is taken.",))
            )
            look.append("product_id: the name is taken")
        elif column.name == guess.table.key[0] and guess.makeshift_key:
            entries.append(_makeshift_key(guess, column.name, look))
        elif column.name == "currency" and (constant := _constant_currency(guess)):
            entries.append(_Entry("currency", literal(constant)))
        elif column.name == "status" and guess.cancelled_at is not None:
            cancelled = identifier(guess.cancelled_at.name)
            entries.append(
                _Entry("status", f"case when {cancelled} is not null then 'cancelled' else 'completed' end")
            )
        elif column.name not in guess.derived:
            entries.append(_Entry(column.name, None))
    return entries


def _adjusted(guess: Guess, name: str, profile: Profile, made: Expression) -> Expression:
    """What an expression needs beyond its own column."""
    if name == "status" and guess.cancelled_at is not None:
        cancelled = identifier(guess.cancelled_at.name)
        empty = f"nullif({cancelled}, '')" if guess.cancelled_at.is_text else cancelled
        inner = textwrap.indent(made.sql, "    ").strip()
        return Expression(
            f"case when {empty} is not null then 'cancelled' else {inner} end",
            (*made.choices, f"an order with a date in {cancelled} is taken for cancelled."),
            made.look,
        )
    if (
        name == "product_id"
        and guess.table.name == "order_items"
        and profile.filled_share < 1
        and "product_name" in guess.matches
    ):
        other = identifier(guess.matches["product_name"].profile.name)
        return Expression(
            f"coalesce(nullif({made.sql}, ''), {other})",
            (*made.choices, "where it is empty, the name is taken."),
            made.look,
        )
    if name == "gross_amount" and guess.discount_is_taken_off is not None:
        return _before_discount(guess, profile, made)
    return made


def _before_discount(guess: Guess, profile: Profile, made: Expression) -> Expression:
    """gross_amount is before discounts: where the total is after them, they are added again."""
    discount = guess.matches["discount_amount"].profile
    off = amount_sql(discount)
    if discount.numbers and discount.numbers.negative_share > 0.5:
        off = f"abs({off})"
    text = identifier(profile.name) if profile.is_text else f"cast({identifier(profile.name)} as varchar)"
    added = f"coalesce(cast({amount_sql(profile)} + coalesce({off}, 0) as varchar), {text})"
    total, reduced = identifier(profile.name), identifier(discount.name)
    if guess.discount_is_certain:
        if not guess.discount_is_taken_off:
            return made
        remark = (
            f"{total} is after the discount (the lines of the orders prove it), gross_amount is before it."
        )
        return Expression(added, (*made.choices, remark), made.look)
    if guess.discount_is_taken_off:
        question = (
            f"is {total} after the discount in {reduced}? Taken: yes, so the discount is added. If not, "
            f"take instead:\n{made.sql}"
        )
        return Expression(
            added, (*made.choices, question), (*made.look, "gross_amount: before or after discount?")
        )
    question = (
        f"is {total} after the discount in {reduced}? Taken: no, it is before. If it is after, take "
        f"instead:\n{added}"
    )
    return Expression(
        made.sql, (*made.choices, question), (*made.look, "gross_amount: before or after discount?")
    )


def _makeshift_key(guess: Guess, name: str, look: list[str]) -> _Entry:
    parts = []
    for part in guess.makeshift_key:
        if part is None:
            parts.append("_source_row")
        else:
            profile = guess.matches[part].profile
            made = expression(guess.table.name, guess.table.column(part), profile).sql
            parts.append(made if part.endswith("_id") else f"cast({identifier(profile.name)} as varchar)")
    look.append(f"{name}: made up, the file has none")
    note = "the file has no number of its own; this one is put together"
    note += (
        " and changes when rows are moved: export one if you can."
        if None in guess.makeshift_key
        else " and unique so far."
    )
    return _Entry(name, f"concat_ws('/', {', '.join(parts)})", (note,))


def _constant_currency(guess: Guess) -> str | None:
    for name in ("gross_amount", "amount"):
        profile = guess.profile(name)
        if profile and (code := currency_of(profile)):
            return code
    return None


def _is_unique(guess: Guess) -> bool:
    columns = [guess.group.values[guess.matches[name].profile.name] for name in guess.table.key]
    rows = list(zip(*columns, strict=True))
    # A day in an export of clicks has a time: two clicks of a day are two keys until the time is cut.
    with_time = any(
        (dates := guess.matches[name].profile.dates) is not None and dates.has_time
        for name in guess.table.key
    )
    return not with_time and len(set(rows)) == len(rows)


# ----------------------------------------------------------------------------------------- four shapes


def _columns(entries: list[_Entry], guess: Guess, profiles: list[Profile]) -> list[str]:
    lines = []
    for entry in entries:
        lines += _yaml_comments(entry)
        if entry.sql is None:
            lines.append(f"{_COLUMN}# {entry.name}: ?{_candidates_comment(entry.name, guess, profiles)}")
        else:
            lines += _mapped(entry.name, entry.sql)
    return lines


def _select(entries: list[_Entry], relation: list[str], indent: str = "      ") -> list[str]:
    """The last select of a query: the columns, their comments, and the row they come from."""
    lines = [f"{indent}select"]
    for entry in entries:
        if entry.sql is None:
            continue
        lines += _sql_comments(entry, indent + "    ")
        body = entry.sql.split("\n")
        lines += [f"{indent}    {line}" for line in body[:-1]]
        lines.append(f"{indent}    {body[-1]} as {entry.name},")
    lines.append(f"{indent}    _source_row")
    return lines + [indent + line for line in relation]


def _orders_of_lines(guess: Guess, entries: list[_Entry]) -> list[str]:
    """Several rows per order: one row of it first, then the usual expressions."""
    order_id = guess.matches["order_id"].profile
    used = {match.profile.name: match.profile for match in guess.matches.values()}
    if guess.cancelled_at is not None:
        used[guess.cancelled_at.name] = guess.cancelled_at
    gross = guess.profile("gross_amount")
    sums = {}
    for place, name in enumerate(sorted(guess.per_line), start=1):
        profile = guess.matches[name].profile
        sums[profile.name] = _Sum(
            f"_summed_{place}", amount_sql(profile), _text(profile), strict=profile is gross
        )
    where: list[str] = []
    remark = "stands once per order, or is repeated on each line: taken once."
    if "gross_amount" in guess.derived:
        quantity, price = _quantity_and_price(guess)
        sums["_lines_amount"] = _product(quantity, price)
        where = _positive_lines(quantity, price)
        remark = (
            f"the file has no total: {identifier(quantity.name)} × {identifier(price.name)} of the "
            f"lines are added, "
            "without shipping."
        )
        made = _Entry("gross_amount", "_lines_amount", (remark,))
        entries = [*entries[:3], made, *entries[3:]]
    else:
        if "gross_amount" in guess.per_line:
            remark = "differs from line to line: the lines of an order are added."
        entries = [
            _Entry(e.name, e.sql, (remark, *e.comments)) if e.name == "gross_amount" else e for e in entries
        ]
    lines = [
        "    # The file has a row per line of an order: the lines of an order are brought together.",
        "    query: |",
    ]
    relation = "source"
    if sums:
        relation = "lines"
        lines += [
            "      with lines as (",
            "          select",
            "              *,",
            *(f"              {sum_.value} as {sum_.alias}," for sum_ in sums.values()),
            "          from source",
            *(f"          {line}" for line in where),
            "      ),",
            "      orders as (",
        ]
    else:
        lines.append("      with orders as (")
    lines += ["          select", f"              {identifier(order_id.name)},"]
    for name, profile in used.items():
        if name == order_id.name or name in sums:
            continue
        value = f"nullif({identifier(name)}, '')" if profile.is_text else identifier(name)
        lines.append(f"              any_value({value} order by _source_row) as {identifier(name)},")
    lines += [f"              {sum_.sql} as {identifier(name)}," for name, sum_ in sums.items()]
    lines += [
        "              min(_source_row) as _source_row",
        f"          from {relation}",
        f"          group by {identifier(order_id.name)}",
        "      )",
    ]
    return lines + _select(entries, ["from orders"])


def _with_plain_sums(guess: Guess) -> Guess:
    """The same guess, whose summed columns are plain numbers: their sums are, however the file writes
    its numbers.
    """
    matches = dict(guess.matches)
    for name in guess.per_line:
        profile = replace(matches[name].profile, type=None, counts=Counter(), numbers=Numbers())
        matches[name] = Match(profile, matches[name].score)
    return replace(guess, matches=matches)


@dataclass(frozen=True)
class _Sum:
    """A sum over rows: `value` a number or NULL, `original` the text it was made of, `alias` a name for
    the value.
    """

    alias: str
    value: str
    original: str
    # Whether each row must have a value.
    strict: bool = True

    @property
    def sql(self) -> str:
        """The sum as text; if a value is no number, its text, so that landing refuses the row and shows
        it.
        """
        rows = "*" if self.strict else f"nullif({self.original}, '')"
        return (
            f"case when count({self.alias}) = count({rows}) then cast(sum({self.alias}) as varchar) "
            f"else min({self.original}) filter (where {self.alias} is null) end"
        )


def _text(profile: Profile) -> str:
    return identifier(profile.name) if profile.is_text else f"cast({identifier(profile.name)} as varchar)"


def _product(quantity: Profile, price: Profile) -> _Sum:
    """Quantity × price; where one of them is no number both are shown, as `two × 5.00`."""
    original = f"concat(coalesce({_text(quantity)}, '?'), ' × ', coalesce({_text(price)}, '?'))"
    return _Sum("_amount", f"{amount_sql(quantity)} * {amount_sql(price)}", original)


def _quantity_and_price(guess: Guess) -> tuple[Profile, Profile]:
    found = line_columns(guess)
    if found is None:
        raise AssertionError("an amount is derived only where there are quantity and price")
    return found[0].profile, found[1].profile


def _positive_lines(quantity: Profile | None, price: Profile | None) -> list[str]:
    """Returns in a file of lines: negative quantities are neither orders nor items. What is no number
    stays.
    """
    conditions = []
    if quantity is not None and _has_values(quantity, at_most_zero=True):
        conditions.append(f"coalesce({amount_sql(quantity)}, 1) > 0")
    if price is not None and _has_values(price, at_most_zero=False):
        conditions.append(f"coalesce({amount_sql(price)}, 0) >= 0")
    if not conditions:
        return []
    return [
        "-- CHOOSE: lines with a negative amount are left out. Are they returns? Then add a table `refunds`.",
        f"where {' and '.join(conditions)}",
    ]


def _has_values(profile: Profile, at_most_zero: bool) -> bool:
    numbers = (number_of(value, profile.numbers) for value in profile.counts)
    return any(number is not None and (number < 0 or (at_most_zero and number == 0)) for number in numbers)


def _numbered_items(guess: Guess, entries: list[_Entry], look: list[str]) -> list[str]:
    order_id = guess.matches["order_id"].profile
    number = _Entry(
        "line_number",
        f"row_number() over (partition by {identifier(order_id.name)} order by _source_row)",
        ("the file does not number the lines of an order: they are counted.",),
    )
    numbered = [number if entry.name == "line_number" else entry for entry in entries]
    if not any(entry.name == "line_number" for entry in numbered):
        numbered.insert(1, number)
    where = _positive_lines(guess.profile("quantity"), guess.profile("unit_price"))
    if where:
        look[:] = [line for line in look if not line.endswith("negative values")]
        look.append("lines with a negative amount are left out")
        numbered = [
            _Entry(entry.name, entry.sql, tuple(c for c in entry.comments if "are negative" not in c))
            for entry in numbered
        ]
    return ["    query: |", *_select(numbered, ["from source", *where])]


def _summed(guess: Guess, entries: list[_Entry], look: list[str]) -> list[str]:
    """Several rows of one key (raw clicks, a campaign's ads): summed."""
    key = [entry for entry in entries if entry.name in guess.table.key]
    others = [entry for entry in entries if entry.sql is not None and entry.name not in guess.table.key]
    lines = [
        f"    # Several rows of one {' and '.join(guess.table.key)}: they are added up.",
        "    query: |",
        "      select",
    ]
    for entry in key:
        lines += _sql_comments(entry, "          ")
        lines.append(f"          {entry.sql} as {entry.name},")
    for entry in others:
        profile = guess.matches[entry.name].profile if entry.name in guess.matches else None
        if profile and entry.name in SUMMED[guess.table.name]:
            total = _Sum(amount_sql(profile), "", _text(profile), strict=False)
            lines.append(f"          {total.sql} as {entry.name},")
        elif profile:
            lines.append(f"          any_value({entry.sql} order by _source_row) as {entry.name},")
        else:
            lines.append(f"          {entry.sql} as {entry.name},")
    if guess.table.name == "usage_events" and "uses" not in guess.matches:
        lines.append("          count(*) as uses,")
    lines += [
        "          min(_source_row) as _source_row",
        "      from source",
        f"      group by {', '.join(str(e.sql) for e in key)}",
    ]
    look.append("rows of one key are added up")
    return lines


def _customers_of_orders(guess: Guess, entries: list[_Entry]) -> list[str]:
    """No file of customers, but the orders tell something about them: what the latest order says."""
    customer = next(entry.sql for entry in entries if entry.name == "customer_id")
    lines = [
        "    # There is no file of customers: what their latest order tells about them.",
        "    query: |",
        "      select",
        f"          {customer} as customer_id,",
    ]
    for entry in entries:
        if entry.sql is not None and entry.name != "customer_id":
            value = f"nullif({entry.sql}, '')" if guess.matches[entry.name].profile.is_text else entry.sql
            lines.append(f"          any_value({value} order by _source_row desc) as {entry.name},")
    lines += [
        "          min(_source_row) as _source_row",
        "      from source",
        f"      where {customer} is not null",
        "      group by 1",
    ]
    return lines


def _joined(guess: Guess, entries: list[_Entry]) -> list[str]:
    """Orders whose amount lies in another file."""
    source = guess.amount_from
    order_id = guess.matches["order_id"].profile
    if source is None:
        raise AssertionError("called for orders with an amount from elsewhere")
    where: list[str] = []
    total = _Sum("_amount", amount_sql(source.amount), _text(source.amount))
    if source.quantity:
        total = _product(source.quantity, source.amount)
        where = _positive_lines(source.quantity, source.amount)
    what = "lines" if source.quantity else "payments"
    comments = [
        f"the orders have no amount: their {what} are added"
        + (", without shipping." if source.quantity else ".")
    ]
    cents = expression("orders", TABLES["orders"].column("gross_amount"), source.amount)
    if any("in cents" in choice for choice in cents.choices):
        comments.append(
            "in cents? Then take instead:\ncast(try_cast(_gross as decimal(18, 4)) / 100 as varchar)"
        )
    gross = _Entry("gross_amount", "_gross", tuple(comments))
    with_gross = [entry for entry in entries if entry.name != "gross_amount"]
    with_gross.insert(3, gross)
    name = identifier(source.order_id.name)
    lines = ["    join:", f"      {what}:"]
    lines += _input(source.group, source.group.patterns, "        ")
    lines += [
        "    query: |",
        "      with priced as (",
        f"          select *, {total.value} as _amount from {what}",
        *(f"          {line}" for line in where),
        "      ),",
        "      amounts as (",
        f"          select {name} as _order, {total.sql} as _gross",
        "          from priced",
        f"          group by {name}",
        "      )",
    ]
    return lines + _select(
        with_gross, ["from source", f"left join amounts on _order = {identifier(order_id.name)}"]
    )


# -------------------------------------------------------------------------------------------- comments


def _mapped(name: str, sql: str) -> list[str]:
    """`name: SQL` as YAML: on one line where that is readable, else as a block."""
    if re.search(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u2029\ufeff]", sql):
        return [f"{_COLUMN}{name}: {json.dumps(sql)}"]
    if "\n" not in sql and "'" not in sql and len(sql) < _WIDTH - 20:
        return [f"{_COLUMN}{name}: '{sql}'"]
    return [f"{_COLUMN}{name}: |-", *(f"{_COLUMN}  {line}" for line in sql.split("\n"))]


def _yaml_comments(entry: _Entry) -> list[str]:
    """The choices of a column. An expression to take instead becomes the column's line when `# ` goes."""
    lines = []
    for text in entry.comments:
        sentence, _, sql = text.partition("\n")
        lines += _question(sentence, _COLUMN, "# ")
        if sql:
            commented = _mapped(entry.name, sql)
            lines += [f"{_COLUMN}# {line.removeprefix(_COLUMN)}" for line in commented]
    return lines


def _sql_comments(entry: _Entry, indent: str) -> list[str]:
    """The same inside a query, where `-- ` goes."""
    lines = []
    for text in entry.comments:
        sentence, _, sql = text.partition("\n")
        lines += _question(sentence, indent, "-- ")
        if sql:
            *first, last = _visible_lines(sql)
            lines += [f"{indent}-- {line}" for line in (*first, f"{last} as {entry.name},")]
    return lines


def _question(sentence: str, indent: str, mark: str) -> list[str]:
    """A sentence marked CHOOSE, on as many lines as it needs."""
    wrapped = textwrap.wrap(
        _visible(sentence), _WIDTH - len(indent) - 10, break_long_words=False, break_on_hyphens=False
    )
    return [f"{indent}{mark}{'CHOOSE: ' if i == 0 else '  '}{line}" for i, line in enumerate(wrapped)]


def _visible_lines(text: str) -> list[str]:
    return [_visible(line) for line in text.split("\n")]


def _visible(text: str) -> str:
    """One line, whatever the file holds: no control characters, no line breaks."""
    return "".join(c if c.isprintable() else " " for c in text)


def _scalar(text: str, quoted: bool = False) -> str:
    if not quoted and re.fullmatch(r"[A-Za-z./][\w ./-]*", text) and not text.endswith(" "):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _candidates_comment(name: str, guess: Guess, profiles: list[Profile]) -> str:
    """Unused columns of the right type, the most similar names first."""
    used = {match.profile.name for match in guess.matches.values()}
    column = guess.table.column(name)
    scored = []
    for profile in profiles:
        if profile.name in used or not profile.filled or not fits(guess.table, column, profile):
            continue
        similar = SequenceMatcher(None, fold(profile.name), name.replace("_", " ")).ratio()
        known = name_score(profile.name, guess.table.name, name)
        by_type = column.kind in (Kind.DATE, Kind.TIMESTAMP) or column.is_currency
        if known or similar >= 0.6 or by_type or (column.required and column.kind is not Kind.TEXT):
            scored.append((-max(known, similar), profile.name))
    if not scored:
        return ""
    return "  # candidates: " + ", ".join(_visible(identifier(n)) for _, n in sorted(scored)[:4])


def _leftovers(guess: Guess, profiles: list[Profile], guesses: Guesses) -> list[str]:
    """The columns of the file that no table uses, with samples unless they are personal."""
    used = {
        match.profile.name
        for other in guesses.tables.values()
        if other.group is guess.group
        for match in other.matches.values()
    }
    if guess.cancelled_at is not None:
        used.add(guess.cancelled_at.name)
    first = next(other for other in guesses.tables.values() if other.group is guess.group)
    rest = [profile for profile in profiles if profile.name not in used and profile.filled]
    if first is not guess or not rest:
        return [""]
    lines = ["    # Not used:"]
    for profile in rest:
        lines.append(f"    #   {_visible(identifier(profile.name))}{samples_comment(profile)}")
    return [*lines, ""]


def samples_comment(profile: Profile) -> str:
    """Three values for the eye; never of a column that looks personal."""
    if profile.is_personal or profile.is_person:
        return "  (looks personal: not shown)"
    if not profile.filled:
        return "  (empty)"
    shown = [_visible(value)[:30] for value in profile.samples()]
    return "  e.g. " + ", ".join(shown)


def _incomplete(guess: Guess) -> list[str]:
    """A file that looks like a table but lacks something: the start of a mapping, not in force."""
    look: list[str] = []
    lines = [
        f"  # {_visible(guess.group.label)} looks like {guess.table.name}, but nothing in it looks "
        f"like {', '.join(guess.missing)}.",
        "  # Fill the question marks, then remove the # before each line.",
    ]
    body = [f"  {guess.table.name}:", *_files(guess), "    columns:"]
    for entry in _entries(guess, look):
        body += _yaml_comments(entry)
        mark = "  # required" if entry.name in guess.missing else ""
        if entry.sql is None:
            body.append(
                f"{_COLUMN}{entry.name}: ?{mark}{_candidates_comment(entry.name, guess, guess.profiles)}"
            )
        else:
            body += _mapped(entry.name, entry.sql)
    used = {match.profile.name for match in guess.matches.values()}
    body += [
        f"    # not used: {_visible(identifier(p.name))}{samples_comment(p)}"
        for p in guess.profiles
        if p.name not in used
    ]
    return [*lines, *(f"  # {line[2:]}" for line in body), ""]


def _unused(guesses: Guesses, profiles: dict[int, list[Profile]], unreadable: list[Unreadable]) -> list[str]:
    if not guesses.unused and not unreadable:
        return []
    lines = ["# Files that no table uses:"]
    for group in guesses.unused:
        names = ", ".join(_visible(identifier(profile.name)) for profile in profiles[id(group)][:12])
        more = ", …" if len(profiles[id(group)]) > 12 else ""
        lines.append(f"#   {_visible(group.label)}: {names}{more}")
    for one in unreadable:
        lines.append(f"#   {_visible(one.file)}: {_visible(one.why)}")
    return lines
