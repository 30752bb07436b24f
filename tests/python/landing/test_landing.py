"""Landing: each rule of the raw contract, each stop, corrections, personal data; no row is ever lost."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scripts.contract.raw_tables import LANDING_COLUMNS, TABLES, stored_name
from scripts.core.errors import ConfigurationError, LandingError, LockedError
from scripts.core.locking import warehouse_lock
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.landing import apply, mapped_units
from scripts.landing.adapters import load_adapter
from scripts.landing.files import data_folder
from scripts.landing.land import land, land_command
from scripts.landing.row_rules import row_key_sql
from tests.python.small_company import NOW, ORDERS, Company

SHARED = Path(os.environ.get("TENURE_SHARED", PROJECT_ROOT.parent / "shared"))


# An adapter that says these two is not told about the project's defaults.
BOTH_SAID = "vars: {reporting_currency: GBP, business_timezone: Europe/London}"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("TENURE_DATA", raising=False)
    monkeypatch.setenv("TENURE_HASH_SALT", "pepper")


@pytest.fixture
def company(tmp_path):
    return Company(tmp_path)


def all_tables(keys: str = "") -> str:
    """An adapter in which every table is read from a CSV file of its name, with the canonical columns."""
    lines = [keys, "tables:"]
    for table in TABLES.values():
        columns = ", ".join(f"{name}: '\"{name}\"'" for name in table.column_names)
        lines.append(f"  {table.name}: {{files: {table.name}.csv, optional: true, columns: {{{columns}}}}}")
    return "\n".join(lines)


GOOD = {
    "customers": {
        "customer_id": "c",
        "signed_up_at": "2026-01-01",
        "country": "VN",
        "email": "c@example.com",
    },
    "orders": {"order_id": "o", "ordered_at": "2026-01-01 10:00", "gross_amount": "5"},
    "order_items": {
        "order_id": "o",
        "line_number": "1",
        "product_id": "p",
        "quantity": "1",
        "unit_price": "5",
    },
    "refunds": {"refund_id": "r", "order_id": "o", "refunded_at": "2026-01-02", "amount": "1"},
    "subscriptions": {
        "subscription_id": "s",
        "customer_id": "c",
        "billing_interval": "month",
        "amount": "9",
        "started_on": "2026-01-01",
    },
    "departures": {
        "departure_id": "d",
        "customer_id": "c",
        "departed_on": "2026-01-01",
        "recorded_at": "2026-01-01 10:00",
        "reason": "price",
    },
    "survey_invitations": {"invitation_id": "i", "customer_id": "c", "sent_at": "2026-01-01"},
    "survey_responses": {"response_id": "r", "responded_at": "2026-01-01", "score": "9"},
    "usage_events": {
        "customer_id": "c",
        "used_on": "2026-01-01",
        "feature": "f",
        "uses": "3",
        "minutes": "1.5",
    },
    "support_tickets": {"ticket_id": "t", "customer_id": "c", "opened_at": "2026-01-01", "satisfaction": "5"},
    "payment_failures": {
        "failure_id": "f",
        "customer_id": "c",
        "failed_at": "2026-01-01",
        "recovered": "yes",
    },
    "marketing_spend": {"spent_on": "2026-01-01", "channel": "ads", "amount": "100"},
    "exchange_rates": {"currency": "VND", "rate_date": "2026-01-01", "rate_to_reporting": "0.000038"},
}


def write_rows(company: Company, table: str, *rows: dict[str, str]) -> None:
    names = TABLES[table].column_names

    def quoted(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if value else ""

    lines = [",".join(names)] + [",".join(quoted(row.get(name, "")) for name in names) for row in rows]
    company.write(f"{table}.csv", "\n".join(lines) + "\n")


@pytest.fixture
def contract(company):
    """A company whose files are the raw tables themselves, one good row in each."""
    company.adapter(all_tables("max_reject_share: 1"))
    for table, row in GOOD.items():
        write_rows(company, table, row)
    return company


def stops(company: Company, *parts: str, error: type[Exception] = LandingError) -> str:
    """The landing stops with a message that has all of `parts`, and nothing has changed."""
    before = company.everything()
    with pytest.raises(error) as caught:
        company.land()
    for part in parts:
        assert part in str(caught.value), str(caught.value)
    assert company.everything() == before
    return str(caught.value)


# -- what is stored


def test_every_table_lands_with_the_contracts_columns_and_types(contract):
    result = contract.land()
    assert result.batch_id == 1
    for name, table in TABLES.items():
        described = contract.rows(f"describe raw.{name}")
        expected = [(stored_name(column), column.kind.value) for column in table.columns]
        assert [(row[0], row[1]) for row in described] == expected + list(LANDING_COLUMNS.items())
        assert contract.values(f"select count(*) from raw.{name}") == [1], contract.reasons()
        assert (result.tables[name].read, result.tables[name].accepted) == (1, 1)
    assert contract.values("select rate_to_reporting from raw.exchange_rates") == [Decimal("0.000038000000")]
    assert contract.values("select recovered from raw.payment_failures") == [True]
    assert contract.values("select used_on from raw.usage_events") == [date(2026, 1, 1)]


def test_tables_without_rows_exist(company):
    company.orders("1,a,2026-01-01,10")
    company.land()
    tables = set(company.everything())
    assert tables == {
        *TABLES,
        "loads",
        "rejects",
        "customer_changes",
        "removed_rows",
        "settings",
        "rules",
        "check_results",
    }


def test_landing_columns(company):
    company.orders("1,a,2026-01-01,10", "2,b,2026-01-01,10", name="orders-10.csv")
    company.orders("3,a,2026-01-01,10", name="orders-9.csv")
    company.land()
    assert company.rows(
        "select order_id, _batch_id, _source_file, _source_row, _loaded_at, _file_sequence, _row_key, "
        "_is_utc from raw.orders order by 1"
    ) == [
        ("1", 1, "orders-10.csv", 1, datetime(2026, 3, 10, 12), 2, "1", False),
        ("2", 1, "orders-10.csv", 2, datetime(2026, 3, 10, 12), 2, "2", False),
        ("3", 1, "orders-9.csv", 1, datetime(2026, 3, 10, 12), 1, "3", False),
    ]
    assert company.rows(
        "select batch_id, source_name, table_name, source_file, file_sequence, rows_in_file, rows_read, "
        "rows_accepted, rows_stored, rows_repeated, rows_rejected, loaded_at, is_current "
        "from raw.loads order by 4 desc"
    ) == [
        (1, "shop", "orders", "orders-9.csv", 1, 1, 1, 1, 1, 0, 0, datetime(2026, 3, 10, 12), True),
        (1, "shop", "orders", "orders-10.csv", 2, 2, 2, 2, 2, 0, 0, datetime(2026, 3, 10, 12), True),
    ]


def test_row_keys_of_several_columns_are_unambiguous(contract):
    write_rows(
        contract,
        "usage_events",
        {"customer_id": "a|b", "used_on": "2026-01-01", "feature": "c"},
        {"customer_id": "a", "used_on": "2026-01-01", "feature": "b\\|c"},
    )
    contract.land()
    assert sorted(contract.values("select _row_key from raw.usage_events")) == [
        "a\\|b|2026-01-01|c",
        "a|2026-01-01|b\\\\\\|c",
    ]
    same = f"select bool_and(_row_key = {row_key_sql(TABLES['usage_events'])}) from raw.usage_events"
    assert contract.values(same) == [True]


def test_text_is_trimmed_and_blank_is_null(contract):
    write_rows(contract, "customers", {"customer_id": " \tc\u00a0", "country": " \u3000\u200b "})
    contract.land()
    assert contract.rows("select customer_id, country from raw.customers") == [("c", None)]


def test_company_variables_are_stored(company):
    company.orders("1,a,2026-01-01,10")
    company.adapter("vars: {business_timezone: Asia/Ho_Chi_Minh, segments: [country, plan]}" + ORDERS)
    result = company.land()
    assert result.changed_vars == ("business_timezone", "segments")
    company.adapter("vars: {segments: [country, plan], as_of_date: 2026-01-31}" + ORDERS)
    result = company.land()
    assert (result.batch_id, result.changed_vars) == (None, ("as_of_date", "business_timezone"))
    assert company.rows("select name, value from raw.settings order by 1") == [
        ("as_of_date", "2026-01-31"),
        ("segments", "country,plan"),
    ]


# -- conversion

CONVERSIONS = [
    ("survey_responses", "score", "7.0", 7),
    ("survey_responses", "score", "+8", 8),
    ("survey_responses", "score", "1e1", 10),
    ("orders", "gross_amount", "1.23456", Decimal("1.2346")),
    ("orders", "gross_amount", "1.5E+3", Decimal("1500")),
    ("orders", "gross_amount", ".5", Decimal("0.5")),
    ("orders", "gross_amount", "-0.00001", Decimal("0")),
    ("orders", "gross_amount", "99999999999999.9999", Decimal("99999999999999.9999")),
    ("orders", "currency", "vnd", "VND"),
    ("orders", "status", "Completed", "completed"),
    ("subscriptions", "billing_interval", "YEAR", "year"),
    ("subscriptions", "ended_on", "2031-01-01", date(2031, 1, 1)),
    ("subscriptions", "started_on", "2026-01-05 10:00", date(2026, 1, 5)),
    ("subscriptions", "started_on", "2026/1/5", date(2026, 1, 5)),
    ("payment_failures", "recovered", "0", False),
    ("orders", "ordered_at", "2026-01-01", datetime(2026, 1, 1)),
    ("orders", "ordered_at", "2026-1-2T3:04", datetime(2026, 1, 2, 3, 4)),
    ("orders", "ordered_at", "2026-01-01 10:00:00.123456789", datetime(2026, 1, 1, 10, 0, 0, 123456)),
    ("orders", "ordered_at", "2026-01-01T08:26:00+07:00", datetime(2026, 1, 1, 1, 26)),
    ("orders", "ordered_at", "2026-01-01T08:26:00+0700", datetime(2026, 1, 1, 1, 26)),
    ("orders", "ordered_at", "2026-01-01 08:26 +07", datetime(2026, 1, 1, 1, 26)),
    ("orders", "ordered_at", "2026-01-01 08:26:00.5-03:30", datetime(2026, 1, 1, 11, 56, 0, 500000)),
    ("orders", "ordered_at", "2026-01-01T08:26:00Z", datetime(2026, 1, 1, 8, 26)),
    ("orders", "ordered_at", "2026-01-01 08:26:00 z", datetime(2026, 1, 1, 8, 26)),
    ("orders", "ordered_at", "2025-07-01 08:26 Europe/London", datetime(2025, 7, 1, 7, 26)),
    ("orders", "ordered_at", "2026-03-11 12:00", datetime(2026, 3, 11, 12)),
]


# A column of the key that may differ from case to case, so that no two are one row.
DISTINGUISHING = {
    "customers": "customer_id",
    "orders": "order_id",
    "order_items": "order_id",
    "refunds": "refund_id",
    "subscriptions": "subscription_id",
    "departures": "departure_id",
    "survey_invitations": "invitation_id",
    "survey_responses": "response_id",
    "usage_events": "feature",
    "support_tickets": "ticket_id",
    "payment_failures": "failure_id",
    "marketing_spend": "channel",
}


def land_cases(folder: Path, cases: list[tuple]) -> Company:
    """Land one row per case, all at once: the good row of its table, with one column as in the case."""
    company = Company(folder, all_tables("max_reject_share: 1"))
    rows: dict[str, list[dict[str, str]]] = {"orders": [GOOD["orders"] | {"order_id": "first"}]}
    for table, column, text, _ in cases:
        number = len(rows.setdefault(table, []))
        if table in DISTINGUISHING:
            own = {DISTINGUISHING[table]: f"case {number}"}
        else:
            own = {"rate_date": (date(2020, 1, 1) + timedelta(number)).isoformat()}
        rows[table].append(GOOD[table] | own | {column: text})
    for table, table_rows in rows.items():
        write_rows(company, table, *table_rows)
    company.land()
    return company


def numbered(cases: list[tuple]) -> list[tuple]:
    """Each case with its row in the file of its table."""
    counts: Counter[str] = Counter(orders=1)
    result = []
    for case in cases:
        counts[case[0]] += 1
        result.append((*case, counts[case[0]]))
    return result


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    return land_cases(tmp_path_factory.mktemp("converted"), CONVERSIONS)


@pytest.mark.parametrize(("table", "column", "text", "value", "row"), numbered(CONVERSIONS))
def test_values_convert(converted, table, column, text, value, row):
    assert converted.values(f"select {column} from raw.{table} where _source_row = {row}") == [value]


REJECTS = [
    *[
        (table.name, column.name, "", f"{column.name} is missing")
        for table in TABLES.values()
        for column in table.columns
        if column.required
    ],
    ("orders", "gross_amount", "12,50", "gross_amount '12,50' has a decimal comma: map it with replace("),
    ("orders", "gross_amount", "1,234.50", "gross_amount '1,234.50' has commas between thousands: map it"),
    ("orders", "gross_amount", "free", "gross_amount 'free' is not a number"),
    ("orders", "gross_amount", "nan", "gross_amount 'nan' is not a number"),
    ("orders", "gross_amount", "inf", "gross_amount 'inf' is not a number"),
    ("orders", "gross_amount", "1_000", "gross_amount '1_000' is not a number"),
    ("orders", "gross_amount", "99999999999999.99999", "has too many digits"),
    ("orders", "gross_amount", "-1", "gross_amount '-1' is negative"),
    ("orders", "discount_amount", "-0.01", "discount_amount '-0.01' is negative"),
    ("order_items", "quantity", "0", "quantity '0' is not above 0"),
    ("order_items", "unit_price", "-1", "unit_price '-1' is negative"),
    ("refunds", "amount", "0.00001", "amount '0.00001' is not above 0"),
    ("subscriptions", "amount", "-1", "amount '-1' is negative"),
    ("usage_events", "uses", "-1", "uses '-1' is negative"),
    ("usage_events", "minutes", "-0.5", "minutes '-0.5' is negative"),
    ("payment_failures", "amount", "-5", "amount '-5' is negative"),
    ("marketing_spend", "amount", "-5", "amount '-5' is negative"),
    ("exchange_rates", "rate_to_reporting", "0", "rate_to_reporting '0' is not above 0"),
    ("survey_responses", "score", "7.5", "score '7.5' is not a whole number"),
    ("survey_responses", "score", "0x1F", "score '0x1F' is not a number"),
    ("survey_responses", "score", "11", "score '11' is outside 0 to 10"),
    ("survey_responses", "score", "-1", "score '-1' is outside 0 to 10"),
    ("support_tickets", "satisfaction", "0", "satisfaction '0' is outside 1 to 5"),
    ("orders", "status", "canceled", "status 'canceled' is none of completed, cancelled, returned"),
    ("subscriptions", "billing_interval", "fortnight", "is none of week, month, quarter, year"),
    ("subscriptions", "cancel_type", "other", "cancel_type 'other' is none of voluntary, involuntary"),
    ("orders", "currency", "GBQ", "currency 'GBQ' is no ISO 4217 currency code"),
    ("exchange_rates", "currency", "€", "currency '€' is no ISO 4217 currency code"),
    ("payment_failures", "recovered", "maybe", "recovered 'maybe' is neither true nor false"),
    ("subscriptions", "ended_on", "2025-12-31", "ended_on 2025-12-31 is before started_on 2026-01-01"),
    ("orders", "ordered_at", "01/12/2025", "ordered_at '01/12/2025' is not a time"),
    ("orders", "ordered_at", "2026-02-30", "ordered_at '2026-02-30' does not exist in the calendar"),
    ("orders", "ordered_at", "2026-01-01 08:00 EST", "is not a time"),
    ("orders", "ordered_at", "2026-01-01 08:00 Mars/Olympus", "does not exist"),
    ("orders", "ordered_at", "2026-01-01 08:00 PM", "is not a time"),
    ("orders", "ordered_at", "infinity", "is not a time"),
    ("orders", "ordered_at", "epoch", "is not a time"),
    ("orders", "ordered_at", "26-01-01", "is not a time"),
    ("orders", "ordered_at", "1899-12-31", "is before 1990-01-01 (earliest_date)"),
    ("orders", "ordered_at", "2026-03-12", "is after the load (2026-03-10, max_days_ahead 1)"),
    ("usage_events", "used_on", "2026-03-12", "is after the load"),
    ("usage_events", "used_on", "next week", "used_on 'next week' is not a date"),
    ("subscriptions", "cancel_requested_on", "2027-01-01", "is after the load"),
    ("subscriptions", "started_on", "1900-01-01", "is before 1990-01-01"),
    (
        "support_tickets",
        "closed_at",
        "2026-01-02T10:00Z",
        "opened_at, closed_at some have an offset and some have",
    ),
]


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    return land_cases(tmp_path_factory.mktemp("refused"), REJECTS)


@pytest.mark.parametrize(("table", "column", "text", "reason", "row"), numbered(REJECTS))
def test_bad_values_are_rejected_with_their_reason(refused, table, column, text, reason, row):
    assert refused.values(f"select count(*) from raw.{table} where _source_row = {row}") == [0]
    ((told, content),) = refused.rows(
        f"select reason, content ->> '{column}' from raw.rejects "
        f"where table_name = '{table}' and source_file = '{table}.csv' and source_row = {row}"
    )
    assert reason in told
    assert "; " not in told
    assert content == (text or None)


def test_all_reasons_of_a_row_are_told_and_its_content_is_whole(contract):
    row = {"order_id": "", "ordered_at": "soon", "gross_amount": "-1", "status": "x" * 50, "customer_id": "c"}
    write_rows(contract, "orders", row)
    contract.land()
    ((reason, content),) = contract.rows("select reason, content from raw.rejects")
    assert reason.split("; ")[0] == "order_id is missing"
    for part in ("ordered_at 'soon'", "gross_amount '-1' is negative", f"status '{'x' * 40}…' is none of"):
        assert part in reason
    assert set(TABLES["orders"].column_names) == set(json.loads(content))
    assert '"customer_id":"c"' in content


def test_limits_of_dates_are_the_adapters(contract):
    contract.adapter(all_tables("max_reject_share: 1\nearliest_date: 1899-01-01\nmax_days_ahead: 30"))
    write_rows(
        contract,
        "orders",
        GOOD["orders"] | {"order_id": "1", "ordered_at": "1900-01-01"},
        GOOD["orders"] | {"order_id": "2", "ordered_at": "2026-04-09 23:59"},
        GOOD["orders"] | {"order_id": "3", "ordered_at": "2026-04-10"},
    )
    contract.land()
    assert contract.values("select order_id from raw.orders order by 1") == ["1", "2"]


# -- offsets and time zones


def test_is_utc_follows_the_offset_of_each_row(company):
    company.orders("1,a,2026-01-01 10:00,10", "2,a,2026-01-01 10:00Z,10", "3,a,2026-01-01 10:00+07:00,1")
    company.land()
    moments = "select order_id, ordered_at, _is_utc from raw.orders order by 1"
    ten, three = datetime(2026, 1, 1, 10), datetime(2026, 1, 1, 3)
    assert company.rows(moments) == [("1", ten, False), ("2", ten, True), ("3", three, True)]
    company.adapter("timestamps: utc" + ORDERS)
    assert company.land().tables["orders"].rows_added == 1
    assert company.rows(moments) == [("1", ten, True), ("2", ten, True), ("3", three, True)]


def test_a_row_that_mixes_offsets_is_fine_when_times_are_utc(contract):
    contract.adapter(all_tables("timestamps: utc"))
    mixed = {"opened_at": "2026-01-01 10:00", "closed_at": "2026-01-01 18:00+07:00"}
    write_rows(contract, "support_tickets", GOOD["support_tickets"] | mixed)
    contract.land()
    assert contract.rows("select opened_at, closed_at, _is_utc from raw.support_tickets") == [
        (datetime(2026, 1, 1, 10), datetime(2026, 1, 1, 11), True)
    ]


def test_instants_of_parquet_are_utc_and_dates_of_instants_are_business_days(company):
    company.adapter("""
        vars: {business_timezone: Asia/Ho_Chi_Minh}
        tables:
          subscriptions:
            files: s.parquet
            columns:
              {subscription_id: id, customer_id: id, billing_interval: "'year'", amount: 1, started_on: day}
          orders:
            files: s.parquet
            columns: {order_id: id, ordered_at: day, gross_amount: "1"}
    """)
    duckdb.sql(f"""
        copy (select 1 as id, timestamptz '2026-01-01 20:00:00+00' as day) to '{company.data}/s.parquet'
    """)
    company.land()
    assert company.rows("select ordered_at, _is_utc from raw.orders") == [(datetime(2026, 1, 1, 20), True)]
    assert company.values("select started_on from raw.subscriptions") == [date(2026, 1, 2)]


# -- duplicates


def test_equal_rows_are_one_and_counted(company):
    company.orders("1,a,2026-01-01,10", "2,b,2026-01-01,10", "1,a,2026-01-01,10.00", "1, a,2026-01-01,10")
    counts = company.land().tables["orders"]
    assert (counts.read, counts.accepted, counts.stored, counts.repeated, counts.rejected) == (4, 4, 2, 2, 0)
    assert company.rows("select order_id, _source_row from raw.orders order by 1") == [("1", 1), ("2", 2)]
    assert company.rows("select rows_accepted, rows_stored, rows_repeated from raw.loads") == [(4, 2, 2)]


def test_rows_with_one_key_and_different_content_are_all_rejected(company):
    company.adapter("max_reject_share: 1" + ORDERS)
    company.orders(
        "1,a,2026-01-01,10",
        "1,a,2026-01-01,11",
        "2,b,2026-01-01,10",
        "2,b,2026-01-01,-10",
        "3,c,2026-01-01,10",
        "4,d,2026-01-01,1",
        "4,d,2026-01-01,1",
        "4,,2026-01-01,1",
    )
    company.land()
    assert company.values("select order_id from raw.orders") == ["3"]
    same = "the same order_id and different content: "
    assert company.reasons() == [
        f"{same}2 rows of the file (1, 2)",
        f"{same}2 rows of the file (1, 2)",
        f"{same}2 rows of the file (3, 4)",
        "gross_amount '-10' is negative",
        *[f"{same}3 rows of the file (6, 7, 8)"] * 3,
    ]


def test_a_refused_twin_refuses_a_row_that_looks_like_it(contract):
    # Without the value that is no number the two rows would be equal.
    write_rows(contract, "orders", GOOD["orders"], GOOD["orders"] | {"discount_amount": "some"})
    write_rows(contract, "subscriptions", GOOD["subscriptions"])
    contract.land()
    assert contract.values("select count(*) from raw.orders") == [0]
    assert contract.reasons() == [
        "the same order_id and different content: 2 rows of the file (1, 2)",
        "discount_amount 'some' is not a number",
    ]


def test_the_same_key_in_two_files_is_two_versions(company):
    company.orders("1,a,2026-01-01,10", name="orders1.csv")
    company.orders("1,a,2026-01-01,11", name="orders2.csv")
    company.land()
    assert company.rows("select _file_sequence, gross_amount from raw.orders order by 1") == [
        (1, 10),
        (2, 11),
    ]


# -- what is landed again


def test_a_known_file_is_skipped(company):
    company.orders("1,a,2026-01-01,10", name="orders1.csv")
    company.land()
    before = company.everything()
    result = company.land()
    assert result.batch_id is None
    assert (result.tables["orders"].files, result.tables["orders"].files_unchanged) == (0, 1)
    assert company.everything() == before
    company.orders("2,a,2026-01-02,10", name="orders2.csv")
    result = company.land(datetime(2026, 3, 11, tzinfo=NOW.tzinfo))
    assert (result.batch_id, result.tables["orders"].files_unchanged) == (2, 1)
    batches = "select order_id, _batch_id, _file_sequence from raw.orders order by 1"
    assert company.rows(batches) == [("1", 1, 1), ("2", 2, 2)]


def test_a_corrected_file_replaces_its_rows(company):
    company.adapter("max_reject_share: 1" + ORDERS)
    company.orders(
        "1,a,2026-01-01,10", "2,b,2026-01-01,20", "3,c,2026-01-01,30", "4,d,2026-01-01,-1", name="orders1.csv"
    )
    company.orders("9,z,2026-01-01,90", name="orders2.csv")
    company.land()
    company.orders(
        "5,e,2026-01-01,50",
        "1,a,2026-01-01,10",
        "2,bb,2026-01-01,20",
        "6,f,2026-01-01,no",
        name="orders1.csv",
    )
    result = company.land(datetime(2026, 3, 11, tzinfo=NOW.tzinfo))
    counts = result.tables["orders"]
    assert (result.batch_id, counts.read, counts.rows_added, counts.rows_removed) == (2, 4, 2, 2)
    first, second = datetime(2026, 3, 10, 12), datetime(2026, 3, 11)
    assert company.rows(
        "select order_id, customer_id, _batch_id, _loaded_at, _source_row, _file_sequence "
        "from raw.orders order by 1"
    ) == [
        ("1", "a", 1, first, 2, 1),
        ("2", "bb", 2, second, 3, 1),
        ("5", "e", 2, second, 1, 1),
        ("9", "z", 1, first, 1, 2),
    ]
    assert company.rows("select * from raw.removed_rows order by all") == [
        (2, "orders", "2"),
        (2, "orders", "3"),
    ]
    assert company.reasons() == ["gross_amount 'no' is not a number"]
    assert company.rows("select * from raw.customer_changes where batch_id = 2 order by all") == [
        (2, "b"),
        (2, "bb"),
        (2, "c"),
        (2, "e"),
    ]
    assert company.rows(
        "select source_file, batch_id, file_sequence, is_current from raw.loads order by 2, 1"
    ) == [("orders1.csv", 1, 1, False), ("orders2.csv", 1, 2, True), ("orders1.csv", 2, 1, True)]
    # The same content once more is known, and the first version is a correction again.
    assert company.land().batch_id is None


def test_a_changed_mapping_lands_its_table_again(company):
    company.orders("1,a,2026-01-01,10", "2,a,2026-01-01,0")
    company.land()
    company.adapter(
        ORDERS.replace("gross_amount: amount", "gross_amount: cast(amount as decimal(18, 4)) * 2")
    )
    counts = company.land().tables["orders"]
    assert (counts.files, counts.rows_added, counts.rows_removed) == (1, 1, 1)
    assert company.rows("select order_id, gross_amount, _batch_id from raw.orders order by 1") == [
        ("1", Decimal(20), 2),
        ("2", Decimal(0), 1),
    ]


def test_rows_of_a_file_that_is_gone_stay(company):
    company.orders("1,a,2026-01-01,10", name="orders1.csv")
    path = company.orders("2,a,2026-01-01,10", name="orders2.csv")
    company.land()
    path.unlink()
    result = company.land()
    assert result.batch_id is None
    assert company.values("select count(*) from raw.orders") == [2]
    assert any("orders2.csv" in message for message in result.messages)


def test_columns_that_no_mapping_uses_are_noted(company):
    company.write("orders.csv", "id,customer,placed,amount,colour\n1,a,2026-01-01,1,red\n")
    company.adapter(f"{BOTH_SAID}\n{ORDERS}")
    assert company.land().messages == ("orders.csv: columns that no mapping uses: colour",)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "",
            "shop.yml does not say reporting_currency and business_timezone, so amounts are called USD and "
            "days and months are cut in UTC, the project's defaults: say them under `vars:`.",
        ),
        # All that `vars:` may name is commented out: that is no mistake.
        ("vars:\n  # reporting_currency: GBP\n", "shop.yml does not say reporting_currency and "),
        (
            "vars: {business_timezone: Europe/London}",
            "shop.yml does not say reporting_currency, so amounts are called USD, the project's default: "
            "say it under `vars:`.",
        ),
        ("vars: {reporting_currency: GBP}", "shop.yml does not say business_timezone, so days and months"),
        (BOTH_SAID, ""),
    ],
)
def test_currency_and_time_zone_that_nobody_chose_are_a_warning(company, caplog, said, told):
    company.orders("1,a,2026-01-01,10")
    company.adapter(f"{said}\n{ORDERS}")
    # Also on a night without anything new.
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="tenure"):
            messages = company.land().messages
        warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        assert tuple(warnings) == messages
        assert len(warnings) == bool(told)
        assert "".join(warnings).startswith(told)


# -- customer_changes


def changes(company: Company) -> list[str]:
    batch = company.values("select max(batch_id) from raw.loads")[0]
    return company.values(f"select customer_id from raw.customer_changes where batch_id = {batch} order by 1")


def test_customer_changes_follow_orders_refunds_items_and_rates(contract):
    def order(number: str, customer: str, currency: str = "") -> dict[str, str]:
        return GOOD["orders"] | {"order_id": number, "customer_id": customer, "currency": currency}

    def refund(number: str, of: str, customer: str = "") -> dict[str, str]:
        return GOOD["refunds"] | {"refund_id": number, "order_id": of, "customer_id": customer}

    write_rows(contract, "orders", order("1", "a"), order("2", "b", "EUR"), order("3", "c"), order("4", ""))
    write_rows(contract, "refunds", refund("r1", "1", "payer"))
    write_rows(contract, "order_items", GOOD["order_items"] | {"order_id": "3"})
    write_rows(contract, "subscriptions", GOOD["subscriptions"] | {"customer_id": "sub", "currency": "EUR"})
    contract.land()
    assert changes(contract) == ["a", "b", "c", "payer", "sub"]

    # A refund touches the customer of its order; a removed one, too.
    write_rows(contract, "refunds", refund("r1", "1", "payer"), refund("r2", "2"))
    contract.land()
    assert changes(contract) == ["b"]
    write_rows(contract, "refunds", refund("r1", "1", "payer"))
    contract.land()
    assert changes(contract) == ["b"]
    # Items touch the customer of their order; the old order's, too.
    write_rows(contract, "order_items", GOOD["order_items"] | {"order_id": "1"})
    contract.land()
    assert changes(contract) == ["a", "c"]
    # An order that goes to somebody else touches both, and whoever was paid its refund.
    write_rows(contract, "orders", order("1", "x"), order("2", "b", "EUR"), order("3", "c"), order("4", ""))
    contract.land()
    assert changes(contract) == ["a", "payer", "x"]
    # A rate touches who has a row in its currency from its day on: tonight's rate, nobody of yesterday.
    euro = GOOD["exchange_rates"] | {"currency": "EUR"}
    write_rows(contract, "exchange_rates", euro)
    contract.land()
    assert changes(contract) == ["b", "sub"]
    write_rows(contract, "exchange_rates", euro, euro | {"rate_date": "2026-03-09"})
    contract.land()
    assert changes(contract) == []


def test_another_files_version_of_a_key_touches_both_customers(company):
    company.orders("1,a,2026-01-01,10", "2,z,2026-01-01,10", name="orders1.csv")
    company.land()
    company.orders("1,b,2026-01-01,10", name="orders2.csv")
    company.land()
    assert changes(company) == ["a", "b"]
    company.orders("3,c,2026-01-01,10", name="orders2.csv")
    company.land()
    assert changes(company) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1.050,00", "1050.00"),
        ("4.516,1", "4516.1"),
        ("125,16", "125.16"),
        ("1 050,00", "1050.00"),
        ("1\u00a0234\u202f567,5", "1234567.5"),
        ("1'050,00", "1050.00"),
        ("1.234.567,89", "1234567.89"),
        ("125.16", "125.16"),
    ],
)
def test_the_advice_on_decimal_commas_works_when_it_is_followed(company, text, amount):
    """The mapping that the reason recommends makes a number of every amount, not only of the one named."""
    company.orders('1,a,2026-01-01,"1.000,00"', f'2,a,2026-01-01,"{text}"', "3,a,2026-01-01,7")
    company.adapter(f"max_reject_share: 1\n{ORDERS}")
    company.land()
    reason = company.reasons()[0]
    assert reason.startswith("gross_amount '1.000,00' has a decimal comma: map it with ")
    advice = re.search("map it with (.*), the file's column in place of gross_amount", reason).group(1)
    advice = advice.replace("gross_amount", "amount")
    company.adapter(ORDERS.replace("amount: amount", f"amount: |-\n        {advice}"))
    company.land()
    assert company.values("select gross_amount from raw.orders order by order_id") == [
        Decimal(1000),
        Decimal(amount),
        Decimal(7),
    ]


SHOP_IN_DONG = "vars: {reporting_currency: VND}" + ORDERS
BOTH = "has one {} before three digits"


def advised(reason: str) -> list[str]:
    """The mappings a reason recommends, with the file's column in the place of the contract's."""
    told = re.search("map it with (.*), the file's column in place of gross_amount", reason).group(1)
    return [one.replace("gross_amount", "amount") for one in told.split(" or with ")]


@pytest.mark.parametrize(
    ("adapter", "amounts", "what", "readings"),
    [
        # Dong have no decimals; where one amount has two points, all are thousands.
        (SHOP_IN_DONG, ("185.000", "20"), BOTH.format("point"), (("185000", "20"), ("185", "20"))),
        (
            SHOP_IN_DONG,
            ("185.000", "2.400.000"),
            "as others of the file have several points",
            (("185000", "2400000"),),
        ),
        (SHOP_IN_DONG, ("150,000", "99,000"), BOTH.format("comma"), (("150000", "99000"), ("150", "99"))),
        (SHOP_IN_DONG, ("150,000", "1,250,000"), "has commas between thousands", (("150000", "1250000"),)),
        # In dollars nothing tells, until one amount does.
        (ORDERS, ("1.250", "20"), BOTH.format("point"), (("1250", "20"), ("1.25", "20"))),
        (ORDERS, ("1,250", "20"), BOTH.format("comma"), (("1250", "20"), ("1.25", "20"))),
        (ORDERS, ("1,250", "99.50"), "has commas between thousands", (("1250", "99.5"),)),
        (ORDERS, ("1,250", "1,099.50"), "has commas between thousands", (("1250", "1099.5"),)),
        (ORDERS, ("1,250", "99,50"), "has a decimal comma", (("1.25", "99.5"),)),
        (ORDERS, ("1.250", "99,50"), "as others of the file have a decimal comma", (("1250", "99.5"),)),
        (ORDERS, ("1.250", "1.099,50"), "as others of the file have a decimal comma", (("1250", "1099.5"),)),
    ],
)
def test_three_digits_after_one_mark_are_refused_with_advice_that_is_right(
    company, adapter, amounts, what, readings
):
    company.orders(*(f'{number},a,2026-01-01,"{amount}"' for number, amount in enumerate(amounts)))
    company.adapter(f"max_reject_share: 1\n{adapter}")
    if all("," in one or "." in one for one in amounts) and len(amounts) == 2:
        company.orders("9,a,2026-01-01,7", name="orders-of-yesterday.csv")
    company.land()
    reason = next(one for one in company.reasons() if f"gross_amount '{amounts[0]}'" in one)
    assert what in reason
    mappings = advised(reason)
    assert len(mappings) == len(readings)
    for mapping, right in zip(mappings, readings, strict=True):
        company.adapter(adapter.replace("amount: amount", f"amount: |-\n        {mapping}"))
        company.land()
        stored = "select gross_amount from raw.orders where order_id <> '9' order by order_id"
        assert company.values(stored) == [Decimal(amount) for amount in right]


@pytest.mark.parametrize(
    ("adapter", "amounts"),
    [
        (ORDERS, ("1.250", "0.5")),
        (ORDERS, ("1.250", "1250.000")),
        (ORDERS, ("1.250", "12.5000")),
        ("vars: {reporting_currency: KWD}" + ORDERS, ("1.250", "2.750")),
    ],
)
def test_three_decimals_are_taken_where_something_tells_that_they_are(company, adapter, amounts):
    company.orders(*(f"{number},a,2026-01-01,{amount}" for number, amount in enumerate(amounts)))
    company.adapter(adapter)
    company.land()
    assert company.values("select gross_amount from raw.orders order by order_id")[0] == Decimal("1.25")


def test_the_currency_of_the_row_tells(company):
    """Yen beside dollars: each row is in its own."""
    company.adapter(
        "max_reject_share: 1" + ORDERS.replace("amount: amount", "amount: amount\n      currency: customer")
    )
    company.orders("1,JPY,2026-01-01,1.250", "2,USD,2026-01-01,1.250", "3,USD,2026-01-01,0.5")
    company.land()
    assert company.values("select currency from raw.orders order by 1") == ["USD", "USD"]
    assert company.reasons()[0].endswith("JPY has no decimals")


def test_pieces_are_not_counted_by_the_thousand(company):
    company.adapter("""
        tables:
          orders: {files: orders.csv, columns: {order_id: id, ordered_at: placed, gross_amount: "12"}}
          order_items:
            files: orders.csv
            columns: {order_id: id, line_number: "1", product_id: "'p'", quantity: amount, unit_price: "12"}
    """)
    company.orders("1,a,2026-01-01,2.000")
    company.land()
    assert company.values("select quantity from raw.order_items") == [2]


@pytest.mark.parametrize(
    ("customer", "mapping", "stored"),
    [
        ("17850.0", "regexp_replace(customer, '[.]0$', '')", "17850"),
        ('"=""0901"""', """regexp_replace(customer, '^="(.*)"$', '\\1')""", "0901"),
        ("'0901", "ltrim(customer, '''')", "0901"),
    ],
)
def test_what_a_program_made_of_an_id_is_refused_with_advice_that_is_right(
    company, customer, mapping, stored
):
    company.orders("1,ann,2026-01-01,1", f"2,{customer},2026-01-01,2")
    company.adapter(f"max_reject_share: 1\n{ORDERS}")
    company.land()
    (reason,) = company.reasons()
    told = re.search("map it with (.*), the file's column in place of customer_id", reason).group(1)
    assert told.replace("customer_id", "customer") == mapping
    company.adapter(ORDERS.replace("customer_id: customer", f"customer_id: |-\n        {mapping}"))
    company.land()
    assert company.values("select customer_id from raw.orders order by 1") == sorted(["ann", stored])


