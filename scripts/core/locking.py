"""One writer per warehouse.

The lock is the kernel's (`flock`), so it ends with its holder, however that dies: nothing has to be cleaned
up by hand. dbt, a process of its own, inherits it: when the night is killed and dbt lives on, nobody else
gets the warehouse until that has ended too. Who holds it stands in a file beside it, which is only read to
tell others whom to wait for.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import lock_descriptor

from scripts.core.cleanup import is_alive, recover
from scripts.core.errors import ConfigurationError, LockedError
from scripts.core.permissions import close_private, private
from scripts.core.resource_errors import machine_error
from scripts.core.settings import Settings

# What DuckDB says when another process has the build file open.
DUCKDB_LOCK_MESSAGE = "Could not set lock on file"


@dataclass(frozen=True)
class Holder:
    """Who holds the lock; `since` is UTC, ISO 8601."""

    pid: int
    host: str
    purpose: str
    run_id: str | None
    since: str

    def __str__(self) -> str:
        run = f", run {self.run_id}" if self.run_id else ""
        return f"process {self.pid} on {self.host} ({self.purpose}{run}) since {self.since}"


@contextmanager
def warehouse_lock(settings: Settings, purpose: str, run_id: str | None = None) -> Iterator[Holder]:
    """Hold the warehouse for writing; never waits.

    `purpose` is told to whoever comes second, e.g. "nightly". When DuckDB finds the build file in use inside
    the block, that is told as a lock too: a person who has it open in a client takes no lock of ours. A full
    disk is told as such, wherever it came up. What dead runs left behind is cleared away first.

    Raises `LockedError` if another run holds it, `ConfigurationError` if the warehouse can't be written to,
    `MachineError` if the disk is full.
    """
    descriptor = _take(settings)
    try:
        holder = Holder(os.getpid(), socket.gethostname(), purpose, run_id, _now())
        # What is made in the block is for its owner alone, unless it says otherwise.
        with private():
            _write_holder(settings, holder)
            try:
                recover(settings, run_id)
                yield holder
            finally:
                _holder_file(settings).unlink(missing_ok=True)
    except Exception as error:
        if isinstance(error, duckdb.IOException) and DUCKDB_LOCK_MESSAGE in str(error):
            raise LockedError(file_in_use_message(settings, str(error))) from error
        told = machine_error(settings, error)
        if told is None:
            raise
        raise told from error
    finally:
        os.close(descriptor)


def _take(settings: Settings) -> int:
    """The descriptor that holds the lock, until it is closed here and in all that inherit it."""
    descriptor = None
    try:
        close_private(settings)
        descriptor = os.open(settings.lock_file, os.O_RDWR | os.O_CREAT, 0o666)
        is_ours = lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        if descriptor is not None:
            os.close(descriptor)
        raise machine_error(settings, error) or ConfigurationError(
            f"Cannot lock the warehouse: {settings.lock_file}: {error}. Set TENURE_WAREHOUSE to a "
            "folder that this user can write to, on a file system with locks."
        ) from error
    if is_ours:
        os.set_inheritable(descriptor, True)
        return descriptor
    os.close(descriptor)
    raise LockedError(
        f"The warehouse {settings.warehouse} is in use: {describe_holder(settings)} "
        "holds the lock. Wait until it has ended, or stop it: the lock ends with it."
    )


def describe_holder(settings: Settings) -> str:
    """Whom to wait for. The holder on record may be dead, and dbt, which it started, live on."""
    holder = _read_holder(settings)
    if holder is None:
        return "another run"
    if holder.host == socket.gethostname() and holder.pid != os.getpid() and not is_alive(holder.pid):
        return f"{holder} is dead, but what it started, most likely dbt, goes on and"
    return str(holder)


def file_in_use_message(settings: Settings, detail: str) -> str:
    """What to tell when DuckDB could not lock the build file; `detail` is its message, with the process."""
    line = next((line.strip() for line in detail.splitlines() if DUCKDB_LOCK_MESSAGE in line), detail.strip())
    return (
        f"Another process has {settings.build_database} open: {line} Close it there. "
        f"Readers should open {settings.analytics_database}, which never blocks a run."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _holder_file(settings: Settings) -> Path:
    return settings.lock_file.with_name(settings.lock_file.name + ".json")


def _write_holder(settings: Settings, holder: Holder) -> None:
    target = _holder_file(settings)
    temporary = target.with_name(f"{target.name}.{holder.pid}")
    temporary.write_text(json.dumps(asdict(holder), indent=2) + "\n", encoding="utf-8")
    temporary.replace(target)


def _read_holder(settings: Settings) -> Holder | None:
    """The holder on record; None if there is none, or it can't be read."""
    try:
        return Holder(**json.loads(_holder_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
