"""Rule files, those under `seeds/` and a company's own: a mistake is told where it was made.

What a file must hold is declared once, in the .yml under `seeds/`: its columns with their types
(`column_types`) and rules (`not_null`, `unique`, `accepted_values`, `minimum`, `maximum`, see
macros/table_rules.sql). dbt would refuse most of it too, but says neither line nor column, and takes a
forgotten quote for a long text. What rows mean together (bands without a gap, tiers that rise) is tested in
tests/dbt/singular.

A company's own files lie where its adapter says (`rules:`). Landing keeps what they say in `raw.rules`, and
dbt puts it over the seed, see macros/own_rules.sql.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from math import isfinite
from pathlib import Path
from typing import Any

from scripts.core.errors import ConfigurationError
from scripts.core.text import nearest
from scripts.core.yaml_files import read_yaml

# How many mistakes a message lists.
LISTED_MISTAKES = 10


@dataclass(frozen=True)
class RuleColumn:
    """What the .yml declares of a column; `type` in lower case, as in `decimal(28,4)`."""

    name: str
    type: str
    is_required: bool = False
    is_unique: bool = False
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class RuleFile:
    """A CSV and what it must hold; `label` is what messages call it. Without rows some would tell nothing."""

    path: Path
    label: str
    columns: dict[str, RuleColumn] = field(default_factory=dict)
    may_be_empty: bool = False


@dataclass(frozen=True)
class OwnRules:
    """A company's own rules of one name, as their file says them: text, None where it says nothing.

    `rows` are (line, values by column).
    """

    name: str
    path: Path
    rows: tuple[tuple[int, dict[str, str | None]], ...]

    @property
    def content_hash(self) -> str:
        """Changes with what the file says, and not with its line ends or the order of its columns."""
        return hashlib.sha256(
            json.dumps([values for _, values in self.rows], sort_keys=True).encode()
        ).hexdigest()


def check_rules(project_root: Path) -> None:
    """Check every CSV under `seeds/` against its .yml.

    Raises ConfigurationError with file, line, column and remedy of the first ten mistakes of all files.
    """
    _refuse(
        [mistake for file in declared_rules(project_root / "seeds") for mistake in find_mistakes(file)],
        "Nothing was built. Correct the file, or take back the last change to it.",
    )


def read_own_rules(folder: Path, project_root: Path) -> tuple[OwnRules, ...]:
    """A company's own rules: the CSVs in `folder`, each with the name and the columns of one under `seeds/`.

    Raises ConfigurationError as `check_rules` does, and if a file has another name: it would change nothing,
    and nobody would notice.
    """
    known = {file.path.stem: file for file in declared_rules(project_root / "seeds")}
    mistakes: list[str] = []
    found: list[OwnRules] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in known and path.suffix == ".csv":
            file = replace(known[path.stem], path=path, label=str(path))
            mistakes += find_mistakes(file)
            if not mistakes:
                found.append(OwnRules(path.stem, path, tuple(_rows_by_name(file))))
        elif path.suffix.lower() == ".csv":
            mistakes.append(f"{path}: there are no rules of this name{nearest(path.stem, known)}")
        elif path.stem in known:
            mistakes.append(f"{path}: rules are read from {path.stem}.csv. Save it as “CSV UTF-8”.")
    _refuse(mistakes, "Nothing was landed. Correct the file, or take it away: the default rules hold then.")
    return tuple(found)


def _refuse(mistakes: list[str], remedy: str) -> None:
    if mistakes:
        more = len(mistakes) - LISTED_MISTAKES
        raise ConfigurationError(
            "\n".join(mistakes[:LISTED_MISTAKES])
            + (f"\n… and {more} more mistakes in rule files." if more > 0 else "")
            + f"\n{remedy}"
        )


def declared_rules(folder: Path) -> list[RuleFile]:
    """The rule files that the .yml files in `folder` declare."""
    return [
        RuleFile(
            folder / f"{seed['name']}.csv",
            f"seeds/{seed['name']}.csv",
            {column.name: column for column in _columns(seed)},
            bool((seed.get("config", {}).get("meta") or {}).get("may_be_empty")),
        )
        for path in sorted(folder.glob("*.yml"))
        for seed in read_yaml(path).get("seeds", [])
    ]


def _columns(seed: dict[str, Any]) -> Iterator[RuleColumn]:
    declared = {column["name"]: column for column in seed.get("columns", [])}
    for name, kind in seed.get("config", {}).get("column_types", {}).items():
        rules = ((declared.get(name, {}).get("config") or {}).get("meta") or {}).get("rules") or {}
        yield RuleColumn(
            name=name,
            type=str(kind).lower().replace(" ", ""),
            is_required=bool(rules.get("not_null")),
            is_unique=bool(rules.get("unique")),
            values=tuple(str(value) for value in rules.get("accepted_values", [])),
            minimum=rules.get("minimum"),
            maximum=rules.get("maximum"),
        )


def find_mistakes(file: RuleFile) -> Iterator[str]:
    """What is wrong with the file, a sentence each that begins with file and line."""
    try:
        rows = _rows(file)
    except _UnreadableError as error:
        yield str(error)
        return
    header = rows[0][1]
    yield from _header_mistakes(file.label, file, *rows[0])
    if {name.strip() for name in header} != set(file.columns) or len(header) != len(file.columns):
        return
    if len(rows) == 1 and not file.may_be_empty:
        yield f"{file.label} has no rows: without any rule nothing can be told."
    yield from _row_mistakes(file.label, file, header, rows[1:])


class _UnreadableError(Exception):
    """The message says why there are no rows."""


def _rows(file: RuleFile) -> list[tuple[int, list[str]]]:
    """The rows of the file with the line on which each begins, the header first; there is at least that."""
    try:
        # Spreadsheets write a byte order mark.
        text = file.path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _UnreadableError(f"{file.label} is missing: its .yml beside it declares it.") from None
    except UnicodeDecodeError as error:
        line = file.path.read_bytes()[: error.start].count(b"\n") + 1
        raise _UnreadableError(f"{file.label}, line {line}: not UTF-8. Save it as “CSV UTF-8”.") from error
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    first = 1
    try:
        for values in reader:
            # An empty line says nothing; one of commas, as spreadsheets leave behind, is a row of nothing.
            if values:
                rows.append((first, values))
            first = reader.line_num + 1
    except csv.Error as error:
        raise _UnreadableError(
            f"{file.label}, line {first}: a quote is wrong ({error}). Text with a comma stands between two "
            "quotes, and a quote in it is written twice."
        ) from error
    if not rows:
        raise _UnreadableError(
            f"{file.label} is empty: its first line names the columns {', '.join(file.columns)}."
        )
    return rows


def _rows_by_name(file: RuleFile) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The rows of a file without mistakes."""
    (_, header), *rows = _rows(file)
    for line, values in rows:
        yield line, {name: value or None for name, value in zip(header, values, strict=True)}


