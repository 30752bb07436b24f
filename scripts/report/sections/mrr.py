"""Monthly recurring revenue: from where it came to where it is, and which share of it was kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from scripts.report.charts.bars import Column, Part, Span, plot_bridge, plot_standing
from scripts.report.charts.lines import Axes, Line, plot_lines
from scripts.report.language import Language
from scripts.report.picture import NARROW, Picture, Section, Table
from scripts.report.reading import Reader
from scripts.report.sections import timeline

MOVEMENTS = """
    select
        month, opening_mrr, new_mrr, reactivation_mrr, expansion_mrr, contraction_mrr, churn_mrr, closing_mrr,
        opening_customers, closing_customers
    from marts.rpt_subscription_retention
    where segment_type = 'all' and is_complete
    order by month desc
    limit 24
"""
BRIDGE = """
    select
        min(month) as first_month, max(month) as last_month, count(*) as months,
        arg_min(opening_mrr, month) as opening_mrr,
        sum(new_mrr) as new_mrr, sum(reactivation_mrr) as reactivation_mrr,
        sum(expansion_mrr) as expansion_mrr, sum(contraction_mrr) as contraction_mrr,
        sum(churn_mrr) as churn_mrr,
        arg_max(closing_mrr, month) as closing_mrr
    from (
        select * from marts.rpt_subscription_retention
        where segment_type = 'all' and is_complete
        order by month desc
        limit 12
    )
"""
RETAINED = """
    select
        month,
        trailing_12_month_gross_revenue_retention_rate as gross_retention,
        trailing_12_month_net_revenue_retention_rate as net_retention
    from marts.rpt_subscription_retention
    where segment_type = 'all' and is_complete
    order by month
