"""Which rows of raw are a customer's: SQL that finding and removing them share."""

from __future__ import annotations

from scripts.contract.raw_tables import TABLES, Table
from scripts.core.sql import identifier

# A new id that tells nothing.
RANDOM_ID = "replace(cast(uuid() as varchar), '-', '')"


def tables_of_customers() -> list[Table]:
    """The tables of raw whose rows are a customer's."""
    return [table for table in TABLES.values() if table.has_customer]


def their_rows(table: Table) -> str:
    """The current version of each row that is theirs, or nobody's and was theirs; $1 are their ids."""
    raw = f"raw.{identifier(table.name)}"
    theirs = "(select unnest($1::varchar[]))"
    return f"""
        select *
        from ({current_rows(raw, f"select _row_key from {raw} where customer_id in {theirs}")})
        where customer_id is null or customer_id in {theirs}"""


def current_rows(raw: str, keys: str) -> str:
    """The current versions of the rows with these keys."""
    return f"""
        select * exclude (_version)
        from (
            select
                *,
                row_number() over (
                    partition by _row_key order by _file_sequence desc, _source_row desc
                ) as _version
            from {raw}
            where _row_key in ({keys})
        )
        where _version = 1"""
