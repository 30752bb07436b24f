"""The raw contract as SQL: clean a mapped row, convert its values, and say what is wrong with it.

All of it is set-based: one select per table, whatever the number of rows; `scripts.landing.land` runs it.
Typed values go through by their type, plain texts as they are; what is neither takes the careful way. Both
ways give the same rows and the same reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from scripts.contract.personal import NAMES_SOMEBODY
from scripts.contract.raw_tables import CURRENCIES, Column, Kind, Table, stored_name
from scripts.core.sql import identifier, literal
from scripts.core.text import BLANKS
from scripts.personal_data.patterns import EMAIL_PATTERN, PERSONAL_MARK, PHONE_PATTERN

# What nobody sees: control characters, marks without width, marks of the reading direction.
_UNSEEN = (
    r"[\x{00}-\x{1F}\x{7F}-\x{9F}\x{AD}\x{61C}\x{180E}"
    r"\x{200B}-\x{200F}\x{2028}-\x{202E}\x{2060}-\x{2069}\x{FEFF}]"
)
# A number with a decimal comma, and whatever stands between its thousands.
DECIMAL_COMMA = r"[+-]?[0-9][0-9.'\s\x{00A0}\x{202F}]*,[0-9]+"
# What programs write where they have no value.
_NO_VALUE = (
    "null",
    "(null)",
    "<null>",
    "[null]",
    "\\n",
    "n/a",
    "#n/a",
    "nan",
    "<na>",
    "nat",
    "none",
    "nil",
    "undefined",
    "-",
    "--",
    "–",
    "—",
    "?",
    ".",
)
_WORDS = ", ".join(literal(word) for word in _NO_VALUE)
# What a spreadsheet leaves of a long number, or of a formula that fails.
_SPREADSHEET = r"[0-9]([.,][0-9]+)?[eE]\+[0-9]+|#(REF|NAME\?|VALUE|DIV/0|NUM|NULL)!?|##+"
_QUOTED = r"'.*'|\".*\"|`.*`|‘.*’|“.*”|«.*»"
_MARKED = "'[^']*"
_NESTED = r"\{.*\}|\[.*\]"
_SHOWN_CHARACTERS = 40
# A text in which neither blanks at the ends, nor an address, nor any of the above can be.
_PLAIN = r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/-]*[A-Za-z0-9._:/-])?"
_LONGEST_WORD = max(map(len, _NO_VALUE))

# The only ways to write a time that are read. DuckDB's own cast takes more, and drops offsets without a word.
_DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_NAIVE = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?)?"
# Area/City names are clear; EST, CST or IST mean several zones and are refused.
_ZONE = r"(?:[zZ]|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d){0,2}|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)"
_ZONED = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[T ]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?\s*" + _ZONE


# Types of DuckDB: of a text, and of a time that says which instant it is.
_TEXT = "VARCHAR"
_INSTANT = "TIMESTAMP WITH TIME ZONE"
_WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
# How many decimals the contract's numbers have.
_DECIMALS = {Kind.DECIMAL: 4, Kind.RATE: 12}
_FIRST_TIME = "timestamp '0001-01-01'"
_LAST_TIME = "timestamp '9999-12-31 23:59:59.999999'"


@dataclass(frozen=True)
class Limits:
    """What an adapter and the day of the load say about rows: see the adapter keys of the same names."""

    load_date: date
    earliest_date: date
    max_days_ahead: int
    timestamps_are_utc: bool
    business_timezone: str
    reporting_currency: str

    @property
    def latest_date(self) -> date:
        return self.load_date + timedelta(days=self.max_days_ahead)


def row_key_sql(table: Table) -> str:
    """The key columns as one text; several are joined by `|`, with `|` and the backslash in them escaped.

    NULL if a part is NULL. The columns are named as in `raw`.
    """
    parts = [table.column(name) for name in table.key]
    if len(parts) == 1:
        return f"cast({identifier(parts[0].name)} as varchar)"
    return " || '|' || ".join(
        rf"replace(replace({identifier(part.name)}, '\', '\\'), '|', '\|')"
        if part.kind is Kind.TEXT
        else f"cast({identifier(part.name)} as varchar)"
        for part in parts
    )


@dataclass(frozen=True)
class Mapped:
    """Where mapped rows of one table lie, and what is known of their values.

    `types` are the DuckDB types of the columns that were mapped, see `passed_type`; a column without one is
    NULL in every row. `plain` names the columns of text of which every value is plain, see `plain_sql`.
    `first_id` is the `_mapped_row` of the first row.
    """

    relation: str
    types: Mapping[str, str]
    first_id: int = 0
    plain: frozenset[str] = frozenset()

    def is_native(self, column: Column) -> bool:
        """Whether the values have a type of their own, and are no text."""
        return self.types.get(column.name, _TEXT) != _TEXT

    def rows(self, where: str = "true") -> str:
        """The rows with a number of their own, as SQL; `where` chooses some of them, by `_mapped_row`."""
        return f"""(
            select * from (select *, rowid + {self.first_id} as _mapped_row from {self.relation}) as numbered
            where {where}) as mapped"""


def passed_type(column: Column, kind: str) -> str:
    """The type in which a mapped value of the type `kind` goes on to the checks: its own, or VARCHAR.

    Its own where the contract's type follows from it as it does from the text: then nothing has to be
    written and read again.
    """
    if column.kind is Kind.TEXT:
        keeps = kind in _WHOLE_NUMBERS and not column.is_email and not column.is_free_text
    elif column.kind is Kind.INTEGER:
        keeps = kind in _WHOLE_NUMBERS
    elif column.kind is Kind.BOOLEAN:
        keeps = kind == "BOOLEAN"
    elif column.kind in (Kind.DATE, Kind.TIMESTAMP):
        keeps = kind in ("DATE", "TIMESTAMP", "TIMESTAMP_NS", _INSTANT)
    else:
        # More decimals than the contract has must be rounded as those of a text are.
        decimals = re.fullmatch(r"DECIMAL\(\d+,(\d+)\)", kind)
        is_exact = decimals is not None and int(decimals[1]) <= _DECIMALS[column.kind]
        keeps = is_exact or kind in (*_WHOLE_NUMBERS, "DOUBLE")
    return kind if keeps else _TEXT


def plain_columns(table: Table, mapped: Mapped) -> list[Column]:
    """The columns of text of which it is worth to know whether all values are plain."""
    return [
        column
        for column in table.columns
        if column.kind is Kind.TEXT
        and not (column.is_email or column.is_free_text)
        and mapped.types.get(column.name) == _TEXT
    ]


def plain_select(table: Table, mapped: Mapped) -> str:
    """Select one row: for each of `plain_columns` whether all of its values are plain."""
    tests = ", ".join(
        f"coalesce(bool_and({plain_sql(column, identifier(column.name))}), true)"
        for column in plain_columns(table, mapped)
    )
    return f"select {tests} from {mapped.relation}"


def plain_sql(column: Column, text: str) -> str:
    """SQL that is true for a text which neither cleaning nor the rules of ids would touch.

    One cheap question in the place of a dozen: the texts of a real export are nearly all plain.
    """
    if column.is_currency:
        return _is_currency(text)
    if column.values:
        return f"{text} in ({_listed(column.values)})"
    is_plain = f"regexp_full_match({text}, {literal(_PLAIN)})"
    if not column.name.endswith("_id"):
        return is_plain
    return f"""case
            when not {is_plain} then false
            when ends_with({text}, '.0') then false
            when length({text}) > {_LONGEST_WORD} then true
            else lower({text}) not in ({_WORDS}) end"""


def cleaned_select(table: Table, mapped: Mapped, where: str = "true") -> str:
    """Select the mapped rows as texts, trimmed, blank as NULL, and without e-mail addresses.

    A text that as a whole is an address becomes the salted hash, so that it still joins; an address inside a
    longer text becomes `[e-mail]`, a telephone number in what a person wrote `[phone]`. An id of a customer
    that begins with `personal#` is a number or a name of a person: it becomes the salted hash too. The salt
    is the DuckDB variable `salt` of the session. `where` chooses rows, by `_mapped_row`.
    """
    texts = ", ".join(
        f"cast({identifier(stored_name(column))} as varchar) as {identifier(stored_name(column))}"
        for column in table.columns
    )
    return f"""
        select _file, _source_row, _mapped_row, {texts}
        from ({_cleaned_select(table, mapped, where)}) as cleaned"""


def _cleaned_select(table: Table, mapped: Mapped, where: str) -> str:
    """As `cleaned_select`, but values with a type of their own keep it."""
    trimmed = []
    cleaned = []
    for column in table.columns:
        name, stored = identifier(column.name), identifier(stored_name(column))
        if column.name not in mapped.types:
            trimmed.append(f"cast(null as varchar) as {name}")
            cleaned.append(f"{name} as {stored}")
        elif mapped.is_native(column) or column.name in mapped.plain:
            trimmed.append(name)
            cleaned.append(f"{name} as {stored}")
        else:
            trimmed.append(f"nullif(trim({_composed(column)}, {literal(BLANKS)}), '') as {name}")
            cleaned.append(f"{_without_address(column)} as {stored}")
    numbers = "_file, _source_row, _mapped_row"
    return f"""
        select {numbers}, {", ".join(cleaned)}
        from (select {numbers}, {", ".join(trimmed)} from {mapped.rows(where)}) as trimmed"""


def _composed(column: Column) -> str:
    """Letters with accents as one character each: written as two, the same name would be another id."""
    value = identifier(column.name)
    return f"nfc_normalize({value})" if column.kind is Kind.TEXT else value


def _without_address(column: Column) -> str:
    value = identifier(column.name)
    hashed = f"sha256(getvariable('salt') || lower({value}))"
    if column.is_email:
        return f"case when {value} is not null then {hashed} end"
    redacted = f"regexp_replace({value}, {literal(EMAIL_PATTERN)}, '[e-mail]', 'g')"
    if column.kind is Kind.TEXT and not column.values and not column.is_currency:
        is_address = f"regexp_full_match({value}, {literal(EMAIL_PATTERN)})"
        redacted = f"case when {is_address} then {hashed} else {redacted} end"
    # Looking for one character first spares nearly all rows the pattern.
    cleaned = f"case when contains({value}, '@') then {redacted} else {value} end"
    if column.personal in NAMES_SOMEBODY:
        marked = f"lower(trim(substr({value}, {len(PERSONAL_MARK) + 1})))"
        cleaned = f"""case
            when starts_with({value}, {literal(PERSONAL_MARK)})
            then sha256(getvariable('salt') || nullif({marked}, ''))
            else {cleaned} end"""
    return masked_phones(cleaned) if column.is_free_text else cleaned


def masked_phones(text: str) -> str:
    """SQL that puts `[phone]` in the place of each telephone number in a text."""
    return f"regexp_replace({text}, {literal(PHONE_PATTERN)}, '\\1[phone]', 'g')"


def converted_select(table: Table, mapped: Mapped, limits: Limits, where: str = "true") -> str:
    """Select the mapped rows with their values converted to the contract's types, NULL where one is not.

    Gives `_file, _source_row, _mapped_row`, the columns of `raw.<table>` with `_is_utc` and `_row_key` (NULL
    if a part of the key is missing or unreadable). `where` chooses rows, by `_mapped_row`.
    """
    stored = ", ".join(identifier(stored_name(column)) for column in table.columns)
    return f"""
        select
            _file, _source_row, _mapped_row, {stored},
            {_is_utc(table, limits)} as _is_utc,
            {row_key_sql(table)} as _row_key
        from ({_typed_select(table, mapped, limits, where)}) as typed"""


def faulty_select(table: Table, mapped: Mapped, limits: Limits) -> str:
    """Select `_file, _mapped_row` of the rows that break the contract, with `_reason`: all that is wrong."""
    rules = _rules(table, mapped, limits)
    moments = [column for column in table.columns if column.kind is Kind.TIMESTAMP]
    if len(moments) > 1 and not limits.timestamps_are_utc:
        with_offset = " or ".join(_zoned(column) for column in moments)
        without = " or ".join(
            f"({identifier(column.name)} is not null and not {_zoned(column)})" for column in moments
        )
        names = ", ".join(column.name for column in moments)
        rules.append(
            (
                f"({with_offset}) and ({without})",
                literal(
                    f"of {names} some have an offset and some have not: give all of them one, "
                    "or say `timestamps: utc`"
                ),
            )
        )
    any_rule = " or ".join(f"({condition})" for condition, _ in rules)
    all_reasons = ", ".join(f"case when {condition} then {message} end" for condition, message in rules)
    return f"""
        select _file, _mapped_row, concat_ws('; ', {all_reasons}) as _reason
        from ({_typed_select(table, mapped, limits)}) as typed
        where {any_rule}"""


def _typed_select(table: Table, mapped: Mapped, limits: Limits, where: str = "true") -> str:
    """Select every value as it came (`t_<column>`) and converted, and what the rules ask for besides."""
    typed = []
    for column in table.columns:
        name = identifier(stored_name(column))
        typed.append(f"{name} as {identifier('t_' + stored_name(column))}")
        if column.kind in (Kind.TIMESTAMP, Kind.DATE):
            typed.append(f"{_has_offset(column, name, mapped)} as {_zoned(column)}")
        if _may_be_no_id(column, mapped):
            typed.append(f"{plain_sql(column, name)} as {_plain(column)}")
        if mapped.is_native(column):
            typed.append(f"{_converted_native(column, name, mapped.types[column.name], limits)} as {name}")
        elif column.name in mapped.plain and (column.values or column.is_currency):
            typed.append(name)
        else:
            typed.append(f"{_converted(column, name, limits)} as {name}")
    return f"""
        select _file, _source_row, _mapped_row, {", ".join(typed)}
        from ({_cleaned_select(table, mapped, where)}) as cleaned"""


def _is_utc(table: Table, limits: Limits) -> str:
    if limits.timestamps_are_utc:
        return "true"
    moments = [_zoned(column) for column in table.columns if column.kind is Kind.TIMESTAMP]
    return f"({' or '.join(moments)})" if moments else "(false)"


def _has_offset(column: Column, value: str, mapped: Mapped) -> str:
    """Whether a time says which instant it is; SQL on the value as it came."""
    if mapped.types.get(column.name) == _INSTANT:
        return f"{value} is not null"
    if mapped.is_native(column):
        return f"{value} is not null and not {_is_writable(value)}"
    return f"{value} is not null and not regexp_full_match({value}, {literal(_NAIVE)})"


def _is_writable(value: str) -> str:
    """Whether a date or time is one that a text may say: its year has four digits."""
    return f"coalesce(try_cast({value} as timestamp) between {_FIRST_TIME} and {_LAST_TIME}, false)"


def _may_be_no_id(column: Column, mapped: Mapped) -> bool:
    return (
        column.name.endswith("_id")
        and mapped.types.get(column.name) == _TEXT
        and column.name not in mapped.plain
    )


def _plain(column: Column) -> str:
    return identifier(f"p_{column.name}")


def _zoned(column: Column) -> str:
    return identifier(f"z_{column.name}")


def _converted(column: Column, value: str, limits: Limits) -> str:
    """The value (a text) as the contract's type, NULL if it is not one."""
    kind = column.kind
    if kind is Kind.TEXT:
        if column.values:
            return f"lower({value})"
        return f"upper({value})" if column.is_currency else value
    if kind in (Kind.DECIMAL, Kind.RATE):
        return _number(value, kind.value)
    if kind is Kind.INTEGER:
        # Straight to BIGINT, DuckDB would round 7.5 to 8 and read 0x1F.
        number = _number(value, "decimal(38, 10)")
        return f"case when {number} = trunc({number}) then try_cast({number} as {kind.value}) end"
    if kind is Kind.BOOLEAN:
        return f"try_cast({value} as {kind.value})"
    # DuckDB does not read an offset after minutes, a small z, nor a space before the offset.
    mended = f"regexp_replace({value}, '([T ]\\d+:\\d+)(\\s*[^\\d:\\s].*)$', '\\1:00\\2')"
    mended = f"regexp_replace(regexp_replace({mended}, '\\s*[zZ]$', 'Z'), '\\s+([+-])', '\\1')"
    instant = f"try_cast({mended} as timestamptz)"
    zone = "UTC" if kind is Kind.TIMESTAMP else limits.business_timezone
    naive = f"try_cast({value} as timestamp)"
    if kind is Kind.DATE and limits.timestamps_are_utc:
        # The same instant is the same business day, with an offset and without; a day without a time is none.
        as_instant = f"timezone({literal(zone)}, timezone('UTC', {naive}))"
        naive = f"case when regexp_full_match({value}, {literal(_DAY)}) then {naive} else {as_instant} end"
    moment = f"""
        case
            when regexp_full_match({value}, {literal(_NAIVE)}) then {naive}
            when regexp_full_match({value}, {literal(_ZONED)}) then timezone({literal(zone)}, {instant})
        end"""
    return moment if kind is Kind.TIMESTAMP else f"cast({moment} as date)"


