"""The last word of a night: where the published warehouse lies, its headline figures, how to ask it more."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from scripts.contract.raw_tables import CURRENCIES_WITHOUT_DECIMALS
from scripts.core.settings import Settings
from scripts.publication.publications import Publication, current_publication
from scripts.report import queries

# Each figure is read from the marts as a reader would read it. Money is in the company's reporting currency.
_BASE = """
    select
        arg_max(base_customers, month) as customers,
        arg_max(installed_customers, month) as active_customers,
        sum(order_count) as customer_orders,
        sum(guest_order_count) as guest_orders,
        sum(net_revenue) + coalesce(sum({billed}), 0) as customer_revenue,
        sum(guest_net_revenue) as guest_revenue
    from marts.fct_customer_base
    where segment_type = 'all'
"""
# Not while the window has not been observed: nobody could have lapsed, and a headline has no room to say so.
_RETENTION = """
    select period_start, cast(retention_rate as double), starting_customers
    from marts.fct_customer_retention_rate
    where
        segment_type = 'all' and period_type = 'month' and is_complete and is_window_observed
        and retention_rate is not null
    order by period_start desc
    limit 1
"""
_CONCENTRATION = """
    select cast(max(top_20_percent_share) as double)
    from marts.fct_revenue_concentration
    where segment_type = 'all' and period_type = 'all'
"""

# The last month that is over.
_SUBSCRIPTIONS = """
    select
        month, closing_mrr, closing_mrr - opening_mrr, closing_customers,
        new_customers + reactivated_customers, churned_customers,
        trailing_12_month_gross_revenue_retention_rate, trailing_12_month_net_revenue_retention_rate
    from marts.rpt_subscription_retention
    where segment_type = 'all' and is_complete
    qualify max(closing_customers) over () > 0
    order by month desc
    limit 1
"""
# Of the year up to that month.
_REASONS = """
    select reason, sum(churn_events) as events, sum(sum(churn_events)) over () as all_events
    from marts.fct_churn_reasons
    where
        segment_type = 'all' and basis = 'subscription' and churn_type = 'voluntary' and is_complete
        and month > cast($1 as date) - interval 12 month
    group by reason
    having sum(churn_events) > 0
    order by reason = 'unknown', events desc, reason
    limit 3
"""

# The newest first: who reads the summary every night knows the others.
_NAMES_OF_FINDINGS = """
    select concat(border, '.', table_name, ': ', check_name)
    from marts.fct_data_quality
    where is_latest and is_finding
    order by consecutive_findings, 1
    limit 3
