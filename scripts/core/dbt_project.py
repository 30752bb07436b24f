"""What `dbt_project.yml` declares, for those who start no dbt."""

from __future__ import annotations

from typing import Any

from scripts.core.settings import Settings
from scripts.core.yaml_files import read_yaml


def project_variables(settings: Settings) -> dict[str, Any]:
    """The dbt vars the project declares, with their defaults."""
    return read_yaml(settings.project_root / "dbt_project.yml").get("vars") or {}
