"""Forget customers: out of raw, the build and every kept publication, with totals that stay.

What the company sold stays as a remainder that belongs to nobody: each order is a guest's, each subscription
that of a nameless subscriber of its own, each vote of a survey nobody's. Nothing in it says that two of them
were one person's. See docs/decisions.md.

A run that died is finished by the next one: what it was about stands in `warehouse/.forgetting.json` until
all is done.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import duckdb

from scripts.adapters import project_variables
from scripts.building import as_of_option, build, refresh_data_quality, start_dbt
from scripts.contract import LANDING_COLUMNS, TABLES, Kind, Table, stored_name
from scripts.errors import CheckFailedError, ConfigurationError, TenureError
from scripts.forgotten import KINDS, REMAINDER_FILE, add_marks, mark, read_marks
from scripts.locking import warehouse_lock
from scripts.nightly import compute_fingerprint
from scripts.progress import LOGGER, start_logging
from scripts.publishing import (
    Publication,
    current_publication,
    list_publications,
    publish,
    remove,
    rewrite,
)
from scripts.raw_rules import row_key_sql
from scripts.reading import EMAIL_PATTERN
from scripts.runs import new_run_id, sync, write_json
from scripts.salt import hash_address, read_salt
from scripts.settings import Settings
from scripts.sql import identifier, literal
from scripts.traces import Search, Trace, database_holds, search

# What stands in the place of an id in a text that somebody wrote.
REDACTED = "[forgotten]"

# The tables of raw of which something remains, with what is kept of a row as it was; days instead of times.
REMAINS: dict[str, tuple[str, ...]] = {
    "orders": ("gross_amount", "discount_amount", "cost_amount", "currency", "status"),
    "refunds": ("amount", "currency"),
    "subscriptions": (
        "plan",
        "billing_interval",
        "amount",
        "discount_amount",
        "currency",
        "started_on",
        "cancel_type",
    ),
    "survey_responses": ("survey", "score"),
}

# Below these names in a run record stand values of rows.
_TEXTS_OF_RECORDS = frozenset(("sample", "observed", "message", "messages", "warnings", "failures"))


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


@dataclass
class _Case:
    """What one run is about, and what the next one must know if this one dies. It names the persons."""

    customers: list[str]
    traces: list[Trace] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    former: str | None = None
    removal: Removal = field(default_factory=Removal)

    @staticmethod
    def file(settings: Settings) -> Path:
        return settings.warehouse / ".forgetting.json"

    def save(self, settings: Settings) -> None:
        write_json(self.file(settings), asdict(self))

    @classmethod
    def read(cls, settings: Settings) -> _Case | None:
        """The case that a run which died has left; None if there is none."""
        file = cls.file(settings)
        if not file.exists():
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
        content["traces"] = [Trace(**trace) for trace in content["traces"]]
        content["removal"] = Removal(**content["removal"])
        return cls(**content)


@dataclass(frozen=True)
class Forgetting:
    """The outcome. `receipt` is a random number for the person's file; it stands in the audit line."""

    receipt: str | None
    customers: int
    removal: Removal
    publications: int
    search: Search
    differences: tuple[str, ...] = ()


def forget(settings: Settings, customers: list[str], as_of: date | None = None) -> Forgetting:
    """Remove the customers from everything in the warehouse; the caller holds its lock.

    `customers` are ids, or e-mail addresses that stand for one; `as_of` is for the build. Raises
    ConfigurationError for an unknown one (nothing is changed then), and CheckFailedError if the build or a
    check fails, or a trace is left.
    """
    salt = read_salt(settings)
    marks = read_marks(settings, salt)
    case = _Case.read(settings)
    ids = find_customers(settings, customers, salt, marks, case)
    if case is None and all(mark(salt, "customer", one) in marks for one in ids):
        # He may have come back all the same, by hand or from a backup: then it is all done again.
        found = search(settings.warehouse, _traces_of(ids, salt))
        if not found.found:
            return Forgetting(None, len(ids), Removal(), 0, found)
    case = case or _Case([])
    case.customers = sorted({*case.customers, *ids})
    _check_space(settings)
    before = read_totals(settings)

    _note_traces(settings, case, salt)
    case.save(settings)
    add_marks(settings, salt, _marks_of(case, salt))
    with _opened(settings) as connection:
        removal = remove_from_raw(connection, case, _timezone(settings, connection))
    case.removal = _merged(case.removal, removal)
    case.save(settings)
    publications = _rewrite_publications(settings, case)
    failure = _rebuild(settings, as_of)
    _remove_former(settings, case)
    _empty_change_feed(settings)
    compact(settings)
    _redact_records(settings, case.traces)
    found = search(settings.warehouse, case.traces, skip=[case.file(settings)])
    if found.found:
        raise CheckFailedError(
            f"Traces of the forgotten customers are left: {found}\n"
            "Remove what lies there, then run forget again."
        )
    receipt = _write_audit(settings, case, publications, found)
    case.file(settings).unlink()
    if failure is not None:
        LOGGER.warning("They are forgotten everywhere, but the new state was not published.")
        raise failure
    return Forgetting(
        receipt,
        len(case.customers),
        case.removal,
        publications,
        found,
        _differences(before, read_totals(settings)),
    )


