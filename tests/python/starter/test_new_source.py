"""The starter adapter: what it guesses, and that what it writes lands without a touch."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shlex
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.core.errors import ConfigurationError
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.landing.adapters import Adapter, load_adapter
from scripts.landing.land import land
from scripts.starter.new_source import _next_commands, new_source, new_source_command
from scripts.starter.scanning import scan
from scripts.starter.vocabulary import fold, is_personal_name, name_score, tables_named


class Shop:
    """A folder of exports, the adapter written for it, and the warehouse it lands in."""

    def __init__(self, root: Path) -> None:
        self.data = root / "exports"
        self.data.mkdir()
        self.target = root / "shop.yml"
        self.settings = Settings(warehouse=root / "warehouse")

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> None:
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))

    def start(self) -> str:
        """Write the adapter and answer its questions: what was taken is right. Gives the report."""
        told = self.draft()
        self.questions = re.findall(r"^ *  - (\".*\")$", self.text, re.MULTILINE)
        answered = re.sub(r"^ *undecided:\n(?: *- .*\n)+", "", self.text, flags=re.MULTILINE)
        self.target.write_text(answered, encoding="utf-8")
        return told

    def draft(self) -> str:
        """Write the adapter, and leave its questions; gives the report."""
        return new_source(self.settings, "shop", self.data, self.target, force=True)

    @property
    def text(self) -> str:
        return self.target.read_text(encoding="utf-8")

    @property
    def adapter(self) -> Adapter:
        return load_adapter(str(self.target), self.settings)

    @property
    def tables(self) -> list[str]:
        return [table.name for table in self.adapter.tables()]

    def columns(self, table: str) -> dict[str, str]:
        """The expressions of a table that is mapped by `columns:`."""
        return next(
            {n: sql.text for n, sql in m.columns.items()}
            for m in self.adapter.mappings
            if m.table.name == table
        )

    def query(self, table: str) -> str:
        return next(m.query.text for m in self.adapter.mappings if m.table.name == table and m.query)

    def land(self) -> None:
        land(self.settings, str(self.target), self.data)

    def rows(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.settings.build_database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def rejects(self) -> list[tuple]:
        return self.rows("select table_name, source_row, reason from raw.rejects order by all")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# ------------------------------------------------------------------------------------------------- whole
# folders


# As Shopify writes it, under names that make it no known export.
ORDERS_WITH_LINES = """\
Order Name,Email,Payment Status,Paid at,Fulfillment Status,Accepts Marketing,Currency,Subtotal,Shipping,\
Taxes,Total,Discount Code,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,\
Lineitem sku,Billing Name,Billing Street,Billing Country,Cancelled at,Refunded Amount,Id
#1001,Ann@Example.com,paid,2026-01-02 10:11:12 +0100,fulfilled,yes,EUR,30.00,5.00,0.00,35.00,,0.00,\
2026-01-02 10:11:12 +0100,2,Mug,10.00,MUG,Ann Lee,High Street 1,DE,,0.00,450001
#1001,Ann@Example.com,,,,,,,,,,,,2026-01-02 10:11:12 +0100,1,"Tea, green",10.00,TEA,,,,,,
#1002,bob@example.com,paid,2026-01-03 09:00:00 +0100,fulfilled,no,EUR,18.00,5.00,0.00,23.00,TWO,2.00,\
2026-01-03 09:00:00 +0100,2,Mug,10.00,MUG,Bob Day,Low Street 2,FR,,0.00,450002
#1003,ann@example.com,refunded,2026-01-04 09:00:00 +0100,fulfilled,no,EUR,10.00,0.00,0.00,10.00,,0.00,\
2026-01-04 09:00:00 +0100,1,"Tea, green",10.00,TEA,Ann Lee,High Street 1,DE,,10.00,450003
#1004,cat@example.com,paid,2026-01-05 09:00:00 +0100,unfulfilled,no,EUR,27.00,0.00,0.00,27.00,THREE,3.00,\
2026-01-05 09:00:00 +0100,3,Mug,10.00,,Cat Fox,Mid Street 3,DE,2026-01-06 09:00:00 +0100,0.00,450004
"""


def test_personal_values_are_never_shown(shop: Shop) -> None:
    shop.write("orders_export_1.csv", ORDERS_WITH_LINES)
    report = shop.start()
    for personal in ("Ann Lee", "High Street", "example.com", "Example.com"):
        assert personal not in shop.text
        assert personal not in report
    assert '"Billing Street"  (looks personal: not shown)' in shop.text


def test_discount_certainty_comes_from_the_lines(shop: Shop) -> None:
    shop.write("orders_export_1.csv", ORDERS_WITH_LINES)
    shop.start()
    assert "prove it" in shop.text
    before = ORDERS_WITH_LINES.replace("23.00,TWO", "25.00,TWO").replace("27.00,THREE", "30.00,THREE")
    shop.write("orders_export_1.csv", before)
    shop.start()
    shop.land()
    assert shop.rows("select gross_amount from raw.orders where order_id = '#1002'") == [(Decimal(25),)]


def test_woocommerce(shop: Shop) -> None:
    rows = [
        "order_id,order_number,order_date,status,shipping_total,discount_total,order_total,order_currency,customer_id,"
        "billing_email,billing_first_name,billing_phone,payment_method"
    ]
    statuses = ["wc-completed", "wc-processing", "wc-refunded", "wc-failed", "wc-on-hold"]
    for i in range(40):
        customer = 0 if i % 4 == 0 else 10 + i % 7
        rows.append(
            f"{100 + i},{100 + i},2026-03-{1 + i % 28:02d} 08:{i:02d}:00,{statuses[i % 5]},4.90,0.00,"
            f"{20 + i}.50,USD,{customer},"
            f"p{customer}@example.com,Pat,+1 555 010{i:02d},paypal"
        )
    shop.write("wc-orders-export.csv", "\n".join(rows))
    report = shop.start()
    assert "on-hold" in report
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select count(*), sum(gross_amount) from raw.orders") == [(40, Decimal("1600.00"))]
    assert shop.rows("select status, count(*) from raw.orders group by 1 order by 1") == [
        ("cancelled", 16),
        ("completed", 16),
        ("returned", 8),
    ]
    # WooCommerce gives guests the number 0: they are not one good customer.
    assert shop.rows("select count(*) from raw.orders where customer_id is null") == [(10,)]


def test_german_export(shop: Shop) -> None:
    lines = ["Bestellnummer;Bestelldatum;Kundennummer;Gesamtbetrag;Rabatt;Status;Währung"]
    for i in range(30):
        lines.append(
            f"B{i:04d};{1 + i % 28:02d}.{1 + i % 3:02d}.2026 {8 + i % 10:02d}:05;K{i % 9};1.{i:03d},50;"
            f"{i % 2},00;"
            f"{'Bezahlt' if i % 5 else 'Storniert'};EUR"
        )
    shop.write("Bestellungen.csv", "\n".join(lines), "cp1252")
    customers = "\n".join(
        [
            "Kundennummer;Vorname;Land;Kunde seit",
            *(f"K{i};Jörg;Österreich;0{i + 1}.05.2025" for i in range(9)),
        ]
    )
    shop.write("Kunden.csv", customers, "cp1252")
    shop.start()
    assert shop.tables == ["customers", "orders"]
    assert all(mapping.input.encoding == "cp1252" for mapping in shop.adapter.mappings)
    shop.land()
    assert shop.rejects() == []
    assert shop.rows(
        "select count(*), sum(discount_amount), min(ordered_at)::varchar, max(ordered_at)::varchar "
        "from raw.orders"
    ) == [(30, Decimal(15), "2026-01-01 08:05:00", "2026-03-27 14:05:00")]
    # The word says "Gesamtbetrag", the total: the discount is added, and the reader is asked.
    assert shop.rows("select sum(gross_amount - discount_amount) from raw.orders") == [(Decimal("30450.00"),)]
    assert "CHOOSE" in shop.text
    assert shop.rows("select country, signed_up_at::varchar from raw.customers where customer_id = 'K2'") == [
        ("Österreich", "2025-05-03 00:00:00")
    ]


def test_vietnamese_headers(shop: Shop) -> None:
    lines = ["Mã đơn hàng,Ngày đặt,Khách hàng,Tổng tiền,Trạng thái"]
    for i in range(25):
        lines.append(
            f"DH{i:03d},{13 + i % 10}/0{1 + i % 9}/2026,KH{i % 6:02d},{100 + i}.000 ₫,"
            f"{'Hoàn thành' if i % 4 else 'Đã hủy'}"
        )
    shop.write("đơn hàng.csv", "\ufeff" + "\n".join(lines))
    shop.start()
    assert shop.adapter.variables == {"reporting_currency": "VND", "business_timezone": "Asia/Ho_Chi_Minh"}
    shop.land()
    assert shop.rejects() == []
    assert shop.rows(
        "select count(*), sum(gross_amount), min(currency), count(distinct customer_id) from raw.orders"
    ) == [(25, Decimal(2800000), "VND", 6)]
    assert shop.rows("select status, count(*) from raw.orders group by 1 order by 1") == [
        ("cancelled", 7),
        ("completed", 18),
    ]


def test_stripe_subscriptions(shop: Shop) -> None:
    lines = [
        "id,Customer ID,Customer Email,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),"
        "Start Date (UTC),"
        "Current Period Start (UTC),Current Period End (UTC),Canceled At (UTC),Ended At (UTC)"
    ]
    for i in range(20):
        ended = "2026-05-01 10:00" if i % 5 == 0 else ""
        lines.append(
            f"sub_{i},cus_{i % 15},p{i % 15}@example.com,{'Pro' if i % 2 else 'Basic'},1,usd,"
            f"{'month' if i % 3 else 'year'},"
            f"{'29.00' if i % 2 else '9.00'},{'canceled' if ended else 'active'},2026-01-{1 + i:02d} 10:00,"
            f"2026-01-{1 + i:02d} 10:00,2026-04-01 10:00,2026-05-01 10:00,"
            f"{ended and '2026-04-20 10:00'},{ended}"
        )
    shop.write("subscriptions.csv", "\n".join(lines))
    shop.write(
        "payments.csv",
        "id,Created (UTC),Amount,Currency,Customer ID,Status\nch_1,2026-01-01 10:00,29.00,usd,cus_1,Paid\n",
    )
    report = shop.start()
    # The payments of a subscription are its revenue once more.
    assert shop.tables == ["subscriptions"]
    assert "payments.csv" in report
    shop.land()
    assert shop.rejects() == []
    assert shop.rows(
        "select count(*), sum(amount), count(ended_on), count(cancel_requested_on), "
        "min(started_on)::varchar, min(currency), "
        "count(*) filter (where billing_interval = 'year') from raw.subscriptions"
    ) == [(20, Decimal(380), 4, 4, "2026-01-01", "USD", 7)]


def test_payments_are_orders_only_where_nothing_else_is(shop: Shop) -> None:
    payments = "id,Created (UTC),Amount,Currency,Customer ID,Status\n"
    payments += "".join(
        f"ch_{i},2026-01-01 10:0{i},29.00,usd,cus_{i % 3},{'Paid' if i else 'Failed'}\n" for i in range(8)
    )
    shop.write("payments.csv", payments)
    report = shop.start()
    assert shop.tables == ["orders"]
    assert "payments are taken for orders" in report
    shop.land()
    assert shop.rejects() == []
    assert shop.rows(
        "select count(*) filter (where status = 'completed'), min(ordered_at)::varchar, bool_and(_is_utc) "
        "from raw.orders"
    ) == [(7, "2026-01-01 10:00:00", True)]


def test_daily_files_become_one_pattern(shop: Shop) -> None:
    for day in range(1, 6):
        body = (
            f"order_id,customer_id,ordered_at,total\n{day}01,c1,2026-01-{day:02d}T10:00:00Z,"
            f"10.00\n{day}02,c2,2026-01-{day:02d}T11:00:00Z,5.00\n"
        )
        shop.write(f"daily/orders_2026-01-{day:02d}.csv.gz", gzip.compress(body.encode()))
    shop.write("daily/orders_lines_2026.csv", "a,b\nx,y\n")
    shop.write(".hidden/orders_2026-01-09.csv", "order_id\n1\n")
    report = shop.start()
    (mapping,) = shop.adapter.mappings
    assert len(mapping.input.patterns) == 1
    shop.land()
    assert shop.rows("select count(*), sum(gross_amount), count(distinct _source_file) from raw.orders") == [
        (10, Decimal(75), 5)
    ]
    assert "orders_lines_*.csv" in report


def test_parquet_and_json_lines(shop: Shop) -> None:
    duckdb.execute(
        f"""
        copy (
            select
                i as id, i % 20 as customer_id, cast(i as decimal(10, 2)) as total,
                timestamp '2026-01-01 10:00:00' + to_hours(i) as created_at
            from range(1, 101) as t(i)
        ) to '{shop.data}/orders.parquet' (format parquet)
        """
    )
    tickets = [
        {
            "ticket_id": f"T{i}",
            "customer_id": i % 20,
            "created_at": f"2026-02-01T10:00:{i:02d}Z",
            "priority": "high",
            "tags": ["a"],
        }
        for i in range(30)
    ]
    shop.write("tickets.jsonl", "\n".join(json.dumps(ticket) for ticket in tickets))
    answers = [
        {"customer": i % 20, "submitted_at": 1_770_000_000 + i, "score": i % 11, "comment": "fine"}
        for i in range(30)
    ]
    shop.write("nps_responses.ndjson", "\n".join(json.dumps(answer) for answer in answers))
    shop.start()
    assert shop.tables == ["orders", "survey_responses", "support_tickets"]
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select count(*), sum(gross_amount) from raw.orders") == [(100, Decimal(5050))]
    assert shop.rows(
        "select count(*), count(distinct response_id), sum(score), min(responded_at)::varchar from "
        "raw.survey_responses"
    ) == [(30, 30, 138, "2026-02-02 02:40:00")]
    assert shop.rows("select count(*), min(priority) from raw.support_tickets") == [(30, "high")]


def test_amounts_in_the_lines_file(shop: Shop) -> None:
    shop.write(
        "orders.csv",
        "OrderID,CustomerID,OrderDate\n" + "".join(f"{i},C{i % 3},2026-01-0{i}\n" for i in range(1, 9)),
    )
    shop.write(
        "order_details.csv",
        "OrderID,ProductID,UnitPrice,Quantity\n"
        + "".join(f"{i},P1,2.50,2\n{i},P2,1.00,{i}\n" for i in range(1, 9)),
    )
    shop.start()
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select sum(gross_amount), count(*) from raw.orders") == [(Decimal(76), 8)]
    assert shop.rows("select count(*), max(line_number) from raw.order_items") == [(16, 2)]


def test_one_file_of_lines_without_total(shop: Shop) -> None:
    lines = ["Invoice Number,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for i in range(40):
        lines.append(
            f"5{i // 2:04d},S{i % 5},THING {i % 5},{i % 3 + 1},1/{13 + i % 5}/2026 8:26,2.00,"
            f"{17000 + i // 4},United Kingdom"
        )
    lines.append("C99999,S1,THING 1,-1,1/20/2026 8:26,2.00,17000,United Kingdom")
    shop.write("online_retail.csv", "\n".join(lines))
    report = shop.start()
    assert "left out" in report
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select count(*), sum(gross_amount), min(ordered_at)::varchar from raw.orders") == [
        (20, Decimal(2 * sum(i % 3 + 1 for i in range(40))), "2026-01-13 08:26:00")
    ]
    assert shop.rows("select count(*) from raw.order_items") == [(40,)]
    assert shop.rows("select count(*), min(country) from raw.customers") == [(10, "United Kingdom")]


def test_line_amounts_with_a_decimal_comma(shop: Shop) -> None:
    lines = ["Bestellnummer;Bestelldatum;Betrag;Artikelnummer;Menge;Einzelpreis"]
    for order in range(1, 9):
        lines += [
            f"B{order};03.04.2026;{1000 + order}.50;X;1;1".replace(".50", ",50"),
            f"B{order};03.04.2026;2,25;Y;1;2,25",
        ]
    lines.append("B9;03.04.2026;viel;X;1;1")
    shop.write("Bestellungen.csv", "\n".join(lines).replace("1000", "1.000"))
    shop.target.write_text("", encoding="utf-8")
    shop.start()
    shop.target.write_text("max_reject_share: 0.5\n" + shop.text, encoding="utf-8")
    shop.land()
    assert shop.rows("select count(*), sum(gross_amount) from raw.orders") == [(8, Decimal(8 * 1002.75 + 36))]
    ((table, _, reason),) = shop.rejects()
    assert table == "orders"
    assert "viel" in reason


def test_a_line_without_a_quantity_refuses_its_order(shop: Shop) -> None:
    rows = "".join(f"{i // 2},2026-01-01,S{i},{'two' if i == 7 else 1},5.00\n" for i in range(60))
    shop.write("orders.csv", "order_id,order_date,sku,quantity,unit_price\n" + rows)
    shop.start()
    shop.land()
    assert shop.rows("select count(*), sum(gross_amount) from raw.orders") == [(29, Decimal(290))]
    assert any("two × 5.00" in reason for _, _, reason in shop.rejects())


@pytest.mark.parametrize("repeated", [True, False])
def test_a_total_on_each_line_is_taken_once_and_a_line_amount_is_summed(shop: Shop, repeated: bool) -> None:
    lines = ["order_id,order_date,customer_id,total,sku,quantity,price"]
    for order in range(1, 11):
        prices = [order, order + 1]
        for price in prices:
            total = sum(prices) if repeated else price
            lines.append(f"O{order},2026-01-15,c{order},{total}.00,S{price},1,{price}.00")
    shop.write("orders.csv", "\n".join(lines))
    shop.start()
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select count(*), sum(gross_amount) from raw.orders") == [
        (10, Decimal(sum(2 * i + 1 for i in range(1, 11))))
    ]
    assert shop.rows("select count(*) from raw.order_items") == [(20,)]


def test_names_with_quotes_line_breaks_and_brackets(shop: Shop) -> None:
    header = '"Order ""ID""";"Order\nDate";"It\'s total: #";"Customer ID";"{weird}: [x]";"x -- y # z";"\'"\n'
    rows = "".join(f"A{i};2026-01-0{i};{i},50;c{i};v{i};'q';{{{{ x }}}}\n" for i in range(1, 8))
    shop.write("orders [2026] it's.csv", header + rows)
    shop.start()
    assert shop.columns("orders")["order_id"] == '"Order ""ID"""'
    assert shop.columns("orders")["ordered_at"] == '"Order\nDate"'
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select count(*), min(ordered_at)::varchar, sum(gross_amount) from raw.orders") == [
        (7, "2026-01-01 00:00:00", Decimal("31.5"))
    ]


