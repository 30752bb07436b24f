"""Numbers whose mark may stand before thousands: only the other rows of the file can tell."""

from __future__ import annotations

import duckdb

from scripts.contract.raw_tables import Kind
from scripts.core.sql import identifier, literal
from scripts.landing.mapped_rows import MappedRows
from scripts.landing.row_rules import DECIMAL_COMMA, decimal_comma_sql
from scripts.landing.working_tables import Names


def judge_thousands(connection: duckdb.DuckDBPyConnection, rows: MappedRows) -> None:
    """Reject 1.234 where the same column of the file has decimal commas: it may mean a thousand more."""
    run = connection.execute
    bad = Names(rows.table).bad
    advice = literal("' may be thousands, as others of the file have a decimal comma: map it with ")
    for column in rows.table.columns:
        if column.kind not in (Kind.DECIMAL, Kind.RATE):
            continue
        name = identifier(column.name)
        if not run(
            f"select 1 from {bad} where contains(_reason, {literal(f'{column.name} ')}) "
            "and contains(_reason, ' has a decimal comma') limit 1"
        ).fetchone():
            continue
        run(f"""
            create or replace temp table thousands as
            select
                _file, _mapped_row,
                {literal(column.name + " '")} || {name} || {advice}
                || {literal(decimal_comma_sql(column.name))} as _reason
            from ({rows.cleaned()}) as cleaned
            where regexp_full_match({name}, '[+-]?[0-9]{{1,3}}([.][0-9]{{3}})+')
                and _file in (
                    select _file from ({rows.cleaned()}) as others
                    where regexp_full_match({name}, {literal(DECIMAL_COMMA)})
                )
        """)
        run(f"""
            update {bad} as bad set _reason = concat_ws('; ', bad._reason, thousands._reason)
            from thousands where bad._mapped_row = thousands._mapped_row
        """)
        run(
            f"insert into {bad} select _file, _mapped_row, _reason from thousands "
            f"where _mapped_row not in (select _mapped_row from {bad})"
        )
