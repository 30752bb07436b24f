"""Adapters: the YAML files that map a company's exports to the raw contract.

`load_adapter` reads one and checks all that can be checked without the data. A message names the file, the
line, the key, and the nearest valid name. The SQL is only parsed here; `scripts.landing.mapping` runs it.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from scripts.contract.quality_limits import DRIFT_NAMES, FRESHNESS_NAMES, Freshness, QualityLimits
from scripts.contract.raw_tables import (
    COMPANY_SEGMENTS,
    CURRENCIES,
    RESERVED_SEGMENT_TYPES,
    SEGMENT_NAME,
    SEGMENT_PREFIX,
    SEGMENT_TYPES,
    TABLES,
    Kind,
    Table,
)
from scripts.contract.rule_files import OwnRules, read_own_rules
from scripts.core.dbt_project import project_variables
from scripts.core.errors import ConfigurationError
from scripts.core.settings import Settings
from scripts.core.text import composed, nearest
from scripts.landing.formats.format import Format
from scripts.landing.formats.registry import FORMATS, FORMATS_WITH_OPTIONS, format_by_extension
from scripts.landing.yaml_nodes import Node, Sql

DEFAULT_MAX_REJECT_SHARE = 0.05
DEFAULT_EARLIEST_DATE = date(1990, 1, 1)
DEFAULT_MAX_DAYS_AHEAD = 1
# How long the SQL of one table may work on one file; more than any sane mapping needs.
DEFAULT_MAX_MAPPING_MINUTES = 60.0
_MOST_DAYS_AHEAD = 36_500
_MOST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class Files:
    """Files of one kind; `patterns` are globs relative to the data folder. `format` None: by extension.

    `options` are what the adapter says of formats, by the name of the format.
    """

    patterns: tuple[str, ...]
    optional: bool = False
    format: str | None = None
    encoding: str = "utf-8"
    options: tuple[tuple[str, Hashable], ...] = ()

    def format_of(self, file: str) -> Format:
        """The format of one file; ConfigurationError if neither the adapter nor the extension tells."""
        if self.format:
            return FORMATS[self.format]
        found = format_by_extension(file)
        if found is None:
            raise ConfigurationError(
                f"{file}: the extension does not tell the format; give the table `format:` "
                f"(one of {', '.join(FORMATS)})."
            )
        return found

    def options_of(self, file_format: Format) -> Hashable:
        """What the adapter says of a format, or that format's defaults."""
        return dict(self.options).get(file_format.name, file_format.default_options)


@dataclass(frozen=True)
class Postgres:
    """A relation of a Postgres server. `connection` is the NAME of the environment variable with the URI."""

    connection: str
    relation: tuple[str, ...]

    @property
    def source_file(self) -> str:
        """What stands in `_source_file`."""
        return "postgres:" + ".".join(self.relation)


@dataclass(frozen=True)
class TableMapping:
    """How one canonical table is made from one kind of input: either `columns` (and `where`) or `query`."""

    table: Table
    input: Files | Postgres
    joins: dict[str, Files | Postgres]
    columns: dict[str, Sql]
    where: Sql | None
    query: Sql | None
    line: int
    # Changes with everything that can change the rows; a file landed under another hash is landed again.
    mapping_hash: str

    @property
    def company_segments(self) -> tuple[str, ...]:
        """The names of the segment types of its own that it fills, in alphabetical order."""
        if not self.table.has_company_segments:
            return ()
        own = (name for name in self.columns if name.startswith(SEGMENT_PREFIX))
        return tuple(sorted(name.removeprefix(SEGMENT_PREFIX) for name in own))


@dataclass(frozen=True)
class Adapter:
    """One company's adapter, checked."""

    name: str
    path: Path
    description: str
    data: Path | None
    variables: dict[str, str]
    timestamps_are_utc: bool
    max_reject_share: float
    earliest_date: date
    max_days_ahead: int
    max_mapping_minutes: float
    business_timezone: str
    reporting_currency: str
    mappings: tuple[TableMapping, ...]
    quality_limits: QualityLimits = field(default_factory=QualityLimits)
    own_rules: tuple[OwnRules, ...] = ()

    def tables(self) -> tuple[Table, ...]:
        """The tables the adapter fills, each once, in the contract's order."""
        named = {mapping.table.name for mapping in self.mappings}
        return tuple(table for name, table in TABLES.items() if name in named)


