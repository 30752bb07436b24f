"""What several tests share: the reference data beside the project, and whole warehouses built once."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from scripts.core.settings import PROJECT_ROOT
from scripts.demo.company import generate
from scripts.demo.deliveries import write_company
from scripts.demo.parameters import Parameters
from tests.python.warehouses import Warehouse


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real input and published results: TENURE_SHARED, or `shared` beside the project."""
    folder = Path(os.environ.get("TENURE_SHARED") or PROJECT_ROOT.parent / "shared")
    if not (folder / "oracles" / "published.csv").exists():
        pytest.skip("needs the reference data: set TENURE_SHARED to their folder")
    return folder


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whoever asks for a warehouse that dbt has built is slow, and `make test-fast` goes on without."""
    if {"demo_warehouse", "online_retail"} & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


# The groups that take longest, the longest first; what follows fills the gaps that they leave.
LONG_GROUPS = (
    *("demo", "incremental", "online_retail", "forgotten", "stated", "small_shop", "growth", "killed_build"),
    *(
        "rule_files",
        "plans",
        "cdnow",
        "telco",
        "benchmark",
        "survival",
        "demo_data",
        "rates",
        "feedback_rules",
    ),
)


def _start_order(item: pytest.Item) -> int:
    marker = item.get_closest_marker("xdist_group")
    if marker and marker.args[0] in LONG_GROUPS:
        return LONG_GROUPS.index(marker.args[0])
    return len(LONG_GROUPS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long groups start first. Tests of a group must run in one worker, or the suite takes twice as long."""
    items.sort(key=_start_order)
    grouped = [item for item in items if item.get_closest_marker("xdist_group")]
    if getattr(config.option, "loadgroup", False) and any("@" not in item.nodeid for item in grouped):
        raise pytest.UsageError("pytest-xdist does not group tests with this pytest: pin an older one.")


@dataclass(frozen=True)
class PublishedResult:
    """A number of the literature, and how far from it we may be: its own rounding."""

    value: float
    tolerance: float

    def __eq__(self, other: object) -> bool:
        return abs(float(str(other)) - self.value) <= self.tolerance

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture(scope="session")
def published(shared: Path) -> dict[str, dict[str, PublishedResult]]:
    """What the models must reproduce, by oracle and quantity."""
    results: dict[str, dict[str, PublishedResult]] = {}
    with (shared / "oracles/published.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            results.setdefault(row["oracle"], {})[row["quantity"]] = PublishedResult(
                float(row["value"]), float(row["tolerance"])
            )
    return results


def _made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker to ask for it makes, for all workers of the session."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, made = root / name, root / f"{name}.made"
    with FileLock(root / f"{name}.lock"):
        if not made.exists():
            # What is left of one that failed.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small demo company, with all raw tables but `departures`. All workers read them."""
    return _made_once(
        tmp_path_factory,
        "demo_data",
        lambda folder: write_company(folder, generate(Parameters(customers=150))),
    )


@pytest.fixture(scope="session")
def demo_warehouse(tmp_path_factory: pytest.TempPathFactory, demo_data: Path) -> Warehouse:
    """The demo company, landed and built with a plain `dbt build`: all its tests have passed.

    All workers read it: whatever writes takes a copy.
    """

    def make(folder: Path) -> None:
        warehouse = Warehouse(folder)
        warehouse.land("demo", demo_data)
        warehouse.dbt("build", in_session=False)

    return Warehouse(_made_once(tmp_path_factory, "demo", make))


@pytest.fixture(scope="session")
def online_retail(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Warehouse:
    """Online Retail, through the whole night."""
    warehouse = Warehouse(tmp_path_factory.mktemp("online_retail"))
    warehouse.night("online_retail", shared / "data")
    return warehouse
