"""What customers say: the Net Promoter Score with its interval, and what their comments are about."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from scripts.report.charts.bars import Bar, Part, plot_lying
from scripts.report.charts.dots import Dot, plot_dots
from scripts.report.language import Language
from scripts.report.picture import NARROW, Picture, Section, Table
from scripts.report.reading import Reader
from scripts.report.sections import timeline

SCORES = """
    select
        period_start, votes, promoters, passives, detractors, nps, nps_lower_95, nps_upper_95, nps_change,
        is_change_significant, response_rate
    from marts.fct_nps_scores
    where
        segment_type = 'all' and survey = 'all' and period_type = 'quarter' and is_complete
        and nps is not null
    order by period_start desc
    limit 12
"""
THEMES = """
    with last_year as (
        select distinct period_start
        from marts.rpt_feedback_themes
        where period_type = 'quarter' and comment_type = 'survey' and is_complete
        order by period_start desc
        limit 4
    ),

    commented as (
        select sum(comments) as comments
        from (
            select distinct period_start, comments
            from marts.rpt_feedback_themes
            inner join last_year using (period_start)
            where period_type = 'quarter' and comment_type = 'survey'
        )
    )

    select
        theme, any_value(theme_category) as theme_category, min(period_start) as first_quarter,
        max(period_start) as last_quarter,
        sum(mentions) as mentions, sum(promoter_mentions) as promoter_mentions,
        sum(passive_mentions) as passive_mentions, sum(detractor_mentions) as detractor_mentions,
        any_value(comments_of_all.comments) as comments
    from marts.rpt_feedback_themes
    inner join last_year using (period_start)
    cross join commented as comments_of_all
    where period_type = 'quarter' and comment_type = 'survey' and theme <> 'unclassified'
    group by theme
    having sum(mentions) > 0
    order by mentions desc, theme
"""
_KINDS = (("detractor", "c2"), ("passive", "quiet"), ("promoter", "c1"))


def section(reader: Reader, say: Language) -> Section | None:
    """Scores and themes; None without a scored response."""
    pictures = [picture for picture in (_scores(reader, say), _themes(reader, say)) if picture is not None]
    return Section("nps", say("nps.title"), say("nps.introduction"), pictures) if pictures else None


def _scores(reader: Reader, say: Language) -> Picture | None:
    rows = reader.rows(SCORES)[::-1]
    if not rows:
        return None
    last = rows[-1]
    interval = ""
    if last.nps_lower_95 is not None:
        interval = " " + say(
            "nps.interval", low=say.number(last.nps_lower_95), high=say.number(last.nps_upper_95)
        )
    reading = say(
        "nps.reading",
        quarter=say.quarter(last.period_start),
        nps=say.number(last.nps),
        votes=say.number(last.votes),
        interval=interval,
    )
    if last.is_change_significant is not None:
        key = "nps.change" if last.is_change_significant else "nps.change_chance"
        reading += " " + say(key, change=say.signed(last.nps_change))
    else:
        reading += " " + say("nps.change_unknown")

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        shown = rows[-6:] if width == NARROW else rows
        dots = [
            Dot(
                say.quarter(row.period_start),
                row.nps,
                None if row.nps_lower_95 is None else (row.nps_lower_95, row.nps_upper_95),
                say(
                    "nps.hover",
                    quarter=say.quarter(row.period_start),
                    nps=say.number(row.nps),
                    votes=say.number(row.votes),
                ),
            )
            for row in shown
        ]
        every = timeline.labels_every(width - 40, len(dots))
        return plot_dots(width, 260, dots, say.number, labels_every=every), 260

    return Picture(
        name="nps-scores",
        title=say("nps.picture"),
        reading=reading,
        definition=say("nps.definition"),
        statements=[SCORES],
        table=Table(
            say("nps.picture"),
            [
                say("word.quarter"),
                "NPS",
                say("nps.interval_head"),
                say("nps.votes"),
                *(say(f"nps.{kind}s") for kind, _ in reversed(_KINDS)),
                say("nps.response_rate"),
            ],
            [
                [
                    say.quarter(row.period_start),
                    say.number(row.nps),
                    "–"
                    if row.nps_lower_95 is None
                    else say(
                        "form.range", low=say.number(row.nps_lower_95), high=say.number(row.nps_upper_95)
                    ),
                    say.number(row.votes),
                    say.number(row.promoters),
                    say.number(row.passives),
                    say.number(row.detractors),
                    say.percent(row.response_rate, 1),
                ]
                for row in reversed(rows)
            ],
        ),
        draw=draw,
    )


def _themes(reader: Reader, say: Language) -> Picture | None:
    rows = reader.rows(THEMES)
    if not rows:
        return None
    first = rows[0]
    unhappy = max(rows, key=lambda row: row.detractor_mentions)
    reading = say(
        "nps.themes.reading",
        theme=say.name("theme", first.theme),
        share=say.percent(first.mentions / first.comments),
        count=first.comments,
        comments=say.number(first.comments),
    )
    if unhappy.detractor_mentions:
        reading += " " + say("nps.themes.reading_detractors", theme=say.name("theme", unhappy.theme))
    bars = [
        Bar(
            say.name("theme", row.theme),
            [
                *(
                    Part(
                        getattr(row, f"{kind}_mentions"),
                        colour,
                        f"{say(f'nps.{kind}s')}: {say.number(getattr(row, f'{kind}_mentions'))}",
                    )
                    for kind, colour in _KINDS
                ),
                Part(_without_score(row), "faint", say("nps.themes.without_score")),
            ],
            say.number(row.mentions),
        )
        for row in rows[:10]
    ]
    title = say(
        "nps.themes.title", first=say.quarter(first.first_quarter), last=say.quarter(first.last_quarter)
    )
    return Picture(
        name="nps-themes",
        title=title,
        reading=reading,
        definition=say("nps.themes.definition"),
        statements=[THEMES],
        table=Table(
            title,
            [
                say("nps.themes.theme"),
                say("nps.themes.mentions"),
                say("nps.themes.share"),
                *(say(f"nps.{kind}s") for kind, _ in reversed(_KINDS)),
            ],
            [
                [
                    say.name("theme", row.theme),
                    say.number(row.mentions),
                    say.percent(row.mentions / row.comments),
                    say.number(row.promoter_mentions),
                    say.number(row.passive_mentions),
                    say.number(row.detractor_mentions),
                ]
                for row in rows
            ],
        ),
        draw=lambda name, width: plot_lying(
            width, bars, names=[(say(f"nps.{kind}s"), colour) for kind, colour in _KINDS]
        ),
    )


def _without_score(row: object) -> float:
    return row.mentions - sum(getattr(row, f"{kind}_mentions") for kind, _ in _KINDS)  # type: ignore[attr-defined]