def adapter_path(source: str, settings: Settings) -> Path:
    """The file of an adapter: `demo` is `sources/demo.yml`; what ends in .yml or has a slash is a path."""
    if source.endswith((".yml", ".yaml")) or "/" in source or "\\" in source:
        path = Path(source).expanduser().resolve()
        if not path.is_file():
            raise ConfigurationError(
                f"No adapter at {path}: --source takes a name from sources/ or the path of a YAML file."
            )
        return path
    folder = settings.project_root / "sources"
    path = folder / f"{source}.yml"
    if not path.is_file():
        names = sorted(file.stem for file in folder.glob("*.yml"))
        raise ConfigurationError(f"No adapter {source!r} in {folder}{nearest(source, names)}")
    return path


def load_adapter(source: str, settings: Settings) -> Adapter:
    """Read and check an adapter by name or path; ConfigurationError with file, line and key."""
    path = adapter_path(source, settings)
    try:
        text = composed(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: byte {error.start} is not UTF-8: save the adapter in that encoding."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigurationError(
            f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}. Indent with blanks, not "
            "with tabs, and put SQL that has a colon or a quote at its start in double quotes."
        ) from error
    except RecursionError:
        raise ConfigurationError(f"{path}: is nested too deep to be an adapter.") from None
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value.strip()):
        raise ConfigurationError(f"{path}: the adapter is empty.")
    return _adapter(Node(path, "", root), path, settings)


_TOP_KEYS = (
    "description",
    "data",
    "vars",
    "timestamps",
    "max_reject_share",
    "earliest_date",
    "max_days_ahead",
    "freshness",
    "drift",
    "rules",
    "max_mapping_minutes",
    "undecided",
    "tables",
)
_FILE_KEYS = ("files", "format", "encoding", *FORMATS_WITH_OPTIONS)
_TABLE_KEYS = (*_FILE_KEYS, "optional", "postgres", "join", "columns", "where", "query", "undecided")
_JOIN_KEYS = (*_FILE_KEYS, "postgres")


def _adapter(root: Node, path: Path, settings: Settings) -> Adapter:
    entries, declared = root.entries(_TOP_KEYS), project_variables(settings)
    if "tables" not in entries:
        raise root.error("`tables:` is missing: it says where each canonical table comes from.")
    if entries["tables"].node.tag == "tag:yaml.org,2002:null":
        raise entries["tables"].error(
            "no table is in force: all below `tables:` is commented out. Fill the question marks of a table "
            "that is drafted there, then remove the # before each of its lines."
        )
    _require_answers(root, path)

    def read(key: str, reader: Callable[[Node], Any], default: Any) -> Any:
        return reader(entries[key]) if key in entries else default

    variables = read("vars", lambda node: _variables(node, declared), {})
    business_timezone = str(variables.get("business_timezone", declared.get("business_timezone", "UTC")))
    share = read("max_reject_share", lambda node: _share(node), DEFAULT_MAX_REJECT_SHARE)
    adapter = Adapter(
        name=path.stem,
        path=path,
        description=read("description", lambda node: node.text(), ""),
        data=read("data", lambda node: _folder(node, path), None),
        variables=variables,
        timestamps_are_utc=read("timestamps", lambda node: node.one_of(("business", "utc")), "business")
        == "utc",
        max_reject_share=share,
        earliest_date=read("earliest_date", _date, DEFAULT_EARLIEST_DATE),
        max_days_ahead=read("max_days_ahead", _days, DEFAULT_MAX_DAYS_AHEAD),
        max_mapping_minutes=read("max_mapping_minutes", _minutes, DEFAULT_MAX_MAPPING_MINUTES),
        business_timezone=business_timezone,
        reporting_currency=str(
            variables.get("reporting_currency", declared.get("reporting_currency", "USD"))
        ),
        mappings=(),
        quality_limits=_quality_limits(entries),
        own_rules=read("rules", lambda node: _own_rules(node, path, settings), ()),
    )
    mappings: list[TableMapping] = []
    for name, node in entries["tables"].entries(TABLES, "table").items():
        mappings += [_mapping(TABLES[name], item, adapter) for item in node.items()]
    if not mappings:
        raise entries["tables"].error("names no table.")
    own = sorted({name for mapping in mappings for name in mapping.company_segments})
    if own:
        variables[COMPANY_SEGMENTS] = ",".join(own)
    if "crossed_segments" in variables:
        _require_known_pairs(entries["vars"].entries()["crossed_segments"], (*SEGMENT_TYPES, *own))
    return Adapter(**{**adapter.__dict__, "mappings": tuple(mappings)})


