"""Text for people: columns of a table, and names in the order a person expects."""

from __future__ import annotations

import re
from collections.abc import Sequence


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of aligned columns: the first column to the left, the others to the right.

    >>> print(in_columns([("table", "rows"), ("orders", "1,234")]))
    table    rows
    orders  1,234
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """A sort key under which `orders_9.csv` comes before `orders_10.csv`.

    >>> sorted(["orders_10.csv", "orders_9.csv"], key=natural_order)
    ['orders_9.csv', 'orders_10.csv']
    """
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part
    ]