def test_rows_of_which_all_were_rejected_stop_with_their_reason(company):
    company.orders("1,'0901,2026-01-01,1")
    company.adapter(f"max_reject_share: 1\n{ORDERS}")
    stops(
        company,
        "None of orders, subscriptions, survey_responses would have a row",
        "orders: all rows were rejected",
        "'0901'",
    )


@pytest.mark.parametrize("timezone", ["Asia/Ho_Chi_Minh", "America/New_York", "UTC"])
def test_the_same_instant_is_the_same_day_with_and_without_its_offset(company, timezone):
    """In a column of dates too, from a CSV and from Parquet; a day without a time stays that day."""
    instants = ("2026-02-28 23:30:00", "2026-03-01 00:00:00", "2026-03-01 03:59:59")
    for utc, files in (("utc", "naive"), ("business", "zoned")):
        company.adapter(f"""
            vars: {{business_timezone: {timezone}}}
            timestamps: {utc}
            tables:
              orders: {{files: o.csv, columns: {{order_id: id, ordered_at: placed, gross_amount: amount}}}}
              usage_events:
                - {{files: {files}.csv, columns: {{customer_id: id, used_on: day, feature: "'csv'"}}}}
                - {{files: {files}.parquet, columns: {{customer_id: id, used_on: day, feature: "'parquet'"}}}}
        """)
        company.orders("1,a,2026-01-01,1", name="o.csv")
        mark = "Z" if files == "zoned" else ""
        kind = "timestamptz" if files == "zoned" else "timestamp"
        company.write(f"{files}.csv", "id,day\n" + "".join(f"{files},{one}{mark}\n" for one in instants))
        values = ", ".join(f"('{files}', {kind} '{one}{mark}')" for one in instants)
        duckdb.sql(f"copy (from (values {values}) as rows (id, day)) to '{company.data}/{files}.parquet'")
        company.land()
    days = "select feature, used_on from raw.usage_events where customer_id = '{}' order by all"
    assert company.rows(days.format("naive")) == company.rows(days.format("zoned"))
    company.adapter("""
        timestamps: utc
        vars: {business_timezone: America/New_York}
        tables:
          orders: {files: o.csv, columns: {order_id: id, ordered_at: placed, gross_amount: amount}}
          usage_events: {files: days.csv, columns: {customer_id: id, used_on: day, feature: "'day'"}}
    """)
    company.write("days.csv", "id,day\nd,2026-03-01\n")
    company.land()
    assert company.rows(days.format("d")) == [("day", date(2026, 3, 1))]