def _require_answers(root: Node, path: Path) -> None:
    """ConfigurationError if questions stand under an `undecided:`, that of the adapter or of a table."""
    places = [
        root,
        *(item for table in root.entries()["tables"].entries().values() for item in table.items()),
    ]
    questions = [
        question
        for place in places
        if isinstance(place.node, yaml.MappingNode) and "undecided" in (entries := place.entries())
        for question in entries["undecided"].items()
        if question.node.value and question.node.value != "null"
    ]
    if questions:
        listed = "".join(f"\n  line {question.line}: {question.text()}" for question in questions)
        count = "a question waits" if len(questions) == 1 else f"{len(questions)} questions wait"
        raise ConfigurationError(
            f"{path}: {count} for an answer; nothing is landed before, since the numbers depend on it."
            f"{listed}\n"
            "Change the adapter where the answer asks for it, then remove the line of the question."
        )


def _folder(node: Node, adapter: Path) -> Path:
    """A folder as the adapter writes it: relative to the adapter."""
    return (adapter.parent / Path(node.text()).expanduser()).resolve()


def _own_rules(node: Node, adapter: Path, settings: Settings) -> tuple[OwnRules, ...]:
    folder = _folder(node, adapter)
    if not folder.is_dir():
        raise node.error(f"there is no folder {folder}; it is relative to the adapter.")
    return read_own_rules(folder, settings.project_root)


def _require_known_pairs(node: Node, known: tuple[str, ...]) -> None:
    """ConfigurationError for a pair of segment types that is not written `plan x country`, or not known."""
    for item in node.items():
        if item.node.value == []:
            continue
        pair = item.text().split(" x ")
        if len(pair) != 2 or pair[0] == pair[1]:
            raise item.error(f"{item.text()!r} is no pair: write two segment types as `plan x country`.")
        for name in pair:
            if name not in known:
                raise item.error(f"unknown segment type {name!r}{nearest(name, known)}")


def _share(node: Node) -> float:
    value = float(node.typed((int, float), "a number"))
    if not 0 <= value <= 1:
        raise node.error(f"{value:g} is not a share between 0 and 1.")
    return value


def _days(node: Node) -> int:
    value = node.typed(int, "a whole number of days")
    if value < 0:
        raise node.error("must not be negative.")
    if value > _MOST_DAYS_AHEAD:
        raise node.error(f"must not be above {_MOST_DAYS_AHEAD:,}.")
    return value


def _minutes(node: Node) -> float:
    value = float(node.typed((int, float), "a number of minutes"))
    if not 0 < value <= _MOST_MINUTES:
        raise node.error(f"{value:g} is not between 0 and {_MOST_MINUTES:,} minutes.")
    return value


def _quality_limits(entries: dict[str, Node]) -> QualityLimits:
    """What `freshness:` and `drift:` say; what they leave out is as by default."""
    general, tables = Freshness(), {}
    if "freshness" in entries:
        members = entries["freshness"].entries((*FRESHNESS_NAMES, "tables"))
        general = _freshness(entries["freshness"], members, Freshness())
        if "tables" in members:
            for name, node in members["tables"].entries(TABLES, "table").items():
                tables[name] = _freshness(node, node.entries(FRESHNESS_NAMES), general)
    drift = {}
    if "drift" in entries:
        smallest = {"deviations": 0, "smallest_shift": 0, "smallest_factor": 1}
        for name, node in entries["drift"].entries(DRIFT_NAMES).items():
            drift[name] = float(node.typed((int, float), "a number"))
            if drift[name] <= smallest[name]:
                raise node.error(f"must be more than {smallest[name]}.")
    return QualityLimits(general, tables, **drift)


def _freshness(node: Node, members: dict[str, Node], general: Freshness) -> Freshness:
    """Limits of age in days; `never` is no limit. What a table does not say is as for all tables."""
    limits = {name: getattr(general, name) for name in FRESHNESS_NAMES}
    for name in FRESHNESS_NAMES:
        if name in members:
            limits[name] = None if members[name].node.value == "never" else _days(members[name])
    warn, stop = (limits[name] for name in FRESHNESS_NAMES)
    if warn is not None and stop is not None and stop < warn:
        raise node.error(f"stop_after_days, {stop}, must not be less than warn_after_days, {warn}.")
    return Freshness(**limits)


