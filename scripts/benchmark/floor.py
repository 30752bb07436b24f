"""The floor: the same questions as hand-written SQL over the same Parquet, each in one statement or two.

    python -m scripts.benchmark.floor FOLDER RESULT.duckdb THREADS [day]

writes a table for each question into RESULT.duckdb and prints what each took as JSON. With `day` it reads
what the day after the history delivered too. It runs as a process of its own, so that its memory can be
measured.

It is not how a warehouse is built: nothing is incremental or checked. It is what the hardware and the engine
need for the answers, so it is what a night is measured by; and since it reads the files and no model, it is
the check that the marts are right at a size at which nobody can count by hand.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

from scripts.benchmark.files import day_file
from scripts.core.sql import literal

ACTIVE_WINDOW_DAYS = 90

# Each with the statements that answer it, in the order of the work. `{window}` is the active window in days.
STEPS: dict[str, str] = {
    # Every column of every row is looked at once.
    "scan": """
        create table scan as
        select
            count(order_id) as orders, count(customer_id) as named, min(ordered_at) as first_at,
            max(ordered_at) as last_at, sum(gross_amount) as gross, sum(discount_amount) as discount,
            count(currency) as priced, count(status) as told
        from orders;
    """,
    "customer × day": """
        create table customer_days as
        select
            customer_id, cast(ordered_at as date) as day, count(*) as orders,
            sum(gross_amount) as gross, sum(discount_amount) as discount
        from orders
        where status <> 'cancelled'
        group by all;
    """,
    "customer × month": """
        create table customer_months as
        select
            customer_id, cast(date_trunc('month', day) as date) as month, sum(orders) as orders,
            count(*) as order_days, sum(gross) as gross, sum(discount) as discount
        from customer_days
        group by all;
    """,
    "customers": """
        create table customer_values as
        with totals as (
            select
                customer_id, min(day) as first_order_on, max(day) as last_order_on, sum(orders) as orders,
                count(*) as order_days, sum(gross) as gross, sum(discount) as discount
            from customer_days
            group by customer_id
        ),
        subscribers as (
            select customer_id, min(started_on) as first_started_on from periods group by customer_id
        )
        select
            customers.customer_id, customers.acquisition_channel as channel, customers.country,
            first_order_on, last_order_on, coalesce(orders, 0) as orders,
            coalesce(order_days, 0) as order_days, coalesce(gross, 0) as gross,
            coalesce(discount, 0) as discount,
            cast(date_trunc('month', least(first_order_on, first_started_on)) as date) as cohort_month
        from customers
        left join totals using (customer_id)
        left join subscribers using (customer_id)
        where first_order_on is not null or first_started_on is not null;
    """,
    "cohorts": """
        create table cohorts as
        with purchase_months as (
            select customer_id, month, orders, gross - discount as net from customer_months
            union all
            select customer_id, month, 0 as orders, 0 as net
            from periods
            inner join months on months.month < periods.ended_on
                and months.last_day >= periods.started_on
        ),
        activity as (
            select
                cohort_month, date_diff('month', cohort_month, month) as age, channel, country,
                count(distinct customer_id) as active, sum(purchase_months.orders) as orders,
                sum(purchase_months.net) as net
            from purchase_months
            inner join customer_values using (customer_id)
            group by all
        )
        select
            cohort_month, age,
            case when grouping(channel) = 0 then 'acquisition_channel'
                when grouping(country) = 0 then 'country' else 'all' end as segment_type,
            case when grouping(channel) = 0 then channel
                when grouping(country) = 0 then country else 'all' end as segment_value,
            sum(active) as active, sum(orders) as orders, sum(net) as net
        from activity
        group by grouping sets (
            (cohort_month, age), (cohort_month, age, channel), (cohort_month, age, country)
        );
        create table cohort_sizes as
        select
            cohort_month,
            case when grouping(channel) = 0 then 'acquisition_channel'
                when grouping(country) = 0 then 'country' else 'all' end as segment_type,
            case when grouping(channel) = 0 then channel
                when grouping(country) = 0 then country else 'all' end as segment_value,
            count(*) as customers
        from customer_values
        group by grouping sets ((cohort_month), (cohort_month, channel), (cohort_month, country));
    """,
    # Who was active on the last day of a month: an order makes so for the window, so at most four month ends.
    "retention rate": """
        create table active as
        select distinct customer_id, seen.last_day
        from (
            select
                customer_id, day, unnest(range(0, {window} // 28 + 1)) as later
            from customer_days
        ) as days
        inner join months as seen
            on seen.month = cast(date_trunc('month', days.day) as date) + to_months(cast(later as integer))
        where seen.last_day < days.day + {window} and seen.last_day >= days.day
        union
        select customer_id, months.last_day
        from periods
        inner join months on months.last_day >= periods.started_on and months.last_day < periods.ended_on;

        create table retention as
        with periods as (
            select distinct
                period_type, cast(date_trunc(period_type, month) as date) as period_start,
                cast(date_trunc(period_type, month) as date) - 1 as eve,
                max(last_day) over (partition by period_type, date_trunc(period_type, month)) as last_day
            from months, unnest(['month', 'quarter', 'year']) as types(period_type)
        ),
        members as (
            select customer_id, period_type, period_start, true as at_start, false as at_end
            from active inner join periods on active.last_day = periods.eve
            union all
            select customer_id, period_type, period_start, false as at_start, true as at_end
            from active inner join periods on active.last_day = periods.last_day
        ),
        customers as (
            select
                customer_id, period_type, period_start, bool_or(at_start) as at_start,
                bool_or(at_end) as at_end
            from members group by all
        ),
        counts as (
            select
                period_type, period_start, channel, country,
                count(*) filter (at_start) as starting, count(*) filter (at_end) as ending,
                count(*) filter (at_start and at_end) as retained
            from customers inner join customer_values using (customer_id)
            group by all
        )
        select
            period_type, period_start,
            case when grouping(channel) = 0 then 'acquisition_channel'
                when grouping(country) = 0 then 'country' else 'all' end as segment_type,
            case when grouping(channel) = 0 then channel
                when grouping(country) = 0 then country else 'all' end as segment_value,
            sum(starting) as starting, sum(ending) as ending, sum(retained) as retained
        from counts
        group by grouping sets (
            (period_type, period_start), (period_type, period_start, channel),
            (period_type, period_start, country)
        );
    """,
    "spells": """
        create table spells as
        with spans as (
            select customer_id, day as active_from, day + {window} as active_until from customer_days
            union all
            select customer_id, started_on, ended_on from periods
        ),
        marked as (
            select
                *,
                case when active_from <= max(active_until) over before then 0 else 1 end as opens
            from spans
            window before as (
                partition by customer_id order by active_from, active_until
                rows between unbounded preceding and 1 preceding
            )
        ),
        numbered as (
            select *, sum(opens) over (partition by customer_id order by active_from, active_until
                rows between unbounded preceding and current row) as spell
            from marked
        )
        select customer_id, spell, min(active_from) as active_from, max(active_until) as active_until
        from numbered
        group by customer_id, spell;
    """,
    "concentration": """
        create table concentration as
        with bills as (
            select
                customer_id, amount,
                cast(started_on + to_months(cast(number * interval_months as integer)) as date) as billed_on
            from (
                select
                    *, case billing_interval when 'year' then 12 else 1 end as interval_months,
                    unnest(range(0, date_diff('month', started_on, least(ended_on, final_day)) + 1)) as number
                from periods, (select max(last_day) as final_day from months)
            ) as intervals
            where billed_on < ended_on and billed_on <= final_day
        ),
        spent as (
            select customer_id, month, orders as purchases, gross, gross - discount as net
            from customer_months
            union all
            select
                customer_id, cast(date_trunc('month', billed_on) as date), count(*), sum(amount), sum(amount)
            from bills group by all
        ),
        amounts as (
            select
                period_type,
                case period_type
                    when 'all' then (select min(month) from months)
                    else cast(date_trunc(period_type, month) as date)
                end as period_start,
                customer_id, sum(gross) as gross, sum(net) as net
            from spent, unnest(['month', 'quarter', 'year', 'all']) as types(period_type)
            group by all
            having sum(purchases) > 0
        ),
        buyers as (
            select amounts.*, channel, country
            from amounts inner join customer_values using (customer_id)
        ),
        ranked as (
            {ranked}
        )
        select
            period_type, period_start, segment_type, segment_value,
            ceil(position * 10.0 / customers) as decile,
            count(*) as customers, sum(gross) as gross, sum(net) as net,
            sum(gross) filter (position <= ceil(customers * 0.2)) as top_gross
        from ranked
        group by all;
    """,
}

_RANKED = """
    select
        period_type, period_start, {segment_type} as segment_type, {segment} as segment_value, gross, net,
        row_number() over (
            partition by period_type, period_start, {segment} order by gross desc, customer_id
        ) as position,
        count(*) over (partition by period_type, period_start, {segment}) as customers
    from buyers
"""


def run(folder: Path, result: Path, threads: int, *, with_day: bool = False) -> list[dict[str, object]]:
    """Answer all questions into a new database `result`; seconds, processor seconds and rows of each step."""
    taken: list[dict[str, object]] = []
    result.unlink(missing_ok=True)
    with duckdb.connect(str(result), config={"threads": threads}) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set enable_progress_bar = false")
        has_periods = _open(connection, folder, with_day)
        for name, statements in STEPS.items():
            clock, processor = time.perf_counter(), time.process_time()
            connection.execute(_filled(statements, has_periods))
            taken.append(
                {
                    "step": name,
                    "seconds": time.perf_counter() - clock,
                    "cpu_seconds": time.process_time() - processor,
                }
            )
    return taken


def _filled(statements: str, has_periods: bool) -> str:
    if not has_periods:
        # A customer then has one row for each month.
        statements = statements.replace("count(distinct customer_id)", "count(*)")
    ranked = " union all ".join(
        _RANKED.replace("{segment_type}", literal(kind)).replace("{segment}", column)
        for kind, column in (
            ("all", "'all'"),
            ("acquisition_channel", "channel"),
            ("country", "country"),
        )
    )
    return statements.replace("{ranked}", ranked).replace("{window}", str(ACTIVE_WINDOW_DAYS))


def _open(connection: duckdb.DuckDBPyConnection, folder: Path, with_day: bool) -> bool:
    """Views of the files as they stand: of an order told twice the last version counts.

    Returns whether anybody subscribes.
    """
    for table, key in (("customers", "customer_id"), ("orders", "order_id")):
        history = f"read_parquet({literal(str(folder / 'data' / table / '0*.parquet'))})"
        latest = f"read_parquet({literal(str(day_file(folder, table)))})"
        connection.execute(
            f"create temp view {table} as select * from {history}"
            + (
                f" where {key} not in (select {key} from {latest}) union all by name select * from {latest}"
                if with_day
                else ""
            )
        )
    subscriptions = folder / "data" / "subscriptions"
    ends = "coalesce(ended_on, date '9999-12-31') as ended_on"
    if subscriptions.exists():
        files = f"read_parquet({literal(str(subscriptions / '*.parquet'))})"
        connection.execute(
            f"create temp view periods as "
            f"select customer_id, started_on, {ends}, amount, billing_interval from {files} where amount > 0"
        )
    else:
        connection.execute(
            "create temp table periods (customer_id text, started_on date, ended_on date, "
            "amount decimal(18, 2), billing_interval text)"
        )
    events = [
        f"select cast({column} as date) as day from "
        f"read_parquet({literal(str(folder / 'data' / table / ('*' if with_day else '0*')))} || '.parquet')"
        for table, column in (
            ("customers", "signed_up_at"),
            ("orders", "ordered_at"),
            ("subscriptions", "started_on"),
            ("subscriptions", "cancel_requested_on"),
            ("usage_events", "used_on"),
            ("survey_invitations", "sent_at"),
            ("survey_responses", "responded_at"),
            ("support_tickets", "opened_at"),
        )
        if (folder / "data" / table).exists()
    ]
    # The months of the history, each with the last day of it that is known.
    connection.execute(
        f"""
        create temp table months as
        with bounds as (
            select min(day) as first_day, max(day) as last_day from ({" union all ".join(events)})
        )
        select cast(month as date) as month, least(last_day(month), bounds.last_day) as last_day
        from bounds,
            unnest(
                generate_series(date_trunc('month', first_day), bounds.last_day, interval 1 month)
            ) as m(month)
        """
    )
    return subscriptions.exists()


def main() -> None:
    """The command line above."""
    folder, result, threads, *options = sys.argv[1:]
    print(json.dumps(run(Path(folder), Path(result), int(threads), with_day="day" in options)))


if __name__ == "__main__":
    main()
