"""Records of runs without the customers, and the line of the audit file that names nobody."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from scripts.core.runs import write_json
from scripts.core.settings import Settings
from scripts.forget.case import Case
from scripts.personal_data.redaction import redacted
from scripts.personal_data.search import Search, Trace

# Below these names in a run record stand values of rows.
_TEXTS_OF_RECORDS = frozenset(("sample", "observed", "message", "messages", "warnings", "failures"))


def redact_records(settings: Settings, traces: Iterable[Trace]) -> None:
    """Take the customers out of the records of runs: findings show rows."""
    traces = [trace for trace in traces if not trace.only_columns]
    for file in settings.runs.glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        without = redacted_record(content, traces)
        if without != content:
            write_json(file, without)


def redacted_record(content: Any, traces: Sequence[Trace], *, in_texts: bool = False) -> Any:
    """A record of a run without the values; those that are ordinary words stay in paths, times and names."""
    if isinstance(content, dict):
        return {
            name: redacted_record(value, traces, in_texts=in_texts or name in _TEXTS_OF_RECORDS)
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [redacted_record(value, traces, in_texts=in_texts) for value in content]
    if isinstance(content, str):
        for trace in traces:
            if trace.is_distinct or in_texts:
                content = redacted(content, trace)
    return content


def write_audit(settings: Settings, case: Case, publications: int, found: Search) -> str:
    """Add a line to the audit file; gives its receipt. It tells how many, and nothing about whom."""
    line = {
        "receipt": secrets.token_hex(8),
        "forgotten_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "customers": len(case.customers),
        "rows_removed": case.removal.removed,
        "rows_remaining": case.removal.remaining,
        "referrals_unlinked": case.removal.unlinked,
        "texts_redacted": case.removal.redacted,
        "publications_rewritten": publications,
        "files_scanned": found.files,
        "tables_scanned": found.tables,
        "columns_scanned": found.columns,
        "traces_found": len(found.found),
    }
    descriptor = os.open(settings.audit_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return line["receipt"]
