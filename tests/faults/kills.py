"""Kill the night at its points, and look at what readers see and how the next run ends."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.core.errors import EXIT_LOCKED, EXIT_OK
from scripts.core.settings import Settings
from tests.faults.injection import Injection, Point
from tests.faults.stage import STEPS, Stage, phase_of, run_plain
from tests.faults.verdicts import (
    ViolationError,
    read_publication,
    require_free_lock,
    require_message,
    require_no_litter,
    require_same_built,
    require_same_raw,
)

# How a process may be struck, and how often each is tried.
KINDS = {"group": 6, "torn": 3, "parent": 2, "self": 2}
# A step alone is quick, a whole night is the real thing.
WEIGHTS = {"first-land": 3, "land": 6, "build": 3, "validate": 2, "publish": 6, "night": 4}
# The next night finds the lock held by what an orphan still does: it is retried as an orchestrator would.
ORPHAN_SECONDS = 180


@dataclass(frozen=True)
class Trial:
    """In which step, how, and at which points to kill, one after the other, before a run is left in peace."""

    step: str
    action: str
    points: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.step}:{self.action}:{','.join(map(str, self.points))}"

    @classmethod
    def parse(cls, text: str) -> Trial:
        """The reverse of `str`."""
        step, action, points = text.split(":")
        return cls(step, action, tuple(int(point) for point in points.split(",")))


@dataclass(frozen=True)
class Survived:
    """What was seen: the phases and points of the kills, what readers had, how the next run ended."""

    trial: Trial
    phases: tuple[str, ...]
    points: tuple[Point | None, ...]
    readers: tuple[str, ...]
    retries: int


def random_trials(stage: Stage, seed: int) -> Iterator[Trial]:
    """Trials without end, the same for one seed and one list of points; rare kinds of points come often."""
    choice = random.Random(seed)  # noqa: S311
    kinds: dict[str, dict[tuple[str, str], list[int]]] = {step: {} for step in STEPS}
    for step in STEPS:
        for point in stage.points[step]:
            kinds[step].setdefault((point.deed, point.place), []).append(point.number)
    while True:
        step = choice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        action = choice.choices(list(KINDS), list(KINDS.values()))[0]
        # Now and then the night after a killed one is killed too.
        count = choice.choices((1, 2, 3), (6, 2, 1))[0]
        points = [choice.choice(choice.choice(list(kinds[step].values()))) for _ in range(count)]
        yield Trial(step, action, tuple(points))


def kill(stage: Stage, trial: Trial, work: Path) -> Survived:
    """Do it on a fresh copy, in `work`. Raises `ViolationError` if anything that must hold does not."""
    settings = stage.set_up(trial.step, work / "warehouse")
    settings.warehouse.mkdir(exist_ok=True)
    injection = Injection(work / "injection", settings.warehouse)
    command = stage.command(trial.step)
    yesterday = stage.yesterday(trial.step)
    phases, points, readers = [], [], []
    try:
        for at in trial.points:
            struck = injection.run(command, at, trial.action)
            phases.append(phase_of(settings) if trial.step == "night" else trial.step)
            points.append(struck.point)
            if struck.exit_code > 0:
                # Struck was a child, or nobody: the run itself ended in its own way.
                require_message(struck.exit_code, struck.stderr, {1, 2, 5, 6, EXIT_LOCKED})
            seen = read_publication(settings)
            if seen is None and yesterday is not None:
                raise ViolationError(f"readers had {yesterday}, and now have nothing")
            readers.append("nothing" if seen is None else "yesterday's" if seen == yesterday else "today's")
            if trial.action in ("group", "torn"):
                require_free_lock(settings)
        retries = run_in_peace(command, settings)
        require_as_undisturbed(stage, trial.step, settings)
    finally:
        injection.end_orphans()
    return Survived(trial, tuple(phases), tuple(points), tuple(readers), retries)


def run_in_peace(command: list[str], settings: Settings) -> int:
    """Run the step until it is not told that another run is at it; how many times it was told so."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    retries = 0
    while True:
        exit_code, stderr = run_plain(command, settings, dict(os.environ))
        if exit_code != EXIT_LOCKED or time.monotonic() > deadline:
            require_message(exit_code, stderr, {EXIT_OK})
            return retries
        require_message(exit_code, stderr, {EXIT_LOCKED})
        retries += 1
        time.sleep(1)


def require_as_undisturbed(stage: Stage, step: str, settings: Settings) -> None:
    """The warehouse is as the step leaves it on an undisturbed night."""
    expected = stage.expected_first if step == "first-land" else stage.after
    require_free_lock(settings)
    require_no_litter(settings)
    require_same_raw(settings.build_database, Settings(expected).build_database, step != "first-land")
    if step in ("build", "validate", "publish", "night"):
        require_same_built(settings.build_database, Settings(expected).build_database)
    if step in ("publish", "night"):
        if read_publication(settings) == stage.yesterday(step):
            raise ViolationError("readers still have yesterday's publication after a good night")
        require_same_built(settings.analytics_database, Settings(expected).analytics_database, ("marts",))
    if step in ("validate", "night") and not (settings.data_docs / "index.html").is_file():
        raise ViolationError("there are no data docs after a good night")
