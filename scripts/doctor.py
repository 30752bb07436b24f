"""`doctor`: what is missing or odd in the environment, a warehouse, an adapter. It changes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click
import duckdb
from filelock import lock_descriptor

from scripts.contract.rule_files import check_rules
from scripts.core.databases import available_memory, memory_limit
from scripts.core.errors import EXIT_CHECK_FAILED, TenureError
from scripts.core.locking import DUCKDB_LOCK_MESSAGE, describe_holder
from scripts.core.runs import run_order
from scripts.core.settings import Settings
from scripts.core.sql import error_line
from scripts.core.text import nearest
from scripts.landing.adapters import Adapter, Postgres, load_adapter
from scripts.landing.files import data_folder, find_files
from scripts.publication.publications import current_publication

GOOD, ODD, WRONG = "good", "odd", "wrong"
# What stands in the environment of a run.
VARIABLES = ("TENURE_WAREHOUSE", "TENURE_DATA", "TENURE_HASH_SALT", "TENURE_MEMORY_LIMIT")
# A night of a small company needs some hundred megabytes, for itself and the publications that are kept.
_FREE_BYTES = 1 << 30
_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class Finding:
    """What was seen of one thing: `state` is good, odd (a night runs all the same) or wrong."""

    state: str
    what: str


def examine(settings: Settings, source: str | None = None) -> list[Finding]:
    """Look at the environment, the warehouse and, if one is named, the adapter; in the order of a night."""
    found: list[Finding] = []
    looks: list[Callable[[], Iterator[Finding]]] = [
        lambda: _python(settings),
        _environment,
        _machine,
        lambda: _rules(settings),
        lambda: _warehouse(settings),
        lambda: _build_file(settings),
        lambda: _last_run(settings),
        lambda: _published(settings),
    ]
    if source:
        looks.append(lambda: _adapter(settings, source))
    for look in looks:
        try:
            found += look()
        except TenureError as error:
            found.append(Finding(WRONG, str(error)))
    return found


def _python(settings: Settings) -> Iterator[Finding]:
    """Python, and the packages that the lock file asks for."""
    lock = settings.project_root / "requirements.lock"
    other: list[str] = []
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: \\)?$", lock.read_text(encoding="utf-8"), re.M
    ):
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            other.append(f"{name} {installed}, not {version}")
    python = f"Python {sys.version.split()[0]} ({sys.prefix})"
    if other:
        shown = "; ".join(other[:5]) + (f"; and {len(other) - 5} more" if len(other) > 5 else "")
        yield Finding(
            WRONG, f"{python}: packages are not those of requirements.lock ({shown}). Run `make run`."
        )
    else:
        yield Finding(GOOD, f"{python}, packages as in requirements.lock")


def _environment() -> Iterator[Finding]:
    """Variables that are ours, or look like it."""
    for name in sorted(os.environ):
        if not name.startswith("TENURE_"):
            continue
        if name not in VARIABLES and not name.startswith("TENURE_TEST_"):
            yield Finding(ODD, f"{name} is set, and nothing reads it{nearest(name, VARIABLES)}")
        elif not os.environ[name].strip():
            yield Finding(ODD, f"{name} is set to nothing: that is as if it were not set.")


def _machine() -> Iterator[Finding]:
    """Memory; a limit that is no size is an error."""
    limit, memory = memory_limit(), available_memory()
    shown = f"{memory / (1 << 30):.1f} GB of memory, DuckDB may use {limit}"
    state = ODD if memory < _MEMORY_BYTES else GOOD
    yield Finding(state, shown + (": little for more than a small company." if state == ODD else ""))


def _rules(settings: Settings) -> Iterator[Finding]:
    check_rules(settings.project_root)
    yield Finding(GOOD, f"rule files in {settings.project_root / 'seeds'}")


def _warehouse(settings: Settings) -> Iterator[Finding]:
    """The folder, its disk, its lock, its salt."""
    folder = settings.warehouse
    parent = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        yield Finding(WRONG, f"warehouse {folder}: this user cannot write to {parent}. Set TENURE_WAREHOUSE.")
        return
    free = shutil.disk_usage(parent).free
    if free < _FREE_BYTES:
        yield Finding(ODD, f"warehouse {folder}: {free / (1 << 20):.0f} MB are free on its disk. Make room.")
    if not folder.exists():
        yield Finding(GOOD, f"warehouse {folder}: not there yet, the first run makes it")
        return
    yield Finding(GOOD, f"warehouse {folder}, {free / (1 << 30):.0f} GB free")
    yield from _lock(settings)
    for path in (settings.build_database, settings.salt_file, settings.forgotten_file):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(ODD, f"{path} can be read by others; the next run closes it.")
    landed = settings.build_database.exists()
    if landed and not settings.salt_file.exists() and not os.environ.get("TENURE_HASH_SALT"):
        yield Finding(
            WRONG,
            f"{settings.salt_file} is gone: the next landing makes another salt, and the same address gets "
            "another hash. Restore it from a backup, or set TENURE_HASH_SALT.",
        )
    if settings.scratch.is_dir() and any(settings.scratch.iterdir()):
        yield Finding(
            ODD, f"{settings.scratch} holds what a run left that died; the next one clears it away."
        )


def _lock(settings: Settings) -> Iterator[Finding]:
    try:
        descriptor = os.open(settings.lock_file, os.O_RDWR)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Finding(WRONG, f"{settings.lock_file} cannot be opened: {error.strerror}.")
        return
    try:
        if not lock_descriptor(descriptor, blocking=False):
            yield Finding(ODD, f"the warehouse is in use: {describe_holder(settings)} holds the lock.")
    finally:
        os.close(descriptor)


def _build_file(settings: Settings) -> Iterator[Finding]:
    path = settings.build_database
    if not path.exists():
        return
    try:
        companies = _companies(settings)
    except duckdb.Error as error:
        if DUCKDB_LOCK_MESSAGE in str(error):
            yield Finding(ODD, f"{path} is open in another process: {error_line(error)}")
            return
        yield Finding(
            WRONG,
            f"{path} cannot be opened ({error_line(error)}): it is damaged, or of another version of DuckDB. "
            "Restore it from a backup, or remove it and land the files again; what is published stays.",
        )
        return
    names = ", ".join(companies)
    yield Finding(GOOD, f"{path.name} of {names or 'nobody yet'}, {path.stat().st_size / (1 << 20):.0f} MB")


def _companies(settings: Settings) -> list[str]:
    """Whose data have been landed; nobody's where the build file is not there."""
    if not settings.build_database.exists():
        return []
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        has_loads = connection.execute(
            "select 1 from information_schema.tables where table_schema = 'raw' and table_name = 'loads'"
        ).fetchone()
        found = connection.execute("select distinct source_name from raw.loads") if has_loads else None
        return sorted(name for (name,) in found.fetchall()) if found else []