def _date(node: Node) -> date:
    value = node.value() if isinstance(node.node, yaml.ScalarNode) else None
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime) or not isinstance(value, date):
        raise node.error(f"{getattr(node.node, 'value', 'this')!r} is not a date (YYYY-MM-DD).")
    return value


def _variables(node: Node, declared: dict[str, Any]) -> dict[str, str]:
    if isinstance(node.node, yaml.ScalarNode) and node.node.tag == "tag:yaml.org,2002:null":
        # `vars:` whose members are all commented out, as `new-source` may write it.
        return {}
    result = {}
    for name, value in node.entries(declared, "var").items():
        if name == COMPANY_SEGMENTS:
            raise value.error(
                f"is told by the columns `{SEGMENT_PREFIX}<name>` of customers; it is not set by itself."
            )
        result[name] = _variable(name, value, declared[name])
    return result


def _variable(name: str, node: Node, default: Any) -> str:
    """A var as text (lists comma-separated); its type is that of the project's default."""
    if isinstance(default, list):
        return ",".join(item.text() for item in node.items() if item.node.value != [])
    if name.endswith("_date"):
        return _date(node).isoformat()
    if isinstance(default, bool):
        return str(node.typed(bool, "true or false")).lower()
    if isinstance(default, int):
        return str(node.typed(int, "a whole number"))
    if isinstance(default, float):
        return str(node.typed((int, float), "a number"))
    text = node.text()
    if name == "reporting_currency" and text not in CURRENCIES:
        raise node.error(f"{text!r} is no ISO 4217 currency code{nearest(text, sorted(CURRENCIES))}")
    if name == "business_timezone":
        try:
            ZoneInfo(text)
        except (KeyError, ValueError, OSError) as error:
            raise node.error(f"{text!r} is no IANA time zone; write it as Europe/London or UTC.") from error
    return text


def _mapping(table: Table, node: Node, adapter: Adapter) -> TableMapping:
    entries = node.entries(_TABLE_KEYS)
    source = _input(node, entries)
    joins: dict[str, Files | Postgres] = {}
    if "join" in entries:
        for name, join in entries["join"].entries().items():
            if name == "source" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise join.error("the name of a joined input must be a plain word, and not `source`.")
            joins[name] = _input(join, join.entries(_JOIN_KEYS))
    if ("columns" in entries) == ("query" in entries):
        raise node.error("needs either `columns:` or `query:`, and not both.")
    columns: dict[str, Sql] = {}
    where = query = None
    if "columns" in entries:
        known = (*table.column_names, *_segment_columns(table, entries["columns"]))
        for name, column in entries["columns"].entries(known, "column").items():
            columns[name] = column.sql("select ({})")
        missing = [name for name in table.required_columns if name not in columns]
        if missing:
            raise entries["columns"].error(f"{table.name} requires {', '.join(missing)}.")
        where = entries["where"].sql("select 1 where ({})") if "where" in entries else None
    else:
        if "where" in entries:
            raise entries["where"].error("belongs to `columns:`; put the condition into the query.")
        query = entries["query"].sql("{}")
        if query.text.rstrip().endswith(";"):
            # It becomes a subquery.
            query = Sql(query.text.rstrip().removesuffix(";"), query.line)
    return TableMapping(
        table,
        source,
        joins,
        columns,
        where,
        query,
        node.line,
        _mapping_hash(table, source, joins, columns, where, query, adapter),
    )


def _segment_columns(table: Table, node: Node) -> list[str]:
    """The columns `segment_<name>` of a mapping; ConfigurationError for a name that is no segment type."""
    if not table.has_company_segments:
        return []
    found = []
    for column, member in node.entries().items():
        if not column.startswith(SEGMENT_PREFIX):
            continue
        name = column.removeprefix(SEGMENT_PREFIX)
        if name in RESERVED_SEGMENT_TYPES:
            raise member.error(f"{name!r} is a segment type that every company has; take another name.")
        if not re.fullmatch(SEGMENT_NAME, name):
            raise member.error(
                f"{name!r} names no segment type: small letters, digits and _, at most 30, as in "
                "segment_industry."
            )
        found.append(column)
    return found


