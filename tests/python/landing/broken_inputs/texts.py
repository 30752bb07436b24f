"""Encodings, and characters that nobody sees."""

from __future__ import annotations

import unicodedata
from random import Random

from .corpus import (
    Expected,
    Landed,
    Order,
    Reject,
    Shop,
    csv,
    kind,
    landed,
    numbered,
    orders,
    stops,
    with_lines,
)

GROUP = "text"


@kind(GROUP)
def utf_8_with_bom(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, plain=False)
    shop.write("orders.csv", "\ufeff" + csv(rows))
    return landed(rows)


@kind(GROUP)
def utf_16_with_bom(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, plain=False)
    shop.orders_adapter(options="encoding: utf-16")
    mark, encoding = draw.choice([(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
    shop.write("orders.csv", mark + csv(rows, end="\r\n").encode(encoding))
    return landed(rows)


@kind(GROUP)
def utf_16_without_bom_said(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, plain=False)
    encoding = draw.choice(["utf-16-le", "utf-16-be"])
    shop.orders_adapter(options=f"encoding: {encoding}")
    shop.write("orders.csv", csv(rows).encode(encoding))
    return landed(rows)


@kind(GROUP)
def utf_16_not_said(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", csv(orders(draw)).encode("utf-16"))
    return stops("orders.csv: byte 0 (line 1) is not utf-8", "utf-16")


@kind(GROUP)
def utf_16_without_bom_not_said(shop: Shop, draw: Random) -> Expected:
    encoding = draw.choice(["utf-16-le", "utf-16-be"])
    shop.write("orders.csv", csv(orders(draw)).encode(encoding))
    return stops("orders.csv: line 1 holds a NUL byte", "utf-16")


@kind(GROUP)
def utf_16_of_the_other_order(shop: Shop, draw: Random) -> Expected:
    said, written = draw.choice([("utf-16-le", "utf-16-be"), ("utf-16-be", "utf-16-le")])
    shop.orders_adapter(options=f"encoding: {said}")
    shop.write("orders.csv", csv(orders(draw)).encode(written))
    return stops("orders.csv")


@kind(GROUP)
def utf_16_cut_in_a_character(shop: Shop, draw: Random) -> Expected:
    shop.orders_adapter(options="encoding: utf-16")
    shop.write("orders.csv", csv(orders(draw)).encode("utf-16")[:-1])
    return stops("orders.csv: byte ", "truncated data")


@kind(GROUP)
def one_byte_encoding_said(shop: Shop, draw: Random) -> Expected:
    encoding = draw.choice(["cp1252", "latin-1", "iso8859-15"])
    rows = [
        Order(row.id, draw.choice(["Zoë", "Ñico", "Jürgen"]), row.placed, row.amount) for row in orders(draw)
    ]
    shop.orders_adapter(options=f"encoding: {encoding}")
    shop.write("orders.csv", csv(rows).encode(encoding))
    return landed(rows)


@kind(GROUP)
def one_byte_encoding_not_said(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    text = csv([*rows, Order("x", "Zoë", "2026-01-01", "1.00")])
    content = text.encode(draw.choice(["cp1252", "latin-1"]))
    shop.write("orders.csv", content)
    return stops(
        f"orders.csv: byte {content.index(0xEB)} (line {len(rows) + 2}) is not utf-8", "`encoding:`", "cp1252"
    )


@kind(GROUP)
def utf_8_called_a_one_byte_encoding(shop: Shop, draw: Random) -> Expected:
    encoding = draw.choice(["cp1252", "latin-1", "iso8859-15", "cp1258"])
    shop.orders_adapter(options=f"encoding: {encoding}")
    rows = orders(draw)
    shop.write("orders.csv", csv([*rows, Order("x", draw.choice(["Zoë", "Ñico"]), "2026-01-01", "1.00")]))
    return stops("orders.csv: is UTF-8", "line ", "Remove `encoding:`")


@kind(GROUP)
def ascii_called_a_one_byte_encoding(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.orders_adapter(options=f"encoding: {draw.choice(['cp1252', 'latin-1'])}")
    shop.write("orders.csv", csv(rows))
    return landed(rows)


@kind(GROUP)
def invalid_bytes_in_the_middle(shop: Shop, draw: Random) -> Expected:
    content = csv(orders(draw, 5)).encode()
    at = draw.randrange(30, len(content))
    bad = draw.choice(
        [b"\xff", b"\xc3\x28", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf8\x88\x80\x80\x80"]
    )
    shop.write("orders.csv", content[:at] + bad + content[at:])
    return stops(f"orders.csv: byte {at} (line {content[:at].count(10) + 1}) is not utf-8")


@kind(GROUP)
def two_encodings_in_one_file(shop: Shop, draw: Random) -> Expected:
    content = csv([Order("u", "Zoë", "2026-01-01", "1.00"), *orders(draw)]).encode()
    shop.write("orders.csv", content + "z,Zoë,2026-01-01,1.00\n".encode("latin-1"))
    return stops(f"orders.csv: byte {len(content) + 4} ", "is not utf-8")


@kind(GROUP)
def null_byte(shop: Shop, draw: Random) -> Expected:
    content = csv(orders(draw)).encode()
    at = draw.randrange(len(content))
    shop.write("orders.csv", content[:at] + b"\0" + content[at:])
    return stops(f"orders.csv: line {content[:at].count(10) + 1} holds a NUL byte")


@kind(GROUP)
def control_character_in_an_id(shop: Shop, draw: Random) -> Expected:
    character = draw.choice("\x01\x07\x08\x1a\x1b\x7f\x85\x9f")
    column = draw.randrange(2)
    return _odd_id(shop, draw, column, f"a{character}b", f"U+{ord(character):04X}")


@kind(GROUP)
def invisible_character_in_an_id(shop: Shop, draw: Random) -> Expected:
    character = draw.choice("\u200b\u200c\u200d\u2060\u00ad\u180e\ufeff")
    return _odd_id(shop, draw, draw.randrange(2), f"a{character}b", f"U+{ord(character):04X}")


@kind(GROUP)
def right_to_left_mark_in_an_id(shop: Shop, draw: Random) -> Expected:
    character = draw.choice("\u200e\u200f\u202a\u202e\u2066\u2069\u061c")
    return _odd_id(shop, draw, draw.randrange(2), f"a{character}b", f"U+{ord(character):04X}")


@kind(GROUP)
def line_break_in_an_id(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    text, good, (bad,) = with_lines(draw, rows, '"a\nb",ann,2026-01-01,5.00')
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("order_id", "U+000A"), content={"order_id": "a\nb"})])


def _odd_id(shop: Shop, draw: Random, column: int, value: str, shown: str) -> Expected:
    cells = ["9999x", "ann", "2026-01-01", "5.00"]
    cells[column] = value
    text, good, (bad,) = with_lines(draw, orders(draw), ",".join(cells))
    shop.write("orders.csv", text)
    name = ("order_id", "customer_id")[column]
    return Landed(numbered(good), [Reject(bad, (name, "cannot be seen", shown), content={name: value})])


@kind(GROUP)
def invisible_characters_around_a_value(shop: Shop, draw: Random) -> Expected:
    """What spreadsheets and web forms leave at the ends of a value is no part of it."""
    rows = orders(draw)
    blanks = " \t\u00a0\u2007\u202f\u3000\u200b\ufeff\u200e\u200f\u2060\u2009\u2003"

    def padded(cell: str) -> str:
        return draw.choice(blanks) + cell + "".join(draw.choices(blanks, k=2))

    lines = [",".join(padded(cell) for cell in row.cells) for row in rows]
    shop.write("orders.csv", "\n".join(["id,customer,placed,amount", *lines]) + "\n")
    return landed(rows)


@kind(GROUP)
def composed_and_decomposed_letters_are_one_id(shop: Shop, draw: Random) -> Expected:
    name = draw.choice(["Zoë", "Đặng Hải", "Ñico", "Café", "Å"])
    rows = [
        Order(row.id, unicodedata.normalize(draw.choice(["NFC", "NFD"]), name), row.placed, row.amount)
        for row in orders(draw, 4)
    ]
    shop.write("orders.csv", csv(rows))
    return landed([Order(row.id, unicodedata.normalize("NFC", name), row.placed, row.amount) for row in rows])


@kind(GROUP)
def odd_letters_in_a_text_are_kept(shop: Shop, draw: Random) -> Expected:
    comments = [
        "👨‍👩‍👧 good",
        "مرحبا",
        "می‌خواهم",
        "a\tb",
        "\u202bעברית\u202c!",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
        "tab\tand bell\x07",
    ]
    draw.shuffle(comments)
    shop.table_adapter("survey_responses", ("response_id", "responded_at", "score", "comment"))
    lines = [f"r{place},2026-01-01,{draw.randrange(11)},{text}" for place, text in enumerate(comments)]
    shop.write("survey_responses.csv", "\n".join(["response_id,responded_at,score,comment", *lines]) + "\n")
    stored = [
        (place + 1, (f"r{place}", line.split(",")[2], text))
        for place, (line, text) in enumerate(zip(lines, comments, strict=True))
    ]
    return Landed(stored, table="survey_responses")
