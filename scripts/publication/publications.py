"""Give the marts to readers, in one step, and take that step back.

A publication is a folder `warehouse/publications/<run_id>/` with the DuckDB file, a Parquet file per mart, a
manifest and the report. It is made under another name, checked, and never changed after that, but for the
report, which may be drawn anew. `warehouse/published` is a
symbolic link to the current one: replacing the link is the one step that changes all that readers see.
Whoever wants the three to agree while a night ends resolves the link once and opens everything below that.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import duckdb

from scripts.contract.raw_tables import TABLES, stored_name
from scripts.core.databases import open_database
from scripts.core.errors import CheckFailedError, ConfigurationError, TenureError
from scripts.core.locking import DUCKDB_LOCK_MESSAGE, warehouse_lock
from scripts.core.permissions import make_public
from scripts.core.progress import LOGGER, show_live, start_logging
from scripts.core.runs import new_run_id, run_order, sync, write_json
from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.publication.report import add_report

# Files of this version open in every DuckDB client since 1.0, which most BI tools' drivers are behind.
# The views for people; their SQL is that of models/simple.
SIMPLE_SCHEMA = "simple"
STORAGE_VERSION = "v1.0.0"

# How many publications are kept besides the current one.
DEFAULT_KEEP = 7

# Whoever was sent to a publication while it was the current one may open its files by name for so long after.
GRACE = timedelta(hours=1)

TOOLS = ("dbt-core", "dbt-duckdb", "duckdb", "great-expectations")

# Personal data that landing hashes or drops; no mart may have a column of such a name.
PERSONAL_COLUMNS = frozenset(
    name
    for table in TABLES.values()
    for column in table.columns
    if column.is_email
    for name in (column.name, stored_name(column))
)


@dataclass(frozen=True)
class Publication:
    """One publication on disk; `manifest` is the content of its `manifest.json`."""

    run_id: str
    path: Path
    manifest: dict[str, Any]

    @property
    def rows(self) -> dict[str, int]:
        """Rows per mart."""
        return {name: mart["rows"] for name, mart in self.manifest["marts"].items()}


@dataclass(frozen=True)
class _Mart:
    """A mart as the build file has it; `columns` are (name, type, comment).

    `key` names the columns that identify a row; empty where nobody has declared them. `content` is a hash of
    its rows, whatever their order: of two that are alike, the rows are too.
    """

    name: str
    comment: str | None
    columns: tuple[tuple[str, str, str | None], ...]
    key: tuple[str, ...]
    rows: int
    content: str

    @property
    def signature(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, kind) for name, kind, _ in self.columns)


def publications_folder(settings: Settings) -> Path:
    """Where the publications lie, one folder each."""
    return settings.warehouse / "publications"


def list_publications(settings: Settings) -> list[Publication]:
    """All complete publications, oldest first."""
    folder = publications_folder(settings)
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        try:
            manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            # No publication, or one that a night has just removed: `rollback --list` takes no lock.
            continue
        found.append(Publication(path.name, path, manifest))
    return sorted(found, key=lambda publication: run_order(publication.run_id))


def current_publication(settings: Settings) -> Publication | None:
    """What readers get now; None before the first publication, or if somebody removed it."""
    if not all((settings.published / file).is_file() for file in ("manifest.json", "analytics.duckdb")):
        return None
    path = settings.published.resolve()
    return Publication(path.name, path, json.loads((path / "manifest.json").read_text(encoding="utf-8")))


def publish(
    settings: Settings, run_id: str, *, fingerprint: str | None = None, keep: int = DEFAULT_KEEP
) -> Publication:
    """Publish the marts of the build file; the caller holds the warehouse's lock.

    `fingerprint` stands for all that the marts were made from, see
    `scripts/publication/fingerprint.py`; `keep` earlier publications stay. Readers see the former publication
    until the last step, and if anything fails.

    Raises `ConfigurationError` if there are no marts, `CheckFailedError` if a mart would show personal data
    or what was written is not what was built.
    """
    if not settings.build_database.exists():
        raise ConfigurationError(
            f"There is nothing to publish: {settings.build_database} does not exist. "
            "Land and build first: python -m scripts nightly --source NAME."
        )
    if settings.published.exists() and not settings.published.is_symlink():
        raise ConfigurationError(
            f"{settings.published} is not a link made by a publication. Move it away, then publish again."
        )
    folder = publications_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    make_public(folder, writable=True)
    work = folder / f".{run_id}.making"
    final = folder / run_id
    if final.exists():
        raise ConfigurationError(f"There is a publication {run_id} already: {final}.")
    try:
        (work / "parquet").mkdir(parents=True)
        manifest = _write(settings, work, run_id, fingerprint)
        add_report(settings, work, manifest)
        _seal(work)
        work.rename(final)
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if DUCKDB_LOCK_MESSAGE in str(error):
            raise
        raise TenureError(
            f"Could not write the publication: {error}. Readers keep the former one."
        ) from error
    finally:
        show_live("")
        shutil.rmtree(work, ignore_errors=True)
    _point_to(settings, final)
    _prune(settings, keep)
    LOGGER.info("publish: %d marts, %s rows: %s", len(manifest["marts"]), _total_rows(manifest), final)
    return Publication(run_id, final, manifest)


def rollback(settings: Settings, run_id: str | None = None) -> Publication:
    """Let readers have an earlier publication again: the named one, or the one before the current.

    The caller holds the warehouse's lock. Raises `ConfigurationError` if there is no such publication, or it
    is damaged; readers then keep what they have.
    """
    publications = {publication.run_id: publication for publication in list_publications(settings)}
    current = current_publication(settings)
    if run_id is None:
        if current is None:
            raise ConfigurationError("Nothing is published, so there is nothing to roll back.")
        earlier = [one for one in publications if run_order(one) < run_order(current.run_id)]
        if not earlier:
            raise ConfigurationError(f"There is no publication before {current.run_id}, the current one.")
        run_id = max(earlier, key=run_order)
    if run_id not in publications:
        known = ", ".join(publications) or "none"
        raise ConfigurationError(f"There is no publication {run_id}. There are: {known}.")
    target = publications[run_id]
    try:
        _check(target.path, target.manifest)
    except (CheckFailedError, OSError, duckdb.Error) as error:
        raise ConfigurationError(
            f"Publication {run_id} is damaged: {error} Choose another: python -m scripts rollback --list."
        ) from error
    _point_to(settings, target.path)
    return target


def tool_versions() -> dict[str, str]:
    """The versions of what makes a publication."""
    return {"python": platform.python_version()} | {name: version(name) for name in TOOLS}


def _write(settings: Settings, work: Path, run_id: str, fingerprint: str | None) -> dict[str, Any]:
    """Write the three parts into `work` and hold them against the build file; the manifest."""
    with _workshop(settings, work) as connection:
        connection.execute(f"attach {literal(str(settings.build_database))} as build (read_only)")
        origin = _read_origin(connection)
        marts = _copy_marts(connection, work, _read_keys(connection), current_publication(settings))
    manifest = {
        "run_id": run_id,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **origin,
        "fingerprint": fingerprint,
        "tools": tool_versions(),
        **_describe(work, marts),
    }
    _check(work, manifest)
    write_json(work / "manifest.json", manifest)
    return manifest


@contextmanager
def _workshop(settings: Settings, work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that writes into `work` and leaves nothing else there."""
    with open_database(settings, spill=work / ".spill") as connection:
        yield connection
    shutil.rmtree(work / ".spill", ignore_errors=True)


