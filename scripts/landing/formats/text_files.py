"""Files of text: opening them, rewriting them in UTF-8, and reading delimited lines with nothing guessed."""

from __future__ import annotations

import codecs
import io
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from scripts.core.sql import identifier, literal
from scripts.landing.formats.compression import is_packed, open_unpacked
from scripts.landing.formats.workspace import SOURCE_ROW, InputFile, Workspace

_CHUNK_CHARACTERS = 1 << 20
# Longer than any sane row; a longer one is a quote that is never closed.
MAX_LINE_BYTES = 16 << 20
# The number of a row, where the file has none of its own.
NUMBERED = "row_number() over ()"


def open_text(path: Path, encoding: str = "utf-8-sig", errors: str = "strict") -> TextIO:
    """The unpacked text of a file, its line ends as they are."""
    return io.TextIOWrapper(open_unpacked(path), encoding=encoding, errors=errors, newline="")


def in_utf_8(workspace: Workspace, file: InputFile, encoding: str) -> InputFile:
    """The file itself if it is UTF-8 (or ASCII), else a copy that is."""
    if codecs.lookup(encoding).name in ("utf-8", "ascii"):
        return file
    return _rewritten(workspace, file, encoding, one_line_end=False)


def with_one_line_end(workspace: Workspace, file: InputFile) -> InputFile:
    """A copy in which every line ends with a line feed; what ended no line is a blank."""
    return _rewritten(workspace, file, "utf-8-sig", one_line_end=True)


def _rewritten(workspace: Workspace, file: InputFile, encoding: str, one_line_end: bool) -> InputFile:
    copy = workspace.directory / f"input{file.number}.utf8.csv"
    with open_text(file.path, encoding) as text, copy.open("w", encoding="utf-8", newline="") as out:
        carry = ""
        while chunk := text.read(_CHUNK_CHARACTERS):
            if one_line_end:
                chunk = carry + chunk
                carry = "\r" if chunk.endswith("\r") else ""
                chunk = chunk.removesuffix("\r").replace("\r\n", "\n").replace("\r", " ")
            out.write(chunk)
    return replace(file, path=copy)


def read_delimited(
    workspace: Workspace,
    file: InputFile,
    columns: tuple[str, ...],
    *,
    delimiter: str,
    quote: str,
    header: bool,
    row_number: str = NUMBERED,
) -> None:
    """Fill the table of an input with everything said and nothing guessed.

    A duckdb.Error if any line is not as said.
    """
    struct = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns)
    # Letters with accents as one character each, so that the adapter's texts are equal to them.
    kept = ", ".join(
        f"nfc_normalize({identifier(column)}) as {identifier(column)}"
        for column in columns
        if column != SOURCE_ROW
    )
    workspace.connection.execute(f"""
        create or replace table {workspace.table(file.number)} as
        select cast({row_number} as bigint) as {SOURCE_ROW}, {kept}
        from read_csv(
            {literal(str(file.path))}, auto_detect = false, header = {str(header).lower()},
            skip = 0,
            delim = {literal(delimiter)}, quote = {literal(quote)}, escape = {literal(quote)},
            comment = '', columns = {{{struct}}},
            max_line_size = {MAX_LINE_BYTES}, buffer_size = {4 * MAX_LINE_BYTES},
            compression = {literal("gzip" if is_packed(file.path) else "none")}
        )
    """)


def read_lines(workspace: Workspace, file: InputFile) -> None:
    """Fill the table of an input with a row `line` for each line; a duckdb.Error if that cannot be."""
    read_delimited(workspace, file, ("line",), delimiter="", quote="", header=False)