def _converted_native(column: Column, value: str, kind: str, limits: Limits) -> str:
    """A value of the DuckDB type `kind` as the contract's type: what its text would be converted to."""
    if column.kind is Kind.TEXT:
        return _converted(column, f"cast({value} as varchar)", limits)
    if column.kind in (Kind.INTEGER, Kind.BOOLEAN):
        return f"try_cast({value} as {column.kind.value})"
    if column.kind in (Kind.DECIMAL, Kind.RATE):
        number = f"try_cast({value} as {column.kind.value})"
        if kind != "DOUBLE":
            return number
        # No two numbers of up to 15 digits are one double: what gives it back is what its text says.
        most = f"1e{15 - _DECIMALS[column.kind]}"
        return f"""case
            when abs({value}) < {most} and cast({number} as double) = {value} then {number}
            else {_number(f"cast({value} as varchar)", column.kind.value)} end"""
    moment = f"cast({value} as timestamp)"
    if kind == _INSTANT:
        zone = "UTC" if column.kind is Kind.TIMESTAMP else limits.business_timezone
        moment = f"timezone({literal(zone)}, {value})"
        is_writable = _is_writable(f"timezone('UTC', {value})")
    else:
        is_writable = _is_writable(value)
        if column.kind is Kind.DATE and kind != "DATE" and limits.timestamps_are_utc:
            moment = f"timezone({literal(limits.business_timezone)}, timezone('UTC', {moment}))"
    converted = f"case when {is_writable} then cast({moment} as {column.kind.value}) end"
    if kind == "TIMESTAMP_NS":
        # What is finer than microseconds is rounded, before 1970 in another way than that of a text.
        careful = _converted(column, f"cast({value} as varchar)", limits)
        return f"case when cast({moment} as timestamp_ns) = {value} then {converted} else {careful} end"
    return converted


