"""Put the report into a publication: a page in each language beside what it was drawn from.

It is a view of the marts and no part of them: not in the manifest, and a publication is as right without it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import duckdb

from scripts.core.databases import work_options
from scripts.core.errors import ConfigurationError
from scripts.core.locking import warehouse_lock
from scripts.core.permissions import make_public
from scripts.core.progress import LOGGER, show_live, start_logging
from scripts.core.runs import sync
from scripts.core.settings import Settings


def add_report(settings: Settings, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the pages of a publication that is being made into its folder; says so if that fails.

    Nobody is without figures because a picture of them could not be drawn.
    """
    show_live("  publish: the report")
    try:
        write_report(settings, folder, manifest)
    except Exception as error:
        LOGGER.warning(
            "publish: the report could not be written: %s: %s. The marts are published without it; "
            "`python -m scripts report` tries again.",
            type(error).__name__,
            str(error).split("\n")[0],
        )


def write_report(settings: Settings, folder: Path, manifest: Mapping[str, Any]) -> list[Path]:
    """Write the pages of a publication, or write them anew: who has one open keeps what they opened."""
    # Imported here: the libraries it takes are for nobody who only asks for `--help`.
    from scripts.report.page import make_pages

    with _open(settings, folder) as connection:
        pages = make_pages(connection, manifest)
    written = []
    for name, page in pages.items():
        unfinished = folder / f".{name}.making"
        # What a killed run left may be sealed already, and nobody can write to that.
        unfinished.unlink(missing_ok=True)
        try:
            unfinished.write_text(page, encoding="utf-8", newline="\n")
            make_public(unfinished)
            sync(unfinished)
            written.append(unfinished.replace(folder / name))
        finally:
            unfinished.unlink(missing_ok=True)
    sync(folder)
    return written


@contextmanager
def _open(settings: Settings, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The marts of a publication, read-only; what does not fit into memory lies beside them meanwhile."""
    spill = folder / ".spill"
    options = work_options(settings, spill)
    with duckdb.connect(str(folder / "analytics.duckdb"), read_only=True, config=options) as connection:
        yield connection
    shutil.rmtree(spill, ignore_errors=True)


@click.command()
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write each picture into DIR as well, as an SVG file of its own.",
)
def report_command(pictures: Path | None) -> None:
    """Draw the report of the current publication anew, in each language; builds nothing.

    A night writes it by itself; this is for after an upgrade, or when it could not.
    """
    from scripts.report.page import make_pictures

    start_logging()
    settings = Settings.from_environment()
    with warehouse_lock(settings, "report"):
        folder = settings.published.resolve()
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"Nothing is published in {settings.warehouse}. "
                "Publish first: python -m scripts nightly --source NAME."
            ) from error
        for page in write_report(settings, folder, manifest):
            click.echo(str(settings.published / page.name))
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            with _open(settings, folder) as connection:
                for name, picture in make_pictures(connection, manifest).items():
                    (pictures / name).write_text(picture, encoding="utf-8", newline="\n")
            click.echo(str(pictures))