def test_a_plan_that_was_taken_back_on_its_day_does_not_take_the_running_one_with_it(company):
    """Three on one day: two that never ran, and the one that does. Two that run contradict each other."""
    company.adapter("""
        max_reject_share: 1
        tables:
          subscriptions:
            files: subs.csv
            columns:
              subscription_id: sub
              customer_id: who
              plan: plan
              billing_interval: "'month'"
              amount: "'10'"
              started_on: start
              ended_on: stop
    """)
    company.write(
        "subs.csv",
        "sub,who,plan,start,stop\n"
        "s,ann,basic,2026-01-01,2026-02-10\ns,ann,pro,2026-02-10,2026-02-10\n"
        "s,ann,gold,2026-02-10,2026-02-10\ns,ann,basic,2026-02-10,\n"
        "t,bo,pro,2026-02-10,2026-02-10\n"
        "u,cy,pro,2026-02-10,\nu,cy,gold,2026-02-10,2026-02-20\n",
    )
    counts = company.land().tables["subscriptions"]
    assert (counts.read, counts.stored, counts.rejected) == (7, 3, 4)
    assert company.rows("select subscription_id, plan, ended_on from raw.subscriptions order by all") == [
        ("s", "basic", date(2026, 2, 10)),
        ("s", "basic", None),
        ("t", "pro", date(2026, 2, 10)),
    ]
    reasons = company.rows("select source_row, reason from raw.rejects order by 1")
    assert [row for row, reason in reasons if "never ran" in reason] == [2, 3]
    assert [row for row, reason in reasons if "different content" in reason] == [6, 7]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_plan_taken_back_does_not_take_the_running_one_of_an_earlier_file_with_it(company, at_once):
    """The same plan is the same period, undone: then nothing of that day ran. In one landing or in two."""
    company.adapter("""
        max_reject_share: 1
        tables:
          subscriptions:
            files: subs*.csv
            columns:
              subscription_id: sub
              customer_id: who
              plan: plan
              billing_interval: "'month'"
              amount: amount
              started_on: start
              ended_on: stop
    """)
    header = "sub,who,plan,amount,start,stop\n"
    company.write(
        "subs1.csv",
        f"{header}s,ann,basic,5,2026-02-10,\nu,cy,pro,9,2026-02-10,\nv,di,pro,9,2026-02-10,2026-02-20\n",
    )
    if not at_once:
        company.land()
    company.write(
        "subs2.csv",
        f"{header}s,ann,pro,9,2026-02-10,2026-02-10\nu,cy,pro,9,2026-02-10,2026-02-10\n"
        "v,di,pro,8,2026-02-10,2026-02-10\nw,ed,pro,8,2026-02-10,2026-02-10\n",
    )
    company.land()
    assert company.rows("select subscription_id, plan, ended_on from raw.subscriptions order by all") == [
        ("s", "basic", None),
        ("u", "pro", date(2026, 2, 10)),
        ("u", "pro", None),
        ("v", "pro", date(2026, 2, 20)),
        ("w", "pro", date(2026, 2, 10)),
    ]
    reason = (
        "ended_on is started_on, and another row of that day has a length (in subs1.csv): this one never ran"
    )
    assert company.reasons() == [reason, reason]
    # A file that comes again changes nothing of it.
    company.write("subs2.csv", (company.data / "subs2.csv").read_text() + "x,fy,pro,8,2026-02-10,\n")
    company.land()
    assert company.reasons() == [reason, reason]


