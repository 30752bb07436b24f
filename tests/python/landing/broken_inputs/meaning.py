"""Rows that are well formed and cannot be true, and rows that look wrong and are kept as findings."""

from __future__ import annotations

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

GROUP = "meaning"
REFUNDS = ("refund_id", "order_id", "refunded_at", "amount", "currency")
SUBSCRIPTIONS = ("subscription_id", "customer_id", "billing_interval", "amount", "started_on", "ended_on")
RESPONSES = ("response_id", "responded_at", "score", "comment")


@kind(GROUP)
def a_customer_nobody_knows(shop: Shop, draw: Random) -> Expected:
    rows = [Order(row.id, f"stranger {draw.random()}", row.placed, row.amount) for row in orders(draw)]
    shop.write("orders.csv", csv(rows))
    return landed(rows)


@kind(GROUP)
def a_refund_of_no_order_and_one_larger_than_its_order(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("refunds", REFUNDS)
    amount = draw.randrange(10_000, 99_999)
    shop.write(
        "refunds.csv", f"{','.join(REFUNDS)}\nr1,nothing,2026-01-01,5,GBP\nr2,before-1,2026-01-02,{amount},\n"
    )
    return Landed(
        [
            (1, ("r1", "nothing", "2026-01-01 00:00:00", "5.0000")),
            (2, ("r2", "before-1", "2026-01-02 00:00:00", f"{amount}.0000")),
        ],
        table="refunds",
    )


@kind(GROUP)
def a_refund_of_nothing_or_less(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("refunds", REFUNDS)
    bad = draw.choice(["0", "-5", "0.00", "-0.0", "0.00001"])
    shop.write("refunds.csv", f"{','.join(REFUNDS)}\nr1,1,2026-01-01,{bad},GBP\nr2,1,2026-01-02,5,\n")
    return Landed(
        [(2, ("r2", "1", "2026-01-02 00:00:00", "5.0000"))],
        [Reject(1, (f"amount '{bad}' is not above 0",), content={"refund_id": "r1", "amount": bad})],
        table="refunds",
    )


@kind(GROUP)
def a_currency_that_is_none(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("refunds", REFUNDS)
    bad = draw.choice(["€", "EURO", "US$", "XXX", "GBQ", "BTC", "978", "Đ"])
    shop.write("refunds.csv", f"{','.join(REFUNDS)}\nr1,1,2026-01-01,5,{bad}\nr2,1,2026-01-02,5,gbp\n")
    return Landed(
        [(2, ("r2", "1", "2026-01-02 00:00:00", "5.0000"))],
        [Reject(1, (f"currency '{bad}' is no ISO 4217",), content={"currency": bad})],
        table="refunds",
    )


@kind(GROUP)
def an_end_before_the_start(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("subscriptions", SUBSCRIPTIONS)
    shop.write(
        "subscriptions.csv",
        f"{','.join(SUBSCRIPTIONS)}\ns1,c,month,9,2026-01-02,2026-01-01\ns2,c,month,9,2026-01-02,2026-01-02\n"
        "s3,c,year,9,2027-01-01,9999-12-31\n",
    )
    return Landed(
        [
            (2, ("s2", "2026-01-02", "2026-01-02", "9.0000")),
            (3, ("s3", "2027-01-01", "9999-12-31", "9.0000")),
        ],
        [
            Reject(
                1, ("ended_on 2026-01-01 is before started_on 2026-01-02",), content={"subscription_id": "s1"}
            )
        ],
        table="subscriptions",
    )


@kind(GROUP)
def an_interval_nobody_bills(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("subscriptions", SUBSCRIPTIONS)
    bad = draw.choice(["monthly", "fortnight", "1 month", "M", "months"])
    shop.write(
        "subscriptions.csv",
        f"{','.join(SUBSCRIPTIONS)}\ns1,c,{bad},9,2026-01-02,\ns2,c,MONTH,9,2026-01-02,\n",
    )
    return Landed(
        [(2, ("s2", "2026-01-02", None, "9.0000"))],
        [Reject(1, (f"billing_interval '{bad}' is none of",), content={"billing_interval": bad})],
        table="subscriptions",
    )


@kind(GROUP)
def a_score_outside_the_scale(shop: Shop, draw: Random) -> Expected:
    shop.table_adapter("survey_responses", RESPONSES)
    bad = draw.choice(["11", "-1", "100", "99999999999999999999"])
    shop.write("survey_responses.csv", f"{','.join(RESPONSES)}\na,2026-01-01,{bad},x\nb,2026-01-01,,y\n")
    return Landed(
        [(2, ("b", None, "y"))],
        [Reject(1, (f"score '{bad}'",), content={"score": bad, "comment": "x"})],
        table="survey_responses",
    )


@kind(GROUP)
def everything_wrong_with_one_row(shop: Shop, draw: Random) -> Expected:
    text, good, (bad,) = with_lines(draw, orders(draw), ",NULL,soon,-1")
    shop.write("orders.csv", text)
    reasons = (
        "order_id is missing",
        "customer_id 'NULL'",
        "ordered_at 'soon'",
        "gross_amount '-1' is negative",
    )
    return Landed(
        numbered(good), [Reject(bad, reasons, content={"customer_id": "NULL", "gross_amount": "-1"})]
    )


@kind(GROUP)
def one_bad_row_of_a_small_delivery(shop: Shop, draw: Random) -> Expected:
    """More than 5 % of nineteen; it must not stop the night."""
    shop.orders_adapter(top="")
    text, good, (bad,) = with_lines(draw, orders(draw, 3, 19), "77x,ann,soon,5.00")
    shop.write("orders.csv", text)
    return Landed(numbered(good), [Reject(bad, ("ordered_at 'soon'",), content={"order_id": "77x"})])


@kind(GROUP)
def half_of_a_small_delivery_is_bad(shop: Shop, draw: Random) -> Expected:
    shop.orders_adapter(top="")
    count = draw.randrange(1, 5)
    rows = orders(draw, count, count)
    lines = csv(rows) + "".join(f"{number}x,ann,soon,5.00\n" for number in range(count))
    shop.write("orders.csv", lines)
    return stops(f"orders: {count} of {2 * count} rows would be rejected", "max_reject_share", "'soon'")


@kind(GROUP)
def a_bad_row_where_none_is_tolerated(shop: Shop, draw: Random) -> Expected:
    shop.orders_adapter(top="max_reject_share: 0")
    text, _, _ = with_lines(draw, orders(draw, 5), "77x,ann,soon,5.00")
    shop.write("orders.csv", text)
    return stops("orders: 1 of ", "max_reject_share is 0.0%", "'soon'")


@kind(GROUP)
def more_than_a_share_of_a_large_delivery_is_bad(shop: Shop, draw: Random) -> Expected:
    shop.orders_adapter(top="")
    read = draw.randrange(100, 200)
    bad = read * 5 // 100 + 1
    rows = orders(draw, read - bad, read - bad)
    shop.write("orders.csv", csv(rows) + "".join(f"{n}x,ann,soon,5.00\n" for n in range(bad)))
    return stops(f"orders: {bad} of {read} rows would be rejected", "'soon'")
