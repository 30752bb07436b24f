"""CSV and its kin: lines of fields between delimiters."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from scripts.core.errors import LandingError
from scripts.core.sql import error_line, identifier, literal
from scripts.landing.formats import text_files
from scripts.landing.formats.csv_dialect import CsvOptions, csv_options, first_record, separator_line
from scripts.landing.formats.csv_sifting import sift
from scripts.landing.formats.format import Format, Layout, UnreadableError
from scripts.landing.formats.headers import checked_header, starter_header
from scripts.landing.formats.text_files import open_text
from scripts.landing.formats.workspace import SOURCE_ROW, InputFile, LoadedInput, Workspace
from scripts.personal_data.patterns import EMAIL_PATTERN, without_addresses

_HEAD_CHARACTERS = 1 << 20
# The starter asks for more than landing: a delimiter must split all the first lines alike.
_STARTER_DELIMITERS = ",;\t|"


def load_csv(workspace: Workspace, file: InputFile, options: CsvOptions) -> LoadedInput:
    """The fast way for a file of which every line is a row, else the careful one."""
    with open_text(file.path) as text:
        head, named = separator_line(text.read(_HEAD_CHARACTERS))
    if named and not options.delimiter:
        options = replace(options, delimiter=named)
    delimiter, first = first_record(head, options)
    columns = _columns(first, file, options)
    is_whole = named is None and _is_read_whole(workspace, file, columns, delimiter, options)
    if is_whole:
        return workspace.loaded(file.number)
    # Broken lines, Windows and Unix line ends in one file, or a line before the header. DuckDB can skip what
    # it cannot read, but reading in parallel it then loses good lines beside the broken ones, and their
    # numbers; of mixed line ends it skips more than a line.
    clean = workspace.directory / f"input{file.number}.clean.csv"
    broken = sift(file, clean, columns, delimiter, options, int(named is not None))
    workspace.record_broken(file.number, broken)
    try:
        text_files.read_delimited(
            workspace,
            replace(file, path=clean),
            (SOURCE_ROW, *columns),
            delimiter=",",
            quote='"',
            header=False,
            row_number=SOURCE_ROW,
        )
    except duckdb.Error as error:
        raise LandingError(
            f"{file.name}: cannot be read as CSV: {without_addresses(error_line(error))}"
        ) from error
    return workspace.loaded(file.number, len(broken))


def _is_read_whole(
    workspace: Workspace, file: InputFile, columns: tuple[str, ...], delimiter: str, options: CsvOptions
) -> bool:
    """Fill the table of the input the fast way; False if a line is no row, or says what the header says."""
    try:
        text_files.read_delimited(
            workspace, file, columns, delimiter=delimiter, quote=options.quote, header=options.header
        )
    except duckdb.Error:
        return False
    return not options.header or not _has_header_again(workspace, file, columns)


def _columns(first: list[str], file: InputFile, options: CsvOptions) -> tuple[str, ...]:
    """The names of the columns, from the first line or from the adapter."""
    if not any(field.strip() for field in first):
        raise LandingError(
            f"{file.name}: the first line is blank; it must be the header (or `csv: {{header: false}}`)."
        )
    if options.header:
        return checked_header(first, file.name)
    if not options.columns:
        return tuple(f"column{position}" for position in range(1, len(first) + 1))
    if len(first) != len(options.columns):
        raise LandingError(
            f"{file.name}: the first line has {len(first)} columns, `csv: {{columns: …}}` names "
            f"{len(options.columns)}."
        )
    return options.columns


def _has_header_again(workspace: Workspace, file: InputFile, columns: tuple[str, ...]) -> bool:
    """Whether a row says what the header says, as in files that were put together from several."""
    # The first names tell; sifting compares all of them.
    same = " and ".join(
        f"lower(trim({identifier(column)})) = {literal(column.lower())}" for column in columns[:8]
    )
    table = workspace.table(file.number)
    return bool(workspace.connection.execute(f"select 1 from {table} where {same} limit 1").fetchone())


def _layout(path: Path, encoding: str) -> Layout:
    with open_text(path, encoding, errors="replace") as stream:
        head, named = separator_line("".join(itertools.islice(stream, 200))[:1_000_000])
    if not head.strip():
        raise UnreadableError("empty")
    best: tuple[float, str, list[list[str]]] | None = None
    for delimiter in named or _STARTER_DELIMITERS:
        records = _parse(head, delimiter)
        width = len(records[0]) if records else 0
        same = sum(len(record) == width for record in records) / max(len(records), 1)
        score = same * (width - 1)
        if width > 1 and same >= 0.8 and (best is None or score > best[0]):
            best = (score, delimiter, records)
    if best is None:
        raise UnreadableError("no table: the first lines do not split into the same columns at , ; tab or |")
    _, delimiter, records = best
    header = records[0]
    if _looks_like_data(header):
        return Layout(
            "csv",
            tuple(f"column{i}" for i in range(1, len(header) + 1)),
            encoding,
            delimiter,
            has_header=False,
        )
    return Layout("csv", starter_header(header), encoding, delimiter)


def _parse(text: str, delimiter: str) -> list[list[str]]:
    try:
        records = list(itertools.islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 101))
    except csv.Error:
        return []
    return [record for record in records if record]


def _looks_like_data(header: list[str]) -> bool:
    """A header has hardly a number, date or address; of a row of data a good part is."""
    value = re.compile(rf"[-+]?[\d.,/: -]*\d[\d.,/: -]*|{EMAIL_PATTERN}")
    return sum(bool(value.fullmatch(cell.strip())) for cell in header) >= max(1, 0.3 * len(header))


def _sample(path: Path, layout: Layout, limit: int) -> Iterator[Sequence[str | None]]:
    width = len(layout.columns)
    try:
        with open_text(path, layout.encoding, errors="replace") as stream:
            first = stream.readline()
            lines = stream if separator_line(first)[1] else itertools.chain([first], stream)
            reader = csv.reader(lines, delimiter=layout.delimiter)
            if layout.has_header:
                next(reader, None)
            for record in itertools.islice((record for record in reader if record), limit):
                # A row with too few cells is landing's to refuse; here the missing ones count as empty.
                yield [(record[place] or None) if place < len(record) else None for place in range(width)]
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise UnreadableError(f"cannot be read: {error}") from error


CSV = Format(
    "csv",
    load_csv,
    extensions=(".csv", ".tsv"),
    more_extensions=(".tab", ".txt"),
    read_options=csv_options,
    default_options=CsvOptions(),
    layouts=lambda path, encoding: [_layout(path, encoding)],
    sample=_sample,
)
