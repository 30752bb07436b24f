"""How long customers stay: curves of all of them, and of the segments that differ most."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from scripts.report.charts import svg
from scripts.report.charts.lines import Axes, Line, plot_lines
from scripts.report.language import Language
from scripts.report.picture import NARROW, Picture, Section, Table
from scripts.report.reading import Reader

_MILESTONES = (30, 90, 180, 365, 730)

# The end of a curve, where a handful is left, says nothing.
CURVES = """
    select basis, tenure_days, at_risk_customers, survival_rate, survival_lower_95, survival_upper_95
    from marts.fct_survival
    where segment_type = 'all' and at_risk_customers >= 10
    order by basis, tenure_days
"""
_COLUMNS = ", ".join(
    f"survival_rate_{days}_days, survival_rate_{days}_days_lower_95, survival_rate_{days}_days_upper_95"
    for days in _MILESTONES
)
SUMMARY = f"""
    select
        basis, customers, churned_customers, median_tenure_days, median_tenure_days_lower_95,
        median_tenure_days_upper_95, {_COLUMNS}
    from marts.rpt_survival_summary
    where segment_type = 'all'
    order by basis
"""
# Of the kinds of segments the one whose curves lie farthest apart; since it was chosen for that, its p-value
# is multiplied by the number of kinds (Bonferroni).
CHOSEN = f"""
    select
        basis, segment_type, segment_value, customers, churned_customers, median_tenure_days,
        median_tenure_days_lower_95, median_tenure_days_upper_95, {_COLUMNS},
        least(1, segment_type_p_value * kinds) as p_value, kinds
    from (
        select
            *,
            dense_rank() over (partition by basis order by segment_type_p_value, segment_type) as place,
            row_number() over (
                partition by basis, segment_type order by customers desc, segment_value
            ) as size,
            (
                select count(distinct segment_type) from marts.rpt_survival_summary as other
                where other.basis = summary.basis and other.segment_type_p_value is not null
            ) as kinds
        from marts.rpt_survival_summary as summary
        where segment_type_p_value is not null
    )
    where place = 1 and size <= 6 and customers >= 20
    order by basis, customers desc, segment_value
"""
CURVES_OF_CHOSEN = f"""
    select
        curve.basis, curve.segment_type, curve.segment_value, curve.tenure_days,
        curve.survival_rate, curve.survival_lower_95, curve.survival_upper_95
    from marts.fct_survival as curve
    inner join (
{textwrap.indent(CHOSEN.strip(chr(10)).rstrip(), "    ")}
    ) as chosen
        on
            chosen.basis = curve.basis and chosen.segment_type = curve.segment_type
            and chosen.segment_value = curve.segment_value
    where curve.at_risk_customers >= 10
    order by curve.basis, chosen.customers desc, curve.segment_value, curve.tenure_days
