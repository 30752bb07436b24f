"""What came of forgetting, for people: the totals that must stay, and the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from scripts.core.settings import Settings
from scripts.forget.case import Removal
from scripts.personal_data.search import Search
from scripts.publication.publications import current_publication

# What has to stay the same, and how to read it from the marts.
TOTALS = {
    "orders, gross, discounts, refunds and net revenue of orders by month": """
        select
            ordered_month, count(*), sum(gross_amount), sum(discount_amount), sum(refunded_amount),
            sum(net_revenue)
        from marts.fct_orders
        group by ordered_month""",
    "net revenue and orders by month, customers' and guests'": """
        select month, net_revenue + coalesce(guest_net_revenue, 0), order_count + guest_order_count
        from marts.fct_customer_base
        where segment_type = 'all'""",
    "MRR at the end of each month": """
        select month, closing_mrr
        from marts.rpt_subscription_retention
        where segment_type = 'all'""",
    "votes by month and survey": """
        select period_start, survey, promoters, passives, detractors
        from marts.fct_nps_scores
        where segment_type = 'all' and period_type = 'month' and survey <> 'all'""",
}

# The rows of each total, by its name.
Totals = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Forgetting:
    """The outcome. `receipt` is a random number for the person's file; it stands in the audit line."""

    receipt: str | None
    customers: int
    removal: Removal
    publications: int
    search: Search
    differences: tuple[str, ...] = ()


def read_totals(settings: Settings) -> Totals:
    """The totals of the current publication that must stay; nothing where there is none."""
    totals: Totals = {}
    if current_publication(settings) is None:
        return totals
    with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
        for name, query in TOTALS.items():
            try:
                totals[name] = sorted(connection.execute(query).fetchall(), key=repr)
            except duckdb.Error:
                # Published by another version, with other columns.
                continue
    return totals


def differences(before: Totals, after: Totals) -> tuple[str, ...]:
    """The names of the totals that are not what they were."""
    return tuple(name for name, rows in before.items() if name in after and rows != after[name])


def report(outcome: Forgetting) -> str:
    """The outcome as text, for people."""
    removal = outcome.removal
    if outcome.receipt is None:
        who = "The customer was" if outcome.customers == 1 else f"The {outcome.customers} customers were"
        return f"{who} forgotten before. {outcome.search}."
    if outcome.differences:
        totals = "Not as in the publication before, by newer data or a defect"
    else:
        totals = "The same as before"
    lines = [
        f"Forgotten: {_customers(outcome.customers)}, receipt {outcome.receipt}.",
        *_removal_lines(removal),
        f"  publications made anew: {outcome.publications}",
        f"  {outcome.search}",
        f"{totals}: {'; '.join(outcome.differences or TOTALS)}.",
        "Changed by design: numbers of customers, cohorts, retention, segments, response rates, use.",
    ]
    if removal.files:
        lines += [
            "What is delivered of them again is left out. It still stands where you keep the files (and in "
            "backups): delete it there, from",
            *(f"  {file}" for file in removal.files),
        ]
    return "\n".join(lines)


def report_trial(customers: int, removal: Removal, publications: int) -> str:
    """What would be removed, as text."""
    return "\n".join(
        [
            f"Would forget {_customers(customers)}; nothing was changed.",
            *_removal_lines(removal),
            f"  publications that show them: {publications}",
            "  delivered by:",
            *(f"    {file}" for file in removal.files),
        ]
    )


def _customers(number: int) -> str:
    return f"{number:,} customer{'' if number == 1 else 's'}"


def _removal_lines(removal: Removal) -> list[str]:
    lines = []
    for table, number in removal.removed.items():
        remaining = removal.remaining.get(table)
        kept = f", {remaining:,} remain without a customer" if remaining else ""
        lines.append(f"  {table}: {number:,} row{'' if number == 1 else 's'} removed{kept}")
    for text, number in (
        ("running subscriptions that end today", removal.ended),
        ("customers they had referred", removal.unlinked),
        ("texts and rejected rows redacted", removal.redacted),
    ):
        if number:
            lines.append(f"  {text}: {number:,}")
    return lines
