"""Run suites with Great Expectations inside DuckDB, and write its Data Docs.

The context lives in memory: nothing of Great Expectations stays on disk but the site. Nothing is sent
anywhere.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Read once, while Great Expectations is imported.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.expectations.metadata_types import FailureSeverity

from scripts.contract.check_history import CheckResult, Severity, Status
from scripts.validation.dialect import connection_string
from scripts.validation.results import CheckError, Finding, SuiteResult
from scripts.validation.suites import CHECK, SAMPLE_ROWS, Suite, shown

SITE = "local"

_DATABASE_ERROR = re.compile(r"^.*\(_duckdb\.\w+\) ", re.DOTALL)
_QUERY_LINE = re.compile(r"\bLINE \d+:.*", re.DOTALL)


def run_suites(
    database: Path,
    suites: Sequence[Suite],
    run_id: str,
    site: Path,
    options: Mapping[str, str] | None = None,
) -> tuple[list[SuiteResult], list[Finding], list[CheckError], list[CheckResult]]:
    """Validate a DuckDB file, opened read-only with `options`, and write the Data Docs below `site`.

    Gives the counts of each suite, what was found, what could not run, and what came of every single check.

    The file is closed when this returns. A table that is missing is an error of its check, like every
    exception in one: the other suites run all the same.
    """
    results: list[SuiteResult] = []
    findings: list[Finding] = []
    errors: list[CheckError] = []
    checks: list[CheckResult] = []
    run = RunIdentifier(run_name=run_id, run_time=datetime.now(UTC))
    with _silenced():
        context = _context(site)
        source = context.data_sources.add_sql(
            name="warehouse",
            connection_string=connection_string(database),
            create_temp_table=False,
            kwargs={
                "connect_args": {
                    "read_only": True,
                    "config": {"autoinstall_known_extensions": "false", **(options or {})},
                },
            },
        )
        try:
            for suite in suites:
                suite_findings, suite_errors, suite_checks = _run_suite(context, source, suite, run)
                critical = sum(finding.severity is Severity.CRITICAL for finding in suite_findings)
                results.append(
                    SuiteResult(
                        table=suite.name,
                        expectations=len(suite.expectations),
                        failed=critical,
                        warnings=len(suite_findings) - critical,
                        errors=len(suite_errors),
                    )
                )
                findings += suite_findings
                errors += suite_errors
                checks += suite_checks
            context.build_data_docs()
        finally:
            # Two pools: one tests that tables are there, the other computes.
            source.get_execution_engine().close()
            source.get_engine().dispose()
    return results, findings, errors, checks


def _run_suite(
    context: EphemeralDataContext, source: SQLDatasource, suite: Suite, run: RunIdentifier
) -> tuple[list[Finding], list[CheckError], list[CheckResult]]:
    try:
        asset = source.add_table_asset(
            name=suite.name, table_name=f'"{suite.table}"', schema_name=suite.schema
        )
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(
                name=suite.name,
                data=asset.add_batch_definition_whole_table("all rows"),
                suite=context.suites.add(
                    ExpectationSuite(name=suite.name, expectations=list(suite.expectations))
                ),
            )
        )
        outcome = definition.run(
            result_format={
                "result_format": "SUMMARY",
                "partial_unexpected_count": SAMPLE_ROWS,
                "unexpected_index_column_names": list(suite.key),
            },
            run_id=run,
        )
    except Exception as error:
        # Whatever goes wrong in one suite, the others still run, and nobody takes it for a finding.
        broken = CheckError(suite.name, "all of its expectations", _in_short(str(error)))
        return [], [broken], [_check_error(broken, broken.expectation, Severity.CRITICAL)]
    findings: list[Finding] = []
    errors: list[CheckError] = []
    checks: list[CheckResult] = []
    for result in outcome.results:
        message = _exception_message(result.exception_info)
        if message is not None:
            errors.append(CheckError(suite.name, _description(result), message))
            checks.append(_check_error(errors[-1], _check(result), _severity(result)))
            continue
        found, judged = _judged(suite.name, result)
        findings += found
        checks += judged
    return findings, errors, checks


def _check_error(error: CheckError, check: str, severity: Severity) -> CheckResult:
    return CheckResult(
        error.table,
        check,
        None,
        severity,
        Status.ERROR,
        observed="could not run",
        message=shown(error.message),
    )


def _exception_message(info: Mapping[str, Any]) -> str | None:
    """What was raised while the expectation was computed; None if nothing was.

    Great Expectations tells it in two forms: one exception, or one for each metric that the expectation
    needs.
    """
    parts = [info] if "raised_exception" in info else list(info.values())
    for part in parts:
        if isinstance(part, Mapping) and part.get("raised_exception"):
            return _in_short(str(part.get("exception_message") or "no message"))
    return None


def _in_short(message: str) -> str:
    """What the database said, without what SQLAlchemy and Great Expectations wrap around it.

    >>> _in_short("It failed: (_duckdb.BinderException) Binder Error: no x LINE 1: select x [SQL: select x]")
    'Binder Error: no x'
    """
    message = _DATABASE_ERROR.sub("", message.split("[SQL:")[0])
    return " ".join(_QUERY_LINE.sub("", message).split())[:500]


def _description(result: Any) -> str:
    configuration = result.expectation_config
    return configuration.description or configuration.type


def _check(result: Any) -> str:
    """The name of a check that is the same every night."""
    return (result.expectation_config.meta or {}).get(CHECK) or _description(result)


def _severity(result: Any) -> Severity:
    return Severity(FailureSeverity(result.expectation_config.severity).value)


def _judged(table: str, result: Any) -> tuple[list[Finding], list[CheckResult]]:
    """What an expectation found and what came of it: a verdict, or one for each column of its query."""
    configuration, figures = result.expectation_config, result.result
    severity, todo = _severity(result), str(configuration.notes or "")
    column = configuration.kwargs.get("column")
    rows_affected: int | None = None
    if "sample" in figures:
        rows_affected = figures.get("rows_found")
        verdicts = figures.get("judged") or [
            {"column": None, "success": bool(result.success), **figures, "numbers": {}}
        ]
    else:
        observed_value = figures.get("observed_value")
        rows_affected = figures.get("unexpected_count")
        rows = figures.get("partial_unexpected_index_list") or [
            {column or "value": value} for value in figures.get("partial_unexpected_list") or ()
        ]
        verdicts = [
            {
                "column": column,
                "success": bool(result.success),
                "observed_value": f"{rows_affected} of {figures['element_count']} rows"
                if rows_affected is not None
                else shown(observed_value),
                "expected": _range(configuration.kwargs),
                "sample": [{name: shown(value) for name, value in row.items()} for row in rows],
                "numbers": {
                    "observed": float(observed_value) if isinstance(observed_value, int | float) else None,
                    "lowest": configuration.kwargs.get("min_value"),
                    "highest": configuration.kwargs.get("max_value"),
                },
            }
        ]
    findings: list[Finding] = []
    checks: list[CheckResult] = []
    for verdict in verdicts:
        if verdict["success"] is False:
            findings.append(
                Finding(
                    table=table,
                    expectation=_description(result),
                    severity=severity,
                    observed=verdict["observed_value"],
                    expected=verdict["expected"],
                    sample=tuple(verdict["sample"][:SAMPLE_ROWS]),
                    todo=todo,
                    # The description of one of Great Expectations' own names its column.
                    column=verdict["column"] if "judged" in figures else None,
                )
            )
        checks.append(
            CheckResult(
                table=table,
                check=_check(result),
                column=verdict["column"],
                severity=severity,
                status=_status(verdict["success"], severity),
                observed=verdict["observed_value"],
                expected=verdict["expected"],
                observed_value=verdict["numbers"].get("observed"),
                lowest_value=verdict["numbers"].get("lowest"),
                highest_value=verdict["numbers"].get("highest"),
                rows_affected=rows_affected,
                message=todo if verdict["success"] is False else None,
            )
        )
    return findings, checks


def _status(success: bool | None, severity: Severity) -> Status:
    if success is None:
        return Status.NO_VERDICT
    if success:
        return Status.PASS
    return Status.FAIL if severity is Severity.CRITICAL else Status.WARN


def _range(arguments: Mapping[str, Any]) -> str:
    """The bounds of one of Great Expectations' own expectations, in words."""
    lowest, highest = arguments.get("min_value"), arguments.get("max_value")
    if lowest is not None and highest is not None:
        return f"{shown(lowest)} to {shown(highest)}"
    if lowest is not None:
        return f"at least {shown(lowest)}"
    return f"at most {shown(highest)}" if highest is not None else "see the Data Docs"


def _context(site: Path) -> EphemeralDataContext:
    """A context in memory whose only file store is the site."""
    return gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            data_docs_sites={
                SITE: {
                    "class_name": "SiteBuilder",
                    "show_how_to_buttons": False,
                    "store_backend": {
                        "class_name": "TupleFilesystemStoreBackend",
                        "base_directory": str(site),
                    },
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                    # Pages of suites say what the pages of their results say, without the results.
                    "site_section_builders": {"expectations": "none", "profiling": "none"},
                }
            },
        ),
    )


@contextmanager
def _silenced() -> Iterator[None]:
    """Great Expectations logs each failing metric with its traceback: we report it in our own words."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
