"""Compressed files, Parquet and JSON lines."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from random import Random

import duckdb

from scripts.core.errors import ConfigurationError

from .corpus import Expected, Landed, Order, Reject, Shop, csv, kind, landed, orders, stops

GZIP = "gzip"
PARQUET = "parquet"
JSON = "json"


# -- gzip


@kind(GZIP)
def several_members(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 4)
    data = csv(rows).encode()
    cuts = sorted(draw.sample(range(1, len(data)), draw.randrange(1, 4)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    shop.write("orders.csv.gz", b"".join(gzip.compress(part) for part in parts))
    return landed(rows)


@kind(GZIP)
def several_members_with_a_broken_line(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 4)
    shop.write("orders.csv.gz", gzip.compress(csv(rows).encode()) + gzip.compress(b"77x,short\n"))
    return Landed(
        [(place, row.stored) for place, row in enumerate(rows, start=1)],
        [Reject(len(rows) + 1, ("2 columns, expected 4",), line="77x,short")],
    )


@kind(GZIP)
def cut_off(shop: Shop, draw: Random) -> Expected:
    data = gzip.compress(csv(orders(draw, 9)).encode())
    shop.write("orders.csv.gz", data[: draw.randrange(3, len(data))])
    return stops("orders.csv.gz: the gzip file is damaged or cut off")


@kind(GZIP)
def not_gzip_at_all(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv.gz", csv(orders(draw)))
    return stops("orders.csv.gz: the gzip file is damaged or cut off")


@kind(GZIP)
def gzip_without_its_extension(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", gzip.compress(csv(orders(draw)).encode()))
    return stops("orders.csv", "gzip", ".gz")


@kind(GZIP)
def garbage_after_the_end(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv.gz", gzip.compress(csv(orders(draw)).encode()) + draw.randbytes(30) + b"\1")
    return stops("orders.csv.gz: the gzip file is damaged or cut off")


@kind(GZIP)
def zeros_after_the_end(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.write("orders.csv.gz", gzip.compress(csv(rows).encode()) + bytes(draw.randrange(1, 600)))
    return landed(rows)


@kind(GZIP)
def one_bit_turned(shop: Shop, draw: Random) -> Expected:
    """Wherever it is, the content or its checksum is wrong."""
    data = bytearray(gzip.compress(csv(orders(draw, 9)).encode()))
    data[draw.randrange(10, len(data))] ^= 1 << draw.randrange(8)
    shop.write("orders.csv.gz", bytes(data))
    return stops("orders.csv.gz")


@kind(GZIP)
def packed_twice(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv.gz", gzip.compress(gzip.compress(csv(orders(draw)).encode())))
    return stops("orders.csv.gz", "gzip")


@kind(GZIP)
def zlib_called_gzip(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv.gz", zlib.compress(csv(orders(draw)).encode()))
    return stops("orders.csv.gz: the gzip file is damaged or cut off")


@kind(GZIP)
def nothing_packed(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv.gz", gzip.compress(b""))
    return stops("orders.csv.gz", "blank")


@kind(GZIP)
def a_zip_archive(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", b"PK\x03\x04\x14\x00\x00\x00" + draw.randbytes(60))
    return stops("orders.csv", "ZIP")


# -- Parquet


def _parquet(shop: Shop, select: str, name: str = "orders.parquet") -> bytes:
    path = shop.data / name
    duckdb.sql(f"copy ({select}) to '{path}' (format parquet)")
    return path.read_bytes()


def _values(rows: Sequence[Order], casts: str = "id, customer, placed, amount") -> str:
    values = ", ".join(str(row.cells) for row in rows)
    return f"select {casts} from (values {values}) as t(id, customer, placed, amount)"


@kind(PARQUET)
def texts_where_types_would_be(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    _parquet(shop, _values(rows))
    return landed(rows)


@kind(PARQUET)
def other_types_of_the_same_values(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    number = draw.choice(["decimal(18, 2)", "double", "decimal(38, 2)"])
    moment = draw.choice(["date", "timestamp", "timestamp_ns", "timestamp_s", "timestamp_ms"])
    whole = draw.choice(["bigint", "smallint", "hugeint", "usmallint"])
    _parquet(
        shop,
        _values(rows, f"id::{whole} as id, customer, placed::{moment} as placed, amount::{number} as amount"),
    )
    return landed(rows)


@kind(PARQUET)
def parquet_cut_off(shop: Shop, draw: Random) -> Expected:
    data = _parquet(shop, _values(orders(draw)))
    shop.write("orders.parquet", data[: draw.randrange(1, len(data))])
    return stops("orders.parquet: cannot be read as Parquet")


@kind(PARQUET)
def footer_damaged(shop: Shop, draw: Random) -> Expected:
    data = bytearray(_parquet(shop, _values(orders(draw))))
    size = int.from_bytes(data[-8:-4], "little")
    start = len(data) - 8 - size
    data[start : start + size] = draw.randbytes(size)
    shop.write("orders.parquet", bytes(data))
    return stops("orders.parquet: cannot be read as Parquet")


@kind(PARQUET)
def footer_of_a_huge_length(shop: Shop, draw: Random) -> Expected:
    data = bytearray(_parquet(shop, _values(orders(draw))))
    data[-8:-4] = draw.randrange(1 << 24, 1 << 32).to_bytes(4, "little")
    shop.write("orders.parquet", bytes(data))
    return stops("orders.parquet: cannot be read as Parquet")


@kind(PARQUET)
def csv_called_parquet(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.parquet", csv(orders(draw)))
    return stops("orders.parquet: cannot be read as Parquet", "another format")


@kind(PARQUET)
def parquet_called_csv(shop: Shop, draw: Random) -> Expected:
    data = _parquet(shop, _values(orders(draw)))
    (shop.data / "orders.parquet").unlink()
    shop.write("orders.csv", data)
    return stops("orders.csv", "Parquet")


@kind(PARQUET)
def struct_mapped_as_a_value(shop: Shop, draw: Random) -> Expected:
    nested = draw.choice(["{'id': customer}", "[customer]", "map {'id': customer}"])
    _parquet(shop, _values(orders(draw), f"id, {nested} as customer, placed, amount"))
    return stops("orders.customer_id", "not one value", error=ConfigurationError)


@kind(PARQUET)
def field_of_a_struct(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.orders_adapter(customer_id="customer.id")
    _parquet(shop, _values(rows, "id, {'id': customer} as customer, placed, amount"))
    return landed(rows)


@kind(PARQUET)
def binary_column_mapped_as_text(shop: Shop, draw: Random) -> Expected:
    """As text its bytes would be written out: Zo\\xC3\\xAB."""
    _parquet(shop, _values(orders(draw, plain=False), "id, encode(customer) as customer, placed, amount"))
    return stops("orders.customer_id", "binary", "decode", error=ConfigurationError)


@kind(PARQUET)
def numbers_that_are_none(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    bad = draw.choice(["nan", "infinity", "-infinity"])
    last = f"select '77x', 'ann', '2026-01-01', '{bad}'::double"
    _parquet(shop, f"{_values(rows, 'id, customer, placed, amount::double as amount')} union all {last}")
    return Landed(
        [(place, row.stored) for place, row in enumerate(rows, start=1)],
        [Reject(len(rows) + 1, ("gross_amount", "is not a number"), content={"order_id": "77x"})],
    )


@kind(PARQUET)
def moments_far_away(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    bad, reason = draw.choice(
        [
            ("290000-01-01", "is not a time"),
            ("0044-03-15 (BC)", "is not a time"),
            ("0001-01-01", "is before 1990-01-01"),
            ("9999-12-31", "is after the load"),
            ("infinity", "is not a time"),
        ]
    )
    last = f"select '77x', 'ann', '{bad}'::timestamp, '5.00'"
    _parquet(shop, f"{_values(rows, 'id, customer, placed::timestamp as placed, amount')} union all {last}")
    return Landed(
        [(place, row.stored) for place, row in enumerate(rows, start=1)],
        [Reject(len(rows) + 1, ("ordered_at", reason), content={"order_id": "77x"})],
    )


@kind(PARQUET)
def parquet_columns_of_one_name(shop: Shop, draw: Random) -> Expected:
    import pyarrow
    import pyarrow.parquet

    again = draw.choice(["amount", "AMOUNT"])
    arrays = [pyarrow.array([value]) for value in ("77x", "ann", "2026-01-01", "5.00", "6.00")]
    names = ["id", "customer", "placed", "amount", again]
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=names), shop.data / "orders.parquet")
    return stops("orders.parquet: two columns are called", "column 5")


@kind(PARQUET)
def parquet_column_of_a_reserved_name(shop: Shop, draw: Random) -> Expected:
    name = draw.choice(["_source_row", "_SOURCE_ROW"])
    _parquet(shop, _values(orders(draw), f"id, customer, placed, amount, 1 as {name}"))
    return stops("orders.parquet", "reserved")


@kind(PARQUET)
def parquet_column_called_like_our_row_number(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    _parquet(shop, _values(rows, "id, customer, placed, amount, 7 as file_row_number"))
    return stops("orders.parquet", "reserved")


@kind(PARQUET)
def parquet_without_rows(shop: Shop, draw: Random) -> Expected:
    _parquet(shop, f"select * from ({_values(orders(draw))}) where false")
    return Landed([])


@kind(PARQUET)
def whole_numbers_as_floats(shop: Shop, draw: Random) -> Expected:
    """As pandas writes whole numbers beside missing ones: 17850.0 would be nobody's id."""
    rows = orders(draw)
    _parquet(shop, _values(rows, "id::double as id, customer, placed, amount"))
    return landed(rows)


