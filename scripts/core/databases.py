"""How much of the machine a step may use: the one place that opens DuckDB for heavy work.

DuckDB's own default is 80 % of the machine for each database opened, and its limit does not count all that it
takes. What a step does not get it writes to the warehouse's scratch folder: it is slower then, not dead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from scripts.core.errors import ConfigurationError
from scripts.core.settings import Settings

# Only the night opens the build file: it need not be one that old clients read, and the newer way to store
# texts is a fifth cheaper to write.
BUILD_STORAGE_VERSION = "v1.5.0"

MEMORY_VARIABLE = "TENURE_MEMORY_LIMIT"

# The rest is for what DuckDB does not count, for Python, and for the file cache of the system.
_SHARE = 0.6
_CGROUPS = Path("/sys/fs/cgroup")
_SIZE = re.compile(r"\d+(\.\d+)? ?([KMGT]i?)?B", re.IGNORECASE)


def memory_limit(environment: Mapping[str, str] = os.environ) -> str:
    """How much memory one DuckDB may use: `TENURE_MEMORY_LIMIT`, else a share of what there is.

    Raises ConfigurationError if the variable is no size.
    """
    given = environment.get(MEMORY_VARIABLE, "").strip()
    if given:
        if not _SIZE.fullmatch(given):
            raise ConfigurationError(f"{MEMORY_VARIABLE} is {given!r}, which is no size, such as 8GB.")
        return given
    return f"{int(available_memory() * _SHARE) >> 20}MiB"


def available_memory() -> int:
    """The bytes of memory this process can have: the machine's, or fewer if its control group says so."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        groups = []
    for line in groups:
        _, controllers, name = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = _CGROUPS / controllers
        file = "memory.limit_in_bytes" if controllers else "memory.max"
        own = root / name.lstrip("/")
        for group in (own, *own.parents):
            if not group.is_relative_to(root):
                break
            try:
                # Without a limit it says `max`, or a number beyond any machine.
                limits.append(int((group / file).read_text(encoding="utf-8")))
            except (OSError, ValueError):
                continue
    return min(limits)


def work_options(settings: Settings, spill: Path | None = None) -> dict[str, str]:
    """Settings of a DuckDB that does heavy work for this warehouse.

    What does not fit into memory goes to the folder `spill`, by default in the warehouse's scratch folder.
    """
    if spill is None:
        # DuckDB makes the last folder of the path alone.
        settings.scratch.mkdir(parents=True, exist_ok=True)
        spill = settings.scratch / "spill"
    # Where the system tells which processors we may use, these and no more.
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "memory_limit": memory_limit(),
        "threads": str(processors),
        "temp_directory": str(spill),
        # Nothing may be fetched while the night runs.
        "autoinstall_known_extensions": "false",
    }


def open_database(
    settings: Settings, database: Path | None = None, *, spill: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """A DuckDB for heavy work: on a file, or in memory to attach files to; see `work_options`."""
    path = ":memory:" if database is None else str(database)
    return duckdb.connect(path, config=work_options(settings, spill))
