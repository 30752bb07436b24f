"""Rows of one file that have the same key."""

from __future__ import annotations

import duckdb

from scripts.contract.raw_tables import Table, stored_name
from scripts.core.sql import identifier, literal
from scripts.landing.working_tables import Names, has_rows

# What makes two periods of a subscription that begin on one day the same one.
_TERMS = {name: identifier(name) for name in ("plan", "billing_interval", "amount", "currency")} | {
    "discount_amount": "coalesce(discount_amount, 0)"
}


def judge_duplicates(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Of rows of one file with one key: all equal → the first is stored; else all are rejected."""
    run = connection.execute
    names = Names(table)
    # A file that is sorted by its key has no key twice: seen in one pass, and without remembering any.
    if not run(f"""
        select 1
        from (
            select _file, _row_key, lag(_file) over () as file_before, lag(_row_key) over () as key_before
            from {names.read}
        )
        where (file_before = _file and key_before >= _row_key) or file_before > _file or _row_key is null
        limit 1
    """).fetchone():
        return
    run(f"""
        create or replace temp table repeated_keys as
        select _file, _row_key from {names.read} where _row_key is not null
        group by _file, _row_key having count(*) > 1
    """)
    if not has_rows(connection, "repeated_keys"):
        return
    _set_aside_what_never_ran(connection, table)
    content = ", ".join(identifier(stored_name(column)) for column in table.columns)
    run(f"""
        create or replace temp table duplicates as
        with members as (
            select rows_read.*, bad._reason
            from {names.read} as rows_read
            join repeated_keys using (_file, _row_key)
            left join {names.bad} as bad using (_mapped_row)
            where _mapped_row not in (select _mapped_row from never_ran)
        ),
        groups as (
            select
                _file, _row_key,
                count(distinct row({content}, _is_utc)) > 1 or bool_or(_reason is not null) as differ,
                list_sort(list(_source_row) filter (_source_row is not null))[:5] as source_rows,
                count(*) as size
            from members
            group by _file, _row_key
        )
        select
            members._file,
            members._mapped_row,
            members._reason,
            groups.differ,
            row_number() over (
                partition by _file, _row_key order by _source_row nulls last, members._mapped_row
            ) as place,
            groups.source_rows,
            groups.size
        from members
        join groups using (_file, _row_key)
    """)
    key = ", ".join(table.key)
    run(f"""
        insert into {names.bad}
        select _file, _mapped_row, {literal(f"the same {key} and different content: ")}
            || size || ' rows of the file'
            || case
                when len(source_rows) > 0
                then ' (' || array_to_string(source_rows, ', ')
                    || case when size > len(source_rows) then ', …)' else ')' end
                else ''
            end
        from duplicates
        where differ and _reason is null
    """)
    run(
        f"insert into {names.repeated} "
        "select _file, _mapped_row from duplicates where not differ and place > 1"
    )


def _set_aside_what_never_ran(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Refuse periods that end on the day they begin, where another one of the same key has a length.

    Who takes a plan and goes back on the same day leaves both; the one that runs must not go with it. Leaves
    them in temporary `never_ran`.
    """
    names = Names(table)
    run = connection.execute
    run("create or replace temp table never_ran (_file integer, _mapped_row bigint)")
    for began, ended in ((one, other) for one, other in table.ordered_dates if one in table.key):
        is_empty = f"{identifier(began)} = {identifier(ended)}"
        run(f"""
            insert into never_ran
            select _file, _mapped_row
            from (
                select
                    *,
                    coalesce({is_empty}, false) as is_empty,
                    bool_or(not coalesce({is_empty}, false)) over (partition by _file, _row_key) as has_other
                from {names.read}
                join repeated_keys using (_file, _row_key)
            )
            where is_empty and has_other
        """)
        reason = literal(f"{ended} is {began}, and another row of that day has a length: this one never ran")
        run(
            f"insert into {names.bad} select _file, _mapped_row, {reason} from never_ran "
            f"where _mapped_row not in (select _mapped_row from {names.bad})"
        )


def refuse_what_never_ran(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Refuse a period without length that would take the place of another one, of an earlier file.

    Who takes a plan and goes back on the same day may leave both rows in two files; the later file's counts,
    and what runs would be gone. A period of the same terms is the same one, undone: it does take the place.
    """
    names = Names(table)
    run = connection.execute
    for began, ended in ((one, other) for one, other in table.ordered_dates if one in table.key):
        terms = f"struct_pack({', '.join(f'{name} := {sql}' for name, sql in _TERMS.items())}) as terms"
        starts, ends = identifier(began), identifier(ended)
        run(f"""
            create or replace temp table never_ran as
            select _file, _mapped_row, _row_key, file_sequence, {terms}
            from {names.read}
            join landing_files using (_file)
            where {starts} = {ends} and _mapped_row not in (select _mapped_row from {names.bad})
        """)
        if not has_rows(connection, "never_ran"):
            continue
        ran = [
            f"""
            select _row_key, file_sequence, {terms}, source_file as file
            from {names.read}
            join landing_files using (_file)
            where
                {starts} is distinct from {ends}
                and _mapped_row not in (select _mapped_row from {names.bad})"""
        ]
        if run(
            "select 1 from information_schema.tables where table_schema = 'raw' and table_name = ?",
            [table.name],
        ).fetchone():
            ran.append(f"""
            select _row_key, _file_sequence as file_sequence, {terms}, _source_file as file
            from raw.{identifier(table.name)}
            where {starts} is distinct from {ends} and _source_file not in (
                select source_file from landing_files where table_name = {literal(table.name)}
            )""")
        run(f"""
            insert into {names.bad}
            select
                never_ran._file, never_ran._mapped_row,
                {literal(f"{ended} is {began}, and another row of that day has a length (in ")}
                || max(ran.file) || '): this one never ran'
            from never_ran
            join ({" union all ".join(ran)}) as ran
                on never_ran._row_key = ran._row_key and never_ran.file_sequence > ran.file_sequence
            group by never_ran._file, never_ran._mapped_row
            having not bool_or(never_ran.terms is not distinct from ran.terms)
        """)
