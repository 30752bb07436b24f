"""The careful way to read a CSV file that the fast one refused: good rows apart from broken lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.core.errors import LandingError
from scripts.landing.formats.csv_dialect import CsvOptions, long_values, reader_arguments
from scripts.landing.formats.headers import column_names
from scripts.landing.formats.text_files import MAX_LINE_BYTES, open_text
from scripts.landing.formats.workspace import BrokenLine, InputFile


def sift(
    file: InputFile,
    clean: Path,
    columns: tuple[str, ...],
    delimiter: str,
    options: CsvOptions,
    skipped_lines: int = 0,
) -> list[BrokenLine]:
    """Write the good rows, each with its number, to `clean`; gives the broken ones.

    About a microsecond per value. LandingError for a quote that is never closed, since it swallows the rows
    after it, and for a file that ends in half a row.
    """
    sieve = _Sieve(file, columns, options)
    broken: list[BrokenLine] = []
    with (
        long_values(),
        open_text(file.path) as text,
        clean.open("w", encoding="utf-8", newline="") as out,
    ):
        for _ in range(skipped_lines):
            text.readline()
        lines = _Remembering(text)
        reader = csv.reader(
            lines, strict=True, skipinitialspace=True, **reader_arguments(delimiter, options.quote)
        )
        write = csv.writer(out, lineterminator="\n").writerow
        if options.header:
            next(reader)
        row = 0
        while True:
            line = skipped_lines + reader.line_num + 1
            lines.taken.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return broken
            except csv.Error as error:
                sieve.require_closed_quotes(error, line, lines.taken)
                fields, reason = [], "a quoted value is followed by something else than a delimiter"
            else:
                if sieve.is_blank(fields):
                    continue
                reason = sieve.fault_of(fields)
                if reason and len(fields) < len(columns):
                    sieve.require_line_end(line, lines.taken)
            row += 1
            if reason is None:
                write((row, *(fields or ("",))))
            else:
                broken.append(BrokenLine(row, line, reason, "".join(lines.taken).rstrip("\r\n")))


@dataclass(frozen=True)
class _Sieve:
    """Tells rows from lines that are none."""

    file: InputFile
    columns: tuple[str, ...]
    options: CsvOptions

    def is_blank(self, fields: list[str]) -> bool:
        return not fields and len(self.columns) > 1

    def fault_of(self, fields: list[str]) -> str | None:
        """Why the fields are no row. What a delimiter at the end of the line makes is taken off them."""
        width = len(self.columns)
        if len(fields) == width + 1 and not fields[-1]:
            fields.pop()
        if len(fields) != width and (fields or width > 1):
            return f"{len(fields)} columns, expected {width}"
        if self.options.header and [name.casefold() for name in column_names(fields)] == [
            column.casefold() for column in self.columns
        ]:
            return "the header once more"
        return None

    def require_line_end(self, line: int, taken: list[str]) -> None:
        """LandingError if a short record ends without a line end, as the last one of a cut file does."""
        if not "".join(taken).endswith(("\n", "\r")):
            raise LandingError(
                f"{self.file.name}: line {line}, the last one, is incomplete and has no line end: the file "
                "is cut off. Deliver it again."
            )

    def require_closed_quotes(self, error: csv.Error, line: int, taken: list[str]) -> None:
        """LandingError if what the reader could not read goes over several lines, or has no end."""
        if "field limit" in str(error) and len(taken) == 1:
            raise LandingError(
                f"{self.file.name}: line {line} has a value longer than {MAX_LINE_BYTES >> 20} MB, which "
                "no value is: a line end or a quote is missing. Export it again."
            ) from error
        if len(taken) > 1 or "end of data" in str(error) or "field limit" in str(error):
            raise LandingError(
                f"{self.file.name}: line {line}: a quote ({self.options.quote}) opened here is not closed "
                "properly, so rows after it would be lost: the file is cut off, or a quote in a value is "
                "not doubled. Export it again, or say `csv: {quote: ''}` if it has none."
            ) from error


class _Remembering:
    """Hands lines to the csv reader and keeps those of the record it is reading."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line
