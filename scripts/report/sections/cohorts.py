"""Those who came together: how many are still there, and what they have brought, by age."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from markupsafe import Markup

from scripts.report.charts.heatmap import Cell, HeatRow, plot_heat
from scripts.report.language import Language
from scripts.report.picture import NARROW, Picture, Section, Table
from scripts.report.reading import Reader

RETENTION = """
    select cohort_month, months_since_first as age, cohort_size, active_customers, retention_rate, is_complete
    from marts.fct_cohort_retention
    where
        segment_type = 'all' and cohort_size > 0 and months_since_first between 1 and 24
        and cohort_month >= (
            select max(cohort_month) - interval 24 month from marts.fct_cohort_retention
            where segment_type = 'all'
        )
    order by cohort_month desc, age
"""
VALUE = """
    select
        cohort_month, months_since_first as age, cohort_size, cumulative_value,
        cumulative_value_per_customer as value, is_complete
    from marts.fct_cohort_lifetime_value
    where
        segment_type = 'all' and cohort_size > 0 and months_since_first between 0 and 23
        and cohort_month >= (
            select max(cohort_month) - interval 24 month from marts.fct_cohort_lifetime_value
            where segment_type = 'all'
        )
    order by cohort_month desc, age
"""
# On a telephone: fewer cohorts, at the ages one asks for.
_NARROW_AGES = (1, 2, 3, 6, 9, 12)
_NARROW_ROWS = 13
# The age that is put into words is the greatest of these that any cohort has reached.
_TOLD_AGES = (12, 6, 3, 1)

_Cohorts = Mapping[date, Mapping[int, Any]]


def section(reader: Reader, say: Language) -> Section | None:
    """Both heat maps; None as long as no cohort is a month old."""
    retention, value = _by_cohort(reader.rows(RETENTION)), _by_cohort(reader.rows(VALUE))
    pictures = []
    if _told(retention, "retention_rate"):
        pictures.append(_retention(say, retention))
    if any(row.value for ages in value.values() for row in ages.values()):
        pictures.append(_value(reader, say, value))
    if not pictures:
        return None
    return Section("cohorts", say("cohorts.title"), say("cohorts.introduction"), pictures)


def _by_cohort(rows: Sequence[Any]) -> _Cohorts:
    cohorts: dict[date, dict[int, Any]] = {}
    for row in rows:
        cohorts.setdefault(row.cohort_month, {})[row.age] = row
    return cohorts


def _told(cohorts: _Cohorts, column: str, ages: Sequence[int] = _TOLD_AGES) -> Any:
    """The row to put into words: of the youngest cohort that has reached the greatest such age."""
    for age in ages:
        for cohort in cohorts.values():
            row = cohort.get(age)
            if row is not None and row.is_complete and getattr(row, column) is not None:
                return row
    return None


def _retention(say: Language, cohorts: _Cohorts) -> Picture:
    told = _told(cohorts, "retention_rate", (6, 3, 1)) or _told(cohorts, "retention_rate")
    same_age = [ages[told.age] for ages in cohorts.values() if told.age in ages]
    same_age = [row for row in same_age if row.is_complete]
    mean = sum(row.active_customers for row in same_age) / sum(row.cohort_size for row in same_age)
    return Picture(
        name="cohort-retention",
        title=say("cohorts.retention.title"),
        reading=say(
            "cohorts.retention.reading",
            month=say.month(told.cohort_month),
            size=say.number(told.cohort_size),
            rate=say.percent(told.retention_rate),
            count=told.age,
            age=told.age,
            mean=say.percent(mean),
        ),
        definition=say("cohorts.retention.definition"),
        statements=[RETENTION],
        table=_table(
            say,
            cohorts,
            say("cohorts.retention.title"),
            lambda row: say.percent(row.retention_rate, 1) if row.is_complete else say("word.open"),
        ),
        draw=_drawing(
            say,
            cohorts,
            [row.retention_rate for ages in cohorts.values() for row in ages.values()],
            lambda row: (
                row.retention_rate,
                [say.percent(row.retention_rate), say.number((row.retention_rate or 0) * 100)],
            ),
            lambda row: say(
                "cohorts.retention.hover",
                month=say.short_month(row.cohort_month),
                count=row.age,
                age=row.age,
                active=say.number(row.active_customers),
                size=say.number(row.cohort_size),
            ),
        ),
        is_wide=True,
        notes=[say("cohorts.note_open")] if _has_open(cohorts) else [],
    )


def _value(reader: Reader, say: Language, cohorts: _Cohorts) -> Picture:
    told = _told(cohorts, "value", (11, 5, 2, 0))
    reading = say("cohorts.value.reading_none")
    if told is not None:
        reading = say(
            "cohorts.value.reading",
            month=say.month(told.cohort_month),
            value=say.money(told.value, reader.currency),
            count=told.age + 1,
            age=told.age + 1,
        )
    return Picture(
        name="cohort-value",
        title=say("cohorts.value.title", currency=reader.currency),
        reading=reading,
        definition=say("cohorts.value.definition"),
        statements=[VALUE],
        table=_table(
            say,
            cohorts,
            say("cohorts.value.title", currency=reader.currency),
            lambda row: say.money(row.value, reader.currency) if row.is_complete else say("word.open"),
        ),
        draw=_drawing(
            say,
            cohorts,
            [row.value for ages in cohorts.values() for row in ages.values() if row.is_complete],
            lambda row: (row.value, [say.compact(row.value), say.compact(row.value, 0)]),
            lambda row: say(
                "cohorts.value.hover",
                month=say.short_month(row.cohort_month),
                count=row.age + 1,
                age=row.age + 1,
                value=say.money(row.value, reader.currency),
            ),
        ),
        is_wide=True,
        notes=[say("cohorts.note_open")] if _has_open(cohorts) else [],
    )


def _has_open(cohorts: _Cohorts) -> bool:
    return any(not row.is_complete for ages in cohorts.values() for row in ages.values())


def _drawing(
    say: Language,
    cohorts: _Cohorts,
    values: Sequence[float | None],
    cell: Callable[[Any], tuple[float | None, Sequence[str]]],
    hover: Callable[[Any], str],
) -> Callable[[str, int], tuple[Sequence[Markup], float]]:
    highest = max((value for value in values if value is not None), default=1.0)
    all_ages = sorted({age for ages in cohorts.values() for age in ages})

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        shown = list(cohorts.items())
        ages = all_ages
        if width == NARROW:
            # The value map counts from the month of the first purchase, which is age 0.
            ages = [age + all_ages[0] - 1 for age in _NARROW_AGES if age + all_ages[0] - 1 <= all_ages[-1]]
            shown = shown[:_NARROW_ROWS]
        rows = [
            HeatRow(
                say.short_month(month),
                say.number(next(iter(by_age.values())).cohort_size),
                [_cell(by_age.get(age), cell, hover) for age in ages],
            )
            for month, by_age in shown
        ]
        # Where there is no room for both, the number beside a month needs no name.
        heads = (say("cohorts.first_purchase"), "" if width == NARROW else say("word.customers"))
        first = all_ages[0]
        # The month of the first purchase is the first one, and age 0.
        return plot_heat(name, width, rows, [str(age + (first == 0)) for age in ages], heads, highest)

    return draw


def _cell(
    row: Any, cell: Callable[[Any], tuple[float | None, Sequence[str]]], hover: Callable[[Any], str]
) -> Cell:
    if row is None:
        return Cell(None)
    if not row.is_complete:
        return Cell(None, is_open=True)
    value, told = cell(row)
    return Cell(value, told if value is not None else (), hover(row))


def _table(say: Language, cohorts: _Cohorts, caption: str, form: Callable[[Any], str]) -> Table:
    ages = sorted({age for by_age in cohorts.values() for age in by_age})
    first = ages[0]
    return Table(
        caption,
        [
            say("cohorts.first_purchase"),
            say("word.customers"),
            *(say("cohorts.month_number", age=age + (first == 0)) for age in ages),
        ],
        [
            [
                say.short_month(month),
                say.number(next(iter(by_age.values())).cohort_size),
                *(form(by_age[age]) if age in by_age else "" for age in ages),
            ]
            for month, by_age in cohorts.items()
        ],
    )
