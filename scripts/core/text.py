"""Text for people: columns of a table, names in the order a person expects, the name that was meant."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

# What counts as blank at the ends of a name or a value: also spaces that spreadsheets and web forms leave,
# and the marks that have no width.
BLANKS = (
    " \t\r\n\v\f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028"
    "\u2029\u202f\u205f\u3000\u200b\u200e\u200f\u2060\ufeff"
)


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
    alike = next((one for one in names if one != name and _as_seen(one) == _as_seen(name)), None)
    if alike:
        return f"; {alike!r} looks the same, but {_difference(name, alike)}"
    by_folded = {known_name.casefold(): known_name for known_name in names}
    close = difflib.get_close_matches(name.casefold(), list(by_folded), n=count, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(by_folded[key] for key in close)}?"
    if not names:
        return "; there are none"
    shown = names[:20]
    return f"; known: {', '.join(shown)}" + (", …" if len(names) > len(shown) else "")


def composed(text: str) -> str:
    """Letters with accents as one character each (NFC); a Mac writes them as two, and both look the same.

    >>> composed("e\\u0301") == "\\u00e9"
    True
    """
    return unicodedata.normalize("NFC", text)


def _as_seen(text: str) -> str:
    """A text without what nobody sees: marks without width, kinds of blanks, ways to write an accent."""
    compatible = unicodedata.normalize("NFKC", text)
    seen = "".join(one for one in compatible if unicodedata.category(one) not in ("Cf", "Cc"))
    return " ".join(seen.split())


def _difference(name: str, other: str) -> str:
    """The first place in which two texts that look the same differ, by code points."""
    place = next(
        (place for place, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]),
        min(len(name), len(other)),
    )
    here, there = (f"U+{ord(one[place]):04X}" if place < len(one) else "nothing" for one in (name, other))
    return f"has {there} where {here} stands (character {place + 1})"