def find_customers(
    settings: Settings, given: Iterable[str], salt: str, marks: frozenset[str], case: _Case | None
) -> list[str]:
    """The ids that are meant, as raw has them. ConfigurationError if one is nobody's, now or formerly."""
    if not settings.build_database.exists():
        raise ConfigurationError(
            f"There is nobody to forget: {settings.build_database} does not exist. Check TENURE_WAREHOUSE."
        )
    with_customer = [name for name, table in TABLES.items() if "customer_id" in table.column_names]
    places = [
        *(f"select customer_id from raw.{identifier(name)}" for name in (*with_customer, "customer_changes")),
        "select referred_by_customer_id from raw.customers",
        "select content ->> 'customer_id' from raw.rejects",
        "select content ->> 'referred_by_customer_id' from raw.rejects",
    ]
    known = f"select 1 from ({' union all '.join(places)}) as known (id) where id = ? limit 1"
    found: list[str] = []
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        for text in dict.fromkeys(one.strip() for one in given):
            is_address = re.fullmatch(EMAIL_PATTERN, text) is not None
            # An id that is an address was hashed on arrival.
            one = hash_address(salt, text) if is_address else text
            if (
                mark(salt, "customer", one) in marks
                or (case is not None and one in case.customers)
                or connection.execute(known, [one]).fetchone()
            ):
                found.append(one)
                continue
            of_address = "select distinct customer_id from raw.customers where email_hash = ?"
            ids = [row[0] for row in connection.execute(of_address, [one]).fetchall()] if is_address else []
            if not ids:
                shown = "with this e-mail address" if is_address else repr(text)
                raise ConfigurationError(
                    f"There is no customer {shown} in {settings.warehouse}, and none was forgotten. Ids are "
                    "compared as they are, capitals and leading zeros included. Nothing was changed."
                )
            found += ids
    return list(dict.fromkeys(found))


def _traces_of(ids: Iterable[str], salt: str) -> list[Trace]:
    """What is looked for of a customer: his id, and the hashes of it that somebody could know him by."""
    traces = []
    for one in ids:
        traces.append(Trace(one, "a customer id", "customer"))
        hashes = {hashlib.new(name, one.encode()).hexdigest() for name in ("md5", "sha1", "sha256")}
        hashes.add(hash_address(salt, one))
        traces += [Trace(value, "a hash of a customer id") for value in sorted(hashes)]
    return traces


def _marks_of(case: _Case, salt: str) -> set[str]:
    """The hashes by which landing knows the customers and their records again."""
    marks = {mark(salt, "customer", one) for one in case.customers}
    for trace in case.traces:
        if trace.only_columns and trace.columns in KINDS:
            marks.add(mark(salt, KINDS[trace.columns], trace.value))
    return marks


def _note_traces(settings: Settings, case: _Case, salt: str) -> None:
    """Complete the case by what raw knows of the customers: hashes of addresses, ids of their records."""
    traces = {
        (trace.columns, trace.value): trace for trace in (*case.traces, *_traces_of(case.customers, salt))
    }
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        for (value,) in connection.execute(
            "select distinct email_hash from raw.customers "
            "where email_hash is not null and customer_id in (select unnest($1::varchar[]))",
            [case.customers],
        ).fetchall():
            traces["", value] = Trace(value, "the hash of an e-mail address")
        for table in TABLES.values():
            key = table.key[0]
            if "customer_id" not in table.column_names or key == "customer_id":
                continue
            values = connection.execute(
                f"""
                select {key} from ({_their_rows(table)})
                except
                -- A subscription of which another period is somebody else's.
                select {key} from raw.{identifier(table.name)}
                where
                    customer_id not in (select unnest($1::varchar[]))
                    and _row_key not in (select _row_key from ({_their_rows(table)}))
                """,
                [case.customers],
            ).fetchall()
            for (value,) in values:
                traces[key, value] = Trace(value, f"the {key} of a record", key, only_columns=True)
                if table.name == "orders":
                    case.orders.setdefault(value, secrets.token_hex(16))
    case.traces = list(traces.values())


def _their_rows(table: Table) -> str:
    """The current version of each row that is theirs, or nobody's and was theirs; $1 are their ids."""
    raw = f"raw.{identifier(table.name)}"
    theirs = "(select unnest($1::varchar[]))"
    return f"""
        select *
        from ({_current(raw, f"select _row_key from {raw} where customer_id in {theirs}")})
        where customer_id is null or customer_id in {theirs}"""