"""
# What adds to MRR, then what takes from it, each with its colour.
_GAINS = (("new_mrr", "c1"), ("reactivation_mrr", "c4"), ("expansion_mrr", "c3"))
_LOSSES = (("contraction_mrr", "c5"), ("churn_mrr", "c2"))


def section(reader: Reader, say: Language) -> Section | None:
    """Bridge, months and retention; None without a subscription."""
    movements = reader.rows(MOVEMENTS)[::-1]
    if not any(row.opening_mrr or row.closing_mrr for row in movements):
        return None
    pictures = [_bridge(reader, say)]
    if len(movements) > 2:
        pictures.append(_months(reader, say, movements))
    pictures.append(_retained(reader, say))
    return Section("mrr", say("mrr.title"), say("mrr.introduction"), pictures)


def _bridge(reader: Reader, say: Language) -> Picture:
    (row,) = reader.rows(BRIDGE)
    money: Callable[[float], str] = lambda value: say.money(value, reader.currency)  # noqa: E731
    steps = [Span(say("mrr.opening"), 0, row.opening_mrr, money(row.opening_mrr), "quiet")]
    for names, sign in ((_GAINS, 1), (_LOSSES, -1)):
        for name, colour in names:
            value = getattr(row, name)
            end = steps[-1].end + sign * value
            mark = "+" if sign > 0 else "−"
            steps.append(Span(say(f"mrr.{name}"), steps[-1].end, end, mark + money(value), colour))
    steps.append(Span(say("mrr.closing"), 0, row.closing_mrr, money(row.closing_mrr), "c1"))
    span = {"first": say.short_month(row.first_month), "last": say.short_month(row.last_month)}
    return Picture(
        name="mrr-bridge",
        title=say("mrr.bridge.title", **span),
        reading=say(
            "mrr.bridge.reading",
            count=row.months,
            months=say.number(row.months),
            start=money(row.opening_mrr),
            end=money(row.closing_mrr),
            gained=money(row.new_mrr + row.reactivation_mrr + row.expansion_mrr),
            lost=money(row.contraction_mrr + row.churn_mrr),
        ),
        definition=say("mrr.bridge.definition"),
        statements=[BRIDGE],
        table=Table(
            say("mrr.bridge.title", **span),
            [say("word.step"), say("word.amount")],
            [[step.label, step.told] for step in steps],
        ),
        draw=lambda name, width: plot_bridge(width, steps),
    )


def _months(reader: Reader, say: Language, rows: Sequence[Any]) -> Picture:
    last = rows[-1]
    gained = last.new_mrr + last.reactivation_mrr + last.expansion_mrr
    lost = last.contraction_mrr + last.churn_mrr
    names = [name for name, _ in (*_GAINS, *_LOSSES)]

    def money(value: float) -> str:
        return say.money(value, reader.currency)

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        shown = rows[-12:] if width == NARROW else rows
        height = 270
        columns = [
            Column(
                say.short_month(row.month),
                [
                    Part(
                        sign * getattr(row, one),
                        colour,
                        f"{say.short_month(row.month)}, {say(f'mrr.{one}')}: {money(getattr(row, one))}",
                    )
                    for kinds, sign in ((_GAINS, 1), (_LOSSES, -1))
                    for one, colour in kinds
                ],
            )
            for row in shown
        ]
        parts = plot_standing(
            width,
            height,
            columns,
            lambda value: say.short_money(value, reader.currency),
            labels_every=timeline.labels_every(width - 120, len(shown)),
            names=_names(say, last),
        )
        return parts, height

    return Picture(
        name="mrr-months",
        title=say("mrr.months.title"),
        reading=say(
            "mrr.months.reading", month=say.month(last.month), gained=money(gained), lost=money(lost)
        ),
        definition=say("mrr.months.definition"),
        statements=[MOVEMENTS],
        table=Table(
            say("mrr.months.title"),
            [
                say("word.month"),
                say("mrr.opening"),
                *(say(f"mrr.{name}") for name in names),
                say("mrr.closing"),
            ],
            [
                [
                    say.short_month(row.month),
                    *(money(getattr(row, name)) for name in ("opening_mrr", *names, "closing_mrr")),
                ]
                for row in reversed(rows)
            ],
        ),
        draw=draw,
    )


def _names(say: Language, last: Any) -> list[tuple[float, str, str]]:
    """Where the names of the parts stand beside the last column: at the middle of each part."""
    places = []
    for kinds, sign in ((_GAINS, 1), (_LOSSES, -1)):
        sum_so_far = 0.0
        for name, colour in kinds:
            value = getattr(last, name)
            places.append((sign * (sum_so_far + value / 2), say(f"mrr.{name}"), colour))
            sum_so_far += value
    return places


def _retained(reader: Reader, say: Language) -> Picture:
    rows = reader.rows(RETAINED)
    known = [row for row in rows if row.net_retention is not None]
    reading = say("mrr.retained.reading_unknown")
    if known:
        reading = say(
            "mrr.retained.reading",
            month=say.month(known[-1].month),
            gross=say.percent(known[-1].gross_retention, 1),
            net=say.percent(known[-1].net_retention, 1),
        )

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        height = 250
        lines = [
            Line(
                say(f"mrr.retained.{column}"),
                [(timeline.place(row.month), getattr(row, column)) for row in known],
                colour,
                hovers=[
                    f"{say.short_month(row.month)}: {say.percent(getattr(row, column), 1)}" for row in known
                ],
            )
            for column, colour in (("net_retention", "c1"), ("gross_retention", "c3"))
        ]
        axes = Axes(x_ticks=timeline.ticks([row.month for row in known], say), format_y=say.percent)
        return plot_lines(name, width, height, lines, axes), height

    return Picture(
        name="mrr-retained",
        title=say("mrr.retained.title"),
        reading=reading,
        definition=say("mrr.retained.definition"),
        statements=[RETAINED],
        table=Table(
            say("mrr.retained.title"),
            [say("word.month"), say("figure.gross_retention"), say("figure.net_retention")],
            [
                [
                    say.short_month(row.month),
                    say.percent(row.gross_retention, 1),
                    say.percent(row.net_retention, 1),
                ]
                for row in reversed(rows)
            ],
        ),
        draw=draw if len(known) > 1 else None,
    )
