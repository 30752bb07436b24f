"""What must hold after a fault: readers see one whole publication, and the next run mends the rest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
from filelock import lock_descriptor

from scripts.core.settings import Settings
from scripts.core.sql import identifier, literal
from scripts.publication.publications import current_publication
from tests.python.warehouses import mart_differences

# The clock's, in raw: all else is the same however often a night was killed.
_LOAD_TIMES = frozenset({"_loaded_at", "loaded_at"})
# Who validated when: a killed night's validation is in it too, as it should.
_HISTORY = ("check_results", "stg_check_results", "fct_data_quality")
# What a warehouse's own salt goes into.
_SALTED = frozenset({"email_hash", "mapping_hash"})


class ViolationError(AssertionError):
    """Something that must hold does not."""


def read_publication(settings: Settings) -> str | None:
    """Open what readers are sent to, all of it; its run id, or None when nothing is published.

    Raises `ViolationError` if a part is missing, or differs from the manifest in rows or bytes.
    """
    if not settings.published.is_symlink():
        return None
    folder = settings.published.resolve()
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
            for name, mart in manifest["marts"].items():
                file = folder / mart["parquet"]
                for relation in (
                    f"marts.{identifier(name)}",
                    f"read_parquet({literal(str(file))})",
                ):
                    # Reads the columns too: a count alone would be answered from the footer.
                    rows = connection.execute(
                        f"select count(*), max(hash(r)) from {relation} as r"
                    ).fetchone()
                    if rows is None or rows[0] != mart["rows"]:
                        raise ViolationError(f"{relation} has {rows} rows, the manifest says {mart['rows']}")
                _require_bytes(file, mart["sha256"])
        _require_bytes(folder / manifest["database"]["path"], manifest["database"]["sha256"])
    except (OSError, ValueError, KeyError, duckdb.Error) as error:
        raise ViolationError(f"{folder} cannot be read: {error!r}") from error
    if manifest["run_id"] != folder.name:
        raise ViolationError(f"{folder} holds the manifest of {manifest['run_id']}")
    return folder.name


def _require_bytes(file: Path, sha256: str) -> None:
    with file.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
            raise ViolationError(f"{file} is not what the manifest says")


def require_free_lock(settings: Settings) -> None:
    """Nobody holds the warehouse's lock."""
    if not settings.lock_file.exists():
        return
    with settings.lock_file.open("rb") as file:
        if not lock_descriptor(file.fileno(), blocking=False):
            raise ViolationError(f"{settings.lock_file} is held")


def require_same_raw(one: Path, other: Path, one_salt: bool = True) -> None:
    """The build files hold the same raw rows, but for the time of loading, and every row read is there.

    Without `one_salt` they were made with a salt of their own each.
    """
    ignored = _LOAD_TIMES if one_salt else _LOAD_TIMES | _SALTED
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(str(one))} as one (read_only)")
        connection.execute(f"attach {literal(str(other))} as other (read_only)")
        names = connection.execute(
            "select distinct table_name from duckdb_tables() where schema_name = 'raw' order by 1"
        ).fetchall()
        differences: dict[str, Any] = {}
        for (name,) in names:
            if name in _HISTORY:
                continue
            columns = [
                row[0]
                for row in connection.execute(f"describe other.raw.{identifier(name)}").fetchall()
                if row[0] not in ignored
            ]
            listed = ", ".join(identifier(column) for column in columns)
            count = connection.execute(
                f"""
                select count(*) from (
                    (select {listed} from one.raw.{identifier(name)}
                    except all select {listed} from other.raw.{identifier(name)})
                    union all
                    (select {listed} from other.raw.{identifier(name)}
                    except all select {listed} from one.raw.{identifier(name)})
                )
                """
            ).fetchone()
            if count != (0,):
                differences[name] = count and count[0]
        (lost,) = connection.execute(
            "select count(*) from one.raw.loads where rows_read <> rows_accepted + rows_rejected"
        ).fetchone() or (None,)
        if differences or lost:
            raise ViolationError(f"raw differs: {differences}; loads with lost rows: {lost}")


def require_same_built(
    one: Path, other: Path, schemas: tuple[str, ...] = ("staging", "intermediate", "marts")
) -> None:
    """The two databases hold the same rows in all tables of these schemas."""
    for schema in schemas:
        differences = mart_differences(one, other, schema)
        # The note of what was built when: with other code than a night before, and by batches, it may differ.
        differences.pop("incremental_state", None)
        for name in _HISTORY:
            differences.pop(name, None)
        if differences:
            raise ViolationError(f"{schema} differs: {differences}")
        with duckdb.connect(str(one), read_only=True) as connection:
            left = connection.execute(
                "select table_name from information_schema.tables "
                "where table_schema = ? and table_name like '%\\_\\_dbt\\_%' escape '\\'",
                [schema],
            ).fetchall()
        if left:
            raise ViolationError(f"dbt's temporary tables are left in {schema}: {left}")


def require_no_litter(settings: Settings) -> None:
    """Nothing half done lies about, and no record says that a dead run is running."""
    patterns = (
        ".scratch/*",
        ".published.*",
        ".lock.json*",
        ".salt.*",
        "publications/.*",
        "runs/.*",
        "*.wal",
        "*.tmp",
    )
    litter = [
        path.relative_to(settings.warehouse).as_posix()
        for pattern in patterns
        for path in settings.warehouse.glob(pattern)
    ]
    if litter:
        raise ViolationError(f"litter: {', '.join(sorted(litter))}")
    for path in settings.runs.glob("*.json") if settings.runs.is_dir() else ():
        try:
            status = json.loads(path.read_text(encoding="utf-8"))["status"]
        except (ValueError, KeyError) as error:
            raise ViolationError(f"the record {path.name} cannot be read: {error!r}") from error
        if status == "running":
            raise ViolationError(f"the record {path.name} says that the run is running")


def require_message(exit_code: int, stderr: str, allowed: set[int]) -> None:
    """The run ended with one of these codes and a message, not a traceback."""
    if exit_code not in allowed:
        raise ViolationError(f"exit code {exit_code}, not one of {sorted(allowed)}:\n{stderr[-4000:]}")
    if "Traceback" in stderr or "defect of Tenure" in stderr:
        raise ViolationError(f"a traceback, exit code {exit_code}:\n{stderr[-4000:]}")


def current_run(settings: Settings) -> str | None:
    """The run id of the current publication."""
    publication = current_publication(settings)
    return publication.run_id if publication else None
