"""Amounts with one mark before three digits: is 1.250 one and a quarter, or twelve hundred and fifty?

What the cell does not tell, the other cells of its column in the same file may, or the currency. Where they
say that thousands are meant, or nothing says what is, the row is refused with the mappings to choose from.
"""

from __future__ import annotations

import duckdb

from scripts.contract.raw_tables import (
    CURRENCIES_OF_THREE_DECIMALS,
    CURRENCIES_WITHOUT_DECIMALS,
    Column,
    Kind,
    Table,
)
from scripts.core.sql import identifier, literal
from scripts.landing.mapped_rows import MappedRows
from scripts.landing.row_rules import either_reading, in_place_of, point_between_thousands, thousands_of
from scripts.landing.working_tables import Names

# Columns that are no money: pieces and minutes with three decimals are common, and by the thousand rare.
_NO_MONEY = ("quantity", "minutes")
_GROUPED = r"[+-]?[1-9][0-9]{0,2}\{mark}[0-9]{3}"
# Texts in which `mark` is the decimal mark, and in which it stands between thousands. `other` is the other.
_IS_DECIMAL = (
    r"[+-]?([0-9]+|[0-9]{1,3}(\{other}[0-9]{3})+)\{mark}([0-9]{1,2}|[0-9]{4,})"
    r"|[+-]?(0+|[0-9]{4,}|[0-9]{1,3}(\{other}[0-9]{3})+)\{mark}[0-9]{3}"
)
_IS_THOUSANDS = r"[+-]?[0-9]{1,3}((\{mark}[0-9]{3}){2,}|(\{mark}[0-9]{3})+\{other}[0-9]+)"


def judge_thousands(connection: duckdb.DuckDBPyConnection, rows: MappedRows) -> None:
    """Refuse the rows of a table whose amounts may be a thousand times too small or too large."""
    for column in _suspects(connection, rows):
        _note_marks(connection, rows, column)
        _judge_points(connection, rows, column)
        _judge_commas(connection, rows.table, column)


def _suspects(connection: duckdb.DuckDBPyConnection, rows: MappedRows) -> list[Column]:
    """The columns in which a text has a mark before its last three characters."""
    found: dict[str, Column] = {}
    for part in rows.parts:
        texts = [
            column
            for column in rows.table.columns
            if column.kind is Kind.DECIMAL and part.types.get(column.name) == "VARCHAR"
        ]
        if not texts:
            continue
        marked = ", ".join(
            f"bool_or(substr(rtrim({identifier(column.name)}), -4, 1) in ('.', ','))" for column in texts
        )
        answers = connection.execute(f"select {marked} from {part.relation}").fetchone()
        found |= {column.name: column for column, is_marked in zip(texts, answers, strict=True) if is_marked}
    return list(found.values())


def _note_marks(connection: duckdb.DuckDBPyConnection, rows: MappedRows, column: Column) -> None:
    """Temporary `number_texts`, the column's texts, and `number_marks`, what the marks mean in each file."""
    name = identifier(column.name)
    currency = "upper(currency)" if "currency" in rows.table.column_names else "null"
    connection.execute(f"""
        create or replace temp table number_texts as
        select
            _file, _mapped_row, {name} as shown,
            regexp_replace({name}, '[''’\\s\\x{{A0}}\\x{{202F}}]', '', 'g') as text,
            coalesce({currency}, {literal(rows.limits.reporting_currency)}) as currency
        from ({rows.cleaned()}) as cleaned
        where {name} is not null
    """)

    def any_text(pattern: str, mark: str, other: str) -> str:
        expression = pattern.replace("{mark}", mark).replace("{other}", other)
        return f"bool_or(regexp_full_match(text, {literal(expression)}))"

    connection.execute(f"""
        create or replace temp table number_marks as
        select
            _file,
            {any_text(_IS_DECIMAL, ".", ",")} as point_is_decimal,
            {any_text(_IS_DECIMAL, ",", ".")} as comma_is_decimal,
            {any_text(_IS_THOUSANDS, ".", ",")} as point_is_thousands,
            {any_text(_IS_THOUSANDS, ",", ".")} as comma_is_thousands
        from number_texts
        group by _file
    """)


def _judge_points(connection: duckdb.DuckDBPyConnection, rows: MappedRows, column: Column) -> None:
    """Refuse 1.250 where it is twelve hundred and fifty, and where nobody can know."""
    bad = Names(rows.table).bad
    without_decimals = f"currency in ({', '.join(map(literal, sorted(CURRENCIES_WITHOUT_DECIMALS)))})"
    of_three = f"currency in ({', '.join(map(literal, sorted(CURRENCIES_OF_THREE_DECIMALS)))})"
    nothing_tells = (
        "false"
        if column.name in _NO_MONEY
        else f"not point_is_decimal and not comma_is_thousands and not {of_three}"
    )
    connection.execute(f"""
        create or replace temp table thousands as
        select
            _file, _mapped_row,
            {literal(column.name + " '")} || shown || case
                when comma_is_decimal then {literal(point_between_thousands(column.name, ","))}
                when point_is_thousands then {literal(point_between_thousands(column.name, "."))}
                when {without_decimals}
                then {literal(either_reading(column.name, "."))} || '; ' || currency || ' has no decimals'
                else {literal(either_reading(column.name, "."))}
            end as _reason
        from number_texts
        join number_marks using (_file)
        where regexp_full_match(text, {literal(_GROUPED.replace("{mark}", "."))})
            and (
                comma_is_decimal or point_is_thousands
                {f"or {without_decimals}" if column.name not in _NO_MONEY else ""} or ({nothing_tells})
            )
    """)
    connection.execute(f"""
        update {bad} as bad set _reason = concat_ws('; ', bad._reason, thousands._reason)
        from thousands where bad._mapped_row = thousands._mapped_row
    """)
    connection.execute(
        f"insert into {bad} select _file, _mapped_row, _reason from thousands "
        f"where _mapped_row not in (select _mapped_row from {bad})"
    )


def _judge_commas(connection: duckdb.DuckDBPyConnection, table: Table, column: Column) -> None:
    """Rows with 1,250 are refused already: say which of the readings the other cells tell."""
    either = literal(either_reading(column.name, ","))
    thousands = literal(
        f"' has commas between thousands: {in_place_of(column.name, thousands_of(column.name, ','))}"
    )
    decimal = literal(point_between_thousands(column.name, ",", "' has a decimal comma: "))
    connection.execute(f"""
        update {Names(table).bad} as bad
        set _reason = replace(
            _reason,
            {either},
            case
                when comma_is_decimal and not comma_is_thousands then {decimal}
                when comma_is_thousands or point_is_decimal then {thousands}
                else {either}
            end
        )
        from number_marks as marks
        where marks._file = bad._file and contains(_reason, {either})
    """)