"""


@dataclass(frozen=True)
class OpenFindings:
    """What the last validation found: how many, how many of them are new, since when the oldest is open."""

    number: int
    new: int
    oldest_since: datetime | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subscriptions:
    """A subscription business in its last complete month; rates of the twelve months to its end, in [0, 1].

    `reasons` are the most frequent stated ones of those months, each with its departures and those of all.
    """

    month: date
    mrr: Decimal
    mrr_change: Decimal
    subscribers: int
    gained: int
    lost: int
    gross_retention: float | None
    net_retention: float | None
    reasons: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True)
class Headlines:
    """The figures of one publication. None where the data does not say; shares and rates are in [0, 1]."""

    as_of_date: date
    customers: int
    active_customers: int
    customer_orders: int
    guest_orders: int
    customer_revenue: Decimal
    guest_revenue: Decimal
    retention_month: date | None
    retention_rate: float | None
    retention_base: int | None
    top_20_percent_share: float | None
    predicted_customers: int
    known_customers: int
    predicted_value: Decimal | None


def summarize(settings: Settings) -> str:
    """What is published now, as text; empty before the first publication."""
    publication = current_publication(settings)
    if publication is None:
        return ""
    marts = publication.manifest["marts"]
    currency = publication.manifest["reporting_currency"]
    figures = [
        *format_headlines(read_headlines(publication), currency, format_last_event(publication.manifest)),
        *format_subscriptions(read_subscriptions(publication), currency),
        *format_health(read_health_skill(publication)),
        *format_later(publication.manifest),
        *format_own_rules(publication.manifest),
        *format_control_totals(read_control_totals(publication)),
        *format_rejects(publication.manifest),
        *format_findings(read_open_findings(publication)),
    ]
    width = max(len(name) for name, _ in figures)
    table = "\n".join(f"  {name:<{width}}  {value}".rstrip() for name, value in figures)
    return "\n\n".join(
        (
            f"Published {publication.run_id}, {len(marts)} marts from {publication.manifest['source_name']}: "
            f"{settings.analytics_database}",
            table,
            *format_report(settings),
            f"Ask it more:\n  {query_command(settings)}",
        )
    )


def read_headlines(publication: Publication) -> Headlines:
    """Query the published file."""
    with duckdb.connect(str(publication.path / "analytics.duckdb"), read_only=True) as connection:
        # A publication of an older version has no revenue of subscriptions.
        has_billed = _one(
            connection,
            """
            select true from duckdb_columns() where schema_name = 'marts' and table_name = 'fct_customer_base'
            and column_name = 'subscription_revenue'
            """,
        )
        base = _one(connection, _BASE.format(billed="subscription_revenue" if has_billed else "0"))
        retention = _one(connection, _RETENTION) or (None, None, None)
        concentration = _one(connection, _CONCENTRATION)
        predicted = _one(connection, queries.PREDICTED)
    customers, active, customer_orders, guest_orders, customer_revenue, guest_revenue = (
        value or 0 for value in base
    )
    return Headlines(
        as_of_date=date.fromisoformat(publication.manifest["as_of_date"]),
        customers=customers,
        active_customers=active,
        customer_orders=int(customer_orders),
        guest_orders=int(guest_orders),
        customer_revenue=Decimal(customer_revenue),
        guest_revenue=Decimal(guest_revenue),
        retention_month=retention[0],
        retention_rate=retention[1],
        retention_base=retention[2],
        top_20_percent_share=concentration[0],
        predicted_customers=predicted[0],
        known_customers=predicted[1],
        predicted_value=predicted[2],
    )


def format_headlines(figures: Headlines, currency: str, last_event: str = "") -> list[tuple[str, str]]:
    """Names and values as they are shown; what the data does not say is told as such."""
    revenue = figures.customer_revenue + figures.guest_revenue
    lines = [
        ("As of", figures.as_of_date.isoformat() + last_event),
        ("Customers", f"{figures.customers:,}, of whom {figures.active_customers:,} active"),
    ]
    if figures.customer_orders or figures.guest_orders:
        lines.append(("Orders", f"{figures.customer_orders + figures.guest_orders:,}"))
    lines.append(("Net revenue", _money(revenue, currency)))
    if figures.guest_orders or figures.guest_revenue:
        share = f" ({_percent(figures.guest_revenue / revenue)})" if revenue > 0 else ""
        orders = f"{figures.guest_orders:,} order{'' if figures.guest_orders == 1 else 's'}"
        lines.append(("  of guests", f"{_money(figures.guest_revenue, currency)}{share} in {orders}"))
    if figures.retention_month is None:
        lines.append(("Retention rate", "no complete month with a full window before it yet"))
    else:
        lines.append(
            (
                f"Retention rate, {figures.retention_month:%Y-%m}",
                f"{_percent(figures.retention_rate)} of {figures.retention_base:,} active at its start",
            )
        )
    top = figures.top_20_percent_share
    share_of_best = "no complete period yet" if top is None else f"{_percent(top)} of revenue"
    lines.append(("Best 20 % of customers", share_of_best))
    if figures.predicted_value is None:
        expected = "no model has stood its test, see fct_clv_models"
    else:
        expected = (
            f"{_money(figures.predicted_value, currency)} from {figures.predicted_customers:,} customers; of "
            f"{figures.known_customers - figures.predicted_customers:,} nothing is said"
        )
    lines.append(("Expected in a year", expected))
    return lines


def read_subscriptions(publication: Publication) -> Subscriptions | None:
    """Query the published file; None for a company without subscriptions, or without a month that is over."""
    if not publication.rows.get("rpt_subscription_retention"):
        return None
    with duckdb.connect(str(publication.path / "analytics.duckdb"), read_only=True) as connection:
        try:
            row = _one(connection, _SUBSCRIPTIONS)
        except duckdb.BinderException:
            # A publication of an older version has no rates of twelve months.
            return None
        if row is None:
            return None
        reasons = connection.execute(_REASONS, [row[0]]).fetchall()
    return Subscriptions(*row, tuple((reason, int(events), int(of)) for reason, events, of in reasons))


def format_subscriptions(figures: Subscriptions | None, currency: str) -> list[tuple[str, str]]:
    """MRR, subscribers, how much of the MRR stays, and why they leave."""
    if figures is None:
        return []
    change = ("+" if figures.mrr_change >= 0 else "") + _money(figures.mrr_change, currency)
    lines = [
        (f"MRR, {figures.month:%Y-%m}", f"{_money(figures.mrr, currency)}, {change} in the month"),
        (
            "Subscribers",
            f"{figures.subscribers:,}; {figures.gained:,} came, {figures.lost:,} left in the month",
        ),
    ]
    if figures.gross_retention is not None and figures.net_retention is not None:
        kept = f"{_percent(figures.gross_retention)} gross, {_percent(figures.net_retention)} net"
        lines.append(("MRR kept in a year", kept))
    if figures.reasons:
        told = ", ".join(f"{reason} {events:,}" for reason, events, _ in figures.reasons)
        lines.append(("Why they left", f"{told} of {figures.reasons[0][2]:,} in a year"))
    return lines


def read_control_totals(publication: Publication) -> list[tuple[Any, ...]]:
    """Month, measure, the owner's value, ours, whether they agree, and why not; from the published file."""
    if not publication.rows.get("rpt_control_totals"):
        return []
    with duckdb.connect(str(publication.path / "analytics.duckdb"), read_only=True) as connection:
        return connection.execute(queries.CONTROL_TOTALS).fetchall()