def test_a_survey_alone_is_a_company(company):
    company.adapter("""
        tables:
          survey_responses: {files: r.csv, columns: {response_id: id, responded_at: day, score: score}}
    """)
    company.write("r.csv", "id,day,score\n1,2026-01-01,9\n")
    assert company.land().tables["survey_responses"].stored == 1


@pytest.mark.parametrize(("discount", "is_stored"), [("10", True), ("10.0001", False), ("", True)])
def test_a_discount_is_not_above_its_amount(company, discount, is_stored):
    """Months later it would break a share in a mart that names no order."""
    company.adapter("""
        max_reject_share: 1
        tables:
          orders:
            - files: o.csv
              columns: {order_id: id, ordered_at: day, gross_amount: "10", discount_amount: off}
            - files: good.csv
              columns: {order_id: id, ordered_at: day, gross_amount: "10"}
          subscriptions:
            files: o.csv
            columns:
              subscription_id: id
              customer_id: id
              billing_interval: "'month'"
              amount: "10"
              discount_amount: off
              started_on: day
    """)
    company.write("o.csv", f"id,day,off\n1,2026-01-01,{discount}\n")
    company.write("good.csv", "id,day\n2,2026-01-01\n")
    counts = company.land().tables
    assert [counts[table].rejected for table in ("orders", "subscriptions")] == [int(not is_stored)] * 2
    for reason, amount in zip(company.reasons(), ("gross_amount", "amount"), strict=False):
        assert reason == (
            f"discount_amount 10.0001 is above {amount} 10.0000: {amount} is the amount before the discount"
        )


