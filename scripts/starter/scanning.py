"""Find a folder's exports, group the files that belong together and read a sample of each group.

A group is what one entry of an adapter can name: files of one format with the same columns, whose names
differ in nothing but digits and months (`orders_2026-01-01.csv`, `orders_2026-01-02.csv` →
`orders_*.csv`).
"""

from __future__ import annotations

import codecs
import csv
import glob
import gzip
import io
import itertools
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import duckdb

from scripts.core.sql import identifier, literal
from scripts.core.text import natural_order
from scripts.personal_data.patterns import EMAIL_PATTERN

SAMPLE_ROWS = 10_000
# A sample is spread over so many files of a group: statuses and date formats change over the years.
SAMPLE_FILES = 10
# An encoding shows only where a letter is not plain ASCII: look at this much of the beginning, and of the
# end.
ENCODING_HEAD_BYTES = 4_000_000
ENCODING_TAIL_BYTES = 1_000_000

_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
# The extensions from which landing tells the format by itself.
_PLAIN_EXTENSIONS = {"csv": {".csv", ".tsv"}, "parquet": {".parquet"}, "jsonl": {".jsonl", ".ndjson"}}
_ADVICE = {
    ".xlsx": "an Excel workbook: save each sheet as CSV (UTF-8)",
    ".xls": "an Excel workbook: save each sheet as CSV (UTF-8)",
    ".ods": "a spreadsheet: save each sheet as CSV (UTF-8)",
    ".zip": "a ZIP archive: unpack it",
    ".7z": "an archive: unpack it",
    ".tar": "an archive: unpack it",
    ".tgz": "an archive: unpack it",
}
_DELIMITERS = ",;\t|"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH_WORD = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_CHANGING = re.compile(
    rf"(?:(?<![^\W\d_])|(?<=_)){_MONTH_WORD}(?![^\W\d_])(?:[-_. ]?\d+)*|\d+(?:[-_.:T ]\d+)*(?:T\d+Z?|Z)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Layout:
    """How to read a file. `names` is what landing will call the columns; `types` only for Parquet."""

    format: str
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    types: tuple[str, ...] = ()


@dataclass
class FileGroup:
    """Files that one adapter entry reads.

    `files` are paths relative to the data folder, with `/`; `patterns` are the globs that match exactly
    these files. `values[column]` is the sample: a text or None per row, rows in order.
    """

    files: list[str]
    patterns: list[str]
    layout: Layout
    values: dict[str, list[str | None]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The pattern, or the first of several, for people."""
        return (
            self.patterns[0] if len(self.patterns) == 1 else f"{self.patterns[0]} (+{len(self.patterns) - 1})"
        )

    @property
    def rows(self) -> int:
        """Rows in the sample."""
        return len(next(iter(self.values.values()), []))

    @property
    def needs_format(self) -> bool:
        """Whether the adapter must say the format because the extension does not."""
        return any(_extension(name) not in _PLAIN_EXTENSIONS[self.layout.format] for name in self.files)


@dataclass(frozen=True)
class Unreadable:
    """A file that is no export we can read, and why."""

    file: str
    why: str


def scan(folder: Path) -> tuple[list[FileGroup], list[Unreadable]]:
    """Find, group and sample everything below `folder`; hidden files and folders are passed over."""
    layouts: dict[str, Layout] = {}
    unreadable: list[Unreadable] = []
    everything = sorted(_files(folder), key=natural_order)
    for name in everything:
        try:
            layouts[name] = _layout(folder / name)
        except _UnreadableError as error:
            unreadable.append(Unreadable(name, str(error)))
    groups = _grouped(layouts, everything)
    readable = []
    for group in groups:
        try:
            group.values = _sample(folder, group)
        except _UnreadableError as error:
            unreadable.append(Unreadable(group.label, str(error)))
        else:
            readable.append(group)
    return readable, unreadable


class _UnreadableError(Exception):
    """Why one file cannot be read."""


def _files(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(parent, name)
            # `~$` and `.~lock` are what an open spreadsheet leaves behind.
            if not name.startswith((".", "~$")) and path.is_file():
                yield path.relative_to(folder).as_posix()


def _extension(name: str) -> str:
    """The extension in lower case, that of the content if the file is compressed."""
    path = Path(name.lower())
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


# ----------------------------------------------------------------------------------- one file's layout


def _layout(path: Path) -> Layout:
    extension = _extension(path.name)
    if extension in _ADVICE:
        raise _UnreadableError(_ADVICE[extension])
    if extension not in _FORMATS:
        raise _UnreadableError("not a CSV, Parquet or JSON lines file")
    try:
        if path.stat().st_size == 0:
            raise _UnreadableError("empty")
        if _FORMATS[extension] == "parquet":
            return _parquet_layout(path)
        encoding = _encoding(path)
        if _FORMATS[extension] == "jsonl":
            return _jsonl_layout(path, encoding)
        return _csv_layout(path, encoding)
    except (OSError, EOFError, zlib.error) as error:
        raise _UnreadableError(f"cannot be read: {error}") from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _encoding(path: Path) -> str:
    """The encoding by byte-order mark, by validity as UTF-8, else Windows-1252 if it can be that, else
    Latin-1.
    """
    with _open(path) as stream:
        head = stream.read(ENCODING_HEAD_BYTES)
        tail = b""
        if path.suffix.lower() != ".gz" and path.stat().st_size > ENCODING_HEAD_BYTES:
            stream.seek(max(ENCODING_HEAD_BYTES, path.stat().st_size - ENCODING_TAIL_BYTES))
            tail = stream.read()
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head[:1000]:
        odd = head[1:1000:2].count(0)
        even = head[0:1000:2].count(0)
        if max(odd, even) < 100 and max(odd, even) * 4 < len(head[:1000]):
            raise _UnreadableError("binary, not text")
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


def _text(path: Path, encoding: str) -> IO[str]:
    return io.TextIOWrapper(_open(path), encoding=encoding, errors="replace", newline="")


def _csv_layout(path: Path, encoding: str) -> Layout:
    with _text(path, encoding) as stream:
        head = "".join(itertools.islice(stream, 200))[:1_000_000]
    if not head.strip():
        raise _UnreadableError("empty")
    best: tuple[float, str, list[list[str]]] | None = None
    for delimiter in _DELIMITERS:
        records = _parse(head, delimiter)
        width = len(records[0]) if records else 0
        same = sum(len(record) == width for record in records) / max(len(records), 1)
        score = same * (width - 1)
        if width > 1 and same >= 0.8 and (best is None or score > best[0]):
            best = (score, delimiter, records)
    if best is None:
        raise _UnreadableError("no table: the first lines do not split into the same columns at , ; tab or |")
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
    return Layout("csv", _names(header), encoding, delimiter)


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


def _names(header: list[str]) -> tuple[str, ...]:
    """Name the columns as landing does: trimmed, a blank one by its place; two of one name are an error
    there too.
    """
    names = tuple(cell.strip() or f"column{place}" for place, cell in enumerate(header, start=1))
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise _UnreadableError(f"two columns are called {name!r}: rename one")
        seen.add(name.casefold())
    return names


def _jsonl_layout(path: Path, encoding: str) -> Layout:
    columns: dict[str, None] = {}
    with _text(path, encoding) as stream:
        for number, line in enumerate(itertools.islice(stream, 1000), start=1):
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                raise _UnreadableError("a JSON array: export JSON lines (one object per line) or CSV")
            try:
                row = json.loads(line)
            except ValueError as error:
                raise _UnreadableError(f"not JSON lines: line {number} is no JSON ({error})") from error
            if not isinstance(row, dict):
                raise _UnreadableError(f"not JSON lines: line {number} is no object")
            columns.update(dict.fromkeys(row))
    if not columns:
        raise _UnreadableError("empty")
    return Layout("jsonl", _names(list(columns)), encoding)


def _parquet_layout(path: Path) -> Layout:
    try:
        with _memory() as connection:
            described = connection.execute(f"describe select * from read_parquet({_path(path)})").fetchall()
    except duckdb.Error as error:
        raise _UnreadableError(f"no Parquet file: {str(error).splitlines()[0]}") from error
    return Layout("parquet", tuple(row[0] for row in described), types=tuple(row[1] for row in described))


def _memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})


def _path(path: Path) -> str:
    """A literal for DuckDB's readers, which take every path for a pattern."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


# -------------------------------------------------------------------------------------------- grouping


def _grouped(layouts: dict[str, Layout], everything: Sequence[str]) -> list[FileGroup]:
    by_shape: dict[tuple[str, str, tuple[str, ...], str, bool], list[str]] = {}
    for name, layout in layouts.items():
        # JSON lines have no order of columns.
        columns = tuple(sorted(layout.columns)) if layout.format == "jsonl" else layout.columns
        key = (_pattern(name), layout.format, columns, layout.delimiter, layout.has_header)
        by_shape.setdefault(key, []).append(name)
    groups = []
    for (pattern, *_), names in by_shape.items():
        # A file without a single special letter reads as UTF-8; its neighbours tell how the shop really
        # writes.
        encodings = [layouts[name].encoding for name in names]
        special = [encoding for encoding in encodings if encoding != "utf-8"]
        by_encoding: dict[str, list[str]] = {}
        for name in names:
            encoding = layouts[name].encoding
            single_byte = set(special) <= {"cp1252", "latin-1"}
            if special and encoding != special[0] and single_byte and not _has_special_letters(layouts[name]):
                encoding = special[0]
            by_encoding.setdefault(encoding, []).append(name)
        for encoding, members in by_encoding.items():
            first = layouts[members[0]]
            layout = Layout(
                first.format, first.columns, encoding, first.delimiter, first.has_header, first.types
            )
            groups.append(FileGroup(members, _patterns(pattern, members, everything), layout))
    return sorted(groups, key=lambda group: natural_order(group.files[0]))


def _has_special_letters(layout: Layout) -> bool:
    return any(not name.isascii() for name in layout.columns)


def _pattern(name: str) -> str:
    """The name with everything that changes from export to export as `*`; other glob characters are
    escaped.
    """
    parts, end = [], 0
    for match in _CHANGING.finditer(name):
        parts += [glob.escape(name[end : match.start()]), "*"]
        end = match.end()
    return re.sub(r"\*{2,}", "*", "".join([*parts, glob.escape(name[end:])]))


def _patterns(pattern: str, members: list[str], everything: Sequence[str]) -> list[str]:
    """Globs that match the members and no other file there is; the plain names if no glob does."""
    if len(members) == 1 and not re.search(rf"\d{{4}}|{_MONTHS}", members[0], re.IGNORECASE):
        return [glob.escape(members[0])]
    if _matches_only(pattern, members, everything):
        return [pattern]
    # orders_*.csv would take orders_lines_2026.csv too.
    narrower = pattern.replace("*", "[0-9]*")
    if _matches_only(narrower, members, everything):
        return [narrower]
    return [glob.escape(name) for name in members]


def _matches_only(pattern: str, members: list[str], everything: Sequence[str]) -> bool:
    expression = re.compile(
        "".join(_glob_part(part) for part in re.split(r"(\[[*?\[]\]|\[0-9\]|\*)", pattern)), re.DOTALL
    )
    return [name for name in everything if expression.fullmatch(name)] == sorted(members, key=natural_order)


def _glob_part(part: str) -> str:
    if part == "*":
        return "[^/]*"
    if part == "[0-9]":
        return part
    # What glob.escape makes of a special character.
    escaped = re.fullmatch(r"\[([*?\[])\]", part)
    return re.escape(escaped[1] if escaped else part)


# -------------------------------------------------------------------------------------------- sampling


def _sample(folder: Path, group: FileGroup) -> dict[str, list[str | None]]:
    """About SAMPLE_ROWS rows as text, from files spread over the group; empty cells are None."""
    count = min(len(group.files), SAMPLE_FILES)
    chosen = [group.files[round(i * (len(group.files) - 1) / max(count - 1, 1))] for i in range(count)]
    values: dict[str, list[str | None]] = {name: [] for name in group.layout.columns}
    for name in dict.fromkeys(chosen):
        _readers()[group.layout.format](folder / name, group.layout, SAMPLE_ROWS // count, values)
    return values


Reader = Callable[[Path, Layout, int, dict[str, list[str | None]]], None]


def _readers() -> dict[str, Reader]:
    return {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}


def _read_csv(path: Path, layout: Layout, limit: int, values: dict[str, list[str | None]]) -> None:
    try:
        with _text(path, layout.encoding) as stream:
            reader = csv.reader(stream, delimiter=layout.delimiter)
            if layout.has_header:
                next(reader, None)
            columns = list(values.values())
            for record in itertools.islice((record for record in reader if record), limit):
                # A row with too few cells is landing's to refuse; here the missing ones count as empty.
                for place, column in enumerate(columns):
                    column.append((record[place] or None) if place < len(record) else None)
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise _UnreadableError(f"cannot be read: {error}") from error


def _read_jsonl(path: Path, layout: Layout, limit: int, values: dict[str, list[str | None]]) -> None:
    try:
        with _text(path, layout.encoding) as stream:
            for line in itertools.islice((line for line in stream if line.strip()), limit):
                row = json.loads(line, parse_float=str, parse_int=str)
                for name, column in values.items():
                    column.append(_json_text(row.get(name)))
    except (OSError, EOFError, zlib.error, ValueError, AttributeError) as error:
        raise _UnreadableError(f"not JSON lines: {error}") from error


def _json_text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_parquet(path: Path, layout: Layout, limit: int, values: dict[str, list[str | None]]) -> None:
    columns = ", ".join(f"cast({identifier(name)} as varchar)" for name in layout.columns)
    try:
        with _memory() as connection:
            rows = connection.execute(
                f"select {columns} from read_parquet({_path(path)}) limit {limit}"
            ).fetchall()
    except duckdb.Error as error:
        raise _UnreadableError(f"no Parquet file: {str(error).splitlines()[0]}") from error
    for row in rows:
        for column, value in zip(values.values(), row, strict=True):
            column.append(value or None)