# -- JSON lines


def _lines(rows: Sequence[Order]) -> list[str]:
    return [
        json.dumps(dict(zip(("id", "customer", "placed", "amount"), row.cells, strict=True))) for row in rows
    ]


def _among(
    shop: Shop, draw: Random, bad: str, reason: str, line: bool = True, **content: str | None
) -> Expected:
    """A bad line among good ones, never last."""
    rows = orders(draw)
    lines = _lines(rows)
    at = draw.randrange(len(lines))
    shop.write("orders.jsonl", "\n".join([*lines[:at], bad, *lines[at:]]) + "\n")
    stored = [(place + (place > at), row.stored) for place, row in enumerate(rows, start=1)]
    told = f"line {at + 1}: {reason}" if line else reason
    return Landed(stored, [Reject(at + 1, (told,), line=bad if line else None, content=content)])


@kind(JSON)
def broken_line(shop: Shop, draw: Random) -> Expected:
    whole = '{"id": "77x", "customer": "ann", "placed": "2026-01-01", "amount": 5}'
    bad = draw.choice(
        [whole[: draw.randrange(2, len(whole))], whole.replace('"', "'"), whole + whole, "{id: 1}"]
    )
    return _among(shop, draw, bad, "not a JSON object")


@kind(JSON)
def line_that_is_no_object(shop: Shop, draw: Random) -> Expected:
    return _among(shop, draw, draw.choice(["[1, 2]", "7", '"text"', "null", "true"]), "not a JSON object")


