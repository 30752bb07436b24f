"""Take customers out of the texts in raw: what others wrote, rejected rows, notes of landing and checks."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from scripts.contract.personal import IS_WRITTEN
from scripts.contract.raw_tables import TABLES, columns_that_name_somebody
from scripts.core.sql import identifier, literal
from scripts.personal_data.redaction import REDACTED, holds_sql, redacted_sql
from scripts.personal_data.search import Trace


def redact_texts(connection: duckdb.DuckDBPyConnection, traces: Iterable[Trace]) -> int:
    """Take ids that are no ordinary words out of what others have written; gives the number of texts.

    Whose text it was, and which row, is added to the temporary tables `touched` and `dropped`.
    """
    redacted = 0
    distinct = [trace for trace in traces if trace.is_distinct]
    for table in TABLES.values():
        raw = f"raw.{identifier(table.name)}"
        for column in table.columns:
            # A key is left: it is what makes the row this row.
            if column.personal not in IS_WRITTEN or column.name in table.key:
                continue
            name = identifier(column.name)
            for trace in distinct:
                holds = holds_sql(name, trace)
                if not connection.execute(f"select 1 from {raw} where {holds}").fetchone():
                    continue
                connection.execute(
                    f"insert into dropped select {literal(table.name)}, _row_key from {raw} where {holds}"
                )
                if table.has_customer:
                    connection.execute(f"insert into touched select customer_id from {raw} where {holds}")
                (number,) = connection.execute(
                    f"update {raw} set {name} = {redacted_sql(name, trace)} where {holds}"
                ).fetchone()
                redacted += number
    return redacted


def redact_rejects(connection: duckdb.DuckDBPyConnection, traces: Iterable[Trace]) -> list[str]:
    """Empty the rejected rows that tell of them; gives the file of each.

    That rows were rejected stays, and by which rule. The customers are those of the temporary table `gone`.
    """
    traces = list(traces)
    emails = [trace.value for trace in traces if "e-mail" in trace.what]
    parts = r"""string_split_regex(content ->> 'line', '[,;|\t"''\s]+')"""
    naming = sorted({column for _, column in columns_that_name_somebody()})
    conditions = [
        *(f"content ->> {literal(name)} in (select customer_id from gone)" for name in naming),
        "content ->> 'order_id' in (select order_id from gone_orders)",
        "content ->> 'email_hash' in (select unnest($1::varchar[]))",
        f"list_has_any({parts}, (select list(customer_id) from gone))",
        *(holds_sql("(cast(content as varchar) || reason)", trace) for trace in traces if trace.is_distinct),
    ]
    theirs = " or ".join(f"coalesce({condition}, false)" for condition in conditions)
    rejected = connection.execute(f"select source_file from raw.rejects where {theirs}", [emails]).fetchall()
    connection.execute(
        f"""
        update raw.rejects set
            content = json_object('line', {literal(REDACTED)}),
            reason = regexp_replace(reason, '''[^'']*''', '''{REDACTED}''', 'g')
        where {theirs}
        """,
        [emails],
    )
    return [file for (file,) in rejected]


def redact_notes(connection: duckdb.DuckDBPyConnection, traces: Iterable[Trace]) -> None:
    """In the notes of landing and checks. A file that is called after a customer is another one now."""
    places = [
        *((name, "_source_file") for name in TABLES),
        ("loads", "source_file"),
        ("rejects", "source_file"),
    ]
    if connection.execute("select 1 from duckdb_tables() where table_name = 'check_results'").fetchone():
        # What a check saw may be a value.
        places += [("check_results", column) for column in ("observed", "expected", "message")]
    for trace in traces:
        if trace.is_distinct:
            for table, column in places:
                connection.execute(
                    f"update raw.{identifier(table)} set {column} = {redacted_sql(column, trace)} "
                    f"where {holds_sql(column, trace)}"
                )
