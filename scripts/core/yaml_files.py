"""YAML files of the project: read as data, by libyaml where PyYAML has it, which is ten times faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """What a file says; an empty mapping if it says nothing."""
    # No code can come of it: the loader is the safe one.
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}  # noqa: S506