# -- stops


def test_too_many_rejects_stop_and_tell_the_reasons(company):
    company.orders(*[f"{i},a,2026-01-01,{'x' if i < 5 else 1}" for i in range(40)], "98,a,soon,1")
    stops(
        company,
        "orders: 6 of 41 rows would be rejected (14.6%; max_reject_share is 5.0%); nothing was changed.",
        "5 × for example orders.csv, row 1: gross_amount 'x' is not a number",
        "1 × for example orders.csv, row 41: ordered_at 'soon'",
        "raise max_reject_share",
    )
    company.adapter("max_reject_share: 0.15" + ORDERS)
    result = company.land()
    assert result.tables["orders"].rejected == 6
    assert "orders: 6 rows rejected; raw.rejects has the reasons" in result.messages


def test_reasons_that_stop_hold_no_address(company):
    company.orders("1,a,2026-01-01,ann@example.com")
    assert "ann@" not in stops(company, "gross_amount '[e-mail]' is not a number")


def test_the_share_of_rejects_is_over_all_files_of_the_landing(company):
    company.orders(*[f"{i},a,2026-01-01,1" for i in range(99)], name="orders1.csv")
    company.orders("100,a,2026-01-01,x", name="orders2.csv")
    result = company.land()
    assert result.tables["orders"].rejected == 1
    assert "orders: 1 row rejected; raw.rejects has the reasons" in result.messages


