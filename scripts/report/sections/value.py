"""What customers have brought: how it is spread over them, how much hangs on how few, and the tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from scripts.report.charts.bars import Column, Part, plot_standing
from scripts.report.charts.dots import Pair, plot_pairs
from scripts.report.language import Language
from scripts.report.picture import Picture, Section, Table
from scripts.report.reading import Reader
from scripts.report.sections import timeline

DECILES = """
    select
        decile, customers, gross_revenue, revenue_share, cumulative_revenue_share, top_20_percent_share,
        gini_coefficient
    from marts.fct_revenue_concentration
    where segment_type = 'all' and period_type = 'all' and customers > 0
    order by decile
"""
# Classes that begin at 1, 2 and 5 times each power of ten; who brought nothing or less is one of their own.
DISTRIBUTION = """
    select from_value, count(*) as customers, sum(historic_value) as value
    from (
        select
            historic_value,
            case
                when historic_value <= 0 then 0
                when historic_value >= 5 * decade then 5 * decade
                when historic_value >= 2 * decade then 2 * decade
                else decade
            end as from_value
        from (
            select
                historic_value,
                case when historic_value > 0 then pow(10, floor(log10(historic_value))) end as decade
            from marts.fct_customer_lifetime_value
        )
    )
    group by from_value
    order by from_value
"""
MEDIAN = """
    select count(*) as customers, median(historic_value) as median_value, avg(historic_value) as mean_value
    from marts.fct_customer_lifetime_value
"""
TIERS = """
    select
        loyalty_tier, count(*) as customers, sum(historic_value) as value,
        count(*) / sum(count(*)) over () as customer_share,
        sum(historic_value) / nullif(sum(sum(historic_value)) over (), 0) as value_share
    from marts.dim_customers
    where is_customer and loyalty_tier is not null
    group by loyalty_tier
    order by avg(historic_value)
"""


def section(reader: Reader, say: Language) -> Section | None:
    """Three pictures, those that have something to show; None without customers."""
    pictures = [
        picture
        for picture in (_concentration(reader, say), _distribution(reader, say), _tiers(reader, say))
        if picture is not None
    ]
    return Section("value", say("value.title"), say("value.introduction"), pictures) if pictures else None


def _concentration(reader: Reader, say: Language) -> Picture | None:
    rows = [row for row in reader.rows(DECILES) if row.revenue_share is not None]
    if not rows:
        return None

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        columns = [
            Column(
                say.number(row.decile),
                [
                    Part(
                        row.revenue_share,
                        "c1" if row.decile <= 2 else "quiet",
                        say(
                            "value.concentration.hover",
                            decile=say.number(row.decile),
                            share=say.percent(row.revenue_share, 1),
                        ),
                    )
                ],
            )
            for row in rows
        ]
        return plot_standing(width, 250, columns, say.percent, x_label=say("value.concentration.axis")), 250

    return Picture(
        name="value-concentration",
        title=say("value.concentration.title"),
        reading=say("value.concentration.reading", share=say.percent(rows[0].top_20_percent_share, 1)),
        definition=say("value.concentration.definition", gini=say.number(rows[0].gini_coefficient, 2)),
        statements=[DECILES],
        table=Table(
            say("value.concentration.title"),
            [
                say("value.decile"),
                say("word.customers"),
                say("value.gross"),
                say("word.share"),
                say("value.cumulative"),
            ],
            [
                [
                    say.number(row.decile),
                    say.number(row.customers),
                    say.money(row.gross_revenue, reader.currency),
                    say.percent(row.revenue_share, 1),
                    say.percent(row.cumulative_revenue_share, 1),
                ]
                for row in rows
            ],
        ),
        draw=draw,
    )


def _distribution(reader: Reader, say: Language) -> Picture | None:
    rows = reader.rows(DISTRIBUTION)
    (middle,) = reader.rows(MEDIAN)
    if not any(row.from_value for row in rows):
        return None

    def told(row: Any) -> str:
        if not row.from_value:
            return say("value.nothing")
        return say("value.from", value=say.short_money(row.from_value, reader.currency))

    def draw(name: str, width: int) -> tuple[Sequence[Markup], float]:
        columns = [
            Column(
                say.compact(row.from_value) if row.from_value else "≤ 0",
                [Part(row.customers, "c1", f"{told(row)}: {say.number(row.customers)}")],
            )
            for row in rows
        ]
        return plot_standing(
            width,
            250,
            columns,
            say.number,
            x_label=say("value.distribution.axis", currency=reader.currency),
            labels_every=timeline.labels_every(width + width // 2, len(columns)),
        ), 250

    return Picture(
        name="value-distribution",
        title=say("value.distribution.title"),
        reading=say(
            "value.distribution.reading"
            if middle.mean_value > 1.2 * middle.median_value
            else "value.distribution.reading_even",
            median=say.money(middle.median_value, reader.currency),
            mean=say.money(middle.mean_value, reader.currency),
        ),
        definition=say("value.distribution.definition"),
        statements=[DISTRIBUTION, MEDIAN],
        table=Table(
            say("value.distribution.title"),
            [say("value.class"), say("word.customers"), say("value.together")],
            [[told(row), say.number(row.customers), say.money(row.value, reader.currency)] for row in rows],
        ),
        draw=draw,
    )


def _tiers(reader: Reader, say: Language) -> Picture | None:
    rows = [row for row in reader.rows(TIERS) if row.value_share is not None]
    if len(rows) < 2:
        return None
    best = rows[-1]
    pairs = [
        Pair(
            say.name("tier", row.loyalty_tier),
            row.customer_share,
            row.value_share,
            f"{say.percent(row.customer_share, 1)} → {say.percent(row.value_share, 1)}",
        )
        for row in reversed(rows)
    ]
    names = (say("value.tiers.customers"), say("value.tiers.value"))
    return Picture(
        name="value-tiers",
        title=say("value.tiers.title"),
        reading=say(
            "value.tiers.reading",
            tier=say.name("tier", best.loyalty_tier),
            customers=say.percent(best.customer_share, 1),
            value=say.percent(best.value_share, 1),
        ),
        definition=say("value.tiers.definition"),
        statements=[TIERS],
        table=Table(
            say("value.tiers.title"),
            [
                say("value.tier"),
                say("word.customers"),
                say("word.share"),
                say("value.together"),
                say("value.share"),
            ],
            [
                [
                    say.name("tier", row.loyalty_tier),
                    say.number(row.customers),
                    say.percent(row.customer_share, 1),
                    say.money(row.value, reader.currency),
                    say.percent(row.value_share, 1),
                ]
                for row in reversed(rows)
            ],
        ),
        draw=lambda name, width: plot_pairs(width, pairs, names, say.percent),
    )
