"""Typed values and plain texts take a short way to the contract's types: to the same rows and reasons."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from scripts.contract.raw_tables import TABLES
from scripts.core.sql import identifier
from scripts.landing import row_rules as raw_rules
from scripts.landing.row_rules import (
    Limits,
    Mapped,
    cleaned_select,
    converted_select,
    faulty_select,
    passed_type,
    plain_columns,
    plain_select,
)

LIMITS = [
    Limits(date(2026, 3, 10), date(1990, 1, 1), 1, is_utc, "Asia/Ho_Chi_Minh", "USD")
    for is_utc in (True, False)
]

# Of each type that a file may have, values at the edges of what can be written and stored.
TYPED = {
    "tinyint": "-3|0|7|10",
    "bigint": "-1|0|5|11|9223372036854775807|-9223372036854775808",
    "ubigint": "0|5|18446744073709551615",
    "hugeint": "0|5|170141183460469231731687303715884105727",
    "decimal(12, 2)": "0.00|12.50|-0.01|9999999999.99",
    "decimal(38, 4)": "0.0001|9999999999999999999999999999999999.9999",
    "decimal(20, 8)": "0.00005|1.23455|-1.23455|100.00000001",
    "double": "0.1|12.5|-0.0|7.0|0.00005|1.00005|2.00015|-1.00005|1e-7|123456789.12345|99999999999.99995"
    "|100000000000.5|99999999999999.99|1e14|1e17|1e300|nan|inf|-inf",
    "float": "0.1|12.5|16777217|1e20|nan",
    "date": "0001-01-01|1969-12-31|2026-03-12|9999-12-31|10000-01-01|0044-03-15 (BC)|5881580-07-10|infinity",
    "timestamp": "2026-03-10 23:30:00.123456|2026-03-12 00:00:00|9999-12-31 23:59:59.999999"
    "|12000-01-01 00:00:00|infinity|-infinity",
    "timestamp_s": "2026-03-01 10:00:00|1960-01-01 00:00:00",
    "timestamp_ns": "2026-03-01 10:00:00.123456789|1960-01-01 00:00:00.000000999|2026-03-01 10:00:00",
    "timestamptz": "2026-03-10 23:30:00+00|2026-03-01 00:30:00+07|0001-01-01 00:00:00+00"
    "|9999-12-31 23:30:00+00|20000-01-01 00:00:00+00|infinity",
    "boolean": "true|false",
}

TEXTS = (
    "C1| C1 |x ||-|?|null|Undefined|undefined_|undefinedx|N/A|n/a|1e+5|1e5|#REF!|##|'x'|''|{}|[1]"
    "|a\u0301b|ä|a\tb|a\nb|a@example.com|see a@example.com|A b.c:d/e-f|\u200bx|x\u00a0"
    "|COMPLETED|completed|Year|year|usd|USD|XXX|12.5"
    "|2026-01-01|2026-01-01 10:00 +07|NaN|_x|0171 5550132 12"
)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set variable salt = 'pepper'")
        yield connection


def outcome(database, table, mapped: Mapped, limits: Limits) -> list[list]:
    """The texts, the values and the reasons of all rows, in words that tell types and time zones apart."""
    return [
        [
            tuple(map(repr, row))
            for row in database.execute(f"from ({select}) order by _mapped_row").fetchall()
        ]
        for select in (
            cleaned_select(table, mapped),
            converted_select(table, mapped, limits),
            faulty_select(table, mapped, limits),
        )
    ]


def columns():
    return [pytest.param(table, column, id=f"{table.name}.{column.name}")
            for table in TABLES.values() for column in table.columns]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), columns())
def test_a_typed_value_becomes_what_its_text_becomes(database, table, column):
    for kind, joined in TYPED.items():
        values = joined.split("|")
        name = identifier(column.name)
        database.execute(
            "create or replace table typed as "
            f"select 1 as _file, place as _source_row, cast(text as {kind}) as {name} "
            "from (select unnest(?) as text, unnest(range(len(?))) as place union all select null, -1)",
            [values, values],
        )
        database.execute(
            "create or replace table texts as "
            f"select * replace (cast({name} as varchar) as {name}) from typed"
        )
        passed = passed_type(column, database.execute(f"select typeof({name}) from typed").fetchone()[0])
        if passed == "VARCHAR":
            continue
        for limits in LIMITS:
            typed = outcome(database, table, Mapped("typed", {column.name: passed}), limits)
            text = outcome(database, table, Mapped("texts", {column.name: "VARCHAR"}), limits)
            assert typed == text, kind


@pytest.mark.parametrize(("table", "column"), columns())
def test_a_plain_text_becomes_what_a_careful_look_at_it_makes(database, table, column, monkeypatch):
    for text in TEXTS.split("|"):
        database.execute(
            "create or replace table texts as "
            f"select 1 as _file, 1 as _source_row, $1 as {identifier(column.name)} "
            "union all select 1, 2, null",
            [text],
        )
        mapped = Mapped("texts", {column.name: "VARCHAR"})
        asked = plain_columns(table, mapped)
        is_plain = bool(asked) and database.execute(plain_select(table, mapped)).fetchone()[0]
        plain = Mapped("texts", mapped.types, plain=frozenset([column.name] if is_plain else []))
        short = outcome(database, table, plain, LIMITS[0])
        with monkeypatch.context() as careful:
            careful.setattr(raw_rules, "plain_sql", lambda column, text: "false")
            assert short == outcome(database, table, mapped, LIMITS[0]), text


def test_types_that_say_more_or_less_than_the_contract_go_through_as_text():
    def passed(table: str, column: str, kind: str) -> str:
        return passed_type(TABLES[table].column(column), kind)

    assert passed("orders", "gross_amount", "DECIMAL(12,2)") == "DECIMAL(12,2)"
    assert passed("orders", "gross_amount", "DECIMAL(12,6)") == "VARCHAR"
    assert passed("orders", "ordered_at", "TIMESTAMP_S") == "VARCHAR"
    assert passed("customers", "email", "BIGINT") == "VARCHAR"
