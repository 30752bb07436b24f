"""When the machine gives out, a full disk or no memory: told as that, not as a fault of data or code.

It may come up anywhere, in Python, in DuckDB, or in the output of dbt: as an error of the system, or as its
words.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from scripts.core.errors import MachineError, TenureError
from scripts.core.settings import Settings

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_IN_WORDS = tuple(os.strerror(code) for code in sorted(_FULL))
# DuckDB takes what is free on the disk as its limit for what does not fit into memory.
_NO_ROOM_TO_SPILL = "max_temp_directory_size"

# A file system with less than this is named as full: what the run left half done has been removed by then.
_SMALL_BYTES = 100 * 1000**2


def machine_error(settings: Settings, error: BaseException) -> MachineError | None:
    """What to tell instead of `error`, if a full disk or lacking memory is behind it; else None."""
    if isinstance(error, MachineError):
        return None
    chain = list(_chain(error))
    # The first cause: what was made of it may blame the file that was just read.
    full = next((one for one in reversed(chain) if _tells_of_full_disk(one)), None)
    if full is not None:
        return MachineError(
            f"The disk is full: {_first_line(full)}\n{describe_space(settings)}\n"
            "Readers keep what they have, and nothing that arrived is lost. Make room, then run again."
        )
    short = next((one for one in chain if isinstance(one, (MemoryError, duckdb.OutOfMemoryException))), None)
    if short is not None:
        return MachineError(
            f"Out of memory: {_first_line(short)}\n"
            "Readers keep what they have, and nothing that arrived is lost. Give the run more memory, or let "
            "other programs end first, then run again."
        )
    return None


def describe_space(settings: Settings) -> str:
    """How much is free where a run writes: a line for each file system, the warehouse's first."""
    places = {"the warehouse": settings.warehouse, "temporary files": Path(tempfile.gettempdir())}
    lines: dict[int, str] = {}
    for what, path in places.items():
        existing = next(folder for folder in (path, *path.parents) if folder.exists())
        usage = shutil.disk_usage(existing)
        if what == "the warehouse" or usage.free < _SMALL_BYTES:
            lines.setdefault(
                existing.stat().st_dev,
                f"File system {_mount_point(existing)} ({what}: {path}): {usage.free / 1e6:,.1f} MB free of "
                f"{usage.total / 1e6:,.0f} MB.",
            )
    return "\n".join(lines.values())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _tells_of_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # Great Expectations and dbt pass on the words alone.
    if isinstance(error, (duckdb.Error, TenureError)):
        return any(words in str(error) for words in (*_FULL_IN_WORDS, _NO_ROOM_TO_SPILL))
    return False


def _first_line(error: BaseException) -> str:
    """The line of a message that says it, at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line for line in lines if any(words in line for words in _FULL_IN_WORDS)), lines[0])[:300]


def _mount_point(path: Path) -> Path:
    path = path.resolve()
    while not path.is_mount():
        path = path.parent
    return path
