"""Validate what suppliers sent and what readers would get, before anything is published."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import duckdb

from scripts.contract.check_history import keep_results
from scripts.contract.quality_limits import QualityLimits
from scripts.core.databases import work_options
from scripts.core.errors import CheckFailedError, ConfigurationError
from scripts.core.locking import warehouse_lock
from scripts.core.progress import LOGGER, start_logging
from scripts.core.runs import new_run_id, write_json
from scripts.core.settings import Settings
from scripts.publication.publications import current_publication
from scripts.validation.data_docs import IndexRow, index_page, make_readable_offline
from scripts.validation.results import FOUND, SuiteResult, ValidationResult

if TYPE_CHECKING:
    from scripts.validation.suites import Past

RESULT_FILE = "validation.json"

# What a message lists; the Data Docs have all.
LISTED_FINDINGS = 10


class ValidationFailedError(CheckFailedError):
    """A critical expectation failed, or a check could not run; `result` has everything."""

    def __init__(self, result: ValidationResult) -> None:
        self.result = result
        stopping = (*result.errors, *result.failures)
        listed = "\n".join(str(entry) for entry in stopping[:LISTED_FINDINGS])
        more = f"\n… and {len(stopping) - LISTED_FINDINGS} more." if len(stopping) > LISTED_FINDINGS else ""
        super().__init__(
            f"Validation stops the publication: {len(result.failures)} failed expectations, "
            f"{len(result.errors)} checks that could not run.\n{listed}{more}"
            + (f"\nEverything: {result.docs}" if result.docs else "")
        )


@dataclass(frozen=True)
class _Warehouse:
    """What the checks are chosen by. `tables`: the raw tables that have rows or had some."""

    as_of: date | None
    marts: tuple[str, ...]
    tables: frozenset[str]
    settings: dict[str, str]


def load_in_background() -> None:
    """Begin to import what `validate` needs, for a caller who has something else to wait for first.

    The thread is not a daemon: an interpreter that ends while libraries are loading may crash.
    """
    threading.Thread(target=import_module, args=("scripts.validation.runner",)).start()


def validate(settings: Settings, run_id: str, now: datetime | None = None) -> ValidationResult:
    """Check schema `raw` and schema `marts` of the build file; the caller holds the warehouse's lock.

    Writes the Data Docs and `validation.json` beside them, and what came of each check to
    `raw.check_results`, whatever was found. When this returns or raises, the build file is closed and may be
    written to. `now` is the time by the clock (default: the clock's).

    Raises `ValidationFailedError` (a `CheckFailedError`) when something stops the publication, and
    `ConfigurationError` when there is nothing to validate.
    """
    # Great Expectations takes seconds to import: not for those who ask for help only.
    from scripts.validation import mart_suites, raw_suites
    from scripts.validation.runner import run_suites

    moment = _utc(now)
    past = _past(settings, moment)
    suites = [*raw_suites.suites(past), *mart_suites.suites(past)]
    site = settings.scratch / f"data_docs-{run_id}"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    try:
        results, findings, errors, checks = run_suites(
            settings.build_database, suites, run_id, site, work_options(settings)
        )
        result = ValidationResult(
            run_id=run_id,
            as_of=past.as_of,
            suites=tuple(results),
            findings=tuple(findings),
            errors=tuple(errors),
            docs=settings.data_docs / "index.html",
        )
        _write_docs(settings, result, site)
    finally:
        shutil.rmtree(site, ignore_errors=True)
    keep_results(
        settings,
        run_id,
        moment,
        past.as_of,
        # What a company lacks has passed nothing.
        [
            check
            for check in checks
            if check.table.removeprefix("raw.") in (past.tables or ())
            or not check.table.startswith("raw.")
            or check.table == "raw.loads"
            or check.status in FOUND
        ],
    )
    return _tell(result)


def check_freshness(settings: Settings, run_id: str, now: datetime | None = None) -> ValidationResult | None:
    """Ask how old the newest rows are by the clock, for a night in which nothing new has come.

    None if the company has no limit of age. Else what was found is kept as that of a validation is, but the
    Data Docs stay those of the last validation. The caller holds the warehouse's lock. Raises
    `ValidationFailedError` when a table is too old to go on.
    """
    moment = _utc(now)
    past = _past(settings, moment)
    if not past.limits.asks_the_clock:
        return None
    from scripts.validation import raw_suites
    from scripts.validation.runner import run_suites

    site = settings.scratch / f"data_docs-{run_id}"
    try:
        results, findings, errors, checks = run_suites(
            settings.build_database, raw_suites.freshness_suites(past), run_id, site, work_options(settings)
        )
    finally:
        shutil.rmtree(site, ignore_errors=True)
    keep_results(settings, run_id, moment, past.as_of, checks)
    return _tell(
        ValidationResult(
            run_id=run_id,
            as_of=past.as_of,
            suites=tuple(results),
            findings=tuple(findings),
            errors=tuple(errors),
            docs=None,
        )
    )


def _utc(now: datetime | None) -> datetime:
    """UTC without a zone, as the warehouse keeps it."""
    return (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)


def _tell(result: ValidationResult) -> ValidationResult:
    """Log what was found; raise what stops."""
    for entry in (*result.errors, *result.failures):
        LOGGER.error("validate: %s", entry.headline)
    for entry in result.warnings:
        LOGGER.warning("validate: %s", entry.headline)
    if result.stops_publication:
        raise ValidationFailedError(result)
    return result


def _past(settings: Settings, moment: datetime) -> Past:
    """What the checks compare with: the last publication, and what the warehouse knows of the company."""
    from scripts.validation.raw_suites import newest_event
    from scripts.validation.suites import Past

    if not settings.build_database.exists():
        raise ConfigurationError(
            f"There is nothing to validate: {settings.build_database} does not exist. "
            "Land and build first: python -m scripts land --source NAME."
        )
    publication = current_publication(settings)
    published_as_of = publication.manifest.get("as_of_date") if publication else None
    warehouse = read_warehouse(settings.build_database, newest_event())
    zone = warehouse.settings.get("business_timezone", "UTC")
    return Past(
        as_of=warehouse.as_of,
        marts=warehouse.marts,
        published_rows=publication.rows if publication else {},
        published_as_of=date.fromisoformat(published_as_of) if published_as_of else None,
        tables=warehouse.tables,
        today=moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date(),
        limits=QualityLimits.from_settings(warehouse.settings),
    )


def read_warehouse(database: Path, newest_event: str) -> _Warehouse:
    """The last day the warehouse knows, its marts, its raw tables and the settings of its company.

    The day is the one that the build resolved, else what the query `newest_event` gives. None if there is
    no event, or no table that could hold one: the suites will say so.
    """
    as_of: date | None = None
    with duckdb.connect(str(database), read_only=True) as connection:

        def rows(query: str) -> list[tuple]:
            try:
                return connection.execute(query).fetchall()
            except (duckdb.CatalogException, duckdb.BinderException):
                return []

        for query in ('select "as_of_date" from "intermediate"."int_settings"', newest_event):
            found = rows(query)
            if found and found[0][0] is not None:
                as_of = found[0][0]
                break
        marts = rows(
            "select table_name from information_schema.tables where table_schema = 'marts' order by "
            "table_name"
        )
        return _Warehouse(
            as_of=as_of,
            marts=tuple(name for (name,) in marts),
            tables=frozenset(name for (name,) in rows('select distinct "table_name" from "raw"."loads"')),
            settings=dict(rows('select "name", "value" from "raw"."settings"')),
        )


def _write_docs(settings: Settings, result: ValidationResult, site: Path) -> None:
    """Finish the site and put it in the place of the former one."""
    make_readable_offline(site)
    # What the pages no longer use.
    shutil.rmtree(site / "static", ignore_errors=True)
    as_of = result.as_of.isoformat() if result.as_of else "an unknown day"
    rows = [_index_row(site, suite) for suite in result.suites]
    (site / "index.html").write_text(
        index_page(result.run_id, as_of, rows, result.report()), encoding="utf-8"
    )
    write_json(site / RESULT_FILE, result.to_dict())
    former = site.with_name(site.name + ".former")
    shutil.rmtree(former, ignore_errors=True)
    if settings.data_docs.exists():
        settings.data_docs.rename(former)
    site.rename(settings.data_docs)
    shutil.rmtree(former, ignore_errors=True)


def _index_row(site: Path, suite: SuiteResult) -> IndexRow:
    # Great Expectations makes a folder of each part of a suite's name: raw.orders lies in raw/orders.
    pages = sorted((site / "validations").joinpath(*suite.table.split(".")).rglob("*.html"))
    return IndexRow(
        name=suite.table,
        expectations=suite.expectations,
        failed=suite.failed,
        warnings=suite.warnings,
        errors=suite.errors,
        page=pages[0].relative_to(site).as_posix() if pages else None,
    )


@click.command()
def validate_command() -> None:
    """Check the landed data and the marts with Great Expectations; exit code 1 stops a publication."""
    start_logging()
    settings = Settings.from_environment()
    with warehouse_lock(settings, "validate"):
        try:
            result = validate(settings, new_run_id(settings))
        except ValidationFailedError as error:
            click.echo(error.result.table())
            raise
    click.echo(result.table())
    click.echo(result.report())
    click.echo(f"Data Docs: {result.docs}")