def format_control_totals(totals: list[tuple[Any, ...]]) -> list[tuple[str, str]]:
    """How many of the owner's own figures agree, and the latest that do not.

    >>> row = (date(2026, 5, 1), "orders", Decimal(7), Decimal(6), False, "unexplained")
    >>> format_control_totals([row])[1]
    ('', '2026-05 orders: 7 there, 6 here; unexplained')
    """
    if not totals:
        return []
    agreed = sum(is_agreed for *_, is_agreed, _ in totals)
    lines = [("Control totals", f"{agreed:,} of {len(totals):,} agree, see rpt_control_totals")]
    for month, measure, there, here, is_agreed, explanation in totals[:3]:
        if not is_agreed:
            ours = "unknown" if here is None else _plain(here)
            lines.append(("", f"{month:%Y-%m} {measure}: {_plain(there)} there, {ours} here; {explanation}"))
    return lines


def read_health_skill(publication: Publication) -> list[tuple[str, float, float]]:
    """Basis, AUC of the health score, AUC of silence, where outcomes are known; from the published file."""
    if not publication.rows.get("fct_health_skill"):
        return []
    with duckdb.connect(str(publication.path / "analytics.duckdb"), read_only=True) as connection:
        return connection.execute(queries.HEALTH).fetchall()


def format_health(skills: list[tuple[str, float, float]]) -> list[tuple[str, str]]:
    """A line for each basis: does the score tell who leaves, and better than the obvious rule?"""
    names = {"orders": "shoppers", "subscription": "subscribers"}
    lines = []
    for basis, score, silence in skills:
        verb = "tells" if score >= queries.TELLING_AUC else "hardly tells"
        told = f"{verb} who leaves: AUC {score:.2f}, silence alone {silence:.2f}"
        if score <= silence:
            told = f"no better than silence at telling who leaves: AUC {score:.2f} against {silence:.2f}"
        lines.append((f"Health of {names[basis]}", told))
    return lines


def format_last_event(manifest: dict[str, Any]) -> str:
    """What tells the last day, to stand behind it; empty if the company gave the day, or nobody knows.

    >>> format_last_event({"as_of_table": "orders", "as_of_row": {"file": "a.csv", "row": 3}})
    ', the last event: orders, row 3 of a.csv'
    """
    table, row = manifest.get("as_of_table"), manifest.get("as_of_row")
    if not table:
        return ""
    place = f", row {row['row']} of {row['file']}" if row else ""
    return f", the last event: {table}{place}"


