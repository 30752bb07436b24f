"""Reading a company's files and relations, and running the adapter's SQL where it can do no harm.

A landing uses one scratch DuckDB file. First, trusted code loads every new input into a table of it. Then the
connection is locked: no files, no other databases, no extensions, no network, no configuration. Only then the
mapping SQL runs, and only there. Parquet is not copied first: those files alone stay readable. What it leaves
are tables of canonical rows in schema `mapped`: columns of types that tell all, else text.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import re
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO

import duckdb

from scripts.core.errors import LandingError
from scripts.core.sql import identifier, literal
from scripts.landing.adapters import CsvOptions, Files, Postgres, first_line
from scripts.landing.postgres import fetch_relation
from scripts.personal_data.patterns import without_addresses

_CHUNK_BYTES = 1 << 20
# Longer than any sane row; a longer one is a quote that is never closed.
_MAX_LINE_BYTES = 16 << 20
# Of two delimiters that split the first line alike, the earlier one is taken.
_DELIMITERS = (",", ";", "\t", "|")
# What `source` calls the number of the row; reserved.
SOURCE_ROW = "_source_row"
# What DuckDB calls the number of a row of a Parquet file, while it is read.
_PARQUET_ROW = "file_row_number"
# How files begin that are no text.
_SIGNATURES = {
    b"\x1f\x8b": "gzip (`.gz`)",
    b"PAR1": "Parquet (`.parquet`, or `format: parquet`)",
    b"PK\x03\x04": "ZIP (as .xlsx is), which is not read: save it as CSV",
}
# Encodings in which nearly any bytes are text: they never fail, and a wrong one shows in the words only.
_ONE_BYTE = re.compile(
    r"cp(?!932|949|950|65001)\d+|iso8859.*|latin.*|koi8.*|mac.*|kz1048|ptcp154|hp_roman8|tis_620"
)


@dataclass(frozen=True)
class Fingerprint:
    """What a file was when its hash was taken; `stat` tells whether it changed since."""

    content_hash: str
    stat: tuple[int, int, int]
    # Whether its last line has a line end; one that is cut off has none.
    ends_line: bool = True


def _stat(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _require_unchanged(path: Path, name: str, taken: Fingerprint) -> None:
    if _stat(path) != taken.stat:
        raise LandingError(
            f"{name}: the file changed while it was read. Land again; better, deliver files under "
            "another name and rename them when they are complete."
        )


class _Hashing(io.RawIOBase):
    """A binary stream that feeds all that is read from it to a hash."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _file_errors(name: str) -> Iterator[None]:
    """Turn what can go wrong with a file into a LandingError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LandingError(
            f"{name}: the gzip file is damaged or cut off ({error}). Export it again."
        ) from error
    except IsADirectoryError as error:
        raise LandingError(
            f"{name}: is a folder, a file is expected. Make the pattern of `files:` name files only."
        ) from error
    except OSError as error:
        raise LandingError(f"{name}: cannot be read: {error.strerror or error}.") from error


def fingerprint(path: Path, name: str, file_format: str, encoding: str) -> Fingerprint:
    """Hash a file and, in the same pass, verify its encoding. `name` is what messages call it.

    Raises LandingError if it cannot be read, is empty, is a damaged gzip file, or is not in `encoding` (with
    the byte offset, counted in the unpacked content, and the line).
    """
    with _file_errors(name):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise LandingError(
                f"{name}: is no plain file but a pipe, a device or a socket. Deliver it as a file, or make "
                "the pattern of `files:` leave it out."
            )
        status = _stat(path)
        if status[1] == 0:
            raise LandingError(f"{name}: the file is empty (0 bytes). Deliver it again, or remove it.")
        with path.open("rb") as stream:
            hashing = _Hashing(stream)
            buffered = io.BufferedReader(hashing, _CHUNK_BYTES)
            ends_line = True
            if file_format == "parquet":
                while buffered.read(_CHUNK_BYTES):
                    pass
            elif path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=buffered) as unpacked:
                    ends_line = _verify_encoding(unpacked, name, encoding)
            else:
                ends_line = _verify_encoding(buffered, name, encoding)
    return Fingerprint(hashing.digest.hexdigest(), status, ends_line)


def _verify_encoding(stream: IO[bytes], name: str, encoding: str) -> bool:
    """LandingError unless all of it is text in `encoding`; gives whether its last line has a line end."""
    decoder = codecs.getincrementaldecoder(encoding)()
    is_one_byte = bool(_ONE_BYTE.fullmatch(codecs.lookup(encoding).name.replace("-", "_")))
    as_utf_8 = codecs.getincrementaldecoder("utf-8")() if is_one_byte else None
    first_beyond_ascii = 0
    offset = lines = 0
    ends_line = True
    while True:
        chunk = stream.read(_CHUNK_BYTES)
        if not offset:
            for signature, what in _SIGNATURES.items():
                if chunk.startswith(signature):
                    raise LandingError(f"{name}: is no text but looks like {what}. Name and say what it is.")
        if as_utf_8:
            try:
                as_utf_8.decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                as_utf_8 = None
            else:
                if not first_beyond_ascii and not chunk.isascii():
                    before = re.match(rb"[\x00-\x7f]*", chunk).group()
                    first_beyond_ascii = lines + 1 + before.count(b"\n")
        try:
            decoded = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            # `error.object` starts with what the decoder had kept of the chunk before.
            kept = len(error.object) - len(chunk)
            at = offset - kept + error.start
            line = lines + 1 + chunk[: max(error.start - kept, 0)].count(b"\n")
            raise LandingError(
                f"{name}: byte {at} (line {line}) is not {encoding}: {error.reason}. "
                "Say `encoding:` in the adapter (for example cp1252, latin-1, utf-16), or export it as UTF-8."
            ) from error
        if "\0" in decoded:
            line = lines + 1 + decoded[: decoded.index("\0")].count("\n")
            raise LandingError(
                f"{name}: line {line} holds a NUL byte, which no text does: the file is damaged, or its "
                "encoding is another; say `encoding:` in the adapter (for example utf-16)."
            )
        if not chunk:
            break
        ends_line = decoded.endswith(("\n", "\r")) if decoded else ends_line
        offset += len(chunk)
        lines += chunk.count(b"\n")
    if as_utf_8 and first_beyond_ascii:
        # Text in another encoding is not UTF-8 by accident.
        raise LandingError(
            f"{name}: is UTF-8 (see line {first_beyond_ascii}), and the adapter says `encoding: {encoding}`: "
            "its letters would come out wrong. Remove `encoding:`."
        )
    return ends_line


def _open_binary(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


@dataclass(frozen=True)
class LoadedInput:
    """One input in the scratch file: the tables that hold its rows, their columns, all its data rows."""

    tables: tuple[str, ...]
    columns: tuple[str, ...]
    rows: int
    # How many of the rows are broken lines; they are in `inputs.broken`, not in the tables.
    broken: int = 0
    # What `inputs.broken` calls it.
    number: int = 0


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
        self._parquet_files: list[tuple[Path, Path, str, Fingerprint]] = []

    def __enter__(self) -> Sandbox:
        # It holds plain personal data: for its owner only, and what an interrupted landing left goes first.
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, mode=0o700)
        self._connection = duckdb.connect(str(self.database), config=self._options)
        self._connection.execute("set autoinstall_known_extensions = false")
        self._connection.execute("set autoload_known_extensions = false")
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set enable_progress_bar = false")
        self._connection.execute(f"set temp_directory = {literal(str(self.directory / 'spill'))}")
        self._connection.execute("create schema inputs")
        self._connection.execute("create schema mapped")
        self._connection.execute(
            "create table inputs.broken "
            "(input integer, source_row bigint, line bigint, reason varchar, content varchar)"
        )
        # All of it is read once or twice, then thrown away: packing it would cost more than it saves.
        self._connection.execute("set force_compression = 'uncompressed'")
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
        self, path: Path, name: str, file_format: str, options: Files, taken: Fingerprint
    ) -> LoadedInput:
        """Load a file into a table of its own. LandingError if it cannot be read or changed since `taken`."""
        number = self._next()
        # DuckDB takes a path for a pattern; behind a link with a plain name, brackets and stars are harmless.
        suffix = {"csv": ".csv", "parquet": ".parquet"}.get(file_format, ".txt")
        packed = path.suffix.lower() == ".gz" and file_format != "parquet"
        link = self.directory / f"input{number}{suffix}{'.gz' if packed else ''}"
        link.symlink_to(path.resolve())
        with _file_errors(name):
            if file_format != "parquet" and codecs.lookup(options.encoding).name not in ("utf-8", "ascii"):
                link = self._rewritten(link, number, options.encoding)
            if file_format == "csv":
                loaded = self._load_csv(link, name, number, options.csv)
            elif file_format == "parquet":
                loaded = self._load_parquet(link, name, number)
            else:
                loaded = self._load_lines(link, name, number, file_format == "jsonl", taken.ends_line)
            if file_format == "parquet":
                self._parquet_files.append((link, path, name, taken))
            else:
                _require_unchanged(path, name, taken)
                for leftover in self.directory.glob(f"input{number}.*"):
                    leftover.unlink()
        return loaded

    def require_whole_files(self) -> None:
        """LandingError if a Parquet file changed since its hash was taken; to be asked after the mappings."""
        for _, path, name, taken in self._parquet_files:
            with _file_errors(name):
                _require_unchanged(path, name, taken)

    def require_readable(self, loaded: LoadedInput) -> None:
        """LandingError if a file of an input cannot be read to its end: only its mappings read Parquet."""
        for link, _, name, _ in self._parquet_files:
            if f"inputs.{identifier(str(_number_of(link)))}" not in loaded.tables:
                continue
            try:
                self._connection.execute(
                    f"select {', '.join(f'count({identifier(column)})' for column in loaded.columns)} "
                    f"from inputs.{identifier(str(_number_of(link)))}"
                )
            except duckdb.Error as error:
                raise _no_parquet(error, link, name) from error

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _rewritten(self, path: Path, number: int, encoding: str, one_line_end: bool = False) -> Path:
        """A copy in UTF-8, unpacked; with `one_line_end` every line ends with a line feed."""
        copy = self.directory / f"input{number}.utf8.csv"
        with (
            _open_binary(path) as binary,
            io.TextIOWrapper(binary, encoding=encoding, newline="") as text,
            copy.open("w", encoding="utf-8", newline="") as out,
        ):
            carry = ""
            while chunk := text.read(_CHUNK_BYTES):
                if one_line_end:
                    chunk = carry + chunk
                    carry = "\r" if chunk.endswith("\r") else ""
                    chunk = chunk.removesuffix("\r").replace("\r\n", "\n").replace("\r", " ")
                out.write(chunk)
        return copy

    def _load_csv(self, path: Path, name: str, number: int, options: CsvOptions) -> LoadedInput:
        with _open_binary(path) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
            head = text.read(_CHUNK_BYTES)
        delimiter, first = _first_record(head, options)
        if not any(field.strip() for field in first):
            raise LandingError(
                f"{name}: the first line is blank; it must be the header (or `csv: {{header: false}}`)."
            )
        if options.header:
            columns = _header(first, name)
        elif options.columns:
            columns = options.columns
            if len(first) != len(columns):
                raise LandingError(
                    f"{name}: the first line has {len(first)} columns, `csv: {{columns: …}}` names "
                    f"{len(columns)}."
                )
        else:
            columns = tuple(f"column{position}" for position in range(1, len(first) + 1))
        table = f"inputs.{identifier(str(number))}"
        try:
            self._read_csv(
                path, table, "row_number() over ()", columns, delimiter, options.quote, options.header
            )
            is_whole = not options.header or not self._has_header_again(table, columns)
        except duckdb.Error:
            is_whole = False
        if not is_whole:
            # Broken lines, or Windows and Unix line ends in one file. DuckDB can skip what it cannot read,
            # but reading in parallel it then loses good lines beside the broken ones, and their numbers.
            clean = self.directory / f"input{number}.clean.csv"
            broken = _sift(path, clean, name, columns, delimiter, options)
            self._record_broken(number, broken)
            try:
                self._read_csv(clean, table, SOURCE_ROW, (SOURCE_ROW, *columns), ",", '"', False)
            except duckdb.Error as error:
                raise LandingError(
                    f"{name}: cannot be read as CSV: {without_addresses(first_line(error))}"
                ) from error
            return LoadedInput((table,), columns, self._count_rows(table) + len(broken), len(broken), number)
        return LoadedInput((table,), columns, self._count_rows(table), number=number)

    def _has_header_again(self, table: str, columns: tuple[str, ...]) -> bool:
        """Whether a row says what the header says, as in files that were put together from several."""
        # The first names tell; `_sift` compares all of them.
        same = " and ".join(
            f"lower(trim({identifier(column)})) = {literal(column.lower())}" for column in columns[:8]
        )
        return bool(self._connection.execute(f"select 1 from {table} where {same} limit 1").fetchone())

    def _read_csv(
        self,
        path: Path,
        table: str,
        row_number: str,
        columns: tuple[str, ...],
        delimiter: str,
        quote: str,
        header: bool,
    ) -> None:
        """Read with everything said and nothing guessed; a duckdb.Error if any line is not as said."""
        struct = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns)
        kept = ", ".join(identifier(column) for column in columns if column != SOURCE_ROW)
        self._connection.execute(f"""
            create or replace table {table} as
            select cast({row_number} as bigint) as {SOURCE_ROW}, {kept}
            from read_csv(
                {literal(str(path))}, auto_detect = false, header = {str(header).lower()}, skip = 0,
                delim = {literal(delimiter)}, quote = {literal(quote)}, escape = {literal(quote)},
                comment = '', columns = {{{struct}}},
                max_line_size = {_MAX_LINE_BYTES}, buffer_size = {4 * _MAX_LINE_BYTES},
                compression = {literal("gzip" if path.suffix == ".gz" else "none")}
            )
        """)

    def _record_broken(self, number: int, broken: list[_BrokenLine]) -> None:
        self._connection.execute(
            "insert into inputs.broken "
            "select ?, unnest(?::bigint[]), unnest(?::bigint[]), unnest(?::varchar[]), unnest(?::varchar[])",
            [
                number,
                [line.source_row for line in broken],
                [line.line for line in broken],
                [f"line {line.line}: {line.reason}" for line in broken],
                [line.content for line in broken],
            ],
        )

    def first_broken(self, loaded: LoadedInput) -> str:
        """The first line of an input that is no row, and why."""
        return self._connection.execute(
            "select reason from inputs.broken where input = ? order by line limit 1", [loaded.number]
        ).fetchone()[0]

    def _count_rows(self, table: str) -> int:
        return self._connection.execute(f"select count(*) from {table}").fetchone()[0]

    def _load_parquet(self, path: Path, name: str, number: int) -> LoadedInput:
        table = f"inputs.{identifier(str(number))}"
        scan = f"read_parquet({literal(str(path))}, file_row_number = true, hive_partitioning = false)"
        try:
            # DuckDB would give the second of two columns of one name another one.
            _header(self._parquet_columns(path), name)
            self._connection.execute(
                f"create view {table} as "
                f"select file_row_number + 1 as {SOURCE_ROW}, * exclude (file_row_number) from {scan}"
            )
            return self._loaded(number)
        except duckdb.Error as error:
            raise _no_parquet(error, path, name) from error

    def _parquet_columns(self, path: Path) -> list[str]:
        """The names of the columns themselves, not of what is nested in them, as the file has them."""
        nodes = self._connection.execute(
            f"select name, coalesce(num_children, 0) from parquet_schema({literal(str(path))})"
        ).fetchall()
        names: list[str] = []
        # The tree in pre-order, from its root: how many nodes of each level are still to come.
        open_nodes = [nodes[0][1]]
        for name, children in nodes[1:]:
            while open_nodes[-1] == 0:
                open_nodes.pop()
            open_nodes[-1] -= 1
            if len(open_nodes) == 1:
                names.append(name)
            open_nodes.append(children)
        return names

    def _loaded(self, number: int) -> LoadedInput:
        table = f"inputs.{identifier(str(number))}"
        columns = tuple(
            row[0] for row in self._connection.execute(f"describe {table}").fetchall() if row[0] != SOURCE_ROW
        )
        return LoadedInput((table,), columns, self._count_rows(table), number=number)

    def _load_lines(self, path: Path, name: str, number: int, as_json: bool, ends_line: bool) -> LoadedInput:
        """One row per line that is not blank; `_source_row` is the number of the line."""
        table = f"inputs.{identifier(str(number))}"
        try:
            try:
                self._read_csv(path, table, "row_number() over ()", ("line",), "", "", False)
            except duckdb.InvalidInputException:
                # Windows and Unix line ends in one file.
                path = self._rewritten(path, number, "utf-8-sig", one_line_end=True)
                self._read_csv(path, table, "row_number() over ()", ("line",), "", "", False)
        except duckdb.Error as error:
            raise LandingError(
                f"{name}: cannot be read line by line: {without_addresses(first_line(error))}"
            ) from error
        self._connection.execute(f"delete from {table} where line is null or trim(line) = ''")
        return self._json_table(table, name, number, ends_line) if as_json else self._loaded(number)

    def _json_table(self, table: str, name: str, number: int, ends_line: bool) -> LoadedInput:
        """Split JSON objects into a text column per key. Digits stay as written, nested values stay JSON."""
        run = self._connection.execute
        self._require_json_lines(table, name)
        # A NUL ends a text for many readers; of a key that stands twice one value would be lost.
        run(f"""
            create or replace table {table} as
            select *, case
                when not json_valid(line) then 'not a JSON object'
                when json_type(line) <> 'OBJECT' then 'not a JSON object'
                when len(json_keys(line)) > len(list_distinct(json_keys(line)))
                then 'a key stands there twice'
                when regexp_matches(line, '(?:^|[^\\\\])(?:\\\\\\\\)*\\\\u0000') then 'holds a NUL character'
            end as fault
            from {table}
        """)
        if not ends_line:
            last = run(
                f"select {SOURCE_ROW}, fault, line from {table} order by {SOURCE_ROW} desc limit 1"
            ).fetchone()
            if last and last[1] and last[2].lstrip().startswith("{"):
                raise LandingError(
                    f"{name}: line {last[0]}, the last one, is incomplete and has no line end: the file is "
                    "cut off. Deliver it again."
                )
        is_object = "fault is null"
        run(
            f"""
            insert into inputs.broken
            select ?, {SOURCE_ROW}, {SOURCE_ROW}, 'line ' || {SOURCE_ROW} || ': ' || fault, line
            from {table} where not {is_object}
            """,
            [number],
        )
        broken = run(f"select count(*) from {table} where not {is_object}").fetchone()[0]
        keys = [
            key
            for (key,) in run(f"""
                select key from (
                    select unnest(json_keys(line)) as key, {SOURCE_ROW} as place
                    from {table} where {is_object}
                ) group by key order by min(place), key
            """).fetchall()
        ]
        columns = _header(keys, name) if keys else ()
        paths = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys)
        values = ", ".join(
            f"fields[{place}] as {identifier(key)}" for place, key in enumerate(columns, start=1)
        )
        # DuckDB reads numbers as doubles and would round those of 17 digits and more: in such lines the
        # numbers are put in quotes first. Strings are consumed whole: nothing in them is taken for a number.
        exact = r"""
            case when regexp_matches(line, '[0-9.]{16,}') then array_to_string(list_transform(
                regexp_extract_all(line, '"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[^"0-9-]+'),
                lambda token:
                    case when regexp_matches(token, '^[-0-9]') then '"' || token || '"' else token end
            ), '') else line end"""
        run(f"""
            create or replace table {table} as
            select {SOURCE_ROW}{", " + values if values else ""}
            from (
                select {SOURCE_ROW}, json_extract_string({exact}, [{paths}]::varchar[]) as fields
                from {table} where {is_object}
            )
            order by {SOURCE_ROW}
        """)
        return LoadedInput((table,), columns, self._count_rows(table) + broken, broken, number)

    def _require_json_lines(self, table: str, name: str) -> None:
        """LandingError if the file is JSON but not an object per line, or none at all."""
        rows, objects = self._connection.execute(
            f"select count(*), count(*) filter (starts_with(trim(line), '{{') and json_valid(line)) "
            f"from {table}"
        ).fetchone()
        if not rows or objects:
            return
        first = self._connection.execute(f"select min_by(trim(line), {SOURCE_ROW}) from {table}").fetchone()[
            0
        ]
        if first.startswith("["):
            what = "is a JSON array"
        elif first.startswith("{"):
            what = "has JSON objects that go over several lines, or none that is whole"
        else:
            what = "has not one JSON object"
        raise LandingError(
            f"{name}: {what}, and one object per line is expected (jq -c '.[]' makes lines of an array)."
        )

    def load_postgres(self, source: Postgres) -> tuple[LoadedInput, str]:
        """Fetch a relation whole; gives the input and the hash of its content, in whatever order it came."""
        number = self._next()
        table = f"inputs.{identifier(str(number))}"
        fetch_relation(self._connection, table, source, SOURCE_ROW)
        loaded = self._loaded(number)
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
            f"allowed_paths = [{', '.join(literal(str(link)) for link, *_ in self._parquet_files)}]",
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


def _number_of(link: Path) -> int:
    """The number of the input that a link in the scratch folder stands for."""
    return int(link.name.removeprefix("input").split(".")[0])


def _no_parquet(error: duckdb.Error, link: Path, name: str) -> LandingError:
    shown = without_addresses(first_line(error)).replace(str(link), name)
    return LandingError(
        f"{name}: cannot be read as Parquet: {shown} The file is damaged, cut off, or of another format."
    )


def _first_record(head: str, options: CsvOptions) -> tuple[str, list[str]]:
    """The delimiter and the fields of the first line. Not given, it is the one that splits the line most."""

    def record(delimiter: str) -> list[str]:
        reader = csv.reader(io.StringIO(head, newline=""), **_dialect(delimiter, options.quote))
        return next(reader, [])

    previous = csv.field_size_limit(_MAX_LINE_BYTES)
    try:
        if options.delimiter:
            return options.delimiter, record(options.delimiter)
        best = max(_DELIMITERS, key=lambda delimiter: len(record(delimiter)))
        return best, record(best)
    finally:
        csv.field_size_limit(previous)


def _header(fields: list[str], name: str) -> tuple[str, ...]:
    """Column names from a header: trimmed, blank ones numbered. LandingError if two are the same to SQL."""
    columns = tuple(field.strip() or f"column{place}" for place, field in enumerate(fields, start=1))
    seen: dict[str, str] = {}
    for place, column in enumerate(columns, start=1):
        key = column.casefold()
        if key in seen:
            raise LandingError(
                f"{name}: two columns are called {column!r} (column {place} is the second; case does not "
                "count). Rename one where the file is made."
            )
        if key in (SOURCE_ROW, _PARQUET_ROW):
            raise LandingError(f"{name}: the column name {column!r} is reserved for the number of the row.")
        seen[key] = column
    return columns


@dataclass(frozen=True)
class _BrokenLine:
    """A record of a CSV file that is no row: its data row and its first physical line (both 1-based)."""

    source_row: int
    line: int
    reason: str
    content: str


class _Remembering:
    """Hands lines to the csv reader and keeps those of the record it is reading."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line


