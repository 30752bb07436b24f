"""What a file is before it is read: the hash of its content, and whether all of it is text as was said."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import GzipFile
from pathlib import Path
from typing import IO

from scripts.core.errors import LandingError
from scripts.landing.formats.compression import DAMAGED, is_packed
from scripts.landing.formats.encodings import require_encoding
from scripts.landing.formats.format import Format

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fingerprint:
    """What a file was when its hash was taken; `stat` tells whether it changed since."""

    content_hash: str
    stat: tuple[int, int, int]
    # Whether its last line has a line end; one that is cut off has none.
    ends_line: bool = True


@contextmanager
def file_errors(name: str) -> Iterator[None]:
    """Turn what can go wrong with a file into a LandingError that names it."""
    try:
        yield
    except DAMAGED as error:
        raise LandingError(
            f"{name}: the gzip file is damaged or cut off ({error}). Export it again."
        ) from error
    except IsADirectoryError as error:
        raise LandingError(
            f"{name}: is a folder, a file is expected. Make the pattern of `files:` name files only."
        ) from error
    except OSError as error:
        raise LandingError(f"{name}: cannot be read: {error.strerror or error}.") from error


def fingerprint(path: Path, name: str, file_format: Format, encoding: str) -> Fingerprint:
    """Hash a file and, in the same pass, verify its encoding. `name` is what messages call it.

    Raises LandingError if it cannot be read, is empty, is a damaged gzip file, or is not in `encoding` (with
    the byte offset, counted in the unpacked content, and the line).
    """
    with file_errors(name):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise LandingError(
                f"{name}: is no plain file but a pipe, a device or a socket. Deliver it as a file, or make "
                "the pattern of `files:` leave it out."
            )
        status = _stat(path)
        if status[1] == 0:
            raise LandingError(f"{name}: the file is empty (0 bytes). Deliver it again, or remove it.")
        with path.open("rb") as stream:
            hashing = _Hashing(stream)
            buffered = io.BufferedReader(hashing, _CHUNK_BYTES)
            ends_line = True
            if not file_format.is_text:
                while buffered.read(_CHUNK_BYTES):
                    pass
            elif is_packed(path):
                with GzipFile(fileobj=buffered) as unpacked:
                    ends_line = require_encoding(unpacked, name, encoding)
            else:
                ends_line = require_encoding(buffered, name, encoding)
    return Fingerprint(hashing.digest.hexdigest(), status, ends_line)


def require_unchanged(path: Path, name: str, taken: Fingerprint) -> None:
    """LandingError if the file is another than when its fingerprint was taken."""
    if _stat(path) != taken.stat:
        raise LandingError(
            f"{name}: the file changed while it was read. Land again; better, deliver files under "
            "another name and rename them when they are complete."
        )


def _stat(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


class _Hashing(io.RawIOBase):
    """A binary stream that feeds all that is read from it to a hash."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)