def format_later(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """A line on what is dated after the last day known, and so in no figure.

    >>> format_later({"planned_subscriptions": 1, "later_events": 0})
    [('After that day', '1 planned subscription, in no figure')]
    >>> format_later({"planned_subscriptions": 1, "planned_departures": 2, "later_events": 3})
    [('After that day', '1 planned subscription, 2 stated departures and 3 events, in no figure')]
    """
    counts = (
        (manifest.get("planned_subscriptions"), "planned subscription"),
        (manifest.get("planned_departures"), "stated departure"),
        (manifest.get("later_events"), "event"),
    )
    told = [f"{number:,} {what}{'' if number == 1 else 's'}" for number, what in counts if number]
    *first, last = told or [""]
    words = ", ".join(first) + (" and " if first else "") + last
    return [("After that day", f"{words}, in no figure")] if told else []


def format_own_rules(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """A line on whose rules are in force, where they are not all those that Tenure comes with.

    >>> format_own_rules({"source_name": "shop", "own_rules": ["churn_reasons", "loyalty_tiers"]})
    [('Rules', "churn_reasons, loyalty_tiers are shop's own; the others are the defaults")]
    """
    names = manifest.get("own_rules")
    if not names:
        return []
    are = "are" if len(names) > 1 else "is"
    whose = f"{', '.join(names)} {are} {manifest['source_name']}'s own"
    return [("Rules", f"{whose}; the others are the defaults")]


def format_rejects(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """A line on refused rows, which are in no figure; none for publications that do not tell of them."""
    read, rejected = manifest.get("rows_read"), manifest.get("rows_rejected")
    if not read or rejected is None:
        return []
    share = f" ({_percent(rejected / read)}), see raw.rejects" if rejected else ""
    return [("Rejected", f"{rejected:,} of {read:,} rows{share}")]


def read_open_findings(publication: Publication) -> OpenFindings | None:
    """Query the published file; None for a publication that has not the mart, or was never validated."""
    if not publication.rows.get("fct_data_quality"):
        return None
    with duckdb.connect(str(publication.path / "analytics.duckdb"), read_only=True) as connection:
        names = connection.execute(_NAMES_OF_FINDINGS).fetchall()
        return OpenFindings(*_one(connection, queries.OPEN_FINDINGS), tuple(name for (name,) in names))


def format_findings(findings: OpenFindings | None) -> list[tuple[str, str]]:
    """A line on what is open; none where nobody knows."""
    if findings is None:
        return []
    if findings.oldest_since is None:
        return [("Findings", "none open")]
    return [
        (
            "Findings",
            f"{findings.number:,} open, {findings.new:,} of them new, the oldest since "
            f"{findings.oldest_since:%Y-%m-%d}, see fct_data_quality",
        ),
        *(("", name) for name in findings.names),
    ]


def format_report(settings: Settings) -> list[str]:
    """Where the report lies; nothing if it could not be written."""
    page = settings.published / "report.html"
    return [f"See it:\n  {page}"] if page.is_file() else []


def query_command(settings: Settings) -> str:
    """One command that shows a mart when it is pasted into a shell; needs only this Python."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    program = (
        f"import duckdb; duckdb.connect({json.dumps(str(settings.analytics_database))}, read_only=True)"
        '.sql("from marts.dim_customers limit 10").show()'
    )
    return shlex.join([str(python), "-c", program])


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchone()


def _money(value: Decimal, currency: str) -> str:
    """An amount with the decimals that the currency has.

    >>> _money(Decimal(1250000), "VND"), _money(Decimal("9.5"), "EUR")
    ('1,250,000 VND', '9.50 EUR')
    """
    decimals = 0 if currency in CURRENCIES_WITHOUT_DECIMALS else 2
    return f"{value:,.{decimals}f} {currency}"


def _plain(value: Decimal) -> str:
    """A figure with cents only where it has some."""
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"


def _percent(share: Any) -> str:
    return f"{float(share) * 100:.1f} %"
