"""Landing: bring new and corrected files into `raw`, row by row against the raw contract.

Everything is checked before anything changes, and all changes of one landing are one transaction. For each
table rows read = rows accepted + rows rejected, and a reject keeps its reason, file, row and whole content.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
import duckdb

from scripts.contract.raw_tables import (
    CHECK_RESULT_COLUMNS,
    LANDING_COLUMNS,
    TABLES,
    Kind,
    Table,
    stored_name,
)
from scripts.core.databases import BUILD_STORAGE_VERSION, open_database, work_options
from scripts.core.errors import ConfigurationError, LandingError
from scripts.core.locking import warehouse_lock
from scripts.core.progress import LOGGER, start_logging
from scripts.core.runs import sync
from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.landing.adapters import (
    Adapter,
    Files,
    Postgres,
    TableMapping,
    load_adapter,
    nearest,
    project_variables,
)
from scripts.landing.mapping import run_mapping
from scripts.landing.reading import (
    Fingerprint,
    LoadedInput,
    Sandbox,
    fingerprint,
)
from scripts.landing.row_rules import (
    DECIMAL_COMMA,
    Limits,
    Mapped,
    cleaned_select,
    converted_select,
    decimal_comma_sql,
    faulty_select,
    masked_phones,
    plain_columns,
    plain_select,
)
from scripts.personal_data.patterns import EMAIL_PATTERN, without_addresses
from scripts.personal_data.salt import read_salt
from scripts.personal_data.suppression import KINDS, REMAINDER_FILE, add_marks, mark, mark_sql, read_marks

# The share of rejects is taken of at least so many rows: one bad row of nineteen would be more than 5 %.
_SMALL_DELIVERY = 100
# Either of them makes a company; every other table may be empty.
MAIN_TABLES = ("orders", "subscriptions")

_LEDGER_TABLES = {
    "loads": """
        batch_id bigint, source_name varchar, table_name varchar, source_file varchar,
        file_sequence bigint, content_hash varchar, mapping_hash varchar,
        rows_in_file bigint, rows_read bigint, rows_accepted bigint, rows_stored bigint,
        rows_repeated bigint, rows_rejected bigint, loaded_at timestamp, is_current boolean""",
    "rejects": """
        batch_id bigint, table_name varchar, source_file varchar, source_row bigint, reason varchar,
        content json, loaded_at timestamp""",
    "customer_changes": "batch_id bigint, customer_id varchar",
    "removed_rows": "batch_id bigint, table_name varchar, row_key varchar",
    "settings": "name varchar, value varchar",
    # Written by validation; it is made here, so that dbt finds it before the first one.
    "check_results": CHECK_RESULT_COLUMNS,
}


@dataclass(frozen=True)
class TableCounts:
    """What one landing did to one table. read = accepted + rejected; accepted = stored + repeated.

    `files` were landed, `files_unchanged` skipped; `rows_added` are new or changed rows, `rows_removed` the
    former rows of corrected files that went or changed. `forgotten` rows, of customers who were forgotten,
    were left out unread, as by a mapping's `where:`.
    """

    files: int = 0
    files_unchanged: int = 0
    rows_in_files: int = 0
    read: int = 0
    accepted: int = 0
    stored: int = 0
    repeated: int = 0
    rejected: int = 0
    rows_added: int = 0
    rows_removed: int = 0
    forgotten: int = 0


@dataclass(frozen=True)
class LandingResult:
    """The outcome of a landing. `batch_id` is None when no file was new; `changed_vars` are names."""

    source_name: str
    batch_id: int | None
    tables: dict[str, TableCounts]
    messages: tuple[str, ...] = ()
    changed_vars: tuple[str, ...] = ()


@dataclass
class _Unit:
    """One file (or relation) for one table: what is landed, skipped or corrected as a whole."""

    mapping: TableMapping
    source_file: str
    path: Path | None
    content_hash: str = ""
    mapping_hash: str = ""
    number: int = 0
    rows_in_file: int = 0
    rows_read: int = 0
    rows_before: int | None = None  # None: never landed
    sequence: int = 0

    @property
    def table(self) -> Table:
        return self.mapping.table


@dataclass(frozen=True)
class _LedgerLine:
    content_hash: str
    mapping_hash: str
    file_sequence: int
    rows_read: int


def land(
    settings: Settings, source: str, data: Path | None = None, now: datetime | None = None
) -> LandingResult:
    """Land what is new in `source` (an adapter's name or path); the caller holds the warehouse's lock.

    `now` is the time of the load (UTC, default: the clock's). Raises ConfigurationError or LandingError, and
    then the warehouse is as it was.
    """
    adapter = load_adapter(source, settings)
    folder = data_folder(adapter, data)
    moment = (now or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None, microsecond=0)
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    with (
        _build_database(settings) as connection,
        Sandbox(settings.scratch / "landing", work_options(settings)) as sandbox,
    ):
        result = _Landing(settings, adapter, folder, moment, connection, sandbox).run()
    for message in result.messages:
        LOGGER.info("%s", message)
    assumed = _assumed_settings(adapter, project_variables(settings))
    if assumed:
        LOGGER.warning("%s", assumed)
        result = replace(result, messages=(*result.messages, assumed))
    return result


def _assumed_settings(adapter: Adapter, defaults: dict[str, Any]) -> str:
    """A message on the defaults that a company hardly means without having said so; empty if there are none.

    Amounts under a wrong currency look right.
    """
    effects = {
        "reporting_currency": "amounts are called {}",
        "business_timezone": "days and months are cut in {}",
    }
    missing = [name for name in effects if name not in adapter.variables]
    if not missing:
        return ""
    told = " and ".join(effects[name].format(defaults.get(name)) for name in missing)
    return (
        f"{adapter.path.name} does not say {' and '.join(missing)}, so {told}, the project's "
        f"default{'s' if len(missing) > 1 else ''}: say {'them' if len(missing) > 1 else 'it'} under `vars:`."
    )


def data_folder(adapter: Adapter, data: Path | None) -> Path:
    """Where file patterns start: `--data`, TENURE_DATA, the adapter's `data:`, its folder, in this order."""
    from_environment = os.environ.get("TENURE_DATA")
    if data is not None:
        folder, origin = data, "--data"
    elif from_environment:
        folder, origin = Path(from_environment), "TENURE_DATA"
    elif adapter.data is not None:
        folder, origin = adapter.data, f"`data:` of {adapter.path}"
    else:
        folder, origin = adapter.path.parent, "the adapter's folder"
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise ConfigurationError(
            f"The data folder {folder} ({origin}) does not exist; choose it with --data DIR."
        )
    return folder


@contextmanager
def _build_database(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The build file for writing; a failed first landing leaves none behind."""
    is_new = not settings.build_database.exists()
    if is_new:
        _create_build_database(settings)
    connection = open_database(settings, settings.build_database)
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        yield connection
        connection.close()
    except BaseException:
        connection.close()
        if is_new:
            # The log first: without its database it would be taken for one of the next.
            for file in (Path(f"{settings.build_database}.wal"), settings.build_database):
                file.unlink(missing_ok=True)
        raise


def _create_build_database(settings: Settings) -> None:
    """An empty build file in one step: DuckDB cannot open one that it did not come to finish."""
    Path(f"{settings.build_database}.wal").unlink(missing_ok=True)
    settings.scratch.mkdir(exist_ok=True)
    fresh = settings.scratch / settings.build_database.name
    fresh.unlink(missing_ok=True)
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"attach {literal(str(fresh))} as fresh (storage_version {literal(BUILD_STORAGE_VERSION)})"
        )
    sync(fresh)
    fresh.rename(settings.build_database)
    sync(settings.warehouse)


def _natural(name: str) -> list[tuple[int, int | str]]:
    """A sort key in which day-2 comes before day-10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def find_files(folder: Path, files: Files, what: str) -> list[str]:
    """The files that match, relative to `folder`, in natural order; LandingError if a pattern has none."""
    found: set[str] = set()
    for pattern in files.patterns:
        matches = {
            path.relative_to(folder).as_posix()
            for path in folder.glob(pattern)
            if not path.name.startswith(".") or Path(pattern).name.startswith(".")
        }
        for file in matches:
            if not _is_utf_8(file):
                raise LandingError(
                    f"{what}: the name of the file {file!a} in {folder} is not UTF-8, so nothing could be "
                    "traced to it. Rename it."
                )
        if not matches and not files.optional:
            # Enough to help; the folder may be a wrong one, and as big as a disk.
            some = islice((path for path in folder.rglob("*") if path.is_file()), 1000)
            present = sorted(without_addresses(path.relative_to(folder).as_posix()) for path in some)
            raise LandingError(
                f"{what}: no file in {folder} matches {pattern!r}{nearest(pattern, present)} "
                "Say `optional: true` if there may be none, or choose the folder with --data."
            )
        found |= matches
    return sorted(found, key=_natural)


def _is_utf_8(name: str) -> bool:
    """Whether the file system gave a name of proper text; other bytes come as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class _Names:
    """The temporary relations of a landing that stand for one table, quoted; see `_Landing._check`."""

    table: Table

    def _name(self, what: str) -> str:
        return identifier(f"{what}_{self.table.name}")

    @property
    def bad(self) -> str:
        """The rows that are rejected, each with its reason."""
        return self._name("bad")

    @property
    def repeated(self) -> str:
        """The rows that say again what another one of the file says."""
        return self._name("repeated")

    @property
    def left_out(self) -> str:
        """The rows of forgotten customers."""
        return self._name("left_out")

    @property
    def read(self) -> str:
        """All rows but those of forgotten customers, converted."""
        return self._name("read")

    @property
    def stored(self) -> str:
        """The rows that `raw` is to have of the new files."""
        return self._name("stored")

    @property
    def kept(self) -> str:
        """The rows of corrected files that stay as they are."""
        return self._name("kept")

    @property
    def former(self) -> str:
        """The keys of rows that are gone, or stand beside a new one with the same key."""
        return self._name("former")

    @property
    def touched(self) -> str:
        """The keys of all rows that came, went, count no longer or count again."""
        return self._name("touched")


@dataclass
class _Landing:
    """One landing, step by step; see `run`."""

    settings: Settings
    adapter: Adapter
    folder: Path
    moment: datetime
    connection: duckdb.DuckDBPyConnection
    sandbox: Sandbox
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._fingerprints: dict[tuple[str, str, str], Fingerprint] = {}
        self._inputs: dict[object, LoadedInput] = {}
        self._postgres_hashes: dict[Postgres, str] = {}
        self._found: dict[Files, list[str]] = {}
        self._marks: frozenset[str] = frozenset()
        self._new_marks: set[str] = set()
        self._mapped: dict[str, list[Mapped]] = {}

    def run(self) -> LandingResult:
        """Find what is new, read it, map it, check it, and only then change the warehouse."""
        salt = read_salt(self.settings)
        self._marks = read_marks(self.settings, salt)
        ledger = self._ledger()
        units = self._find_units()
        self._identify(units, salt)
        new = []
        for unit in units:
            line = ledger.get((unit.table.name, unit.source_file))
            if line is None or (line.content_hash, line.mapping_hash) != (
                unit.content_hash,
                unit.mapping_hash,
            ):
                unit.rows_before = line.rows_read if line else None
                new.append(unit)
        self._note_gone(units, ledger)
        files, new_files = (Counter(unit.table.name for unit in some) for some in (units, new))
        counts = {
            table.name: TableCounts(files_unchanged=files[table.name] - new_files[table.name])
            for table in self.adapter.tables()
        }
        if not new:
            if not ledger:
                raise LandingError(f"{self.adapter.path}: not one file in {self.folder} to land.")
            changed = self._store_settings_alone()
            return LandingResult(self.adapter.name, None, counts, tuple(self.messages), changed)
        sequence = max((line.file_sequence for line in ledger.values()), default=0)
        for number, unit in enumerate(new, start=1):
            unit.number = number
            line = ledger.get((unit.table.name, unit.source_file))
            if line is None:
                sequence += 1
            unit.sequence = line.file_sequence if line else sequence
        self._read(new)
        self._map(new)
        self.sandbox.require_whole_files()
        self.sandbox.close_for_reading()
        self.connection.execute(f"attach {literal(str(self.sandbox.database))} as scratch (read_only)")
        try:
            self._check(new, salt)
            if self._new_marks:
                add_marks(self.settings, salt, self._new_marks)
            batch_id, landed, changed = self._apply(new)
        finally:
            self.connection.execute("detach scratch")
        for name, count in landed.items():
            counts[name] = TableCounts(**count, files_unchanged=counts[name].files_unchanged)
            if count["rejected"]:
                self.messages.append(
                    f"{name}: {count['rejected']:,} row{'' if count['rejected'] == 1 else 's'} rejected; "
                    "raw.rejects has the reasons"
                )
            if count["forgotten"]:
                self.messages.append(
                    f"{name}: {count['forgotten']:,} row{'' if count['forgotten'] == 1 else 's'} of "
                    "forgotten customers left out: delete them where they come from"
                )
        return LandingResult(self.adapter.name, batch_id, counts, tuple(self.messages), changed)

    def _has_ledger(self) -> bool:
        return bool(
            self.connection.execute(
                "select 1 from information_schema.tables where table_schema = 'raw' and table_name = 'loads'"
            ).fetchone()
        )

    def _ledger(self) -> dict[tuple[str, str], _LedgerLine]:
        """The current line of each landed file, by table and file; another company is an error."""
        if not self._has_ledger():
            return {}
        other = self.connection.execute(
            "select distinct source_name from raw.loads where source_name <> ? order by 1",
            [self.adapter.name],
        ).fetchone()
        if other:
            raise ConfigurationError(
                f"The warehouse {self.settings.warehouse} holds {other[0]!r}; a warehouse holds one company. "
                f"Set TENURE_WAREHOUSE to another folder for {self.adapter.name!r}."
            )
        return {
            (table, file): _LedgerLine(content, mapping, sequence, rows)
            for table, file, content, mapping, sequence, rows in self.connection.execute(
                "select table_name, source_file, content_hash, mapping_hash, file_sequence, rows_read "
                "from raw.loads where is_current"
            ).fetchall()
        }

    def _find_units(self) -> list[_Unit]:
        units: list[_Unit] = []
        seen: dict[tuple[str, str], TableMapping] = {}
        for mapping in self.adapter.mappings:
            name = f"{self.adapter.path}:{mapping.line}: {mapping.table.name}"
            if isinstance(mapping.input, Postgres):
                found = [_Unit(mapping, mapping.input.source_file, None)]
            else:
                found = [
                    _Unit(mapping, file, self.folder / file)
                    for file in find_files(self.folder, mapping.input, name)
                ]
                if not found:
                    self.messages.append(
                        f"{mapping.table.name}: no files ({', '.join(mapping.input.patterns)})"
                    )
            for unit in found:
                if without_addresses(unit.source_file) != unit.source_file:
                    raise LandingError(
                        f"{name}: the file {without_addresses(unit.source_file)} has an e-mail address in "
                        "its name, which would stand in every row and record: rename it. Nothing was changed."
                    )
                key = (mapping.table.name, unit.source_file)
                if key in seen:
                    raise ConfigurationError(
                        f"{name}: {unit.source_file} is named by the entry of line {seen[key].line} already; "
                        "let one query give all its rows (`union all`)."
                    )
                seen[key] = mapping
            units += found
        return units

    def _identify(self, units: list[_Unit], salt: str) -> None:
        """Give each unit its content and mapping hashes. Reads each file once, fetches relations."""
        salt_hash = hashlib.sha256(b"salt" + salt.encode()).hexdigest()
        joined: dict[int, str] = {}
        for unit in units:
            mapping = unit.mapping
            if id(mapping) not in joined:
                content = [
                    (name, file, self._content_hash(source, file))
                    for name, source in mapping.joins.items()
                    for file in self._files_of(source, f"{mapping.table.name}.join.{name}")
                ]
                # Another salt gives other hashes, another joined file other rows.
                joined[id(mapping)] = hashlib.sha256(
                    repr((mapping.mapping_hash, salt_hash, content)).encode()
                ).hexdigest()
            unit.mapping_hash = joined[id(mapping)]
            unit.content_hash = self._content_hash(mapping.input, unit.source_file)

    def _files_of(self, source: Files | Postgres, what: str) -> list[str]:
        if isinstance(source, Postgres):
            return [source.source_file]
        if source not in self._found:
            self._found[source] = find_files(self.folder, source, f"{self.adapter.path}: {what}")
        return self._found[source]

    def _content_hash(self, source: Files | Postgres, file: str) -> str:
        if isinstance(source, Postgres):
            if source not in self._postgres_hashes:
                LOGGER.info("Fetching %s", file)
                loaded, self._postgres_hashes[source] = self.sandbox.load_postgres(source)
                self._inputs[source] = loaded
            return self._postgres_hashes[source]
        return self._fingerprint(source, file).content_hash

    def _fingerprint(self, source: Files, file: str) -> Fingerprint:
        key = (file, source.format_of(file), source.encoding)
        if key not in self._fingerprints:
            self._fingerprints[key] = fingerprint(self.folder / file, file, key[1], source.encoding)
        return self._fingerprints[key]

    def _note_gone(self, units: list[_Unit], ledger: dict[tuple[str, str], _LedgerLine]) -> None:
        named = {(unit.table.name, unit.source_file) for unit in units}
        named |= {(table, REMAINDER_FILE) for table in TABLES}
        for table in TABLES:
            gone = sorted(file for name, file in ledger if name == table and (name, file) not in named)
            if gone:
                more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
                self.messages.append(
                    f"{table}: kept the rows of {gone[0]}{more}, which is no longer delivered"
                )

    def _load(self, source: Files | Postgres, file: str) -> LoadedInput:
        """The input in the scratch file; the same file for several tables is read once."""
        key: object = source
        if isinstance(source, Files):
            key = (file, source.format_of(file), source.encoding, source.csv)
        if key not in self._inputs:
            assert isinstance(source, Files)  # noqa: S101
            self._inputs[key] = self.sandbox.load_file(
                self.folder / file, file, source.format_of(file), source, self._fingerprint(source, file)
            )
        return self._inputs[key]

    def _read(self, units: list[_Unit]) -> None:
        """Load all inputs, joined ones too; the sandbox is locked afterwards."""
        for table in self._tables(units):
            LOGGER.info(
                "Reading %s: %d new or changed", table.name, sum(unit.table is table for unit in units)
            )
        for unit in units:
            loaded = self._load(unit.mapping.input, unit.source_file)
            unit.rows_in_file = loaded.rows
            if not loaded.rows and unit.rows_before:
                raise LandingError(
                    f"{unit.source_file}: has no rows, and had {unit.rows_before} when it was landed before. "
                    "Deliver it again; nothing was changed."
                )
            if not loaded.rows:
                self.messages.append(f"{unit.table.name}: {unit.source_file} has no rows")
            for name, source in unit.mapping.joins.items():
                for file in self._files_of(source, f"{unit.table.name}.join.{name}"):
                    if self._load(source, file).broken:
                        raise LandingError(
                            f"{file}: {self.sandbox.first_broken(self._load(source, file))}. A joined input "
                            f"must be whole, else {unit.table.name} would be wrong without a sign: mend it."
                        )
        self.sandbox.lock()

    def _map(self, units: list[_Unit]) -> None:
        noted: set[Files | Postgres] = set()
        for unit in units:
            mapping = unit.mapping
            loaded = self._load(mapping.input, unit.source_file)
            joins = {
                name: self._union(
                    [
                        self._load(source, file)
                        for file in self._files_of(source, f"{unit.table.name}.join.{name}")
                    ]
                )
                for name, source in mapping.joins.items()
            }
            mapped = run_mapping(
                self.sandbox,
                mapping,
                self.adapter.path,
                unit.number,
                unit.source_file,
                loaded,
                joins,
                self.adapter.max_mapping_minutes * 60,
            )
            unit.rows_read = mapped + loaded.broken
            if not unit.rows_read and unit.rows_before:
                raise LandingError(
                    f"{unit.table.name}: {unit.source_file} gives no rows by its mapping, and gave "
                    f"{unit.rows_before} when it was landed before; nothing was changed."
                )
            if mapping.input not in noted:
                noted.add(mapping.input)
                self._note_unused(mapping.input, unit.source_file, loaded)

    @staticmethod
    def _union(inputs: list[LoadedInput]) -> LoadedInput:
        return LoadedInput(
            tuple(table for one in inputs for table in one.tables),
            tuple(dict.fromkeys(column for one in inputs for column in one.columns)),
            sum(one.rows for one in inputs),
        )

    def _note_unused(self, source: Files | Postgres, file: str, loaded: LoadedInput) -> None:
        """Tell which columns no mapping of these files names: an export may have grown."""
        text = "\n".join(
            sql.text
            for mapping in self.adapter.mappings
            if mapping.input == source
            for sql in (*mapping.columns.values(), mapping.where, mapping.query)
            if sql
        ).casefold()
        unused = [
            column
            for column in loaded.columns
            if not re.search(rf"(?<!\w){re.escape(column.casefold())}(?!\w)", text)
        ]
        if unused:
            shown = ", ".join(unused[:8]) + (" …" if len(unused) > 8 else "")
            self.messages.append(f"{file}: columns that no mapping uses: {shown}")

    def _check(self, units: list[_Unit], salt: str) -> None:
        """Judge every mapped row. No row is copied for it: most are neither bad nor repeated.

        Leaves temporary `landing_rejects` and, for each table, what `_Names` tells of: the rows that are not
        stored by their `_mapped_row`, and a view of those that are.
        """
        run = self.connection.execute
        run("set variable salt = ?", [salt])
        limits = Limits(
            self.moment.date(),
            self.adapter.earliest_date,
            self.adapter.max_days_ahead,
            self.adapter.timestamps_are_utc,
            self.adapter.business_timezone,
        )
        run(
            "create or replace temp table landing_files ("
            "_file integer, table_name varchar, source_file varchar, file_sequence bigint, "
            "content_hash varchar, mapping_hash varchar, rows_in_file bigint, rows_read bigint, "
            "input integer, is_known boolean, rows_forgotten bigint default 0)"
        )
        run(
            "insert into landing_files select "
            "unnest(?::integer[]), unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::bigint[]), "
            "unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::bigint[]), unnest(?::bigint[]), "
            "unnest(?::integer[]), unnest(?::boolean[]), 0",
            [
                [unit.number for unit in units],
                [unit.table.name for unit in units],
                [unit.source_file for unit in units],
                [unit.sequence for unit in units],
                [unit.content_hash for unit in units],
                [unit.mapping_hash for unit in units],
                [unit.rows_in_file for unit in units],
                [unit.rows_read for unit in units],
                [self._load(unit.mapping.input, unit.source_file).number for unit in units],
                [unit.rows_before is not None for unit in units],
            ],
        )
        redacted = masked_phones(f"regexp_replace(content, {literal(EMAIL_PATTERN)}, '[e-mail]', 'g')")
        run(f"""
            create or replace temp table landing_rejects as
            select _file, source_row, reason, json_object('line', {redacted}) as content
            from scratch.inputs.broken
            join landing_files using (input)
        """)
        if self._marks:
            run(
                "create or replace temp table forgotten_marks as select unnest(?::varchar[]) as mark",
                [sorted(self._marks)],
            )
            self._redact_broken_lines()
        for table in self._tables(units):
            LOGGER.info("Checking %s", table.name)
            names = _Names(table)
            parts = self._mapped[table.name] = self._find_mapped(table)
            which = "_file integer, _mapped_row bigint"
            run(f"create or replace temp table {names.bad} ({which}, _reason varchar)")
            run(f"create or replace temp table {names.repeated} ({which})")
            run(f"create or replace temp table {names.left_out} ({which})")
            for part in parts:
                run(f"insert into {names.bad} {faulty_select(table, part, limits)}")
            self._judge_thousands(table)
            converted = self._converted(table, limits)
            if self._marks:
                converted = self._leave_out_forgotten(table, converted, salt)
            run(f"create or replace temp view {names.read} as {converted('true')}")
            self._judge_duplicates(table)
            excluded = [
                f"_mapped_row not in (select _mapped_row from {name})"
                for name in (names.bad, names.repeated)
                if self._has_rows(name)
            ]
            accepted = converted(" and ".join(excluded) or "true")
            run(f"create or replace temp view {names.stored} as {accepted}")
            self._reject(table)
            self._check_share(table)

    def _has_rows(self, relation: str) -> bool:
        return bool(self.connection.execute(f"select 1 from {relation} limit 1").fetchone())

    def _find_mapped(self, table: Table) -> list[Mapped]:
        """What the sandbox left for a table, with the columns in which every text is plain."""
        found = []
        first_id = 0
        for relation, types in self.sandbox.mapped.get(table.name, {}).items():
            part = Mapped(f"scratch.{relation}", types, first_id)
            columns = plain_columns(table, part)
            if columns:
                plain = self.connection.execute(plain_select(table, part)).fetchone()
                names = (column.name for column, is_plain in zip(columns, plain, strict=True) if is_plain)
                part = replace(part, plain=frozenset(names))
            first_id += self.connection.execute(f"select count(*) from {part.relation}").fetchone()[0]
            found.append(part)
        return found

    def _converted(self, table: Table, limits: Limits) -> Callable[[str], str]:
        """The converted rows as SQL, given the condition on `_mapped_row` that chooses them."""
        # An input without a single row may leave no table: there are columns all the same.
        nothing = Mapped("(select 0 as rowid, 0 as _file, 0 as _source_row limit 0)", {})
        parts = self._mapped[table.name] or [nothing]
        return lambda where: " union all ".join(
            converted_select(table, part, limits, where) for part in parts
        )

    def _cleaned(self, table: Table, where: str) -> str:
        return " union all ".join(cleaned_select(table, part, where) for part in self._mapped[table.name])

    def _reject(self, table: Table) -> None:
        """Keep the bad rows whole, as the file had them."""
        bad = _Names(table).bad
        if not self._has_rows(bad):
            return
        fields = ", ".join(
            f"{literal(stored_name(column))}, {identifier(stored_name(column))}" for column in table.columns
        )
        cleaned = self._cleaned(table, f"_mapped_row in (select _mapped_row from {bad})")
        self.connection.execute(f"""
            insert into landing_rejects
            select cleaned._file, _source_row, _reason, json_object({fields})
            from ({cleaned}) as cleaned
            join {bad} using (_mapped_row)
        """)

    def _redact_broken_lines(self) -> None:
        """A line that is no row has no columns: any part of it may be the id of a forgotten customer."""
        parts = r"""string_split_regex(content ->> 'line', '[,;|\t"''\s]+')"""
        self.connection.execute(f"""
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

    def _leave_out_forgotten(
        self, table: Table, converted: Callable[[str], str], salt: str
    ) -> Callable[[str], str]:
        """Take the rows of forgotten customers out of what was read; nobody was referred by one either.

        Gives `converted` without them.
        """
        run = self.connection.execute
        names = _Names(table)
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
            return converted
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
            } - self._marks
            self._new_marks |= new
            run("insert into forgotten_marks select unnest(?::varchar[])", [sorted(new)])
        run(f"""
            update landing_files set rows_read = rows_read - number, rows_forgotten = number
            from (select _file as file, count(*) as number from {names.left_out} group by _file) as counted
            where landing_files._file = counted.file
        """)
        run(f"delete from {names.bad} where _mapped_row in (select _mapped_row from {names.left_out})")
        remaining = f"_mapped_row not in (select _mapped_row from {names.left_out})"
        if "referred_by_customer_id" not in table.column_names:
            return lambda where: converted(f"{remaining} and {where}")
        referrers = identifier(f"forgotten_referrers_{table.name}")
        run(f"create or replace temp table {referrers} as {marked('referred_by_customer_id', 'customer')}")
        return lambda where: (
            f"""
            select * replace (
                case when referred_by_customer_id not in (from {referrers}) then referred_by_customer_id end
                as referred_by_customer_id
            )
            from ({converted(f"{remaining} and {where}")}) as converted"""
        )

    @staticmethod
    def _tables(units: list[_Unit]) -> list[Table]:
        names = {unit.table.name for unit in units}
        return [table for name, table in TABLES.items() if name in names]

    def _judge_thousands(self, table: Table) -> None:
        """Reject 1.234 where the same column of the file has decimal commas: it may mean a thousand more."""
        run = self.connection.execute
        bad = _Names(table).bad
        advice = literal("' may be thousands, as others of the file have a decimal comma: map it with ")
        for column in table.columns:
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
                from ({self._cleaned(table, "true")}) as cleaned
                where regexp_full_match({name}, '[+-]?[0-9]{{1,3}}([.][0-9]{{3}})+')
                    and _file in (
                        select _file from ({self._cleaned(table, "true")}) as others
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

    def _judge_duplicates(self, table: Table) -> None:
        """Of rows of one file with one key: all equal → the first is stored; else all are rejected."""
        run = self.connection.execute
        names = _Names(table)
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
        if not self._has_rows("repeated_keys"):
            return
        content = ", ".join(identifier(stored_name(column)) for column in table.columns)
        run(f"""
            create or replace temp table duplicates as
            with members as (
                select rows_read.*, bad._reason
                from {names.read} as rows_read
                join repeated_keys using (_file, _row_key)
                left join {names.bad} as bad using (_mapped_row)
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

    def _check_share(self, table: Table) -> None:
        read, rejected = self.connection.execute(
            """
            select
                (select sum(rows_read) from landing_files where table_name = $1),
                (select count(*) from landing_rejects join landing_files using (_file) where table_name = $1)
            """,
            [table.name],
        ).fetchone()
        share = self.adapter.max_reject_share
        if not read or rejected / read <= share:
            return
        if rejected <= share * _SMALL_DELIVERY and rejected * 2 < read:
            return
        # Reasons that differ in their values only are one.
        top = self.connection.execute(
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
            f"max_reject_share is {self.adapter.max_reject_share:.1%}); nothing was changed.{lines}\n"
            "Mend the mapping or the file, or raise max_reject_share in the adapter."
        )

    def _apply(self, units: list[_Unit]) -> tuple[int, dict[str, dict[str, int]], tuple[str, ...]]:
        """All changes, in one transaction; gives the batch, the counts per table, the vars that changed."""
        run = self.connection.execute
        run("begin transaction")
        try:
            self._create_tables()
            batch_id = run("select coalesce(max(batch_id), 0) + 1 from raw.loads").fetchone()[0]
            had_rows = {
                name: bool(run(f"select 1 from raw.{identifier(name)} limit 1").fetchone()) for name in TABLES
            }
            counts = {}
            for table in self._tables(units):
                LOGGER.info("Landing %s", table.name)
                counts[table.name] = self._apply_table(table, batch_id, had_rows[table.name])
            self._write_ledger(batch_id)
            self._write_customer_changes(batch_id, set(counts), had_rows)
            changed = self._store_settings()
            self._require_rows(had_rows)
            run("commit")
        except BaseException:
            run("rollback")
            raise
        return batch_id, counts, changed

    def _create_tables(self) -> None:
        run = self.connection.execute
        run("create schema if not exists raw")
        for name, columns in _LEDGER_TABLES.items():
            run(f"create table if not exists raw.{identifier(name)} ({columns})")
        for table in TABLES.values():
            columns = [f"{identifier(stored_name(column))} {column.kind.value}" for column in table.columns]
            columns += [f"{name} {sql_type}" for name, sql_type in LANDING_COLUMNS.items()]
            run(f"create table if not exists raw.{identifier(table.name)} ({', '.join(columns)})")

    def _apply_table(self, table: Table, batch_id: int, had_rows: bool) -> dict[str, int]:
        """Bring one table up to date. Unchanged rows of a corrected file keep their batch and load time."""
        run = self.connection.execute
        names = _Names(table)
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
        removed, new_rows = self._correct(table, linked, batch_id) if is_corrected else (0, names.stored)
        added = run(
            f"""
            insert into {raw} ({columns}, {", ".join(LANDING_COLUMNS)})
            select
                {columns}, {batch_id}, source_file, _source_row, $1, file_sequence, _row_key, _is_utc
            from {new_rows} as new
            join landing_files using (_file)
            """,
            [self.moment],
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
        return self._count(table, added, removed)

    def _correct(self, table: Table, linked: str, batch_id: int) -> tuple[int, str]:
        """Remove the former rows of corrected files that went or changed; their number, and what is new."""
        run = self.connection.execute
        names = _Names(table)
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
            f"insert into raw.removed_rows select {batch_id}, {literal(table.name)}, _row_key "
            f"from {names.former}"
        ).fetchone()[0]
        run(f"""
            update {raw} as old set _source_row = kept._source_row
            from {names.kept} as kept
            where old.rowid = kept.old_id and old._source_row is distinct from kept._source_row
        """)
        if removed:
            run(f"delete from {raw} where rowid in ({gone})")
        return removed, f"(from {names.stored} where _mapped_row not in (select new_id from {names.kept}))"

    def _count(self, table: Table, added: int, removed: int) -> dict[str, int]:
        """The counts of the table, with the proof that no row was lost on the way."""
        files, in_files, read, forgotten = self.connection.execute(
            "select count(*), sum(rows_in_file), sum(rows_read), sum(rows_forgotten) from landing_files "
            "where table_name = ?",
            [table.name],
        ).fetchone()
        names = _Names(table)
        stored = self.connection.execute(f"select count(*) from {names.stored}").fetchone()[0]
        repeated = self.connection.execute(f"select count(*) from {names.repeated}").fetchone()[0]
        accepted = stored + repeated
        rejected = self.connection.execute(
            "select count(*) from landing_rejects join landing_files using (_file) where table_name = ?",
            [table.name],
        ).fetchone()[0]
        if read != accepted + rejected:
            raise RuntimeError(
                f"{table.name}: read {read}, accepted {accepted}, rejected {rejected}: rows were lost"
            )
        return {
            "files": files,
            "rows_in_files": int(in_files),
            "read": int(read),
            "accepted": accepted,
            "stored": stored,
            "repeated": repeated,
            "rejected": rejected,
            "rows_added": added,
            "rows_removed": removed,
            "forgotten": int(forgotten),
        }

    def _write_ledger(self, batch_id: int) -> None:
        run = self.connection.execute
        again = "(table_name, source_file) in (select (table_name, source_file) from landing_files)"
        run(f"update raw.loads set is_current = false where is_current and {again}")
        run(f"delete from raw.rejects where {again}")
        tables = run("select distinct table_name from landing_files").fetchall()
        landed = [_Names(TABLES[name]) for (name,) in tables]

        def counted(relations: list[str]) -> str:
            return " union all ".join(
                f"select _file, count(*) as number from {name} group by _file" for name in relations
            )

        run(
            f"""
            insert into raw.loads
            select
                $1, $2, table_name, source_file, file_sequence, content_hash, mapping_hash, rows_in_file,
                rows_read, coalesce(stored.number, 0) + coalesce(repeated.number, 0),
                coalesce(stored.number, 0), coalesce(repeated.number, 0), coalesce(rejected, 0), $3, true
            from landing_files
            left join ({counted([names.stored for names in landed])}) as stored using (_file)
            left join ({counted([names.repeated for names in landed])}) as repeated using (_file)
            left join (
                select _file, count(*) as rejected from landing_rejects group by _file
            ) as refused using (_file)
            order by _file
            """,
            [batch_id, self.adapter.name, self.moment],
        )
        run(
            """
            insert into raw.rejects
            select $1, table_name, source_file, source_row, reason, content, $2
            from landing_rejects
            join landing_files using (_file)
            order by _file, source_row
            """,
            [batch_id, self.moment],
        )

    def _write_customer_changes(self, batch_id: int, landed: set[str], had_rows: dict[str, bool]) -> None:
        """Everybody whose numbers may be others after this batch, so that big models recompute these only."""

        def touched(name: str) -> str:
            return _Names(TABLES[name]).touched

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
            ]
        if parts:
            everybody = " union all ".join(parts)
            self.connection.execute(
                "insert into raw.customer_changes "
                f"select {batch_id}, customer_id from ({everybody}) where customer_id is not null "
                "group by customer_id"
            )

    def _store_settings(self) -> tuple[str, ...]:
        """Rewrite raw.settings with the adapter's vars and limits; gives the names of those that changed."""
        run = self.connection.execute
        before = dict(run("select name, value from raw.settings").fetchall())
        now = self.adapter.variables | self.adapter.quality_limits.to_settings()
        if before != now:
            run("delete from raw.settings")
            for name, value in now.items():
                run("insert into raw.settings values (?, ?)", [name, value])
        return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))

    def _store_settings_alone(self) -> tuple[str, ...]:
        self.connection.execute("begin transaction")
        try:
            # A warehouse of an earlier version lacks the tables that have been added since.
            self._create_tables()
            changed = self._store_settings()
            self.connection.execute("commit")
        except BaseException:
            self.connection.execute("rollback")
            raise
        return changed

    def _require_rows(self, had_rows: dict[str, bool]) -> None:
        has_rows = {
            name: bool(self.connection.execute(f"select 1 from raw.{identifier(name)} limit 1").fetchone())
            for name in TABLES
        }
        for name in TABLES:
            if had_rows[name] and not has_rows[name]:
                raise LandingError(
                    f"{name}: would have no rows at all, and had some before; nothing was changed."
                )
        if not any(has_rows[name] for name in MAIN_TABLES):
            raise LandingError(
                f"Neither {' nor '.join(MAIN_TABLES)} would have any row; a warehouse needs one of them. "
                "Nothing was changed."
            )


def counts_table(result: LandingResult) -> str:
    """The counts per table as text, for people."""
    heads = (
        "table",
        "files",
        "unchanged",
        "rows in files",
        "read",
        "accepted",
        "of them repeated",
        "rejected",
        *(("forgotten",) if any(count.forgotten for count in result.tables.values()) else ()),
    )
    rows = [
        (
            name,
            *(
                f"{number:,}"
                for number in (
                    count.files,
                    count.files_unchanged,
                    count.rows_in_files,
                    count.read,
                    count.accepted,
                    count.repeated,
                    count.rejected,
                    count.forgotten,
                )[: len(heads) - 1]
            ),
        )
        for name, count in result.tables.items()
    ]
    widths = [max(len(row[place]) for row in (heads, *rows)) for place in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (heads, *rows)
    )


@click.command("land")
@click.option(
    "--source",
    default="demo",
    show_default=True,
    metavar="NAME|FILE",
    help="An adapter in sources/ by name, or the path of an adapter file.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the adapter's file patterns start; default: TENURE_DATA, or what the adapter says.",
)
def land_command(source: str, data: Path | None) -> None:
    """Bring new and corrected files into the warehouse.

    Rows that break the raw contract are kept in raw.rejects with the reason. Files that were landed before
    and have not changed are skipped.
    """
    start_logging()
    settings = Settings.from_environment()
    with warehouse_lock(settings, "land"):
        result = land(settings, source, data)
    click.echo(counts_table(result))
    if result.batch_id is None:
        click.echo(f"Nothing new for {result.source_name}.")
    else:
        click.echo(f"Landed batch {result.batch_id} of {result.source_name}.")
