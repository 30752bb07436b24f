"""The build file when customers are forgotten: open, build again without them, and write the file anew."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb

from scripts.build.dbt_runner import build, refresh_data_quality, start_dbt
from scripts.core.databases import BUILD_STORAGE_VERSION, open_database
from scripts.core.dbt_project import project_variables
from scripts.core.errors import CheckFailedError, ConfigurationError, TenureError
from scripts.core.runs import new_run_id, sync
from scripts.core.settings import Settings
from scripts.core.sql import literal
from scripts.publication.fingerprint import compute_fingerprint
from scripts.publication.publications import list_publications, publish


def open_build_file(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The build file for writing."""
    connection = open_database(settings, settings.build_database)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def business_timezone(settings: Settings, connection: duckdb.DuckDBPyConnection) -> str:
    """Where the company's days are cut, as landing recorded it, else the project's default."""
    row = connection.execute("select value from raw.settings where name = 'business_timezone'").fetchone()
    return row[0] if row else str(project_variables(settings).get("business_timezone", "UTC"))


def require_space(settings: Settings) -> None:
    """The build file is written anew beside itself, and so is each publication: ConfigurationError if the
    disk has no room for it.
    """
    largest = max(
        settings.build_database.stat().st_size,
        *(2 * one.manifest["database"]["bytes"] for one in list_publications(settings)),
        0,
    )
    free = shutil.disk_usage(settings.warehouse).free
    if free < 2 * largest:
        raise ConfigurationError(
            f"Forgetting writes all files anew and needs {2 * largest >> 20:,} MB; {settings.warehouse} has "
            f"{free >> 20:,} MB left. Nothing was changed."
        )


def rebuild(settings: Settings, as_of: date | None) -> CheckFailedError | None:
    """Build, validate and publish without them; gives what a check of the result found, if it stops it.

    What was written of rows until now, in logs and reports, goes first and is made anew.
    """
    # Great Expectations takes seconds to import: not for those who ask for help only.
    from scripts.validation.validate import validate

    for folder in (settings.dbt, settings.data_docs, settings.scratch):
        shutil.rmtree(folder, ignore_errors=True)
    with start_dbt(settings, as_of) as dbt:
        build(settings, as_of, dbt=dbt)
        run_id = new_run_id(settings)
        try:
            validate(settings, run_id)
            refresh_data_quality(settings, as_of, dbt)
            fingerprint = compute_fingerprint(settings, as_of)
            publish(settings, run_id, fingerprint=fingerprint, keep=len(list_publications(settings)) + 1)
        except CheckFailedError as error:
            return error
    return None


def empty_change_feed(settings: Settings) -> None:
    """Empty the notes of who and what was touched: the build has used them, and they name who went."""
    with open_build_file(settings) as connection:
        connection.execute("delete from raw.customer_changes")
        connection.execute("delete from raw.removed_rows")


def compact(settings: Settings) -> None:
    """Write the build file anew: what was deleted stays in free blocks until something is written over it.

    The new file takes the place of the old one in one step; if the run dies before, the old one stays.
    """
    settings.scratch.mkdir(exist_ok=True)
    fresh = settings.scratch / "compacting.duckdb"
    leftovers = (fresh, Path(f"{fresh}.wal"))
    for file in leftovers:
        file.unlink(missing_ok=True)
    try:
        with open_database(settings) as connection:
            # Called as dbt calls it: the views name it.
            connection.execute(f"attach {literal(str(settings.build_database))} as build")
            connection.execute("checkpoint build")
            connection.execute(
                f"attach {literal(str(fresh))} as fresh (storage_version {literal(BUILD_STORAGE_VERSION)})"
            )
            connection.execute("copy from database build to fresh")
            connection.execute("detach fresh")
            connection.execute("detach build")
        wal = Path(f"{settings.build_database}.wal")
        if wal.exists():
            raise TenureError(f"{wal} is still there after a checkpoint. Run forget again.")
        fresh.chmod(0o600)
        sync(fresh)
        fresh.replace(settings.build_database)
        sync(settings.warehouse)
    finally:
        for file in leftovers:
            file.unlink(missing_ok=True)
    shutil.rmtree(settings.scratch, ignore_errors=True)
