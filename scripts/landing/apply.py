"""Bring `raw` up to date with what was checked: all changes of one landing in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from scripts.contract.raw_tables import LANDING_COLUMNS, TABLES, Table, stored_name
from scripts.core.errors import LandingError
from scripts.core.progress import LOGGER
from scripts.core.sql import identifier, literal
from scripts.landing.adapters import Adapter
from scripts.landing.ledger import create_tables, store_settings, write_ledger
from scripts.landing.results import TableCounts
from scripts.landing.working_tables import Names, has_rows

# Any of them makes a company that can be published; every other table may be empty.
_MAIN_TABLES = ("orders", "subscriptions", "survey_responses")


@dataclass(frozen=True)
class Applied:
    """What was changed: the batch, the counts of each table, the names of the vars that changed."""

    batch_id: int
    counts: dict[str, TableCounts]
    changed_vars: tuple[str, ...]


def apply_changes(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], adapter: Adapter, moment: datetime
) -> Applied:
    """Store what the checks left of `tables`; LandingError, and no change, if a table would be emptied."""
    run = connection.execute
    run("begin transaction")
    try:
        create_tables(connection)
        (batch_id,) = run("select coalesce(max(batch_id), 0) + 1 from raw.loads").fetchone()
        had_rows = {name: has_rows(connection, f"raw.{identifier(name)}") for name in TABLES}
        counts = {}
        for table in tables:
            LOGGER.info("Landing %s", table.name)
            counts[table.name] = _apply_table(connection, table, batch_id, moment, had_rows[table.name])
        write_ledger(connection, adapter, batch_id, moment)
        _write_customer_changes(connection, batch_id, set(counts))
        changed = store_settings(connection, adapter)
        _require_rows(connection, had_rows)
        run("commit")
    except BaseException:
        run("rollback")
        raise
    return Applied(batch_id, counts, changed)


def apply_settings(connection: duckdb.DuckDBPyConnection, adapter: Adapter) -> tuple[str, ...]:
    """Store the adapter's vars where no file is new; gives the names of those that changed."""
    connection.execute("begin transaction")
    try:
        # A warehouse of an earlier version lacks the tables that have been added since.
        create_tables(connection)
        changed = store_settings(connection, adapter)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return changed


def _apply_table(
    connection: duckdb.DuckDBPyConnection, table: Table, batch_id: int, moment: datetime, had_rows: bool
) -> TableCounts:
    """Bring one table up to date. Unchanged rows of a corrected file keep their batch and load time."""
    run = connection.execute
    names = Names(table)
    raw = f"raw.{identifier(table.name)}"
    stored = [stored_name(column) for column in table.columns]
    columns = ", ".join(identifier(name) for name in stored)
    # Nobody's customer, order or currency changes with a row that stays as it is.
    links = [name for name in ("customer_id", "order_id", "currency", "rate_date") if name in stored]
    linked = ", ".join(("_row_key", *links))
    run(f"create or replace temp table {names.former} as select {linked} from {raw} limit 0")
    is_corrected = run(
        "select 1 from landing_files where table_name = ? and is_known limit 1", [table.name]
    ).fetchone()
    removed, new_rows = _correct(connection, table, linked, batch_id) if is_corrected else (0, names.stored)
    added = run(
        f"""
        insert into {raw} ({columns}, {", ".join(LANDING_COLUMNS)})
        select
            {columns}, {batch_id}, source_file, _source_row, $1, file_sequence, _row_key, _is_utc
        from {new_rows} as new
        join landing_files using (_file)
        """,
        [moment],
    ).fetchone()[0]
    if had_rows:
        # Other files' versions of the same keys: one of them counted until now, or counts again.
        run(f"""
            insert into {names.former}
            select {linked} from {raw}
            where _batch_id < {batch_id} and _row_key in (
                select _row_key from {raw} where _batch_id = {batch_id}
                union all
                select _row_key from {names.former}
            )
        """)
    run(f"""
        create or replace temp view {names.touched} as
        select {linked} from {raw} where _batch_id = {batch_id}
        union all
        select {linked} from {names.former}
    """)
    return _counts(connection, table, added, removed)


def _correct(
    connection: duckdb.DuckDBPyConnection, table: Table, linked: str, batch_id: int
) -> tuple[int, str]:
    """Remove the former rows of corrected files that went or changed; their number, and what is new."""
    run = connection.execute
    names = Names(table)
    raw = f"raw.{identifier(table.name)}"
    same = " and ".join(
        f"old.{identifier(name)} is not distinct from new.{identifier(name)}"
        for name in (*(stored_name(column) for column in table.columns), "_is_utc")
    )
    run(f"""
        create or replace temp table {names.kept} as
        select old.rowid as old_id, new._mapped_row as new_id, new._source_row
        from {raw} as old
        join landing_files as files on files.table_name = {literal(table.name)}
            and files.is_known and files.source_file = old._source_file
        join {names.stored} as new on new._file = files._file and new._row_key = old._row_key
        where {same}
    """)
    gone = f"""
        select old.rowid as old_id
        from {raw} as old
        where old._source_file in (
            select source_file from landing_files where table_name = {literal(table.name)} and is_known
        )
            and old.rowid not in (select old_id from {names.kept})"""
    run(f"insert into {names.former} select {linked} from {raw} where rowid in ({gone})")
    removed = run(
        f"insert into raw.removed_rows select {batch_id}, {literal(table.name)}, _row_key from {names.former}"
    ).fetchone()[0]
    run(f"""
        update {raw} as old set _source_row = kept._source_row
        from {names.kept} as kept
        where old.rowid = kept.old_id and old._source_row is distinct from kept._source_row
    """)
    if removed:
        run(f"delete from {raw} where rowid in ({gone})")
    return removed, f"(from {names.stored} where _mapped_row not in (select new_id from {names.kept}))"


