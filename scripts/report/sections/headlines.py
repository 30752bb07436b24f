"""The figures of the last complete month, each against the month before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scripts.report.charts.dots import sparkline
from scripts.report.language import Language
from scripts.report.picture import Figure, Picture, Section, Table
from scripts.report.queries import PREDICTED
from scripts.report.reading import Reader

BASE = """
    select
        base.month,
        base.installed_customers as active_customers,
        base.new_customers,
        base.reactivated_customers,
        -- While nobody could have lapsed, nobody knows who is lost.
        case when rate.is_window_observed then base.lapsed_customers end as lost_customers,
        case when rate.is_window_observed then rate.retention_rate end as retention_rate,
        base.order_count + coalesce(base.guest_order_count, 0) as orders,
        base.net_revenue + base.subscription_revenue + coalesce(base.guest_net_revenue, 0) as net_revenue,
        base.subscribers,
        base.closing_mrr
    from marts.fct_customer_base as base
    left join marts.fct_customer_retention_rate as rate
        on rate.period_start = base.month and rate.period_type = 'month' and rate.segment_type = 'all'
    where base.segment_type = 'all' and base.is_complete
    order by base.month desc
    limit 13
"""
RETAINED = """
    select
        month,
        trailing_12_month_gross_revenue_retention_rate as gross_retention,
        trailing_12_month_net_revenue_retention_rate as net_retention
    from marts.rpt_subscription_retention
    where segment_type = 'all' and is_complete
    order by month desc
    limit 13
"""
SCORES = """
    select period_start, votes, nps, nps_lower_95, nps_upper_95, nps_change, is_change_significant
    from marts.fct_nps_scores
    where segment_type = 'all' and survey = 'all' and period_type = 'quarter' and is_complete and votes > 0
    order by period_start desc
    limit 8
"""


def section(reader: Reader, say: Language) -> Section | None:
    """Figures of what the company has; None before anybody bought anything."""
    months = reader.rows(BASE)
    if not months:
        return None
    has_orders = any(row.orders for row in months)
    has_subscriptions = any(row.subscribers for row in months)
    money: Callable[[float], str] = lambda value: say.headline_money(value, reader.currency)  # noqa: E731
    figures = [
        _figure(say, months, "active_customers", say.number, is_good_up=True),
        _figure(say, months, "new_customers", say.number, is_good_up=True),
        _figure(say, months, "lost_customers", say.number, is_good_up=False),
        _figure(
            say, months, "retention_rate", lambda value: say.percent(value, 1), is_good_up=True, is_rate=True
        ),
    ]
    if has_orders:
        figures.append(_figure(say, months, "orders", say.number, is_good_up=True))
    if any(row.net_revenue for row in months):
        figures.append(_figure(say, months, "net_revenue", money, is_good_up=True))
    statements = [BASE]
    if has_subscriptions:
        figures.append(_figure(say, months, "closing_mrr", money, is_good_up=True))
        figures.append(_figure(say, months, "subscribers", say.number, is_good_up=True))
        retained = reader.rows(RETAINED)
        statements.append(RETAINED)
        for name in ("net_retention", "gross_retention"):
            figures.append(
                _figure(
                    say, retained, name, lambda value: say.percent(value, 1), is_good_up=True, is_rate=True
                )
            )
    scores = reader.rows(SCORES)
    if scores:
        statements.append(SCORES)
        figures.append(_score(say, scores))
    figures.append(_expected(reader, say))
    statements.append(PREDICTED)
    last = months[0]
    introduction = say("headlines.introduction", month=say.month(last.month))
    if len(months) > 1:
        introduction = say(
            "headlines.introduction_compared", month=say.month(last.month), before=say.month(months[1].month)
        )
    picture = Picture(
        name="headlines-months",
        title=say("headlines.title_of_table"),
        reading=say(
            "headlines.reading",
            month=say.month(last.month),
            came=say.number(last.new_customers + last.reactivated_customers),
            active=say.number(last.active_customers),
        ),
        definition=say("headlines.definition"),
        statements=statements,
        table=_table(reader, say, months, has_orders, has_subscriptions),
    )
    return Section("headlines", say("headlines.title"), introduction, [picture], figures)


def _figure(
    say: Language,
    rows: Sequence[Any],
    name: str,
    form: Callable[[float], str],
    *,
    is_good_up: bool,
    is_rate: bool = False,
) -> Figure:
    """A figure of the newest row against the one before; what nobody knows says why."""
    values = [getattr(row, name) for row in rows]
    label = say(f"figure.{name}")
    if not values or values[0] is None:
        return Figure(label, "–", note=say(f"figure.{name}.unknown"))
    change, is_good = "", None
    if len(values) > 1 and values[1] is not None:
        difference = values[0] - values[1]
        if is_rate:
            change = say("figure.points", change=say.signed(difference * 100, 1))
        elif values[1] > 0:
            change = say.signed(difference / values[1] * 100, 1) + "%"
        if round(difference, 9) and change:
            is_good = (difference > 0) == is_good_up
    return Figure(label, form(values[0]), change, is_good, sparkline(values[::-1]))


def _score(say: Language, scores: Sequence[Any]) -> Figure:
    last = scores[0]
    change, is_good = "", None
    if last.nps_change is not None:
        change = say.signed(last.nps_change)
        # A change that chance explains is no news, and has no colour.
        if last.is_change_significant:
            is_good = last.nps_change > 0
        else:
            change = say("figure.nps.chance", change=change)
    note = say("figure.nps.note", quarter=say.quarter(last.period_start), votes=say.number(last.votes))
    if last.nps_lower_95 is not None:
        note += say(
            "figure.nps.interval", low=say.number(last.nps_lower_95), high=say.number(last.nps_upper_95)
        )
    values = [row.nps for row in reversed(scores)]
    return Figure(say("figure.nps"), say.number(last.nps), change, is_good, sparkline(values), note)


def _expected(reader: Reader, say: Language) -> Figure:
    (row,) = reader.rows(PREDICTED)
    label = say("figure.predicted_value")
    if row.predicted_value is None:
        return Figure(label, "–", note=say("figure.predicted_value.unknown"))
    note = say(
        "figure.predicted_value.note",
        count=row.predicted_customers,
        customers=say.number(row.predicted_customers),
        unknown=say.number(row.customers - row.predicted_customers),
    )
    return Figure(label, say.headline_money(row.predicted_value, reader.currency), note=note)


def _table(
    reader: Reader, say: Language, months: Sequence[Any], has_orders: bool, has_subscriptions: bool
) -> Table:
    money: Callable[[float], str] = lambda value: say.money(value, reader.currency)  # noqa: E731
    columns: list[tuple[str, Callable[[Any], str]]] = [
        ("active_customers", say.number),
        ("new_customers", say.number),
        ("reactivated_customers", say.number),
        ("lost_customers", say.number),
        ("retention_rate", lambda value: say.percent(value, 1)),
    ]
    columns += [("orders", say.number)] if has_orders else []
    columns += [("net_revenue", money)]
    columns += [("subscribers", say.number), ("closing_mrr", money)] if has_subscriptions else []
    return Table(
        say("headlines.title_of_table"),
        [say("word.month"), *(say(f"figure.{name}") for name, _ in columns)],
        [
            [say.short_month(row.month), *(form(getattr(row, name)) for name, form in columns)]
            for row in months
        ],
    )