def test_usage_events_of_one_day_are_added_up(shop: Shop) -> None:
    shop.write(
        "orders.csv",
        "order_id,customer_id,order_date,total\n" + "".join(f"{i},c{i},2026-01-01,5.00\n" for i in range(5)),
    )
    clicks = "".join(
        f"c{i % 3},2026-02-01 10:{i:02d}:00,{'search' if i % 2 else 'export'}\n" for i in range(30)
    )
    shop.write("events.csv", "user_id,timestamp,event\n" + clicks)
    shop.start()
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select count(*), sum(uses), min(used_on)::varchar from raw.usage_events") == [
        (6, 30, "2026-02-01")
    ]


def test_the_currency_of_the_exchange_rates_goes_before_the_most_frequent(shop: Shop) -> None:
    shop.write(
        "orders.csv",
        "order_id,order_date,total,currency\n"
        + "".join(f"{i},2026-01-01,5,{'EUR' if i % 3 == 0 else 'usd'}\n" for i in range(9)),
    )
    assert "exchange_rates needed" in shop.start()
    assert shop.adapter.variables == {"reporting_currency": "USD"}
    shop.write("fx.csv", "currency,date,rate\nUSD,2026-01-01,0.92\nEUR,2026-01-01,1\n")
    assert "exchange_rates needed" not in shop.start()
    assert shop.adapter.variables == {"reporting_currency": "EUR"}
    shop.land()
    assert shop.rejects() == []