def _counts(connection: duckdb.DuckDBPyConnection, table: Table, added: int, removed: int) -> TableCounts:
    """The counts of the table, with the proof that no row was lost on the way."""
    files, in_files, read, forgotten = connection.execute(
        "select count(*), sum(rows_in_file), sum(rows_read), sum(rows_forgotten) from landing_files "
        "where table_name = ?",
        [table.name],
    ).fetchone()
    names = Names(table)
    stored = connection.execute(f"select count(*) from {names.stored}").fetchone()[0]
    repeated = connection.execute(f"select count(*) from {names.repeated}").fetchone()[0]
    accepted = stored + repeated
    rejected = connection.execute(
        "select count(*) from landing_rejects join landing_files using (_file) where table_name = ?",
        [table.name],
    ).fetchone()[0]
    if read != accepted + rejected:
        raise RuntimeError(
            f"{table.name}: read {read}, accepted {accepted}, rejected {rejected}: rows were lost"
        )
    return TableCounts(
        files=files,
        rows_in_files=int(in_files),
        read=int(read),
        accepted=accepted,
        stored=stored,
        repeated=repeated,
        rejected=rejected,
        rows_added=added,
        rows_removed=removed,
        forgotten=int(forgotten),
    )


def _write_customer_changes(connection: duckdb.DuckDBPyConnection, batch_id: int, landed: set[str]) -> None:
    """Everybody whose numbers may be others after this batch, so that big models recompute these only."""

    def touched(name: str) -> str:
        return Names(TABLES[name]).touched

    def of_orders(name: str) -> str:
        return f"order_id in (select order_id from {touched(name)})"

    parts = [
        f"select customer_id from {touched(name)}"
        for name in landed
        if "customer_id" in TABLES[name].column_names
    ]
    for name in ("refunds", "order_items"):
        if name in landed:
            parts.append(f"select customer_id from raw.orders where {of_orders(name)}")
    if "orders" in landed:
        parts.append(f"select customer_id from raw.refunds where {of_orders('orders')}")
    if "exchange_rates" in landed:
        # A rate counts from its day on; a raw time may lie a day before its business date.
        rates = touched("exchange_rates")
        rated = f"(select currency, min(rate_date) - 1 as since from {rates} group by currency)"
        join_rated = f"join {rated} as rated using (currency) where"
        parts += [
            f"select customer_id from raw.orders {join_rated} ordered_at >= since",
            f"select customer_id from raw.refunds {join_rated} refunded_at >= since",
            f"select customer_id from raw.subscriptions {join_rated} started_on >= since",
            "select customer_id from raw.orders where order_id in "
            f"(select order_id from raw.refunds {join_rated} refunded_at >= since)",
            # Without a currency of its own a refund is in that of its order.
            "select coalesce(orders.customer_id, refunds.customer_id) as customer_id from raw.refunds "
            f"join raw.orders using (order_id) join {rated} as rated on rated.currency = orders.currency "
            "where refunds.currency is null and refunded_at >= since",
        ]
    if parts:
        everybody = " union all ".join(parts)
        connection.execute(
            "insert into raw.customer_changes "
            f"select {batch_id}, customer_id from ({everybody}) where customer_id is not null "
            "group by customer_id"
        )


def _require_rows(connection: duckdb.DuckDBPyConnection, had_rows: dict[str, bool]) -> None:
    now = {name: has_rows(connection, f"raw.{identifier(name)}") for name in TABLES}
    for name in TABLES:
        if had_rows[name] and not now[name]:
            raise LandingError(
                f"{name}: would have no rows at all, and had some before; nothing was changed."
            )
    if not any(now[name] for name in _MAIN_TABLES):
        why = connection.execute(
            "select table_name || ': all rows were rejected, for example: ' || any_value(reason) "
            "from landing_rejects join landing_files using (_file) "
            "where list_contains(?, table_name) group by table_name order by table_name",
            [list(_MAIN_TABLES)],
        ).fetchall()
        raise LandingError(
            f"None of {', '.join(_MAIN_TABLES)} would have a row; a warehouse needs one of them. "
            "Nothing was changed." + "".join(f"\n  {reason}" for (reason,) in why)
        )