def _copy_marts(
    connection: duckdb.DuckDBPyConnection,
    work: Path,
    keys: Mapping[str, tuple[str, ...]],
    former: Publication | None = None,
) -> list[_Mart]:
    """Write the marts of the attached database `build` as a database and as Parquet files.

    The Parquet file of a mart that has not changed since the publication `former` is carried over. The
    database is always written anew: a copy of the former one, with some tables replaced, would keep what they
    held in its free blocks, also what was forgotten.
    """
    connection.execute(
        f"attach {literal(str(work / 'analytics.duckdb'))} as target "
        f"(storage_version {literal(STORAGE_VERSION)})"
    )
    connection.execute("create schema target.marts")
    marts = _read_marts(connection, keys)
    for number, mart in enumerate(marts, start=1):
        show_live(f"  publish: {number} of {len(marts)}, {mart.name}")
        parquet = work / "parquet" / f"{mart.name}.parquet"
        _copy(connection, mart)
        if not (former and _carry_over(mart, former, parquet)):
            _write_parquet(connection, mart, parquet)
    _copy_views(connection)
    connection.execute("detach target")
    return marts


def _copy_views(connection: duckdb.DuckDBPyConnection) -> None:
    """The views for people, which name the marts without the database, with their descriptions."""
    in_schema = f"database_name = 'build' and schema_name = {literal(SIMPLE_SCHEMA)}"
    views = connection.execute(
        f"select view_name, sql, comment from duckdb_views() where {in_schema} order by view_name"
    ).fetchall()
    if not views:
        # Built by an older version.
        return
    connection.execute(f"create schema target.{SIMPLE_SCHEMA}")
    connection.execute("use target")
    try:
        for name, sql, comment in views:
            connection.execute(sql)
            view = f"{SIMPLE_SCHEMA}.{identifier(name)}"
            if comment is not None:
                connection.execute(f"comment on view {view} is {literal(comment)}")
            columns = connection.execute(
                f"select column_name, comment from duckdb_columns() where {in_schema} "
                "and table_name = ? and comment is not null",
                [name],
            ).fetchall()
            for column, told in columns:
                connection.execute(f"comment on column {view}.{identifier(column)} is {literal(told)}")
    finally:
        connection.execute("use memory")


