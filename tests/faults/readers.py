"""Readers at work while publications come, go, are rolled back, die half-way and are cleaned up."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.publication.publications import GRACE, current_publication, list_publications
from tests.faults.injection import Injection
from tests.faults.stage import Stage, run_plain
from tests.faults.verdicts import ViolationError, require_message

# How long each reader dawdles between looking up the link and opening the files; none longer than the last.
DAWDLES = (0.0, 0.0, 0.5, 5.0)
# Publications that nobody was sent to for so long are made to look an hour older: then clean-up takes them.
AGED_AFTER_SECONDS = 20


@contextmanager
def reader(
    settings: Settings, output: Path | None = None, dawdle: float = 0.0
) -> Iterator[subprocess.Popen[str]]:
    """A reader in a process of its own, whose end must be a good one; it tells `output`, or a pipe."""
    with ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.reader", str(settings.published), str(dawdle)],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=stack.enter_context(output.open("w")) if output else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
            _, errors = process.communicate("\n")
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise ViolationError(f"a reader failed:\n{errors[-4000:]}")


def disturb(stage: Stage, work: Path, minutes: float, seed: int, say: Callable[[str], None]) -> Counter[str]:
    """Do what changes publications, at random, with readers at work; how often each was done, and read.

    Raises `ViolationError` when a reader met an error or a mixture.
    """
    choice = random.Random(seed)  # noqa: S311
    settings = stage.set_up("publish", work / "warehouse")
    injection = Injection(work / "injection", settings.warehouse)
    python = [sys.executable, "-m", "scripts"]
    counts: Counter[str] = Counter()
    replaced: dict[str, float] = {}
    outputs = [work / f"reader{number}.out" for number in range(len(DAWDLES))]
    end = time.monotonic() + minutes * 60
    with ExitStack() as stack:
        readers = [
            stack.enter_context(reader(settings, output, dawdle))
            for output, dawdle in zip(outputs, DAWDLES, strict=True)
        ]
        while time.monotonic() < end and all(process.poll() is None for process in readers):
            deed = choice.choices(("publish", "killed publish", "rollback", "rollback to"), (5, 3, 3, 2))[0]
            before = current_publication(settings)
            assert before is not None
            if deed == "publish":
                exit_code, stderr = run_plain([*python, "publish", "--keep", "1"], settings, dict(os.environ))
                require_message(exit_code, stderr, {0})
            elif deed == "killed publish":
                points = stage.points["publish"]
                # Half of them where the publication takes its place and old ones go.
                last = len(points)
                at = choice.choice((choice.randrange(1, last), choice.randrange(last - 20, last + 60)))
                injection.run([*python, "publish", "--keep", "1"], at, "group")
            else:
                named = [choice.choice(list_publications(settings)).run_id] if deed == "rollback to" else []
                exit_code, stderr = run_plain([*python, "rollback", *named], settings, dict(os.environ))
                # There may be none before the current one.
                require_message(exit_code, stderr, {0, 2})
            counts[deed] += 1
            _age(settings, before.run_id, replaced)
    counts["reads"] = sum(len(output.read_text().split()) for output in outputs)
    counts["publications read"] = len({run for output in outputs for run in output.read_text().split()})
    say(f"readers dawdled {DAWDLES} seconds and made {counts['reads']} rounds without an error")
    return counts


def _age(settings: Settings, former: str, replaced: dict[str, float]) -> None:
    """Let those that nobody can be about to open any more look an hour older."""
    now = time.monotonic()
    current = current_publication(settings)
    if current is None or current.run_id != former:
        replaced[former] = now
    for publication in list_publications(settings):
        run_id = publication.run_id
        if current is not None and run_id == current.run_id:
            replaced.pop(run_id, None)
        elif now - replaced.setdefault(run_id, now) > AGED_AFTER_SECONDS:
            long_ago = time.time() - GRACE.total_seconds() - 1
            os.utime(publication.path, (long_ago, long_ago))
