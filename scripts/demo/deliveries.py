"""Writes a company as its systems would have exported it by a given day, in their own names and formats.

| what | where | format |
|---|---|---|
| customers, orders, refunds | `<name>/<name>-<last day>.csv` | CSV; times with offset or in business time |
| order lines | `order_items/order_items-<last day>.parquet` | Parquet |
| subscriptions, exchange rates | `subscriptions.csv`, `exchange_rates.csv` | CSV, rewritten every day |
| marketing spend | `marketing_spend.csv` | `;`, decimal commas, rewritten every day |
| use of the product | `usage/usage-<last day>.parquet` | Parquet, a file per month |
| invitations | `surveys/invitations-<last day>.jsonl.gz` | compressed JSON lines, UTC |
| responses, tickets | `surveys/responses-<last day>.jsonl`, `tickets/tickets-<last day>.jsonl` | JSON lines |
| failed payments | `payments/failures-<last day>.csv` | CSV, amounts in hundredths |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from scripts.core.sql import identifier, literal
from scripts.demo.company import PERIODS, Company, file_days
from scripts.demo.feedback import PRIORITIES, SURVEYS
from scripts.demo.parameters import (
    CHANNELS,
    COUNTRIES,
    CURRENCIES,
    PLANS,
    REASONS,
    UTC_OFFSET_SECONDS,
    day_number,
    from_day_number,
)
from scripts.demo.shop import CATEGORIES, CATEGORY, PRODUCTS, REFUND_REASONS
from scripts.demo.usage import FEATURES


def name_of(column: str, names: tuple[str, ...]) -> str:
    """SQL for the name that a code stands for; -1 stands for nothing."""
    return f"[{', '.join(literal(name) for name in names)}][{column} + 1]"


def customer_number(column: str = "customer") -> str:
    """SQL for a customer's number."""
    return f"case when {column} >= 0 then 'C' || lpad(({column} + 1)::varchar, 7, '0') end"


def _time(column: str, form: str, offset: int = 0) -> str:
    """SQL for a business-time second as text; -1 is no time."""
    instant = f"make_timestamp(({column} - {offset}) * 1000000)"
    return f"case when {column} >= 0 then strftime({instant}, {literal(form)}) end"


def date_of(column: str) -> str:
    """SQL for a day number as a DATE; -1 is no day."""
    return f"case when {column} >= 0 then date '1970-01-01' + {column}::integer end"


def _money(column: str) -> str:
    """SQL for hundredths as a decimal; -1 is no amount."""
    return f"case when {column} >= 0 then ({column} * 0.01::decimal(3, 2))::decimal(18, 2) end"


BUSINESS_TIME = "%Y-%m-%d %H:%M:%S"
BUSINESS_TIME_WITH_OFFSET = "%Y-%m-%dT%H:%M:%S+07:00"
UTC = "%Y-%m-%dT%H:%M:%SZ"
CURRENCY = name_of("currency", CURRENCIES)
ORDER_STATES = ("DELIVERED", "CANCELLED", "SENT BACK")
FAMILY_NAMES = (
    "nguyen",
    "tran",
    "le",
    "pham",
    "smith",
    "jones",
    "taylor",
    "mueller",
    "schmidt",
    "garcia",
    "miller",
)
GIVEN_NAMES = (
    "linh",
    "minh",
    "anh",
    "huong",
    "tuan",
    "emma",
    "oliver",
    "lena",
    "paul",
    "ava",
    "james",
    "sofia",
    "bao",
)


@dataclass(frozen=True)
class Layout:
    """How one raw table is exported.

    `path` takes the last day of a file as `{day}`. `columns`: column of the export -> SQL over the generated
    columns; `{today}` is the day number of the delivery, `{sentences}` the list of texts. `damage`: kind of
    planted row -> columns that differ from the row it copies (SQL over the columns of the export and
    `serial`).
    """

    path: str
    columns: dict[str, str]
    damage: dict[str, dict[str, str]]
    form: str = "csv"


