"""Run a command and see what it and all it starts use, moment by moment."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmark.process_tree import Usage, can_measure, usage_of, written_by
from scripts.core.progress import show_live

# Seconds between two looks at the process tree.
INTERVAL = 0.1


@dataclass(frozen=True)
class Sample:
    """What a process tree had used at a moment, in seconds since 1970."""

    at: float
    usage: Usage


@dataclass
class Measured:
    """What a command did and used. Memory, and what was written, are None where nobody can say.

    `seconds` by the clock, `cpu_seconds` of the processor with all descendants, `peak_bytes` the most that
    all of them held at once.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int | None
    written_bytes: int | None
    output: str
    messages: str
    samples: list[Sample] = field(repr=False)

    def used(self) -> dict[str, float | int | None]:
        """The four numbers."""
        return {
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "peak_bytes": self.peak_bytes,
            "written_bytes": self.written_bytes,
        }


def run_measured(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    on_message: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Run `command` in `folder` to its end.

    `on_message` gets each line of its stderr when it comes; what it raises is raised when the command has
    ended. Nothing is raised for an exit code.
    """
    samples: list[Sample] = []
    ended = threading.Event()
    is_watched = can_measure()
    before = _used_by_children()
    written_before = written_by("self") if is_watched else 0
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:

        def watch() -> None:
            while not ended.is_set():
                samples.append(Sample(time.time(), _no_less(samples, usage_of(process.pid))))
                ended.wait(INTERVAL)

        lines: list[str] = []
        failed: list[Exception] = []

        def listen() -> None:
            for line in process.stderr or ():
                lines.append(line)
                show_live(f"  {line.strip()}")
                if not failed:
                    try:
                        on_message(line.rstrip())
                    except Exception as error:
                        # The lines must be read on, or the command waits for us.
                        failed.append(error)

        threads = [threading.Thread(target=listen), *([threading.Thread(target=watch)] if is_watched else ())]
        for thread in threads:
            thread.start()
        try:
            output = process.stdout.read() if process.stdout else ""
            exit_code = process.wait()
        except BaseException:
            process.terminate()
            raise
        finally:
            ended.set()
            for thread in threads:
                thread.join()
            show_live("")
    if failed:
        raise failed[0]
    return Measured(
        exit_code=exit_code,
        seconds=time.perf_counter() - started,
        cpu_seconds=_used_by_children() - before,
        peak_bytes=max(sample.usage.memory_bytes for sample in samples) if samples else None,
        written_bytes=written_by("self") - written_before if is_watched else None,
        output=output,
        messages="".join(lines),
        samples=samples,
    )


def _no_less(samples: Sequence[Sample], usage: Usage) -> Usage:
    """The usage, with no less used than before: what has just ended is for a moment in nobody's account."""
    if not samples:
        return usage
    former = samples[-1].usage
    return Usage(
        max(usage.cpu_seconds, former.cpu_seconds),
        usage.memory_bytes,
        max(usage.written_bytes, former.written_bytes),
    )


def _used_by_children() -> float:
    """Processor seconds of all children that were waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def used_between(samples: Sequence[Sample], begin: float, end: float) -> dict[str, float | int | None]:
    """What a tree used from one moment to another (seconds since 1970), by the samples around them.

    Memory is the most that was held; all None without a sample.
    """
    inside = [sample for sample in samples if begin <= sample.at <= end]
    earlier = [sample for sample in samples if sample.at < begin][-1:]
    later = [sample for sample in samples if sample.at > end][:1]
    around = [*earlier, *inside, *later]
    if not around:
        return {"cpu_seconds": None, "peak_bytes": None, "written_bytes": None}
    first, last = around[0].usage, around[-1].usage
    return {
        "cpu_seconds": round(last.cpu_seconds - first.cpu_seconds, 3),
        "peak_bytes": max(sample.usage.memory_bytes for sample in inside or around),
        "written_bytes": last.written_bytes - first.written_bytes,
    }