def _describe(work: Path, marts: list[_Mart]) -> dict[str, Any]:
    """The part of the manifest that tells what was written."""
    database = work / "analytics.duckdb"
    return {
        "database": {"path": database.name, "bytes": database.stat().st_size, "sha256": _sha256(database)},
        "marts": {
            mart.name: {
                "rows": mart.rows,
                "content": mart.content,
                "key": list(mart.key),
                "columns": [{"name": name, "type": kind} for name, kind in mart.signature],
                **_describe_file(work, Path("parquet") / f"{mart.name}.parquet"),
            }
            for mart in marts
        },
    }


def rewrite(
    settings: Settings,
    publication: Publication,
    run_id: str,
    edit: Callable[[duckdb.DuckDBPyConnection], None],
) -> Publication:
    """Make a publication anew with `edit` done to its marts; the caller holds the warehouse's lock.

    `edit` finds them as `build.marts`. Under another `run_id` the new one stands beside the former, and if
    the former is the current one, readers are pointed to the new one in one step. Under the same it takes
    its place, which is for publications that readers do not have; if the run dies just then, it is gone.
    """
    folder = publications_folder(settings)
    work, final = folder / f".{run_id}.making", folder / run_id
    shutil.rmtree(work, ignore_errors=True)
    is_current = settings.published.resolve() == publication.path.resolve()
    try:
        (work / "parquet").mkdir(parents=True)
        edited = work / "edited.duckdb"
        shutil.copyfile(publication.path / "analytics.duckdb", edited)
        with _workshop(settings, work) as connection:
            connection.execute(f"attach {literal(str(edited))} as build")
            edit(connection)
            keys = {name: tuple(mart.get("key", ())) for name, mart in publication.manifest["marts"].items()}
            marts = _copy_marts(connection, work, keys)
        edited.unlink()
        manifest = publication.manifest | {
            "run_id": run_id,
            # The next night has to make it anew.
            "fingerprint": None,
            "personal_data_removed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **_describe(work, marts),
        }
        _check(work, manifest)
        write_json(work / "manifest.json", manifest)
        add_report(settings, work, manifest)
        _seal(work)
        if run_id == publication.run_id:
            remove(publication)
        work.rename(final)
    finally:
        show_live("")
        shutil.rmtree(work, ignore_errors=True)
    if is_current:
        _point_to(settings, final)
    return Publication(run_id, final, manifest)


def remove(publication: Publication) -> None:
    """Remove a publication that no reader is pointed to."""
    # Renamed first: half a publication must never look like one.
    doomed = publication.path.with_name(f".{publication.run_id}.removing")
    publication.path.rename(doomed)
    shutil.rmtree(doomed)


