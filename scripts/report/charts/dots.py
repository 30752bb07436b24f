"""Dots: a figure with its interval, or two figures of one thing side by side; and small lines in a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scripts.report.charts import svg
from scripts.report.charts.svg import Scale, tag


@dataclass(frozen=True)
class Dot:
    """A figure and, where there is one, the interval around it."""

    label: str
    value: float
    ends: tuple[float, float] | None = None
    hover: str = ""
    is_strong: bool = True


def plot_dots(
    width: float,
    height: float,
    dots: Sequence[Dot],
    format_y: Callable[[float], str],
    *,
    labels_every: int = 1,
) -> list[Markup]:
    """Figures over time, each with its interval as a bar behind it; the last one has its value written."""
    known = [end for dot in dots for end in (dot.ends or (dot.value,))] + [dot.value for dot in dots]
    ticks = svg.nice_ticks(min(known), max(known), 5)
    labels = [format_y(tick) for tick in ticks]
    left = max(map(svg.text_width, labels)) + 8
    bottom = height - 24
    y = Scale(ticks[0], ticks[-1], bottom, 10)
    step = (width - left - 34) / max(len(dots), 1)
    parts = []
    for tick, label in zip(ticks, labels, strict=True):
        kind = "zero" if tick == 0 else "grid"
        parts.append(
            tag("path", d=f"M{svg.number(left)} {svg.number(y(tick))}H{svg.number(width - 34)}", class_=kind)
        )
        parts.append(tag("text", label, x=left - 6, y=y(tick) + 4, class_="axis end"))
    places = [(left + (place + 0.5) * step, y(dot.value)) for place, dot in enumerate(dots)]
    parts.append(tag("path", d=svg.line_path(places), class_="reference"))
    for place, (dot, (x, at)) in enumerate(zip(dots, places, strict=True)):
        if dot.ends:
            low, high = y(dot.ends[0]), y(dot.ends[1])
            parts.append(tag("path", d=svg.line_path([(x, low), (x, high)]), class_="interval c1"))
        kind = "dot" if dot.is_strong else "dot hollow"
        parts.append(tag("circle", svg.hover(dot.hover), cx=x, cy=at, r=5, class_=f"{kind} c1"))
        if (len(dots) - 1 - place) % labels_every == 0:
            parts.append(tag("text", dot.label, x=x, y=bottom + 17, class_="axis middle"))
    if dots:
        parts.append(
            tag("text", format_y(dots[-1].value), x=places[-1][0] + 9, y=places[-1][1] + 4, class_="name c1")
        )
    return parts


@dataclass(frozen=True)
class Pair:
    """Two figures of one thing, such as what was expected and what came."""

    label: str
    first: float
    second: float
    told: str = ""


def plot_pairs(
    width: float,
    pairs: Sequence[Pair],
    names: tuple[str, str],
    format_x: Callable[[float], str],
    *,
    low: float = 0,
    high: float | None = None,
) -> tuple[list[Markup], float]:
    """A row for each pair, its two dots joined; the parts of the picture and its height.

    The first dot is hollow, the second full; the names stand above, in their colours.
    """
    row = 30.0
    most = max((max(pair.first, pair.second) for pair in pairs), default=1)
    ticks = svg.nice_ticks(low, most if high is None else high, 3 if width < 420 and high is None else 5)
    left = min(max(svg.text_width(pair.label) for pair in pairs) + 14, width * 0.42)
    right = max(svg.text_width(format_x(ticks[-1])) / 2 + 4, 10)
    x = Scale(ticks[0], ticks[-1], left, width - right)
    parts, top = _key(names, width)
    bottom = top + len(pairs) * row
    for tick in ticks:
        parts.append(
            tag("path", d=f"M{svg.number(x(tick))} {svg.number(top)}V{svg.number(bottom)}", class_="grid")
        )
        parts.append(tag("text", format_x(tick), x=x(tick), y=bottom + 16, class_="axis middle"))
    for place, pair in enumerate(pairs):
        at = top + (place + 0.5) * row
        parts.append(
            tag("text", svg.shortened(pair.label, left - 10), x=left - 10, y=at + 4, class_="label end")
        )
        parts.append(
            tag("path", d=svg.line_path([(x(pair.first), at), (x(pair.second), at)]), class_="joint")
        )
        told = svg.hover(pair.told)
        parts.append(tag("circle", told, cx=x(pair.first), cy=at, r=5, class_="dot hollow c2"))
        parts.append(tag("circle", told, cx=x(pair.second), cy=at, r=5, class_="dot c1"))
    return parts, bottom + 22


def _key(names: tuple[str, str], width: float) -> tuple[list[Markup], float]:
    """What the two dots are, above them and, where there is no room, in two lines; and how high that is."""
    second = 14 + svg.text_width(names[0]) * svg.BOLD + 20
    needed = second + 14 + svg.text_width(names[1]) * svg.BOLD
    x, y = (second, 9) if needed <= width else (5, 27)
    parts = [
        tag("circle", cx=5, cy=9, r=5, class_="dot hollow c2"),
        tag("text", names[0], x=14, y=13, class_="name c2"),
        tag("circle", cx=x, cy=y, r=5, class_="dot c1"),
        tag("text", names[1], x=x + 9, y=y + 4, class_="name c1"),
    ]
    return parts, y + 17.0


def sparkline(values: Sequence[float | None]) -> Markup:
    """A small line without axes that only shows which way it went; said aloud it would say nothing."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 3:
        return Markup("")
    x = Scale(0, len(values) - 1, 2, 94)
    y = Scale(min(value for _, value in known), max(value for _, value in known), 22, 4)
    points = [(x(place), y(value)) for place, value in known]
    return tag(
        "svg",
        tag("path", d=svg.line_path(points), class_="line c1"),
        tag("circle", cx=points[-1][0], cy=points[-1][1], r=2.5, class_="dot c1"),
        viewBox="0 0 98 26",
        width=98,
        height=26,
        class_="chart spark",
        aria_hidden="true",
        focusable="false",
    )
