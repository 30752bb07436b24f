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
# A part of scripts/ counts unless it stands in NOT_FINGERPRINTED, so that a new one is not overlooked.
FINGERPRINTED = (
    "dbt_project.yml",
    "profiles.yml",
    "models/**/*",
    "macros/**/*",
    "seeds/**/*",
    "tests/dbt/**/*",
    "scripts/**/*",
)
# Packages and modules of scripts/ that can change neither a mart nor a check: a night uses none of them.
NOT_FINGERPRINTED = frozenset({"starter", "demo", "benchmark", "forget", "cli", "__main__"})


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
    """The project files that count, sorted; Python's caches, hidden files and `NOT_FINGERPRINTED` do not."""
    return sorted(
        path
        for pattern in FINGERPRINTED
        for path in project_root.glob(pattern)
        if path.is_file()
        and path.suffix != ".pyc"
        and not path.name.startswith(".")
        and _part_of_scripts(path.relative_to(project_root)) not in NOT_FINGERPRINTED
    )


def _part_of_scripts(path: Path) -> str | None:
    """The package or module of scripts/ that a file of the project belongs to; None for any other file.

    >>> _part_of_scripts(Path("scripts/demo/texts.py")), _part_of_scripts(Path("scripts/cli.py"))
    ('demo', 'cli')
    """
    return Path(path.parts[1]).stem if path.parts[0] == "scripts" else None
