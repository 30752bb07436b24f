"""How healthy the active customers are, what moved them, and whether the score tells who leaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from scripts.report.charts.bars import Bar, Column, Part, plot_lying, plot_standing
from scripts.report.charts.dots import Pair, plot_pairs
from scripts.report.language import Language
from scripts.report.picture import NARROW, Picture, Section, Table
from scripts.report.queries import HEALTH, TELLING_AUC
from scripts.report.reading import Reader
from scripts.report.sections import timeline

BANDS = """
    select month, health_band, count(*) as customers
    from marts.fct_customer_health
    where
        is_complete
        and month > (
            select max(month) - interval 13 month from marts.fct_customer_health where is_complete
        )
    group by month, health_band
    order by month, health_band
"""
DRIVERS = """
    select month, change_driver, band_change, count(*) as customers
    from marts.fct_customer_health
    where
        is_complete and change_driver is not null
        and month = (select max(month) from marts.fct_customer_health where is_complete)
    group by month, change_driver, band_change
    order by change_driver, band_change
"""
_BANDS = (("good", "c1"), ("average", "quiet"), ("poor", "c2"), ("unknown", "faint"))


def section(reader: Reader, say: Language) -> Section | None:
    """Bands, drivers and skill; None without an active customer."""
    pictures = [
        picture
        for picture in (_bands(reader, say), _drivers(reader, say), _skill(reader, say))
        if picture is not None
    ]
    return Section("health", say("health.title"), say("health.introduction"), pictures) if pictures else None


def _bands(reader: Reader, say: Language) -> Picture | None:
    months: dict[date, dict[str, int]] = {}
    for row in reader.rows(BANDS):
        months.setdefault(row.month, {})[row.health_band] = row.customers
    if not months:
        return None
    shares = {
        month: {band: count / sum(bands.values()) for band, count in bands.items()}
        for month, bands in months.items()
    }
    last, *_ = before = sorted(months, reverse=True)
    total = sum(months[last].values())
    reading = say(
        "health.bands.reading",
        month=say.month(last),
        total=say.number(total),
        good=say.percent(shares[last].get("good", 0)),
        poor=say.percent(shares[last].get("poor", 0)),
    )
    if len(before) == 13:
        reading += " " + say(
            "health.bands.reading_before", poor=say.percent(shares[before[-1]].get("poor", 0))
        )
    known = [(band, colour) for band, colour in _BANDS if any(band in bands for bands in months.values())]

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        shown = sorted(months)[-8 if width == NARROW else -13 :]
        columns = [
            Column(
                say.short_month(month),
                [
                    Part(
                        shares[month].get(band, 0),
                        colour,
                        f"{say.short_month(month)}, {say.name('band', band)}: "
                        f"{say.number(months[month].get(band, 0))} "
                        f"({say.percent(shares[month].get(band, 0))})",
                    )
                    for band, colour in reversed(known)
                ],
            )
            for month in shown
        ]
        names, sum_so_far = [], 0.0
        for band, colour in reversed(known):
            share = shares[last].get(band, 0)
            names.append((sum_so_far + share / 2, f"{say.name('band', band)} {say.percent(share)}", colour))
            sum_so_far += share
        parts = plot_standing(
            width,
            260,
            columns,
            say.percent,
            y_high=1,
            names=names,
            labels_every=timeline.labels_every(width - 130, len(columns)),
        )
        return parts, 260

    return Picture(
        name="health-bands",
        title=say("health.bands.title"),
        reading=reading,
        definition=say("health.bands.definition"),
        statements=[BANDS],
        table=Table(
            say("health.bands.title"),
            [say("word.month"), *(say.name("band", band) for band, _ in known)],
            [
                [say.short_month(month), *(say.number(months[month].get(band, 0)) for band, _ in known)]
                for month in before
            ],
        ),
        draw=draw,
    )


def _drivers(reader: Reader, say: Language) -> Picture | None:
    moved: dict[str, dict[str, int]] = {}
    rows = reader.rows(DRIVERS)
    for row in rows:
        moved.setdefault(row.change_driver, {})[row.band_change] = row.customers
    if not moved:
        return None
    order = sorted(moved, key=lambda one: (-sum(moved[one].values()), one))
    worse = sum(changes.get("worsened", 0) for changes in moved.values())
    better = sum(changes.get("improved", 0) for changes in moved.values())
    first = max(order, key=lambda one: moved[one].get("worsened", 0))
    bars = [
        Bar(
            say.name("component", one),
            [
                Part(-moved[one].get("worsened", 0), "c2", say("health.worsened")),
                Part(moved[one].get("improved", 0), "c1", say("health.improved")),
            ],
            f"−{say.number(moved[one].get('worsened', 0))} +{say.number(moved[one].get('improved', 0))}",
        )
        for one in order
    ]
    title = say("health.drivers.title", month=say.month(rows[0].month))
    return Picture(
        name="health-drivers",
        title=title,
        reading=say(
            "health.drivers.reading",
            count=worse,
            worse=say.number(worse),
            better=say.number(better),
            driver=say.name("component", first),
        ),
        definition=say("health.drivers.definition"),
        statements=[DRIVERS],
        table=Table(
            title,
            [say("health.component"), say("health.worsened"), say("health.improved")],
            [
                [
                    say.name("component", one),
                    say.number(moved[one].get("worsened", 0)),
                    say.number(moved[one].get("improved", 0)),
                ]
                for one in order
            ],
        ),
        draw=lambda name, width: plot_lying(
            width, bars, names=[(say("health.worsened"), "c2"), (say("health.improved"), "c1")]
        ),
    )


def _skill(reader: Reader, say: Language) -> Picture | None:
    rows = reader.rows(HEALTH)
    if not rows:
        return None
    pairs = [
        Pair(
            say(f"basis.{row.churn_basis}"),
            row.pooled_silence_auc,
            row.pooled_score_auc,
            f"{say.number(row.pooled_silence_auc, 2)} → {say.number(row.pooled_score_auc, 2)}",
        )
        for row in rows
    ]
    names = (say("health.skill.silence"), say("health.skill.score"))
    sentences = [
        say(
            _verdict(row.pooled_score_auc, row.pooled_silence_auc),
            who=say(f"basis.{row.churn_basis}.who"),
            score=say.number(row.pooled_score_auc, 2),
            silence=say.number(row.pooled_silence_auc, 2),
        )
        for row in rows
    ]
    low = min(0.5, *(min(pair.first, pair.second) for pair in pairs))
    return Picture(
        name="health-skill",
        title=say("health.skill.title"),
        reading=" ".join(sentences),
        definition=say("health.skill.definition"),
        statements=[HEALTH],
        table=Table(
            say("health.skill.title"),
            [say("word.who"), *names],
            [
                [
                    say(f"basis.{row.churn_basis}"),
                    say.number(row.pooled_silence_auc, 3),
                    say.number(row.pooled_score_auc, 3),
                ]
                for row in rows
            ],
        ),
        draw=lambda name, width: plot_pairs(
            width, pairs, names, lambda value: say.number(value, 1), low=low, high=1
        ),
    )


def _verdict(score: float, silence: float) -> str:
    """How to say which of the two knows more; two that are alike to the second digit are not told apart."""
    if score <= silence:
        return "health.skill.reading_no_better"
    if score < TELLING_AUC:
        return "health.skill.reading_coin"
    return "health.skill.reading" if score - silence >= 0.01 else "health.skill.reading_hardly"
