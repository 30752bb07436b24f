"""What a validation has to say: findings about the data, checks that could not run, and counts, as data and
as text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from scripts.contract.check_history import Severity, Status
from scripts.core.text import in_columns

# What somebody has to look at.
FOUND = (Status.WARN, Status.FAIL, Status.ERROR)


@dataclass(frozen=True)
class Finding:
    """The data are not as expected. `sample` is at most five of the rows in question, all values as text.

    `column` is None for a finding about the table.
    """

    table: str
    expectation: str
    severity: Severity
    observed: str
    expected: str
    sample: tuple[dict[str, str], ...]
    todo: str
    column: str | None = None

    @property
    def place(self) -> str:
        """The table, or the column of it."""
        return f"{self.table}.{self.column}" if self.column else self.table

    @property
    def headline(self) -> str:
        """One line for a log. Some expectations are named after what should be, some after what should not:
        only what was expected and what was observed tell which.
        """
        return f"{self.place}: {self.expectation}; expected: {self.expected}, observed: {self.observed}"

    def __str__(self) -> str:
        lines = [
            f"{self.severity}: {self.place}: {self.expectation}",
            f"    observed: {self.observed}",
            f"    expected: {self.expected}",
        ]
        lines += [
            "    " + ("e.g.      " if not number else "          ") + _row_text(row)
            for number, row in enumerate(self.sample)
        ]
        if self.todo:
            lines.append(f"    what now: {self.todo}")
        return "\n".join(lines)


@dataclass(frozen=True)
class CheckError:
    """A check that could not run: it says nothing about the data."""

    table: str
    expectation: str
    message: str

    @property
    def headline(self) -> str:
        """One line for a log."""
        return f"the check itself failed: {self.table}: {self.expectation}"

    def __str__(self) -> str:
        return f"{self.headline}\n    {self.message}"


@dataclass(frozen=True)
class SuiteResult:
    """The counts of one table's suite: `failed` are critical findings."""

    table: str
    expectations: int
    failed: int
    warnings: int
    errors: int


@dataclass(frozen=True)
class ValidationResult:
    """All that a validation found; `docs` is the first page of the Data Docs, None if it wrote none."""

    run_id: str
    as_of: date | None
    suites: tuple[SuiteResult, ...]
    findings: tuple[Finding, ...]
    errors: tuple[CheckError, ...]
    docs: Path | None

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that stop a publication."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.CRITICAL)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that stop nothing."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    @property
    def stops_publication(self) -> bool:
        return bool(self.failures or self.errors)

    @property
    def expectations(self) -> int:
        """How many expectations there were."""
        return sum(suite.expectations for suite in self.suites)

    def to_dict(self) -> dict[str, Any]:
        """For a run record, as JSON takes it."""
        return asdict(self) | {
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "docs": str(self.docs) if self.docs else None,
            "stops_publication": self.stops_publication,
        }

    def report(self) -> str:
        """The findings as text: checks that could not run, then what stops the publication, then the
        warnings.
        """
        entries = (*self.errors, *self.failures, *self.warnings)
        return "\n".join(str(entry) for entry in entries) or "No findings."

    def table(self) -> str:
        """A line for each table, and a total, in columns."""
        rows = [(suite.table, *_counts(suite)) for suite in self.suites]
        total = tuple(str(sum(int(row[column]) for row in rows)) for column in range(1, 5))
        return in_columns(
            [("table", "expectations", "failed", "warnings", "errors"), *rows, ("total", *total)]
        )


def _counts(suite: SuiteResult) -> tuple[str, str, str, str]:
    return str(suite.expectations), str(suite.failed), str(suite.warnings), str(suite.errors)


def _row_text(row: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())