def test_a_file_without_rows_stops_only_where_there_were_some(company):
    company.orders("1,a,2026-01-01,10", name="orders1.csv")
    company.orders(name="orders2.csv")
    result = company.land()
    assert "orders: orders2.csv has no rows" in result.messages
    company.orders(name="orders1.csv")
    stops(company, "orders1.csv: has no rows, and had 1")


def test_a_mapping_without_rows_stops_where_there_were_some(company):
    company.orders("1,a,2026-01-01,10")
    company.land()
    company.adapter(ORDERS + "    where: amount = 'x'\n")
    stops(company, "orders: orders.csv gives no rows by its mapping, and gave 1")


def test_a_table_that_would_be_empty_stops(contract):
    contract.land()
    write_rows(contract, "customers", GOOD["customers"] | {"signed_up_at": "soon"})
    stops(contract, "customers: would have no rows at all")


def test_a_company_has_orders_or_subscriptions(contract):
    write_rows(contract, "orders")
    contract.land()
    folder = contract.data.parent / "other"
    folder.mkdir()
    other = Company(folder, all_tables("max_reject_share: 1"))
    write_rows(other, "customers", GOOD["customers"])
    stops(other, "None of orders, subscriptions, survey_responses would have a row")
    assert not other.settings.build_database.exists()


