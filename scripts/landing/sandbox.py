"""Where a company's files are loaded, and the SQL of its adapter runs and can do no harm.

A landing uses one scratch DuckDB file. First, trusted code loads every new input into a table of it. Then the
connection is locked: no files, no other databases, no extensions, no network, no configuration. Only then the
mapping SQL runs, and only there. Parquet is not copied first: those files alone stay readable. What it leaves
are tables of canonical rows in schema `mapped`: columns of types that tell all, else text.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import duckdb

from scripts.core.sql import identifier, literal
from scripts.landing.adapters import Files, Postgres
from scripts.landing.fingerprints import Fingerprint, file_errors, require_unchanged
from scripts.landing.formats.compression import is_packed
from scripts.landing.formats.format import Format
from scripts.landing.formats.text_files import in_utf_8
from scripts.landing.formats.workspace import SOURCE_ROW, InputFile, LoadedInput, Workspace
from scripts.landing.postgres import fetch_relation


class Sandbox:
    """The scratch DuckDB file of one landing, as a context manager that removes all of it.

    `load_file` and `load_postgres`, then `lock`, then mappings through `locked_connection`. It leaves the
    tables that `mapped` names (`_file` INTEGER, `_source_row` BIGINT, and the contract's columns that were
    mapped) and `inputs.broken` (the lines that are no rows), for landing to read.
    """

    def __init__(self, directory: Path, options: Mapping[str, str] | None = None) -> None:
        """`options` are settings of DuckDB, see scripts/core/databases.py."""
        self.directory = directory
        self._options = dict(options or {})
        self.database = directory / "landing.duckdb"
        self._count = 0
        self._locked = False
        # By canonical table, one table for each combination of columns and types that its mappings give.
        self.mapped: dict[str, dict[str, dict[str, str]]] = {}
        # What the mappings read where it lies: the link to it, the file, what it was, and its format.
        self._in_place: list[tuple[InputFile, Path, Fingerprint, Format]] = []

    def __enter__(self) -> Sandbox:
        # It holds plain personal data: for its owner only, and what an interrupted landing left goes first.
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, mode=0o700)
        self._connection = duckdb.connect(str(self.database), config=self._options)
        for setting in (
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "TimeZone = 'UTC'",
            "enable_progress_bar = false",
            f"temp_directory = {literal(str(self.directory / 'spill'))}",
            # All of it is read once or twice, then thrown away: packing it would cost more than it saves.
            "force_compression = 'uncompressed'",
        ):
            self._connection.execute(f"set {setting}")
        self.workspace = Workspace(self._connection, self.directory)
        self.workspace.create()
        self._connection.execute("create schema mapped")
        return self

    def mapped_table(self, table: str, types: dict[str, str]) -> str:
        """The table, quoted, for mapped rows of the canonical `table` with these columns and types."""
        known = self.mapped.setdefault(table, {})
        for relation, others in known.items():
            if others == types:
                return relation
        relation = f"mapped.{identifier(f'{table}_{len(known) + 1}')}"
        columns = "".join(f", {identifier(name)} {kind}" for name, kind in types.items())
        self._connection.execute(f"create table {relation} (_file integer, {SOURCE_ROW} bigint{columns})")
        known[relation] = types
        return relation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def close_for_reading(self) -> None:
        """Close the sandbox's own connection, so that another one can attach the file."""
        self._connection.close()

    def load_file(
        self, path: Path, name: str, file_format: Format, options: Files, taken: Fingerprint
    ) -> LoadedInput:
        """Load a file into a table of its own. LandingError if it cannot be read or changed since `taken`."""
        number = self._next()
        # DuckDB takes a path for a pattern; behind a link with a plain name, brackets and stars are harmless.
        suffix = file_format.extensions[0] if file_format.extensions else ".txt"
        packed = ".gz" if file_format.is_text and is_packed(path) else ""
        link = self.directory / f"input{number}{suffix}{packed}"
        link.symlink_to(path.resolve())
        file = InputFile(link, name, number, taken.ends_line)
        with file_errors(name):
            if file_format.is_text:
                file = in_utf_8(self.workspace, file, options.encoding)
            loaded = file_format.load(self.workspace, file, options.options_of(file_format))
            if file_format.stays_in_place:
                self._in_place.append((file, path, taken, file_format))
            else:
                require_unchanged(path, name, taken)
                for leftover in self.directory.glob(f"input{number}.*"):
                    leftover.unlink()
        return loaded

    def require_whole_files(self) -> None:
        """LandingError if a file that stays in place changed since its hash was taken.

        To be asked after the mappings.
        """
        for file, path, taken, _ in self._in_place:
            with file_errors(file.name):
                require_unchanged(path, file.name, taken)

    def require_readable(self, loaded: LoadedInput) -> None:
        """LandingError if a file of an input cannot be read to its end: only its mappings read Parquet."""
        for file, _, _, file_format in self._in_place:
            table = self.workspace.table(file.number)
            if table not in loaded.tables:
                continue
            counts = ", ".join(f"count({identifier(column)})" for column in loaded.columns)
            try:
                self._connection.execute(f"select {counts} from {table}")
            except duckdb.Error as error:
                raise file_format.damaged(error, file) from error

    def _next(self) -> int:
        self._count += 1
        return self._count

    def load_postgres(self, source: Postgres) -> tuple[LoadedInput, str]:
        """Fetch a relation whole; gives the input and the hash of its content, in whatever order it came."""
        number = self._next()
        table = self.workspace.table(number)
        fetch_relation(self._connection, table, source, SOURCE_ROW)
        loaded = self.workspace.loaded(number)
        names = ", ".join(identifier(column) for column in loaded.columns)
        # Sums of MD5 halves do not depend on the order in which the server sends the rows.
        total = self._connection.execute(f"""
            select count(*), sum(md5_number_lower(content)), sum(md5_number_upper(content))
            from (select cast(row({names}) as varchar) as content from {table})
        """).fetchone()
        return loaded, hashlib.sha256(repr((loaded.columns, total)).encode()).hexdigest()

    def lock(self) -> None:
        """From here on the connection reaches nothing but its own tables, and nothing can undo that."""
        for setting in (
            f"allowed_paths = [{', '.join(literal(str(file.path)) for file, *_ in self._in_place)}]",
            "python_enable_replacements = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"set {setting}")
        self._locked = True

    @property
    def locked_connection(self) -> duckdb.DuckDBPyConnection:
        """The connection for the SQL of adapters; there is none before `lock`."""
        if not self._locked:
            raise RuntimeError("the SQL of an adapter runs in the locked sandbox only")
        return self._connection
