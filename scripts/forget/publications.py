"""Make each kept publication anew that shows forgotten customers.

They are made anew, not dropped, so that a rollback is possible on the day after.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from scripts.core.progress import LOGGER
from scripts.core.runs import new_run_id
from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.forget.case import Case
from scripts.forget.rows import RANDOM_ID
from scripts.personal_data.redaction import holds_sql, redacted_sql
from scripts.personal_data.search import Trace, database_holds
from scripts.publication.publications import Publication, list_publications, remove, rewrite


def publications_with(settings: Settings, traces: Iterable[Trace]) -> list[Publication]:
    """The kept publications that show any of the values."""
    traces = list(traces)
    found = []
    for publication in list_publications(settings):
        with duckdb.connect(":memory:") as connection:
            database = literal(str(publication.path / "analytics.duckdb"))
            connection.execute(f"attach {database} as build (read_only)")
            if database_holds(connection, "build", traces):
                found.append(publication)
    return found


def is_current(settings: Settings, publication: Publication) -> bool:
    """Whether it is what readers get."""
    return settings.published.resolve() == publication.path.resolve()


def rewrite_publication(settings: Settings, publication: Publication, case: Case) -> None:
    """Make a publication anew without the customers.

    Readers are pointed to the new one in one step. The one they had stays until the end of the run, for those
    who have just looked it up.
    """
    LOGGER.info("forget: publication %s", publication.run_id)
    run_id = new_run_id(settings) if is_current(settings, publication) else publication.run_id

    def edit(connection: duckdb.DuckDBPyConnection) -> None:
        _remove_from_marts(connection, case, publication.manifest["business_timezone"])

    rewrite(settings, publication, run_id, edit)


def remove_former(settings: Settings, former: str | None) -> None:
    """Drop the publication that readers had before, if another is current now."""
    for publication in list_publications(settings):
        if publication.run_id == former and not is_current(settings, publication):
            remove(publication)


def _remove_from_marts(connection: duckdb.DuckDBPyConnection, case: Case, timezone: str) -> None:
    """Take the customers out of the marts of the attached database `build`.

    Rows of a customer go; orders, votes and MRR movements stay as nobody's, so that they sum to what the
    marts of months and segments say, which stay as they are.
    """
    run = connection.execute
    run("create temp table gone (customer_id varchar, subscriber varchar)")
    run(f"insert into gone select *, {RANDOM_ID} from (select unnest($1::varchar[]))", [list(case.customers)])
    run("create temp table gone_orders (order_id varchar, surrogate varchar)")
    run(
        "insert into gone_orders select unnest($1::varchar[]), unnest($2::varchar[])",
        [list(case.orders), list(case.orders.values())],
    )
    distinct = [trace for trace in case.traces if trace.is_distinct]
    for mart, columns in _columns_of_marts(connection).items():
        _remove_rows(connection, mart, columns, timezone)
        _redact_mart(connection, mart, columns, distinct)


def _columns_of_marts(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "select table_name, column_name from duckdb_columns() "
        "where database_name = 'build' and schema_name = 'marts' order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append(column)
    return columns


def _remove_rows(connection: duckdb.DuckDBPyConnection, mart: str, columns: list[str], timezone: str) -> None:
    """Delete the rows of the customers, or make them nobody's where a mart keeps them."""
    target = f"build.marts.{identifier(mart)}"
    conditions = []
    if "customer_id" in columns:
        conditions.append("customer_id in (select customer_id from gone)")
    if mart == "fct_orders":
        conditions.append("order_id in (select order_id from gone_orders)")
    if conditions:
        theirs = " or ".join(conditions)
        anonymous = _anonymous_columns(mart, timezone)
        changes = [f"{identifier(name)} = {sql}" for name, sql in anonymous.items() if name in columns]
        connection.execute(
            f"update {target} as mart set {', '.join(changes)} where {theirs}"
            if changes
            else f"delete from {target} where {theirs}"
        )
    if "referred_by_customer_id" in columns:
        connection.execute(
            f"update {target} set referred_by_customer_id = null "
            "where referred_by_customer_id in (select customer_id from gone)"
        )


def _redact_mart(
    connection: duckdb.DuckDBPyConnection, mart: str, columns: list[str], traces: Iterable[Trace]
) -> None:
    """Take ids out of what others have written."""
    traces = list(traces)
    for name in columns:
        if not name.endswith(("comment_text", "cancel_comment", "stated_reason", "_name")):
            continue
        text = identifier(name)
        for trace in traces:
            connection.execute(
                f"update build.marts.{identifier(mart)} set {text} = {redacted_sql(text, trace)} "
                f"where {holds_sql(text, trace)}"
            )


def _anonymous_columns(table: str, timezone: str) -> dict[str, str]:
    """What columns of the rows that stay become, as SQL; nothing for a mart of which no rows stay."""
    midnight = f"timezone('UTC', timezone({literal(timezone)}, cast({{}} as timestamp)))"
    surrogate = "(select max(surrogate) from gone_orders as o where o.order_id = mart.order_id)"
    return {
        "fct_orders": {
            "order_id": f"coalesce({surrogate}, {RANDOM_ID})",
            "customer_id": "null",
            "is_guest": "true",
            "customer_order_number": "null",
            "ordered_at": midnight.format("ordered_on"),
        },
        "fct_nps_responses": {
            "response_id": RANDOM_ID,
            "customer_id": "null",
            "invitation_id": "null",
            "invited_on": "null",
            "days_to_respond": "null",
            "comment_text": "null",
            "is_last_of_customer": "false",
            "responded_at": midnight.format("responded_on"),
        },
        "fct_subscription_movements": {
            "customer_id": "(select max(subscriber) from gone as g where g.customer_id = mart.customer_id)"
        },
    }.get(table, {})
