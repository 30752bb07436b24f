"""Find a folder's exports, group the files that belong together and read a sample of each group.

A group is what one entry of an adapter can name: files of one format with the same columns, whose names
differ in nothing but digits and months (`orders_2026-01-01.csv`, `orders_2026-01-02.csv` →
`orders_*.csv`).
"""

from __future__ import annotations

import glob
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.core.text import natural_order
from scripts.landing.formats.compression import content_extension
from scripts.landing.formats.encodings import likely_encoding
from scripts.landing.formats.format import Layout, UnreadableError
from scripts.landing.formats.registry import FORMATS, likely_format

SAMPLE_ROWS = 10_000
# A sample is spread over this many files of a group: statuses and date formats change over the years.
SAMPLE_FILES = 10
_ADVICE = {
    ".numbers": "a Numbers document: export it as Excel or CSV",
    ".zip": "a ZIP archive: unpack it",
    ".7z": "an archive: unpack it",
    ".tar": "an archive: unpack it",
    ".tgz": "an archive: unpack it",
}
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH_WORD = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_CHANGING = re.compile(
    rf"(?:(?<![^\W\d_])|(?<=_)){_MONTH_WORD}(?![^\W\d_])(?:[-_. ]?\d+)*|\d+(?:[-_.:T ]\d+)*(?:T\d+Z?|Z)?",
    re.IGNORECASE,
)


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
        """The pattern, or the first of several, and the sheet, for people."""
        more = f" (+{len(self.patterns) - 1})" if len(self.patterns) > 1 else ""
        return self.patterns[0] + more + (f" [{', '.join(self.layout.sheets)}]" if self.layout.sheets else "")

    @property
    def rows(self) -> int:
        """Rows in the sample."""
        return len(next(iter(self.values.values()), []))

    @property
    def needs_format(self) -> bool:
        """Whether the adapter must say the format because the extension does not."""
        return any(
            content_extension(name) not in FORMATS[self.layout.format].extensions for name in self.files
        )


@dataclass(frozen=True)
class Unreadable:
    """A file that is no export we can read, and why."""

    file: str
    why: str


def scan(folder: Path) -> tuple[list[FileGroup], list[Unreadable]]:
    """Find, group and sample everything below `folder`; hidden files and folders are passed over."""
    layouts: list[tuple[str, Layout]] = []
    unreadable: list[Unreadable] = []
    everything = sorted(_files(folder), key=natural_order)
    for name in everything:
        try:
            layouts += [(name, layout) for layout in _layouts(folder / name)]
        except UnreadableError as error:
            unreadable.append(Unreadable(name, str(error)))
    groups = _grouped(layouts, everything)
    readable = []
    for group in groups:
        try:
            group.values = _sample(folder, group)
        except UnreadableError as error:
            unreadable.append(Unreadable(group.label, str(error)))
        else:
            readable.append(group)
    return readable, unreadable


def _files(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(parent, name)
            # `~$` and `.~lock` are what an open spreadsheet leaves behind.
            if not name.startswith((".", "~$")) and path.is_file():
                yield path.relative_to(folder).as_posix()


# ---------------------------------------------------------------------------------- one file's layouts


def _layouts(path: Path) -> Sequence[Layout]:
    extension = content_extension(path.name)
    if extension in _ADVICE:
        raise UnreadableError(_ADVICE[extension])
    file_format = likely_format(path.name)
    if file_format is None or file_format.layouts is None:
        raise UnreadableError("not a CSV, Excel, Parquet or JSON lines file")
    try:
        if path.stat().st_size == 0:
            raise UnreadableError("empty")
        return file_format.layouts(path, likely_encoding(path) if file_format.is_text else "")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(f"cannot be read: {error}") from error


# -------------------------------------------------------------------------------------------- grouping


def _grouped(found: Sequence[tuple[str, Layout]], everything: Sequence[str]) -> list[FileGroup]:
    by_shape: dict[tuple[str, str, tuple[str, ...], str, bool, tuple[str, ...]], dict[str, Layout]] = {}
    for name, layout in found:
        # JSON lines have no order of columns.
        columns = tuple(sorted(layout.columns)) if layout.format == "jsonl" else layout.columns
        key = (
            _pattern(name),
            layout.format,
            columns,
            layout.delimiter,
            layout.has_header,
            layout.sheets,
        )
        by_shape.setdefault(key, {})[name] = layout
    groups = []
    for (pattern, *_), layouts in by_shape.items():
        names = list(layouts)
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
            groups.append(
                FileGroup(members, _patterns(pattern, members, everything), replace(first, encoding=encoding))
            )
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
    sample = FORMATS[group.layout.format].sample
    values: dict[str, list[str | None]] = {name: [] for name in group.layout.columns}
    for name in dict.fromkeys(chosen):
        for row in sample(folder / name, group.layout, SAMPLE_ROWS // count):
            for column, value in zip(values.values(), row, strict=True):
                column.append(value)
    return values
