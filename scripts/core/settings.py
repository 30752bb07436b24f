"""Where everything lies. The one place that reads the environment for paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """Paths of one warehouse; all absolute.

    `warehouse` is `TENURE_WAREHOUSE`, or `warehouse/` in the project root.
    """

    warehouse: Path
    project_root: Path = PROJECT_ROOT

    @classmethod
    def from_environment(cls) -> Settings:
        """Read `TENURE_WAREHOUSE`; a relative value is taken from the current directory, as a shell would."""
        value = os.environ.get("TENURE_WAREHOUSE")
        return cls(warehouse=Path(value).expanduser().resolve() if value else PROJECT_ROOT / "warehouse")

    @property
    def build_database(self) -> Path:
        """The pipeline's private DuckDB file: one writer, no readers."""
        return self.warehouse / "build.duckdb"

    @property
    def published(self) -> Path:
        """What readers may open: `analytics.duckdb`, `parquet/`, `manifest.json`, the report."""
        return self.warehouse / "published"

    @property
    def analytics_database(self) -> Path:
        """The DuckDB file analysts and BI tools open read-only."""
        return self.published / "analytics.duckdb"

    @property
    def runs(self) -> Path:
        """One JSON record per night."""
        return self.warehouse / "runs"

    @property
    def data_docs(self) -> Path:
        """The site that Great Expectations writes."""
        return self.warehouse / "data_docs"

    @property
    def lock_file(self) -> Path:
        """Held by whoever writes to the warehouse."""
        return self.warehouse / ".lock"

    @property
    def salt_file(self) -> Path:
        """The salt of the e-mail hashes, mode 600; `TENURE_HASH_SALT` goes before it."""
        return self.warehouse / ".salt"

    @property
    def forgotten_file(self) -> Path:
        """Salted hashes of the customers who were forgotten, mode 600."""
        return self.warehouse / ".forgotten"

    @property
    def audit_file(self) -> Path:
        """A line for each time customers were forgotten, mode 600; it says how many, not who."""
        return self.warehouse / "forgotten.jsonl"

    @property
    def dbt(self) -> Path:
        """dbt's target folder and logs."""
        return self.warehouse / "dbt"

    @property
    def scratch(self) -> Path:
        """Work files of a run in progress; whatever lies here between runs is litter."""
        return self.warehouse / ".scratch"
