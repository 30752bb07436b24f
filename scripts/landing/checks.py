"""Judge every mapped row against the raw contract, before anything of the warehouse changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from scripts.contract.raw_tables import (
    COMPANY_SEGMENTS,
    MOST_SEGMENT_VALUES,
    SEGMENT_PREFIX,
    Table,
    stored_name,
)
from scripts.core.errors import LandingError
from scripts.core.progress import LOGGER
from scripts.core.sql import identifier, literal
from scripts.landing.adapters import Adapter
from scripts.landing.duplicates import judge_duplicates, refuse_what_never_ran
from scripts.landing.forgotten import leave_out_forgotten, redact_broken_lines, remember_marks
from scripts.landing.mapped_rows import MappedRows, find_mapped_rows
from scripts.landing.mapped_units import MappedUnit
from scripts.landing.mapping import columns_named
from scripts.landing.row_rules import Limits, masked_phones
from scripts.landing.sandbox import Sandbox
from scripts.landing.thousands import judge_thousands
from scripts.landing.units import tables_of
from scripts.landing.working_tables import Names, has_rows
from scripts.personal_data.patterns import EMAIL_PATTERN

# The share of rejects is taken of at least this many rows: one bad row of nineteen would be more than 5 %.
_SMALL_DELIVERY = 100


def check_units(
    connection: duckdb.DuckDBPyConnection,
    units: Sequence[MappedUnit],
    adapter: Adapter,
    sandbox: Sandbox,
    load_date: date,
    salt: str,
    marks: frozenset[str],
) -> set[str]:
    """Judge the rows that the sandbox, attached as `scratch`, holds. No row is copied for it.

    Leaves temporary `landing_files`, `landing_rejects` and, for each table, what `Names` tells of: the rows
    that are not stored by their `_mapped_row`, and a view of those that are. `marks` are those of customers
    who were forgotten; gives the marks of their orders that are new. LandingError if too much is rejected.
    """
    connection.execute("set variable salt = ?", [salt])
    limits = Limits(
        load_date,
        adapter.earliest_date,
        adapter.max_days_ahead,
        adapter.timestamps_are_utc,
        adapter.business_timezone,
        adapter.reporting_currency,
    )
    _list_files(connection, units)
    _reject_broken_lines(connection)
    if marks:
        remember_marks(connection, marks)
        redact_broken_lines(connection)
    new_marks: set[str] = set()
    for table in tables_of([one.unit for one in units]):
        LOGGER.info("Checking %s", table.name)
        rows = find_mapped_rows(connection, sandbox, table, limits)
        new_marks |= _check_table(connection, rows, salt, marks | new_marks)
        _name_cells(connection, [one for one in units if one.table is table])
        _require_few_rejects(connection, adapter, table)
        if table.has_company_segments and COMPANY_SEGMENTS in adapter.variables:
            _require_few_segments(connection, adapter, table)
    return new_marks


def _list_files(connection: duckdb.DuckDBPyConnection, units: Sequence[MappedUnit]) -> None:
    columns = {
        "_file": ("integer", [one.unit.number for one in units]),
        "table_name": ("varchar", [one.table.name for one in units]),
        "source_file": ("varchar", [one.unit.source_file for one in units]),
        "file_sequence": ("bigint", [one.unit.sequence for one in units]),
        "content_hash": ("varchar", [one.unit.content_hash for one in units]),
        "mapping_hash": ("varchar", [one.unit.mapping_hash for one in units]),
        "rows_in_file": ("bigint", [one.loaded.rows for one in units]),
        "rows_read": ("bigint", [one.rows_read for one in units]),
        "input": ("integer", [one.loaded.number for one in units]),
        "is_known": ("boolean", [one.unit.rows_before is not None for one in units]),
    }
    values = ", ".join(f"unnest(?::{kind}[]) as {name}" for name, (kind, _) in columns.items())
    connection.execute(
        "create or replace temp table landing_files as "
        f"select *, cast(0 as bigint) as rows_forgotten from (select {values})",
        [members for _, members in columns.values()],
    )


def _reject_broken_lines(connection: duckdb.DuckDBPyConnection) -> None:
    redacted = masked_phones(f"regexp_replace(content, {literal(EMAIL_PATTERN)}, '[e-mail]', 'g')")
    connection.execute(f"""
        create or replace temp table landing_rejects as
        select _file, source_row, reason, json_object('line', {redacted}) as content
        from scratch.inputs.broken
        join landing_files using (input)
    """)


def _check_table(
    connection: duckdb.DuckDBPyConnection, rows: MappedRows, salt: str, marks: frozenset[str]
) -> set[str]:
    """Judge the rows of one table; gives the marks that are new."""
    run = connection.execute
    names = Names(rows.table)
    which = "_file integer, _mapped_row bigint"
    run(f"create or replace temp table {names.bad} ({which}, _reason varchar)")
    run(f"create or replace temp table {names.repeated} ({which})")
    run(f"create or replace temp table {names.left_out} ({which})")
    for faulty in rows.faulty():
        run(f"insert into {names.bad} {faulty}")
    judge_thousands(connection, rows)
    converted, new_marks = rows.converted, set()
    if marks:
        converted, new_marks = leave_out_forgotten(connection, rows, salt, marks)
    run(f"create or replace temp view {names.read} as {converted('true')}")
    judge_duplicates(connection, rows.table)
    refuse_what_never_ran(connection, rows.table)
    excluded = [
        f"_mapped_row not in (select _mapped_row from {name})"
        for name in (names.bad, names.repeated)
        if has_rows(connection, name)
    ]
    accepted = converted(" and ".join(excluded) or "true")
    run(f"create or replace temp view {names.stored} as {accepted}")
    _reject(connection, rows)
    return new_marks


def _reject(connection: duckdb.DuckDBPyConnection, rows: MappedRows) -> None:
    """Keep the bad rows whole, as the file had them."""
    bad = Names(rows.table).bad
    if not has_rows(connection, bad):
        return
    fields = ", ".join(
        f"{literal(stored_name(column))}, {identifier(stored_name(column))}" for column in rows.table.columns
    )
    cleaned = rows.cleaned(f"_mapped_row in (select _mapped_row from {bad})")
    connection.execute(f"""
        insert into landing_rejects
        select cleaned._file, _source_row, _reason, json_object({fields})
        from ({cleaned}) as cleaned
        join {bad} using (_mapped_row)
    """)


def _name_cells(connection: duckdb.DuckDBPyConnection, units: Sequence[MappedUnit]) -> None:
    """Say in the reasons for refused rows of spreadsheets in which cell the value stands."""
    for one in units:
        cells = one.loaded.cells
        if cells is None:
            continue
        for name, sql in one.unit.mapping.columns.items():
            named = columns_named(sql.text, one.loaded.columns)
            if len(named) == 1:
                place = cells.place(named[0], "source_row")
                connection.execute(
                    f"""
                    update landing_rejects
                    set reason = regexp_replace(reason, $1, chr(92) || '1' || $2 || ' (' || {place} || ') ')
                    where _file = $3
                    """,
                    [f"(^|; ){name} ", name, one.unit.number],
                )


def _require_few_segments(connection: duckdb.DuckDBPyConnection, adapter: Adapter, table: Table) -> None:
    """LandingError if a column `segment_<name>` has more values than a segment type may have.

    The values are not shown: what has so many may well be names.
    """
    names = Names(table)
    texts = f"select {COMPANY_SEGMENTS} from {names.stored}"
    is_there = connection.execute(
        "select 1 from information_schema.columns "
        "where table_schema = 'raw' and table_name = ? and column_name = ?",
        [table.name, COMPANY_SEGMENTS],
    ).fetchone()
    if is_there:
        # Of the files that come again, only what they say now.
        texts += f"""
            union all
            select {COMPANY_SEGMENTS} from raw.{identifier(table.name)}
            where _source_file not in (
                select source_file from landing_files where table_name = {literal(table.name)}
            )"""
    found = connection.execute(f"""
        select split_part(part, '=', 1) as name, count(distinct part) as members
        from (
            select unnest(string_split({COMPANY_SEGMENTS}, '|')) as part
            from (select distinct {COMPANY_SEGMENTS} from ({texts}) as texts) as texts
        ) as parts
        group by name
        having members > {MOST_SEGMENT_VALUES}
        order by name
    """).fetchall()
    if found:
        name, members = found[0]
        raise LandingError(
            f"{adapter.path}: {table.name}.{SEGMENT_PREFIX}{name}: has {members:,} different values; a "
            f"segment has at most {MOST_SEGMENT_VALUES}, or it divides nobody. Nothing was changed. Name a "
            "column of few values, or sort them into few groups in its SQL (case … end)."
        )


def _require_few_rejects(connection: duckdb.DuckDBPyConnection, adapter: Adapter, table: Table) -> None:
    """LandingError if more of a table is rejected than the adapter allows."""
    read, rejected = connection.execute(
        """
        select
            (select sum(rows_read) from landing_files where table_name = $1),
            (select count(*) from landing_rejects join landing_files using (_file) where table_name = $1)
        """,
        [table.name],
    ).fetchone()
    share = adapter.max_reject_share
    if not read or rejected / read <= share:
        return
    if rejected <= share * _SMALL_DELIVERY and rejected * 2 < read:
        return
    # Reasons that differ in their values only are one.
    top = connection.execute(
        r"""
        select
            count(*) as rows,
            min_by((reason, source_file, source_row), (_file, source_row)) as example
        from landing_rejects join landing_files using (_file)
        where table_name = ?
        group by regexp_replace(reason, '''[^'']*''|\d[\d, .:-]*', '#', 'g')
        order by rows desc, 2
        limit 3
        """,
        [table.name],
    ).fetchall()
    lines = "".join(
        f"\n  {count:,} × for example {file}{f', row {row}' if row is not None else ''}: {reason}"
        for count, (reason, file, row) in top
    )
    raise LandingError(
        f"{table.name}: {rejected:,} of {read:,} rows would be rejected ({rejected / read:.1%}; "
        f"max_reject_share is {adapter.max_reject_share:.1%}); nothing was changed.{lines}\n"
        "Mend the mapping or the file, or raise max_reject_share in the adapter."
    )
