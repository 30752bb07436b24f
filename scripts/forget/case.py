"""Who is to be forgotten, and by which values they are known: the case of one run.

It is kept in `warehouse/.forgetting.json` until all is done, so that the next run can finish what one that
died has begun. It names the persons.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import duckdb

from scripts.contract.personal import NAMES_SOMEBODY, declared_in_marts
from scripts.contract.raw_tables import columns_that_name_somebody
from scripts.core.errors import ConfigurationError
from scripts.core.runs import write_json
from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.forget.rows import tables_of_customers, their_rows
from scripts.personal_data.patterns import EMAIL_PATTERN
from scripts.personal_data.salt import hash_address
from scripts.personal_data.search import Trace
from scripts.personal_data.suppression import KINDS, mark


@dataclass(frozen=True)
class Removal:
    """What was taken out of raw: rows by table, how many of them remain without the person, and from which
    source files.
    """

    removed: dict[str, int] = field(default_factory=dict)
    remaining: dict[str, int] = field(default_factory=dict)
    unlinked: int = 0
    redacted: int = 0
    files: tuple[str, ...] = ()
    ended: int = 0

    def __add__(self, other: Removal) -> Removal:
        """Both together: what a run that died had done already, and what the next one did."""
        return Removal(
            dict(Counter(self.removed) + Counter(other.removed)),
            dict(Counter(self.remaining) + Counter(other.remaining)),
            self.unlinked + other.unlinked,
            self.redacted + other.redacted,
            tuple(sorted({*self.files, *other.files})),
            self.ended + other.ended,
        )


@dataclass(frozen=True)
class Case:
    """What one run is about, and what the next one must know if this one dies.

    `orders` gives each order of theirs the random id under which it remains; `former` is the publication that
    readers had, as long as it is kept for those who have just looked it up.
    """

    customers: tuple[str, ...]
    traces: tuple[Trace, ...] = ()
    orders: dict[str, str] = field(default_factory=dict)
    former: str | None = None
    removal: Removal = field(default_factory=Removal)


def case_file(settings: Settings) -> Path:
    """Where the case lies as long as it is not finished."""
    return settings.warehouse / ".forgetting.json"


def save_case(settings: Settings, case: Case) -> None:
    """Keep the case for the next run, in one step."""
    write_json(case_file(settings), asdict(case))


def read_case(settings: Settings) -> Case | None:
    """The case that a run which died has left; None if there is none."""
    file = case_file(settings)
    if not file.exists():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    content["customers"] = tuple(content["customers"])
    content["traces"] = tuple(_trace(**trace) for trace in content["traces"])
    content["removal"] = Removal(**content["removal"])
    return Case(**content)


def _trace(value: str, what: str, columns: str | list[str], only_columns: bool) -> Trace:
    # Earlier versions wrote one name.
    names = ([columns] if columns else []) if isinstance(columns, str) else columns
    return Trace(value, what, tuple(names), only_columns)


def find_customers(
    settings: Settings, given: Iterable[str], salt: str, marks: frozenset[str], case: Case | None
) -> list[str]:
    """The ids that are meant, as raw has them. ConfigurationError if one is nobody's, now or formerly."""
    if not settings.build_database.exists():
        raise ConfigurationError(
            f"There is nobody to forget: {settings.build_database} does not exist. Check TENURE_WAREHOUSE."
        )
    found: list[str] = []
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        for text in dict.fromkeys(one.strip() for one in given):
            is_address = re.fullmatch(EMAIL_PATTERN, text) is not None
            # An id that is an address, a telephone number or a name was hashed on arrival.
            hashed = hash_address(salt, text)
            known = [
                one
                for one in ([hashed] if is_address else [text, hashed])
                if mark(salt, "customer", one) in marks
                or (case is not None and one in case.customers)
                or connection.execute(_known_ids(), [one]).fetchone()
            ]
            if known:
                found += known
                continue
            of_address = "select distinct customer_id from raw.customers where email_hash = ?"
            ids = (
                [row[0] for row in connection.execute(of_address, [hashed]).fetchall()] if is_address else []
            )
            if not ids:
                shown = "with this e-mail address" if is_address else repr(text)
                raise ConfigurationError(
                    f"There is no customer {shown} in {settings.warehouse}, and none was forgotten. Ids are "
                    "compared as they are, capitals and leading zeros included. Nothing was changed."
                )
            found += ids
    return list(dict.fromkeys(found))