def _last_run(settings: Settings) -> Iterator[Finding]:
    """How the last night ended."""
    records = sorted(settings.runs.glob("[!.]*.json"), key=lambda file: run_order(file.stem))
    if not records:
        return
    try:
        content = json.loads(records[-1].read_text(encoding="utf-8"))
        status, error = content["status"], content.get("error")
    except (OSError, ValueError, KeyError):
        yield Finding(ODD, f"{records[-1]} is no record of a run.")
        return
    first = ((error or {}).get("message") or "").partition("\n")[0]
    told = f"the last run, {records[-1].stem}, ended: {status}" + (f" ({first})" if first else "")
    yield Finding(GOOD if error is None and status != "died" else ODD, told)


def _published(settings: Settings) -> Iterator[Finding]:
    publication = current_publication(settings)
    if publication is not None:
        marts = len(publication.manifest["marts"])
        yield Finding(GOOD, f"published: {publication.run_id}, {marts} marts, {settings.analytics_database}")
    elif settings.published.is_symlink():
        yield Finding(
            WRONG,
            f"{settings.published} points to {settings.published.readlink()}, which is not whole: readers "
            "see nothing. `rollback` goes back; a night with something new publishes again.",
        )
    elif settings.warehouse.exists():
        yield Finding(ODD, "nothing is published yet: `nightly` lands, builds, validates and publishes.")


def _adapter(settings: Settings, source: str) -> Iterator[Finding]:
    """The adapter, its files, its connections."""
    adapter = load_adapter(source, settings)
    yield Finding(GOOD, f"adapter {adapter.path}: {', '.join(one.name for one in adapter.tables())}")
    others = [name for name in _companies(settings) if name != adapter.name]
    if others:
        yield Finding(
            WRONG,
            f"the warehouse holds {others[0]!r}, and a warehouse holds one company: set TENURE_WAREHOUSE to "
            f"another folder for {adapter.name!r}.",
        )
    for name in ("business_timezone", "reporting_currency"):
        if name not in adapter.variables:
            default = getattr(adapter, name)
            yield Finding(
                ODD, f"the adapter does not say {name}: it is {default} then. Say it under `vars:`."
            )
    yield from _inputs(adapter, data_folder(adapter, None))


def _inputs(adapter: Adapter, folder: Path) -> Iterator[Finding]:
    counts: dict[str, int] = {}
    for mapping in adapter.mappings:
        for source in (mapping.input, *mapping.joins.values()):
            if isinstance(source, Postgres):
                if not os.environ.get(source.connection):
                    yield Finding(
                        WRONG,
                        f"{mapping.table.name}: {source.connection} is not set (`postgres:`).",
                    )
                continue
            try:
                files = find_files(folder, source, mapping.table.name)
            except TenureError as error:
                yield Finding(WRONG, str(error))
                continue
            counts[mapping.table.name] = counts.get(mapping.table.name, 0) + len(files)
    found = ", ".join(f"{name} {number:,}" for name, number in counts.items())
    yield Finding(GOOD, f"files in {folder}: {found or 'none asked for'}")


@click.command()
@click.option("--source", metavar="NAME", help="An adapter to look at too: a name from sources/, or a path.")
def doctor_command(source: str | None) -> None:
    """Say what is missing or odd in the environment, the warehouse and an adapter. Changes nothing.

    `odd` does not stop a night, `wrong` does; with something wrong the exit code is 1.
    """
    findings = examine(Settings.from_environment(), source)
    for one in findings:
        lines = one.what.splitlines()
        click.echo(f"{one.state:<6} {lines[0]}")
        for line in lines[1:]:
            click.echo(f"       {line}")
    wrong = sum(one.state == WRONG for one in findings)
    odd = sum(one.state == ODD for one in findings)
    click.echo(f"\n{len(findings)} looked at: {odd} odd, {wrong} wrong.")
    if wrong:
        sys.exit(EXIT_CHECK_FAILED)