def _read_keys(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """The columns that identify a row of each mart; macros/table_rules.sql leaves them in the build file."""
    try:
        keys = connection.execute(
            "select mart_name, key_columns from build.intermediate.mart_keys"
        ).fetchall()
    except duckdb.CatalogException:
        # Built by an older version.
        return {}
    return {name: tuple(columns.split(", ")) for name, columns in keys if columns}


def _read_marts(connection: duckdb.DuckDBPyConnection, keys: Mapping[str, tuple[str, ...]]) -> list[_Mart]:
    """What stands in schema `marts` of the attached build file, by name."""
    comments = dict(
        connection.execute(
            """
            select table_name, comment from duckdb_tables()
            where database_name = 'build' and schema_name = 'marts'
            union all
            select view_name, comment from duckdb_views()
            where database_name = 'build' and schema_name = 'marts'
            """
        ).fetchall()
    )
    marts = []
    for name in sorted(comments):
        columns = connection.execute(
            """
            select column_name, data_type, comment from duckdb_columns()
            where database_name = 'build' and schema_name = 'marts' and table_name = ?
            order by column_index
            """,
            [name],
        ).fetchall()
        personal = PERSONAL_COLUMNS.intersection(column.lower() for column, _, _ in columns)
        if personal:
            raise CheckFailedError(
                f"Mart {name} has the column {', '.join(sorted(personal))}: personal data is not "
                "published. Remove it from the model."
            )
        # Twice the width of one hash, so that not even a great many rows are alike by accident.
        rows, *hashes = connection.execute(
            "select count(*), coalesce(sum(hash(mart)), 0), coalesce(bit_xor(hash(mart)), 0) "
            f"from build.marts.{identifier(name)} as mart"
        ).fetchone()
        content = "-".join(f"{number:x}" for number in (rows, *map(int, hashes)))
        # A mart that somebody has made by hand may be called like one of the project.
        key = keys.get(name, ())
        if not set(key) <= {column for column, _, _ in columns}:
            key = ()
        marts.append(_Mart(name, comments[name], tuple(columns), key, rows, content))
    if not marts:
        raise ConfigurationError(
            "There is nothing to publish: the build file holds no marts. "
            "Build them first: python -m scripts build."
        )
    return marts


def _read_origin(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """As-of date, currency and time zone, source and batch of what was built, and how many rows were refused.

    `own_rules` are the rule files that are the company's own. Rows are those of the current loads: of a
    corrected file only its last delivery counts.
    """
    try:
        company = connection.execute(
            """
            select
                as_of_date, reporting_currency, business_timezone,
                as_of_table, planned_subscriptions, planned_departures, later_events
            from build.intermediate.int_settings
            """
        ).fetchone()
        load = connection.execute(
            """
            select
                max(source_name), max(batch_id),
                cast(coalesce(sum(rows_read) filter (where is_current), 0) as bigint),
                cast(coalesce(sum(rows_rejected) filter (where is_current), 0) as bigint)
            from build.raw.loads
            """
        ).fetchone()
        # A build file that nobody has landed into has no settings.
        has_settings = connection.execute(
            "select 1 from duckdb_tables() where database_name = 'build' and schema_name = 'raw' "
            "and table_name = 'settings'"
        ).fetchone()
        own_rules = (
            connection.execute(
                "select substr(name, 7) from build.raw.settings where name like 'rules.%' order by 1"
            ).fetchall()
            if has_settings
            else []
        )
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ConfigurationError(
            f"The build file is not complete: {str(error).splitlines()[0]} "
            "Build first: python -m scripts build."
        ) from error
    if company is None or company[0] is None:
        raise ConfigurationError(
            "The build file knows no as-of date: it was built from no events at all. "
            "Land orders, subscriptions or survey responses, then build."
        )
    names = (
        "as_of_date",
        "reporting_currency",
        "business_timezone",
        "as_of_table",
        "planned_subscriptions",
        "planned_departures",
        "later_events",
        "source_name",
        "batch_id",
        "rows_read",
        "rows_rejected",
    )
    values = (company[0].isoformat(), *company[1:], *(load or (None, None, 0, 0)))
    origin = dict(zip(names, values, strict=True))
    return origin | {
        "own_rules": [name for (name,) in own_rules],
        "as_of_row": _row_that_tells_as_of(connection, company[3], company[0]),
    }


def _row_that_tells_as_of(
    connection: duckdb.DuckDBPyConnection, table: str | None, as_of: date
) -> dict[str, Any] | None:
    """File and row (1-based) of an event of the last day; None if the company gave the day."""
    if table is None:
        return None
    relation = f"stg_{table}"
    days = connection.execute(
        "select column_name from duckdb_columns() where database_name = 'build' and schema_name = 'staging' "
        "and table_name = ? and ends_with(column_name, '_on') and column_name <> 'ended_on'",
        [relation],
    ).fetchall()
    if not days:
        return None
    found = connection.execute(
        f"""
        select _source_file, _source_row
        from build.raw.{identifier(table)}
        where _row_key in (
            select _row_key from build.staging.{identifier(relation)}
            where {" or ".join(f"{identifier(day)} = $1" for (day,) in days)}
        )
        order by _file_sequence desc, _source_row
        limit 1
        """,
        [as_of],
    ).fetchone()
    return {"file": found[0], "row": found[1]} if found else None


def _copy(connection: duckdb.DuckDBPyConnection, mart: _Mart) -> None:
    """One mart with its descriptions into the target.

    Sorted by its key: the same marts give the same Parquet file, and readers who filter by key skip most of
    it.
    """
    table = f"target.marts.{identifier(mart.name)}"
    order = ", ".join(map(identifier, mart.key)) or "all"
    connection.execute(
        f"create table {table} as select * from build.marts.{identifier(mart.name)} order by {order}"
    )
    # Statements about comments take no parameters.
    if mart.comment is not None:
        connection.execute(f"comment on table {table} is {literal(mart.comment)}")
    for column, _, comment in mart.columns:
        if comment is not None:
            connection.execute(f"comment on column {table}.{identifier(column)} is {literal(comment)}")


def _write_parquet(connection: duckdb.DuckDBPyConnection, mart: _Mart, parquet: Path) -> None:
    connection.execute(
        f"copy target.marts.{identifier(mart.name)} to {literal(str(parquet))} "
        "(format parquet, compression zstd)"
    )


def _carry_over(mart: _Mart, former: Publication, parquet: Path) -> bool:
    """Give the former publication's file a second name, if it holds the same rows and is whole.

    Nobody ever writes to a published file, so what one publication shows cannot change under another.
    """
    known = former.manifest["marts"].get(mart.name, {})
    columns = [{"name": name, "type": kind} for name, kind in mart.signature]
    # Another DuckDB may hash otherwise; so that the same version writes the same file, it writes it anew.
    if former.manifest["tools"].get("duckdb") != version("duckdb"):
        return False
    if (known.get("content"), known.get("columns")) != (mart.content, columns):
        return False
    file = former.path / known["parquet"]
    try:
        if _sha256(file) != known["sha256"]:
            return False
        parquet.hardlink_to(file)
    except OSError:
        # A file that is not there, or a file system without such names.
        return False
    return True


def _check(folder: Path, manifest: dict[str, Any]) -> None:
    """Open what lies in `folder` as a reader would and hold it against the manifest.

    Raises `CheckFailedError` with the first difference.
    """
    with duckdb.connect(str(folder / "analytics.duckdb"), read_only=True) as connection:
        tables = {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        }
        if tables != set(manifest["marts"]):
            difference = ", ".join(sorted(tables ^ set(manifest["marts"])))
            raise CheckFailedError(
                f"analytics.duckdb and the manifest disagree about the marts {difference}."
            )
        for name, mart in manifest["marts"].items():
            expected = [(column["name"], column["type"]) for column in mart["columns"]]
            for relation, where in (
                (f"marts.{identifier(name)}", "analytics.duckdb"),
                (f"read_parquet({literal(str(folder / mart['parquet']))})", mart["parquet"]),
            ):
                described = connection.execute(f"describe select * from {relation}").fetchall()
                columns = [(row[0], row[1]) for row in described]
                if columns != expected:
                    raise CheckFailedError(
                        f"{name} in {where} has the columns {columns}, the build file {expected}."
                    )
                counted = connection.execute(f"select count(*) from {relation}").fetchone()
                if counted is None or counted[0] != mart["rows"]:
                    raise CheckFailedError(
                        f"{name} in {where} has {counted and counted[0]} rows, the build file {mart['rows']}."
                    )


def _describe_file(folder: Path, parquet: Path) -> dict[str, Any]:
    file = folder / parquet
    return {"parquet": str(parquet), "bytes": file.stat().st_size, "sha256": _sha256(file)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(folder: Path) -> None:
    """Open it to readers, read-only, and see that it is on the disk before anybody is pointed at it."""
    for path in (*sorted(folder.rglob("*")), folder):
        make_public(path, writable=path.is_dir())
        sync(path)


def _point_to(settings: Settings, publication: Path) -> None:
    """The one step: replace the link, which stays valid when the warehouse is moved."""
    if settings.published.exists():
        # From now on its grace runs: a folder's time says until when readers were sent to it.
        os.utime(settings.published)
    sync(publication.parent)
    temporary = settings.warehouse / f".published.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(publication.relative_to(settings.warehouse))
    temporary.replace(settings.published)
    sync(settings.warehouse)


def _prune(settings: Settings, keep: int) -> None:
    """Remove old publications: all but the current, the last `keep` others, what a link points to, and what
    was the current one less than `GRACE` ago.
    """
    linked = {
        path.resolve()
        for folder in (settings.warehouse, publications_folder(settings))
        for path in folder.iterdir()
        if path.is_symlink()
    }
    candidates = [one for one in list_publications(settings) if one.path.resolve() not in linked]
    now = datetime.now(UTC).timestamp()
    for publication in candidates[: max(len(candidates) - keep, 0)]:
        if now - publication.path.stat().st_mtime < GRACE.total_seconds():
            continue
        remove(publication)
        LOGGER.info("publish: removed the old publication %s", publication.run_id)


def _total_rows(manifest: dict[str, Any]) -> str:
    return f"{sum(mart['rows'] for mart in manifest['marts'].values()):,}"


keep_option = click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=DEFAULT_KEEP,
    show_default=True,
    help="How many earlier publications to keep besides the current one.",
)


@click.command()
@keep_option
def publish_command(keep: int) -> None:
    """Publish the marts as they were last built, in one step; asks no check."""
    start_logging()
    settings = Settings.from_environment()
    with warehouse_lock(settings, "publish"):
        publication = publish(settings, new_run_id(settings), keep=keep)
    click.echo(f"Published {publication.run_id}: {settings.analytics_database}")


@click.command()
@click.argument("run_id", required=False)
@click.option(
    "--list", "only_list", is_flag=True, help="Show the publications there are, and change nothing."
)
def rollback_command(run_id: str | None, only_list: bool) -> None:
    """Give readers the previous publication again, or the one named RUN_ID.

    It holds until something is published again: correct the cause before the next night.
    """
    start_logging()
    settings = Settings.from_environment()
    if only_list:
        click.echo(_listing(settings))
        return
    with warehouse_lock(settings, "rollback"):
        publication = rollback(settings, run_id)
    click.echo(f"Readers have {publication.run_id} again: {settings.analytics_database}")
    click.echo("This lasts until the next night publishes again: correct the cause before that.")


def _listing(settings: Settings) -> str:
    """The publications, newest first, the current one marked."""
    publications = list_publications(settings)
    if not publications:
        return f"Nothing is published in {settings.warehouse}."
    current = current_publication(settings)
    lines = []
    for publication in reversed(publications):
        mark = "*" if current and publication.run_id == current.run_id else " "
        manifest = publication.manifest
        lines.append(
            f"{mark} {publication.run_id}  as of {manifest['as_of_date']}  "
            f"{len(manifest['marts'])} marts, {_total_rows(manifest)} rows  "
            f"from {manifest['source_name']}, batch {manifest['batch_id']}"
        )
    return "\n".join(lines)