def _known_ids() -> str:
    """SQL: a row if raw has the id, which is the parameter, in any place that holds customers."""
    naming = columns_that_name_somebody()
    places = [
        *(f"select {column} from raw.{identifier(table)}" for table, column in naming),
        "select customer_id from raw.customer_changes",
        *(
            f"select content ->> {literal(column)} from raw.rejects"
            for column in sorted({column for _, column in naming})
        ),
    ]
    return f"select 1 from ({' union all '.join(places)}) as known (id) where id = ? limit 1"


def customer_columns(project_root: Path) -> tuple[str, ...]:
    """The names of all columns, of raw or of a mart, that are declared to hold ids of customers."""
    names = {column for _, column in columns_that_name_somebody()}
    for columns in declared_in_marts(project_root).values():
        names |= {name for name, personal in columns.items() if personal in NAMES_SOMEBODY}
    return tuple(sorted(names))


def traces_of(settings: Settings, ids: Iterable[str], salt: str) -> list[Trace]:
    """What is looked for of a customer: their id, and its hashes by which somebody could know them."""
    columns = customer_columns(settings.project_root)
    traces = []
    for one in ids:
        traces.append(Trace(one, "a customer id", columns))
        hashes = {hashlib.new(name, one.encode()).hexdigest() for name in ("md5", "sha1", "sha256")}
        hashes.add(hash_address(salt, one))
        traces += [Trace(value, "a hash of a customer id") for value in sorted(hashes)]
    return traces


def marks_of(case: Case, salt: str) -> set[str]:
    """The hashes by which landing knows the customers and their records again."""
    marks = {mark(salt, "customer", one) for one in case.customers}
    for trace in case.traces:
        if trace.only_columns:
            marks |= {mark(salt, KINDS[column], trace.value) for column in trace.columns if column in KINDS}
    return marks


def with_traces(settings: Settings, case: Case, salt: str) -> Case:
    """The case with all that raw knows of the customers: hashes of addresses, ids of their records."""
    known = (*case.traces, *traces_of(settings, case.customers, salt))
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        records = _records(connection, case.customers)
        found = (*_addresses(connection, case.customers), *records)
    orders = {trace.value: secrets.token_hex(16) for trace in records if "order_id" in trace.columns}
    traces = {(trace.columns, trace.value): trace for trace in (*known, *found)}
    return replace(case, traces=tuple(traces.values()), orders=orders | case.orders)


def _addresses(connection: duckdb.DuckDBPyConnection, customers: tuple[str, ...]) -> list[Trace]:
    rows = connection.execute(
        "select distinct email_hash from raw.customers "
        "where email_hash is not null and customer_id in (select unnest($1::varchar[]))",
        [list(customers)],
    ).fetchall()
    return [Trace(value, "the hash of an e-mail address") for (value,) in rows]


def _records(connection: duckdb.DuckDBPyConnection, customers: tuple[str, ...]) -> list[Trace]:
    """The ids of the records that are theirs alone."""
    traces = []
    for table in tables_of_customers():
        key = table.key[0]
        if key == "customer_id":
            continue
        values = connection.execute(
            f"""
            select {key} from ({their_rows(table)})
            except
            -- A subscription of which another period is somebody else's.
            select {key} from raw.{identifier(table.name)}
            where
                customer_id not in (select unnest($1::varchar[]))
                and _row_key not in (select _row_key from ({their_rows(table)}))
            """,
            [list(customers)],
        ).fetchall()
        traces += [Trace(value, f"the {key} of a record", (key,), only_columns=True) for (value,) in values]
    return traces
