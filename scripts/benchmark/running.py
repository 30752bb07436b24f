"""A benchmark at one size: make the company, run its nights, and measure what they are compared with."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.benchmark import agreement, value_models
from scripts.benchmark.company import Company
from scripts.benchmark.files import ADAPTER
from scripts.benchmark.goals import ratios
from scripts.benchmark.measuring import Measured, run_measured
from scripts.benchmark.nights import Night, run_night
from scripts.benchmark.process_tree import can_measure
from scripts.core.errors import CheckFailedError, MachineError
from scripts.core.progress import LOGGER
from scripts.core.settings import PROJECT_ROOT, Settings

# What can be left out.
PARTS = ("night", "day", "floor", "pandas", "lifetimes")

# As many as dbt runs nodes at a time, see profiles.yml.
THREADS = 2

DEMO = "demo"


@dataclass(frozen=True)
class Wanted:
    """What to measure. `customers` is None for the demo company, which is drawn another way.

    `folder` is where files and warehouse are written; it is empty, or does not exist.
    """

    size: str
    customers: int | None
    seed: int
    has_relationships: bool
    parts: tuple[str, ...]
    folder: Path


def run(wanted: Wanted) -> dict[str, Any]:
    """Measure all that is wanted; the result as plain data, see docs/performance.md for what is in it.

    Raises `CheckFailedError` when a night does not end well. That marts and floor differ is in the result,
    under `agreement`: whoever prints it fails with it.
    """
    result: dict[str, Any] = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "size": {
            "name": wanted.size,
            "customers": wanted.customers,
            "seed": wanted.seed,
            "has_relationships": wanted.has_relationships,
        },
        "notes": []
        if can_measure()
        else ["Memory and bytes written: this machine does not tell (no /proc)."],
    }
    wanted.folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(wanted.folder / "warehouse")
    if wanted.customers is None:
        _run_demo(wanted, settings, result)
    else:
        _run_company(wanted, settings, result)
    result["machine"]["load_at_the_end"] = _load()
    result["ratios"] = [dataclasses.asdict(ratio) for ratio in ratios(result)]
    return result


def _run_company(wanted: Wanted, settings: Settings, result: dict[str, Any]) -> None:
    folder, data = wanted.folder, wanted.folder / "data"
    options = ["relationships"] if wanted.has_relationships else []
    arguments = [str(folder), str(wanted.customers), str(wanted.seed), *options]
    LOGGER.info("benchmark: %s customers are made up", f"{wanted.customers:,}")
    measured, told = _module("files", *arguments)
    result["data"] = {**told, **measured.used()}

    if "floor" in wanted.parts:
        result["floor"] = _floor(folder)
    if "night" in wanted.parts:
        LOGGER.info("benchmark: a night")
        result["night"] = _told(run_night(settings, str(folder / ADAPTER), data))
        if "floor" in wanted.parts:
            result["agreement"] = _agreement(wanted, settings, "first night")
            LOGGER.info("benchmark: the marts, written plainly")
            measured, told = _module(
                "plain_copy", str(settings.analytics_database), str(folder / "copy"), str(THREADS)
            )
            shutil.rmtree(folder / "copy")
            result["plain_copy"] = {**told, **measured.used()}
    if "pandas" in wanted.parts:
        result["pandas"] = _pandas(folder, result["notes"])
    if "lifetimes" in wanted.parts:
        LOGGER.info("benchmark: the value models, and lifetimes")
        company = Company(wanted.customers or 0, wanted.seed)
        result["value_models"] = value_models.measure(company.customers, wanted.seed)
    if {"night", "day"} <= set(wanted.parts):
        LOGGER.info("benchmark: one more day")
        measured, told = _module("files", *arguments, "day")
        result["day_data"] = {**told, **measured.used()}
        result["day"] = _told(run_night(settings, str(folder / ADAPTER), data))
        if "floor" in wanted.parts:
            _floor(folder, "day")
            result["agreement"] += _agreement(wanted, settings, "one more day")


def _run_demo(wanted: Wanted, settings: Settings, result: dict[str, Any]) -> None:
    """The demo company, which has every table, in files of every kind: nights only."""
    from scripts.demo.company import generate
    from scripts.demo.deliveries import write_company
    from scripts.demo.parameters import Parameters

    company = generate(Parameters(seed=wanted.seed))
    data = wanted.folder / "data"
    last = company.parameters.until
    result["notes"].append("The demo has no floor: its files are of many kinds. Nights only.")
    if "night" in wanted.parts:
        write_company(data, company, up_to=last - timedelta(days=1))
        LOGGER.info("benchmark: a night")
        result["night"] = _told(run_night(settings, "demo", data))
    if {"night", "day"} <= set(wanted.parts):
        write_company(data, company, up_to=last)
        LOGGER.info("benchmark: one more day")
        result["day"] = _told(run_night(settings, "demo", data))


def _floor(folder: Path, *options: str) -> dict[str, Any]:
    LOGGER.info("benchmark: the floor%s", f" ({', '.join(options)})" if options else "")
    measured, steps = _module("floor", str(folder), str(folder / "floor.duckdb"), str(THREADS), *options)
    return {
        "steps": {step["step"]: {name: step[name] for name in ("seconds", "cpu_seconds")} for step in steps},
        **measured.used(),
        # Without the start of Python, which is no part of a question.
        "seconds": sum(step["seconds"] for step in steps),
        "cpu_seconds": sum(step["cpu_seconds"] for step in steps),
    }


def _agreement(wanted: Wanted, settings: Settings, after: str) -> list[dict[str, Any]]:
    LOGGER.info("benchmark: the marts against the floor, %s", after)
    found = agreement.compare(
        wanted.folder / "floor.duckdb",
        settings.analytics_database,
        has_relationships=wanted.has_relationships,
    )
    return [{"after": after, **dataclasses.asdict(one)} for one in found]


def _pandas(folder: Path, notes: list[str]) -> dict[str, Any] | None:
    if find_spec("pandas") is None:
        notes.append("pandas is not installed; it comes with requirements-dev.lock.")
        return None
    LOGGER.info("benchmark: plain pandas")
    script = Path(__file__).with_name("plain_pandas.py")
    try:
        measured, told = _command([sys.executable, str(script), str(folder)], "plain pandas")
    except MachineError as error:
        notes.append(str(error))
        return None
    return {**told, **measured.used(), "seconds": told["seconds"], "cpu_seconds": told["cpu_seconds"]}


def _module(name: str, *arguments: str) -> tuple[Measured, Any]:
    """Run a module of this package as a process of its own; what it used, and the JSON it prints."""
    return _command([sys.executable, "-m", f"scripts.benchmark.{name}", *arguments], name)


def _command(command: list[str], name: str) -> tuple[Measured, Any]:
    measured = run_measured(command, folder=PROJECT_ROOT, environment=os.environ)
    if measured.exit_code < 0 or "MemoryError" in measured.messages:
        raise MachineError(f"{name} was stopped (no memory is left?): take fewer customers, or leave it out.")
    if measured.exit_code:
        raise CheckFailedError(
            f"{name} ended with exit code {measured.exit_code}:\n{measured.messages[-4000:]}"
        )
    return measured, json.loads(measured.output)


def _told(night: Night) -> dict[str, Any]:
    return dataclasses.asdict(night)


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "processors": os.cpu_count(),
        "memory_bytes": _memory(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("duckdb", "dbt-core")},
        "load_at_the_start": _load(),
    }


def _memory() -> int | None:
    names = ("SC_PHYS_PAGES", "SC_PAGE_SIZE")
    if not all(name in os.sysconf_names for name in names):
        return None
    pages, size = (os.sysconf(name) for name in names)
    return pages * size


def _load() -> float | None:
    """Processes that wanted a processor in the last minute: with more than there are, times mean little."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
