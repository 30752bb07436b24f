"""Delimiters, quotes, line ends, headers, and rows of another shape than their header."""

from __future__ import annotations

from random import Random

from .corpus import (
    HEADER,
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

GROUP = "table"


# -- delimiters


@kind(GROUP)
def any_of_four_delimiters(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.write("orders.csv", csv(rows, draw.choice(",;\t|")))
    return landed(rows)


@kind(GROUP)
def another_delimiter_unsaid(shop: Shop, draw: Random) -> Expected:
    delimiter = draw.choice("^~:#")
    shop.write("orders.csv", csv(orders(draw), delimiter))
    return stops("orders.csv has no column 'id'", delimiter.join(HEADER), "delimiter")


@kind(GROUP)
def another_delimiter_said(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    delimiter = draw.choice("^~:#")
    shop.orders_adapter(options=f"csv: {{delimiter: '{delimiter}'}}")
    shop.write("orders.csv", csv(rows, delimiter))
    return landed(rows)


@kind(GROUP)
def a_wrong_delimiter_said(shop: Shop, draw: Random) -> Expected:
    shop.orders_adapter(options="csv: {delimiter: ';'}")
    shop.write("orders.csv", csv(orders(draw)))
    return stops("orders.csv has no column 'id'", "delimiter")


@kind(GROUP)
def two_delimiters_in_one_file(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 3)
    odd = draw.choice(";|\t").join(("77x", "ann", "2026-01-01", "5.00"))
    text, good, (bad,) = with_lines(draw, rows, odd)
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("1 columns, expected 4",), line=odd)])


@kind(GROUP)
def header_of_another_delimiter(shop: Shop, draw: Random) -> Expected:
    """No row is like the header: a company that tolerates rejects must not land nothing."""
    rows = orders(draw)
    shop.orders_adapter(top="")
    shop.write("orders.csv", ";".join(HEADER) + "\n" + csv(rows).split("\n", 1)[1])
    return stops(f"orders: {len(rows)} of {len(rows)} rows would be rejected", "1 columns, expected 4")


@kind(GROUP)
def decimal_comma_in_a_comma_file(shop: Shop, draw: Random) -> Expected:
    line = f"77x,ann,2026-01-01,{draw.randrange(100)},50"
    text, good, (bad,) = with_lines(draw, orders(draw), line)
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("5 columns, expected 4",), line=line)])


@kind(GROUP)
def delimiter_at_the_end_of_lines(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 3)
    lines = csv(rows).splitlines()
    some = set(draw.sample(range(1, len(lines)), 2))
    shop.write("orders.csv", "".join(line + (",\n" if at in some else "\n") for at, line in enumerate(lines)))
    return landed(rows)


@kind(GROUP)
def delimiter_at_the_end_of_the_header_too(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.write("orders.csv", "".join(line + ",\n" for line in csv(rows).splitlines()))
    return landed(rows)


# -- quotes


@kind(GROUP)
def doubled_quotes(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    text, good, (at,) = with_lines(draw, rows, '77x,"the ""big, red"" one",2026-01-01,5.00')
    shop.write("orders.csv", text)
    odd = Order("77x", 'the "big, red" one', "2026-01-01", "5.00")
    return Landed(sorted([*numbered(good), (at, odd.stored)]))


@kind(GROUP)
def quote_in_the_middle_of_a_value(shop: Shop, draw: Random) -> Expected:
    name = draw.choice(['5" pan', 'the "red" one', 'a"'])
    text, good, (at,) = with_lines(draw, orders(draw), f"77x,{name},2026-01-01,5.00")
    shop.write("orders.csv", text)
    return Landed(sorted([*numbered(good), (at, Order("77x", name, "2026-01-01", "5.00").stored)]))


@kind(GROUP)
def something_after_a_closing_quote(shop: Shop, draw: Random) -> Expected:
    line = f'77x,"ann"{draw.choice("abc")},2026-01-01,5.00'
    text, good, (bad,) = with_lines(draw, orders(draw), line)
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("a quoted value is followed by",), line=line)])


@kind(GROUP)
def quote_never_closed(shop: Shop, draw: Random) -> Expected:
    text, _, (bad,) = with_lines(draw, orders(draw), '77x,"ann,2026-01-01,5.00')
    shop.write("orders.csv", text)
    return stops(f"orders.csv: line {bad + 1}: a quote", "not closed")


@kind(GROUP)
def quote_closed_in_a_later_row(shop: Shop, draw: Random) -> Expected:
    """It is valid CSV and swallows the rows between; no id has a line break in it."""
    rows = orders(draw, 2)
    body = csv(rows) + '77x,"ann,2026-01-01,5.00\n78x,bo,2026-01-02,6.00\n79x,cy",2026-01-03,7.00\n'
    shop.write("orders.csv", body)
    swallowed = "ann,2026-01-01,5.00\n78x,bo,2026-01-02,6.00\n79x,cy"
    return Landed(
        [(place, row.stored) for place, row in enumerate(rows, start=1)],
        [Reject(len(rows) + 1, ("customer_id", "U+000A"), content={"customer_id": swallowed})],
    )


