"""Exports whose headers we know: what a shop or billing system writes, and the mapping that is right for it.

One YAML file a system, in `exports/`. Exact headers beat guessing: a file with all `headers` of an export is
that export, and its tables are written as the YAML says. In the SQL a column is named by what it is to be
read as, `[[money:Subtotal]]`, and how this file writes its numbers and times is filled in:

- `text`: as it stands, empty as null; `number`: a DECIMAL, null if it is none; `money`: the same, 0 if empty;
- `moment`: a time as landing reads it, in UTC where the header says so; `column`: the quoted name alone.

A header may have other spellings (`aliases`); one that is missing (`optional`) is null.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from scripts.contract.raw_tables import TABLES
from scripts.core.sql import identifier
from scripts.core.text import composed
from scripts.core.yaml_files import read_yaml
from scripts.starter.expressions import amount_sql, expression
from scripts.starter.profiling import Numbers, Profile
from scripts.starter.scanning import FileGroup

_FOLDER = Path(__file__).parent / "exports"
_PLACEHOLDER = re.compile(r"\[\[(text|number|money|moment|column):([^\]]+)\]\]")


@dataclass(frozen=True)
class KnownExport:
    """One kind of file of one system.

    `tables` are the entries of an adapter, without the files. `notes` say what becomes of what could change
    a number. `undecided` are questions that only the owner can answer. Headers in `unverified` are from
    hearsay.
    """

    system: str
    name: str
    headers: tuple[str, ...]
    tables: Mapping[str, Mapping[str, Any]]
    optional: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    # Amounts have no decimals: every mark in them groups thousands.
    whole_amounts: bool = False

    def matches(self, columns: Iterable[str]) -> bool:
        """Whether a file with these columns is one."""
        names = {_folded(column) for column in columns}
        return all(self._spelling(header, names) is not None for header in self.headers)

    def _spelling(self, header: str, names: Iterable[str]) -> str | None:
        known = (header, *self.aliases.get(header, ()))
        return next((_folded(one) for one in known if _folded(one) in names), None)


@dataclass
class KnownFile:
    """Files that are a known export, with what was seen in them."""

    export: KnownExport
    group: FileGroup
    profiles: list[Profile]
    # What is written of it, by canonical table.
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)

    def profile(self, header: str) -> Profile | None:
        """The column of a header, in whatever spelling."""
        by_name = {_folded(one.name): one for one in self.profiles}
        spelling = self.export._spelling(header, by_name)
        return by_name.get(spelling) if spelling else None

    def sql(self, text: str) -> str:
        """SQL of the YAML with the columns of these files."""
        return _PLACEHOLDER.sub(lambda found: self._column(found[1], found[2]), text)

    def _column(self, kind: str, header: str) -> str:
        profile = self.profile(header)
        if profile is None:
            return "0" if kind == "money" else "null"
        name = identifier(profile.name)
        text = f"nullif(trim({name}), '')" if profile.is_text else name
        if kind == "column":
            return name
        if kind == "text":
            return text
        if kind == "moment":
            made = expression("orders", TABLES["orders"].column("ordered_at"), profile)
            self._ask(made.choices)
            return made.sql if profile.dates else text
        number = amount_sql(self._as_written(profile))
        if kind == "number":
            return number
        if profile.numbers and profile.numbers.unsure:
            self._ask([f"{profile.name}: is the {profile.numbers.unsure!r} a decimal mark or thousands?"])
        return f"case when {text} is null then 0 else {number} end"

    def _as_written(self, profile: Profile) -> Profile:
        # The numbers of a workbook have been read: a point in them is a decimal point.
        if self.export.whole_amounts and self.group.layout.format != "excel":
            marks = profile.numbers.marks if profile.numbers else ()
            return replace(profile, numbers=Numbers(".", (",", "."), marks, whole=True))
        return profile

    def _ask(self, questions: Iterable[str]) -> None:
        for question in questions:
            sentence = question.partition("\n")[0]
            if sentence not in self.questions:
                self.questions.append(sentence)


@cache
def known_exports() -> tuple[KnownExport, ...]:
    """All of them, by file and in its order: of two that give one table the earlier is taken."""
    found = []
    for path in sorted(_FOLDER.glob("*.yml")):
        content = read_yaml(path)
        for name, entry in content["exports"].items():
            lists = {key: tuple(entry.pop(key, ())) for key in ("headers", "optional", "unverified", "notes")}
            found.append(
                KnownExport(
                    content["system"],
                    name,
                    undecided=tuple(entry.pop("undecided", ())),
                    variables={**content.get("vars", {}), **entry.pop("vars", {})},
                    **lists,
                    **entry,
                )
            )
    return tuple(found)


def find_known(groups: Sequence[FileGroup], profiles: Sequence[list[Profile]]) -> list[KnownFile]:
    """The groups that are known exports, each table given once; `unless` leaves a table to another export."""
    files = []
    for export in known_exports():
        for group, columns in zip(groups, profiles, strict=True):
            if not any(group is one.group for one in files) and export.matches(group.layout.columns):
                files.append(KnownFile(export, group, columns))
    found = [(one.export.system, one.export.name) for one in files]
    giver: dict[str, KnownExport] = {}
    for one in files:
        for table, entry in one.export.tables.items():
            unless = entry.get("unless", ())
            others = {unless} if isinstance(unless, str) else set(unless)
            if any((one.export.system, other) in found for other in others):
                continue
            if giver.setdefault(table, one.export) is one.export:
                one.tables[table] = {key: value for key, value in entry.items() if key != "unless"}
    return [one for one in files if one.tables]


def currencies_of(files: Iterable[KnownFile]) -> Counter[str]:
    """How often each currency stands in the columns that the YAML names for it."""
    counts: Counter[str] = Counter()
    for one in files:
        profile = one.profile(one.export.currency) if one.export.currency else None
        if profile:
            for value, count in profile.counts.items():
                counts[value.strip().upper()] += count
    return counts


def _folded(name: str) -> str:
    return " ".join(composed(name).casefold().split())
