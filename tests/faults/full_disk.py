"""Fill the disk at points of the night: a real file system, a small one, filled to its last byte.

The warehouse lies on a tmpfs in a mount namespace of this process alone: nothing has to be unmounted
afterwards, however this ends. At the chosen point a file takes all the room that is left, and the run goes
on.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.core.errors import EXIT_MACHINE, EXIT_OK
from tests.faults.injection import Injection, Point, why_impossible
from tests.faults.kills import WEIGHTS, Trial, require_as_undisturbed, run_in_peace
from tests.faults.stage import Stage, phase_of
from tests.faults.verdicts import ViolationError, read_publication, require_free_lock, require_message

_INSIDE = "FAULTS_IN_NAMESPACE"
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
# A warehouse of the small company takes a tenth of it.
_MEGABYTES = 400
# What needs room; removing and renaming hardly ever do.
_NEEDS_ROOM = frozenset({"open", "write", "mkdir", "symlink", "link"})


@dataclass(frozen=True)
class Filled:
    """What was seen: the phase and the point, how the run ended and with which message, what readers had."""

    trial: Trial
    phase: str
    point: Point | None
    exit_code: int
    message: str
    readers: str


def why_no_disk() -> str | None:
    """Why no file system can be filled here; None if one can."""
    reason = why_impossible()
    if reason:
        return reason
    if shutil.which("unshare") is None:
        return "needs unshare, for a file system of its own"
    done = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True
    )
    return f"no file system can be mounted: {done.stderr.strip()}" if done.returncode else None


def enter_namespace() -> None:
    """Start this very command again where it may mount; returns in there."""
    if os.environ.get(_INSIDE):
        return
    command = [*NAMESPACE, sys.executable, "-m", "tests.faults", *sys.argv[1:]]
    os.execvpe(command[0], command, {**os.environ, _INSIDE: "1"})  # noqa: S606


def mount(folder: Path) -> Path:
    """A small file system at `folder`; only inside the namespace."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", str(folder)], check=True)
    return folder


def random_fillings(stage: Stage, seed: int) -> Iterator[Trial]:
    """Trials without end, the same for one seed and one list of points."""
    choice = random.Random(seed)  # noqa: S311
    while True:
        step = choice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        kinds: dict[tuple[str, str], list[int]] = {}
        for point in stage.points[step]:
            if point.deed in _NEEDS_ROOM:
                kinds.setdefault((point.deed, point.place), []).append(point.number)
        yield Trial(step, "fill", (choice.choice(choice.choice(list(kinds.values()))),))


def fill(stage: Stage, trial: Trial, disk: Path, work: Path) -> Filled:
    """Fill `disk` at the point; raises `ViolationError` if anything that must hold does not."""
    settings = stage.set_up(trial.step, disk / "warehouse")
    settings.warehouse.mkdir(exist_ok=True)
    injection = Injection(work / "injection", settings.warehouse)
    yesterday = stage.yesterday(trial.step)
    try:
        struck = injection.run(stage.command(trial.step), trial.points[0], "fill")
        phase = phase_of(settings) if trial.step == "night" else trial.step
        require_message(struck.exit_code, struck.stderr, {EXIT_MACHINE, EXIT_OK})
        message = struck.stderr[struck.stderr.find("Error: ") :] if struck.exit_code else ""
        if struck.exit_code and not all(
            words in message for words in ("The disk is full", "MB free", "Make room")
        ):
            raise ViolationError(f"the message does not say what to do: {message}")
        seen = read_publication(settings)
        if seen is None and yesterday is not None:
            raise ViolationError(f"readers had {yesterday}, and now have nothing")
        if struck.exit_code and seen != yesterday:
            raise ViolationError(f"the run failed, and readers have {seen} instead of {yesterday}")
        require_free_lock(settings)
    finally:
        injection.ballast.unlink(missing_ok=True)
        injection.end_orphans()
    run_in_peace(stage.command(trial.step), settings)
    require_as_undisturbed(stage, trial.step, settings)
    readers = "nothing" if seen is None else "yesterday's" if seen == yesterday else "today's"
    return Filled(trial, phase, struck.point, struck.exit_code, message, readers)