def test_a_few_repeated_order_numbers_are_refused_not_merged(shop: Shop) -> None:
    rows = "".join(f"{i},2026-01-01,{i}.00\n" for i in range(1, 100)) + "7,2026-01-01,9.00\n"
    shop.write("orders.csv", "order_id,order_date,total\n" + rows)
    shop.start()
    shop.land()
    assert len(shop.rejects()) == 2


# --------------------------------------------------------------------------------------------- doubt, and
# refusal


def orders_with_dates(dates: list[str]) -> str:
    return "order_id,customer_id,order_date,total\n" + "".join(
        f'{i},c{i},"{date}",5.00\n' for i, date in enumerate(dates, 1)
    )


def test_undecidable_day_and_month_are_asked_about(shop: Shop) -> None:
    shop.write("orders.csv", orders_with_dates(["01/02/2026", "03/02/2026", "05/04/2026"]))
    report = shop.start()
    assert "day or month first?" in report
    assert "CHOOSE: day or month first?" in shop.text
    assert "%d/%m/%Y" in shop.text
    assert "%m/%d/%Y" in shop.text


def test_another_column_decides_day_and_month(shop: Shop) -> None:
    shop.write("orders.csv", orders_with_dates(["01/02/2026", "03/02/2026", "05/04/2026"]))
    shop.write(
        "refunds.csv", "refund_id,order_id,refund_date,amount\n1,1,02/25/2026,5.00\n2,2,03/30/2026,5.00\n"
    )
    shop.start()
    assert "'%m/%d/%Y'" in shop.columns("orders")["ordered_at"]
    assert "CHOOSE: day or month first?" in shop.text


