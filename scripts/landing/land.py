"""Landing: bring new and corrected files into `raw`, row by row against the raw contract.

Everything is checked before anything changes, and all changes of one landing are one transaction. For each
table rows read = rows accepted + rows rejected, and a reject keeps its reason, file, row and whole content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import duckdb

from scripts.core.databases import work_options
from scripts.core.dbt_project import project_variables
from scripts.core.errors import LandingError
from scripts.core.locking import warehouse_lock
from scripts.core.progress import LOGGER, start_logging
from scripts.core.settings import Settings
from scripts.core.sql import literal
from scripts.landing.adapters import Adapter, load_adapter
from scripts.landing.apply import Applied, apply_changes, apply_settings
from scripts.landing.build_database import build_database
from scripts.landing.checks import check_units
from scripts.landing.files import data_folder
from scripts.landing.inputs import Inputs
from scripts.landing.ledger import read_ledger
from scripts.landing.mapped_units import MappedUnit, load_units, map_units
from scripts.landing.results import LandingResult, TableCounts, counts_table
from scripts.landing.sandbox import Sandbox
from scripts.landing.units import find_units, identified, new_units, note_gone, tables_of
from scripts.personal_data.salt import read_salt
from scripts.personal_data.suppression import add_marks, read_marks


def land(
    settings: Settings, source: str, data: Path | None = None, now: datetime | None = None
) -> LandingResult:
    """Land what is new in `source` (an adapter's name or path); the caller holds the warehouse's lock.

    `now` is the time of the load (UTC, default: the clock's). Raises ConfigurationError or LandingError, and
    then the warehouse is as it was.
    """
    adapter = load_adapter(source, settings)
    folder = data_folder(adapter, data)
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    with (
        build_database(settings) as connection,
        Sandbox(settings.scratch / "landing", work_options(settings)) as sandbox,
    ):
        result = _land(settings, Inputs(adapter, folder, sandbox), moment, connection, sandbox)
    for message in result.messages:
        LOGGER.info("%s", message)
    assumed = _assumed_settings(adapter, project_variables(settings))
    if assumed:
        LOGGER.warning("%s", assumed)
        result = replace(result, messages=(*result.messages, assumed))
    return result


def _land(
    settings: Settings,
    inputs: Inputs,
    moment: datetime,
    connection: duckdb.DuckDBPyConnection,
    sandbox: Sandbox,
) -> LandingResult:
    """Find what is new, load it, map it, check it, and only then change the warehouse."""
    adapter = inputs.adapter
    messages: list[str] = []
    note = messages.append
    salt = read_salt(settings)
    marks = read_marks(settings, salt)
    ledger = read_ledger(connection, settings, adapter)
    units = identified(find_units(inputs, note), inputs, salt)
    new = new_units(units, ledger)
    note_gone(units, ledger, note)
    files, new_files = (Counter(unit.table.name for unit in some) for some in (units, new))
    unchanged = {
        table.name: TableCounts(files_unchanged=files[table.name] - new_files[table.name])
        for table in adapter.tables()
    }
    if not new:
        if not ledger:
            raise LandingError(f"{adapter.path}: not one file in {inputs.folder} to land.")
        changed = apply_settings(connection, adapter)
        return LandingResult(adapter.name, None, unchanged, tuple(messages), changed)
    mapped = map_units(load_units(new, inputs, sandbox, note), inputs, sandbox, note)
    sandbox.close_for_reading()
    connection.execute(f"attach {literal(str(sandbox.database))} as scratch (read_only)")
    try:
        applied = _check_and_apply(settings, connection, mapped, adapter, sandbox, moment, salt, marks)
    finally:
        connection.execute("detach scratch")
    counts = dict(unchanged)
    for name, count in applied.counts.items():
        counts[name] = replace(count, files_unchanged=unchanged[name].files_unchanged)
        _note_losses(name, count, messages)
    return LandingResult(adapter.name, applied.batch_id, counts, tuple(messages), applied.changed_vars)


def _check_and_apply(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    mapped: Sequence[MappedUnit],
    adapter: Adapter,
    sandbox: Sandbox,
    moment: datetime,
    salt: str,
    marks: frozenset[str],
) -> Applied:
    """Judge the rows, keep in mind whose orders must never come again, then change the warehouse."""
    new_marks = check_units(connection, mapped, adapter, sandbox, moment.date(), salt, marks)
    if new_marks:
        add_marks(settings, salt, new_marks)
    return apply_changes(connection, tables_of([one.unit for one in mapped]), adapter, moment)


def _note_losses(table: str, count: TableCounts, messages: list[str]) -> None:
    """Tell of rows that did not get in."""
    if count.rejected:
        messages.append(f"{table}: {_rows(count.rejected)} rejected; raw.rejects has the reasons")
    if count.forgotten:
        messages.append(
            f"{table}: {_rows(count.forgotten)} of forgotten customers left out: delete them where they "
            "come from"
        )


def _rows(count: int) -> str:
    """A count of rows in words.

    >>> _rows(1), _rows(2000)
    ('1 row', '2,000 rows')
    """
    return f"{count:,} row{'' if count == 1 else 's'}"


def _assumed_settings(adapter: Adapter, defaults: dict[str, Any]) -> str:
    """A message on the defaults that a company hardly means without having said so; empty if there are none.

    Amounts under a wrong currency look right.
    """
    effects = {
        "reporting_currency": "amounts are called {}",
        "business_timezone": "days and months are cut in {}",
    }
    missing = [name for name in effects if name not in adapter.variables]
    if not missing:
        return ""
    told = " and ".join(effects[name].format(defaults.get(name)) for name in missing)
    return (
        f"{adapter.path.name} does not say {' and '.join(missing)}, so {told}, the project's "
        f"default{'s' if len(missing) > 1 else ''}: say {'them' if len(missing) > 1 else 'it'} under `vars:`."
    )


@click.command("land")
@click.option(
    "--source",
    default="demo",
    show_default=True,
    metavar="NAME|FILE",
    help="An adapter in sources/ by name, or the path of an adapter file.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the adapter's file patterns start; default: TENURE_DATA, or what the adapter says.",
)
def land_command(source: str, data: Path | None) -> None:
    """Bring new and corrected files into the warehouse.

    Rows that break the raw contract are kept in raw.rejects with the reason. Files that were landed before
    and have not changed are skipped.
    """
    start_logging()
    settings = Settings.from_environment()
    with warehouse_lock(settings, "land"):
        result = land(settings, source, data)
    click.echo(counts_table(result))
    if result.batch_id is None:
        click.echo(f"Nothing new for {result.source_name}.")
    else:
        click.echo(f"Landed batch {result.batch_id} of {result.source_name}.")