def _current(raw: str, keys: str) -> str:
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


def _opened(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The build file for writing."""
    connection = duckdb.connect(str(settings.build_database))
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set temp_directory = {literal(str(settings.scratch / 'spill'))}")
    return connection


def _timezone(settings: Settings, connection: duckdb.DuckDBPyConnection) -> str:
    row = connection.execute("select value from raw.settings where name = 'business_timezone'").fetchone()
    return row[0] if row else str(project_variables(settings).get("business_timezone", "UTC"))


def remove_from_raw(
    connection: duckdb.DuckDBPyConnection, case: _Case, timezone: str, *, is_trial: bool = False
) -> Removal:
    """Take the customers out of raw and put the remainder in, in one transaction; a trial is taken back.

    What is incremental learns of it as of any landing, by `raw.customer_changes` and `raw.removed_rows`.
    """
    connection.execute("begin transaction")
    try:
        removal = _Remover(connection, case, timezone).run()
        connection.execute("rollback" if is_trial else "commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return removal


class _Remover:
    """The statements of `remove_from_raw`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, case: _Case, timezone: str) -> None:
        self.sql = connection.execute
        self.case = case
        self.timezone = literal(timezone)
        self.removed: Counter[str] = Counter()
        self.remaining: dict[str, int] = {}
        self.files: set[str] = set()
        self.batch = 0

    def run(self) -> Removal:
        sql = self.sql
        (self.batch,) = sql("select coalesce(max(batch_id), 0) + 1 from raw.loads").fetchone()
        sql("create or replace temp table gone (customer_id varchar)")
        sql("insert into gone select unnest($1::varchar[])", [self.case.customers])
        sql("create or replace temp table gone_orders (order_id varchar, surrogate varchar)")
        sql(
            "insert into gone_orders select unnest($1::varchar[]), unnest($2::varchar[])",
            [list(self.case.orders), list(self.case.orders.values())],
        )
        sql("create or replace temp table gone_keys (table_name varchar, row_key varchar)")
        for table in self._with_customer():
            sql(
                f"insert into gone_keys select {literal(table.name)}, _row_key from ({_their_rows(table)})",
                [self.case.customers],
            )
        sql("create or replace temp table touched as select customer_id from gone")
        ended = self._keep_remainder()
        unlinked = self._unlink_referred()
        for table in TABLES.values():
            self._delete(table)
        redacted = self._redact_texts() + self._redact_rejects()
        self._redact_notes()
        sql(
            f"insert into raw.customer_changes select {self.batch}, customer_id from touched "
            "where customer_id is not null group by customer_id order by customer_id"
        )
        self._write_ledger()
        files = tuple(sorted(self.files - {REMAINDER_FILE}))
        return Removal(dict(self.removed), self.remaining, unlinked, redacted, files, ended)

    @staticmethod
    def _with_customer() -> list[Table]:
        return [table for table in TABLES.values() if "customer_id" in table.column_names]

    def _day(self, column: str) -> str:
        """The business day of a timestamp, as its midnight in business time."""
        local = f"timezone({self.timezone}, timezone('UTC', {column}))"
        return f"cast(cast(case when _is_utc then {local} else {column} end as date) as timestamp)"

    def _keep_remainder(self) -> int:
        """Add what remains, with random ids; gives how many subscriptions end with their customers."""
        self._remain(
            "orders",
            f"""
            select surrogate as order_id, {self._day("ordered_at")} as ordered_at, {_kept("orders")}
            from ({_their_rows(TABLES["orders"])})
            join gone_orders using (order_id)""",
        )
        theirs = "customer_id in (select unnest($1::varchar[]))"
        # A refund is its order's: that of another customer's order stays with that.
        refund_keys = (
            f"select _row_key from raw.refunds where {theirs} "
            "or order_id in (select order_id from gone_orders)"
        )
        self.sql(
            "insert into touched select customer_id from raw.orders where order_id in "
            f"(select order_id from raw.refunds where {theirs})",
            [self.case.customers],
        )
        self._remain(
            "refunds",
            f"""
            select
                {_RANDOM} as refund_id, coalesce(surrogate, order_id) as order_id,
                {self._day("refunded_at")} as refunded_at, {_kept("refunds")}
            from ({_current("raw.refunds", refund_keys)})
            left join gone_orders using (order_id)
            where customer_id is null or {theirs} or surrogate is not null""",
        )
        # Each has a nameless subscriber of its own. One that runs ends now, since nobody will tell when it
        # does; one that has not begun is no history.
        ended = "ended_on is null and started_on <= current_date"
        subscriptions = _their_rows(TABLES["subscriptions"])
        (number,) = self.sql(
            f"select count(*) from ({subscriptions}) where {ended}", [self.case.customers]
        ).fetchone()
        self._remain(
            "subscriptions",
            f"""
            with theirs as ({subscriptions}),
            surrogates as (
                select subscription_id, {_RANDOM} as surrogate, {_RANDOM} as subscriber
                from (select distinct subscription_id from theirs)
            )
            select
                surrogate as subscription_id, subscriber as customer_id,
                coalesce(ended_on, greatest(started_on, current_date)) as ended_on, {_kept("subscriptions")}
            from theirs
            join surrogates using (subscription_id)
            where started_on <= current_date""",
        )
        self.sql(
            "insert into touched select customer_id from raw.subscriptions where _source_file = $1",
            [REMAINDER_FILE],
        )
        day = self._day("responded_at")
        # One vote a month and survey, as it was counted.
        self._remain(
            "survey_responses",
            f"""
            select {_RANDOM} as response_id, {day} as responded_at, {_kept("survey_responses")}
            from (
                select
                    *,
                    row_number() over (
                        partition by customer_id, survey, date_trunc('month', {day})
                        order by responded_at desc, response_id desc
                    ) as recency
                from ({_their_rows(TABLES["survey_responses"])})
                where score is not null
            )
            where recency = 1 or customer_id is null""",
        )
        return number

    def _remain(self, name: str, select: str) -> None:
        """Insert remaining rows, in random order and with nothing that ties them to each other."""
        table = TABLES[name]
        raw = f"raw.{identifier(name)}"
        # A statement that creates a table takes no parameters.
        self.sql(f"create or replace temp table remaining as select * from {raw} limit 0")
        ids = f"[{', '.join(literal(one) for one in self.case.customers)}]"
        self.sql(f"insert into remaining by name {select.replace('$1', ids)}")
        columns = _names(stored_name(column) for column in table.columns)
        self.sql(
            f"""
            insert into {raw} ({columns}, {", ".join(LANDING_COLUMNS)})
            select
                {columns}, 0, $1, row_number() over (order by {table.key[0]}),
                (select min(loaded_at) from raw.loads), {_PLACE}, {row_key_sql(table)}, false
            from remaining
            order by {table.key[0]}
            """,
            [REMAINDER_FILE],
        )
        self._note_removed(name, f"select {row_key_sql(table)} from remaining")
        (self.remaining[name],) = self.sql("select count(*) from remaining").fetchone()

    def _note_removed(self, name: str, keys: str) -> None:
        self.sql(
            f"insert into raw.removed_rows select distinct {self.batch}, {literal(name)}, row_key "
            f"from ({keys}) as _ (row_key)"
        )

    def _unlink_referred(self) -> int:
        """Whom they have referred, nobody has referred now."""
        theirs = "referred_by_customer_id in (select customer_id from gone)"
        self._note_removed("customers", f"select _row_key from raw.customers where {theirs}")
        self.sql(f"insert into touched select customer_id from raw.customers where {theirs}")
        (number,) = self.sql(
            f"update raw.customers set referred_by_customer_id = null where {theirs}"
        ).fetchone()
        return number

    def _delete(self, table: Table) -> None:
        """Delete their rows, in all versions."""
        raw = f"raw.{identifier(table.name)}"
        conditions = []
        if "customer_id" in table.column_names:
            conditions.append("customer_id in (select customer_id from gone)")
            conditions.append(
                f"_row_key in (select row_key from gone_keys where table_name = {literal(table.name)})"
            )
        if "order_id" in table.column_names:
            conditions.append("order_id in (select order_id from gone_orders)")
        if not conditions:
            return
        theirs = " or ".join(conditions)
        counted = self.sql(
            f"select _source_file, count(*) from {raw} where {theirs} group by _source_file"
        ).fetchall()
        self._note_removed(table.name, f"select _row_key from {raw} where {theirs}")
        self.sql(f"delete from {raw} where {theirs}")
        for file, number in counted:
            self.removed[table.name] += number
            self.files.add(file)
            # They were never read, as they will not be when the file comes again.
            self.sql(
                "update raw.loads set rows_read = rows_read - $1, rows_accepted = rows_accepted - $1, "
                "rows_stored = rows_stored - $1 where is_current and table_name = $2 and source_file = $3",
                [number, table.name, file],
            )

    def _redact_texts(self) -> int:
        """Take ids that are no ordinary words out of what others have written; gives the number of texts."""
        redacted = 0
        for table in TABLES.values():
            raw = f"raw.{identifier(table.name)}"
            for column in table.columns:
                if column.kind is not Kind.TEXT or column.values or column.is_email:
                    continue
                if column.name in table.key or column.name.endswith("_id"):
                    continue
                name = identifier(column.name)
                for trace in self.case.traces:
                    holds = _holds(name, trace)
                    if not trace.is_distinct or not self.sql(f"select 1 from {raw} where {holds}").fetchone():
                        continue
                    self._note_removed(table.name, f"select _row_key from {raw} where {holds}")
                    if "customer_id" in table.column_names:
                        self.sql(f"insert into touched select customer_id from {raw} where {holds}")
                    (number,) = self.sql(
                        f"update {raw} set {name} = {_redacted_sql(name, trace)} where {holds}"
                    ).fetchone()
                    redacted += number
        return redacted

    def _redact_notes(self) -> None:
        """In the notes of landing and checks. A file that is called after a customer is another one now."""
        places = [
            *((name, "_source_file") for name in TABLES),
            ("loads", "source_file"),
            ("rejects", "source_file"),
        ]
        if self.sql("select 1 from duckdb_tables() where table_name = 'check_results'").fetchone():
            # What a check saw may be a value.
            places += [("check_results", column) for column in ("observed", "expected", "message")]
        for trace in self.case.traces:
            if trace.is_distinct:
                for table, column in places:
                    self.sql(
                        f"update raw.{identifier(table)} set {column} = {_redacted_sql(column, trace)} "
                        f"where {_holds(column, trace)}"
                    )

    def _redact_rejects(self) -> int:
        """Empty the rejected rows that tell of them. That rows were rejected stays, and by which rule."""
        emails = [trace.value for trace in self.case.traces if "e-mail" in trace.what]
        parts = r"""string_split_regex(content ->> 'line', '[,;|\t"''\s]+')"""
        conditions = [
            "content ->> 'customer_id' in (select customer_id from gone)",
            "content ->> 'referred_by_customer_id' in (select customer_id from gone)",
            "content ->> 'order_id' in (select order_id from gone_orders)",
            "content ->> 'email_hash' in (select unnest($1::varchar[]))",
            f"list_has_any({parts}, (select list(customer_id) from gone))",
            *(
                _holds("(cast(content as varchar) || reason)", trace)
                for trace in self.case.traces
                if trace.is_distinct
            ),
        ]
        theirs = " or ".join(f"coalesce({condition}, false)" for condition in conditions)
        rejected = self.sql(f"select source_file from raw.rejects where {theirs}", [emails]).fetchall()
        self.files.update(file for (file,) in rejected)
        self.sql(
            f"""
            update raw.rejects set
                content = json_object('line', {literal(REDACTED)}),
                reason = regexp_replace(reason, '''[^'']*''', '''{REDACTED}''', 'g')
            where {theirs}
            """,
            [emails],
        )
        return len(rejected)

    def _write_ledger(self) -> None:
        """What remains is a load of its own, which no delivery replaces, and no delivery of today."""
        for name in REMAINS:
            self.sql(
                f"""
                insert into raw.loads
                select
                    $2, (select max(source_name) from raw.loads), $3, $1, {_PLACE}, '', '',
                    number, number, number, number, 0, 0, (select max(loaded_at) from raw.loads), true
                from (select count(*) as number from raw.{identifier(name)} where _source_file = $1)
                """,
                [REMAINDER_FILE, self.batch, name],
            )
            self.sql(
                "update raw.loads set is_current = false "
                "where source_file = $1 and table_name = $2 and batch_id < $3",
                [REMAINDER_FILE, name, self.batch],
            )