@kind(GROUP)
def single_quotes_unsaid(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    text, good, (bad,) = with_lines(draw, rows, "'77x','ann','2026-01-01','5.00'")
    shop.write("orders.csv", text)
    return Landed(
        numbered(good),
        [Reject(bad, ("order_id", "stands in quotes", "csv: {quote"), content={"order_id": "'77x'"})],
    )


@kind(GROUP)
def single_quotes_said(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.orders_adapter(options='csv: {quote: "\'"}')
    lines = [",".join(f"'{cell}'" for cell in row.cells) for row in rows]
    shop.write("orders.csv", "\n".join([",".join(HEADER), *lines]) + "\n")
    return landed(rows)


# -- lines


@kind(GROUP)
def any_line_end(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.write("orders.csv", csv(rows, end=draw.choice(["\n", "\r\n", "\r"])))
    return landed(rows)


@kind(GROUP)
def mixed_line_ends(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 4)
    lines = csv(rows).splitlines()
    shop.write("orders.csv", "".join(line + draw.choice(["\n", "\r\n", "\r"]) for line in lines))
    return landed(rows)


@kind(GROUP)
def no_line_end_at_the_end(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    end = draw.choice(["\n", "\r\n"])
    shop.write("orders.csv", csv(rows, end=end).removesuffix(end))
    return landed(rows)


@kind(GROUP)
def cut_off_in_the_last_line(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    line = f"77x,ann{draw.choice(['', ',', ',2026-01'])}"
    shop.write("orders.csv", csv(rows) + line)
    return stops(f"orders.csv: line {len(rows) + 2}, the last one, is incomplete", "cut off")


@kind(GROUP)
def blank_lines_between_rows(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    lines = csv(rows).splitlines()
    shop.write("orders.csv", "\n".join(line + "\n" * draw.randrange(3) for line in lines) + "\n")
    return landed(rows)


@kind(GROUP)
def rows_of_nothing_but_delimiters(shop: Shop, draw: Random) -> Expected:
    text, good, (first, second) = with_lines(draw, orders(draw), ",,,", " , ,,")
    shop.write("orders.csv", text)
    reasons = ("order_id is missing", "ordered_at is missing", "gross_amount is missing")
    content = {"order_id": None, "customer_id": None}
    return Landed(numbered(good), [Reject(row, reasons, content=content) for row in (first, second)])


@kind(GROUP)
def rows_too_short_and_too_long(shop: Shop, draw: Random) -> Expected:
    short, long = draw.choice(["77x", "77x,ann", "77x,ann,2026-01-01"]), "78x,ann,2026-01-01,5.00,and,more"
    text, good, (first, second) = with_lines(draw, orders(draw), short, long)
    shop.write("orders.csv", text)
    return Landed(
        numbered(good),
        [
            Reject(first, (f"{short.count(',') + 1} columns, expected 4",), line=short),
            Reject(second, ("6 columns, expected 4",), line=long),
        ],
    )


@kind(GROUP)
def comment_lines(shop: Shop, draw: Random) -> Expected:
    line = draw.choice(["# exported by hand", "-- page 2", "// end of part one"])
    text, good, (bad,) = with_lines(draw, orders(draw), line)
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("1 columns, expected 4",), line=line)])


@kind(GROUP)
def a_title_above_the_header(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", "# Orders of the month\n" + csv(orders(draw)))
    return stops("orders.csv has no column 'id'", "# Orders of the month")


@kind(GROUP)
def a_total_below_the_rows(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    total = f"{sum(float(row.amount) for row in rows):.2f}"
    shop.write("orders.csv", csv(rows) + f"Total,,,{total}\n")
    reject = Reject(
        len(rows) + 1, ("ordered_at is missing",), content={"order_id": "Total", "gross_amount": total}
    )
    return Landed([(place, row.stored) for place, row in enumerate(rows, start=1)], [reject])


@kind(GROUP)
def a_total_in_one_cell(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    line = f"Total: {draw.randrange(1000)} orders"
    shop.write("orders.csv", csv(rows) + line + "\n")
    reject = Reject(len(rows) + 1, ("1 columns, expected 4",), line=line)
    return Landed([(place, row.stored) for place, row in enumerate(rows, start=1)], [reject])


# -- headers


@kind(GROUP)
def no_header(shop: Shop, draw: Random) -> Expected:
    text = csv(orders(draw)).split("\n", 1)[1]
    shop.write("orders.csv", text)
    return stops("orders.csv has no column 'id'", text.split(",")[1], "no header", "header: false")


@kind(GROUP)
def header_once_more_among_the_rows(shop: Shop, draw: Random) -> Expected:
    header = draw.choice(
        ["id,customer,placed,amount", '"id","customer","placed","amount"', "id, customer,placed,amount"]
    )
    text, good, (bad,) = with_lines(draw, orders(draw), header)
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("the header once more",), line=header)])


@kind(GROUP)
def header_once_more_in_a_table_of_texts(shop: Shop, draw: Random) -> Expected:
    """Nothing in its values would give it away."""
    shop.table_adapter("customers", ("customer_id", "country"))
    shop.write("customers.csv", "customer_id,country\na,VN\ncustomer_id,country\nb,DE\n")
    return Landed(
        [(1, ("a", "VN")), (3, ("b", "DE"))],
        [Reject(2, ("line 3: the header once more",), line="customer_id,country")],
        table="customers",
    )


@kind(GROUP)
def header_only(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", "id,customer,placed,amount" + draw.choice(["\n", "", "\r\n\r\n"]))
    return Landed([])


@kind(GROUP)
def empty_file(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", b"")
    return stops("orders.csv: the file is empty (0 bytes)")


@kind(GROUP)
def nothing_but_blank_lines(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", draw.choice(["\n", "\r\n", "   \n", "\ufeff\n"]) * draw.randrange(1, 5))
    return stops("orders.csv: the first line is blank")


@kind(GROUP)
def nothing_but_a_bom(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", b"\xef\xbb\xbf")
    return stops("orders.csv: the first line is blank")


@kind(GROUP)
def column_renamed(shop: Shop, draw: Random) -> Expected:
    old, new = draw.choice([("customer", "custmer"), ("placed", "placed_"), ("amount", "amounts")])
    shop.write("orders.csv", csv(orders(draw)).replace(old, new, 1))
    return stops(f"orders.csv has no column '{old}'", f"did you mean {new}?")


@kind(GROUP)
def column_missing(shop: Shop, draw: Random) -> Expected:
    gone = draw.randrange(4)
    lines = [line.split(",") for line in csv(orders(draw)).splitlines()]
    shop.write(
        "orders.csv", "\n".join(",".join(c for at, c in enumerate(line) if at != gone) for line in lines)
    )
    return stops(f"orders.csv has no column '{HEADER[gone]}'")


@kind(GROUP)
def column_twice(shop: Shop, draw: Random) -> Expected:
    again = draw.choice(HEADER)
    again = draw.choice([again, again.upper(), f" {again} "])
    lines = csv(orders(draw)).splitlines()
    shop.write("orders.csv", "\n".join([f"{lines[0]},{again}", *(line + ",5" for line in lines[1:])]) + "\n")
    return stops("orders.csv: two columns are called", again.strip(), "column 5")


@kind(GROUP)
def column_in_another_case_and_with_spaces(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    header = [draw.choice([name.upper(), name.title(), f" {name}", f"{name}\t "]) for name in HEADER]
    shop.write("orders.csv", csv(rows, header=header))
    return landed(rows)


@kind(GROUP)
def columns_swapped_with_their_header(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    order = draw.sample(range(4), 4)
    lines = [HEADER, *(row.cells for row in rows)]
    shop.write("orders.csv", "".join(",".join(line[at] for at in order) + "\n" for line in lines))
    return landed(rows)


@kind(GROUP)
def columns_swapped_without_their_header(shop: Shop, draw: Random) -> Expected:
    text, good, (bad,) = with_lines(draw, orders(draw), "77x,ann,5.00,2026-01-01")
    shop.write("orders.csv", text)
    reasons = ("ordered_at '5.00' is not a time", "gross_amount '2026-01-01' is not a number")
    return Landed(numbered(good), [Reject(bad, reasons, content={"ordered_at": "5.00"})])


@kind(GROUP)
def columns_added(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    lines = csv(rows).splitlines()
    shop.write("orders.csv", "\n".join([f"colour,{lines[0]}", *(f"red,{line}" for line in lines[1:])]) + "\n")
    return landed(rows)


@kind(GROUP)
def column_without_a_name(shop: Shop, draw: Random) -> Expected:
    """As pandas writes its index."""
    rows = orders(draw)
    lines = csv(rows).splitlines()
    body = [f"{at},{line}" for at, line in enumerate(lines[1:])]
    shop.write("orders.csv", "\n".join([f",{lines[0]}", *body]) + "\n")
    return landed(rows)


@kind(GROUP)
def five_thousand_columns(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 2, 3)
    extra = [f"c{at}" for at in range(draw.randrange(4000, 5001))]
    header = ",".join([*HEADER, *extra])
    body = [",".join([*row.cells, *("1" for _ in extra)]) for row in rows]
    shop.write("orders.csv", "\n".join([header, *body]) + "\n")
    return landed(rows)


# -- sizes


@kind(GROUP)
def value_of_ten_megabytes(shop: Shop, draw: Random) -> Expected:
    shop.orders_adapter(customer_id="length(customer)")
    size = draw.randrange(10_000_000, 11_000_000)
    shop.write("orders.csv", f"id,customer,placed,amount\n77x,{'y' * size},2026-01-01,5.00\n")
    return Landed([(1, ("77x", str(size), "2026-01-01 00:00:00", "5.0000"))])


@kind(GROUP)
def line_of_seventeen_megabytes(shop: Shop, draw: Random) -> Expected:
    size = draw.randrange(16_800_000, 17_000_000)
    value = draw.choice(["y" * size, '"' + "y" * size + '"'])
    shop.write("orders.csv", f"id,customer,placed,amount\n77x,{value},2026-01-01,5.00\n")
    return stops("orders.csv: line 2", "longer than")
