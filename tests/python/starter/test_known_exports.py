"""Known exports: exact headers beat guessing, and nothing that could change a number is left to silence."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from scripts.contract.raw_tables import TABLES
from scripts.core.errors import ConfigurationError
from scripts.forget.case import find_customers
from scripts.personal_data.salt import hash_address, read_salt
from scripts.starter.known_exports import KnownExport, KnownFile, known_exports
from scripts.starter.profiling import Profile
from scripts.starter.scanning import FileGroup
from tests.python.landing.test_spreadsheets import workbook
from tests.python.starter.test_new_source import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def from_case(shop: Shop, shared: Path, folder: str) -> None:
    """The files of one of the reference cases."""
    for path in sorted((shared / "cases" / folder).iterdir()):
        if path.suffix != ".md":
            shop.write(path.name, path.read_bytes())
    shop.start()
    shop.land()


def one_row(shop: Shop, sql: str) -> tuple:
    ((*row,),) = shop.rows(sql)
    return tuple(row)


COUNTED = "from raw.orders where status is distinct from 'cancelled'"
LINES = """\
Name,Email,Financial Status,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Billing Country,Cancelled at,Refunded Amount,\
Payment Method
#1,Ann@Example.com,paid,EUR,27.00,5.00,4.00,36.00,3.00,2026-01-02 23:30:00 -0500,1,Mug,10.00,MUG,DE,,0.00,Card
#1,Ann@Example.com,,,,,,,,2026-01-02 23:30:00 -0500,2,"Tea, green",10.00,,,,,
#2,ann@example.com,partially_refunded,EUR,50.00,5.00,0.00,55.00,0.00,2026-01-03 10:00:00 -0500,5,Mug,10.00,\
MUG,DE,,20.00,Card
#3,,refunded,EUR,10.00,5.00,0.00,15.00,0.00,2026-01-03 11:00:00 -0500,1,Mug,10.00,MUG,DE,,15.00,Card
#4,bo@example.com,paid,EUR,10.00,0.00,0.00,10.00,0.00,2026-01-03 12:00:00 -0500,1,Mug,10.00,MUG,FR,\
2026-01-04 12:00:00 -0500,10.00,Card
#5,bo@example.com,pending,EUR,10.00,0.00,0.00,10.00,0.00,2026-01-03 13:00:00 -0500,1,Mug,10.00,\
MUG,FR,,0.00,Card
#6,bo@example.com,paid,EUR,10.00,0.00,0.00,10.00,0.00,2026-01-03 14:00:00 -0500,1,Mug,10.00,MUG,FR,,0.00,\
(for testing) Bogus Gateway
"""


def test_shopify_orders(shop: Shop) -> None:
    """Goods alone are revenue, refunds are taken off them, tests are left out, the time has its offset."""
    shop.write("orders_export_1.csv", LINES)
    report = shop.start()
    assert "Shopify, orders export" in report
    assert any("Where is the business?" in question for question in shop.questions)
    assert shop.adapter.variables == {"reporting_currency": "EUR"}
    shop.land()
    assert shop.rejects() == []
    assert shop.rows(
        "select order_id, cast(ordered_at as varchar), gross_amount, discount_amount, status "
        "from raw.orders order by 1"
    ) == [
        ("#1", "2026-01-03 04:30:00", Decimal(30), Decimal(3), "completed"),
        ("#2", "2026-01-03 15:00:00", Decimal(50), Decimal(0), "completed"),
        ("#3", "2026-01-03 16:00:00", Decimal(10), Decimal(0), "completed"),
        ("#4", "2026-01-03 17:00:00", Decimal(10), Decimal(0), "cancelled"),
        ("#5", "2026-01-03 18:00:00", Decimal(10), Decimal(0), "cancelled"),
    ]
    # No more than the goods: shipping that was paid back was no revenue.
    assert shop.rows("select order_id, amount from raw.refunds order by 1") == [
        ("#2", Decimal(20)),
        ("#3", Decimal(10)),
    ]
    assert shop.rows(
        "select product_id, quantity from raw.order_items where order_id = '#1' order by line_number"
    ) == [
        ("MUG", 1),
        ("Tea, green", 2),
    ]
    ann, _ = shop.rows("select customer_id, country from raw.customers order by country")
    assert ann == (hash_address(read_salt(shop.settings), "ann@example.com"), "DE")
    assert one_row(
        shop, "select count(*), count(customer_id), count(distinct customer_id) from raw.orders"
    ) == (5, 4, 2)


def test_personal_values_are_never_shown(shop: Shop) -> None:
    shop.write("orders_export_1.csv", LINES)
    report = shop.start()
    assert "example.com" not in (shop.text + report).lower()


def test_who_is_known_by_an_address_is_forgotten_by_it(shop: Shop) -> None:
    """Also by a telephone number: what landing keeps is the salted hash, which nobody else can compute."""
    shop.write("orders_export_1.csv", LINES)
    shop.start()
    shop.land()
    salt = read_salt(shop.settings)
    assert find_customers(shop.settings, ["ann@example.com"], salt, frozenset(), None) == [
        hash_address(salt, "ann@example.com")
    ]


def test_a_name_or_a_number_of_a_person_is_no_id_without_a_question(shop: Shop) -> None:
    people = ["Nguyễn Văn An", "Trần Thị Bình", "Lê Hoàng Cúc", "Phạm Minh Đức", "Vũ Thu Hà"]
    rows = [f"HD{n:03d},{people[n % 5]},{13 + n % 9}/03/2025,{n + 1}50000" for n in range(30)]
    shop.write("don.csv", "\n".join(["Mã đơn,Khách hàng,Ngày bán,Tổng cộng", *rows]))
    shop.draft()
    with pytest.raises(ConfigurationError, match="names of people: see CHOOSE"):
        shop.land()
    shop.start()
    shop.land()
    salt = read_salt(shop.settings)
    ids = {row[0] for row in shop.rows("select distinct customer_id from raw.orders")}
    assert ids == {hash_address(salt, name) for name in people}
    assert find_customers(shop.settings, ["Nguyễn Văn An"], salt, frozenset(), None) == [
        hash_address(salt, "Nguyễn Văn An")
    ]


def test_the_folders_of_shops_come_out_right(shop: Shop, shared: Path) -> None:
    from_case(shop, shared, "exports/shopify")
    assert one_row(shop, "select count(*), sum(gross_amount - discount_amount) from raw.orders")[0] == 864
    counted = """
        with refunded as (select order_id, sum(amount) as amount from raw.refunds group by 1)
        select
            count(*), count(distinct customer_id), count(*) - count(customer_id),
            sum(gross_amount - discount_amount - coalesce(refunded.amount, 0))
        from raw.orders left join refunded using (order_id)
        where status = 'completed' and coalesce(refunded.amount, 0) < gross_amount - discount_amount"""
    assert one_row(shop, counted) == (789, 290, 36, Decimal("55065.41"))


def test_trials_and_seats(shop: Shop, shared: Path) -> None:
    from_case(shop, shared, "exports/stripe")
    assert one_row(shop, "select count(distinct customer_id) from raw.subscriptions") == (402,)
    mrr = """
        select cast(sum(amount / if(billing_interval = 'year', 12, 1)) as decimal(18, 2))
        from raw.subscriptions where ended_on is null and started_on <= '2026-01-02'"""
    assert one_row(shop, mrr) == (Decimal("11540.67"),)
    reasons = dict(
        shop.rows(
            "select cancel_type || ' ' || coalesce(cancel_reason, '-'), count(*) from raw.subscriptions "
            "where cancel_type is not null group by 1"
        )
    )
    assert reasons["voluntary switched_service"] + reasons["voluntary too_expensive"] > 30
    assert reasons["involuntary payment_failed"] > 30


@pytest.mark.parametrize("folder", ["kiotviet", "kiotviet_csv"])
def test_dong_with_points_and_as_numbers_of_a_workbook(shop: Shop, shared: Path, folder: str) -> None:
    from_case(shop, shared, f"exports/{folder}")
    assert shop.adapter.variables == {"business_timezone": "Asia/Ho_Chi_Minh", "reporting_currency": "VND"}
    assert shop.questions == []
    assert one_row(
        shop,
        "select count(*), sum(gross_amount), sum(gross_amount - discount_amount), "
        f"count(distinct customer_id), count(*) - count(customer_id) {COUNTED}",
    ) == (815, 938_475_000, 930_005_000, 249, 116)
    assert one_row(shop, "select count(*), sum(amount) from raw.refunds") == (25, 15_620_000)


def test_a_workbook_beside_a_csv_file(shop: Shop, shared: Path) -> None:
    from_case(shop, shared, "exports/mixed")
    assert one_row(shop, f"select count(*), sum(gross_amount) {COUNTED}") == (815, 938_475_000)
    assert one_row(shop, "select count(*) from raw.customers") == (258,)


def test_a_price_beside_a_quantity(shop: Shop, shared: Path) -> None:
    """Of both spellings of Online Retail, and of a till that nobody knows."""
    from_case(shop, shared, "starter-unit-price")
    assert shop.rows("select order_id, gross_amount from raw.orders order by 1") == [
        ("700001", 138),
        ("700002", 50),
        ("700003", 20),
    ]
    assert shop.rows("select amount from raw.refunds") == [(8,)]


def test_a_price_beside_a_quantity_of_an_unknown_till(shop: Shop) -> None:
    rows = [f"R{n // 2},P{n % 3},{n % 4 + 1},2026-03-{1 + n % 20:02d},2.50,K{n % 5}" for n in range(40)]
    shop.write("sales.csv", "\n".join(["Receipt No,Item,Quantity,Date,Price,Customer No", *rows]))
    shop.start()
    shop.land()
    assert one_row(shop, "select count(*), sum(gross_amount) from raw.orders") == (20, Decimal("250.00"))


def test_a_column_that_could_change_a_number_waits_for_an_answer(shop: Shop) -> None:
    """Money, status and seats that no column uses are asked about, each by its name."""
    header = "order_id,customer_id,order_date,total (EUR),Shipping cost,Payment state,note"
    rows = [
        f"{n},c{n % 9},2026-01-{1 + n % 28:02d},{n}.50,{n % 3}.90,{'paid' if n % 2 else 'open'},x"
        for n in range(40)
    ]
    shop.write("orders.csv", "\n".join([header, *rows]))
    header = "id,customer,plan,Seats,price EUR,interval,start date,Trial end"
    rows = [f"s{n},c{n},gold,{n % 3 + 1},10.00,month,2026-01-{1 + n % 28:02d},2026-02-01" for n in range(30)]
    shop.write("subscriptions.csv", "\n".join([header, *rows]))
    shop.draft()
    with pytest.raises(ConfigurationError) as refused:
        shop.land()
    for part in ('"Shipping cost"', '"Payment state"', "Seats", '"Trial end"'):
        assert part in str(refused.value), part
    assert "note" not in str(refused.value)
    assert not shop.settings.build_database.exists()


def test_an_id_that_is_another_on_each_row(shop: Shop) -> None:
    header = "order_id,customer_id,account number,order_date,total (EUR)"
    rows = [f"{n},x{n},a{n % 9},2026-01-{1 + n % 28:02d},{n}.50" for n in range(40)]
    shop.write("orders.csv", "\n".join([header, *rows]))
    shop.start()
    (question,) = shop.questions
    assert "customer_id" in question and "account number" in question


def test_what_a_number_could_hide_in_is_asked_about(shop: Shop) -> None:
    """A status of one value that brings no money, a number whose name says nothing, orders of nobody."""
    header = "order_id,order_date,total (EUR),off,Payment state,items"
    rows = [f"{n},2026-01-{1 + n % 28:02d},{n}.50,{n % 4},voided,{n % 3}" for n in range(40)]
    shop.write("orders.csv", "\n".join([header, *rows]))
    shop.write("refunds.csv", "refund_id,order_id,day\n1,1,2026-01-02\n2,2,2026-01-03\n")
    shop.start()
    asked = "\n".join(shop.questions)
    for part in (
        "Payment state",
        "off",
        "Which column says who ordered?",
        "refunds.csv looks like",
    ):
        assert part in asked, part
    assert len(shop.questions) == 4


def test_two_names_are_names_too(shop: Shop) -> None:
    rows = ["HD1,Nguyễn Văn An,13/03/2025,150000", "HD2,Trần Thị Bình,14/03/2025,99000"]
    shop.write("don.csv", "\n".join(["Mã đơn,Khách hàng,Ngày bán,Tổng cộng", *rows]))
    shop.start()
    assert any("names of people" in question for question in shop.questions)


def test_no_currency_is_a_question(shop: Shop) -> None:
    shop.write(
        "orders.csv", "order_id,customer_id,order_date,total\n1,a,2026-01-01,5.00\n2,a,2026-01-02,6.00\n"
    )
    shop.draft()
    with pytest.raises(ConfigurationError, match="Which currency are the amounts in"):
        shop.land()


def test_a_draft_of_comments_alone_says_so(shop: Shop) -> None:
    shop.write("orders.csv", "order_id,customer_id,total\n1,a,5.00\n2,a,6.00\n")
    shop.draft()
    with pytest.raises(
        ConfigurationError, match="no table is in force: all below `tables:` is commented out"
    ):
        shop.land()


# ------------------------------------------------------------------------------------- the files themselves


@pytest.mark.parametrize("export", known_exports(), ids=lambda one: f"{one.system} {one.name}")
def test_every_export_is_declared_whole(export: KnownExport) -> None:
    """Columns of the contract, headers that are declared, no header twice, all that is required."""
    named = set(export.headers) | set(export.optional)
    assert len(named) == len(export.headers) + len(export.optional)
    assert set(export.unverified) <= named
    assert set(export.aliases) <= named
    for table, entry in export.tables.items():
        used = set(
            re.findall(
                r"\[\[\w+:([^\]]+)\]\]", yaml.safe_dump(dict(entry), allow_unicode=True, width=1 << 20)
            )
        )
        assert used <= named, used - named
        columns = set(entry.get("columns", ())) or set(re.findall(r" as (\w+),", entry["query"]))
        assert columns - {"_source_row"} <= set(TABLES[table].column_names)
        assert set(TABLES[table].required_columns) <= columns


@pytest.mark.parametrize("export", known_exports(), ids=lambda one: f"{one.system} {one.name}")
def test_every_export_lands(shop: Shop, export: KnownExport) -> None:
    """A file of its headers, with a value of each kind, gives the tables that it is said to give."""
    header = [*export.headers, *export.optional]
    values = ["paid" if name == "Status" and export.system == "Stripe" else _value(name) for name in header]
    shop.write("export.xlsx", workbook({"Sheet": [header, values]}))
    if not {"orders", "subscriptions"} & set(export.tables):
        shop.write("orders.csv", "order_id,customer_id,order_date,total (EUR)\nX1,X1,2026-01-01,5.00\n")
    report = shop.start()
    assert f"{export.system}, {export.name} export" in report
    if export.unverified:
        assert "headers unverified" in report
    shop.land()
    assert shop.rejects() == []
    assert one_row(shop, f"select count(*) from raw.{next(iter(export.tables))}")[0] <= 1


def _value(header: str) -> object:
    words = header.casefold()
    for part, value in (
        ("kind", "sale"),
        ("reason", "too_expensive"),
        ("feedback", "too_expensive"),
        ("comment", "too dear"),
        ("status", "completed"),
        ("state", "active"),
        ("trạng thái", "Hoàn thành"),
        ("tình trạng", "Hoàn thành"),
        ("cancelled at", None),
        ("cancelled_at", None),
        ("currency", "EUR"),
        ("interval_unit", "months"),
        ("interval_length", 1),
        ("period_unit", "month"),
        ("billing_period", 1),
        ("interval", "month"),
        ("mode", "Live"),
        ("captured", "true"),
        ("trial", datetime(2026, 1, 10)),
        ("ends", None),
        ("ended", None),
        ("expires", None),
        ("canceled", None),
        ("invoiceno", "536365"),
        ("email", "ann@example.com"),
    ):
        if part in words:
            return value
    if re.search(r"date|utc|created|_at$| at$|thời gian|ngày", words):
        return datetime(2026, 1, 5, 10, 30)
    if re.search(
        r"amount|price|total|sub|ship|tax|discount|quantity|fee|revenue|sold"
        r"|tiền|giảm|cần|đã trả|cộng|phí|khấu|phải|giá",
        words,
    ):
        return 2
    return "X1"


def test_an_export_in_two_files_of_other_columns(shop: Shop) -> None:
    """An older and a newer export of one kind are two entries of its tables."""
    shop.write("orders_export_1.csv", LINES)
    newer = LINES.replace("Payment Method\n", "Payment Method,Risk Level\n").replace("#", "#9")
    shop.write(
        "new/orders_export_1.csv",
        newer.replace(",Card\n", ",Card,Low\n")
        .replace("Gateway\n", "Gateway,Low\n")
        .replace(",,,,,\n", ",,,,,,\n"),
    )
    shop.start()
    shop.land()
    assert shop.rejects() == []
    assert one_row(shop, "select count(*) from raw.orders") == (10,)


def test_what_only_looks_like_a_known_export_is_guessed(shop: Shop) -> None:
    shop.write("orders.csv", LINES.replace("Financial Status", "Money Status"))
    assert "Shopify" not in shop.start()


def test_profiles_of_headers_ignore_case_and_blanks() -> None:
    export = next(one for one in known_exports() if one.system == "Stripe" and one.name == "customers")
    assert export.matches(["ID", " email", "name", "created  (utc)", "Delinquent", "more"])
    assert not export.matches(["ID", "email"])
    group = FileGroup([], [], None)  # type: ignore[arg-type]
    file = KnownFile(export, group, [Profile("ID", None, 0, {})])  # type: ignore[arg-type]
    assert (
        file.sql("[[text:id]] [[text:Address Country]] [[money:Nothing]]")
        == """nullif(trim("ID"), '') null 0"""
    )
