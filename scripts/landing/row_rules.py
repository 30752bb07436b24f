"""The raw contract as SQL: clean a mapped row, convert its values, and say what is wrong with it.

All of it is set-based: one select per table, whatever the number of rows. `scripts.landing.land` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from scripts.contract.raw_tables import CURRENCIES, Column, Kind, Table, stored_name
from scripts.core.sql import identifier, literal
from scripts.personal_data.patterns import EMAIL_PATTERN, PHONE_PATTERN

# What counts as blank at the ends of a value: also the spaces that spreadsheets and web forms leave.
# and the marks that have no width.
BLANKS = (
    " \t\r\n\v\f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028"
    "\u2029\u202f\u205f\u3000\u200b\u200e\u200f\u2060\ufeff"
)
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
_NESTED = r"\{.*\}|\[.*\]"
_SHOWN_CHARACTERS = 40

# The only ways to write a time that are read. DuckDB's own cast takes more, and drops offsets without a word.
_NAIVE = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[T ]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?)?"
# Area/City names are clear; EST, CST or IST mean several zones and are refused.
_ZONE = r"(?:[zZ]|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d){0,2}|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)"
_ZONED = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[T ]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?\s*" + _ZONE


@dataclass(frozen=True)
class Limits:
    """What an adapter and the day of the load say about rows: see the adapter keys of the same names."""

    load_date: date
    earliest_date: date
    max_days_ahead: int
    timestamps_are_utc: bool
    business_timezone: str

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


def cleaned_select(table: Table, relation: str) -> str:
    """Select the mapped rows trimmed, blank as NULL, and without e-mail addresses.

    A text that as a whole is an address becomes the salted hash, so that it still joins; an address inside a
    longer text becomes `[e-mail]`, a telephone number in what a person wrote `[phone]`. The salt is the
    DuckDB variable `salt` of the session.
    """
    trimmed = ", ".join(
        f"nullif(trim({_composed(column)}, {literal(BLANKS)}), '') as {identifier(column.name)}"
        for column in table.columns
    )
    cleaned = ", ".join(
        f"{_without_address(column)} as {identifier(stored_name(column))}" for column in table.columns
    )
    return f"""
        select _file, _source_row, _mapped_row, {cleaned}
        from (select _file, _source_row, rowid as _mapped_row, {trimmed} from {relation}) as trimmed"""


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
    return masked_phones(cleaned) if column.is_free_text else cleaned


def masked_phones(text: str) -> str:
    """SQL that puts `[phone]` in the place of each telephone number in a text."""
    return f"regexp_replace({text}, {literal(PHONE_PATTERN)}, '\\1[phone]', 'g')"


def checked_select(table: Table, relation: str, limits: Limits) -> str:
    """Select every mapped row with its values converted to the contract's types.

    Gives `_file, _source_row, _mapped_row`, the columns of `raw.<table>` with `_is_utc` and `_row_key` (NULL
    if a part of the key is missing or unreadable), and `_reason`: all that is wrong with the row, or NULL.
    """
    typed = []
    for column in table.columns:
        name = identifier(stored_name(column))
        typed.append(f"{name} as {identifier('t_' + stored_name(column))}")
        if column.kind in (Kind.TIMESTAMP, Kind.DATE):
            typed.append(
                f"{name} is not null and not regexp_full_match({name}, {literal(_NAIVE)}) as {_zoned(column)}"
            )
        typed.append(f"{_converted(column, name, limits)} as {name}")
    moments = [column for column in table.columns if column.kind is Kind.TIMESTAMP]
    with_offset = " or ".join(_zoned(column) for column in moments) or "false"
    is_utc = "true" if limits.timestamps_are_utc else f"({with_offset})"
    rules = _rules(table, limits)
    if len(moments) > 1 and not limits.timestamps_are_utc:
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
    stored = ", ".join(identifier(stored_name(column)) for column in table.columns)
    return f"""
        select
            _file, _source_row, _mapped_row, {stored},
            {is_utc} as _is_utc,
            {row_key_sql(table)} as _row_key,
            case when {any_rule} then concat_ws('; ', {all_reasons}) end as _reason
        from (
            select _file, _source_row, _mapped_row, {", ".join(typed)}
            from ({cleaned_select(table, relation)}) as cleaned
        ) as typed"""


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
    moment = f"""
        case
            when regexp_full_match({value}, {literal(_NAIVE)}) then try_cast({value} as timestamp)
            when regexp_full_match({value}, {literal(_ZONED)}) then timezone({literal(zone)}, {instant})
        end"""
    return moment if kind is Kind.TIMESTAMP else f"cast({moment} as date)"


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


def _rules(table: Table, limits: Limits) -> list[tuple[str, str]]:
    """The rules of one table as (condition that a bad row meets, SQL text of the reason)."""
    rules: list[tuple[str, str]] = []
    for column in table.columns:
        if column.is_email:
            continue
        name = column.name
        value, text = identifier(name), identifier("t_" + name)
        shown = f"{literal(name + ' ')} || {_quoted(text)}"
        if column.required:
            rules.append((f"{text} is null", literal(f"{name} is missing")))
        if column.name.endswith("_id"):
            rules += _id_rules(name, text, shown)
        if column.kind is not Kind.TEXT:
            rules.append(
                (f"{text} is not null and {value} is null", f"{shown} || {_unconverted(column, text)}")
            )
        if column.values:
            allowed = ", ".join(literal(one) for one in column.values)
            message = literal(f" is none of {', '.join(column.values)}")
            rules.append((f"{value} not in ({allowed})", f"{shown} || {message}"))
        if column.is_currency:
            known = ", ".join(literal(code) for code in sorted(CURRENCIES))
            rules.append((f"{value} not in ({known})", f"{shown} || ' is no ISO 4217 currency code'"))
        rules += _range_rules(column, value, shown)
        if column.kind in (Kind.DATE, Kind.TIMESTAMP):
            rules += _date_rules(column, value, shown, limits)
    for earlier, later in table.ordered_dates:
        first, second = identifier(earlier), identifier(later)
        message = f"{literal(later + ' ')} || {second} || {literal(f' is before {earlier} ')} || {first}"
        rules.append((f"{second} < {first}", message))
    return rules


def _id_rules(name: str, text: str, shown: str) -> list[tuple[str, str]]:
    """What no id is, though it is a text: each would make one customer of many, or two of one."""
    first = f"regexp_extract({text}, {literal(_UNSEEN)})"
    code = f"lpad(upper(to_base(unicode({first}), 16)), 4, '0')"
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
    hint = literal(
        f" has a decimal comma: map it with {decimal_comma_sql(column.name)}, the file's column in place of "
        f"{column.name}"
    )
    return f"""case
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
