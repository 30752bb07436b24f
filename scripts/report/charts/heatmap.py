"""A table whose cells are coloured by their value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scripts.report.charts import svg
from scripts.report.charts.svg import tag

# As many shades as `charts.css` has.
SHADES = 9


@dataclass(frozen=True)
class Cell:
    """A value with what may stand in its cell, of which the first that has room does.

    An open one is not over yet, and hatched instead of coloured.
    """

    value: float | None
    told: Sequence[str] = ()
    hover: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class HeatRow:
    """A row with its label, a number beside it, and its cells from the first column on."""

    label: str
    size: str
    cells: Sequence[Cell]


def plot_heat(
    name: str,
    width: float,
    rows: Sequence[HeatRow],
    columns: Sequence[str],
    heads: tuple[str, str],
    highest: float,
) -> tuple[list[Markup], float]:
    """The parts of the picture and its height; `highest` is the value of the darkest shade.

    `heads` stand above the labels and the numbers beside them.
    """
    label_width = max(svg.text_width(text) for text in (heads[0], *(row.label for row in rows)))
    size_width = max(svg.text_width(text) for text in (heads[1], *(row.size for row in rows))) + 12
    left = label_width + size_width + 10
    side = min((width - left) / max(len(columns), 1), 64)
    height, top = 24.0, 24.0
    parts = [
        svg.hatching(f"{name}-h"),
        tag("text", heads[0], x=2, y=14, class_="axis"),
        tag("text", heads[1], x=left - 10, y=14, class_="axis end"),
    ]
    for place, column in enumerate(columns):
        parts.append(tag("text", column, x=left + (place + 0.5) * side, y=14, class_="axis middle"))
    for line, row in enumerate(rows):
        y = top + line * height
        parts.append(tag("text", row.label, x=2, y=y + 16, class_="label"))
        parts.append(tag("text", row.size, x=left - 10, y=y + 16, class_="axis end"))
        for place, cell in enumerate(row.cells[: len(columns)]):
            parts += _cell(name, cell, left + place * side, y, side, height, highest)
    return parts, top + len(rows) * height + 2


def _cell(
    name: str, cell: Cell, x: float, y: float, width: float, height: float, highest: float
) -> list[Markup]:
    box = {"x": x + 1, "y": y + 1, "width": width - 2, "height": height - 2, "rx": 2}
    hover = [svg.hover(cell.hover)] if cell.hover else []
    if cell.is_open:
        return [tag("rect", *hover, **box, fill=f"url(#{name}-h)", class_="open")]
    if cell.value is None:
        return []
    shade = min(int(max(cell.value, 0) / highest * SHADES), SHADES - 1) if highest > 0 else 0
    parts = [tag("rect", *hover, **box, class_=f"heat q{shade}")]
    told = next((text for text in cell.told if svg.text_width(text, 11) <= width + 2), None)
    if told:
        parts.append(tag("text", told, x=x + width / 2, y=y + 16, class_=f"cell middle on{shade}"))
    return parts
