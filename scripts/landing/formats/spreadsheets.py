"""Workbooks of Excel and OpenDocument: a table is a sheet, or several sheets with one header.

Every cell becomes a text in one form, whatever the country or the look of the cell: a number has a decimal
point and no marks, a moment is 2026-03-01 14:05:00, a day 2026-03-01. The number of a row is that of the
sheet, where people look for it; with several sheets it goes on from the last row of the one before.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from scripts.core.errors import LandingError
from scripts.core.sql import identifier
from scripts.core.text import BLANKS, composed, nearest
from scripts.landing.formats.format import Format, Layout, UnreadableError
from scripts.landing.formats.headers import checked_header, starter_header
from scripts.landing.formats.workspace import (
    SOURCE_ROW,
    BrokenLine,
    Cells,
    InputFile,
    LoadedInput,
    Workspace,
)
from scripts.landing.yaml_nodes import Node

# A header stands within so many rows, and fills this share of the widest of the rows below it.
_HEADER_ROWS = 50
_HEADER_SHARE = 0.6
# Rows that are handed over at a time.
_BATCH = 20_000
# What a workbook may unpack to; Excel itself does not open larger ones.
_MOST_BYTES = 4 << 30
# Excel keeps fifteen digits: of a longer number the last ones are gone.
_MOST_DIGITS = 15
# What stands first in a row that adds up others; after it at most a number.
_TOTALS = re.compile(
    r"((grand |sub)?totals?|sum|summe|gesamt(summe)?|totaal|totale"
    r"|tổng( cộng| số)?|cộng|итого|合计|合計|总计)[\s:.,\d]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SheetOptions:
    """Which sheets of a workbook, by name or pattern, and in which row (1-based) their header stands.

    Without a name it is the one that has something in it, without a row the header is found.
    """

    sheets: tuple[str, ...] = ()
    header_row: int | None = None


def sheet_options(node: Node) -> SheetOptions:
    """What an adapter says under `excel:`."""
    entries = node.entries(("sheet", "header_row"))
    sheets: tuple[str, ...] = ()
    if "sheet" in entries:
        sheets = tuple(composed(item.text()) for item in entries["sheet"].items())
        if not sheets:
            raise entries["sheet"].error("names no sheet.")
    row = None
    if "header_row" in entries:
        row = entries["header_row"].typed(int, "the number of a row")
        if row < 1:
            raise entries["header_row"].error("is the number of a row: 1 for the first.")
    return SheetOptions(sheets, row)


def load_sheets(workspace: Workspace, file: InputFile, options: SheetOptions) -> LoadedInput:
    """The rows below the headers as texts. Totals, and headers said again, are broken lines."""
    try:
        tables = [_table(sheet, options.header_row) for sheet in _chosen(_open(file.path), options.sheets)]
    except UnreadableError as error:
        raise LandingError(f"{file.name}: {error}") from error
    columns = checked_header(tables[0].header, file.name)
    for one in tables[1:]:
        if checked_header(one.header, file.name) != columns:
            raise LandingError(
                f"{file.name}: the sheets {tables[0].sheet.name!r} and {one.sheet.name!r} have different "
                "headers: give each an entry of its own, or name only those that are alike in `sheet:`."
            )
    target = workspace.table(file.number)
    texts = "".join(f", {identifier(column)} varchar" for column in columns)
    workspace.connection.execute(f"create table {target} ({SOURCE_ROW} bigint{texts})")
    broken: list[BrokenLine] = []
    rows = _sound_rows(tables, broken)
    while batch := list(itertools.islice(rows, _BATCH)):
        arrays: list[pa.Array] = [pa.array([number for number, _ in batch], pa.int64())]
        arrays += [
            pa.array([texts[place] for _, texts in batch], pa.string()) for place in range(len(columns))
        ]
        names = [SOURCE_ROW, *(f"c{place}" for place in range(len(columns)))]
        workspace.connection.register("sheet_rows", pa.table(arrays, names=names))
        workspace.connection.execute(f"insert into {target} from sheet_rows")
        workspace.connection.unregister("sheet_rows")
    if broken:
        workspace.record_broken(file.number, broken, "row")
    cells = Cells(
        {name: cell_column(place) for place, name in enumerate(columns)},
        tuple((first, one.sheet.name) for first, one in zip(_first_rows(tables), tables, strict=True)),
    )
    return workspace.loaded(file.number, len(broken), cells)


@dataclass(frozen=True)
class _Table:
    """A sheet, the names in its header, and the row (1-based) where that stands."""

    sheet: CalamineSheet
    header: tuple[str, ...]
    header_row: int


def _table(sheet: CalamineSheet, header_row: int | None) -> _Table:
    row = header_row or _header_row(sheet)
    for number, cells in _cells(sheet):
        if number == row:
            return _Table(sheet, tuple(_text(cell) or "" for cell in cells), row)
        if number > row:
            break
    raise UnreadableError(f"header_row is {row}, and the sheet {sheet.name!r} has nothing in that row.")


def _first_rows(tables: Sequence[_Table]) -> list[int]:
    """What each sheet's rows are numbered from, less one: the rows of the sheets before it."""
    return list(itertools.accumulate((one.sheet.end[0] + 1 for one in tables[:-1]), initial=0))


