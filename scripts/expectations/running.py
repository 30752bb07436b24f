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

from scripts.expectations.dialect import connection_string
from scripts.expectations.findings import CheckError, Finding, Severity, SuiteResult
from scripts.expectations.queries import SAMPLE_ROWS, Suite, shown

SITE = "local"

_DATABASE_ERROR = re.compile(r"^.*\(_duckdb\.\w+\) ", re.DOTALL)
_QUERY_LINE = re.compile(r"\bLINE \d+:.*", re.DOTALL)


def run_suites(
    database: Path, suites: Sequence[Suite], run_id: str, site: Path
) -> tuple[list[SuiteResult], list[Finding], list[CheckError]]:
    """Validate a DuckDB file, opened read-only, and write the Data Docs below `site`.

    The file is closed when this returns. A table that is missing is an error of its check, like every
    exception in one: the other suites run all the same.
    """
    results: list[SuiteResult] = []
    findings: list[Finding] = []
    errors: list[CheckError] = []
    run = RunIdentifier(run_name=run_id, run_time=datetime.now(UTC))
    with _silenced():
        context = _context(site)
        source = context.data_sources.add_sql(
            name="warehouse",
            connection_string=connection_string(database),
            create_temp_table=False,
            kwargs={
                "connect_args": {"read_only": True, "config": {"autoinstall_known_extensions": "false"}},
            },
        )
        try:
            for suite in suites:
                suite_findings, suite_errors = _run_suite(context, source, suite, run)
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
            context.build_data_docs()
        finally:
            # Two pools: one tests that tables are there, the other computes.
            source.get_execution_engine().close()
            source.get_engine().dispose()
    return results, findings, errors


def _run_suite(
    context: EphemeralDataContext, source: SQLDatasource, suite: Suite, run: RunIdentifier
) -> tuple[list[Finding], list[CheckError]]:
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
        return [], [CheckError(suite.name, "all of its expectations", _in_short(str(error)))]
    findings: list[Finding] = []
    errors: list[CheckError] = []
    for result in outcome.results:
        message = _exception_message(result.exception_info)
        if message is not None:
            errors.append(CheckError(suite.name, _description(result), message))
        elif not result.success:
            findings.append(_finding(suite.name, result))
    return findings, errors


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


def _finding(table: str, result: Any) -> Finding:
    configuration, figures = result.expectation_config, result.result
    if "sample" in figures:
        observed, expected, sample = (figures[name] for name in ("observed_value", "expected", "sample"))
    else:
        observed = (
            f"{figures['unexpected_count']} of {figures['element_count']} rows"
            if "unexpected_count" in figures
            else shown(figures.get("observed_value"))
        )
        expected = _range(configuration.kwargs)
        column = configuration.kwargs.get("column", "value")
        rows = figures.get("partial_unexpected_index_list") or [
            {column: value} for value in figures.get("partial_unexpected_list") or ()
        ]
        sample = [{name: shown(value) for name, value in row.items()} for row in rows]
    return Finding(
        table=table,
        expectation=_description(result),
        severity=Severity(FailureSeverity(configuration.severity).value),
        observed=observed,
        expected=expected,
        sample=tuple(sample[:SAMPLE_ROWS]),
        todo=str(configuration.notes or ""),
    )


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
