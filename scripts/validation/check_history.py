"""What came of every check of every validation, kept in `raw.check_results`.

dbt makes the mart `fct_data_quality` of it. Figures and words only: no row of a company's data is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb

from scripts.contract.raw_tables import CHECK_RESULT_COLUMNS
from scripts.core.settings import Settings

if TYPE_CHECKING:
    from scripts.validation.results import CheckResult


def keep_results(
    settings: Settings,
    run_id: str,
    checked_at: datetime,
    as_of: date | None,
    checks: Sequence[CheckResult],
) -> None:
    """Add the results of a run to those of the runs before, in one transaction; the caller holds the lock.

    `checked_at` is UTC. A run that was validated before is replaced: it counts once.
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
        connection.execute("delete from raw.check_results where run_id = ?", [run_id])
        if rows:
            connection.executemany(
                f"insert into raw.check_results values ({', '.join('?' * len(rows[0]))})", rows
            )
        connection.execute("commit")
