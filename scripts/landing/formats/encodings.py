"""In which encoding a text is: is it the one that was said, and which one is likely if none was."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import IO

from scripts.core.errors import LandingError
from scripts.landing.formats.compression import is_packed, open_unpacked
from scripts.landing.formats.format import UnreadableError

_CHUNK_BYTES = 1 << 20
# An encoding shows only where a letter is not plain ASCII: look at this much of the beginning, and of the
# end.
_HEAD_BYTES = 4_000_000
_TAIL_BYTES = 1_000_000
# How files begin that are no text.
_SIGNATURES = {
    b"\x1f\x8b": "gzip (`.gz`)",
    b"PAR1": "Parquet (`.parquet`, or `format: parquet`)",
    b"PK\x03\x04": "ZIP (as .xlsx is), which is not read: save it as CSV",
}
# Encodings in which nearly any bytes are text: they never fail, and a wrong one shows in the words only.
_ONE_BYTE = re.compile(
    r"cp(?!932|949|950|65001)\d+|iso8859.*|latin.*|koi8.*|mac.*|kz1048|ptcp154|hp_roman8|tis_620"
)


def require_encoding(stream: IO[bytes], name: str, encoding: str) -> bool:
    """LandingError unless all of it is text in `encoding`; gives whether its last line has a line end."""
    decoder = codecs.getincrementaldecoder(encoding)()
    is_one_byte = bool(_ONE_BYTE.fullmatch(codecs.lookup(encoding).name.replace("-", "_")))
    as_utf_8 = codecs.getincrementaldecoder("utf-8")() if is_one_byte else None
    first_beyond_ascii = 0
    offset = lines = 0
    ends_line = True
    while True:
        chunk = stream.read(_CHUNK_BYTES)
        if not offset:
            for signature, what in _SIGNATURES.items():
                if chunk.startswith(signature):
                    raise LandingError(f"{name}: is no text but looks like {what}. Name and say what it is.")
        if as_utf_8:
            try:
                as_utf_8.decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                as_utf_8 = None
            else:
                if not first_beyond_ascii and not chunk.isascii():
                    before = re.match(rb"[\x00-\x7f]*", chunk).group()
                    first_beyond_ascii = lines + 1 + before.count(b"\n")
        try:
            decoded = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # `error.object` starts with what the decoder had kept of the chunk before.
            kept = len(error.object) - len(chunk)
            at = offset - kept + error.start
            line = lines + 1 + chunk[: max(error.start - kept, 0)].count(b"\n")
            raise LandingError(
                f"{name}: byte {at} (line {line}) is not {encoding}: {error.reason}. "
                "Say `encoding:` in the adapter (for example cp1252, latin-1, utf-16), or export it as UTF-8."
            ) from error
        if "\0" in decoded:
            line = lines + 1 + decoded[: decoded.index("\0")].count("\n")
            raise LandingError(
                f"{name}: line {line} holds a NUL byte, which no text does: the file is damaged, or its "
                "encoding is another; say `encoding:` in the adapter (for example utf-16)."
            )
        if not chunk:
            break
        ends_line = decoded.endswith(("\n", "\r")) if decoded else ends_line
        offset += len(chunk)
        lines += chunk.count(b"\n")
    if as_utf_8 and first_beyond_ascii:
        # Text in another encoding is not UTF-8 by accident.
        raise LandingError(
            f"{name}: is UTF-8 (see line {first_beyond_ascii}), and the adapter says `encoding: {encoding}`: "
            "its letters would come out wrong. Remove `encoding:`."
        )
    return ends_line


def likely_encoding(path: Path) -> str:
    """The encoding by byte-order mark, by validity as UTF-8, else Windows-1252 if it can be that, else
    Latin-1.
    """
    with open_unpacked(path) as stream:
        head = stream.read(_HEAD_BYTES)
        tail = b""
        if not is_packed(path) and path.stat().st_size > _HEAD_BYTES:
            stream.seek(max(_HEAD_BYTES, path.stat().st_size - _TAIL_BYTES))
            tail = stream.read()
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head[:1000]:
        odd = head[1:1000:2].count(0)
        even = head[0:1000:2].count(0)
        if max(odd, even) < 100 and max(odd, even) * 4 < len(head[:1000]):
            raise UnreadableError("binary, not text")
        return "utf-16-le" if odd > even else "utf-16-be"
    for encoding in ("utf-8", "cp1252"):
        if _is_valid(head, encoding) and (
            not tail or _is_valid(tail.lstrip(bytes(range(0x80, 0xC0))), encoding)
        ):
            return encoding
    return "latin-1"


def _is_valid(part: bytes, encoding: str) -> bool:
    try:
        # A character may be cut at the end of the part: not final.
        codecs.getincrementaldecoder(encoding)().decode(part, final=False)
    except UnicodeDecodeError:
        return False
    return True
