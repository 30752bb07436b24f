"""What a publication is made from, as one hash: a night that finds the same need not do the work again."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import duckdb

from scripts.core.settings import Settings
from scripts.publication.publications import tool_versions

# What the marts and the checks are made from: a change in one of these files is a reason to build again.
FINGERPRINTED = (
    "dbt_project.yml",
    "profiles.yml",
    "models/**/*",
    "macros/**/*",
    "seeds/**/*",
    "tests/dbt/**/*",
    "scripts/**/*",
)


def compute_fingerprint(settings: Settings, as_of: date | None) -> str:
    """A hash of what a publication is made from: landed data, company settings, as-of date, project, tools.

    Two runs with one fingerprint would publish the same marts; no model reads the clock.
    """
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        landed = connection.execute("select max(batch_id), max(source_name) from raw.loads").fetchone()
        company = connection.execute("select name, value from raw.settings order by all").fetchall()
    parts = {
        "landed": landed,
        "company": company,
        "as_of": as_of.isoformat() if as_of else None,
        "tools": tool_versions(),
        "project": {
            str(path.relative_to(settings.project_root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in fingerprinted_files(settings.project_root)
        },
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def fingerprinted_files(project_root: Path) -> list[Path]:
    """The project files that count, sorted; Python's caches and hidden files do not."""
    return sorted(
        path
        for pattern in FINGERPRINTED
        for path in project_root.glob(pattern)
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    )