_RANDOM = "replace(cast(uuid() as varchar), '-', '')"

# The place of the remainder in the order of files; $1 is what it is called.
_PLACE = """coalesce(
    (select max(file_sequence) from raw.loads where source_file = $1),
    (select max(file_sequence) + 1 from raw.loads)
)"""


def _names(columns: Iterable[str]) -> str:
    return ", ".join(identifier(column) for column in columns)


def _kept(table: str) -> str:
    return _names(REMAINS[table])


def _holds(text: str, trace: Trace) -> str:
    """SQL: whether a text holds the value; the pattern is asked only where it may."""
    return f"(contains({text}, {literal(trace.value)}) and regexp_matches({text}, {literal(trace.pattern)}))"


def _redacted_sql(text: str, trace: Trace) -> str:
    return rf"regexp_replace({text}, {literal(trace.pattern)}, '\1{REDACTED}\3', 'g')"


def _merged(one: Removal, other: Removal) -> Removal:
    """Both together: what a run that died had done already, and what the next one did."""
    return Removal(
        dict(Counter(one.removed) + Counter(other.removed)),
        dict(Counter(one.remaining) + Counter(other.remaining)),
        one.unlinked + other.unlinked,
        one.redacted + other.redacted,
        tuple(sorted({*one.files, *other.files})),
        one.ended + other.ended,
    )


