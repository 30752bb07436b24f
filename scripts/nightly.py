"""The night: lock, land, build, validate, publish, and say what came of it.

Each run leaves a record in `warehouse/runs/`, whatever happens to it. A night that finds the published marts
up to date already does no work twice.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from scripts.build.dbt_process import DbtProcess
from scripts.build.dbt_runner import (
    as_of_option,
    build,
    full_refresh_option,
    refresh_data_quality,
    start_dbt,
)
from scripts.core.errors import EXIT_DEFECT, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, TenureError
from scripts.core.locking import warehouse_lock
from scripts.core.progress import LOGGER, start_logging
from scripts.core.runs import RunRecord, counts_of, reserve_run_id
from scripts.core.settings import Settings
from scripts.publication import summary
from scripts.publication.fingerprint import compute_fingerprint
from scripts.publication.publications import Publication, current_publication, keep_option, publish


def run_night(
    settings: Settings,
    source: str,
    data: Path | None,
    *,
    as_of: date | None = None,
    full_refresh: bool = False,
    keep: int,
) -> Publication:
    """Run all steps; what readers have afterwards.

    `source` and `data` are as `--source` and `--data`; `keep` earlier publications stay. The record is
    written on every way out. Raises what the steps raise, each with its exit code, see
    `scripts/core/errors.py`.
    """
    run_id = reserve_run_id(settings)
    record = RunRecord(
        settings,
        run_id,
        source=source,
        data=str(data) if data else None,
        as_of=as_of.isoformat() if as_of else None,
        full_refresh=full_refresh,
    )
    try:
        # dbt reads the project while the data land.
        with warehouse_lock(settings, "nightly", run_id), start_dbt(settings, as_of) as dbt:
            publication, is_new = _run_steps(settings, record, dbt, source, data, as_of, full_refresh, keep)
    except TenureError as error:
        record.end("failed", error.exit_code, error)
        raise
    except click.ClickException as error:
        record.end("failed", EXIT_USAGE, error)
        raise
    except KeyboardInterrupt as error:
        record.end("interrupted", EXIT_INTERRUPTED, error)
        raise
    except SystemExit as error:
        record.end("interrupted", error.code if isinstance(error.code, int) else EXIT_DEFECT, error)
        raise
    except Exception as error:
        record.end("failed", EXIT_DEFECT, error)
        raise
    record.end("published" if is_new else "nothing_new", EXIT_OK)
    return publication


def _run_steps(
    settings: Settings,
    record: RunRecord,
    dbt: DbtProcess,
    source: str,
    data: Path | None,
    as_of: date | None,
    full_refresh: bool,
    keep: int,
) -> tuple[Publication, bool]:
    """Land, build, validate, publish; the current publication, and whether this run made it."""
    # Imported here: they bring libraries that take a second to load, which `--help` should not wait for.
    from scripts.landing.land import land
    from scripts.validation.validate import check_freshness, load_in_background, validate

    run_id = record.content["run_id"]
    with record.step("land") as entry:
        entry["counts"] = counts_of(land(settings, source, data))

    fingerprint = compute_fingerprint(settings, as_of)
    current = current_publication(settings)
    if not full_refresh and current is not None and current.manifest["fingerprint"] == fingerprint:
        _note_publication(record, current)
        record.skip("build")
        # That nothing comes is what nobody else would notice.
        with record.step("validate") as entry:
            fresh = check_freshness(settings, run_id)
            entry["counts"] = counts_of(fresh)
            if fresh is None:
                entry["status"] = "skipped"
        record.skip("publish")
        LOGGER.info(
            "Nothing new since publication %s of %s: nothing to build, validate or publish.",
            current.run_id,
            current.manifest["published_at"],
        )
        return current, False

    load_in_background()
    with record.step("build") as entry:
        entry["counts"] = counts_of(build(settings, as_of, full_refresh, dbt=dbt, run_id=run_id))
    with record.step("validate") as entry:
        entry["counts"] = counts_of(validate(settings, run_id))
        refresh_data_quality(settings, as_of, dbt)
    with record.step("publish") as entry:
        publication = publish(settings, run_id, fingerprint=fingerprint, keep=keep)
        entry["counts"] = {"marts": publication.rows}
        _note_publication(record, publication)
    return publication, True


def _note_publication(record: RunRecord, publication: Publication) -> None:
    record.content["publication"] = {
        "run_id": publication.run_id,
        "path": str(publication.path),
        "as_of_date": publication.manifest["as_of_date"],
        "marts": publication.rows,
    }


@click.command()
@click.option(
    "--source",
    required=True,
    metavar="NAME|FILE",
    help="An adapter in sources/ by name, or the path of an adapter file.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the adapter's file patterns start; default: TENURE_DATA, or what the adapter says.",
)
@as_of_option
@full_refresh_option
@keep_option
def nightly_command(
    source: str, data: Path | None, as_of: date | None, full_refresh: bool, keep: int
) -> None:
    """Land, build, validate and publish in one go, and print the headline figures.

    Nothing is published unless every check passes. What a run did is kept in warehouse/runs/.
    """
    start_logging()
    settings = Settings.from_environment()
    run_night(settings, source, data, as_of=as_of, full_refresh=full_refresh, keep=keep)
    click.echo(summary.summarize(settings))
