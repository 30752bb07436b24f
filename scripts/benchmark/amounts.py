"""Numbers as people read them."""

from __future__ import annotations


def seconds(value: float | None) -> str:
    """Seconds with as many digits as mean something; a dash for none.

    >>> seconds(123.4), seconds(1.234), seconds(None)
    ('123 s', '1.2 s', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f} s" if value >= 100 else f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def megabytes(value: int | None) -> str:
    """Bytes as megabytes; a dash for none.

    >>> megabytes(2_500_000), megabytes(None)
    ('2 MB', '-')
    """
    return "-" if value is None else f"{value / 1024**2:,.0f} MB"


def count(value: int | None) -> str:
    """A number of things; a dash for none."""
    return "-" if value is None else f"{value:,}"