def _check_space(settings: Settings) -> None:
    """The build file is written anew beside itself, and so is each publication."""
    largest = max(
        settings.build_database.stat().st_size,
        *(2 * one.manifest["database"]["bytes"] for one in list_publications(settings)),
        0,
    )
    free = shutil.disk_usage(settings.warehouse).free
    if free < 2 * largest:
        raise ConfigurationError(
            f"Forgetting writes all files anew and needs {2 * largest >> 20:,} MB; {settings.warehouse} has "
            f"{free >> 20:,} MB left. Nothing was changed."
        )


def _publications_with(settings: Settings, traces: list[Trace]) -> list[Publication]:
    """The kept publications that show any of the values."""
    found = []
    for publication in list_publications(settings):
        with duckdb.connect(":memory:") as connection:
            database = literal(str(publication.path / "analytics.duckdb"))
            connection.execute(f"attach {database} as build (read_only)")
            if database_holds(connection, "build", traces):
                found.append(publication)
    return found


def _rewrite_publications(settings: Settings, case: _Case) -> int:
    """Make each kept publication anew that shows the customers; gives their number.

    Readers are pointed to the new one in one step. The one they had stays until the end of the run, for who
    has just looked it up.
    """
    number = 0
    for publication in _publications_with(settings, case.traces):
        is_current = settings.published.resolve() == publication.path.resolve()
        if publication.run_id == case.former and not is_current:
            continue
        if is_current:
            case.former = publication.run_id
            case.save(settings)
        LOGGER.info("forget: publication %s", publication.run_id)

        def edit(connection: duckdb.DuckDBPyConnection, publication: Publication = publication) -> None:
            _remove_from_marts(connection, case, publication.manifest["business_timezone"])

        rewrite(settings, publication, new_run_id(settings) if is_current else publication.run_id, edit)
        number += 1
    return number


