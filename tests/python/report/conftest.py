"""The demo company's publication, which the tests here read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.core.settings import Settings
from scripts.publication.publications import publish
from tests.python.warehouses import Warehouse


@pytest.fixture(scope="session")
def demo_publication(demo_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a publication of the demo company, with its report. Whoever writes takes a copy."""
    settings = Settings(tmp_path_factory.mktemp("published_demo"))
    shutil.copyfile(demo_warehouse.settings.build_database, settings.build_database)
    return publish(settings, "20260701T030000Z").path


@pytest.fixture(scope="session")
def demo_manifest(demo_publication: Path) -> dict[str, Any]:
    """What the publication says of itself."""
    return json.loads((demo_publication / "manifest.json").read_text(encoding="utf-8"))
