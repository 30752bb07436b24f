"""Names of runs, and the record each leaves in `warehouse/runs/`."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from scripts.core.progress import LOGGER
from scripts.core.settings import Settings


def new_run_id(settings: Settings, now: datetime | None = None) -> str:
    """A name for a run that starts now: its UTC time, with a suffix if a run or publication has that name."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    for number in count(1):
        run_id = stamp if number == 1 else f"{stamp}-{number}"
        taken = record_file(settings, run_id), settings.warehouse / "publications" / run_id
        if not any(path.exists() for path in taken):
            return run_id
    raise AssertionError("count() does not end")


def reserve_run_id(settings: Settings, now: datetime | None = None) -> str:
    """A new run id with an empty record: two runs that start in one second without a lock get two names."""
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    settings.runs.mkdir(mode=0o700, exist_ok=True)
    while True:
        run_id = new_run_id(settings, now)
        with suppress(FileExistsError):
            write_once(record_file(settings, run_id), "{}\n")
            return run_id


def run_order(run_id: str) -> tuple[str, int]:
    """Sorts run ids by time.

    >>> sorted(["20261121T203000Z-10", "20261121T203000Z-2", "20261121T203000Z"], key=run_order)
    ['20261121T203000Z', '20261121T203000Z-2', '20261121T203000Z-10']
    """
    stamp, _, suffix = run_id.partition("-")
    return stamp, int(suffix) if suffix.isdigit() else 1


def record_file(settings: Settings, run_id: str) -> Path:
    """Where the record of a run lies."""
    return settings.runs / f"{run_id}.json"


class RunRecord:
    """What a run did, kept on disk from its first moment: a killed run leaves one that says `running`.

    The next run makes `died` of that, see `scripts/core/cleanup.py`.
    """

    def __init__(self, settings: Settings, run_id: str, **given: Any) -> None:
        self._file = record_file(settings, run_id)
        self.content: dict[str, Any] = {
            "run_id": run_id,
            "status": "running",
            "exit_code": None,
            "started_at": _now(),
            "ended_at": None,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            **given,
            "steps": [],
            "publication": None,
            "error": None,
        }
        self.save()

    def save(self) -> None:
        """Write the record in one step. On a full disk the run goes on without: it has to clean up."""
        try:
            write_json(self._file, self.content)
        except OSError as error:
            LOGGER.warning("The record %s cannot be written: %s", self._file, error)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a step; the block puts its `counts` into what it is given."""
        entry: dict[str, Any] = {"step": name, "status": "running", "seconds": None, "counts": {}}
        self.content["steps"].append(entry)
        self.save()
        LOGGER.info("%s: started", name)
        started = time.monotonic()
        try:
            yield entry
            if entry["status"] == "running":
                entry["status"] = "ok"
        except BaseException as error:
            entry["status"] = "failed"
            # What a check found up to its failure is worth as much as what it found in a good night.
            entry["counts"] = entry["counts"] or counts_of(getattr(error, "result", None))
            raise
        finally:
            entry["seconds"] = round(time.monotonic() - started, 3)
            self.save()
        LOGGER.info("%s: done in %.1f s", name, entry["seconds"])

    def skip(self, *names: str) -> None:
        """Note steps that were not needed."""
        for name in names:
            self.content["steps"].append({"step": name, "status": "skipped", "seconds": 0, "counts": {}})

    def end(self, status: str, exit_code: int, error: BaseException | None = None) -> None:
        """Close the record."""
        if error is not None:
            self.content["error"] = {"type": type(error).__name__, "message": str(error)}
        self.content |= {"status": status, "exit_code": exit_code, "ended_at": _now()}
        self.save()


def counts_of(result: Any) -> dict[str, Any]:
    """A step's result as plain data for the record; nothing for a step without a result."""
    if hasattr(result, "to_dict"):
        return result.to_dict()
    if not dataclasses.is_dataclass(result) or isinstance(result, type):
        return {}
    return dataclasses.asdict(result)


def write_json(target: Path, content: Any) -> None:
    """Write a JSON file in one step: a reader sees the old one or the new one, never half of it.

    Dates become ISO texts, decimals and paths texts, sets sorted lists.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain)
    with _written(target, text + "\n", mode=0o666) as temporary:
        temporary.replace(target)


def write_once(target: Path, text: str, mode: int = 0o666) -> None:
    """Write a file that is there with its whole content or not at all, also after a power cut.

    Raises `FileExistsError` if there is one: it stays as it is.
    """
    with _written(target, text, mode) as temporary:
        target.hardlink_to(temporary)


def sync(path: Path) -> None:
    """See that a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written(target: Path, text: str, mode: int) -> Iterator[Path]:
    """A temporary file beside `target` with this content, on the disk; the block puts it in its place."""
    base = target.name if target.name.startswith(".") else f".{target.name}"
    temporary = target.with_name(f"{base}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
    sync(target.parent)


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (Decimal, Path)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a record: {value!r}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
