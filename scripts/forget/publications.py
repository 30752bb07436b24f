"""Make each kept publication anew that shows forgotten customers.

They are made anew, not dropped, so that a rollback is possible on the day after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import duckdb

from scripts.contract.personal import IS_WRITTEN, Declared, Personal, declared_in_marts
from scripts.core.progress import LOGGER
from scripts.core.runs import new_run_id
from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.forget.case import Case
from scripts.forget.rows import RANDOM_ID
from scripts.personal_data.redaction import holds_sql, redacted_sql
from scripts.personal_data.search import Trace, database_holds, find_in_columns
from scripts.publication.publications import Publication, list_publications, remove, rewrite

# Classes of columns that are known again by their name.
_IDS = (Personal.CUSTOMER, Personal.OTHER_CUSTOMER, Personal.RECORD)
# What a row that stays loses.
_EMPTIED = frozenset({*_IDS, Personal.FREE_TEXT})

_SURROGATE = "(select max(surrogate) from gone_orders as o where o.order_id = mart.order_id)"
_MIDNIGHT = "timezone('UTC', timezone({{timezone}}, cast({day} as timestamp)))"

# The marts of which rows of a forgotten customer stay, as nobody's: what their columns become, as SQL, unless
# they are emptied.
_STAYS: dict[str, dict[str, str]] = {
    "fct_orders": {
        "order_id": f"coalesce({_SURROGATE}, {RANDOM_ID})",
        "is_guest": "true",
        "customer_order_number": "null",
        "ordered_at": _MIDNIGHT.format(day="ordered_on"),
    },
    "fct_nps_responses": {
        "response_id": RANDOM_ID,
        "invited_on": "null",
        "days_to_respond": "null",
        "is_last_of_customer": "false",
        "responded_at": _MIDNIGHT.format(day="responded_on"),
    },
    "fct_subscription_movements": {
        "customer_id": "(select max(subscriber) from gone as g where g.customer_id = mart.customer_id)"
    },
}


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
        declared = declared_in_marts(settings.project_root)
        _remove_from_marts(connection, case, declared, publication.manifest["business_timezone"])

    rewrite(settings, publication, run_id, edit)


def remove_former(settings: Settings, former: str | None) -> None:
    """Drop the publication that readers had before, if another is current now."""
    for publication in list_publications(settings):
        if publication.run_id == former and not is_current(settings, publication):
            remove(publication)


def _remove_from_marts(
    connection: duckdb.DuckDBPyConnection, case: Case, declared: Declared, timezone: str
) -> None:
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
        texts = [name for name, kind in columns.items() if kind == "VARCHAR"]
        held = {name: _what_it_holds(declared, mart, name) for name in texts}
        target = f"build.marts.{identifier(mart)}"
        _remove_rows(connection, mart, target, held, _changes(mart, set(columns), held, timezone))
        written = [name for name, personal in held.items() if personal in IS_WRITTEN]
        for column, trace in find_in_columns(connection, target, written, distinct):
            text = identifier(column)
            connection.execute(
                f"update {target} set {text} = {redacted_sql(text, trace)} where {holds_sql(text, trace)}"
            )


def _columns_of_marts(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """By mart, its columns and their types."""
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'build' and schema_name = 'marts' order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, {})[column] = kind
    return columns


def _what_it_holds(declared: Declared, mart: str, column: str) -> Personal:
    """What a column of text is declared to hold.

    One that this version does not know, in a publication of another, holds what columns of its name hold
    elsewhere if that is an id, else what somebody wrote.
    """
    known = declared.get(mart, {}).get(column)
    if known is not None:
        return known
    elsewhere = {columns[column] for columns in declared.values() if column in columns}
    return next((one for one in _IDS if one in elsewhere), Personal.FREE_TEXT)


def _remove_rows(
    connection: duckdb.DuckDBPyConnection,
    mart: str,
    target: str,
    held: Mapping[str, Personal],
    changes: Mapping[str, str],
) -> None:
    """Delete the rows of the customers, or make them nobody's by `changes` where the mart keeps them."""
    gone = "in (select customer_id from gone)"
    conditions = [f"{identifier(name)} {gone}" for name in held if held[name] is Personal.CUSTOMER]
    if "order_id" in held:
        conditions.append("order_id in (select order_id from gone_orders)")
    if conditions:
        theirs = " or ".join(conditions)
        sets = ", ".join(f"{identifier(name)} = {sql}" for name, sql in changes.items())
        connection.execute(
            f"update {target} as mart set {sets} where {theirs}"
            if mart in _STAYS
            else f"delete from {target} where {theirs}"
        )
    for name, personal in held.items():
        if personal is Personal.OTHER_CUSTOMER:
            connection.execute(
                f"update {target} set {identifier(name)} = null where {identifier(name)} {gone}"
            )


def _changes(mart: str, columns: Set[str], held: Mapping[str, Personal], timezone: str) -> dict[str, str]:
    """What columns of the rows that stay become, as SQL: what tells of a person is emptied, unless `_STAYS`
    says something else.
    """
    emptied = {name: "null" for name, personal in held.items() if personal in _EMPTIED}
    rules = {
        name: sql.format(timezone=literal(timezone))
        for name, sql in _STAYS.get(mart, {}).items()
        if name in columns
    }
    return emptied | rules
