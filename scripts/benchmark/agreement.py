"""Whether the published marts say what the floor says: row by row, both ways."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from scripts.core.sql import literal

# Rows of the floor and of the marts, with the same columns in the same order. Rows of zeros, which the marts
# have for months in which nothing happened, are left out of both.
QUESTIONS: dict[str, tuple[str, str]] = {
    "values of customers": (
        """
        select customer_id, orders, order_days, gross, discount, gross - discount as net, first_order_on,
            last_order_on, cohort_month
        from floor.customer_values
        """,
        """
        select customer_id, order_count, order_day_count, gross_revenue, discount_amount, net_revenue,
            first_order_on, last_order_on, cohort_month
        from build.marts.fct_customer_lifetime_value
        """,
    ),
    "cohorts": (
        """
        select cohort_month, age, segment_type, segment_value, customers, active, orders, net
        from floor.cohorts inner join floor.cohort_sizes using (cohort_month, segment_type, segment_value)
        where age >= 0 and (active > 0 or net <> 0)
        """,
        """
        select cohort_month, months_since_first, segment_type, segment_value, cohort_size, active_customers,
            order_count, net_revenue
        from build.marts.fct_cohort_retention
        where active_customers > 0 or net_revenue <> 0
        """,
    ),
    "retention rate": (
        """
        select period_type, period_start, segment_type, segment_value, starting, ending, retained
        from floor.retention
        """,
        """
        select period_type, period_start, segment_type, segment_value, starting_customers, ending_customers,
            retained_customers
        from build.marts.fct_customer_retention_rate
        where starting_customers > 0 or ending_customers > 0
        """,
    ),
    "revenue concentration": (
        """
        select period_type, period_start, segment_type, segment_value, decile, customers, gross, net
        from floor.concentration
        """,
        """
        select period_type, period_start, segment_type, segment_value, decile, customers, gross_revenue,
            net_revenue
        from build.marts.fct_revenue_concentration
        where customers > 0
        """,
    ),
    "spells": (
        """
        select customer_id, count(*) from floor.spells
        where active_until <= (select max(as_of_date) from build.marts.dim_months)
        group by customer_id
        """,
        """
        select customer_id, count(*) from build.marts.fct_churn_events group by customer_id
        """,
    ),
}

# A stay of a shopper who subscribes is told otherwise by the churn database than as a spell of activity.
ONLY_ORDERS = frozenset({"spells"})


@dataclass(frozen=True)
class Agreement:
    """How many rows the floor and a mart have, how many differ (both ways), and one of them in words."""

    question: str
    floor_rows: int
    mart_rows: int
    differences: int
    example: str | None


def compare(floor: Path, published: Path, *, has_relationships: bool = False) -> list[Agreement]:
    """Hold each mart of a publication against the floor; both are DuckDB files, opened read-only."""
    found = []
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach {literal(str(floor))} as floor (read_only)")
        # By this name, so that the views of a build file find what they are made of.
        connection.execute(f"attach {literal(str(published))} as build (read_only)")
        for question, (ours, theirs) in QUESTIONS.items():
            if has_relationships and question in ONLY_ORDERS:
                continue
            connection.execute(f"create or replace temp table ours as {ours}")
            columns = [name for name, *_ in connection.execute("describe ours").fetchall()]
            # Money and counts have types of their own on each side.
            connection.execute(
                f"create or replace temp table theirs as select * from ours limit 0; "
                f"insert into theirs {theirs}"
            )
            different = """
                select 'floor' as side, * from (from ours except all from theirs)
                union all
                select 'mart' as side, * from (from theirs except all from ours)
            """
            ours_rows, theirs_rows, differences = (
                connection.execute(f"select count(*) from ({rows})").fetchall()[0][0]
                for rows in ("from ours", "from theirs", different)
            )
            # Two rows of one key stand together, one of each side.
            order = ", ".join(f"#{place + 2}" for place in range(len(columns)))
            example = connection.execute(f"from ({different}) order by {order}, 1 limit 2").fetchall()
            words = "; ".join(" ".join(str(value) for value in row) for row in example)
            found.append(Agreement(question, ours_rows, theirs_rows, differences, words or None))
    return found