def _number(value: str, sql_type: str) -> str:
    # DuckDB would read 1_000 and 2e4., and round 6e-17 up to 0.0001: exponents take the way over more digits.
    wide = "decimal(38, 20)" if sql_type == Kind.RATE.value else "decimal(38, 12)"
    exponent = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+"
    return f"""case
            when contains({value}, '_') then null
            when not contains(lower({value}), 'e') then try_cast({value} as {sql_type})
            when regexp_full_match({value}, {literal(exponent)})
            then try_cast(try_cast({value} as {wide}) as {sql_type})
        end"""


def _rules(table: Table, mapped: Mapped, limits: Limits) -> list[tuple[str, str]]:
    """The rules of one table as (condition that a bad row meets, SQL text of the reason)."""
    rules: list[tuple[str, str]] = []
    for column in table.columns:
        if column.is_email:
            continue
        name = column.name
        value, came = identifier(name), identifier("t_" + name)
        text = f"cast({came} as varchar)" if mapped.is_native(column) else came
        shown = f"{literal(name + ' ')} || {_quoted(text)}"
        if column.required:
            rules.append((f"{came} is null", literal(f"{name} is missing")))
        if name not in mapped.types:
            continue
        if _may_be_no_id(column, mapped):
            rules += [
                (f"not {_plain(column)} and {condition}", message)
                for condition, message in _id_rules(name, text, shown)
            ]
        if column.kind is not Kind.TEXT:
            rules.append(
                (f"{came} is not null and {value} is null", f"{shown} || {_unconverted(column, text)}")
            )
        if name not in mapped.plain:
            if column.values:
                message = literal(f" is none of {', '.join(column.values)}")
                rules.append((f"{value} not in ({_listed(column.values)})", f"{shown} || {message}"))
            if column.is_currency:
                message = "' is no ISO 4217 currency code'"
                rules.append((f"not {_is_currency(value)}", f"{shown} || {message}"))
        rules += _range_rules(column, value, shown)
        if column.kind in (Kind.DATE, Kind.TIMESTAMP):
            rules += _date_rules(column, value, shown, limits)
    for earlier, later in table.ordered_dates:
        first, second = identifier(earlier), identifier(later)
        message = f"{literal(later + ' ')} || {second} || {literal(f' is before {earlier} ')} || {first}"
        rules.append((f"{second} < {first}", message))
    for part, whole in table.parts:
        first, second = identifier(part), identifier(whole)
        message = (
            f"{literal(part + ' ')} || {first} || {literal(f' is above {whole} ')} || {second} || "
            f"{literal(f': {whole} is the amount before the discount')}"
        )
        rules.append((f"{first} > {second}", message))
    return rules


