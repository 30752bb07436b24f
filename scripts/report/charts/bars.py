"""Bars: lying ones with a label each, standing ones over time, and a bridge from one sum to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scripts.report.charts import svg
from scripts.report.charts.svg import Scale, tag


@dataclass(frozen=True)
class Part:
    """A piece of a bar; a negative value goes to the other side of zero."""

    value: float
    colour: str = "c1"
    hover: str = ""


@dataclass(frozen=True)
class Bar:
    """A bar of one or more parts, with its label before it and what it comes to behind it."""

    label: str
    parts: Sequence[Part]
    told: str = ""


def plot_lying(
    width: float, bars: Sequence[Bar], *, row: float = 30, names: Sequence[tuple[str, str]] = ()
) -> tuple[list[Markup], float]:
    """One bar under the other; the parts of the picture and its height.

    On a narrow picture the labels stand above their bars. `names` are those of the colours, in their order.
    """
    is_narrow = width < 420
    row = row + 14 if is_narrow else row
    longest = max((svg.text_width(bar.label) for bar in bars), default=0) + 10
    left = 0.0 if is_narrow else min(longest, width * 0.36)
    right = max((svg.text_width(bar.told) for bar in bars), default=0) + 10
    least = min((sum(part.value for part in bar.parts if part.value < 0) for bar in bars), default=0)
    most = max((sum(part.value for part in bar.parts if part.value > 0) for bar in bars), default=1)
    scale = Scale(min(least, 0), max(most, 0) or 1, left + (8 if least < 0 else 0), width - right)
    parts, head = _key(names, width)
    for place, bar in enumerate(bars):
        top = head + place * row
        middle = top + row / 2 + (7 if is_narrow else 0)
        if is_narrow:
            label = svg.shortened(bar.label, width)
            parts.append(tag("text", label, x=2, y=top + 13, class_="label"))
        else:
            label = svg.shortened(bar.label, left - 8)
            parts.append(tag("text", label, x=left - 8, y=middle + 4, class_="label end"))
        ends = {1: scale(0), -1: scale(0)}
        for part in bar.parts:
            side = 1 if part.value >= 0 else -1
            length = abs(scale(part.value) - scale(0))
            start = ends[side] if side > 0 else ends[side] - length
            ends[side] += side * length
            if length > 0:
                parts.append(_rectangle(start, middle - 8, length, 16, part))
        parts.append(tag("text", bar.told, x=ends[1] + 6, y=middle + 4, class_="value"))
        # Not through the labels, where they stand above.
        parts.append(_line(scale(0), middle - (11 if is_narrow else row / 2), scale(0), middle + row / 2 - 4))
    bottom = head + len(bars) * row
    return parts, bottom + 4


def _key(names: Sequence[tuple[str, str]], width: float) -> tuple[list[Markup], float]:
    """What the colours mean, in lines above the bars, and how high they are."""
    parts: list[Markup] = []
    x, y = 0.0, 13.0
    for name, colour in names:
        needed = 15 + svg.text_width(name) * svg.BOLD + 14
        if x and x + needed > width:
            x, y = 0.0, y + 18
        parts.append(tag("rect", x=x, y=y - 9, width=10, height=10, rx=2, class_=f"bar {colour}"))
        parts.append(tag("text", name, x=x + 15, y=y, class_=f"name {colour}"))
        x += needed
    return parts, y + 9 if names else 0.0


@dataclass(frozen=True)
class Column:
    """A standing bar at its place on the axis; parts above zero are piled up, those below hang down."""

    label: str
    parts: Sequence[Part]


def plot_standing(
    width: float,
    height: float,
    columns: Sequence[Column],
    format_y: Callable[[float], str],
    *,
    y_high: float | None = None,
    labels_every: int = 1,
    x_label: str = "",
    names: Sequence[tuple[float, str, str]] = (),
) -> list[Markup]:
    """Columns over an axis. `names` are (value of the last column at which it stands, name, colour)."""
    high = max((sum(part.value for part in one.parts if part.value > 0) for one in columns), default=1)
    low = min((sum(part.value for part in one.parts if part.value < 0) for one in columns), default=0)
    ticks = svg.nice_ticks(min(low, 0), (high if y_high is None else y_high) or 1, 4)
    labels = [format_y(tick) for tick in ticks]
    left = max(map(svg.text_width, labels)) + 8
    right = max((svg.text_width(name) for _, name, _ in names), default=0) * svg.BOLD + (10 if names else 0)
    bottom = height - (38 if x_label else 24)
    y = Scale(ticks[0], ticks[-1], bottom, 10)
    step = (width - left - right) / max(len(columns), 1)
    parts = []
    for tick, label in zip(ticks, labels, strict=True):
        parts.append(_line(left, y(tick), width - right, y(tick), "zero" if tick == 0 else "grid"))
        parts.append(tag("text", label, x=left - 6, y=y(tick) + 4, class_="axis end"))
    for place, column in enumerate(columns):
        start = left + place * step
        ends = {1: y(0), -1: y(0)}
        for part in column.parts:
            side = 1 if part.value >= 0 else -1
            length = abs(y(part.value) - y(0))
            top = ends[side] - length if side > 0 else ends[side]
            ends[side] -= side * length
            if length > 0:
                inset = min(step * 0.14, 6)
                parts.append(_rectangle(start + inset, top, step - 2 * inset, length, part))
        # Counted from the end: the last one is the one that is read.
        if (len(columns) - 1 - place) % labels_every == 0:
            half = svg.text_width(column.label) / 2
            centre = min(max(start + step / 2, half), width - half)
            parts.append(tag("text", column.label, x=centre, y=bottom + 17, class_="axis middle"))
    if x_label:
        parts.append(tag("text", x_label, x=(left + width - right) / 2, y=height - 4, class_="axis middle"))
    places = svg.spread([y(value) for value, _, _ in names], 14, 14, bottom)
    for (_, name, colour), place in zip(names, places, strict=True):
        parts.append(tag("text", name, x=width - right + 6, y=place + 4, class_=f"name {colour}"))
    return parts


@dataclass(frozen=True)
class Span:
    """A step of a bridge: from where to where, or a total, which stands on the ground."""

    label: str
    start: float
    end: float
    told: str
    colour: str


def plot_bridge(width: float, spans: Sequence[Span]) -> tuple[list[Markup], float]:
    """A bridge lying down, so that its labels have room; the parts of the picture and its height."""
    row = 32.0
    is_narrow = width < 420
    left = min(max(svg.text_width(span.label) for span in spans) + 12, width * 0.36)
    right = max(svg.text_width(span.told) for span in spans) + 8
    scale = Scale(0, max(max(span.start, span.end) for span in spans) or 1, left, width - right)
    parts = []
    for place, span in enumerate(spans):
        top = place * row
        start, end = scale(min(span.start, span.end)), scale(max(span.start, span.end))
        size = 11 if is_narrow else svg.FONT
        label = svg.shortened(span.label, left - 8, size)
        parts.append(tag("text", label, x=left - 8, y=top + 20, class_="label end"))
        part = Part(1, span.colour, f"{span.label}: {span.told}")
        parts.append(_rectangle(start, top + 6, max(end - start, 1.5), 18, part))
        parts.append(tag("text", span.told, x=end + 6, y=top + 20, class_="value"))
        if place < len(spans) - 1:
            at = scale(span.end)
            parts.append(_line(at, top + 24, at, top + row + 6, "link"))
    return parts, len(spans) * row + 2


def _rectangle(x: float, y: float, width: float, height: float, part: Part) -> Markup:
    told = [svg.hover(part.hover)] if part.hover else []
    return tag("rect", *told, x=x, y=y, width=width, height=height, rx=2, class_=f"bar {part.colour}")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str = "zero") -> Markup:
    return tag("path", d=svg.line_path([(x1, y1), (x2, y2)]), class_=kind)
