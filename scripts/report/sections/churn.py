"""Why customers left, and whether it could be seen coming."""

from __future__ import annotations

from scripts.report.charts.bars import Bar, Part, plot_lying
from scripts.report.language import Language
from scripts.report.picture import Picture, Section, Table
from scripts.report.reading import Reader

REASONS = """
    select
        basis, reason, bool_or(is_controllable) as is_controllable, sum(churn_events) as departures,
        sum(mrr_lost) as mrr_lost, sum(value_lost) as value_lost,
        min(month) as first_month, max(month) as last_month
    from marts.fct_churn_reasons
    where
        segment_type = 'all' and is_complete
        and month > (
            select max(month) - interval 12 month from marts.fct_churn_reasons where is_complete
        )
    group by basis, reason
    having sum(churn_events) > 0
    order by basis, departures desc, reason
"""
ENGAGEMENT = """
    select basis, engagement_trend, count(*) as departures, sum(value_lost) as value_lost
    from marts.fct_churn_events
    where
        churn_month > (
            select max(month) - interval 12 month from marts.fct_churn_reasons where is_complete
        )
        and churn_month <= (select max(month) from marts.fct_churn_reasons where is_complete)
    group by basis, engagement_trend
    order by basis, engagement_trend
"""
# From the loudest warning to none.
_TRENDS = (("silent", "c2"), ("declining", "c5"), ("steady", "quiet"), ("rising", "c1"))


def section(reader: Reader, say: Language) -> Section | None:
    """Reasons of subscribers, who are asked, and engagement of all; None when nobody has left."""
    pictures = [
        picture
        for picture in (_reasons(reader, say), _reasons_of_shoppers(reader, say), _engagement(reader, say))
        if picture is not None
    ]
    if not pictures:
        return None
    introduction = say("churn.introduction")
    if any(row.basis == "orders" for row in reader.rows(ENGAGEMENT)):
        introduction += " " + say("churn.introduction_shoppers")
    return Section("churn", say("churn.title"), introduction, pictures)


def _reasons(reader: Reader, say: Language) -> Picture | None:
    rows = [row for row in reader.rows(REASONS) if row.basis == "subscription"]
    if not rows:
        return None
    total = sum(row.departures for row in rows)
    controllable = sum(row.departures for row in rows if row.is_controllable)
    bars = [
        Bar(
            say.name("reason", row.reason),
            [Part(row.departures, "c2" if row.is_controllable else "quiet", say.name("reason", row.reason))],
            f"{say.number(row.departures)} · {say.money(row.mrr_lost, reader.currency)}",
        )
        for row in rows[:12]
    ]
    names = [(say("churn.controllable"), "c2"), (say("churn.not_controllable"), "quiet")]
    title = say(
        "churn.reasons.title",
        first=say.short_month(min(row.first_month for row in rows)),
        last=say.short_month(max(row.last_month for row in rows)),
    )
    return Picture(
        name="churn-reasons",
        title=title,
        reading=say(
            "churn.reasons.reading",
            count=total,
            departures=say.number(total),
            reason=say.name("reason", rows[0].reason),
            share=say.percent(rows[0].departures / total),
            controllable=say.percent(controllable / total),
            mrr=say.money(sum(row.mrr_lost for row in rows), reader.currency),
        ),
        definition=say("churn.reasons.definition"),
        statements=[REASONS],
        table=Table(
            title,
            [
                say("churn.reason"),
                say("churn.departures"),
                say("word.share"),
                say("churn.mrr_lost"),
                say("churn.is_controllable"),
            ],
            [
                [
                    say.name("reason", row.reason),
                    say.number(row.departures),
                    say.percent(row.departures / total),
                    say.money(row.mrr_lost, reader.currency),
                    say("word.yes" if row.is_controllable else "word.no"),
                ]
                for row in rows
            ],
        ),
        draw=lambda name, width: plot_lying(width, bars, names=names),
    )


