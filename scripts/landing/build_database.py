"""The build file, opened for a landing; made first if there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from scripts.core.databases import BUILD_STORAGE_VERSION, open_database
from scripts.core.runs import sync
from scripts.core.settings import Settings
from scripts.core.sql import literal


@contextmanager
def build_database(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The build file for writing; a failed first landing leaves none behind."""
    is_new = not settings.build_database.exists()
    if is_new:
        _create_build_database(settings)
    connection = open_database(settings, settings.build_database)
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        yield connection
        connection.close()
    except BaseException:
        connection.close()
        if is_new:
            # The log first: without its database it would be taken for one of the next.
            for file in (Path(f"{settings.build_database}.wal"), settings.build_database):
                file.unlink(missing_ok=True)
        raise


def _create_build_database(settings: Settings) -> None:
    """An empty build file in one step: DuckDB cannot open one that it did not come to finish."""
    Path(f"{settings.build_database}.wal").unlink(missing_ok=True)
    settings.scratch.mkdir(exist_ok=True)
    fresh = settings.scratch / settings.build_database.name
    fresh.unlink(missing_ok=True)
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"attach {literal(str(fresh))} as fresh (storage_version {literal(BUILD_STORAGE_VERSION)})"
        )
    sync(fresh)
    fresh.rename(settings.build_database)
    sync(settings.warehouse)