def _sift(
    path: Path, clean: Path, name: str, columns: tuple[str, ...], delimiter: str, options: CsvOptions
) -> list[_BrokenLine]:
    """Write the good rows, each with its number, to `clean`; gives the broken ones.

    The careful way for files that the fast one refused; about a microsecond per value. LandingError for a
    quote that is never closed, since it swallows the rows after it, and for a file that ends in half a row.
    """
    width = len(columns)
    header = [column.casefold() for column in columns]
    broken: list[_BrokenLine] = []
    previous = csv.field_size_limit(_MAX_LINE_BYTES)
    try:
        with (
            _open_binary(path) as binary,
            io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text,
            clean.open("w", encoding="utf-8", newline="") as out,
        ):
            lines = _Remembering(text)
            reader = csv.reader(
                lines, strict=True, skipinitialspace=True, **_dialect(delimiter, options.quote)
            )
            write = csv.writer(out, lineterminator="\n").writerow
            if options.header:
                next(reader)
            row = 0
            while True:
                line = reader.line_num + 1
                lines.taken.clear()
                reason = None
                try:
                    fields = next(reader)
                except StopIteration:
                    return broken
                except csv.Error as error:
                    if "field limit" in str(error) and len(lines.taken) == 1:
                        raise LandingError(
                            f"{name}: line {line} has a value longer than {_MAX_LINE_BYTES >> 20} MB, which "
                            "no value is: a line end or a quote is missing. Export it again."
                        ) from error
                    if len(lines.taken) > 1 or "end of data" in str(error) or "field limit" in str(error):
                        raise LandingError(
                            f"{name}: line {line}: a quote ({options.quote}) opened here is not closed "
                            "properly, so rows after it would be lost: the file is cut off, or a quote in a "
                            "value is not doubled. Export it again, or say `csv: {quote: ''}` if it has none."
                        ) from error
                    reason, is_short = "a quoted value is followed by something else than a delimiter", False
                else:
                    if not fields and width > 1:
                        continue
                    if len(fields) == width + 1 and not fields[-1]:
                        fields.pop()  # A delimiter at the end of the line.
                    is_short = len(fields) < width
                    if len(fields) != width and (fields or width > 1):
                        reason = f"{len(fields)} columns, expected {width}"
                    elif options.header and [field.strip().casefold() for field in fields] == header:
                        reason = "the header once more"
                row += 1
                content = "".join(lines.taken)
                if reason is None:
                    write((row, *(fields or ("",))))
                    continue
                if is_short and not content.endswith(("\n", "\r")):
                    raise LandingError(
                        f"{name}: line {line}, the last one, is incomplete and has no line end: the file is "
                        "cut off. Deliver it again."
                    )
                broken.append(_BrokenLine(row, line, reason, content.rstrip("\r\n")))
    finally:
        csv.field_size_limit(previous)


def _dialect(delimiter: str, quote: str) -> dict[str, Any]:
    """Arguments of csv.reader; an empty `quote` means that there is none."""
    if quote:
        return {"delimiter": delimiter, "quotechar": quote, "quoting": csv.QUOTE_MINIMAL}
    return {"delimiter": delimiter, "quotechar": None, "quoting": csv.QUOTE_NONE}
