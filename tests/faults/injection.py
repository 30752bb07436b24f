"""Strike a program at an exact point of what it does to a warehouse, from outside.

A small library (shim.c) is preloaded into the program and all it starts. It numbers each change below one
folder, made by Python or by DuckDB: opening for writing, writing, syncing, renaming, removing. A run without
a strike gives the list of points, another run strikes at one of them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scripts.core.settings import PROJECT_ROOT

ACTIONS = ("group", "torn", "parent", "self", "fill")

# What differs between two nights in names only.
_RUN_ID = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_PLACES = (
    (re.compile(r"\.json\.\d+$|\.published\.\d+$"), ".json.PID"),
    (re.compile(r"^dbt/target/(compiled|run)/.*"), r"dbt/target/\1/*"),
    (re.compile(r"(data_docs-RUN(\.former)?)/.*"), r"\1/*"),
    (re.compile(r"parquet/.*"), "parquet/*"),
    (re.compile(r"input\d+\..*"), "input*"),
)


@dataclass(frozen=True)
class Point:
    """One change below the folder: its number in the run, who made it, what it was, and where."""

    number: int
    pid: int
    deed: str
    path: str
    bytes: int

    @property
    def place(self) -> str:
        """The path without what differs between runs, or hardly matters: run ids, names of like files."""
        place = _RUN_ID.sub("RUN", self.path)
        for pattern, replacement in _PLACES:
            place = pattern.sub(replacement, place)
        return place

    @property
    def is_save_of_record(self) -> bool:
        """Whether a night's record gets its new content here."""
        return self.deed == "rename" and self.path.startswith("runs/")

    def __str__(self) -> str:
        return f"{self.number} {self.deed} {self.place}"


@dataclass(frozen=True)
class Struck:
    """What came of a run. `point` is None when the run ended before the point, or had none."""

    exit_code: int
    stdout: str
    stderr: str
    points: tuple[Point, ...]
    point: Point | None


def why_impossible() -> str | None:
    """Why nothing can be injected on this machine; None if it can."""
    if not sys.platform.startswith("linux"):
        return "faults are injected by LD_PRELOAD, which is Linux's"
    if shutil.which("cc") is None:
        return "needs a C compiler, cc, for the library that injects faults"
    return None


class Injection:
    """Runs commands on the warehouse `root`; `work`, outside it, holds the library and the logs."""

    def __init__(self, work: Path, root: Path) -> None:
        self.root = root.resolve()
        # Two commands may share a folder of work; they must not count each other's points.
        self._work = work / str(os.getpid())
        self._work.mkdir(parents=True, exist_ok=True)
        self._counter = self._work / "counter"
        self._log = self._work / "points"
        self.ballast = self.root.parent / "ballast"

    @cached_property
    def _library(self) -> Path:
        library = self._work / "shim.so"
        source = Path(__file__).with_name("shim.c")
        # Built anew each time: it takes a third of a second.
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        return library

    def run(
        self,
        command: Sequence[str],
        at: int = 0,
        action: str = "group",
        environment: dict[str, str] | None = None,
    ) -> Struck:
        """Run `command` in the project root, in a process group of its own, and strike at point `at`.

        `action` says how, see shim.c; 0 strikes never. Waits for the command itself, not for what it may have
        left behind (`end_orphans`).
        """
        self._counter.write_bytes(bytes(16))
        self._log.unlink(missing_ok=True)
        self._log.touch()
        given = {
            **os.environ,
            "TENURE_WAREHOUSE": str(self.root),
            **(environment or {}),
            "LD_PRELOAD": str(self._library),
            "FAULTS_ROOT": str(self.root),
            "FAULTS_COUNTER": str(self._counter),
            "FAULTS_LOG": str(self._log),
            "FAULTS_AT": str(at),
            "FAULTS_ACTION": action,
            "FAULTS_BALLAST": str(self.ballast),
        }
        out, err = self._work / "stdout", self._work / "stderr"
        # Into files: an orphan would keep pipes open.
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                command, cwd=PROJECT_ROOT, env=given, stdout=stdout, stderr=stderr, start_new_session=True
            )
            self.group = process.pid
            try:
                exit_code = process.wait()
            except BaseException:
                self.end_orphans()
                raise
        points = tuple(self._points())
        (_, struck_at) = struct.unpack("QQ", self._counter.read_bytes())
        struck = points[struck_at - 1] if struck_at else None
        return Struck(
            exit_code,
            out.read_text(encoding="utf-8", errors="replace"),
            err.read_text(encoding="utf-8", errors="replace"),
            points,
            struck,
        )

    def end_orphans(self) -> None:
        """Kill what is left of the last command's process group."""
        try:
            os.killpg(self.group, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _points(self) -> Iterable[Point]:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        found = []
        for line in lines:
            number, pid, deed, rest = line.split(" ", 3)
            path, size = rest.rsplit(" ", 1)
            found.append(Point(int(number), int(pid), deed, path, int(size)))
        # Two processes may write their lines in another order than they took their numbers.
        return sorted(found, key=lambda point: point.number)


def spread(points: Sequence[Point], count: int) -> list[Point]:
    """`count` of the points, in order and from begin to end, the same each time.

    Taken from the first, the last and a middle one of each kind (deed and place), so that a rename among a
    thousand writes has its turn.
    """
    kinds: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        kinds.setdefault((point.deed, point.place), []).append(point)
    some = {one.number: one for of in kinds.values() for one in (of[0], of[len(of) // 2], of[-1])}
    ordered = [some[number] for number in sorted(some)]
    count = min(count, len(ordered))
    return [ordered[place * (len(ordered) - 1) // max(count - 1, 1)] for place in range(count)]
