"""Where a company's files lie, and which of them an adapter names."""

from __future__ import annotations

import os
import unicodedata
from itertools import islice
from pathlib import Path, PurePosixPath

from scripts.core.errors import ConfigurationError, LandingError
from scripts.core.text import composed, natural_order, nearest
from scripts.landing.adapters import Adapter, Files
from scripts.personal_data.patterns import without_addresses


def data_folder(adapter: Adapter, data: Path | None) -> Path:
    """Where file patterns start: `--data`, TENURE_DATA, the adapter's `data:`, its folder, in this order."""
    from_environment = os.environ.get("TENURE_DATA")
    if data is not None:
        folder, origin = data, "--data"
    elif from_environment:
        folder, origin = Path(from_environment), "TENURE_DATA"
    elif adapter.data is not None:
        folder, origin = adapter.data, f"`data:` of {adapter.path}"
    else:
        folder, origin = adapter.path.parent, "the adapter's folder"
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise ConfigurationError(
            f"The data folder {folder} ({origin}) does not exist; choose it with --data DIR."
        )
    return folder


def find_files(folder: Path, files: Files, what: str) -> list[str]:
    """The files that match, relative to `folder`, in natural order; LandingError if a pattern has none."""
    found: set[str] = set()
    for pattern in files.patterns:
        matches = {
            path.relative_to(folder).as_posix()
            for way in {composed(pattern), unicodedata.normalize("NFD", pattern)}
            for path in folder.glob(way)
            if not path.name.startswith(".") or Path(pattern).name.startswith(".")
        }
        for file in matches:
            if not _is_utf_8(file):
                raise LandingError(
                    f"{what}: the name of the file {file!a} in {folder} is not UTF-8, so nothing could be "
                    "traced to it. Rename it."
                )
        if not matches and not files.optional:
            # Enough to help; the folder may be a wrong one, and as big as a disk.
            some = islice((path for path in folder.rglob("*") if path.is_file()), 1000)
            present = sorted(without_addresses(path.relative_to(folder).as_posix()) for path in some)
            raise LandingError(
                f"{what}: no file in {folder} matches {pattern!r}{nearest(pattern, present)} "
                "Say `optional: true` if there may be none, or choose the folder with --data."
            )
        found |= matches
    by_name: dict[str, str] = {}
    for file in sorted(found):
        other = by_name.setdefault(composed(file), file)
        if other != file:
            raise LandingError(
                f"{what}: two files in {folder} are called {composed(file)!r}, their accents written in two "
                "ways. Remove one."
            )
    return sorted(by_name, key=natural_order)


def path_of(folder: Path, name: str) -> Path:
    """Where a file of `find_files` lies: a Mac writes the accents of its name in another way."""
    path = folder
    for part in PurePosixPath(name).parts:
        exact = path / part
        if not part.isascii() and not os.path.lexists(exact):
            exact = next((one for one in path.iterdir() if composed(one.name) == part), exact)
        path = exact
    return path


def _is_utf_8(name: str) -> bool:
    """Whether the file system gave a name of proper text; other bytes come as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