def test_a_decided_date_is_not_asked_about_and_a_bad_one_is_refused_with_its_text(shop: Shop) -> None:
    dates = [f"{day}/02/2026 10:30" for day in range(1, 29)] + ["31/02/2026 10:30"]
    shop.write("orders.csv", orders_with_dates(dates))
    shop.start()
    assert "day or month first?" not in shop.text
    shop.land()
    ((table, row, reason),) = shop.rejects()
    assert (table, row) == ("orders", 29)
    assert "31/02/2026 10:30" in reason


@pytest.mark.parametrize(
    ("text", "expected", "is_utc"),
    [
        ("2026-01-02", "2026-01-02 00:00:00", False),
        ("2026-01-02 10:11", "2026-01-02 10:11:00", False),
        ("2026-01-02T10:11:12.345", "2026-01-02 10:11:12.345", False),
        ("2026-01-02 10:11:12 UTC", "2026-01-02 10:11:12", True),
        ("2026-01-02T10:11Z", "2026-01-02 10:11:00", True),
        ("2026-01-02 10:11+0700", "2026-01-02 03:11:00", True),
        ("2026-01-02T10:11:12+07:00", "2026-01-02 03:11:12", True),
        ("2026-01-02 10:11:12 -05", "2026-01-02 15:11:12", True),
        ("2026/01/02 10:11:12", "2026-01-02 10:11:12", False),
        ("20260102", "2026-01-02 00:00:00", False),
        ("1767348672", "2026-01-02 10:11:12", True),
        ("1767348672000", "2026-01-02 10:11:12", True),
        ("46024.5", "2026-01-02 12:00:00", False),
        ("02-Jan-2026", "2026-01-02 00:00:00", False),
        ("Jan 2, 2026 3:04:05 PM", "2026-01-02 15:04:05", False),
        ("22.1.26 7:05", "2026-01-22 07:05:00", False),
        ("1/22/2026 7:05", "2026-01-22 07:05:00", False),
        ("10:11 22/01/2026", "2026-01-22 10:11:00", False),
    ],
)
def test_ways_to_write_a_time(shop: Shop, text: str, expected: str, is_utc: bool) -> None:
    shop.write("orders.csv", orders_with_dates([text] * 3))
    shop.start()
    shop.land()
    assert shop.rejects() == []
    assert set(shop.rows("select ordered_at::varchar, _is_utc from raw.orders")) == {(expected, is_utc)}


