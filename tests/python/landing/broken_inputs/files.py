"""Files that are none, that are elsewhere, that change, and names that are hard to say."""

from __future__ import annotations

import os
from random import Random

from scripts.core.errors import ConfigurationError

from .corpus import Expected, Landed, Order, Reject, Shop, csv, kind, landed, orders, stops

GROUP = "file"


@kind(GROUP)
def no_file(shop: Shop, draw: Random) -> Expected:
    shop.write("order.csv", csv(orders(draw)))
    return stops("shop.yml:4: orders", "matches 'orders*'", "did you mean order.csv?", "optional: true")


@kind(GROUP)
def no_folder(shop: Shop, draw: Random) -> Expected:
    shop.data.rmdir()
    return stops("data folder", "does not exist", "--data DIR", error=ConfigurationError)


@kind(GROUP)
def a_folder_in_its_place(shop: Shop, draw: Random) -> Expected:
    (shop.data / "orders.csv").mkdir()
    return stops("orders.csv: is a folder")


@kind(GROUP)
def a_folder_in_the_place_of_the_adapter(shop: Shop, draw: Random) -> Expected:
    shop.adapter_file.unlink()
    shop.adapter_file.mkdir()
    return stops("No adapter at", "shop.yml", error=ConfigurationError)


@kind(GROUP)
def a_pipe(shop: Shop, draw: Random) -> Expected:
    """Reading it would wait for ever."""
    os.mkfifo(shop.data / "orders.csv")
    return stops("orders.csv: is no plain file")


@kind(GROUP)
def a_device(shop: Shop, draw: Random) -> Expected:
    """Reading it would never end."""
    (shop.data / "orders.csv").symlink_to(draw.choice(["/dev/zero", "/dev/null"]))
    return stops("orders.csv: is no plain file")