def _listed(values: Iterable[str]) -> str:
    return ", ".join(literal(value) for value in values)


def _is_currency(text: str) -> str:
    # DuckDB makes a join of `in` with so many values, and that is slow.
    return f"list_contains([{_listed(sorted(CURRENCIES))}], {text})"


def _id_rules(name: str, text: str, shown: str) -> list[tuple[str, str]]:
    """What no id is, though it is a text: each would make one customer of many, or two of one."""
    first = f"regexp_extract({text}, {literal(_UNSEEN)})"
    code = f"lpad(upper(to_base(unicode({first}), 16)), 4, '0')"
    without_zero = in_place_of(name, f"regexp_replace({name}, '[.]0$', '')")
    unwrapped = in_place_of(name, f"regexp_replace({name}, '^=\"(.*)\"$', '\\1')")
    unmarked = in_place_of(name, f"ltrim({name}, '''')")
    return [
        (
            f"regexp_matches({text}, {literal(_UNSEEN)})",
            f"{shown} || ' has a character that cannot be seen (U+' || {code} || '): "
            "two ids would look alike'",
        ),
        (f"lower({text}) in ({_WORDS})", f"{shown} || {_nullif_advice(name, text)}"),
        (
            f"regexp_full_match({text}, {literal(_SPREADSHEET)})",
            f"{shown} || ' is what a spreadsheet makes of an id: export the column as text'",
        ),
        (
            f"regexp_full_match({text}, {literal(_QUOTED)}, 's') and length({text}) > 1",
            f"{shown} || ' stands in quotes: say which quote the file has, csv: {{quote: …}}'",
        ),
        (
            f"regexp_full_match({text}, '[0-9]+[.]0')",
            f"{shown} || {literal(' is a whole number that was written as a decimal: ' + without_zero)}",
        ),
        (
            f"regexp_full_match({text}, '=\".*\"')",
            f"{shown} || {literal(' is a formula that protects a text: ' + unwrapped)}",
        ),
        (
            f"regexp_full_match({text}, {literal(_MARKED)})",
            f"{shown} || {literal(' begins with the mark of a text in a spreadsheet: ' + unmarked)}",
        ),
        (
            f"regexp_full_match({text}, {literal(_NESTED)}, 's')",
            f"{shown} || ' is not one value: map it to one of its fields'",
        ),
    ]


