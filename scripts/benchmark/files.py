"""The files of a made-up company: typed Parquet, an adapter beside it, and what one more day delivers.

    python -m scripts.benchmark.files FOLDER CUSTOMERS SEED [relationships]        writes the company
    python -m scripts.benchmark.files FOLDER CUSTOMERS SEED [relationships] day    writes the day after

Both print what they wrote as JSON. They run as processes of their own, so that their memory can be measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from scripts.benchmark.company import (
    CHANNELS,
    COMMENTS,
    COUNTRIES,
    FEATURES,
    PLANS,
    REASONS,
    SECONDS_PER_DAY,
    Company,
    blocks,
)
from scripts.core.sql import literal

ADAPTER = "benchmark.yml"

# So many blocks of customers make a file of each table.
BLOCKS_PER_FILE = 10

# One more day brings so many rows of those there are, at least so few.
DAY_SHARE = 0.001
FEWEST_DAY_ROWS = 10
# Of the orders: new ones of the day, late ones of the last month; the rest are changed ones of two months.
NEW_SHARE, LATE_SHARE = 0.6, 0.2
LATE_DAYS, CHANGED_DAYS = 30, 60
# So many of the new orders are somebody's first.
NEWCOMER_SHARE = 0.1

_COMPANY_TABLES = ("customers", "orders")
_RELATIONSHIP_TABLES = (
    "subscriptions",
    "usage_events",
    "survey_invitations",
    "survey_responses",
    "support_tickets",
)


@dataclass(frozen=True)
class Written:
    """What was written: rows of each table, and bytes of all files."""

    rows: dict[str, int]
    bytes: int


def tables_of(has_relationships: bool) -> tuple[str, ...]:
    """The raw tables that a company has files of."""
    return (*_COMPANY_TABLES, *(_RELATIONSHIP_TABLES if has_relationships else ()))


def write_company(folder: Path, company: Company, blocks_per_file: int = BLOCKS_PER_FILE) -> Written:
    """Write the company into `folder`/data, and its adapter into `folder`.

    A file of a table holds so many blocks of customers, each as a group of rows; no more than a block is in
    memory.
    """
    data = folder / "data"
    rows = dict.fromkeys(tables_of(company.has_relationships), 0)
    writers: dict[str, pq.ParquetWriter] = {}
    try:
        for number, block in enumerate(blocks(company)):
            if number % blocks_per_file == 0:
                _close(writers)
            for name, columns in block.tables.items():
                table = pa.table(_columns_of(company, name, columns))
                if name not in writers:
                    path = data / name / f"{number // blocks_per_file:05d}.parquet"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd")
                writers[name].write_table(table)
                rows[name] += len(table)
    finally:
        _close(writers)
    (folder / ADAPTER).write_text(_adapter(company), encoding="utf-8")
    return Written(rows, sum(path.stat().st_size for path in data.rglob("*.parquet")))


def write_day(folder: Path, company: Company) -> Written:
    """Write what the day after the history delivers, as one more file of each table.

    New orders of that day, some by new customers; orders of the last month that come late; orders of the last
    two months that have changed: half of them are cancelled, the others reduced. With relationships also use
    and tickets of the day.
    """
    data = folder / "data"
    draws = np.random.default_rng(np.random.SeedSequence(company.seed, spawn_key=(company.blocks, 0)))
    today = company.process.days
    with duckdb.connect() as connection:
        orders = f"read_parquet({literal(str(data / 'orders' / '0*.parquet'))})"
        row = connection.execute(f"select count(*) from {orders}").fetchone()
        count = max(FEWEST_DAY_ROWS, round((row[0] if row else 0) * DAY_SHARE))
        new, late = round(count * NEW_SHARE), round(count * LATE_SHARE)
        newcomers = max(1, round(new * NEWCOMER_SHARE))
        first = _day_start(company, today - CHANGED_DAYS)
        changed = connection.execute(
            f"""
            select
                order_id, customer_id, ordered_at, gross_amount,
                case
                    when place % 2 = 1 then cast(discount_amount + gross_amount / 20 as decimal(12, 2))
                    else discount_amount
                end as discount_amount,
                currency,
                case when place % 2 = 0 then 'cancelled' else status end as status
            from (
                select *, row_number() over (order by md5(order_id || {literal(str(company.seed))})) as place
                from {orders}
                where ordered_at >= {literal(str(first))}
            ) as recent
            where place <= {count - new - late}
            order by order_id
            """
        ).to_arrow_table()
    buyers = np.concatenate(
        [
            company.customers + np.arange(newcomers),
            draws.integers(0, company.customers, new - newcomers + late),
        ]
    )
    days = np.concatenate([np.full(new, today), today - draws.integers(1, LATE_DAYS + 1, late)])
    seconds = days * SECONDS_PER_DAY + draws.integers(0, SECONDS_PER_DAY, new + late)
    net = 100 + draws.integers(0, 10_000, new + late)
    added = {
        "customer": buyers,
        # Places that no order of the history has.
        "place": 1_000_000 + np.arange(new + late),
        "at": seconds,
        "net": net,
        "discount": np.where(draws.random(new + late) < company.process.discounted_share, net // 10, 0),
    }
    tables = {
        "customers": pa.table(
            _columns_of(
                company,
                "customers",
                {
                    "customer": buyers[:newcomers],
                    "at": seconds[:newcomers],
                    "country": draws.integers(0, len(COUNTRIES), newcomers),
                    "channel": draws.integers(0, len(CHANNELS), newcomers),
                },
            )
        )
    }
    table = pa.table(_columns_of(company, "orders", added))
    tables["orders"] = pa.concat_tables([table, changed.cast(table.schema)])
    if company.has_relationships:
        tables |= {
            name: pa.table(_columns_of(company, name, columns))
            for name, columns in _day_of_subscribers(company, data, draws).items()
        }
    rows, size = {}, 0
    for name, table in tables.items():
        path = day_file(folder, name)
        pq.write_table(table, path, compression="zstd")
        rows[name] = len(table)
        size += path.stat().st_size
    return Written(rows, size)


def day_file(folder: Path, table: str) -> Path:
    """Where the day after the history delivers a table."""
    return folder / "data" / table / "one-more-day.parquet"


def _day_of_subscribers(
    company: Company, data: Path, draws: np.random.Generator
) -> dict[str, dict[str, np.ndarray]]:
    """Use and tickets of the day, of customers who need not have subscribed."""
    today = company.process.days
    count = max(FEWEST_DAY_ROWS, round(_rows_of(data / "usage_events") * DAY_SHARE))
    users = np.unique(draws.integers(0, company.customers, count))
    askers = np.unique(draws.integers(0, company.customers, max(1, count // 100)))
    return {
        "usage_events": {
            "customer": users,
            "day": np.full(len(users), today),
            "feature": draws.integers(0, len(FEATURES), len(users)),
            "uses": 1 + draws.poisson(3.0, len(users)),
        },
        "support_tickets": {
            "customer": askers,
            "place": 1_000_000 + np.arange(len(askers)),
            "day": np.full(len(askers), today),
            "hours": np.full(len(askers), 1),
            "satisfaction": draws.integers(1, 6, len(askers)),
        },
    }


def _rows_of(folder: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("0*.parquet"))


def _close(writers: dict[str, pq.ParquetWriter]) -> None:
    for writer in writers.values():
        writer.close()
    writers.clear()


def _columns_of(company: Company, table: str, columns: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
    """The columns of a file, with the names and types of the raw contract."""
    customer = _ids("C", columns["customer"])
    place = columns.get("place")
    if table == "customers":
        return {
            "customer_id": customer,
            "signed_up_at": _instants(company, columns["at"]),
            "country": _names(tuple(COUNTRIES), columns["country"]),
            "acquisition_channel": _names(tuple(CHANNELS), columns["channel"]),
        }
    if table == "orders":
        size = len(customer)
        return {
            "order_id": _ids_of("O", columns["customer"], place),
            "customer_id": customer,
            "ordered_at": _instants(company, columns["at"]),
            "gross_amount": _money(columns["net"] + columns["discount"]),
            "discount_amount": _money(columns["discount"]),
            "currency": pa.repeat("USD", size),
            "status": pa.repeat("completed", size),
        }
    if table == "subscriptions":
        return {
            "subscription_id": _ids("S", columns["customer"]),
            "customer_id": customer,
            "plan": _names(tuple(PLANS), columns["plan"]),
            "billing_interval": _names(("month", "year"), columns["is_yearly"].astype(np.int64)),
            "amount": _money(columns["cents"]),
            "started_on": _days(company, columns["started"]),
            "ended_on": _days(company, columns["ended"]),
            "cancel_requested_on": _days(company, columns["requested"]),
            "cancel_reason": _names(REASONS, columns["reason"]),
        }
    if table == "usage_events":
        return {
            "customer_id": customer,
            "used_on": _days(company, columns["day"]),
            "feature": _names(FEATURES, columns["feature"]),
            "uses": pa.array(columns["uses"]),
        }
    noon = columns["day"] * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
    if table == "survey_invitations":
        return {
            "invitation_id": _ids_of("I", columns["customer"], place),
            "customer_id": customer,
            "survey": pa.repeat("nps", len(customer)),
            "sent_at": _instants(company, noon),
        }
    if table == "survey_responses":
        return {
            "response_id": _ids_of("R", columns["customer"], place),
            "customer_id": customer,
            "survey": pa.repeat("nps", len(customer)),
            # Some hours after an invitation of the same day.
            "responded_at": _instants(company, noon + 3 * 3600),
            "score": pa.array(columns["score"]),
            "comment": _names(COMMENTS, columns["comment"]),
        }
    return {
        "ticket_id": _ids_of("T", columns["customer"], place),
        "customer_id": customer,
        "opened_at": _instants(company, noon),
        "closed_at": _instants(company, noon + columns["hours"] * 3600),
        "priority": pa.repeat("normal", len(customer)),
        "satisfaction": pa.array(columns["satisfaction"]),
    }


def _ids(prefix: str, numbers: np.ndarray) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(numbers + 1).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _ids_of(prefix: str, numbers: np.ndarray, places: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(_ids(prefix, numbers), pa.array(places).cast(pa.string()), "-")


def _names(names: tuple[str, ...], places: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(
        pa.array(places, mask=places < 0), pa.array(names)
    ).dictionary_decode()


def _money(cents: np.ndarray) -> pa.Array:
    """Hundredths as DECIMAL(12,2): the number itself, in 16 bytes."""
    words = np.zeros((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(words.tobytes())])


def _instants(company: Company, seconds: np.ndarray) -> pa.Array:
    start = np.datetime64(company.process.first_day, "s")
    return pa.array((start + seconds).astype("datetime64[us]"))


def _days(company: Company, days: np.ndarray) -> pa.Array:
    start = np.datetime64(company.process.first_day, "D")
    return pa.array((start + days).astype("datetime64[D]"), mask=days < 0)


def _day_start(company: Company, day: int) -> np.datetime64:
    return np.datetime64(company.process.first_day, "D") + day


def _adapter(company: Company) -> str:
    """An adapter that takes each table as it is."""
    return yaml.safe_dump(
        {
            "description": f"A made-up company of {company.customers} customers, seed {company.seed}.",
            "vars": {
                "business_timezone": "UTC",
                "reporting_currency": "USD",
                "segments": ["acquisition_channel", "country"],
            },
            "timestamps": "utc",
            "tables": {
                name: {
                    "files": f"{name}/*.parquet",
                    "columns": {column: column for column in _column_names(company, name)},
                }
                for name in tables_of(company.has_relationships)
            },
        },
        sort_keys=False,
        allow_unicode=True,
        width=110,
    )


def _column_names(company: Company, table: str) -> list[str]:
    block = next(blocks(Company(1, company.seed, company.has_relationships, company.process)))
    return list(_columns_of(company, table, block.tables[table]))


def main() -> None:
    """The command line above."""
    folder, customers, seed, *options = sys.argv[1:]
    company = Company(int(customers), int(seed), has_relationships="relationships" in options)
    written = write_day(Path(folder), company) if "day" in options else write_company(Path(folder), company)
    print(json.dumps({"rows": written.rows, "bytes": written.bytes}))


if __name__ == "__main__":
    main()
