"""Names of runs, and the record each leaves in `warehouse/runs/`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

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
