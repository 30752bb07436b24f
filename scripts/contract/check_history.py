"""What came of every check, of dbt's tests of a build and of every validation, kept in `raw.check_results`.

dbt makes the mart `fct_data_quality` of it. Figures and words only: no row of a company's data is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import duckdb

from scripts.contract.raw_tables import CHECK_RESULT_COLUMNS
from scripts.core.settings import Settings

# Where a check looks: within one build, or at what comes in and what goes out.
BUILD = "build"
VALIDATION = ("raw", "marts")


class Severity(StrEnum):
    """CRITICAL stops the publication; WARNING is reported and stops nothing."""

    CRITICAL = "critical"
    WARNING = "warning"


class Status(StrEnum):
    """What came of one check. WARN and FAIL are findings, ERROR could not run, NO_VERDICT had too little to
    judge by: it is no pass.
    """

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"
    NO_VERDICT = "no_verdict"


@dataclass(frozen=True)
class CheckResult:
    """What one check saw of one table, or of one column of it; kept night by night in `raw.check_results`.

    `check` is the same every night. Figures only: no row's values are kept.
    """

    table: str
    check: str
    column: str | None
    severity: Severity
    status: Status
    observed: str | None = None
    expected: str | None = None
    observed_value: float | None = None
    lowest_value: float | None = None
    highest_value: float | None = None
    rows_affected: int | None = None
    message: str | None = None


def keep_results(
    settings: Settings,
    run_id: str,
    checked_at: datetime,
    as_of: date | None,
    checks: Sequence[CheckResult],
    borders: Sequence[str] = VALIDATION,
) -> None:
    """Add the results of a run to those of the runs before, in one transaction; the caller holds the lock.

    `checked_at` is UTC. The table of a check is `<border>.<table>`. What the run has told of these `borders`
    before is replaced: it counts once.
    """
    rows = [
        (
            run_id,
            checked_at,
            as_of,
            *check.table.split(".", 1),
            check.column,
            check.check,
            check.severity.value,
            check.status.value,
            check.observed,
            check.expected,
            check.observed_value,
            check.lowest_value,
            check.highest_value,
            check.rows_affected,
            check.message,
        )
        for check in checks
    ]
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("begin transaction")
        connection.execute("create schema if not exists raw")
        connection.execute(f"create table if not exists raw.check_results ({CHECK_RESULT_COLUMNS})")
        connection.execute(
            "delete from raw.check_results where run_id = ? and list_contains(?, border)",
            [run_id, [*borders]],
        )
        if rows:
            connection.executemany(
                f"insert into raw.check_results values ({', '.join('?' * len(rows[0]))})", rows
            )
        connection.execute("commit")