def _nullif_advice(name: str, text: str) -> str:
    before = literal(f" means that there is no value: map it with nullif({name}, '")
    after = literal(f"'), the file's column in place of {name}")
    return f"{before} || {text} || {after}"


def _quoted(text: str) -> str:
    return (
        f"'''' || left({text}, {_SHOWN_CHARACTERS}) || "
        f"case when length({text}) > {_SHOWN_CHARACTERS} then '…' else '' end || ''''"
    )


def _unconverted(column: Column, text: str) -> str:
    """The rest of the reason, as SQL, for a text that does not convert."""
    return f"""case
            when lower({text}) in ({_WORDS}) and lower({text}) <> 'nan'
            then {_nullif_advice(column.name, text)}
            else {_unreadable(column, text)} end"""


def _unreadable(column: Column, text: str) -> str:
    if column.kind is Kind.BOOLEAN:
        return "' is neither true nor false'"
    if column.kind in (Kind.TIMESTAMP, Kind.DATE):
        form = "time (YYYY-MM-DD HH:MM:SS" if column.kind is Kind.TIMESTAMP else "date (YYYY-MM-DD"
        well_formed = f"regexp_full_match({text}, {literal(f'{_NAIVE}|{_ZONED}')})"
        return f"""case
            when {well_formed} then ' does not exist in the calendar'
            else {literal(f" is not a {form}, with or without offset): map it with try_strptime")} end"""
    too_long = "when isfinite(try_cast({0} as double)) and not contains({0}, '_') then {1}"
    if column.kind is Kind.INTEGER:
        return f"case {too_long.format(text, literal(' is not a whole number'))} else ' is not a number' end"
    comma = literal(DECIMAL_COMMA)
    name = column.name
    hint = literal(f" has a decimal comma: {in_place_of(name, decimal_comma_sql(name))}")
    points = literal(f" has points between thousands: {in_place_of(name, thousands_of(name, '.'))}")
    commas = literal(f" has commas between thousands: {in_place_of(name, thousands_of(name, ','))}")
    # Messages about a text begin with the quote that closes it.
    either = literal(either_reading(name, ",").removeprefix("'"))
    return f"""case
            when regexp_full_match({text}, '[+-]?[1-9][0-9]{{0,2}},[0-9]{{3}}') then {either}
            when regexp_full_match({text}, '[+-]?[0-9]{{1,3}}([.][0-9]{{3}}){{2,}}') then {points}
            when regexp_full_match({text}, '[+-]?[0-9]{{1,3}}((,[0-9]{{3}}){{2,}}|(,[0-9]{{2,3}})+[.][0-9]*)')
            then {commas}
            when regexp_full_match({text}, {comma}) then {hint}
            {too_long.format(text, literal(" has too many digits"))}
            else ' is not a number' end"""


