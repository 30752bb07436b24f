"""What a section is made of: figures, pictures, tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from scripts.report.charts import svg

# Pixels: in half a page, over a whole one, on a telephone.
HALF, WHOLE, NARROW = 540, 1120, 328


@dataclass(frozen=True)
class Table:
    """Rows under their headers; the first cell of each names it."""

    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    # Columns of words; the others are of numbers, and stand to the right.
    words: frozenset[int] = frozenset({0})


@dataclass(frozen=True)
class Picture:
    """A drawing with what it says in one sentence, its definition, its numbers, and the SQL that gave them.

    `draw` is called with a width, and gives the parts and the height.
    """

    name: str
    title: str
    reading: str
    definition: str
    statements: Sequence[str]
    table: Table
    draw: Callable[[str, int], tuple[Sequence[Markup], float]] | None = None
    is_wide: bool = False
    notes: Sequence[str] = ()
    # A table that is shown at once, beside the one of the drawing's numbers.
    shown: Table | None = None

    def drawings(self) -> list[Markup]:
        """The drawing for a screen and the one for a telephone, of which a page shows one."""
        if self.draw is None:
            return []
        drawn = []
        for size, width in (("roomy", WHOLE if self.is_wide else HALF), ("narrow", NARROW)):
            name = f"{self.name}-{size}"
            parts, height = self.draw(name, width)
            drawn.append(svg.svg(width, height, name, self.title, self.reading, *parts, size=size))
        return drawn


@dataclass(frozen=True)
class Figure:
    """A headline: what it is, its value, how it changed. `is_good` tells the colour, None is neither."""

    label: str
    value: str
    change: str = ""
    is_good: bool | None = None
    spark: Markup = field(default=Markup(""))
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A question with its pictures."""

    name: str
    title: str
    introduction: str
    pictures: Sequence[Picture] = ()
    figures: Sequence[Figure] = ()