@kind(JSON)
def an_array_of_all_rows(shop: Shop, draw: Random) -> Expected:
    objects = ",\n".join(_lines(orders(draw)))
    shop.write("orders.jsonl", draw.choice([f"[{objects}]", f"[\n{objects}\n]\n", f"\n [ {objects} ]"]))
    return stops("orders.jsonl", "a JSON array", "one object per line")


@kind(JSON)
def an_object_over_several_lines(shop: Shop, draw: Random) -> Expected:
    objects = [json.dumps(json.loads(line), indent=2) for line in _lines(orders(draw))]
    shop.write("orders.jsonl", "\n".join(objects))
    return stops("orders.jsonl", "one object per line")


@kind(JSON)
def last_line_cut_off(shop: Shop, draw: Random) -> Expected:
    lines = _lines(orders(draw))
    shop.write("orders.jsonl", "\n".join(lines)[: -draw.randrange(1, 20)])
    return stops(f"orders.jsonl: line {len(lines)}, the last one", "cut off")


@kind(JSON)
def key_twice_in_an_object(shop: Shop, draw: Random) -> Expected:
    bad = '{"id": "77x", "amount": 5, "customer": "ann", "placed": "2026-01-01", "amount": 6}'
    return _among(shop, draw, bad, "a key stands there twice")


