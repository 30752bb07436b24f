"""Files that are packed with gzip: around every format of text, and told by `.gz` at the end of the name."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

# What a packed file that is damaged, or cut off, raises while it is read.
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


def is_packed(path: Path) -> bool:
    """Whether a file is packed, by its name."""
    return path.suffix.lower() == ".gz"


def open_unpacked(path: Path) -> BinaryIO:
    """The content of a file, unpacked."""
    return gzip.open(path, "rb") if is_packed(path) else path.open("rb")  # type: ignore[return-value]


def content_extension(name: str) -> str:
    """The extension in lower case, that of the content if the file is packed; empty if there is none.

    >>> content_extension("Orders.CSV.gz"), content_extension("orders")
    ('.csv', '')
    """
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