def _header_mistakes(where: str, file: RuleFile, line: int, header: list[str]) -> Iterator[str]:
    if len(header) == 1 and len(file.columns) > 1 and ";" in header[0]:
        yield f"{where}, line {line}: the columns are separated by semicolons. Save it with commas."
        return
    for name in file.columns:
        if name not in header:
            yield f"{where}, line {line}: the column {name} is missing{nearest(name, header)}"
    for place, name in enumerate(header, start=1):
        if name not in file.columns:
            yield (
                f"{where}, line {line}, column {place}: nobody knows the column {name or '(no name)'}: "
                f"there are {', '.join(file.columns)}."
            )
        elif name in header[: place - 1]:
            yield f"{where}, line {line}, column {place}: the column {name} is there twice."


def _row_mistakes(
    where: str, file: RuleFile, header: list[str], rows: list[tuple[int, list[str]]]
) -> Iterator[str]:
    seen: dict[tuple[str, str], int] = {}
    for line, values in rows:
        if len(values) != len(header):
            yield (
                f"{where}, line {line}: {len(values)} values, but there are {len(header)} columns "
                f"({', '.join(header)}). Text with a comma stands between two quotes."
            )
            continue
        for name, value in zip(header, values, strict=True):
            column = file.columns[name]
            problem = _problem(column, value)
            if problem is None and column.is_unique and value:
                earlier = seen.setdefault((name, value), line)
                if earlier != line:
                    problem = f"'{value}' stands in line {earlier} already: every row has its own"
            if problem is not None:
                yield f"{where}, line {line}, column {name}: {problem}."


def _problem(column: RuleColumn, value: str) -> str | None:
    """What is wrong with one value, None if nothing is."""
    if value == "":
        return "nothing is there, and something must be" if column.is_required else None
    kind, _, scale = re.fullmatch(r"(\w+)(?:\((\d+),(\d+)\))?", column.type).group(1, 2, 3)  # type: ignore[union-attr]
    read, expected = _READERS.get(kind, (str, "text"))
    try:
        number = read(value.strip())
    except (ValueError, InvalidOperation):
        return f"'{value}' is not {expected}"
    if column.values and value not in column.values:
        return f"'{value}' is none of {', '.join(column.values)}"
    if scale is not None and -number.as_tuple().exponent > int(scale):
        return f"'{value}' has more than {scale} decimals"
    if column.minimum is not None and number < column.minimum:
        return f"{value} is less than {column.minimum}"
    if column.maximum is not None and number > column.maximum:
        return f"{value} is more than {column.maximum}"
    return None


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError
    return value.lower() == "true"


def _integer(value: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", value):
        raise ValueError
    return int(value)


def _decimal(value: str) -> Decimal:
    number = Decimal(value)
    if not number.is_finite() or "_" in value:
        raise ValueError
    return number


def _double(value: str) -> float:
    number = float(value)
    if not isfinite(number) or "_" in value:
        raise ValueError
    return number


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "varchar": (str, "text"),
    "bigint": (_integer, "a whole number, like 12"),
    "decimal": (_decimal, "a number, like 12.5"),
    "double": (_double, "a number, like 12.5"),
    "boolean": (_boolean, "true or false"),
}
