"""Which share of the customers active at the start of a month was active at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from scripts.report.charts.lines import Axes, Line, plot_lines
from scripts.report.language import Language
from scripts.report.picture import NARROW, Picture, Section, Table
from scripts.report.reading import Reader
from scripts.report.sections import timeline

RATES = """
    select
        period_start as month, starting_customers, retained_customers, lost_customers, gained_customers,
        retention_rate, is_window_observed, is_complete
    from marts.fct_customer_retention_rate
    where
        segment_type = 'all' and period_type = 'month'
        and period_start >= (
            select max(period_start) - interval 48 month from marts.fct_customer_retention_rate
            where segment_type = 'all' and period_type = 'month'
        )
    order by period_start
"""


def section(reader: Reader, say: Language) -> Section | None:
    """The line; None while nobody was active at the start of any month."""
    rows = reader.rows(RATES)
    if not any(row.starting_customers for row in rows):
        return None
    known = [
        row for row in rows if row.is_complete and row.is_window_observed and row.retention_rate is not None
    ]
    reading = say("retention.reading_unknown")
    if known:
        last, before = known[-1], known[-13:-1]
        reading = say(
            "retention.reading",
            month=say.month(last.month),
            customers=say.number(last.starting_customers),
            rate=say.percent(last.retention_rate, 1),
        )
        if len(before) == 12:
            mean = sum(row.retained_customers for row in before) / sum(
                row.starting_customers for row in before
            )
            reading += " " + say("retention.reading_before", rate=say.percent(mean, 1))
    is_drawn = len(known) > 1
    is_hatched = is_drawn and any(not row.is_window_observed for row in rows)
    picture = Picture(
        name="retention-rate",
        title=say("retention.picture"),
        reading=reading,
        definition=say("retention.definition"),
        statements=[RATES],
        table=_table(say, rows),
        draw=(lambda name, width: _draw(say, name, width, rows, known)) if is_drawn else None,
        is_wide=True,
        notes=[say("retention.note_unobserved")] if is_hatched else [],
    )
    return Section("retention", say("retention.title"), say("retention.introduction"), [picture])


def _draw(
    say: Language, name: str, width: int, rows: Sequence[Any], known: Sequence[Any]
) -> tuple[Sequence[Markup], float]:
    height = 240 if width == NARROW else 280
    seen = {row.month for row in known}
    points = [(timeline.place(row.month), row.retention_rate if row.month in seen else None) for row in rows]
    unobserved = [timeline.place(row.month) for row in rows if not row.is_window_observed]
    axes = Axes(
        x_ticks=timeline.ticks([row.month for row in rows], say),
        format_y=say.percent,
        y_high=1.0,
        y_low=min(row.retention_rate for row in known),
        unobserved=[(unobserved[0] - 0.5, unobserved[-1] + 0.5)] if unobserved else [],
        unobserved_label=say("retention.unobserved"),
    )
    hovers = [f"{say.short_month(row.month)}: {say.percent(row.retention_rate, 1)}" for row in rows]
    line = Line(say.percent(known[-1].retention_rate, 1), points, hovers=hovers)
    return plot_lines(name, width, height, [line], axes), height


def _table(say: Language, rows: Sequence[Any]) -> Table:
    names = ("starting_customers", "retained_customers", "lost_customers", "gained_customers")
    return Table(
        say("retention.picture"),
        [say("word.month"), *(say(f"retention.{name}") for name in names), say("figure.retention_rate")],
        [
            [
                say.short_month(row.month),
                *(say.number(getattr(row, name)) for name in names),
                _rate(say, row),
            ]
            for row in rows
        ],
    )


def _rate(say: Language, row: Any) -> str:
    if not row.is_complete:
        return say("word.open")
    if not row.is_window_observed:
        return say("retention.unobserved")
    return say.percent(row.retention_rate, 1)
