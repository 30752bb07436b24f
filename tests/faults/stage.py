"""The warehouses that faults are tried on: as they are before a night, and as a good one leaves them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.demo.company import generate
from scripts.demo.deliveries import write_deliveries
from scripts.demo.parameters import Parameters
from tests.faults.injection import Injection, Point
from tests.faults.verdicts import current_run

# Two deliveries of the demo company: the second has new files, changed orders and corrected files.
FIRST, SECOND = date(2026, 6, 25), date(2026, 6, 30)

STEPS = ("first-land", "land", "build", "validate", "publish", "night")

# Each save of a night's record begins or ends one of its steps.
PHASES = ("start", "start", "land", "land", "build", "build", "validate", "validate", "publish", "end", "end")


@dataclass
class Stage:
    """Everything below `work`. `before[step]` is where a step starts, `after` what a good night leaves."""

    work: Path
    customers: int
    data: dict[date, Path] = field(default_factory=dict)
    before: dict[str, Path] = field(default_factory=dict)
    points: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    expected_first: Path = Path()
    after: Path = Path()

    def command(self, step: str) -> list[str]:
        """The command line of a step."""
        python = [sys.executable, "-m", "scripts"]
        delivery = self.data[FIRST if step.startswith("first-") else SECOND]
        given = ["--source", "demo", "--data", str(delivery)]
        if step.endswith("night"):
            return [*python, "nightly", *given]
        if step.endswith("land"):
            return [*python, "land", *given]
        return [*python, step]

    def prepare(self, say: Callable[[str], None]) -> None:
        """Run two good nights and keep a copy of the warehouse before each step of the second."""
        company = generate(Parameters(customers=self.customers))
        for day, folder in write_deliveries(self.work / "data", company):
            if day in (FIRST, SECOND):
                self.data[day] = folder
            else:
                shutil.rmtree(folder)
        self.after = self.work / "after"
        self.before["first-land"] = self.work / "nothing"
        self._good("first-land", self.after, say)
        self.expected_first = self._copy(self.after, "expected-first")
        self._good("first-night", self.after, say)
        self.before["land"] = self.before["night"] = self._copy(self.after, "before-land")
        self._good("night", self.after, say)
        # The same night, step by step; what dbt would build is there already.
        stepwise = self._copy(self.before["land"], "stepwise")
        self._good("land", stepwise, say)
        self.before["build"] = self._copy(stepwise, "before-build")
        shutil.copyfile(self.after / "build.duckdb", stepwise / "build.duckdb")
        self.before["validate"] = self.before["publish"] = self._copy(stepwise, "before-publish")
        for step in ("validate", "publish"):
            self._good(step, stepwise, say)
        shutil.rmtree(stepwise)
        self.points["build"] = self._of_phase("build")

    def _good(self, step: str, warehouse: Path, say: Callable[[str], None]) -> None:
        """Run a step that nobody disturbs, and keep its points."""
        struck = Injection(self.work / "injection", warehouse).run(self.command(step))
        if struck.exit_code != 0:
            raise RuntimeError(f"{step} failed without any fault:\n{struck.stderr[-4000:]}")
        self.points[step] = struck.points
        say(f"{step} without a fault: {len(struck.points):,} points")

    def _copy(self, warehouse: Path, name: str) -> Path:
        return shutil.copytree(warehouse, self.work / name, symlinks=True)

    def _of_phase(self, phase: str) -> tuple[Point, ...]:
        """The points of a phase of the night, numbered as if it were run alone: about right."""
        saves, found = 0, []
        for point in self.points["night"]:
            if PHASES[saves] == phase and not point.path.startswith("runs/"):
                found.append(replace(point, number=len(found) + 1))
            saves += point.is_save_of_record
        return tuple(found)

    def set_up(self, step: str, warehouse: Path) -> Settings:
        """A fresh copy of the warehouse as it is before `step`."""
        remove(warehouse)
        if self.before[step].exists():
            shutil.copytree(self.before[step], warehouse, symlinks=True)
        return Settings(warehouse)

    def yesterday(self, step: str) -> str | None:
        """What readers see before the step."""
        return current_run(Settings(self.before[step])) if self.before[step].exists() else None

    def points_of_phases(self) -> dict[str, int]:
        """How many points the undisturbed night has, by phase."""
        counts = dict.fromkeys(PHASES, 0)
        saves = 0
        for point in self.points["night"]:
            counts[PHASES[saves]] += 1
            saves += point.is_save_of_record
        return counts


def phase_of(settings: Settings) -> str:
    """The last phase that the newest record knows; `-` without a record."""
    records = sorted(settings.runs.glob("[0-9]*.json")) if settings.runs.is_dir() else []
    try:
        steps = json.loads(records[-1].read_text(encoding="utf-8")).get("steps", [])
    except (IndexError, ValueError):
        return "-"
    if not steps:
        return "start"
    return steps[-1]["step"] + ("" if steps[-1]["status"] == "running" else " done")


def remove(folder: Path) -> None:
    """Remove a warehouse, read-only files and all."""
    if folder.exists():
        shutil.rmtree(folder)


def run_plain(command: list[str], settings: Settings, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command on the warehouse without any fault; exit code and what it said."""
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={**environment, "TENURE_WAREHOUSE": str(settings.warehouse)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr
