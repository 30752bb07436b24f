"""Two expectations that are written as a query, and what a suite is.

`no_rows` is for what must not be there ("a refund larger than its order"), `figure` for a number that must
lie within bounds, which the query may compute from the past ("orders of the last month"), or for several, one
for each column of a table. Both run as one query inside DuckDB; no more than a handful of rows ever reaches
Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.expectations.core import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.components import (
    LegacyDiagnosticRendererType,
    RenderedTableContent,
)
from great_expectations.render.renderer.renderer import renderer

from scripts.contract.check_history import Severity
from scripts.contract.quality_limits import QualityLimits
from scripts.personal_data.patterns import without_addresses

# How many of the rows in question a report shows.
SAMPLE_ROWS = 5

_COUNT = "_found"

# Under this key an expectation's `meta` has the name that is the same every night.
CHECK = "check"


@dataclass(frozen=True)
class Suite:
    """What is expected of one table; `key` is what identifies a row of it in a report."""

    schema: str
    table: str
    expectations: tuple[Expectation, ...]
    key: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Past:
    """What a suite may compare with.

    `as_of`: the last day the warehouse knows; None while there is no event at all. `marts`: the tables of
    schema `marts`. `published_rows`, `published_as_of`: the last publication's rows of each mart and last
    day; empty and None when there is none. `tables`: the raw tables that the company has; None: all. `today`:
    the day by the clock, where the business is; None: nobody asks. `limits`: those of the company.
    """

    as_of: date | None = None
    marts: tuple[str, ...] = ()
    published_rows: dict[str, int] = field(default_factory=dict)
    published_as_of: date | None = None
    tables: frozenset[str] | None = None
    today: date | None = None
    limits: QualityLimits = field(default_factory=QualityLimits)

    @property
    def is_earlier_than_published(self) -> bool:
        """Whether the warehouse was asked for an earlier day than readers have."""
        return bool(self.as_of and self.published_as_of and self.as_of < self.published_as_of)


def shown(value: Any) -> str:
    """A value as a report shows it: decimals with all their digits, an e-mail address never.

    >>> shown(None), shown("ann@example.com wrote")
    ('null', '[e-mail] wrote')
    """
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    return without_addresses(str(value))


class ExpectFromQuery(UnexpectedRowsExpectation):
    """What both have in common. `expected`: in words, what should be true."""

    expected: str

    # One query gives the rows and their number, see `no_rows`.
    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    @pydantic.validator("unexpected_rows_query")
    def _validate_query(cls, query: str) -> str:  # noqa: N805
        """Replaces a check that prints a line for each query that names its tables itself, as ours do."""
        return query

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.OBSERVED_VALUE)
    def _diagnostic_observed_value_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: Any = None,
        **kwargs: Any,
    ) -> str:
        figures = result.result if result else {}
        if "observed_value" not in figures:
            return "--"
        return f"{figures['observed_value']} (expected: {figures['expected']})"

    @classmethod
    @renderer(renderer_type=LegacyDiagnosticRendererType.UNEXPECTED_TABLE)
    def _diagnostic_unexpected_table_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: Any = None,
        **kwargs: Any,
    ) -> list[RenderedTableContent] | None:
        """The sample, as a table."""
        sample = (result.result if result else {}).get("sample")
        if not sample:
            return None
        return [
            RenderedTableContent(
                content_block_type="table",
                header_row=list(sample[0]),
                table=[list(row.values()) for row in sample],
                styling={"body": {"classes": ["table-bordered", "table-sm"]}},
            )
        ]


class ExpectNoRowsFromQuery(ExpectFromQuery):
    """Expect that a query finds nothing; the query lists what is wrong, a row for each."""

    def _validate(self, metrics: dict, **kwargs: Any) -> dict[str, Any]:
        rows = metrics["unexpected_rows_query.table"]
        found = rows[0][_COUNT] if rows else 0
        return {
            "success": found == 0,
            "result": {
                "observed_value": f"{found} {'row' if found == 1 else 'rows'}",
                "expected": self.expected,
                "rows_found": found,
                "sample": [
                    {name: shown(value) for name, value in row.items() if name != _COUNT} for row in rows
                ],
            },
        }


class ExpectFigureFromQuery(ExpectFromQuery):
    """Expect that the number `observed` of each row of a query lies within its `lowest` and `highest`.

    A query on several columns gives a row for each, with its name as `column`; else there is one row. A null
    bound is no bound. A null `observed`, or no row, means that there is nothing to compare with yet, and
    `no verdict` may say why: no finding, and no pass either. Further columns explain the number and become
    the sample. `unit` follows the numbers, `words` may add what a row tells.
    """

    unit: str = ""
    words: str = ""

    def _validate(self, metrics: dict, **kwargs: Any) -> dict[str, Any]:
        rows = metrics["unexpected_rows_query.table"]
        judged = [self._judge(dict(row)) for row in rows or [{}]]
        found = [one for one in judged if one["success"] is False]
        # A single row tells what was seen; of several those that are out of bounds, if any.
        told = found or judged
        return {
            "success": not found,
            "result": {
                "observed_value": "; ".join(
                    (f"{one['column']}: " if one["column"] else "") + one["observed_value"] for one in told
                ),
                "expected": "; ".join(dict.fromkeys(one["expected"] for one in told)),
                "sample": [row for one in found for row in one["sample"]],
                "judged": judged,
            },
        }

    def _judge(self, row: dict[str, Any]) -> dict[str, Any]:
        """One number; `success` is None where nobody can tell."""
        names = ("column", "observed", "lowest", "highest", "no verdict")
        column, observed, lowest, highest, reason = (row.pop(name, None) for name in names)
        sample = [{name: shown(value) for name, value in row.items()}] if row else []
        numbers = {
            name: None if value is None else float(value)
            for name, value in (("observed", observed), ("lowest", lowest), ("highest", highest))
        }
        if observed is None:
            return {
                "column": column,
                "success": None,
                "observed_value": reason or "nothing to compare with yet",
                "expected": self.expected,
                "sample": [],
                "numbers": dict.fromkeys(numbers),
            }
        unit = f" {self.unit}" if self.unit else ""
        return {
            "column": column,
            "success": (lowest is None or _exact(observed) >= _exact(lowest))
            and (highest is None or _exact(observed) <= _exact(highest)),
            "observed_value": shown(observed) + unit + self.words.format(**row),
            "expected": _bounds(lowest, highest) + unit,
            "sample": sample,
            "numbers": numbers,
        }


def _exact(number: Any) -> Decimal:
    """The number as it is written: 0.01 as a float is a little more than 0.01 as a decimal."""
    return Decimal(str(number))


def _bounds(lowest: Any, highest: Any) -> str:
    if lowest is None:
        return f"at most {shown(highest)}"
    if highest is None:
        return f"at least {shown(lowest)}"
    if lowest == highest:
        return shown(lowest)
    return f"{shown(lowest)} to {shown(highest)}"


def no_rows(
    description: str,
    query: str,
    severity: Severity,
    *,
    expected: str = "no such row",
    todo: str,
    check: str = "",
) -> ExpectNoRowsFromQuery:
    """Expect that `query` finds nothing. Its columns go into the report: no free text, no personal data.

    `description` names the fact in the affirmative, `todo` says what it means and what to do about it.
    `check` is the name that is the same every night, where the description is not.
    """
    return ExpectNoRowsFromQuery(
        description=description,
        # The number of all rows comes with the few that are shown, so that the query runs once.
        unexpected_rows_query=_for_sqlalchemy(
            f'select *, count(*) over () as "{_COUNT}"\nfrom (\n{query}\n) as "found"\n'
            f"order by all\nlimit {SAMPLE_ROWS}"
        ),
        expected=expected,
        severity=severity.value,
        notes=todo,
        meta=named(check),
    )


def figure(
    description: str,
    query: str,
    severity: Severity,
    *,
    expected: str,
    todo: str,
    check: str = "",
    unit: str = "",
    words: str = "",
) -> ExpectFigureFromQuery:
    """Expect that the number which `query` gives as `observed` lies between its `lowest` and `highest`.

    See `ExpectFigureFromQuery` for what else the query may give, and for `unit` and `words`; `check` is the
    name that is the same every night, where the description is not.
    """
    return ExpectFigureFromQuery(
        description=description,
        unexpected_rows_query=_for_sqlalchemy(query),
        expected=expected,
        severity=severity.value,
        notes=todo,
        unit=unit,
        words=words,
        meta=named(check),
    )


def named(check: str) -> dict[str, str] | None:
    """What gives an expectation a name of its own; without one it goes by its description."""
    return {CHECK: check} if check else None


def _for_sqlalchemy(query: str) -> str:
    r"""Escape what Great Expectations and SQLAlchemy would take for a parameter: braces and `:name`.

    >>> print(_for_sqlalchemy("select '{a}', ':b', c::text"))
    select '{{a}}', '\:b', c::text
    """
    return re.sub(r"(?<![:\w])(:)(?=\w)", r"\\:", query.replace("{", "{{").replace("}", "}}"))
