"""Text for people: columns of a table, names in the order a person expects, the name that was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


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


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """A hint with the names most like `name`: `; did you mean a or b?`, or the whole list if nothing is near.

    >>> nearest("custmer_id", ["customer_id", "order_id"])
    '; did you mean customer_id?'
    """
    names = list(dict.fromkeys(known))
    by_folded = {known_name.casefold(): known_name for known_name in names}
    close = difflib.get_close_matches(name.casefold(), list(by_folded), n=count, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(by_folded[key] for key in close)}?"
    if not names:
        return "; there are none"
    shown = names[:20]
    return f"; known: {', '.join(shown)}" + (", …" if len(names) > len(shown) else "")
