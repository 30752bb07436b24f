"""Writes down what is true of the company: what the marts should find, and what landing should refuse."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from scripts.core.sql import literal
from scripts.demo.company import Company
from scripts.demo.deliveries import connect, customer_number, date_of, name_of, planted_kind
from scripts.demo.feedback import SURVEYS
from scripts.demo.parameters import (
    BG_NBD,
    CURRENCIES,
    DAY_SECONDS,
    GAMMA_GAMMA,
    KINDS,
    PLAN_PRICES,
    PLANS,
    REASONS,
    SUBSCRIPTION_PROCESS,
    from_day_number,
)
from scripts.demo.shop import AFFINITIES, AFFINITY_SHARE, COMPLETED, PRODUCTS
from scripts.demo.subscriptions import CANCEL_TYPES, ENGAGEMENTS, VANISHED
from scripts.demo.texts import THEME_NAMES

CUSTOMER = customer_number()

# File under truth/ -> SQL over the generated tables, `spells`, `buyers`, `people` and `rates`.
TRUTH: dict[str, str] = {
    # One row per sign-up. `kind` is what somebody is bound to become, `is_customer` who has by the last day.
    "customers.parquet": f"""
        with counted as (
            select customer from orders where is_final and status <> 1 and customer >= 0
                and number not in (select number from refunds where is_full)
        )
        select {CUSTOMER} as customer_id, {name_of("kind", KINDS)} as kind, is_registered,
            customer in (select customer from counted union select customer from spells) as is_customer,
            satisfaction, rate as purchases_per_day, dropout as dropout_probability, is_alive as still_buys
        from people left join buyers using (customer) order by customer""",
    # One row per subscription that ended, or whose end is known, on the last day.
    "churned.csv": f"""
        select {CUSTOMER} as customer_id, 'A' || (10001 + spell) as subscription_id,
            {date_of("started")} as started_on, {date_of("ended")} as ended_on,
            {date_of("requested")} as cancel_requested_on,
            {name_of("cancel_type", CANCEL_TYPES)} as cancel_type,
            {name_of("true_reason", REASONS)} as true_reason,
            {name_of("stated", REASONS)} as stated_reason,
            {name_of("engagement", ENGAGEMENTS)} as engagement, {date_of("fade_started")} as fade_started_on,
            case when is_annual = 1 then 'year' else 'month' end as billing_interval,
            {date_of("coalesce(next_started, -1)")} as reactivated_on
        from (
            select *, lead(started) over (partition by customer order by started) as next_started from spells
        ) left join (select spell, max(stated_reason) as stated from subscriptions group by all) using (spell)
        where ended >= 0 order by ended, spell""",
    # One row per month: what the last day of the month brings in, a month, net of discounts.
    # `closing_mrr`: at the rate of the day the billed period began; `closing_mrr_month_end_rate`: of the
    # month's last day.
    "mrr.csv": """
        select month, count(distinct customer) as subscribers,
            round(coalesce(sum(monthly * start_rate), 0), 4) as closing_mrr,
            round(coalesce(sum(monthly * month_rate), 0), 4) as closing_mrr_month_end_rate
        from (
            select months.month, s.customer, a.rate as start_rate, b.rate as month_rate,
                (s.amount - s.discount) / 100 / case s.interval when 1 then 12 else 1 end as monthly
            from months
            left join subscriptions as s
                on s.started <= months.last_day and (s.ended < 0 or s.ended > months.last_day)
            left join rates as a on a.currency = s.currency and a.day = s.started
            left join rates as b on b.currency = s.currency and b.day = months.last_day
        ) group by month order by month""",
    # One row per month, in the reporting currency at the rate of the day. `orders` counts neither cancelled
    # orders nor those refunded in full; `gross_revenue` leaves out the cancelled only, and refunds lower the
    # month they are made in.
    "orders_by_month.csv": """
        with placed as (
            select months.month, o.customer, status,
                full_refund.number is not null as is_refunded,
                o.gross / 100 * rate as gross, o.discount / 100 * rate as discount
            from orders as o
            inner join months on seconds // 86400 between months.first_day and months.last_day
            inner join rates on rates.currency = o.currency and rates.day = seconds // 86400
            left join (select number from refunds where is_full) as full_refund
                on full_refund.number = o.number
            where is_final
        ), paid_back as (
            select months.month, sum(amount / 100 * rate) as refunds
            from refunds
            inner join months on seconds // 86400 between months.first_day and months.last_day
            inner join rates on rates.currency = refunds.currency and rates.day = seconds // 86400
            group by all
        )
        select month,
            count(*) filter (status <> 1 and not is_refunded) as orders,
            count(*) filter (status <> 1 and not is_refunded and customer < 0) as guest_orders,
            count(*) filter (status = 1) as cancelled_orders,
            count(*) filter (is_refunded) as fully_refunded_orders,
            round(coalesce(sum(gross) filter (status <> 1), 0), 4) as gross_revenue,
            round(coalesce(sum(discount) filter (status <> 1), 0), 4) as discounts,
            round(coalesce(any_value(refunds), 0), 4) as refunds,
            round(
                coalesce(sum(gross - discount) filter (status <> 1), 0) - coalesce(any_value(refunds), 0), 4
            ) as net_revenue
        from months left join placed using (month) left join paid_back using (month)
        group by month order by month""",
    # One row per survey and way of counting: every response, or one vote per customer.
    "nps.csv": f"""
        select {name_of("survey", SURVEYS)} as survey, votes,
            count(*) as responses, count(*) filter (score < 0) as unscored,
            count(*) filter (score >= 9) as promoters, count(*) filter (score between 7 and 8) as passives,
            count(*) filter (score between 0 and 6) as detractors
        from (
            select survey, score, 'all' as votes from survey_responses
            union all
            select survey, score, 'latest_per_customer' as votes from (
                select *, row_number() over (partition by survey, customer order by seconds desc) as recency
                from survey_responses where score >= 0 and customer >= 0
            ) where recency = 1
        )
        group by all order by votes, survey desc""",
    # One row per response with a comment.
    "response_themes.csv": f"""
        select 'Q' || (100001 + response) as response_id,
            concat_ws(';', {name_of("theme", THEME_NAMES)}, {name_of("more_theme", THEME_NAMES)}) as themes
        from survey_responses where theme >= 0 order by response""",
    # One row per customer who began and went silent: one order day, 90 days ago, or use at first only.
    "vanished.csv": f"""
        with order_days as (
            select customer, count(distinct seconds // 86400) as days, max(seconds // 86400) as last_active
            from orders left join (select number from refunds where is_full) as full_refund using (number)
            where is_final and status <> 1 and full_refund.number is null and customer >= 0 group by customer
        ), vanished as (
            select customer, 'one_order' as kind, last_active from order_days
            where days = 1 and last_active <= $last_day - 90 and customer not in (select customer from spells)
            union all
            select customer, 'onboarding_use' as kind, started + vanish_days - 1 from spells
            where engagement = {VANISHED} and started + vanish_days <= $last_day - 30
        )
        select {CUSTOMER} as customer_id, kind, {date_of("last_active")} as last_active_on
        from vanished order by customer, kind""",
}


def _frame(columns: dict[str, np.ndarray]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _register(connection: duckdb.DuckDBPyConnection, company: Company) -> None:
    parameters, rates, people = company.parameters, company.rates, company.people
    for name, table in company.tables.items():
        connection.register(name, table)
    spells = {"spell": np.arange(company.spells["customer"].size), **company.spells}
    connection.register("spells", _frame(spells))
    connection.register("buyers", _frame({k: v for k, v in company.buyers.items() if k != "first"}))
    connection.register(
        "people",
        _frame(
            {
                "customer": np.arange(people.kind.size),
                "kind": people.kind,
                "is_registered": people.is_registered,
                "satisfaction": people.satisfaction,
            }
        ),
    )
    connection.register(
        "rates",
        _frame(
            {
                "currency": np.repeat(np.arange(len(CURRENCIES)), rates.days.size),
                "day": np.tile(rates.days, len(CURRENCIES)),
                "rate": rates.by_currency.ravel(),
            }
        ),
    )
    first_days = np.arange(
        np.datetime64(from_day_number(parameters.first_day), "M"), np.datetime64(parameters.until, "M") + 1
    )
    last_days = (first_days + 1).astype("M8[D]").astype(np.int64) - 1
    connection.register(
        "months",
        _frame(
            {
                "month": first_days.astype("M8[D]"),
                "first_day": first_days.astype("M8[D]").astype(np.int64),
                "last_day": np.minimum(last_days, parameters.last_day),
            }
        ),
    )


def count_tables(company: Company) -> dict[str, dict[str, object]]:
    """Per raw table: rows written, refused (by kind), repeated byte by byte, stored, and distinct keys."""
    counts: dict[str, dict[str, object]] = {}
    for name, table in company.tables.items():
        kinds = [planted_kind(kind) for kind in company.planted[name]["kind"].to_pylist()]
        repeated = kinds.count("duplicate")
        refused = {kind: kinds.count(kind) for kind in sorted(set(kinds) - {"duplicate"})}
        # A row per day in the file, a row per day and currency in the warehouse.
        rows = table.num_rows * (3 if name == "exchange_rates" else 1)
        finals = int(table["is_final"].to_numpy().sum()) if "is_final" in table.column_names else rows
        counts[name] = {
            "written": rows + len(kinds),
            "rejected": sum(refused.values()),
            "rejected_by_kind": refused,
            "accepted": rows + repeated,
            "repeated": repeated,
            "stored": rows,
            "keys": finals,
        }
    return counts


def _facts(company: Company) -> dict[str, object]:
    parameters, tables = company.parameters, company.tables
    subscriptions = tables["subscriptions"]
    responses = tables["survey_responses"]
    unregistered = np.flatnonzero(~company.people.is_registered)
    orders = tables["orders"]
    delivered, placed = orders["delivered"].to_numpy(), orders["seconds"].to_numpy() // DAY_SECONDS
    is_completed = orders["status"].to_numpy() == COMPLETED
    return {
        **parameters.as_dict(),
        "started_on": from_day_number(parameters.first_day).isoformat(),
        "price_rise_on": from_day_number(parameters.price_rise_day).isoformat(),
        "plan_prices_before_and_after_in_hundredths": {
            currency: {plan: [old, new] for plan, old, new in zip(PLANS, before, after, strict=True)}
            for currency, (before, after) in PLAN_PRICES.items()
        },
        "bg_nbd_per_day": BG_NBD,
        "gamma_gamma_usd": GAMMA_GAMMA,
        "subscription_process": SUBSCRIPTION_PROCESS,
        "product_affinities": [
            {
                "product": PRODUCTS[first][0],
                "taken_with_it": PRODUCTS[second][0],
                "product_ids": [f"P{first + 1:03}", f"P{second + 1:03}"],
                "share": AFFINITY_SHARE,
            }
            for first, second in AFFINITIES
        ],
        "tables": count_tables(company),
        "findings": {
            "customers_without_row": [f"C{who + 1:07}" for who in unregistered],
            "orders_of_unknown_customers": int(
                (np.isin(orders["customer"].to_numpy(), unregistered) & orders["is_final"].to_numpy()).sum()
            ),
            "responses_without_customer": int((responses["customer"].to_numpy() < 0).sum()),
            "overlapping_periods": int(subscriptions["is_overlap"].to_numpy().sum()),
            "requests_after_the_end": int(subscriptions["is_late_request"].to_numpy().sum()),
            "late_orders": int(((delivered > placed) & is_completed).sum()),
        },
    }


def write_truth(directory: Path, company: Company) -> list[Path]:
    """Write `directory/truth/`, which no pattern of the adapter matches; returns the files."""
    folder = directory / "truth"
    folder.mkdir(parents=True, exist_ok=True)
    facts = folder / "facts.json"
    facts.write_text(json.dumps(_facts(company), indent=1) + "\n", encoding="utf-8")
    written = [facts]
    with connect(company) as connection:
        _register(connection, company)
        for name, query in TRUTH.items():
            path = folder / name
            form = "format parquet" if path.suffix == ".parquet" else "format csv, header"
            query = query.replace("$last_day", str(company.parameters.last_day))
            connection.execute(f"copy ({query}) to {literal(str(path))} ({form})")
            written.append(path)
    return written