def _remove_former(settings: Settings, case: _Case) -> None:
    for publication in list_publications(settings):
        is_current = settings.published.resolve() == publication.path.resolve()
        if publication.run_id == case.former and not is_current:
            remove(publication)


def _remove_from_marts(connection: duckdb.DuckDBPyConnection, case: _Case, timezone: str) -> None:
    """Take the customers out of the marts of the attached database `build`.

    Rows of a customer go; orders, votes and MRR movements stay as nobody's, so that they sum to what the
    marts of months and segments say, which stay as they are.
    """
    run = connection.execute
    run("create temp table gone (customer_id varchar, subscriber varchar)")
    run(f"insert into gone select *, {_RANDOM} from (select unnest($1::varchar[]))", [case.customers])
    run("create temp table gone_orders (order_id varchar, surrogate varchar)")
    run(
        "insert into gone_orders select unnest($1::varchar[]), unnest($2::varchar[])",
        [list(case.orders), list(case.orders.values())],
    )
    columns: dict[str, list[str]] = {}
    for table, column in run(
        "select table_name, column_name from duckdb_columns() "
        "where database_name = 'build' and schema_name = 'marts' order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append(column)
    for table, names in columns.items():
        mart = f"build.marts.{identifier(table)}"
        conditions = []
        if "customer_id" in names:
            conditions.append("customer_id in (select customer_id from gone)")
        if table == "fct_orders":
            conditions.append("order_id in (select order_id from gone_orders)")
        if conditions:
            theirs = " or ".join(conditions)
            anonymous = _anonymous_columns(table, timezone)
            changes = [f"{identifier(name)} = {sql}" for name, sql in anonymous.items() if name in names]
            run(
                f"update {mart} as mart set {', '.join(changes)} where {theirs}"
                if changes
                else f"delete from {mart} where {theirs}"
            )
        if "referred_by_customer_id" in names:
            run(
                f"update {mart} set referred_by_customer_id = null "
                "where referred_by_customer_id in (select customer_id from gone)"
            )
        for name in names:
            if not name.endswith(("comment_text", "cancel_comment", "stated_reason", "_name")):
                continue
            for trace in case.traces:
                if trace.is_distinct:
                    text = identifier(name)
                    run(
                        f"update {mart} set {text} = {_redacted_sql(text, trace)} where {_holds(text, trace)}"
                    )


def _anonymous_columns(table: str, timezone: str) -> dict[str, str]:
    """What columns of the rows that stay become, as SQL; nothing for a mart of which no rows stay."""
    midnight = f"timezone('UTC', timezone({literal(timezone)}, cast({{}} as timestamp)))"
    surrogate = "(select max(surrogate) from gone_orders as o where o.order_id = mart.order_id)"
    return {
        "fct_orders": {
            "order_id": f"coalesce({surrogate}, {_RANDOM})",
            "customer_id": "null",
            "is_guest": "true",
            "customer_order_number": "null",
            "ordered_at": midnight.format("ordered_on"),
        },
        "fct_nps_responses": {
            "response_id": _RANDOM,
            "customer_id": "null",
            "invitation_id": "null",
            "invited_on": "null",
            "days_to_respond": "null",
            "comment_text": "null",
            "is_last_of_customer": "false",
            "responded_at": midnight.format("responded_on"),
        },
        "fct_subscription_movements": {
            "customer_id": "(select max(subscriber) from gone as g where g.customer_id = mart.customer_id)"
        },
    }.get(table, {})


def _rebuild(settings: Settings, as_of: date | None) -> CheckFailedError | None:
    """Build, validate and publish without them; gives what a check of the result found, if it stops it.

    What was written of rows until now, in logs and reports, goes first and is made anew.
    """
    # Great Expectations takes seconds to import: not for those who ask for help only.
    from scripts.validating import validate

    for folder in (settings.dbt, settings.data_docs, settings.scratch):
        shutil.rmtree(folder, ignore_errors=True)
    with start_dbt(settings, as_of) as dbt:
        build(settings, as_of, dbt=dbt)
        run_id = new_run_id(settings)
        try:
            validate(settings, run_id)
            refresh_data_quality(settings, as_of, dbt)
            fingerprint = compute_fingerprint(settings, as_of)
            publish(settings, run_id, fingerprint=fingerprint, keep=len(list_publications(settings)) + 1)
        except CheckFailedError as error:
            return error
    return None


def _empty_change_feed(settings: Settings) -> None:
    """Empty the notes of who and what was touched: the build has used them, and they name who went."""
    with _opened(settings) as connection:
        connection.execute("delete from raw.customer_changes")
        connection.execute("delete from raw.removed_rows")


def compact(settings: Settings) -> None:
    """Write the build file anew: what was deleted stays in free blocks until something is written over it.

    The new file takes the place of the old one in one step; if the run dies before, the old one stays.
    """
    settings.scratch.mkdir(exist_ok=True)
    fresh = settings.scratch / "compacting.duckdb"
    leftovers = (fresh, Path(f"{fresh}.wal"))
    for file in leftovers:
        file.unlink(missing_ok=True)
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"set temp_directory = {literal(str(settings.scratch / 'spill'))}")
            # Called as dbt calls it: the views name it.
            connection.execute(f"attach {literal(str(settings.build_database))} as build")
            connection.execute("checkpoint build")
            connection.execute(f"attach {literal(str(fresh))} as fresh")
            connection.execute("copy from database build to fresh")
            connection.execute("detach fresh")
            connection.execute("detach build")
        wal = Path(f"{settings.build_database}.wal")
        if wal.exists():
            raise TenureError(f"{wal} is still there after a checkpoint. Run forget again.")
        fresh.chmod(0o600)
        sync(fresh)
        fresh.replace(settings.build_database)
        sync(settings.warehouse)
    finally:
        for file in leftovers:
            file.unlink(missing_ok=True)
    shutil.rmtree(settings.scratch, ignore_errors=True)