@kind(JSON)
def keys_that_differ_in_case(shop: Shop, draw: Random) -> Expected:
    lines = _lines(orders(draw))
    at = draw.randrange(len(lines))
    lines[at] = lines[at].replace('"amount"', '"Amount"')
    shop.write("orders.jsonl", "\n".join(lines) + "\n")
    return stops("orders.jsonl: two columns are called", "Amount")


@kind(JSON)
def numbers_that_json_does_not_have(shop: Shop, draw: Random) -> Expected:
    bad = draw.choice(["NaN", "Infinity", "-Infinity"])
    line = f'{{"id": "77x", "customer": "ann", "placed": "2026-01-01", "amount": {bad}}}'
    return _among(shop, draw, line, "gross_amount", line=False, order_id="77x")


@kind(JSON)
def whole_numbers_of_many_digits(shop: Shop, draw: Random) -> Expected:
    number = str(draw.randrange(10**18, 10**30))
    shop.write(
        "orders.jsonl", f'{{"id": {number}, "customer": "a {number}", "placed": "2026-01-01", "amount": 5}}'
    )
    return Landed([(1, (number, f"a {number}", "2026-01-01 00:00:00", "5.0000"))])


@kind(JSON)
def nul_in_a_string(shop: Shop, draw: Random) -> Expected:
    bad = '{"id": "77x", "customer": "a\\u0000b", "placed": "2026-01-01", "amount": 5}'
    return _among(shop, draw, bad, "holds a NUL character")


@kind(JSON)
def half_a_surrogate_pair(shop: Shop, draw: Random) -> Expected:
    half = draw.choice(["\\ud83d", "\\ude00"])
    bad = f'{{"id": "77x", "customer": "{half}", "placed": "2026-01-01", "amount": 5}}'
    return _among(shop, draw, bad, "not a JSON object")


@kind(JSON)
def missing_and_null_keys(shop: Shop, draw: Random) -> Expected:
    rows = [
        '{"id": "77x", "placed": "2026-01-01", "amount": 5}',
        '{"id": "78x", "placed": "2026-01-01", "customer": null}',
    ]
    shop.write("orders.jsonl", "\n".join(rows) + draw.choice(["", "\n"]))
    return Landed(
        [(1, ("77x", None, "2026-01-01 00:00:00", "5.0000"))],
        [Reject(2, ("gross_amount is missing",), content={"order_id": "78x"})],
    )


@kind(JSON)
def an_object_as_an_id(shop: Shop, draw: Random) -> Expected:
    nested = draw.choice(['{"id": 7}', "[7]", "[]", "{}"])
    bad = f'{{"id": "77x", "customer": {nested}, "placed": "2026-01-01", "amount": 5}}'
    return _among(shop, draw, bad, "customer_id", line=False, order_id="77x")


@kind(JSON)
def json_with_bom_and_odd_line_ends(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 4)
    shop.write(
        "orders.jsonl", "\ufeff" + "".join(line + draw.choice(["\n", "\r\n"]) for line in _lines(rows))
    )
    return landed(rows)


@kind(JSON)
def csv_called_json(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.jsonl", csv(orders(draw)))
    return stops("orders.jsonl", "not one JSON object")


@kind(JSON)
def no_object_at_all(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.jsonl", draw.choice(["\n", "\n\n  \n", "\ufeff\n"]))
    return Landed([])