def _reasons_of_shoppers(reader: Reader, say: Language) -> Picture | None:
    """Of shoppers, who lapse by silence, those whom somebody states to have left, and why."""
    every = [row for row in reader.rows(REASONS) if row.basis == "orders"]
    rows = [row for row in every if row.reason != "not_given"]
    if not rows:
        return None
    total = sum(row.departures for row in rows)
    title = say(
        "churn.shoppers.title",
        first=say.short_month(min(row.first_month for row in rows)),
        last=say.short_month(max(row.last_month for row in rows)),
    )
    bars = [
        Bar(
            say.name("reason", row.reason),
            [Part(row.departures, "c2" if row.is_controllable else "quiet", say.name("reason", row.reason))],
            say.number(row.departures),
        )
        for row in rows[:12]
    ]
    names = [(say("churn.controllable"), "c2"), (say("churn.not_controllable"), "quiet")]
    return Picture(
        name="churn-reasons-shoppers",
        title=title,
        reading=say(
            "churn.shoppers.reading",
            all=say.number(sum(row.departures for row in every)),
            count=total,
            departures=say.number(total),
            reason=say.name("reason", rows[0].reason),
            share=say.percent(rows[0].departures / total),
        ),
        definition=say("churn.shoppers.definition"),
        statements=[REASONS],
        table=Table(
            title,
            [say("churn.reason"), say("churn.departures"), say("word.share"), say("churn.is_controllable")],
            [
                [
                    say.name("reason", row.reason),
                    say.number(row.departures),
                    say.percent(row.departures / total),
                    say("word.yes" if row.is_controllable else "word.no"),
                ]
                for row in rows
            ],
        ),
        draw=lambda name, width: plot_lying(width, bars, names=names),
    )


def _engagement(reader: Reader, say: Language) -> Picture | None:
    counts: dict[str, dict[str, int]] = {}
    for row in reader.rows(ENGAGEMENT):
        counts.setdefault(row.basis, {})[row.engagement_trend] = row.departures
    known = {basis: {one: trends.get(one, 0) for one, _ in _TRENDS} for basis, trends in counts.items()}
    known = {basis: trends for basis, trends in known.items() if sum(trends.values())}
    if not known:
        return None
    bars, sentences = [], []
    for basis, trends in sorted(known.items()):
        total = sum(trends.values())
        bars.append(
            Bar(
                say(f"basis.{basis}"),
                [
                    Part(
                        trends[one] / total,
                        colour,
                        f"{say.name('trend', one)}: {say.number(trends[one])} "
                        f"({say.percent(trends[one] / total)})",
                    )
                    for one, colour in _TRENDS
                ],
                say("churn.engagement.of", count=total, total=say.number(total)),
            )
        )
        sentences.append(
            say(
                "churn.engagement.reading",
                who=say(f"basis.{basis}.who"),
                count=total,
                total=say.number(total),
                all=say.number(sum(counts[basis].values())),
                share=say.percent((trends["silent"] + trends["declining"]) / total),
            )
        )
    return Picture(
        name="churn-engagement",
        title=say("churn.engagement.title"),
        reading=" ".join(sentences),
        definition=say("churn.engagement.definition"),
        statements=[ENGAGEMENT],
        table=Table(
            say("churn.engagement.title"),
            [
                say("word.who"),
                *(say.name("trend", one) for one, _ in _TRENDS),
                say.name("trend", "unknown"),
            ],
            [
                [
                    say(f"basis.{basis}"),
                    *(say.number(trends.get(one, 0)) for one, _ in _TRENDS),
                    say.number(trends.get("unknown", 0)),
                ]
                for basis, trends in sorted(counts.items())
            ],
        ),
        draw=lambda name, width: plot_lying(
            width, bars, names=[(say.name("trend", one), colour) for one, colour in _TRENDS], row=40
        ),
    )
