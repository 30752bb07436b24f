"""Lines over an axis: a rate over time with its band, or curves that fall in steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from scripts.report.charts import svg
from scripts.report.charts.svg import Scale, group, tag


@dataclass(frozen=True)
class Line:
    """A line with its name at its end; None is a gap. `band` has the ends of the interval of each point."""

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: str = "c1"
    band: Sequence[tuple[float, float] | None] = ()
    hovers: Sequence[str] = ()
    is_reference: bool = False


@dataclass(frozen=True)
class Axes:
    """What the axes say. `unobserved` are stretches of the first axis that are hatched, with a word on it."""

    x_ticks: Sequence[tuple[float, str]]
    format_y: Callable[[float], str]
    y_low: float | None = None
    y_high: float | None = None
    unobserved: Sequence[tuple[float, float]] = ()
    unobserved_label: str = ""
    x_label: str = ""
    guides: Sequence[tuple[float, str]] = field(default=())


def plot_lines(
    name: str, width: float, height: float, lines: Sequence[Line], axes: Axes, *, is_step: bool = False
) -> list[Markup]:
    """The parts of the picture; the caller puts them into an `svg`."""
    values = [y for line in lines for _, y in line.points if y is not None]
    values += [end for line in lines for ends in line.band if ends for end in ends]
    low = min(values, default=0.0) if axes.y_low is None else axes.y_low
    high = max(values, default=1.0) if axes.y_high is None else axes.y_high
    ticks = svg.nice_ticks(low, high, 4 if height < 220 else 5)
    if axes.y_high is not None:
        ticks = [tick for tick in ticks if tick <= axes.y_high + 1e-9]
    labels = [axes.format_y(tick) for tick in ticks]
    named = [line for line in lines if line.name]
    right = max((svg.text_width(line.name) for line in named), default=0) * svg.BOLD + (12 if named else 8)
    right = min(right, width * 0.34)
    left = max(map(svg.text_width, labels)) + 8
    places = [x for line in lines for x, _ in line.points] or [0.0, 1.0]
    x_scale = Scale(min(places), max(places), left, width - right)
    bottom = height - (38 if axes.x_label else 24)
    y_scale = Scale(ticks[0], ticks[-1], bottom, 10)
    parts = [_grid(ticks, labels, x_scale, y_scale, left)]
    parts += _hatched(name, axes, x_scale, y_scale)
    parts += _x_axis(axes, x_scale, bottom, width, height)
    for line in lines:
        parts += _draw(line, x_scale, y_scale, is_step)
    parts += _names(named, x_scale, y_scale, width, right)
    return parts


def _grid(ticks: Sequence[float], labels: Sequence[str], x: Scale, y: Scale, left: float) -> Markup:
    return group(
        *(
            group(
                tag(
                    "path", d=f"M{svg.number(left)} {svg.number(y(tick))}H{svg.number(x.end)}", class_="grid"
                ),
                tag("text", label, x=left - 6, y=y(tick) + 4, class_="axis end"),
            )
            for tick, label in zip(ticks, labels, strict=True)
        )
    )


def _hatched(name: str, axes: Axes, x: Scale, y: Scale) -> list[Markup]:
    if not axes.unobserved:
        return []
    parts = [svg.hatching(f"{name}-h")]
    for start, end in axes.unobserved:
        left, right = max(x(start), x.start), min(x(end), x.end)
        parts.append(
            tag(
                "rect",
                x=left,
                y=y.end,
                width=max(right - left, 2),
                height=y.start - y.end,
                fill=f"url(#{name}-h)",
                class_="unobserved",
            )
        )
    left, right = (max(x(end), x.start) for end in axes.unobserved[0])
    # The note below the picture says it too.
    if svg.text_width(axes.unobserved_label, 11) <= right - left - 6:
        parts.append(tag("text", axes.unobserved_label, x=left + 4, y=y.start - 6, class_="note"))
    return parts


def _x_axis(axes: Axes, x: Scale, bottom: float, width: float, height: float) -> list[Markup]:
    parts = []
    free = -1e9
    for place, label in axes.x_ticks:
        half = svg.text_width(label) / 2
        centre = min(max(x(place), half), width - half)
        # A label that would touch the one before it is left out; its mark stays.
        parts.append(tag("path", d=f"M{svg.number(x(place))} {svg.number(bottom)}v4", class_="mark"))
        if centre - half > free + 6:
            parts.append(tag("text", label, x=centre, y=bottom + 17, class_="axis middle"))
            free = centre + half
    if axes.x_label:
        parts.append(tag("text", axes.x_label, x=(x.start + x.end) / 2, y=height - 4, class_="axis middle"))
    return parts


def _draw(line: Line, x: Scale, y: Scale, is_step: bool) -> list[Markup]:
    shape = (lambda points: svg.as_steps(_thinned(points))) if is_step else list
    parts = []
    for run in _runs(line):
        banded = [(at, ends) for at, _, ends in run if ends is not None]
        if len(banded) > 1:
            upper = shape([(x(at), y(ends[1])) for at, ends in banded])
            lower = shape([(x(at), y(ends[0])) for at, ends in banded])
            parts.append(
                tag("path", d=svg.line_path([*upper, *reversed(lower)]) + "Z", class_=f"band {line.colour}")
            )
        points = shape([(x(at), y(value)) for at, value, _ in run])
        kind = "reference" if line.is_reference else "line"
        if len(points) == 1:
            parts.append(tag("circle", cx=points[0][0], cy=points[0][1], r=3, class_=f"dot {line.colour}"))
        parts.append(tag("path", d=svg.line_path(points), class_=f"{kind} {line.colour}"))
    for (at, value), told in zip(line.points, line.hovers, strict=False):
        if value is not None:
            parts.append(tag("circle", svg.hover(told), cx=x(at), cy=y(value), r=6, class_="target"))
    return parts


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of several points on one pixel the last: a curve of a thousand days takes no more room than it needs.

    >>> _thinned([(0.0, 1.0), (5.0, 2.0), (5.2, 3.0), (6.0, 4.0)])
    [(0.0, 1.0), (5.2, 3.0), (6.0, 4.0)]
    """
    by_pixel = {int(x * 2): (x, y) for x, y in points}
    return list(by_pixel.values())


def _runs(line: Line) -> list[list[tuple[float, float, tuple[float, float] | None]]]:
    """The points between gaps, each with its interval."""
    bands = [*line.band, *[None] * (len(line.points) - len(line.band))]
    runs: list[list[tuple[float, float, tuple[float, float] | None]]] = [[]]
    for (at, value), ends in zip(line.points, bands, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value, ends))
    return [run for run in runs if run]


def _names(lines: Sequence[Line], x: Scale, y: Scale, width: float, right: float) -> list[Markup]:
    ends = []
    for line in lines:
        known = [(at, value) for at, value in line.points if value is not None]
        if known:
            ends.append((line, x(known[-1][0]), y(known[-1][1])))
    heights = svg.spread([end[2] for end in ends], 14, y.end + 4, y.start)
    return [
        tag(
            "text",
            svg.shortened(line.name, (right - 6) / svg.BOLD),
            x=min(at + 6, width - right + 6),
            y=place + 4,
            class_=f"name {line.colour}",
        )
        for (line, at, _), place in zip(ends, heights, strict=True)
    ]