def decimal_comma_sql(text: str, thousands: str = "'") -> str:
    r"""SQL that makes `1.050,00`, `1 050,00`, `4.516,1` and `125,16` numbers with a decimal point.

    `thousands` are the marks between thousands, besides the point and spaces, also those that do not break.
    A mark goes only before three digits: 125.16 among decimal commas must not become 12516.
    """
    marks = literal(rf"[.{thousands}\s\x{{00A0}}\x{{202F}}]([0-9]{{3}})\b")
    return f"replace(regexp_replace({text}, {marks}, '\\1', 'g'), ',', '.')"


def thousands_of(text: str, mark: str) -> str:
    """SQL that takes a mark between thousands out of a number.

    >>> thousands_of("total", ".")
    "replace(total, '.', '')"
    """
    return f"replace({text}, {literal(mark)}, '')"


def in_place_of(column: str, sql: str) -> str:
    """Advice to map a column of the contract with `sql`, which names that column for the file's."""
    return f"map it with {sql}, the file's column in place of {column}"


def point_between_thousands(column: str, decimal_mark: str, found: str = "") -> str:
    """The reason, from the quote on that closes the value, for 1.250 where others tell what the point is.

    `decimal_mark` is the comma where they have decimals after it, the point where they have several points.
    `found` is said of the value instead.
    """
    if decimal_mark == ",":
        said = found or "' may be thousands, as others of the file have a decimal comma: "
        return said + in_place_of(column, decimal_comma_sql(column))
    return "' may be thousands, as others of the file have several points: " + in_place_of(
        column, thousands_of(column, ".")
    )