_KNOWN = "known_end <= {today}"
LAYOUTS: dict[str, Layout] = {
    "customers": Layout(
        "customers/customers-{day}.csv",
        {
            "customer_no": customer_number(),
            "registered": _time("signed_up", BUSINESS_TIME_WITH_OFFSET),
            "country_code": name_of("country", COUNTRIES),
            "source": name_of("channel", CHANNELS),
            "recommended_by": customer_number("referrer"),
            "email": f"{name_of(f'customer % {len(GIVEN_NAMES)}', GIVEN_NAMES)} || '.' || "
            f"{name_of(f'customer * 7 % {len(FAMILY_NAMES)}', FAMILY_NAMES)} || customer || "
            "case country when 0 then '@example.vn' else '@example.com' end",
            "buyer_type": "case when customer % 13 = 5 then 'restaurant' when customer % 4 = 1 then 'gift' "
            "when customer % 50 > 0 then 'home' end",
        },
        {"missing_key": {"customer_no": "null"}},
    ),
    "orders": Layout(
        "orders/orders-{day}.csv",
        {
            "number": "'S' || (1000001 + number)",
            "customer_no": customer_number(),
            "placed_at": _time("seconds", BUSINESS_TIME),
            "goods_value": _money("gross"),
            "voucher_value": f"case when discount > 0 then {_money('discount')} end",
            "goods_cost": _money("cost"),
            "currency": CURRENCY,
            "state": f"case when is_final then {name_of('status', ORDER_STATES)} else 'PAID' end",
        },
        {
            "negative_amount": {"number": "'SN' || serial", "goods_value": "'-' || goods_value"},
            "unknown_currency": {"number": "'SN' || serial", "currency": "'XXQ'"},
            "unconvertible_date": {"number": "'SN' || serial", "placed_at": "'2025-02-30 10:00:00'"},
            "unknown_status": {"number": "'SN' || serial", "state": "'ON HOLD'"},
            "conflicting_key_1": {"number": "'SN' || serial", "goods_value": "'100'"},
            "conflicting_key_2": {"number": "'SN' || serial", "goods_value": "'101'"},
        },
    ),
    "order_items": Layout(
        "order_items/order_items-{day}.parquet",
        {
            "order_number": "'S' || (1000001 + number)",
            "line": "line::integer",
            "sku": "'P' || lpad((product + 1)::varchar, 3, '0')",
            "title": name_of("product", tuple(name for name, _, _ in PRODUCTS)),
            "group_name": name_of(
                "product", tuple(CATEGORIES[place] if place >= 0 else "" for place in CATEGORY)
            ),
            "pieces": "quantity::integer",
            "price_each": _money("unit_price"),
        },
        {"zero_quantity": {"line": "(1000 + serial)::integer", "pieces": "0"}},
        form="parquet",
    ),
    "refunds": Layout(
        "refunds/refunds-{day}.csv",
        {
            "credit_note": "'R' || (100001 + refund)",
            "order_number": "'S' || (1000001 + number)",
            "customer_no": customer_number(),
            "paid_back_at": _time("seconds", BUSINESS_TIME),
            "amount": _money("amount"),
            "currency": CURRENCY,
            "reason": name_of("reason", REFUND_REASONS),
        },
        {"zero_amount": {"credit_note": "'RN' || serial", "amount": "'0.00'"}},
    ),
    "subscriptions": Layout(
        "subscriptions.csv",
        {
            "contract": "'A' || (10001 + spell)",
            "customer_no": customer_number(),
            "plan": name_of("plan", PLANS),
            "cycle": name_of("interval", ("monthly", "annual")),
            "price": _money("amount"),
            "rebate": f"case when discount > 0 then {_money('discount')} end",
            "currency": CURRENCY,
            "valid_from": date_of("started"),
            "valid_to": f"case when {_KNOWN} then {date_of('reported_end')} end",
            "notice_on": f"case when {_KNOWN} then {date_of('requested')} end",
            "notice_reason": f"case when {_KNOWN} then {name_of('stated_reason', REASONS)} end",
            "notice_text": f"case when {_KNOWN} then {{sentences}}[text + 1] end",
            "ended_by": f"case when {_KNOWN} then [null, 'customer', 'payment'][cancel_type + 1] end",
        },
        {
            "ended_before_started": {
                "contract": "'AN' || serial",
                "valid_to": "(valid_from::date - 20)::varchar",
                "notice_on": "null",
            },
            "unknown_interval": {"contract": "'AN' || serial", "cycle": "'fortnight'"},
            "conflicting_key_1": {"contract": "'AN' || serial", "price": "'12.00'"},
            "conflicting_key_2": {"contract": "'AN' || serial", "price": "'13.00'"},
        },
    ),
    "survey_invitations": Layout(
        "surveys/invitations-{day}.jsonl.gz",
        {
            "id": "'I' || (100001 + invitation)",
            "account": customer_number(),
            "survey": name_of("survey", SURVEYS),
            "sent": _time("seconds", UTC, UTC_OFFSET_SECONDS),
        },
        {},
        form="json",
    ),
    "survey_responses": Layout(
        "surveys/responses-{day}.jsonl",
        {
            "id": "'Q' || (100001 + response)",
            "account": customer_number(),
            "survey": name_of("survey", SURVEYS),
            "submitted": _time("seconds", UTC, UTC_OFFSET_SECONDS),
            "rating": "case when score >= 0 then score end::json",
            "text": "{sentences}[text + 1] || coalesce(' ' || {sentences}[more_text + 1], '')",
        },
        {
            "score_eleven": {"id": "'QN' || serial", "rating": "'11'::json"},
            "fractional_score": {"id": "'QN' || serial", "rating": "'7.5'::json"},
        },
        form="json",
    ),
    "usage_events": Layout(
        "usage/usage-{day}.parquet",
        {
            "account": customer_number(),
            "day": date_of("day"),
            "feature": name_of("feature", FEATURES),
            "clicks": "uses::integer",
            "minutes": "(minutes * 0.1::decimal(2, 1))::decimal(8, 1)",
        },
        {"negative_uses": {"feature": "'unknown_' || serial", "clicks": "-clicks"}},
        form="parquet",
    ),
    "support_tickets": Layout(
        "tickets/tickets-{day}.jsonl",
        {
            "ticket": "'T' || (10001 + ticket)",
            "requester": customer_number(),
            "created": _time("opened", BUSINESS_TIME_WITH_OFFSET),
            "solved": _time("closed", BUSINESS_TIME_WITH_OFFSET),
            "priority": name_of("priority", PRIORITIES),
            "stars": "case when satisfaction > 0 then satisfaction end",
        },
        {"satisfaction_nine": {"ticket": "'TN' || serial", "stars": "9"}},
        form="json",
    ),
    "payment_failures": Layout(
        "payments/failures-{day}.csv",
        {
            "attempt": "'F' || (10001 + failure)",
            "customer_no": customer_number(),
            "attempted_at": _time("seconds", BUSINESS_TIME),
            "amount_minor": "amount",
            "currency": CURRENCY,
            "outcome": "case when is_recovered then 'recovered' else 'open' end",
        },
        {"missing_customer": {"attempt": "'FN' || serial", "customer_no": "null"}},
    ),
    "marketing_spend": Layout(
        "marketing_spend.csv",
        {
            "day": f"strftime({date_of('day')}, '%d.%m.%Y')",
            "channel": name_of("channel", CHANNELS),
            "cost": f"replace({_money('amount')}::varchar, '.', ',')",
            "currency": CURRENCY,
        },
        {},
        form="semicolon",
    ),
    "exchange_rates": Layout(
        "exchange_rates.csv",
        {
            "day": date_of("day"),
            "EUR": "printf('%.4f', eur)",
            "GBP": "printf('%.4f', gbp)",
            "VND": "printf('%.9f', vnd)",
        },
        {},
    ),
}
_FORMATS = {
    "csv": "format csv, header",
    "semicolon": "format csv, header, delimiter ';'",
    "json": "format json",
    "parquet": "format parquet, compression zstd",
}


