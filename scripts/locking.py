"""One writer per warehouse.

The lock is the kernel's (`flock`), so it ends with its holder, however that dies: nothing has to be cleaned
up by hand. Who holds it stands in a file beside it, which is only read to tell others whom to wait for.
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
from filelock import FileLock, Timeout

from scripts.errors import ConfigurationError, LockedError
from scripts.settings import Settings

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
    the block, that is told as a lock too: a person who has it open in a client takes no lock of ours.

    Raises `LockedError` if another run holds it, `ConfigurationError` if the warehouse can't be written to.
    """
    try:
        settings.lock_file.parent.mkdir(parents=True, exist_ok=True)
        # Without the kernel's locks a dead run would block all later ones: better to say so than fall back.
        lock = FileLock(settings.lock_file, fallback_to_soft=False)
        lock.acquire(blocking=False)
    except Timeout:
        raise LockedError(
            f"The warehouse {settings.warehouse} is in use: {_read_holder(settings) or 'another run'} "
            "holds the lock. Wait until it has ended, or stop it: the lock ends with it."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise ConfigurationError(
            f"Cannot lock the warehouse: {settings.lock_file}: {error}. Set TENURE_WAREHOUSE to a "
            "folder that this user can write to, on a file system with locks."
        ) from error
    try:
        holder = Holder(os.getpid(), socket.gethostname(), purpose, run_id, _now())
        _write_holder(settings, holder)
        try:
            yield holder
        finally:
            _holder_file(settings).unlink(missing_ok=True)
    except duckdb.IOException as error:
        if DUCKDB_LOCK_MESSAGE not in str(error):
            raise
        raise LockedError(file_in_use_message(settings, str(error))) from error
    finally:
        lock.release()


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
    """The holder on record; None if it is missing or a dead process (whose successor is just starting)."""
    try:
        holder = Holder(**json.loads(_holder_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if holder.host == socket.gethostname():
        try:
            os.kill(holder.pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            # It lives, under another user.
            return holder
    return holder
