"""What runs leave that died, killed or with the machine: the next one that holds the lock clears it away.

Nothing here is needed for the warehouse to be right: landing, building and publishing are whole or not at
all. It is for the disk, which would fill up, and for the records, which would say for ever that a run is at
work.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.core.progress import LOGGER
from scripts.core.runs import write_json
from scripts.core.settings import Settings


def recover(settings: Settings, run_id: str | None = None) -> None:
    """Remove litter and close the records of dead runs; the caller holds the lock, as run `run_id`."""
    _bring_back_data_docs(settings)
    for path in _litter(settings):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for file in settings.runs.glob("[!.]*.json"):
        if file.stem != run_id:
            _close_record(file)


def is_alive(pid: int) -> bool:
    """Whether this machine has such a process besides this one."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # It lives, under another user.
        return True
    return True


def _litter(settings: Settings) -> Iterator[Path]:
    """Half-done work that only a holder of the lock makes, and temporary files of dead processes."""
    if settings.scratch.is_dir():
        yield from settings.scratch.iterdir()
    yield from (settings.warehouse / "publications").glob(".*")
    yield from settings.warehouse.glob(".published.*")
    # Named after the process that writes them: a run that will be told of our lock writes a record before.
    for pattern in (".lock.json.*", ".salt.*", ".forgotten.*", ".forgetting.json.*", "runs/.*"):
        for path in settings.warehouse.glob(pattern):
            pid = path.name.rpartition(".")[2]
            if not (pid.isdigit() and is_alive(int(pid))):
                yield path


def _bring_back_data_docs(settings: Settings) -> None:
    """Between taking the former site away and putting the new one there a run may have died."""
    former = sorted(settings.scratch.glob("data_docs-*.former"))
    if former and not settings.data_docs.exists():
        former[-1].rename(settings.data_docs)


def _close_record(file: Path) -> None:
    """Note in the record of a run that says it is running, and is not, that it died."""
    content: dict[str, Any] = {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        LOGGER.warning("The record %s could not be read.", file)
    if content.get("status", "running") != "running":
        return
    if content.get("host") == socket.gethostname() and is_alive(content.get("pid", 0) or os.getpid()):
        # It has not asked for the lock yet.
        return
    steps = [
        step | {"status": "died"} if step.get("status") == "running" else step
        for step in content.get("steps", [])
    ]
    last = steps[-1]["step"] if steps else "start"
    message = f"It was killed, or the machine stopped; its last step was: {last}."
    content |= {
        "run_id": file.stem,
        "status": "died",
        "exit_code": None,
        "steps": steps,
        "error": {"type": "Died", "message": message},
    }
    write_json(file, content)
    LOGGER.warning("The run %s did not end. %s What it left half done is removed.", file.stem, message)