def _mapping_hash(
    table: Table,
    source: Files | Postgres,
    joins: dict[str, Files | Postgres],
    columns: dict[str, Sql],
    where: Sql | None,
    query: Sql | None,
    adapter: Adapter,
) -> str:
    def described(value: Files | Postgres) -> str:
        # Which files there are is not part of it: one more pattern does not land the old ones again.
        if isinstance(value, Files):
            return repr((value.format, value.encoding, value.options))
        return repr(value)

    has_dates = any(column.kind is Kind.DATE for column in table.columns)
    parts = {
        "table": repr(table),
        "input": described(source),
        "joins": {name: described(join) for name, join in joins.items()},
        "columns": {name: sql.text for name, sql in columns.items()},
        "where": where.text if where else None,
        "query": query.text if query else None,
        "timestamps_are_utc": adapter.timestamps_are_utc,
        "earliest_date": adapter.earliest_date.isoformat(),
        "max_days_ahead": adapter.max_days_ahead,
        "timezone": adapter.business_timezone if has_dates else None,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _input(node: Node, entries: dict[str, Node]) -> Files | Postgres:
    if ("files" in entries) == ("postgres" in entries):
        raise node.error("needs either `files:` or `postgres:`, and not both.")
    if "postgres" in entries:
        for key in ("format", "encoding", *FORMATS_WITH_OPTIONS, "optional"):
            if key in entries:
                raise entries[key].error("belongs to `files:`, not to `postgres:`.")
        return _postgres(entries["postgres"])
    patterns = tuple(_pattern(item) for item in entries["files"].items())
    if not patterns:
        raise entries["files"].error("names no file.")
    file_format = entries["format"].one_of(FORMATS) if "format" in entries else None
    options = []
    for name, one in FORMATS_WITH_OPTIONS.items():
        if name in entries:
            options.append((name, one.read_options(entries[name])))
            if file_format not in (None, name):
                raise entries[name].error(f"belongs to `format: {name}`, not to `format: {file_format}`.")
    encoding = _encoding(entries["encoding"]) if "encoding" in entries else "utf-8"
    optional = entries["optional"].typed(bool, "true or false") if "optional" in entries else False
    return Files(patterns, optional, file_format, encoding, tuple(options))


def _pattern(node: Node) -> str:
    pattern = node.text()
    parts = PurePosixPath(pattern)
    if "\0" in pattern or not parts.parts or any("**" in part and part != "**" for part in parts.parts):
        raise node.error(f"{pattern!r} is no pattern: `**` stands alone between slashes, as in a/**/*.csv.")
    if parts.parts[-1] == "**":
        raise node.error(f"{pattern!r} names folders; for the files in them write {pattern}/*.csv.")
    if parts.is_absolute() or ".." in parts.parts or "\\" in pattern:
        raise node.error(
            f"{pattern!r} must be relative to the data folder, with forward slashes and without `..`; "
            "choose the folder with --data, TENURE_DATA or `data:`."
        )
    return pattern


def _postgres(node: Node) -> Postgres:
    entries = node.entries(("connection", "relation"))
    for key in ("connection", "relation"):
        if key not in entries:
            raise node.error(f"`{key}:` is missing.")
    connection = entries["connection"].text()
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", connection):
        # The value is not shown: it may well be the URI itself, with its password.
        raise entries["connection"].error(
            "must be the name of an environment variable that holds the URI (for example "
            "MYSHOP_POSTGRES_URL), never the URI itself."
        )
    relation = tuple(entries["relation"].text().split("."))
    if not 1 <= len(relation) <= 2 or not all(part.strip() for part in relation):
        raise entries["relation"].error("must be `table` or `schema.table`.")
    return Postgres(connection, relation if len(relation) == 2 else ("public", *relation))


def _encoding(node: Node) -> str:
    name = node.text()
    try:
        "".encode(name)
        b"".decode(name)
        return codecs.lookup(name).name
    except (LookupError, TypeError, AttributeError) as error:
        known = ("utf-8", "utf-16", "cp1252", "cp1258", "latin-1", "iso8859-15", "shift_jis", "gb18030")
        raise node.error(f"{name!r} is no encoding that Python knows{nearest(name, known)}") from error
