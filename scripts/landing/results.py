"""What a landing did, table by table."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.core.text import in_columns


@dataclass(frozen=True)
class TableCounts:
    """What one landing did to one table. read = accepted + rejected; accepted = stored + repeated.

    `files` were landed, `files_unchanged` skipped; `rows_added` are new or changed rows, `rows_removed` the
    former rows of corrected files that went or changed. `forgotten` rows, of customers who were forgotten,
    were left out unread, as by a mapping's `where:`.
    """

    files: int = 0
    files_unchanged: int = 0
    rows_in_files: int = 0
    read: int = 0
    accepted: int = 0
    stored: int = 0
    repeated: int = 0
    rejected: int = 0
    rows_added: int = 0
    rows_removed: int = 0
    forgotten: int = 0


@dataclass(frozen=True)
class LandingResult:
    """The outcome of a landing. `batch_id` is None when no file was new; `changed_vars` are names."""

    source_name: str
    batch_id: int | None
    tables: dict[str, TableCounts]
    messages: tuple[str, ...] = ()
    changed_vars: tuple[str, ...] = ()


def counts_table(result: LandingResult) -> str:
    """The counts per table as text, for people."""
    shown = {
        "files": "files",
        "unchanged": "files_unchanged",
        "rows in files": "rows_in_files",
        "read": "read",
        "accepted": "accepted",
        "of them repeated": "repeated",
        "rejected": "rejected",
    }
    if any(count.forgotten for count in result.tables.values()):
        shown["forgotten"] = "forgotten"
    rows = [
        (name, *(f"{getattr(count, member):,}" for member in shown.values()))
        for name, count in result.tables.items()
    ]
    return in_columns([("table", *shown), *rows])