@pytest.mark.parametrize(
    ("texts", "total"),
    [
        (["1.50", "2000"], "2001.50"),
        (["1,234.50", "2"], "1236.50"),
        (["1.234,50", "2,5"], "1237.00"),
        (["1 234,50 €", "2,00 €"], "1236.50"),
        (["1\u00a0234,50", "1\u202f000,00"], "2234.50"),
        (["1'234.50", "CHF 1.00"], "1235.50"),
        (["$1,000.00", "$.50"], "1000.50"),
        (["1.250.000đ", "20.000đ"], "1270000"),
        (["12.00 USD", "0.50 USD"], "12.50"),
        (["1,00,000.50", "₹ 5.25"], "100005.75"),
    ],
)
def test_ways_to_write_an_amount(shop: Shop, texts: list[str], total: str) -> None:
    rows = "".join(f'{i},2026-01-01,"{text}"\n' for i, text in enumerate(texts * 3))
    shop.write("orders.csv", "order_id,order_date,total\n" + rows)
    shop.start()
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select sum(gross_amount) from raw.orders") == [(3 * Decimal(total),)]


@pytest.mark.parametrize(
    ("later", "amount"),
    [
        ("1.050,00", "1050.00"),
        ("4.516,1", "4516.1"),
        ("125,16", "125.16"),
        ("1 050,00", "1050.00"),
        ("1\u00a0050,00", "1050.00"),
        ("1.234.567,89", "1234567.89"),
        # One decimal point among commas is no reason to bill a hundred times as much.
        ("125.16", "125.16"),
    ],
)
def test_thousands_that_come_only_after_the_sample(shop: Shop, later: str, amount: str) -> None:
    head = "order_id,order_date,total\n"
    rows = "".join(f'{i},2026-01-01,"{i},50"\n' for i in range(1, 40))
    shop.write("orders.csv", head + rows)
    shop.start()
    shop.write("orders.csv", f'{head}{rows}99,2026-01-02,"{later}"\n')
    shop.land()
    assert shop.rejects() == []
    assert shop.rows("select gross_amount from raw.orders where order_id = '99'") == [(Decimal(amount),)]