def _redact_records(settings: Settings, traces: list[Trace]) -> None:
    """Take the customers out of the records of runs: findings show rows."""
    traces = [trace for trace in traces if not trace.only_columns]
    for file in settings.runs.glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        redacted = redacted_record(content, traces)
        if redacted != content:
            write_json(file, redacted)


def redacted_record(content: Any, traces: list[Trace], *, in_texts: bool = False) -> Any:
    """A record of a run without the values; those that are ordinary words stay in paths, times and names."""
    if isinstance(content, dict):
        return {
            name: redacted_record(value, traces, in_texts=in_texts or name in _TEXTS_OF_RECORDS)
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [redacted_record(value, traces, in_texts=in_texts) for value in content]
    if isinstance(content, str):
        for trace in traces:
            if trace.value in content and (trace.is_distinct or in_texts):
                content = re.sub(trace.pattern, rf"\g<1>{REDACTED}\g<3>", content)
    return content


def _write_audit(settings: Settings, case: _Case, publications: int, found: Search) -> str:
    """Add a line to the audit file; gives its receipt. It tells how many, and nothing about whom."""
    line = {
        "receipt": secrets.token_hex(8),
        "forgotten_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "customers": len(case.customers),
        "rows_removed": case.removal.removed,
        "rows_remaining": case.removal.remaining,
        "referrals_unlinked": case.removal.unlinked,
        "texts_redacted": case.removal.redacted,
        "publications_rewritten": publications,
        "files_scanned": found.files,
        "tables_scanned": found.tables,
        "columns_scanned": found.columns,
        "traces_found": len(found.found),
    }
    descriptor = os.open(settings.audit_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return line["receipt"]


# What has to stay the same, and how to read it from the marts.
TOTALS = {
    "orders, gross, discounts, refunds and net revenue of orders by month": """
        select
            ordered_month, count(*), sum(gross_amount), sum(discount_amount), sum(refunded_amount),
            sum(net_revenue)
        from marts.fct_orders
        group by ordered_month""",
    "net revenue and orders by month, customers' and guests'": """
        select month, net_revenue + coalesce(guest_net_revenue, 0), order_count + guest_order_count
        from marts.fct_customer_base
        where segment_type = 'all'""",
    "MRR at the end of each month": """
        select month, closing_mrr
        from marts.rpt_subscription_retention
        where segment_type = 'all'""",
    "votes by month and survey": """
        select period_start, survey, promoters, passives, detractors
        from marts.fct_nps_scores
        where segment_type = 'all' and period_type = 'month' and survey <> 'all'""",
}


def read_totals(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """The totals of the current publication that must stay; nothing where there is none."""
    totals: dict[str, list[tuple[Any, ...]]] = {}
    if current_publication(settings) is None:
        return totals
    with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
        for name, query in TOTALS.items():
            try:
                totals[name] = sorted(connection.execute(query).fetchall(), key=repr)
            except duckdb.Error:
                # Published by another version, with other columns.
                continue
    return totals


def _differences(
    before: dict[str, list[tuple[Any, ...]]], after: dict[str, list[tuple[Any, ...]]]
) -> tuple[str, ...]:
    return tuple(name for name, rows in before.items() if name in after and rows != after[name])


def report(outcome: Forgetting) -> str:
    """The outcome as text, for people."""
    removal = outcome.removal
    if outcome.receipt is None:
        who = "The customer was" if outcome.customers == 1 else f"The {outcome.customers} customers were"
        return f"{who} forgotten before. {outcome.search}."
    if outcome.differences:
        totals = "Not as in the publication before, by newer data or a defect"
    else:
        totals = "The same as before"
    lines = [
        f"Forgotten: {_number(outcome.customers)}, receipt {outcome.receipt}.",
        *_removal_lines(removal),
        f"  publications made anew: {outcome.publications}",
        f"  {outcome.search}",
        f"{totals}: {'; '.join(outcome.differences or TOTALS)}.",
        "Changed by design: numbers of customers, cohorts, retention, segments, response rates, use.",
    ]
    if removal.files:
        lines += [
            "What is delivered of them again is left out. It still stands where you keep the files (and in "
            "backups): delete it there, from",
            *(f"  {file}" for file in removal.files),
        ]
    return "\n".join(lines)


def _number(customers: int) -> str:
    return f"{customers:,} customer{'' if customers == 1 else 's'}"


def _removal_lines(removal: Removal) -> list[str]:
    lines = []
    for table, number in removal.removed.items():
        remaining = removal.remaining.get(table)
        kept = f", {remaining:,} remain without a customer" if remaining else ""
        lines.append(f"  {table}: {number:,} row{'' if number == 1 else 's'} removed{kept}")
    for text, number in (
        ("running subscriptions that end today", removal.ended),
        ("customers they had referred", removal.unlinked),
        ("texts and rejected rows redacted", removal.redacted),
    ):
        if number:
            lines.append(f"  {text}: {number:,}")
    return lines


@click.command()
@click.argument("customer_ids", nargs=-1, metavar="CUSTOMER_ID...")
@click.option(
    "--file",
    "ids_file",
    type=click.File(encoding="utf-8"),
    help="Read ids from a file, one a line; - is standard input, which leaves no trace in a shell's history.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@as_of_option
def forget_command(customer_ids: tuple[str, ...], ids_file: Any, dry_run: bool, as_of: date | None) -> None:
    """Remove customers from raw, the build, every kept publication and Parquet.

    CUSTOMER_ID is an id as the exports have it, or an e-mail address. What they bought stays in the totals as
    nobody's. Then the warehouse is built, validated and published, and every file is searched for what is
    left of them. A run that was interrupted is finished by running it again, also without an id.
    """
    start_logging()
    settings = Settings.from_environment()
    given = [*customer_ids, *(line.strip() for line in ids_file or () if line.strip())]
    with warehouse_lock(settings, "forget"):
        if not given and _Case.read(settings) is None:
            raise ConfigurationError("Whom to forget? Give a customer id: python -m scripts forget C1001.")
        if dry_run:
            click.echo(_trial(settings, given))
            return
        outcome = forget(settings, given, as_of)
    click.echo(report(outcome))
    if outcome.differences:
        LOGGER.warning("forget: totals differ: %s", "; ".join(outcome.differences))


def _trial(settings: Settings, given: list[str]) -> str:
    """What would be removed, as text."""
    salt = read_salt(settings)
    case = _Case(find_customers(settings, given, salt, read_marks(settings, salt), None))
    _note_traces(settings, case, salt)
    with _opened(settings) as connection:
        removal = remove_from_raw(connection, case, _timezone(settings, connection), is_trial=True)
    return "\n".join(
        [
            f"Would forget {_number(len(case.customers))}; nothing was changed.",
            *_removal_lines(removal),
            f"  publications that show them: {len(_publications_with(settings, case.traces))}",
            "  delivered by:",
            *(f"    {file}" for file in removal.files),
        ]
    )