@kind(GROUP)
def link_to_a_file_beside_it(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    (shop.data / "orders.csv").symlink_to(shop.write("real.csv", csv(rows)).name)
    return landed(rows)


@kind(GROUP)
def link_to_a_file_elsewhere(shop: Shop, draw: Random) -> Expected:
    """Who may make links in the data folder may also copy files into it."""
    rows = orders(draw)
    outside = shop.data.parent / "outside.csv"
    outside.write_text(csv(rows))
    (shop.data / "orders.csv").symlink_to(outside)
    return landed(rows)


@kind(GROUP)
def link_to_nothing(shop: Shop, draw: Random) -> Expected:
    (shop.data / "orders.csv").symlink_to("gone.csv")
    return stops("orders.csv: cannot be read", "No such file")


@kind(GROUP)
def links_in_a_circle(shop: Shop, draw: Random) -> Expected:
    (shop.data / "orders.csv").symlink_to("orders2.csv")
    (shop.data / "orders2.csv").symlink_to("orders.csv")
    return stops(".csv: cannot be read", "symbolic links")


@kind(GROUP)
def folders_in_a_circle(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.orders_adapter(files="**/orders*.csv")
    shop.write("sub/orders.csv", csv(rows))
    (shop.data / "sub" / "up").symlink_to(shop.data)
    return landed(rows)


@kind(GROUP)
def not_allowed_to_read(shop: Shop, draw: Random) -> Expected:
    path = shop.write("orders.csv", csv(orders(draw)))
    if os.geteuid() == 0:
        # Root reads everything; nobody reads another process's memory as a file.
        path.unlink()
        path.symlink_to("/proc/self/mem")
        return stops("orders.csv")
    path.chmod(0)
    return stops("orders.csv: cannot be read", "Permission denied")


@kind(GROUP)
def grows_while_it_is_read(shop: Shop, draw: Random) -> Expected:
    path = shop.write("orders.csv", csv(orders(draw)))

    def grow() -> None:
        with path.open("a") as file:
            file.write("77x,ann,2026-01-01,5.00\n" * draw.randrange(1, 9))

    shop.while_reading = grow
    return stops("orders.csv: the file changed while it was read", "Land again")


@kind(GROUP)
def is_replaced_while_it_is_read(shop: Shop, draw: Random) -> Expected:
    """By a file of the same size and time."""
    text = csv(orders(draw))
    path = shop.write("orders.csv", text)
    status = path.stat()

    def swap() -> None:
        other = shop.write("other", text.replace("20", "19", 1))
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(path)

    shop.while_reading = swap
    return stops("orders.csv: the file changed while it was read")


@kind(GROUP)
def shrinks_while_it_is_read(shop: Shop, draw: Random) -> Expected:
    path = shop.write("orders.csv", csv(orders(draw)))
    shop.while_reading = lambda: os.truncate(path, draw.randrange(30))
    return stops("orders.csv: the file changed while it was read")


@kind(GROUP)
def vanishes_while_it_is_read(shop: Shop, draw: Random) -> Expected:
    path = shop.write("orders.csv", csv(orders(draw)))
    shop.while_reading = path.unlink
    return stops("orders.csv: cannot be read", "No such file")


@kind(GROUP)
def odd_names(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    name = draw.choice(
        [
            "orders 1.csv",
            "orders'; drop table raw.orders; --.csv",
            'orders"x".csv',
            "orders[1]*?{a,b}.csv",
            "orders\n.csv",
            "orders%20$HOME`id`.csv",
            "orders é\u0301\u202e.csv",
            "orders\\x.csv",
            "orders" + "x" * 240 + ".csv",
        ]
    )
    shop.write(name, csv(rows))
    return landed(rows)


@kind(GROUP)
def odd_names_of_compressed_and_parquet_files(shop: Shop, draw: Random) -> Expected:
    import gzip

    rows = orders(draw)
    name = draw.choice(["orders'[1]*.csv.gz", "orders 2026?.CSV.GZ", 'orders"{a}.tsv.gz'])
    shop.write(name, gzip.compress(csv(rows).encode()))
    return landed(rows)


@kind(GROUP)
def name_that_is_not_utf_8(shop: Shop, draw: Random) -> Expected:
    folder = os.fsencode(shop.data)
    bad = draw.choice([b"orders\xff.csv", b"orders-\xe9t\xe9.csv"])
    with open(folder + b"/" + bad, "wb") as file:  # noqa: PTH123 - Path has no bytes
        file.write(csv(orders(draw)).encode())
    return stops("orders", "name", "UTF-8", "ename it")


@kind(GROUP)
def extension_that_tells_nothing(shop: Shop, draw: Random) -> Expected:
    name = draw.choice(["orders.dat", "orders", "orders.csv.bz2", "orders.xlsx", "orders.gz"])
    shop.write(name, csv(orders(draw)))
    return stops(name, "does not tell the format", "`format:`", error=ConfigurationError)


@kind(GROUP)
def one_bad_file_among_good_ones(shop: Shop, draw: Random) -> Expected:
    """Not one row of the good files may land."""
    for number in range(1, draw.randrange(3, 6)):
        shop.write(f"orders{number}.csv", csv(orders(draw)))
    shop.write("orders0.csv" if draw.random() < 0.5 else "orders9.csv", b"id,customer\n\xff\n")
    return stops("is not utf-8")


@kind(GROUP)
def conflicting_rows_of_two_files(shop: Shop, draw: Random) -> Expected:
    """Two versions of one order; the later file's counts, in staging."""
    (first, *_) = orders(draw)
    second = Order(first.id, first.customer, first.placed, "1.00")
    shop.write("orders-2.csv", csv([first]))
    shop.write("orders-10.csv", csv([second]))
    return Landed(sorted([(1, first.stored), (1, second.stored)]))


@kind(GROUP)
def conflicting_and_repeated_rows_of_one_file(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw, 3)
    first, second, *_ = rows
    other = Order(second.id, second.customer, second.placed, "0.01")
    shop.write("orders.csv", csv([*rows, first, other]))
    pair = (2, len(rows) + 2)
    reasons = ("the same order_id and different content", f"({pair[0]}, {pair[1]})")
    return Landed(
        [(place, row.stored) for place, row in enumerate(rows, start=1) if place != 2],
        [Reject(place, reasons, content={"order_id": second.id}) for place in pair],
        repeated=1,
    )