def planted_kind(kind: str) -> str:
    """The kind that a planted row belongs to: the rows of a conflicting pair are numbered."""
    return kind.removesuffix("_1").removesuffix("_2")


def _select(layout: Layout, today: int, has_planted: bool) -> str:
    """The rows of a file in the export's own columns, over `rows` and, if something is planted, `planted`."""
    as_text = layout.form in ("csv", "semicolon")
    sentences = "(select sentences from texts)"
    columns = []
    for name, expression in layout.columns.items():
        sql = expression.replace("{today}", str(today)).replace("{sentences}", sentences)
        columns.append(f"{f'({sql})::varchar' if as_text else f'({sql})'} as {identifier(name)}")
    if not has_planted:
        return f"select {', '.join(columns)} from rows"
    damaged = []
    for name in layout.columns:
        cases = [
            f"when {literal(kind)} then {changes[name]}"
            for kind, changes in layout.damage.items()
            if name in changes
        ]
        column = identifier(name)
        damaged.append(f"case kind {' '.join(cases)} else {column} end as {column}" if cases else column)
    names = ", ".join(identifier(name) for name in layout.columns)
    return f"""
        with exported as (select position, {", ".join(columns)} from rows)
        select {names} from exported
        union all
        select {", ".join(damaged)} from (
            select * from exported inner join planted on planted.row = exported.position
            order by row, kind, serial
        )"""


