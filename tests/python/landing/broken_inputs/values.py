"""Numbers, dates and ids that are not what they look like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random

from .corpus import Expected, Landed, Order, Reject, Shop, kind, landed, numbered, orders, with_lines

NUMBERS = "number"
DATES = "date"
IDS = "id"
COLUMNS = {"id": "order_id", "customer": "customer_id", "placed": "ordered_at", "amount": "gross_amount"}


def _cells(column: str, text: str) -> list[str]:
    return [text if name == column else good for name, good in _GOOD.items()]


_GOOD = {"id": "77x", "customer": "ann", "placed": "2026-01-01", "amount": "5.00"}


def _line(cells: Sequence[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def refused(group: str, name: str, column: str, text: Callable[[Random], str], *reasons: str) -> None:
    """A kind: one value among good rows, whose row is rejected."""

    def write(shop: Shop, draw: Random) -> Expected:
        value = text(draw)
        line, good, (bad,) = with_lines(draw, orders(draw), _line(_cells(column, value)))
        shop.write("orders.csv", line)
        return Landed(
            numbered(good), [Reject(bad, (COLUMNS[column], *reasons), content={COLUMNS[column]: value})]
        )

    kind(group, name, is_plain=True)(write)


def taken(group: str, name: str, column: str, text: Callable[[Random], tuple[str, str | None]]) -> None:
    """A kind: one value among good rows, stored as the second of the pair."""

    def write(shop: Shop, draw: Random) -> Expected:
        value, stored = text(draw)
        line, good, (odd,) = with_lines(draw, orders(draw), _line(_cells(column, value)))
        shop.write("orders.csv", line)
        row = list(Order(*_GOOD.values()).stored)
        row[list(_GOOD).index(column)] = stored
        return Landed(sorted([*numbered(good), (odd, tuple(row))]))

    kind(group, name, is_plain=True)(write)


def _number(draw: Random) -> str:
    return str(draw.randrange(1, 900))


# -- numbers

taken(
    NUMBERS,
    "exponent form",
    "amount",
    lambda d: d.choice(
        [
            ("1e3", "1000.0000"),
            ("6e-17", "0.0000"),
            ("8.5e-6", "0.0000"),
            ("1E-2", "0.0100"),
            ("1.5e+2", "150.0000"),
            ("25E0", "25.0000"),
        ]
    ),
)
# DuckDB's own cast makes 0.0001 of them.
taken(
    NUMBERS,
    "tiny with an exponent",
    "amount",
    lambda d: (f"{d.randrange(6, 10)}{d.choice('eE')}-{d.randrange(6, 30)}", "0.0000"),
)
taken(
    NUMBERS, "leading zeros and a plus", "amount", lambda d: (lambda n: (f"+00{n}", f"{n}.0000"))(_number(d))
)
taken(
    NUMBERS,
    "more decimals than we keep",
    "amount",
    lambda d: d.choice([("1.23456", "1.2346"), ("0.30000000000000004", "0.3000"), ("9.99994999", "9.9999")]),
)
taken(
    NUMBERS,
    "blanks around it",
    "amount",
    lambda d: (lambda n: (f" \u00a0{n}\u202f\t", f"{n}.0000"))(_number(d)),
)
refused(
    NUMBERS,
    "decimal comma",
    "amount",
    lambda d: f"{_number(d)},{d.randrange(10, 100)}",
    "has a decimal comma",
)
refused(
    NUMBERS,
    "points between thousands and a decimal comma",
    "amount",
    lambda d: f"{d.randrange(1, 9)}.{d.randrange(100, 999)},50",
    "has a decimal comma",
)
refused(
    NUMBERS,
    "commas between thousands",
    "amount",
    lambda d: f"{d.randrange(1, 9)},{d.randrange(100, 999)}.50",
    "has commas between thousands: map it with replace(",
)
refused(
    NUMBERS,
    "thousands in the Indian way",
    "amount",
    lambda d: f"{d.randrange(1, 9)},23,456.00",
    "has commas between thousands",
)
refused(
    NUMBERS,
    "blanks between thousands",
    "amount",
    lambda d: d.choice(" \u00a0\u202f\u2009").join([str(d.randrange(1, 9)), "234"]),
    "is not a number",
)
refused(
    NUMBERS,
    "apostrophes between thousands",
    "amount",
    lambda d: d.choice("'’").join(["1", "234"]),
    "is not a number",
)
refused(
    NUMBERS,
    "underscores between digits",
    "amount",
    lambda d: d.choice(["1_000", "1e1_0", "1_0.5"]),
    "is not a number",
)
refused(
    NUMBERS,
    "currency sign",
    "amount",
    lambda d: d.choice(["${}", "{} €", "£{}", "{}₫", "USD {}", "{}kr"]).format(_number(d)),
    "is not a number",
)
refused(NUMBERS, "minus at the end", "amount", lambda d: f"{_number(d)}-", "is not a number")
refused(
    NUMBERS,
    "a minus of another font",
    "amount",
    lambda d: d.choice("−–—﹣－") + _number(d),
    "is not a number",
)
refused(NUMBERS, "accountant's parentheses", "amount", lambda d: f"({_number(d)}.00)", "is not a number")
refused(NUMBERS, "negative", "amount", lambda d: f"-{_number(d)}", "is negative")
refused(
    NUMBERS,
    "not a number and infinity",
    "amount",
    lambda d: d.choice(["NaN", "nan", "inf", "Infinity", "-inf", "+Infinity"]),
    "is not a number",
)
refused(
    NUMBERS,
    "far too large",
    "amount",
    lambda d: d.choice([str(10 ** d.randrange(15, 41)), f"1e{d.randrange(15, 300)}", "99999999999999.99999"]),
    "has too many digits",
)
refused(
    NUMBERS, "larger than any double", "amount", lambda d: d.choice(["1e400", "9" * 400]), "is not a number"
)
refused(
    NUMBERS,
    "hexadecimal or of another base",
    "amount",
    lambda d: d.choice(["0x1F", "0b101", "0o17", "1Fh"]),
    "is not a number",
)
refused(
    NUMBERS,
    "digits of another script",
    "amount",
    lambda d: d.choice(["１２", "١٢", "१२", "²", "Ⅻ"]),
    "is not a number",
)
refused(
    NUMBERS,
    "two points or signs",
    "amount",
    lambda d: d.choice(["1.2.3", "--5", "+-5", "5..0", "1e2e3"]),
    "is not a number",
)
refused(
    NUMBERS, "a percentage or fraction", "amount", lambda d: d.choice(["5%", "1/2", "½"]), "is not a number"
)
refused(
    NUMBERS,
    "an error of a spreadsheet",
    "amount",
    lambda d: d.choice(["#REF!", "#DIV/0!", "#VALUE!", "########"]),
    "is not a number",
)
refused(NUMBERS, "a formula", "amount", lambda d: d.choice(["=SUM(D1:D9)", "=5+5", "@A1"]), "is not a number")
refused(
    NUMBERS,
    "a word for missing",
    "amount",
    lambda d: d.choice(["NULL", "null", "n/a", "N/A", "-", "\\N", "None", "#N/A"]),
    "means that there is no value",
    "nullif",
)


@kind(NUMBERS)
def a_point_that_may_stand_between_thousands(shop: Shop, draw: Random) -> Expected:
    """Beside decimal commas 1.234 is not one and a bit; a thousand times too small would land."""
    rows = orders(draw, 4)
    comma, point = f"{_number(draw)},50", f"{draw.randrange(1, 99)}.{draw.randrange(100, 999)}"
    text, good, bad = with_lines(
        draw,
        [Order(r.id, r.customer, r.placed, r.amount.split(".")[0] + ".00") for r in rows],
        _line(_cells("amount", comma)),
        _line(["78x", "bo", "2026-01-02", point]),
    )
    shop.write("orders.csv", text)
    return Landed(
        numbered(good),
        [
            Reject(bad[0], ("has a decimal comma",), content={"gross_amount": comma}),
            Reject(bad[1], (f"gross_amount '{point}' may be thousands",), content={"gross_amount": point}),
        ],
    )


@kind(NUMBERS)
def three_decimals_without_any_comma(shop: Shop, draw: Random) -> Expected:
    """Nothing speaks against a point here: dinars and unit prices have three decimals."""
    rows = orders(draw)
    text, good, (odd,) = with_lines(draw, rows, "77x,ann,2026-01-01,1.234")
    shop.write("orders.csv", text)
    return Landed(sorted([*numbered(good), (odd, ("77x", "ann", "2026-01-01 00:00:00", "1.2340"))]))


@kind(NUMBERS)
def whole_numbers_that_are_none(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("survey_responses", ("response_id", "responded_at", "score", "comment"))
    bad = draw.choice(["7.5", "9.0000001", "7,5", "0x7", "seven", "1e-1", "٧"])
    shop.write(
        "survey_responses.csv",
        f'response_id,responded_at,score,comment\na,2026-01-01,"{bad}",x\nb,2026-01-01,9.0,y\nc,2026-01-01,1e1,z\n',
    )
    return Landed(
        [(2, ("b", "9", "y")), (3, ("c", "10", "z"))],
        [Reject(1, (f"score '{bad}' is not a ",), content={"score": bad, "comment": "x"})],
        table="survey_responses",
    )


# -- dates

_DAY = date(2020, 1, 1)


def _day(draw: Random) -> date:
    return _DAY + timedelta(draw.randrange(2000))


taken(
    DATES,
    "slashes and single digits, year first",
    "placed",
    lambda d: (lambda day: (f"{day.year}/{day.month}/{day.day}", f"{day} 00:00:00"))(_day(d)),
)
taken(
    DATES,
    "offset",
    "placed",
    lambda d: d.choice(
        [
            ("2026-01-01T00:30:00+07:00", "2025-12-31 17:30:00"),
            ("2026-01-01 23:30-0330", "2026-01-02 03:00:00"),
            ("2026-01-01T12:00Z", "2026-01-01 12:00:00"),
            ("2026-01-01 12:00:00 +14:00", "2025-12-31 22:00:00"),
        ]
    ),
)
taken(
    DATES,
    "in the hour that daylight saving skips",
    "placed",
    lambda d: d.choice(
        [
            ("2025-03-30 01:30", "2025-03-30 01:30:00"),
            ("2025-03-30 01:30 Europe/London", "2025-03-30 01:30:00"),
        ]
    ),
)
taken(
    DATES,
    "in the hour that daylight saving repeats",
    "placed",
    lambda d: d.choice(
        [
            ("2025-10-26 01:30", "2025-10-26 01:30:00"),
            ("2025-10-26 01:30+01:00", "2025-10-26 00:30:00"),
            ("2025-10-26 01:30+00:00", "2025-10-26 01:30:00"),
        ]
    ),
)
taken(
    DATES, "midnight at the end of a day", "placed", lambda d: ("2026-01-01 24:00:00", "2026-01-02 00:00:00")
)
refused(
    DATES,
    "day first",
    "placed",
    lambda d: _day(d).strftime(d.choice(["%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"])),
    "is not a time",
    "try_strptime",
)
refused(
    DATES, "month first", "placed", lambda d: _day(d).strftime("%m/%d/%Y"), "is not a time", "try_strptime"
)
refused(
    DATES,
    "a year of two digits",
    "placed",
    lambda d: _day(d).strftime(d.choice(["%y-%m-%d", "%d/%m/%y"])),
    "is not a time",
)
refused(
    DATES,
    "without separators",
    "placed",
    lambda d: _day(d).strftime(d.choice(["%Y%m%d", "%Y%m%d%H%M%S"])),
    "is not a time",
)
refused(
    DATES,
    "month in words",
    "placed",
    lambda d: _day(d).strftime(d.choice(["%d %b %Y", "%B %d, %Y", "%d-%b-%y"])),
    "is not a time",
)
refused(
    DATES,
    "year and month only",
    "placed",
    lambda d: _day(d).strftime(d.choice(["%Y-%m", "%Y"])),
    "is not a time",
)
refused(
    DATES,
    "31 February and its like",
    "placed",
    lambda d: d.choice(["2025-02-31", "2025-02-29", "2025-04-31", "2025-13-01", "2025-00-10", "2025-01-00"]),
    "does not exist in the calendar",
)
refused(
    DATES, "year 1", "placed", lambda d: d.choice(["0001-01-01", "0000-00-00", "1900-01-01", "1970-01-01"])
)
refused(
    DATES, "year 9999", "placed", lambda d: d.choice(["9999-12-31", "2999-01-01 00:00"]), "is after the load"
)
refused(DATES, "the day after tomorrow", "placed", lambda d: "2026-03-12", "is after the load")
refused(
    DATES,
    "serial number of a spreadsheet",
    "placed",
    lambda d: d.choice(["44927", "44927.5", "1"]),
    "is not a time",
)
refused(
    DATES,
    "seconds since 1970",
    "placed",
    lambda d: d.choice(["1735689600", "1735689600000", "1.7356896E9"]),
    "is not a time",
)
refused(
    DATES,
    "zone of three letters",
    "placed",
    lambda d: f"2026-01-01 10:00 {d.choice(['EST', 'IST', 'CET', 'BST'])}",
    "is not a time",
)
refused(
    DATES,
    "zone that does not exist",
    "placed",
    lambda d: "2026-01-01 10:00" + d.choice([" Mars/Olympus", " Europe/Londn"]),
    "does not exist",
)
refused(
    DATES,
    "offset that no clock has",
    "placed",
    lambda d: "2026-01-01 10:00" + d.choice(["+99:00", "-24:00", "+15:00", "+07:60", "+7"]),
    "is not a time",
)
refused(
    DATES,
    "time that does not exist",
    "placed",
    lambda d: "2026-01-01 " + d.choice(["25:00", "10:60", "10:00:61", "24:00:01"]),
    "does not exist",
)
refused(
    DATES,
    "clock of twelve hours",
    "placed",
    lambda d: f"2026-01-01 08:00 {d.choice(['PM', 'am', 'p.m.'])}",
    "is not a time",
)
refused(
    DATES,
    "words that SQL takes for times",
    "placed",
    lambda d: d.choice(["infinity", "epoch", "now", "today", "-infinity"]),
    "is not a time",
)
refused(
    DATES,
    "a word for a missing time",
    "placed",
    lambda d: d.choice(["NULL", "n/a", "-", "\\N"]),
    "means that there is no value",
)
refused(
    DATES,
    "number of a week or day",
    "placed",
    lambda d: d.choice(["2026-W01-1", "2026-001"]),
    "is not a time",
)


@kind(DATES)
def day_first_converted_by_the_mapping(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.orders_adapter(ordered_at="try_strptime(placed, '%d/%m/%Y')")
    lines = [f"{r.id},{r.customer},{date.fromisoformat(r.placed):%d/%m/%Y},{r.amount}" for r in rows]
    shop.write(
        "orders.csv", "\n".join(["id,customer,placed,amount", *lines, "77x,ann,31/02/2025,5.00"]) + "\n"
    )
    reject = Reject(len(rows) + 1, ("ordered_at is missing",), content={"order_id": "77x"})
    return Landed(landed(rows).stored, [reject])


# -- ids

taken(IDS, "blanks around it", "customer", lambda d: (d.choice(" \t") + "ann" + d.choice(" \u00a0"), "ann"))
taken(IDS, "leading zeros", "id", lambda d: (lambda n: (f"00{n}", f"00{n}"))(_number(d)))
taken(IDS, "no customer is a guest", "customer", lambda d: (d.choice(["", " ", "\u00a0"]), None))
taken(IDS, "of many digits", "id", lambda d: (lambda n: (n, n))(str(d.randrange(10**20, 10**30))))
taken(
    IDS,
    "looks like a number with an exponent but is none",
    "id",
    lambda d: (lambda n: (n, n))(d.choice(["12E05", "1E5", "5e7a"])),
)
taken(
    IDS,
    "SQL",
    "customer",
    lambda d: (lambda t: (t, t))(
        d.choice(
            ["'; drop table raw.orders; --", 'x" or 1=1', "Robert'); delete from raw.orders", "${jndi:x}"]
        )
    ),
)
taken(IDS, "upper and lower case are two", "customer", lambda d: (lambda t: (t, t))(d.choice(["ANN", "Ann"])))
refused(
    IDS,
    "shortened by a spreadsheet",
    "id",
    lambda d: d.choice(["1.23E+05", "4,5E+12", "7E+09", "1.23457e+15"]),
    "spreadsheet",
)
refused(
    IDS,
    "a word for missing as customer",
    "customer",
    lambda d: d.choice(
        ["NULL", "null", "(null)", "n/a", "N/A", "NaN", "None", "-", "\\N", "undefined", "#N/A"]
    ),
    "means that there is no value",
    "nullif",
)
refused(
    IDS,
    "a word for missing as key",
    "id",
    lambda d: d.choice(["NULL", "nan", "None", "-"]),
    "means that there is no value",
)
refused(
    IDS,
    "an error of a spreadsheet as id",
    "customer",
    lambda d: d.choice(["#REF!", "#NAME?", "#VALUE!", "#DIV/0!"]),
    "spreadsheet",
)


@kind(IDS)
def missing(shop: Shop, draw: Random) -> Expected:
    text, good, (bad,) = with_lines(draw, orders(draw), draw.choice(["", " ", '""']) + ",ann,2026-01-01,5.00")
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("order_id is missing",), content={"order_id": None})])


@kind(IDS)
def an_address_as_id_is_hashed(shop: Shop, draw: Random) -> Expected:
    from hashlib import sha256

    address = draw.choice(["Ann.Lee@Example.com", "bo+shop@mail.example.co.uk", "o'neill@example.org"])
    text, good, (odd,) = with_lines(draw, orders(draw), f"77x,{address},2026-01-01,5.00")
    shop.write("orders.csv", text)
    hashed = sha256(b"pepper" + address.lower().encode()).hexdigest()
    return Landed(sorted([*numbered(good), (odd, ("77x", hashed, "2026-01-01 00:00:00", "5.0000"))]))


@kind(IDS)
def an_address_where_none_belongs(shop: Shop, draw: Random) -> Expected:
    column = draw.choice(["placed", "amount"])
    text, good, (bad,) = with_lines(draw, orders(draw), _line(_cells(column, "write to ann@example.com")))
    shop.write("orders.csv", text)
    shown = "write to [e-mail]"
    return Landed(
        numbered(good), [Reject(bad, (f"{COLUMNS[column]} '{shown}'",), content={COLUMNS[column]: shown})]
    )


@kind(IDS)
def an_address_in_a_broken_line(shop: Shop, draw: Random) -> Expected:
    text, good, (bad,) = with_lines(draw, orders(draw), "77x,ann@example.com")
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("2 columns",), line="77x,[e-mail]")])