def either_reading(column: str, mark: str) -> str:
    """The reason, from the quote on that closes the value, for 1.250 or 1,250 where nothing tells more."""
    number = column if mark == "." else f"replace({column}, ',', '.')"
    what = "point" if mark == "." else "comma"
    return (
        f"' has one {what} before three digits, which may stand between thousands or before decimals: map it "
        f"with {thousands_of(column, mark)} or with cast({number} as decimal(18, 4)), the file's column in "
        f"place of {column}"
    )


def _range_rules(column: Column, value: str, shown: str) -> list[tuple[str, str]]:
    if column.minimum is not None and column.maximum is not None:
        message = literal(f" is outside {column.minimum} to {column.maximum}")
        return [(f"{value} not between {column.minimum} and {column.maximum}", f"{shown} || {message}")]
    if column.minimum is None:
        return []
    if column.above_minimum:
        return [(f"{value} <= {column.minimum}", f"{shown} || ' is not above {column.minimum}'")]
    message = " is negative" if column.minimum == 0 else f" is below {column.minimum}"
    return [(f"{value} < {column.minimum}", f"{shown} || {literal(message)}")]


def _date_rules(column: Column, value: str, shown: str, limits: Limits) -> list[tuple[str, str]]:
    earliest = limits.earliest_date.isoformat()
    rules = [
        (
            f"{value} < date {literal(earliest)}",
            f"{shown} || {literal(f' is before {earliest} (earliest_date)')}",
        )
    ]
    if not column.may_be_future:
        message = (
            f" is after the load ({limits.load_date.isoformat()}, max_days_ahead {limits.max_days_ahead})"
        )
        rules.append(
            (
                f"cast({value} as date) > date {literal(limits.latest_date.isoformat())}",
                f"{shown} || {literal(message)}",
            )
        )
    return rules