def test_negative_amounts_are_told_by_their_number(shop: Shop) -> None:
    rows = "".join(f"{i},2026-01-01,{-i if i in (100, 200, 300) else i}.50\n" for i in range(1, 1301))
    shop.write("orders.csv", "order_id,order_date,total\n" + rows)
    shop.start()
    assert "CHOOSE: 3 of 1,300 values of the sample are negative and will be refused." in shop.text


def test_an_unknown_status_is_named_and_refused_not_guessed(shop: Shop) -> None:
    rows = "".join(f"{i},2026-01-01,5.00,{'paid' if i else 'zapped'}\n" for i in range(40))
    shop.write("orders.csv", "order_id,order_date,total,status\n" + rows)
    report = shop.start()
    assert "'zapped' is unknown" in report
    shop.land()
    assert [row[0] for row in shop.rejects()] == ["orders"]


def test_thousands_that_may_be_decimals_are_asked_about(shop: Shop) -> None:
    rows = "".join(f"{i},2026-01-01,{i}.500\n" for i in range(1, 9))
    shop.write("orders.csv", "order_id,order_date,total\n" + rows)
    assert "taken for" in shop.start()


def test_a_quantity_of_two_point_nothing_is_two(shop: Shop) -> None:
    rows = "".join(f"{i},2026-01-01,S1,{1 + i % 3}.000,5.00\n" for i in range(9))
    shop.write("sale.order.line.csv", "Order Reference,Order Date,Product,Quantity,Unit Price\n" + rows)
    shop.start()
    shop.land()
    assert shop.rows("select sum(quantity) from raw.order_items") == [(Decimal(18),)]


def test_cents_are_only_suggested(shop: Shop) -> None:
    rows = "".join(f"{i},2026-01-01,{1999 + i}\n" for i in range(8))
    shop.write("orders.csv", "order_id,order_date,amount_cents\n" + rows)
    report = shop.start()
    assert "in cents?" in report
    assert "# " in next(line for line in shop.text.splitlines() if "/ 100" in line)
    shop.land()
    assert shop.rows("select min(gross_amount) from raw.orders") == [(Decimal(1999),)]


def offers_taken(text: str) -> list[str]:
    """The adapter with each one of its offers taken: `# ` goes, and of two lines for one column the other."""
    lines = text.splitlines()
    result = []
    for place, line in enumerate(lines):
        if not re.match(" *# CHOOSE: ", line):
            continue
        # The question may take several lines; they go on further to the right.
        first = place + 1
        while re.match(" *#   ", lines[first]):
            first += 1
        offer = re.match("( *)# ([a-z_]+): ", lines[first])
        if offer is None:
            continue
        end = first + 1
        while end < len(lines) and re.match(f"{offer[1]}#   ", lines[end]):
            end += 1
        rest = lines[end:]
        former = next(
            (at for at, other in enumerate(rest) if other.startswith(f"{offer[1]}{offer[2]}: ")), None
        )
        if former is not None:
            del rest[former]
            while rest[former].startswith(f"{offer[1]}  "):
                del rest[former]
        taken = [other.replace("# ", "", 1) for other in lines[first:end]]
        result.append("\n".join([*lines[:first], *taken, *rest]) + "\n")
    return result


