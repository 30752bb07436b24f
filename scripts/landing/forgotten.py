"""Rows of customers who were forgotten: whatever brings them again, they are left out."""

from __future__ import annotations

import duckdb

from scripts.core.sql import identifier
from scripts.landing.mapped_rows import Converted, MappedRows
from scripts.landing.working_tables import Names
from scripts.personal_data.suppression import KINDS, mark, mark_sql


def remember_marks(connection: duckdb.DuckDBPyConnection, marks: frozenset[str]) -> None:
    """Put the marks of who was forgotten where SQL sees them."""
    connection.execute(
        "create or replace temp table forgotten_marks as select unnest(?::varchar[]) as mark", [sorted(marks)]
    )


def redact_broken_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """A line that is no row has no columns: any part of it may be the id of a forgotten customer."""
    parts = r"""string_split_regex(content ->> 'line', '[,;|\t"''\s]+')"""
    connection.execute(f"""
        update landing_rejects set content = json_object('line', '[forgotten customer]')
        where rowid in (
            select id
            from (
                select rowid as id, unnest({parts}) as part
                from landing_rejects
            )
            where {mark_sql("customer", "part")} in (select mark from forgotten_marks)
        )
    """)


def leave_out_forgotten(
    connection: duckdb.DuckDBPyConnection, rows: MappedRows, salt: str, marks: frozenset[str]
) -> tuple[Converted, set[str]]:
    """Take the rows of forgotten customers out of what was read; nobody was referred by one either.

    Gives what converts the others, and the marks of their orders that are not among `marks` yet.
    """
    run = connection.execute
    table, converted = rows.table, rows.converted
    names = Names(table)
    new: set[str] = set()
    run(f"create or replace temp view {names.read} as {converted('true')}")

    def marked(column: str, kind: str) -> str:
        value = identifier(column)
        return f"""
            select {value} from (select distinct {value} from {names.read})
            where {mark_sql(kind, value)} in (select mark from forgotten_marks)"""

    conditions = [
        f"{identifier(column)} in ({marked(column, kind)})"
        for column, kind in KINDS.items()
        if column in table.column_names
    ]
    if not conditions:
        return converted, new
    run(
        f"insert into {names.left_out} select _file, _mapped_row from {names.read} "
        f"where {' or '.join(conditions)}"
    )
    if table.name == "orders":
        # Their lines and refunds tell no customer.
        new = {
            mark(salt, "order", order_id)
            for (order_id,) in run(
                f"select distinct order_id from {names.read} "
                f"where order_id is not null "
                f"and _mapped_row in (select _mapped_row from {names.left_out})"
            ).fetchall()
        } - marks
        run("insert into forgotten_marks select unnest(?::varchar[])", [sorted(new)])
    run(f"""
        update landing_files set rows_read = rows_read - number, rows_forgotten = number
        from (select _file as file, count(*) as number from {names.left_out} group by _file) as counted
        where landing_files._file = counted.file
    """)
    run(f"delete from {names.bad} where _mapped_row in (select _mapped_row from {names.left_out})")
    remaining = f"_mapped_row not in (select _mapped_row from {names.left_out})"
    if "referred_by_customer_id" not in table.column_names:
        return lambda where: converted(f"{remaining} and {where}"), new
    referrers = identifier(f"forgotten_referrers_{table.name}")
    run(f"create or replace temp table {referrers} as {marked('referred_by_customer_id', 'customer')}")

    def without_referrers(where: str) -> str:
        return f"""
            select * replace (
                case when referred_by_customer_id not in (from {referrers}) then referred_by_customer_id end
                as referred_by_customer_id
            )
            from ({converted(f"{remaining} and {where}")}) as converted"""

    return without_referrers, new