def _sound_rows(tables: Sequence[_Table], broken: list[BrokenLine]) -> Iterator[tuple[int, list[str | None]]]:
    """The rows of some sheets, numbered through; those that are no rows go to `broken`."""
    for first, one in zip(_first_rows(tables), tables, strict=True):
        where = f"sheet {one.sheet.name!r}: " if len(tables) > 1 else ""
        for number, cells in _rows_below(one):
            reason = _fault(cells, one.header)
            if reason:
                content = "; ".join(text for cell in cells if (text := _text(cell)) is not None)
                broken.append(BrokenLine(first + number, number, where + reason, content))
            else:
                yield first + number, [_text(cell) for cell in cells]


def cell_column(place: int) -> str:
    """What spreadsheets call the column at a place, from 0.

    >>> cell_column(0), cell_column(25), cell_column(26)
    ('A', 'Z', 'AA')
    """
    letters = ""
    place += 1
    while place:
        place, digit = divmod(place - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def _open(path: Path) -> CalamineWorkbook:
    """UnreadableError, with what to do, if a file is no workbook that can be read."""
    with path.open("rb") as stream:
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > _MOST_BYTES:
                raise UnreadableError(
                    f"unpacks to {size >> 30} GB, more than a workbook can be. Export it as CSV."
                )
        stream.seek(0)
        try:
            return CalamineWorkbook.from_filelike(stream)
        except PasswordError as error:
            raise UnreadableError("is protected by a password. Save it without one.") from error
        except (CalamineError, zipfile.BadZipFile, ValueError, OSError) as error:
            raise UnreadableError(
                f"cannot be read as a workbook ({_first_line(error)}). It is damaged, cut off, or of another "
                "format: open it and save it as .xlsx, or export it as CSV."
            ) from error


def _chosen(book: CalamineWorkbook, patterns: Sequence[str]) -> list[CalamineSheet]:
    """The sheets of some names or patterns, in the workbook's order; without any, the only one not empty."""
    filled = _filled_sheets(book)
    if not patterns:
        if not filled:
            raise UnreadableError("no sheet of it has a cell with something in it.")
        if len(filled) > 1:
            listed = ", ".join(repr(one.name) for one in filled)
            raise UnreadableError(
                f"has {len(filled)} sheets with something in them ({listed}): say which, as in "
                f"`excel: {{sheet: {filled[0].name!r}}}`."
            )
        return filled
    names = {composed(name).strip(BLANKS): name for name in book.sheet_names}
    wanted: set[str] = set()
    for pattern in patterns:
        bare = pattern.strip(BLANKS)
        found = {bare} & names.keys() or {
            composed(one.name).strip(BLANKS)
            for one in filled
            if fnmatch.fnmatchcase(composed(one.name).strip(BLANKS), bare)
        }
        if not found:
            raise UnreadableError(f"has no sheet {pattern!r}{nearest(bare, names)}")
        wanted |= found
    return [_sheet(book, name) for shown, name in names.items() if shown in wanted]


def _filled_sheets(book: CalamineWorkbook) -> list[CalamineSheet]:
    """The visible sheets with cells; where no sheet is visible, all with cells."""
    names = [one for one in book.sheets_metadata if one.typ is SheetTypeEnum.WorkSheet]
    seen = [one for one in names if one.visible is SheetVisibleEnum.Visible] or names
    sheets = [_sheet(book, one.name) for one in seen]
    return [sheet for sheet in sheets if sheet.height and sheet.width]


def _sheet(book: CalamineWorkbook, name: str) -> CalamineSheet:
    try:
        return book.get_sheet_by_name(name)
    except (CalamineError, ValueError) as error:
        raise UnreadableError(f"the sheet {name!r} cannot be read ({_first_line(error)}).") from error


def _cells(sheet: CalamineSheet) -> Iterator[tuple[int, list[Any]]]:
    """The rows with something in them: the number of the row in the sheet, and its cells from column A on."""
    # Rows come from the first of the sheet on, cells from the first column that has any.
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if any(map(_filled, row)):
            yield number, [*before, *row]


def _header_row(sheet: CalamineSheet) -> int:
    """The first row of several different texts that is about as wide as what follows it."""
    rows = list(itertools.islice(_cells(sheet), _HEADER_ROWS))
    counts = [sum(map(_filled, cells)) for _, cells in rows]
    for place, (number, cells) in enumerate(rows):
        names = [cell.strip(BLANKS).casefold() for cell in cells if _filled(cell) and isinstance(cell, str)]
        below = max(counts[place:])
        is_text = len(names) == counts[place] and len(set(names)) == len(names)
        if is_text and counts[place] >= _HEADER_SHARE * below and (counts[place] > 1 or below == 1):
            return number
    raise UnreadableError(
        "no row of the sheet looks like the header: a row of different names, one above each column. Say "
        "which row it is, as in `excel: {header_row: 3}`."
    )


def _rows_below(table: _Table) -> Iterator[tuple[int, list[Any]]]:
    for number, cells in _cells(table.sheet):
        if number > table.header_row:
            yield number, cells


def _fault(cells: Sequence[Any], header: Sequence[str]) -> str | None:
    """Why a row is none of the table's: it adds up others, says the header again, or lost digits."""
    filled = [cell for cell in cells if _filled(cell)]
    is_part = len(filled) < len(cells)
    if not filled:
        return "has nothing below the names of the header"
    if is_part and isinstance(filled[0], str) and _TOTALS.fullmatch(filled[0].strip(BLANKS)):
        return f"begins with {filled[0].strip(BLANKS)!r}: a row that adds up others"
    # KiotViet writes the sums below the header, without a word.
    if not _filled(cells[0]) and len(cells) > 1 and all(isinstance(cell, (int, float)) for cell in filled):
        return "has numbers and nothing else, and nothing in its first column: a row that adds up others"
    if [_text(cell) or "" for cell in cells] == list(header):
        return "says what the header says"
    for place, cell in enumerate(cells):
        if isinstance(cell, (int, float)) and not isinstance(cell, bool) and abs(cell) >= 10**_MOST_DIGITS:
            return (
                f"the number in column {cell_column(place)} has more digits than a spreadsheet keeps "
                f"({_MOST_DIGITS}): the last ones are lost. Export it as text, or as CSV"
            )
    return None


def _filled(cell: Any) -> bool:
    return not isinstance(cell, str) or bool(cell.strip(BLANKS))


def _text(cell: Any) -> str | None:
    """A cell as text; None if it is empty.

    >>> [_text(cell) for cell in (17850.0, 0.1 + 0.2, 1.125, datetime(2026, 3, 1), True, "")]
    ['17850', '0.3', '1.1250', '2026-03-01', 'true', None]
    """
    if isinstance(cell, str):
        return composed(cell) or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)):
        return _number(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return None


def _number(value: float) -> str:
    if float(value).is_integer():
        return str(int(value))
    # Fifteen digits are what the spreadsheet shows; beyond them is the noise of binary fractions.
    shown = format(Decimal(format(value, f".{_MOST_DIGITS}g")), "f")
    # A point before three digits may be read as one between thousands.
    return shown + "0" if len(shown.partition(".")[2]) == 3 else shown


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _layouts(path: Path, encoding: str) -> list[Layout]:
    """One for each different header; a sheet without one, a cover or notes, is passed over beside others."""
    sheets = _filled_sheets(_open(path))
    if not sheets:
        raise UnreadableError("no sheet of it has a cell with something in it")
    by_header: dict[tuple[str, ...], list[str]] = {}
    for sheet in sheets:
        try:
            header = starter_header(_table(sheet, None).header)
        except UnreadableError:
            if len(sheets) == 1:
                raise
            continue
        by_header.setdefault(header, []).append(sheet.name)
    if not by_header:
        raise UnreadableError("no sheet of it has a row that looks like a header")
    return [Layout("excel", header, sheets=_named(names, sheets)) for header, names in by_header.items()]


def _named(names: Sequence[str], sheets: Sequence[CalamineSheet]) -> tuple[str, ...]:
    """How an adapter names some of a workbook's sheets; all by a star, so that later ones are read too."""
    if len(names) < len(sheets):
        return tuple(names)
    return ("*",) if len(names) > 1 else ()


def _sample(path: Path, layout: Layout, limit: int) -> Iterator[Sequence[str | None]]:
    tables = [_table(sheet, None) for sheet in _chosen(_open(path), layout.sheets)]
    for _, texts in itertools.islice(_sound_rows(tables, []), limit):
        yield texts


EXCEL = Format(
    "excel",
    load_sheets,
    extensions=(".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
    is_text=False,
    read_options=sheet_options,
    default_options=SheetOptions(),
    layouts=_layouts,
    sample=_sample,
)