def test_a_pattern_without_match_stops_and_names_the_nearest(company):
    company.orders("1,a,2026-01-01,10", name="order.csv")
    stops(
        company,
        f"{company.adapter_file}:4: orders",
        "matches 'orders*.csv'",
        "did you mean order.csv?",
        "optional",
    )


def test_an_optional_table_may_have_no_file(company):
    company.orders("1,a,2026-01-01,10")
    refunds = "  refunds:\n    files: r.csv\n    optional: true\n    query: select 1\n"
    company.adapter(f"{BOTH_SAID}\n{ORDERS}{refunds}")
    result = company.land()
    assert result.messages == ("refunds: no files (r.csv)",)


def test_nothing_to_land_at_all_stops(company):
    company.adapter(all_tables())
    stops(company, "shop.yml: not one file in")


def test_hidden_files_are_passed_over(company):
    company.orders("1,a,2026-01-01,10", name="o/orders.csv")
    company.write("o/.~lock.orders.csv", "x")
    company.adapter(ORDERS.replace("orders*.csv", "o/*.csv"))
    assert company.land().tables["orders"].files == 1


def test_one_file_in_two_entries_of_a_table_is_an_error(company):
    company.orders("1,a,2026-01-01,10")
    entry = ORDERS.split("orders:\n")[1].replace("\n    ", "\n      ").strip()
    company.adapter(f"tables:\n  orders:\n    - {entry}\n    - {entry}\n")
    stops(
        company, "orders.csv is named by the entry of line 3 already", "union all", error=ConfigurationError
    )


def test_a_warehouse_holds_one_company(company):
    company.orders("1,a,2026-01-01,10")
    company.land()
    company.adapter_file = company.adapter_file.rename(company.adapter_file.with_name("other.yml"))
    stops(company, "holds 'shop'", "TENURE_WAREHOUSE", error=ConfigurationError)


def test_a_missing_data_folder_is_an_error(company):
    with pytest.raises(ConfigurationError, match=r"data folder .*nowhere.*--data"):
        land(company.settings, str(company.adapter_file), company.data / "nowhere")


def test_where_the_data_lies(company, monkeypatch, tmp_path):
    def folder(data: Path | None = None) -> Path:
        return data_folder(load_adapter(str(company.adapter_file), company.settings), data)

    assert folder() == company.adapter_file.parent
    company.adapter("data: data" + ORDERS)
    assert folder() == company.data
    monkeypatch.setenv("TENURE_DATA", str(tmp_path / "wh"))
    company.settings.warehouse.mkdir()
    assert folder() == tmp_path / "wh"
    assert folder(company.data) == company.data


@pytest.mark.parametrize("step", ["_apply_table", "write_ledger", "_write_customer_changes", "_require_rows"])
def test_an_interrupted_landing_leaves_the_warehouse_unchanged(company, monkeypatch, step):
    company.orders("1,a,2026-01-01,10")
    company.land()
    before = company.everything()
    company.orders("1,b,2026-01-01,10", "2,c,2026-01-01,10")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(apply, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            company.land()
    assert company.everything() == before
    assert company.land().tables["orders"].rows_added == 2


def test_a_failed_first_landing_leaves_no_database(company):
    company.orders("1,a,soon,10")
    stops(company, "orders: 1 of 1 rows")
    assert not company.settings.build_database.exists()


# -- personal data


def hashed(address: str) -> str:
    return hashlib.sha256(b"pepper" + address.encode()).hexdigest()


def test_addresses_are_never_stored(contract):
    address = "ann.lee@example.com"
    write_rows(
        contract,
        "customers",
        {
            "customer_id": "Ann.Lee@Example.com",
            "email": f" {address.upper()} ",
            "referred_by_customer_id": address,
        },
        {
            "customer_id": "c2",
            "signed_up_at": f"ask {address}",
            "country": f"see {address}!",
            "email": address,
        },
        {"customer_id": "c3", "email": "no address"},
    )
    write_rows(contract, "orders", GOOD["orders"] | {"customer_id": address})
    comment = (
        f"Write to {address}, or to <o'neill@mail.example.co.uk>, or call 0912 345 678 about #0012345678"
    )
    write_rows(contract, "survey_responses", GOOD["survey_responses"] | {"comment": comment})
    write_rows(
        contract, "support_tickets", GOOD["support_tickets"] | {"satisfaction": address, "priority": address}
    )
    path = contract.data / "refunds.csv"
    path.write_text(path.read_text() + f"short,{address}\n")
    result = contract.land()
    assert contract.rows(
        "select customer_id, email_hash, referred_by_customer_id from raw.customers "
        "order by customer_id <> 'c3'"
    ) == [("c3", hashed("no address"), None), (hashed(address), hashed(address), hashed(address))]
    assert contract.values("select customer_id from raw.orders") == [hashed(address)]
    assert contract.values("select comment from raw.survey_responses") == [
        "Write to [e-mail], or to <[e-mail]>, or call [phone] about #0012345678"
    ]
    rejects = dict(contract.rows("select table_name, content::varchar from raw.rejects"))
    assert '"email_hash":"' + hashed(address) in rejects["customers"]
    assert '"country":"see [e-mail]!"' in rejects["customers"]
    assert '"satisfaction":"[e-mail]"' in rejects["support_tickets"]
    assert rejects["refunds"] == '{"line":"short,[e-mail]"}'
    assert "email" not in {name for name, *_ in contract.rows("describe raw.customers")}
    everything = b"".join(
        file.read_bytes() for file in contract.settings.warehouse.rglob("*") if file.is_file()
    )
    for form in (address, address.upper(), "Ann.Lee@Example.com", "o'neill@"):
        assert form.encode() not in everything
    assert "@" not in "".join((*result.messages, *contract.reasons()))


def test_the_salt_is_made_once_and_only_for_its_owner(company, monkeypatch):
    monkeypatch.delenv("TENURE_HASH_SALT")
    company.orders("1,ann@example.com,2026-01-01,10")
    company.land()
    salt = company.settings.salt_file.read_text().strip()
    assert len(salt) == 64
    assert stat.S_IMODE(company.settings.salt_file.stat().st_mode) == 0o600
    expected = hashlib.sha256((salt + "ann@example.com").encode()).hexdigest()
    assert company.values("select customer_id from raw.orders") == [expected]
    assert company.land().batch_id is None
    # With another salt the old hashes would join nothing: every file is landed again.
    monkeypatch.setenv("TENURE_HASH_SALT", "pepper")
    assert company.land().batch_id == 2
    assert company.values("select customer_id from raw.orders") == [hashed("ann@example.com")]
    monkeypatch.delenv("TENURE_HASH_SALT")
    company.settings.salt_file.write_text("")
    stops(company, "is empty", "TENURE_HASH_SALT", error=ConfigurationError)


def test_mappings_do_not_see_the_salt(company):
    company.orders("1,a,2026-01-01,10")
    company.adapter(
        ORDERS.replace("customer_id: customer", "customer_id: coalesce(getvariable('salt'), 'unseen')")
    )
    company.land()
    assert company.values("select customer_id from raw.orders") == ["unseen"]


# -- no row is ever lost

WORDS = st.sampled_from(
    ["", "1", "2", "3", "-1", "1.5", "x", "2026-01-01", "2026-13-01", "a b", " 1 ", '"', "1,0"]
)
ROWS = st.lists(st.lists(WORDS, min_size=4, max_size=4), min_size=0, max_size=12)


@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=ROWS, second=ROWS)
@example(first=[["1", "a", "2026-01-01", "1"]] * 2, second=[["1", "a", "2026-01-01", "2"]])
def test_read_is_accepted_plus_rejected_whatever_the_rows(tmp_path_factory, first, second):
    company = Company(tmp_path_factory.mktemp("company"), "max_reject_share: 1" + ORDERS)

    def write(rows: list[list[str]], name: str) -> None:
        quoted = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows]
        company.orders(*quoted, name=name)

    def check(rows: list[list[str]], name: str) -> None:
        stored = company.rows(f"select _source_row, order_id from raw.orders where _source_file = '{name}'")
        refused = company.values(f"select source_row from raw.rejects where source_file = '{name}'")
        ((read, accepted, kept, repeated, rejected),) = company.rows(
            "select rows_read, rows_accepted, rows_stored, rows_repeated, rows_rejected from raw.loads "
            f"where is_current and source_file = '{name}'"
        )
        assert read == len(rows) == accepted + rejected
        assert (accepted, len(stored), len(refused)) == (kept + repeated, kept, rejected)
        accounted = Counter(row for row, _ in stored) + Counter(refused)
        assert max(accounted.values(), default=1) == 1
        for row, order_id in stored:
            assert rows[row - 1][0].strip() == order_id
        missing = [rows[i] for i in range(len(rows)) if i + 1 not in accounted]
        # What is neither stored nor refused repeats a stored row.
        kept_keys = {order_id for _, order_id in stored}
        assert len(missing) == repeated
        assert all(row[0].strip() in kept_keys for row in missing)

    base = [["base", "a", "2026-01-01", "1"]]
    write(base, "orders0.csv")
    write(first, "orders1.csv")
    company.land()
    check(first, "orders1.csv")
    untouched = company.rows("select * from raw.orders where _source_file = 'orders0.csv'")
    if first and not second:
        return
    write(second, "orders1.csv")
    company.land()
    check(second, "orders1.csv")
    assert company.rows("select * from raw.orders where _source_file = 'orders0.csv'") == untouched
    # A corrected file gives the rows that it would have given at first.
    fresh = Company(tmp_path_factory.mktemp("fresh"), "max_reject_share: 1" + ORDERS)
    fresh.data.rmdir()
    fresh.data = company.data
    fresh.land()
    content = "select * exclude (_batch_id, _loaded_at, _file_sequence) from raw.orders order by all"
    assert company.rows(content) == fresh.rows(content)
    rejects = "select source_file, source_row, reason, content::varchar from raw.rejects order by all"
    assert company.rows(rejects) == fresh.rows(rejects)


