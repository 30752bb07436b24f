"""Who may open what in a warehouse: everything is its owner's alone, but what is published.

What is published is open to whom the umask of the process lets in (022: everybody, 027: the group, 077:
nobody else).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.core.settings import Settings

PRIVATE_UMASK = 0o077


def _read_umask() -> int:
    # There is no way to read it but to set it.
    umask = os.umask(PRIVATE_UMASK)
    os.umask(umask)
    return umask


# What the user, cron or systemd gave to this process.
PUBLIC_UMASK = _read_umask()


@contextmanager
def private() -> Iterator[None]:
    """Files and folders made in the block are for their owner alone, those of child processes too."""
    former = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(former)


def make_public(path: Path, *, writable: bool = False) -> None:
    """Open a file or folder for readers, as far as the umask allows; `writable` for us alone."""
    mode = 0o555 if path.is_dir() else 0o444
    path.chmod((mode | (0o200 if writable else 0)) & ~PUBLIC_UMASK)


def close_private(settings: Settings) -> None:
    """Close what is private in a warehouse, also what an older version or a restored backup left open."""
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    for folder in (settings.runs, settings.data_docs, settings.dbt, settings.scratch):
        if folder.exists() and folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    for file in (settings.build_database, settings.forgotten_file, settings.audit_file):
        if file.exists() and file.stat().st_mode & 0o077:
            file.chmod(0o600)
