"""Take customers out of raw, and put in what remains without them, in one transaction."""

from __future__ import annotations

from collections import Counter

import duckdb

from scripts.contract.personal import Personal
from scripts.contract.raw_tables import TABLES, Table
from scripts.core.sql import identifier, literal
from scripts.forget.case import Case, Removal
from scripts.forget.raw_texts import redact_notes, redact_rejects, redact_texts
from scripts.forget.remainder import (
    add_remainder,
    count_running,
    note_stated_ends,
    remaining_rows,
    write_ledger,
)
from scripts.forget.rows import tables_of_customers, their_rows
from scripts.landing.row_rules import row_key_sql
from scripts.personal_data.suppression import REMAINDER_FILE


def remove_from_raw(
    connection: duckdb.DuckDBPyConnection, case: Case, timezone: str, *, is_trial: bool = False
) -> Removal:
    """Take the customers out of raw and put the remainder in, in one transaction; a trial is taken back.

    What is incremental learns of it as of any landing, by `raw.customer_changes` and `raw.removed_rows`.
    """
    connection.execute("begin transaction")
    try:
        removal = _remove(connection, case, timezone)
        connection.execute("rollback" if is_trial else "commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return removal


def _remove(connection: duckdb.DuckDBPyConnection, case: Case, timezone: str) -> Removal:
    _name_who_goes(connection, case)
    note_stated_ends(connection)
    ended = count_running(connection, case.customers)
    remaining = _keep_remainder(connection, case, timezone)
    unlinked = _unlink_referred(connection)
    removed: Counter[str] = Counter()
    files: set[str] = set()
    for table in TABLES.values():
        for file, number in _delete_rows(connection, table):
            removed[table.name] += number
            files.add(file)
    redacted = redact_texts(connection, case.traces)
    rejected = redact_rejects(connection, case.traces)
    redact_notes(connection, case.traces)
    _tell_incremental_models(connection)
    return Removal(
        dict(removed),
        remaining,
        unlinked,
        redacted + len(rejected),
        tuple(sorted({*files, *rejected} - {REMAINDER_FILE})),
        ended,
    )


def _name_who_goes(connection: duckdb.DuckDBPyConnection, case: Case) -> None:
    """Make the temporary tables that the statements after this share.

    `gone` and `gone_orders` are the customers and their orders, with the ids these remain under; `gone_keys`
    the rows that are theirs; `touched` and `dropped` collect whom and what a build must compute anew.
    """
    customers = list(case.customers)
    connection.execute(
        """
        create or replace temp table gone (customer_id varchar);
        create or replace temp table gone_orders (order_id varchar, surrogate varchar);
        create or replace temp table gone_keys (table_name varchar, row_key varchar);
        create or replace temp table touched (customer_id varchar);
        create or replace temp table dropped (table_name varchar, row_key varchar);
        """
    )
    connection.execute("insert into gone select unnest($1::varchar[])", [customers])
    connection.execute("insert into touched from gone")
    connection.execute(
        "insert into gone_orders select unnest($1::varchar[]), unnest($2::varchar[])",
        [list(case.orders), list(case.orders.values())],
    )
    for table in tables_of_customers():
        connection.execute(
            f"insert into gone_keys select {literal(table.name)}, _row_key from ({their_rows(table)})",
            [customers],
        )


def _keep_remainder(connection: duckdb.DuckDBPyConnection, case: Case, timezone: str) -> dict[str, int]:
    """Add what remains, with random ids; gives the rows by table."""
    # A refund of theirs of another customer's order changes what that customer has brought.
    connection.execute(
        "insert into touched select customer_id from raw.orders where order_id in "
        "(select order_id from raw.refunds where customer_id in (select customer_id from gone))"
    )
    remaining = {}
    for name, select in remaining_rows(timezone).items():
        remaining[name] = add_remainder(connection, name, select, case.customers)
        connection.execute(
            f"insert into dropped select {literal(name)}, {row_key_sql(TABLES[name])} from remaining"
        )
    connection.execute(
        "insert into touched select customer_id from raw.subscriptions where _source_file = $1",
        [REMAINDER_FILE],
    )
    return remaining


def _unlink_referred(connection: duckdb.DuckDBPyConnection) -> int:
    """Whom they have referred, nobody has referred now; gives how many rows named them so."""
    unlinked = 0
    for table in TABLES.values():
        raw = f"raw.{identifier(table.name)}"
        for column in table.columns:
            if column.personal is not Personal.OTHER_CUSTOMER:
                continue
            theirs = f"{column.name} in (select customer_id from gone)"
            connection.execute(
                f"insert into dropped select {literal(table.name)}, _row_key from {raw} where {theirs}"
            )
            connection.execute(f"insert into touched select customer_id from {raw} where {theirs}")
            (number,) = connection.execute(f"update {raw} set {column.name} = null where {theirs}").fetchone()
            unlinked += number
    return unlinked


def _delete_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> list[tuple[str, int]]:
    """Delete their rows of a table, in all versions; gives how many came from which file."""
    raw = f"raw.{identifier(table.name)}"
    conditions = []
    if table.has_customer:
        conditions.append("customer_id in (select customer_id from gone)")
        conditions.append(
            f"_row_key in (select row_key from gone_keys where table_name = {literal(table.name)})"
        )
    if "order_id" in table.column_names:
        conditions.append("order_id in (select order_id from gone_orders)")
    if not conditions:
        return []
    theirs = " or ".join(conditions)
    counted = connection.execute(
        f"select _source_file, count(*) from {raw} where {theirs} group by _source_file"
    ).fetchall()
    connection.execute(
        f"insert into dropped select {literal(table.name)}, _row_key from {raw} where {theirs}"
    )
    connection.execute(f"delete from {raw} where {theirs}")
    for file, number in counted:
        # They were never read, as they will not be when the file comes again.
        connection.execute(
            "update raw.loads set rows_read = rows_read - $1, rows_accepted = rows_accepted - $1, "
            "rows_stored = rows_stored - $1 where is_current and table_name = $2 and source_file = $3",
            [number, table.name, file],
        )
    return counted


def _tell_incremental_models(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the change feed and the ledger of a batch of its own, as a landing would."""
    (batch,) = connection.execute("select coalesce(max(batch_id), 0) + 1 from raw.loads").fetchone()
    connection.execute(
        f"insert into raw.removed_rows select distinct {batch}, table_name, row_key from dropped"
    )
    connection.execute(
        f"insert into raw.customer_changes select {batch}, customer_id from touched "
        "where customer_id is not null group by customer_id order by customer_id"
    )
    write_ledger(connection, batch)