def test_offers_are_taken_by_removing_their_mark(shop: Shop) -> None:
    """Time zone, currency, the other reading of dates, cents, the other meaning of a discount.

    Each alone: a discount in pence beside an amount in pounds is small enough not to be refused.
    """
    rows = "".join(f"{i},0{1 + i % 9}/0{1 + i % 8}/2026,{1999 + i},{i % 2 * 10}\n" for i in range(40))
    shop.write("orders.csv", "order_id,order_date,total_cents,discount_cents\n" + rows)
    shop.start()
    draft = shop.text
    assert shop.adapter.variables == {}
    offers = offers_taken(draft)
    variables, columns = [], []
    for text in offers:
        shop.target.write_text(text, encoding="utf-8")
        variables.append(shop.adapter.variables)
        columns.append(shop.columns("orders"))
    assert {"business_timezone": "Europe/London"} in variables
    assert {"reporting_currency": "EUR"} in variables
    shop.target.write_text(draft, encoding="utf-8")
    untouched = shop.columns("orders")
    changed = {name for taken in columns for name, sql in taken.items() if sql != untouched[name]}
    assert (changed, len(offers)) == ({"ordered_at", "gross_amount"}, 5)
    # An offer is as good as what it stands beside: it lands.
    for text in offers:
        shop.target.write_text(text, encoding="utf-8")
        shop.land()
        assert shop.rejects() == []


def test_offers_inside_a_query_are_sql(shop: Shop) -> None:
    shop.write("orders.csv", orders_with_dates(["2026-01-01"] * 30).replace("total", "remark"))
    shop.write("payments.csv", "order_id,amount_cents\n" + "".join(f"{i},{1999 + i}\n" for i in range(30)))
    shop.start()
    lines = shop.text.splitlines()
    place = next(place for place, line in enumerate(lines) if "-- CHOOSE: in cents?" in line)
    following = next(at for at in range(place, len(lines)) if lines[at].strip().startswith("_gross as"))
    lines[place + 1] = lines[place + 1].replace("-- ", "", 1)
    del lines[following]
    shop.target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    shop.land()
    assert shop.rows("select min(gross_amount) from raw.orders") == [(Decimal("20.00"),)]


def test_only_the_better_of_two_orders_files_is_taken(shop: Shop) -> None:
    body = "order_id,customer_id,order_date,total,status\n" + "".join(
        f"{i},c{i},2026-01-01,5.00,paid\n" for i in range(9)
    )
    shop.write("orders.csv", body)
    shop.write(
        "old/invoices.csv", "invoice_id,date,amount\n" + "".join(f"{i},2026-01-01,5.00\n" for i in range(9))
    )
    report = shop.start()
    assert len(shop.adapter.mappings) == 1
    assert "old/invoices.csv" in report


def test_refunds_and_products_are_not_orders(shop: Shop) -> None:
    shop.write("refunds.csv", "refund_id,order_id,date,amount\n1,1,2026-01-01,5.00\n")
    shop.write("products.csv", "product_id,created_at,price,order_id\n1,2026-01-01,5.00,3\n")
    report = shop.start()
    assert shop.tables == ["refunds"]
    assert "cannot be used yet" in report


def test_orders_without_a_date_are_drafted_but_not_in_force(shop: Shop) -> None:
    shop.write("orders.csv", "order_id,customer,total\n1,Ann,5.00\n2,Bob,6.00\n")
    report = shop.start()
    assert "missing: ordered_at" in report
    assert "cannot be used yet" in report
    assert "#     columns:" in shop.text or "#   columns:" in shop.text


def test_an_unrecognisable_folder_is_an_error_that_lists_it(shop: Shop) -> None:
    shop.write("weather.csv", "station,temperature\nA,5\nB,6\n")
    shop.write("book.xlsx", b"PK\x03\x04")
    shop.write("broken.csv.gz", gzip.compress(b"a,b\n" * 1000)[:-12])
    with pytest.raises(ConfigurationError) as caught:
        shop.start()
    message = str(caught.value)
    for part in (
        "weather.csv",
        "temperature",
        "book.xlsx",
        "cannot be read as a workbook",
        "broken.csv.gz",
        "orders:",
        "subscriptions:",
    ):
        assert part in message
    assert not shop.target.exists()


def test_an_empty_folder_is_an_error(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match="holds no files"):
        shop.start()


# ------------------------------------------------------------------------------------------------------ the
# command


@pytest.mark.parametrize("name", ["", "my shop", "../x", "-x", "a.yml", "ü" * 3, "x" * 64])
def test_a_bad_name_is_refused(shop: Shop, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no name for a source"):
        new_source(shop.settings, name, shop.data, shop.target)


def test_an_adapter_is_not_written_over_without_force(shop: Shop) -> None:
    shop.write("orders.csv", orders_with_dates(["2026-01-01"]))
    shop.target.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="--force"):
        new_source(shop.settings, "shop", shop.data, shop.target)
    assert shop.target.read_text(encoding="utf-8") == "mine"


def test_the_command_prints_the_table_and_the_next_commands(shop: Shop) -> None:
    shop.write("orders.csv", orders_with_dates(["2026-01-01", "2026-01-02"]))
    result = CliRunner().invoke(
        new_source_command, ["shop", "--data", str(shop.data), "--to", str(shop.target)]
    )
    assert result.exit_code == 0, result.output
    assert "orders.csv" in result.output
    assert f"python -m scripts nightly --source {shop.target} --data {shop.data}" in result.output


