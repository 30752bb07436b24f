"""What remains of a forgotten customer in raw: rows that belong to nobody, so that totals stay.

Each order is a guest's, each subscription that of a nameless subscriber of its own, each vote nobody's. See
docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from scripts.contract.raw_tables import LANDING_COLUMNS, TABLES, stored_name
from scripts.core.sql import identifier, literal
from scripts.forget.rows import RANDOM_ID, current_rows, their_rows
from scripts.landing.row_rules import row_key_sql
from scripts.personal_data.suppression import REMAINDER_FILE

# The tables of raw of which something remains, with what is kept of a row as it was; days instead of times.
REMAINS: dict[str, tuple[str, ...]] = {
    "orders": ("gross_amount", "discount_amount", "cost_amount", "currency", "status"),
    "refunds": ("amount", "currency"),
    "subscriptions": (
        "plan",
        "billing_interval",
        "amount",
        "discount_amount",
        "currency",
        "started_on",
        "cancel_type",
    ),
    "survey_responses": ("survey", "score"),
}

# A subscription that runs ends now, since nobody will tell when it does. One that has not begun is no
# history.
_RUNS = "ended_on is null and started_on <= current_date"

# The place of the remainder in the order of files; $1 is what it is called.
_PLACE = """coalesce(
    (select max(file_sequence) from raw.loads where source_file = $1),
    (select max(file_sequence) + 1 from raw.loads)
)"""


def remaining_rows(timezone: str) -> dict[str, str]:
    """By table, a query of what remains of it; $1 are the customers, `gone_orders` has their orders' new ids.

    `timezone` is the business's, in which days are cut.
    """
    return {
        "orders": f"""
            select surrogate as order_id, {_day("ordered_at", timezone)} as ordered_at, {_kept("orders")}
            from ({their_rows(TABLES["orders"])})
            join gone_orders using (order_id)""",
        "refunds": _remaining_refunds(timezone),
        "subscriptions": _remaining_subscriptions(),
        "survey_responses": _remaining_votes(timezone),
    }


def _remaining_refunds(timezone: str) -> str:
    """A refund is its order's: that of another customer's order stays with that."""
    theirs = "customer_id in (select unnest($1::varchar[]))"
    keys = (
        f"select _row_key from raw.refunds where {theirs} or order_id in (select order_id from gone_orders)"
    )
    return f"""
        select
            {RANDOM_ID} as refund_id, coalesce(surrogate, order_id) as order_id,
            {_day("refunded_at", timezone)} as refunded_at, {_kept("refunds")}
        from ({current_rows("raw.refunds", keys)})
        left join gone_orders using (order_id)
        where customer_id is null or {theirs} or surrogate is not null"""


def _remaining_subscriptions() -> str:
    """Each has a nameless subscriber of its own."""
    return f"""
        with theirs as ({their_rows(TABLES["subscriptions"])}),
        surrogates as (
            select subscription_id, {RANDOM_ID} as surrogate, {RANDOM_ID} as subscriber
            from (select distinct subscription_id from theirs)
        )
        select
            surrogate as subscription_id, subscriber as customer_id,
            coalesce(ended_on, stated_ended_on, greatest(started_on, current_date)) as ended_on,
            {_kept("subscriptions")}
        from theirs
        join surrogates using (subscription_id)
        left join stated_ends using (subscription_id, started_on)
        where started_on <= current_date"""


def _remaining_votes(timezone: str) -> str:
    """One vote a month and survey, as it was counted."""
    day = _day("responded_at", timezone)
    return f"""
        select {RANDOM_ID} as response_id, {day} as responded_at, {_kept("survey_responses")}
        from (
            select
                *,
                row_number() over (
                    partition by customer_id, survey, date_trunc('month', {day})
                    order by responded_at desc, response_id desc
                ) as recency
            from ({their_rows(TABLES["survey_responses"])})
            where score is not null
        )
        where recency = 1 or customer_id is null"""


def count_running(connection: duckdb.DuckDBPyConnection, customers: Iterable[str]) -> int:
    """How many subscriptions end with their customers; after `note_stated_ends`."""
    theirs = their_rows(TABLES["subscriptions"])
    (number,) = connection.execute(
        f"select count(*) from ({theirs}) anti join stated_ends using (subscription_id, started_on) "
        f"where {_RUNS}",
        [list(customers)],
    ).fetchone()
    return number


def note_stated_ends(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep, in the temporary table `stated_ends`, which subscriptions ended by a statement alone.

    The statements go with their customers: without their day, MRR would run on. As the last build saw them.
    """
    run = connection.execute
    run(
        "create or replace temp table stated_ends (subscription_id varchar, started_on date, "
        "stated_ended_on date)"
    )
    if run(
        "select 1 from duckdb_columns() where schema_name = 'intermediate' "
        "and table_name = 'int_subscription_periods' and column_name = 'is_end_stated'"
    ).fetchone():
        run(
            "insert into stated_ends select subscription_id, started_on, ended_on "
            "from intermediate.int_subscription_periods where is_end_stated"
        )


def add_remainder(
    connection: duckdb.DuckDBPyConnection, name: str, select: str, customers: Iterable[str]
) -> int:
    """Insert what remains of a table, in random order and with nothing that ties rows to each other.

    Leaves the rows in the temporary table `remaining`; gives their number.
    """
    table = TABLES[name]
    raw = f"raw.{identifier(name)}"
    # A statement that creates a table takes no parameters.
    connection.execute(f"create or replace temp table remaining as select * from {raw} limit 0")
    ids = f"[{', '.join(literal(one) for one in customers)}]"
    connection.execute(f"insert into remaining by name {select.replace('$1', ids)}")
    columns = _names(stored_name(column) for column in table.columns)
    connection.execute(
        f"""
        insert into {raw} ({columns}, {", ".join(LANDING_COLUMNS)})
        select
            {columns}, 0, $1, row_number() over (order by {table.key[0]}),
            (select min(loaded_at) from raw.loads), {_PLACE}, {row_key_sql(table)}, false
        from remaining
        order by {table.key[0]}
        """,
        [REMAINDER_FILE],
    )
    (number,) = connection.execute("select count(*) from remaining").fetchone()
    return number


def write_ledger(connection: duckdb.DuckDBPyConnection, batch: int) -> None:
    """Note what remains as a load of its own, which no delivery replaces, and no delivery of today."""
    for name in REMAINS:
        connection.execute(
            f"""
            insert into raw.loads
            select
                $2, (select max(source_name) from raw.loads), $3, $1, {_PLACE}, '', '',
                number, number, number, number, 0, 0, (select max(loaded_at) from raw.loads), true
            from (select count(*) as number from raw.{identifier(name)} where _source_file = $1)
            """,
            [REMAINDER_FILE, batch, name],
        )
        connection.execute(
            "update raw.loads set is_current = false "
            "where source_file = $1 and table_name = $2 and batch_id < $3",
            [REMAINDER_FILE, name, batch],
        )


def _day(column: str, timezone: str) -> str:
    """The business day of a timestamp, as its midnight in business time."""
    local = f"timezone({literal(timezone)}, timezone('UTC', {column}))"
    return f"cast(cast(case when _is_utc then {local} else {column} end as date) as timestamp)"


def _names(columns: Iterable[str]) -> str:
    return ", ".join(identifier(column) for column in columns)


def _kept(table: str) -> str:
    return _names(REMAINS[table])