"""


def section(reader: Reader, say: Language) -> Section | None:
    """Curves of each basis there is; None without customers."""
    summaries = [row for row in reader.rows(SUMMARY) if row.customers]
    if not summaries:
        return None
    curves = reader.rows(CURVES)
    pictures = []
    for summary in summaries:
        curve = [row for row in curves if row.basis == summary.basis]
        if len(curve) > 1:
            pictures.append(_all(say, summary, curve))
    chosen, of_chosen = reader.rows(CHOSEN), reader.rows(CURVES_OF_CHOSEN)
    for summary in summaries:
        segments = [row for row in chosen if row.basis == summary.basis]
        if len(segments) > 1:
            pictures.append(_segments(say, summary, segments, of_chosen, curves))
    if not pictures:
        return None
    return Section("survival", say("survival.title"), say("survival.introduction"), pictures)


def _all(say: Language, summary: Any, curve: Sequence[Any]) -> Picture:
    who = say(f"basis.{summary.basis}.who")
    if summary.median_tenure_days is None:
        reading = say("survival.reading_more_than_half", who=who, customers=say.number(summary.customers))
    else:
        interval = ""
        if summary.median_tenure_days_lower_95 is not None:
            upper = summary.median_tenure_days_upper_95
            interval = " " + say(
                "survival.interval" if upper is not None else "survival.interval_open",
                low=say.number(summary.median_tenure_days_lower_95),
                high=say.number(upper),
            )
        days = say.number(summary.median_tenure_days)
        reading = say("survival.reading", who=who, days=days, interval=interval)
    if summary.survival_rate_365_days is not None:
        reading += " " + say("survival.reading_year", rate=say.percent(summary.survival_rate_365_days))
    return Picture(
        name=f"survival-{summary.basis}",
        title=say("survival.picture", who=who),
        reading=reading,
        definition=say("survival.definition") + " " + say(f"survival.definition_{summary.basis}"),
        statements=[CURVES, SUMMARY],
        table=_table(say, say("survival.picture", who=who), [(say("word.all"), summary)]),
        draw=lambda name, width: _draw_all(say, name, width, curve),
    )


def _draw_all(say: Language, name: str, width: int, curve: Sequence[Any]) -> tuple[Sequence[Markup], float]:
    height = 250
    line = _line("", curve)
    axes = _axes(say, curve[-1].tenure_days, x_label=say("survival.days"))
    return plot_lines(name, width, height, [line], axes, is_step=True), height


def _segments(
    say: Language, summary: Any, segments: Sequence[Any], curves: Sequence[Any], of_all: Sequence[Any]
) -> Picture:
    first = segments[0]
    kind = say.segment_type(first.segment_type)
    who = say(f"basis.{summary.basis}.who")
    is_chance = first.p_value >= 0.05
    # That of whom nothing is known is the best or the worst says nothing.
    named = [
        row for row in segments if row.survival_rate_180_days is not None and row.segment_value != "unknown"
    ]
    key = "survival.segments.reading_chance" if is_chance else "survival.segments.reading"
    reading = say(
        key, who=who, kind=kind, count=first.kinds, kinds=first.kinds, p=_p_value(say, first.p_value)
    )
    if not is_chance and len(named) > 1:
        best = max(named, key=lambda row: row.survival_rate_180_days)
        worst = min(named, key=lambda row: row.survival_rate_180_days)
        reading += " " + say(
            "survival.segments.reading_extremes",
            best=_value(say, best),
            best_rate=say.percent(best.survival_rate_180_days),
            worst=_value(say, worst),
            worst_rate=say.percent(worst.survival_rate_180_days),
        )
    title = say("survival.segments.title", who=who, kind=kind)
    panels = [
        (
            _value(say, segment),
            segment,
            [
                row
                for row in curves
                if (row.basis, row.segment_value) == (segment.basis, segment.segment_value)
            ],
        )
        for segment in segments
    ]
    reference = [row for row in of_all if row.basis == summary.basis]
    return Picture(
        name=f"survival-segments-{summary.basis}",
        title=title,
        reading=reading,
        definition=say("survival.segments.definition"),
        statements=[CHOSEN, CURVES_OF_CHOSEN, CURVES],
        table=_table(say, title, [(value, segment) for value, segment, _ in panels]),
        draw=lambda name, width: _draw_panels(say, name, width, panels, reference),
        is_wide=True,
    )


def _value(say: Language, row: Any) -> str:
    return say.segment_value(row.segment_type, row.segment_value)


def _p_value(say: Language, p: float) -> str:
    told = f"p < {say.number(0.001, 3)}" if p < 0.001 else f"p = {say.number(p, 3 if p < 0.1 else 2)}"
    return told.replace(" ", "\u00a0")


def _draw_panels(
    say: Language,
    name: str,
    width: int,
    panels: Sequence[tuple[str, Any, Sequence[Any]]],
    reference: Sequence[Any],
) -> tuple[Sequence[Markup], float]:
    """Small multiples: each segment with its interval, all customers in grey behind it."""
    across = 1 if width == NARROW else min(3, len(panels))
    side, height, gap = (width - (across - 1) * 24) / across, 178.0, 34.0
    longest = max([row.tenure_days for _, _, curve in panels for row in curve], default=1)
    behind = [row for row in reference if row.tenure_days <= longest]
    parts = []
    for place, (value, segment, curve) in enumerate(panels):
        x, y = place % across * (side + 24), place // across * (height + gap)
        lines = [
            Line("", [(row.tenure_days, row.survival_rate) for row in behind], "quiet", is_reference=True)
        ]
        if len(curve) > 1:
            lines.append(_line("", curve))
        size = say("survival.segments.size", count=segment.customers, size=say.number(segment.customers))
        label = svg.shortened(value, side - svg.text_width(size) - 12, 13 * svg.BOLD)
        parts.append(
            svg.group(
                svg.tag("text", label, x=2, y=14, class_="heading"),
                svg.tag("text", size, x=side, y=14, class_="axis end"),
                svg.group(
                    *plot_lines(f"{name}-{place}", side, height, lines, _axes(say, longest), is_step=True),
                    transform="translate(0 18)",
                ),
                transform=f"translate({svg.number(float(x))} {svg.number(float(y))})",
            )
        )
    lines_of_panels = -(-len(panels) // across)
    return parts, lines_of_panels * (height + gap)


def _line(name: str, curve: Sequence[Any]) -> Line:
    return Line(
        name,
        [(row.tenure_days, row.survival_rate) for row in curve],
        band=[
            None if row.survival_lower_95 is None else (row.survival_lower_95, row.survival_upper_95)
            for row in curve
        ],
    )


def _axes(say: Language, longest: float, x_label: str = "") -> Axes:
    step = next(step for step in (30, 90, 180, 365, 730, 1825) if longest / step <= 6 or step == 1825)
    marks = [(float(days), say.number(days)) for days in range(0, int(longest) + 1, step)]
    return Axes(x_ticks=marks, format_y=say.percent, y_low=0, y_high=1, x_label=x_label)


def _table(say: Language, caption: str, rows: Sequence[tuple[str, Any]]) -> Table:
    return Table(
        caption,
        [
            say("word.segment"),
            say("word.customers"),
            say("survival.left"),
            say("survival.median"),
            *(say("survival.after", days=say.number(days)) for days in _MILESTONES),
        ],
        [
            [
                value,
                say.number(row.customers),
                say.number(row.churned_customers),
                say.number(row.median_tenure_days),
                *(_with_interval(say, row, days) for days in _MILESTONES),
            ]
            for value, row in rows
        ],
    )


def _with_interval(say: Language, row: Any, days: int) -> str:
    rate, low, high = (
        getattr(row, f"survival_rate_{days}_days{end}") for end in ("", "_lower_95", "_upper_95")
    )
    if rate is None or low is None:
        return say.percent(rate)
    return f"{say.percent(rate)} ({say.percent(low)}–{say.percent(high)})"
