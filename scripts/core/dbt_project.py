"""What `dbt_project.yml` declares, for those who start no dbt."""

from __future__ import annotations

from typing import Any

import yaml

from scripts.core.settings import Settings


def project_variables(settings: Settings) -> dict[str, Any]:
    """The dbt vars the project declares, with their defaults."""
    declared = yaml.safe_load((settings.project_root / "dbt_project.yml").read_text(encoding="utf-8"))
    return declared.get("vars") or {}
