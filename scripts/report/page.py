"""The page: its sections in their order, put into the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scripts.core.progress import LOGGER
from scripts.report.language import PAGES, Language
from scripts.report.picture import Picture, Section
from scripts.report.reading import Reader, as_shown, readable
from scripts.report.sections import (
    churn,
    cohorts,
    headlines,
    health,
    mrr,
    nps,
    prediction,
    quality,
    retention,
    survival,
    value,
    winback,
)

# In the order in which one asks: how is it going, who stays, what is it worth, what do they say, who leaves.
SECTIONS: tuple[ModuleType, ...] = (
    *(headlines, cohorts, retention, survival, mrr),
    *(value, prediction, nps, churn, health, winback, quality),
)

# Nothing is fetched and nothing is run, whatever stands in the data.
CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
)

_FOLDER = Path(__file__).parent


def make_pages(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> dict[str, str]:
    """By file name, the page of each language, of a publication's database and its manifest."""
    reader = Reader(connection, manifest)
    return {file: make_page(reader, Language(code)) for code, file in PAGES.items()}


def make_page(reader: Reader, say: Language) -> str:
    """The page in one language."""
    sections, left_out = read_sections(reader, say)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html").render(
        say=say,
        reader=reader,
        sections=sections,
        left_out=left_out,
        as_shown=as_shown,
        policy=CONTENT_POLICY,
        source=readable(reader.manifest["source_name"]),
        style=_style("page.css") + _style("charts.css"),
        published_at=datetime.fromisoformat(reader.manifest["published_at"]),
    )


def read_sections(reader: Reader, say: Language) -> tuple[list[Section], list[str]]:
    """The sections that have something to show, and the titles of those that could not be drawn.

    One that fails takes no other with it: a publication of another version may lack a mart or a column.
    """
    sections, left_out = [], []
    for module in SECTIONS:
        name = module.__name__.rsplit(".", 1)[-1]
        try:
            section = module.section(reader, say)
        except Exception as error:
            # Said once, not in each language.
            if name not in reader.failed:
                LOGGER.warning("report: the section %s is left out: %s", name, str(error).split("\n")[0])
            reader.failed.add(name)
            left_out.append(say(f"{name}.title"))
            continue
        if section is not None:
            sections.append(replace(section, pictures=_without_gaps(section.pictures)))
    return sections, left_out


def _without_gaps(pictures: Sequence[Picture]) -> list[Picture]:
    """Two halves stand beside each other; one that would stand alone is drawn over the whole page."""
    placed: list[Picture] = []
    is_half_row = False
    for number, picture in enumerate(pictures):
        fills_row = picture.is_wide or picture.draw is None
        following = pictures[number + 1] if number + 1 < len(pictures) else None
        is_alone = following is None or following.is_wide or following.draw is None
        if not fills_row and not is_half_row and is_alone:
            picture, fills_row = replace(picture, is_wide=True), True
        is_half_row = not fills_row and not is_half_row
        placed.append(picture)
    return placed


def make_pictures(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> dict[str, str]:
    """By file name, each picture in English as an SVG file of its own, which brings its colours along."""
    reader = Reader(connection, manifest)
    sections, _ = read_sections(reader, Language("en"))
    style = f"<style>\n{_style('charts.css')}.chart {{ background: var(--surface); }}\n</style>"
    return {
        f"{picture.name}.svg": str(picture.drawings()[0]).replace("<title ", f"{style}<title ", 1) + "\n"
        for section in sections
        for picture in section.pictures
        if picture.draw is not None
    }


def _style(name: str) -> Markup:
    # A file of ours.
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704