def test_a_lost_row_is_a_defect_and_not_committed(company, monkeypatch):
    company.orders("1,a,2026-01-01,10")
    run = mapped_units.run_mapping
    monkeypatch.setattr(mapped_units, "run_mapping", lambda *arguments: run(*arguments) + 1)
    stops(company, "rows were lost", error=RuntimeError)


# -- the command


def test_the_command_prints_counts_and_takes_the_lock(company, monkeypatch):
    company.orders("1,a,2026-01-01,10", "1,a,2026-01-01,10")
    monkeypatch.setenv("TENURE_WAREHOUSE", str(company.settings.warehouse))
    arguments = ["--source", str(company.adapter_file), "--data", str(company.data)]
    result = CliRunner().invoke(land_command, arguments)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "table"
    assert lines[1].split() == ["orders", "1", "0", "2", "2", "2", "1", "0"]
    assert lines[2] == "Landed batch 1 of shop."
    assert "Nothing new for shop." in CliRunner().invoke(land_command, arguments).stdout
    with warehouse_lock(company.settings, "another"):
        assert isinstance(CliRunner().invoke(land_command, arguments).exception, LockedError)


# -- the shipped adapters


def shipped(tmp_path: Path, source: str, folder: Path) -> SimpleNamespace:
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there (TENURE_SHARED names its parent)")
    settings = Settings(tmp_path / "wh")
    result = land(settings, source, folder)

    def rows(sql: str):
        with duckdb.connect(str(settings.build_database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    assert rows("select count(*) from raw.rejects") == [(0,)]
    return SimpleNamespace(result=result, rows=rows)


def test_online_retail(tmp_path):
    shop = shipped(tmp_path, "online_retail", SHARED / "data")
    assert {name: counts.stored for name, counts in shop.result.tables.items()} == {
        "customers": 4371,
        "orders": 19960,
        "order_items": 530104,
        "refunds": 3836,
    }
    assert shop.rows(
        "select count(distinct customer_id), sum(gross_amount) from raw.orders where customer_id is not null"
    ) == [(4338, Decimal("8911407.9040"))]
    # Orders and items are the same sales.
    assert shop.rows(
        "with items as (select order_id, sum(quantity * unit_price) as s from raw.order_items group by 1) "
        "select count(*) from items full join raw.orders using (order_id) "
        "where gross_amount is distinct from s"
    ) == [(0,)]
    assert shop.rows(
        "select count(*) from raw.customers where not regexp_full_match(customer_id, '[0-9]{5}')"
    ) == [(0,)]
    # Customer 12394 moved from Belgium to Denmark, 12455 from Cyprus to Spain: the country is the first.
    assert dict(
        shop.rows("select customer_id, country from raw.customers where customer_id in ('12394', '12455')")
    ) == {
        "12394": "Belgium",
        "12455": "Cyprus",
    }
    assert shop.rows("select min(ordered_at), max(ordered_at) from raw.orders") == [
        (datetime(2010, 12, 1, 8, 26), datetime(2011, 12, 9, 12, 50))
    ]
    assert dict(shop.rows("select * from raw.settings"))["business_timezone"] == "Europe/London"


def test_cdnow(tmp_path):
    lifetimes = pytest.importorskip("lifetimes")
    shop = shipped(tmp_path, "cdnow", Path(lifetimes.__file__).parent / "datasets")
    assert shop.rows("""
        with days as (
            select distinct customer_id, cast(ordered_at as date) as ordered_on from raw.orders
            where ordered_at < date '1997-10-01'
        ),
        customers as (select customer_id, count(*) as day_count from days group by customer_id)
        select count(*), sum(day_count) - count(*), count(*) filter (where day_count > 1) from customers
    """) == [(2357, 2457, 946)]
    assert shop.rows("select count(*), count(distinct order_id), max(ordered_at) from raw.orders") == [
        (6919, 6919, datetime(1998, 6, 30))
    ]
    assert ("as_of_date", "1997-09-30") in shop.rows("select * from raw.settings")


def test_jaffle(tmp_path):
    shop = shipped(tmp_path, "jaffle", SHARED / "data" / "jaffle")
    assert shop.rows("select status, count(*), sum(gross_amount) from raw.orders group by 1 order by 1") == [
        ("completed", 95, Decimal("1623.0000")),
        ("returned", 4, Decimal("49.0000")),
    ]
    assert shop.rows("select count(*) from raw.customers") == [(100,)]
