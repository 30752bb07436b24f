"""What a process and all it has started use, as Linux tells it in /proc. Elsewhere nobody can say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")

# Places in /proc/<pid>/stat, counted from the field after the name of the program (which may hold blanks).
_PARENT, _USER, _SYSTEM, _USER_OF_CHILDREN, _SYSTEM_OF_CHILDREN, _PAGES = 1, 11, 12, 13, 14, 21


@dataclass(frozen=True)
class Usage:
    """What a process tree has used: processor seconds, bytes in memory now, bytes written to a disk.

    Children that have ended, and were waited for, are in the seconds and the bytes written. Memory that two
    processes share is counted twice.
    """

    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    written_bytes: int = 0


def can_measure() -> bool:
    """Whether this machine tells what processes use."""
    return (_PROC / "self" / "stat").exists()


def usage_of(pid: int) -> Usage:
    """What the process and its descendants use; nothing of a process that has ended meanwhile."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    seconds, memory, written = 0.0, 0, 0
    for member, fields in _tree(pid).items():
        seconds += (
            sum(int(fields[place]) for place in (_USER, _SYSTEM, _USER_OF_CHILDREN, _SYSTEM_OF_CHILDREN))
            / ticks
        )
        memory += int(fields[_PAGES]) * page
        written += written_by(member)
    return Usage(seconds, memory, written)


def written_by(pid: int | str) -> int:
    """Bytes that a process, and those it has waited for, had written to a disk; 0 if nobody may know."""
    try:
        lines = (_PROC / str(pid) / "io").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    told = dict(line.split(": ") for line in lines if ": " in line)
    return int(told.get("write_bytes", 0))


def _tree(pid: int) -> dict[int, list[str]]:
    """The fields of /proc/<pid>/stat of a process and its descendants."""
    every: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        every[int(entry.name)] = fields
        children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    members, waiting = {}, [pid]
    while waiting:
        member = waiting.pop()
        if member in every and member not in members:
            members[member] = every[member]
            waiting += children.get(member, [])
    return members
