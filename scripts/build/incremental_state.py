"""What the incremental models were computed by, and whether it still holds.

dbt's graph tells each of them its own code and that of the models before it, but not that of the macros they
call, nor the versions of the tools; those are compared here, before dbt runs. The notes stand in the build
file, in `intermediate.incremental_state`, see macros/increments.sql.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import duckdb

# The name of our own note among those of the models.
MACROS = "macros"

# Another version of these may compute other digits.
_TOOLS = ("dbt-core", "dbt-duckdb", "duckdb")


def macros_fingerprint(project_root: Path) -> str:
    """A hash of the files in macros/ and of the tools that run them."""
    parts = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in _TOOLS).encode())
    for path in sorted((project_root / "macros").rglob("*.sql")):
        parts.update(f"\n{path.relative_to(project_root).as_posix()}\n".encode() + path.read_bytes())
    return parts.hexdigest()


def read_fingerprints(database: Path) -> dict[str, str]:
    """By what each incremental model was last computed, and our own note; empty before the first build."""
    with duckdb.connect(str(database), read_only=True) as connection:
        if not connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'intermediate' "
            "and table_name = 'incremental_state'"
        ).fetchone():
            return {}
        return dict(
            connection.execute(
                "select model_name, fingerprint from intermediate.incremental_state"
            ).fetchall()
        )


def remember_macros(database: Path, fingerprint: str) -> None:
    """Note by which macros everything incremental has been computed."""
    with duckdb.connect(str(database)) as connection:
        connection.execute("begin")
        connection.execute("delete from intermediate.incremental_state where model_name = ?", [MACROS])
        connection.execute(
            "insert into intermediate.incremental_state (model_name, fingerprint) values (?, ?)",
            [MACROS, fingerprint],
        )
        connection.execute("commit")


def have_macros_changed(former: Mapping[str, str], fingerprint: str) -> bool:
    """Whether incremental models hold rows that other macros may have computed."""
    return bool(former) and former.get(MACROS) != fingerprint


def computed_anew(former: Mapping[str, str], present: Mapping[str, str]) -> tuple[str, ...]:
    """The models that started over, since what they are computed by has changed; new ones are not told.

    >>> computed_anew({"a": "1", "b": "1"}, {"a": "1", "b": "2", "c": "1"})
    ('b',)
    """
    return tuple(
        name
        for name, fingerprint in sorted(present.items())
        if name != MACROS and former.get(name, fingerprint) != fingerprint
    )