def _write_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    table: str,
    rows: pa.Table,
    planted: pa.Table,
    today: int,
) -> None:
    layout = LAYOUTS[table]
    path.parent.mkdir(parents=True, exist_ok=True)
    connection.register("rows", rows)
    connection.register("planted", planted)
    compression = ", compression gzip" if path.suffix == ".gz" else ""
    select = _select(layout, today, planted.num_rows > 0)
    connection.execute(f"copy ({select}) to {literal(str(path))} ({_FORMATS[layout.form]}{compression})")
    connection.unregister("rows")
    connection.unregister("planted")


def connect(company: Company) -> duckdb.DuckDBPyConnection:
    """A connection that knows the company's texts; one thread: the same rows make the same bytes."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set enable_progress_bar = false")
    connection.register(
        "texts", pa.table({"sentences": pa.array([company.sentences], pa.list_(pa.string()))})
    )
    return connection


def write_company(directory: Path, company: Company, up_to: date | None = None) -> list[Path]:
    """Write the files as they stood at the end of `up_to` (default: the last day); returns them, sorted.

    Only whole bulk files make sense, so `up_to` lies within the days that are delivered singly, or on the day
    before them. Writing a later day into the same folder adds the new daily files and rewrites the snapshots.
    """
    parameters = company.parameters
    today = parameters.last_day if up_to is None else day_number(up_to)
    if not parameters.base_day <= today <= parameters.last_day:
        first, last = from_day_number(parameters.base_day), parameters.until
        raise ValueError(f"this company is delivered day by day from {first} to {last}, not up to {up_to}")
    written = []
    with connect(company) as connection:
        for name, table in company.tables.items():
            delivered = table["delivered"].to_numpy()
            planted, planted_row = company.planted[name], company.planted[name]["row"].to_numpy()
            is_snapshot = PERIODS[name] == "snapshot"
            ends = np.array([today]) if is_snapshot else file_days(parameters, PERIODS[name])
            first = 0
            for index, end in enumerate(ends[ends <= today]):
                last = int(np.searchsorted(delivered, end, side="right"))
                is_first_file, is_empty = index == 0, last == first
                # A day without rows has no file; the shop's exports start with a header at least.
                if is_empty and not (is_first_file and name in ("customers", "orders", "subscriptions")):
                    continue
                path = directory / LAYOUTS[name].path.replace("{day}", from_day_number(end).isoformat())
                of_file = planted.filter(pa.array((planted_row >= first) & (planted_row < last)))
                rows = table.slice(first, last - first)
                if of_file.num_rows:
                    rows = rows.append_column("position", pa.array(np.arange(first, last)))
                _write_file(connection, path, name, rows, of_file, today)
                written.append(path)
                first = last
    return sorted(written)


def write_deliveries(directory: Path, company: Company) -> Iterator[tuple[date, Path]]:
    """Write a folder per delivery, `directory/2026-06-23` and so on, each with all that was known that day.

    The first holds the bulk files, the last what `write_company` writes. Lazily: a folder is written when it
    is asked for.
    """
    for day in range(company.parameters.base_day, company.parameters.last_day + 1):
        folder = directory / from_day_number(day).isoformat()
        write_company(folder, company, up_to=from_day_number(day))
        yield from_day_number(day), folder