def test_the_next_commands_work_when_pasted_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From anywhere, with a folder whose name needs quotes, and without touching the default warehouse."""
    (tmp_path / "my shop").mkdir()
    shop = Shop(tmp_path / "my shop")
    dated = orders_with_dates(["2026-01-01", "2026-01-02"])
    shop.write("orders.csv", dated.replace("total", "total (EUR)"))
    monkeypatch.chdir(tmp_path)
    report = new_source(shop.settings, "shop", Path("my shop/exports"), shop.target)
    land_command, night_command = (line.strip() for line in report.splitlines()[-2:])
    assert land_command.startswith("TENURE_WAREHOUSE=~/shop ")
    assert night_command == land_command.replace(" land ", " nightly ")
    interpreter = shlex.split(land_command)[1]
    if not Path(sys.executable).is_relative_to(PROJECT_ROOT):
        assert interpreter == "python"
        land_command = land_command.replace(" python ", f" {shlex.quote(sys.executable)} ")
    else:
        assert not Path(interpreter).is_absolute()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
    done = subprocess.run(
        ["/bin/sh", "-c", land_command],
        cwd=PROJECT_ROOT,
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shop" / "build.duckdb").exists()


def test_an_adapter_of_the_project_is_named_from_its_root() -> None:
    settings = Settings(warehouse=Path("/warehouse"))
    target = settings.project_root.resolve() / "sources" / "my-shop.yml"
    command = _next_commands(target, settings, "my-shop", Path("/exports"))[0]
    assert command.endswith(" -m scripts land --source sources/my-shop.yml --data /exports")


def test_the_same_folder_gives_the_same_adapter(shop: Shop) -> None:
    shop.write("orders_export_1.csv", ORDERS_WITH_LINES)
    shop.start()
    first = shop.text
    shop.start()
    assert shop.text == first


_NASTY = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(_NASTY, min_size=1, max_size=5),
    values=st.lists(_NASTY, min_size=1, max_size=5),
    status=_NASTY,
)
def test_whatever_a_file_holds_the_adapter_can_be_loaded(
    shop: Shop, names: list[str], values: list[str], status: str
) -> None:
    out = io.StringIO()
    header = ["order id\"';--", "order date", "total: #", "status", *names]
    writer = csv.writer(out, delimiter=";")
    writer.writerow(header)
    for i in range(8):
        row = [
            f"{i}",
            "2026-01-05",
            f"1.00{i},5",
            status if i == 0 else "paid",
            *(values[i % len(values)] for _ in names),
        ]
        writer.writerow(row)
    shop.write("orders.csv", out.getvalue())
    try:
        shop.start()
    except ConfigurationError as error:
        # Names that are the same to SQL, or a first line that is no header.
        assert "looks like orders" in str(error)
        return
    if "cannot be used yet" not in shop.start():
        assert "orders" in shop.tables


# ---------------------------------------------------------------------------------------------------------
# its parts


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
    ],
)
def test_encodings(shop: Shop, encoding: str, expected: str) -> None:
    shop.write("a.csv", "größe;preis\nschön;1,50\n" * 10, encoding)
    (group,), _ = scan(shop.data)
    assert group.layout.encoding == expected
    assert group.layout.columns == ("größe", "preis")
    assert group.layout.delimiter == ";"


def test_files_of_other_columns_are_another_group(shop: Shop) -> None:
    shop.write("orders_1.csv", "a,b\n1,2\n")
    shop.write("orders_2.csv", "a,b,c\n1,2,3\n")
    shop.write("orders_3.csv", "a,b\n1,2\n")
    groups, _ = scan(shop.data)
    assert [group.patterns for group in groups] == [["orders_1.csv", "orders_3.csv"], ["orders_2.csv"]]


def test_names_fit_what_they_say_and_nothing_like_it() -> None:
    assert name_score("Order Date", "orders", "ordered_at") == 1
    assert name_score("ngay_dat", "orders", "ordered_at") == 1
    assert name_score("Ordre date", "orders", "ordered_at") > 0.6
    assert name_score("Cancelled at", "orders", "ordered_at") == 0
    assert name_score("Updated at", "orders", "ordered_at") == 0
    assert name_score("Shipping total", "orders", "gross_amount") == 0
    assert fold("MãĐơnHàng") == "ma don hang"
    assert tables_named("x/order_items_2026.csv.gz") == {"order_items": 1.0}


@pytest.mark.parametrize(
    "name",
    [
        "Email",
        "customer_name",
        "Billing Phone",
        "Họ và tên",
        "Số điện thoại",
        "Địa chỉ",
        "Straße",
        "Nom",
        "shippingAddress1",
        "Note",
    ],
)
def test_personal_names(name: str) -> None:
    assert is_personal_name(name)


@pytest.mark.parametrize(
    "name", ["Product name", "Tên sản phẩm", "Lineitem name", "Status", "Coupon", "Payment method"]
)
def test_impersonal_names(name: str) -> None:
    assert not is_personal_name(name)
