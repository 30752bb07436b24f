"""What a kind of broken input is made of: the shop that writes it, and the ways its landing can end."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from scripts.core.errors import LandingError, TenureError

HEADER = ("id", "customer", "placed", "amount")
# How the rows of each table are compared: as text, in this order.
SHOWN = {
    "orders": ("order_id", "customer_id", "ordered_at", "gross_amount"),
    "customers": ("customer_id", "country"),
    "refunds": ("refund_id", "order_id", "refunded_at", "amount"),
    "subscriptions": ("subscription_id", "started_on", "ended_on", "amount"),
    "survey_responses": ("response_id", "score", "comment"),
}


@dataclass(frozen=True)
class Order:
    """One order as a file writes it, and as `raw.orders` must hold it."""

    id: str
    customer: str
    placed: str
    amount: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.id, self.customer, self.placed, self.amount)

    @property
    def stored(self) -> tuple[str | None, ...]:
        return (self.id, self.customer, f"{self.placed} 00:00:00", f"{self.amount}00")


@dataclass(frozen=True)
class Reject:
    """A rejected row: its number in the file, parts of its reason, and what of its content must be there.

    `line` is the whole physical line of a row that is no row; `content` are canonical columns and their text.
    """

    row: int
    reasons: tuple[str, ...]
    line: str | None = None
    content: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Landed:
    """The landing succeeds: `stored` are the new rows of `table`, by number of the row in its file.

    `rows` are all rows of the files, where they are not the stored, the rejected and the repeated ones.
    """

    stored: Sequence[tuple[int, tuple[str | None, ...]]]
    rejected: Sequence[Reject] = ()
    repeated: int = 0
    table: str = "orders"
    rows: int | None = None

    @property
    def outcome(self) -> str:
        return "rejected" if self.rejected else "accepted"


@dataclass(frozen=True)
class Stopped:
    """The landing stops: the error, and parts of its message."""

    parts: tuple[str, ...]
    error: type[TenureError] = LandingError

    @property
    def outcome(self) -> str:
        return f"stopped, exit {self.error.exit_code}"


Expected = Landed | Stopped


def stops(*parts: str, error: type[TenureError] = LandingError) -> Stopped:
    return Stopped(parts, error)


class Shop:
    """The company of one kind: a data folder, and an adapter that maps orders unless told otherwise."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        # Put before a file's name, where several kinds share the folder.
        self.prefix = prefix
        self.adapter_file = folder / "shop.yml"
        # Called once, after the bytes of a file were hashed and while its rows are read.
        self.while_reading: Callable[[], None] | None = None
        self.orders_adapter()

    def adapter(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        self.adapter_file.write_bytes(data)

    def orders_adapter(
        self, files: str = "orders*", options: str = "", top: str = "max_reject_share: 1", **columns: str
    ) -> None:
        """`options` are lines of the table's entry; `columns` replace or add expressions."""
        expressions = {
            "order_id": "id",
            "customer_id": "customer",
            "ordered_at": "placed",
            "gross_amount": "amount",
        } | columns
        lines = [top, "tables:", "  orders:", f"    files: '{files}'"]
        lines += [f"    {line}" for line in options.splitlines()]
        lines += ["    columns:"]
        lines += [f"      {name}: {_quoted(sql)}" for name, sql in expressions.items()]
        self.adapter("\n".join(lines) + "\n")

    def orders_query(self, query: str, options: str = "", top: str = "max_reject_share: 1") -> None:
        lines = [top, "tables:", "  orders:", "    files: 'orders*'"]
        lines += [f"    {line}" for line in options.splitlines()]
        lines += ["    query: |"] + [f"      {line}" for line in query.splitlines()]
        self.adapter("\n".join(lines) + "\n")

    def table_adapter(self, table: str, columns: Sequence[str], file: str | None = None) -> None:
        """One table of canonical columns, from a file of its name."""
        mapped = "".join(f"      {name}: '\"{name}\"'\n" for name in columns)
        self.adapter(
            f"max_reject_share: 1\ntables:\n  {table}:\n    files: '{file or table + '.csv'}'\n"
            f"    columns:\n{mapped}"
        )

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.data / (f"{self.prefix}{name}" if self.prefix else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def _quoted(sql: str) -> str:
    return "'" + sql.replace("'", "''") + "'"


@dataclass(frozen=True)
class Kind:
    """One way in which input can lie."""

    group: str
    name: str
    write: Callable[[Shop, Random], Expected]
    # One file orders.csv, the plain adapter, and no stop: many such kinds can be landed at once.
    is_plain: bool = False

    @property
    def id(self) -> str:
        return f"{self.group}: {self.name}"


KINDS: dict[str, Kind] = {}


def kind(
    group: str, name: str | None = None, is_plain: bool = False
) -> Callable[[Callable[[Shop, Random], Expected]], Callable[[Shop, Random], Expected]]:
    """Register a kind under its group; its name is that of the function, with spaces."""

    def register(write: Callable[[Shop, Random], Expected]) -> Callable[[Shop, Random], Expected]:
        made = Kind(group, name or write.__name__.strip("_").replace("_", " "), write, is_plain)
        if made.id in KINDS:
            raise ValueError(f"two kinds are called {made.id}")
        KINDS[made.id] = made
        return write

    return register


def orders(draw: Random, least: int = 2, most: int = 9, plain: bool = True) -> list[Order]:
    """Good orders with ids of their own; not `plain`: with letters beyond ASCII among the customers."""
    names = ["ann", "bo", "cy", "du", "eve"] if plain else ["Zoë", "Đặng", "Łukasz", "Ñico", "Jürgen"]
    start = draw.randrange(1, 9000)
    return [
        Order(
            str(start + number),
            draw.choice(names),
            f"20{draw.randrange(10, 26)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}",
            f"{draw.randrange(1, 5000)}.{draw.randrange(100):02}",
        )
        for number in range(draw.randrange(least, most + 1))
    ]


def csv(rows: Sequence[Order], delimiter: str = ",", end: str = "\n", header: Sequence[str] = HEADER) -> str:
    lines = [header, *(row.cells for row in rows)]
    return "".join(delimiter.join(cells) + end for cells in lines)


def landed(rows: Sequence[Order], **more: object) -> Landed:
    """All rows are stored, numbered as they stand."""
    return Landed([(number, row.stored) for number, row in enumerate(rows, start=1)], **more)  # type: ignore[arg-type]


def with_lines(
    draw: Random, rows: Sequence[Order], *lines: str
) -> tuple[str, list[tuple[int, Order]], list[int]]:
    """A CSV of good rows with `lines` among them, never last; gives text, numbered rows, lines' numbers."""
    places = sorted(draw.sample(range(len(rows)), len(lines)))
    body: list[str] = []
    good: list[tuple[int, Order]] = []
    others: list[int] = []
    added = iter(lines)
    for place, row in enumerate(rows):
        if place in places:
            body.append(next(added))
            others.append(len(body))
        body.append(",".join(row.cells))
        good.append((len(body), row))
    return "\n".join([",".join(HEADER), *body]) + "\n", good, others


def numbered(good: Sequence[tuple[int, Order]]) -> list[tuple[int, tuple[str | None, ...]]]:
    return [(number, row.stored) for number, row in good]
