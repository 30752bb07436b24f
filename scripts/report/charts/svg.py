"""Elements, scales and paths of SVG. Colours are classes of `charts.css`: light and dark are one file."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

FONT = 12
# How much wider a text is in bold.
BOLD = 1.08
# Widths of letters at size 1 in a wide font, since none is at hand to measure by: thought too wide, a label
# leaves a gap; thought too narrow, it is cut.
_LETTER, _NARROW, _WIDE = 0.63, 0.38, 0.96


def tag(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """An element; texts and values are escaped, `None` is left out, `stroke_width` means `stroke-width`.

    >>> tag("text", "<b>", x=1.25, class_="axis", dx=None)
    Markup('<text x="1.2" class="axis">&lt;b&gt;</text>')
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), number(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, inside)


def number(value: object) -> object:
    """A coordinate to a tenth of a pixel, whole ones without a point; anything else as it is."""
    if isinstance(value, float):
        rounded = round(value, 1)
        return int(rounded) if rounded == int(rounded) else rounded
    return value


def group(*children: Markup, **attributes: object) -> Markup:
    """A `g` element."""
    return tag("g", *children, **attributes)


def hover(text: str) -> Markup:
    """What a browser shows while the pointer rests on the element around it; no script."""
    return tag("title", text)


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is, in pixels.

    >>> text_width("ill") < text_width("100") < text_width("MRR")
    True
    """
    return size * sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if letter in "%@MWmw…—·→<>=+~^#&" or unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    if letter in "iljtfr.,:;|'()[]/ \u00a0":
        return _NARROW
    return _LETTER if not letter.isupper() else 0.72


def shortened(text: str, width: float, size: float = FONT) -> str:
    """A text that fits into so many pixels, with an ellipsis where it is cut.

    >>> shortened("acquisition", 48)
    'acqui…'
    """
    if text_width(text, size) <= width:
        return text
    kept = text
    while len(kept) > 1 and text_width(kept + "…", size) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


@dataclass(frozen=True)
class Scale:
    """From values to pixels, in proportion."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        return self.start if not span else self.start + (value - self.low) / span * (self.end - self.start)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that span the values, about `count` of them.

    >>> nice_ticks(0, 93)
    [0, 20, 40, 60, 80, 100]
    >>> nice_ticks(0.81, 0.98, 4)
    [0.8, 0.85, 0.9, 0.95, 1.0]
    """
    if high <= low:
        high = low + (abs(low) or 1)
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def line_path(points: Iterable[tuple[float, float]]) -> str:
    """The `d` of a line through the points, in pixels.

    >>> line_path([(0.0, 1.0), (2.5, 3.0), (4.0, 3.0)])
    'M0 1L2.5 3H4'
    """
    written: list[str] = []
    former: tuple[object, object] | None = None
    for x, y in points:
        at = (number(float(x)), number(float(y)))
        if former is None:
            written.append(f"M{at[0]} {at[1]}")
        elif at[1] == former[1]:
            written.append(f"H{at[0]}")
        elif at[0] == former[0]:
            written.append(f"V{at[1]}")
        else:
            written.append(f"L{at[0]} {at[1]}")
        former = at
    return "".join(written)


def as_steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A curve that holds its value until the next point, as points of a line."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners


def svg(
    width: float, height: float, name: str, title: str, description: str, *children: Markup, size: str = ""
) -> Markup:
    """The whole picture, which a screen reader announces by its title and what it says.

    `name` makes its ids unique on the page; `size` is a class that says for which screens it is.
    """
    return tag(
        "svg",
        tag("title", title, id=f"{name}-t"),
        tag("desc", description, id=f"{name}-d"),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(float(width))} {number(float(height))}",
        width=number(float(width)),
        height=number(float(height)),
        class_=f"chart {size}".strip(),
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
    )


def hatching(name: str) -> Markup:
    """A pattern of diagonal lines: what has not been seen, or not to its end."""
    return tag(
        "defs",
        tag(
            "pattern",
            tag("path", d="M0 0V6", class_="hatch-line"),
            id=name,
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )


def spread(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Places of labels moved apart until they are `distance` from each other, within bounds, order kept.

    >>> spread([10, 12, 50], 10, 0, 100)
    [6.0, 16.0, 50.0]
    """
    order = sorted(range(len(places)), key=lambda one: places[one])
    moved = [float(places[one]) for one in order]
    for _ in range(60):
        for above, below in zip(range(len(moved)), range(1, len(moved)), strict=False):
            missing = distance - (moved[below] - moved[above])
            if missing > 1e-6:
                moved[above] -= missing / 2
                moved[below] += missing / 2
        if moved and moved[0] < low:
            moved[0] = low
        if moved and moved[-1] > high:
            moved[-1] = high
    result = [0.0] * len(moved)
    for place, one in enumerate(order):
        result[one] = round(moved[place], 1)
    return result
