"""What dead runs leave goes with the next run; what living ones are at stays."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.core.locking import warehouse_lock
from scripts.core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(warehouse=tmp_path / "warehouse")
    settings.runs.mkdir(parents=True)
    return settings


@pytest.fixture
def dead() -> int:
    """The process id of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def put(path: Path, content: str = "half") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def record(settings: Settings, run_id: str) -> dict[str, Any]:
    return json.loads((settings.runs / f"{run_id}.json").read_text())


def test_litter_of_dead_runs_is_removed(settings: Settings, dead: int) -> None:
    making = put(settings.warehouse / "publications" / ".20261121T203000Z.making" / "parquet" / "a.parquet")
    making.chmod(0o444)
    kept = put(settings.warehouse / "publications" / "20261120T203000Z" / "manifest.json")
    put(settings.scratch / "landing" / "landing.duckdb")
    put(settings.scratch / "data_docs-20261121T203000Z" / "index.html")
    (settings.warehouse / ".published.1").symlink_to("publications/nowhere")
    for name in (".lock.json", ".salt", "runs/.20261121T203000Z.json"):
        put(settings.warehouse / f"{name}.{dead}")
    alive = put(settings.runs / f".20261121T203001Z.json.{os.getppid()}")
    with warehouse_lock(settings, "test"):
        left = sorted(
            path.relative_to(settings.warehouse).as_posix()
            for path in settings.warehouse.rglob("*")
            if path.is_symlink() or path.is_file()
        )
    expected = [kept, alive, settings.lock_file, settings.warehouse / ".lock.json"]
    assert left == sorted(path.relative_to(settings.warehouse).as_posix() for path in expected)


def test_data_docs_come_back_when_a_run_died_exchanging_them(settings: Settings) -> None:
    put(settings.scratch / "data_docs-20261121T203000Z.former" / "index.html", "yesterday")
    with warehouse_lock(settings, "test"):
        assert (settings.data_docs / "index.html").read_text() == "yesterday"
    put(settings.scratch / "data_docs-20261122T203000Z.former" / "index.html", "older")
    with warehouse_lock(settings, "test"):
        assert (settings.data_docs / "index.html").read_text() == "yesterday"
        assert not list(settings.scratch.iterdir())


@pytest.mark.parametrize("content", ["running", "{}", "", '{"status": "runn'])
def test_record_of_a_dead_run_says_so(settings: Settings, dead: int, content: str) -> None:
    if content == "running":
        step = {"step": "build", "status": "running"}
        content = json.dumps(
            {
                "status": "running",
                "pid": dead,
                "host": socket.gethostname(),
                "steps": [step],
                "source": "shop",
            }
        )
    put(settings.runs / "20261121T203000Z.json", content)
    with warehouse_lock(settings, "test"):
        closed = record(settings, "20261121T203000Z")
    assert (closed["run_id"], closed["status"], closed["exit_code"]) == ("20261121T203000Z", "died", None)
    if "source" in closed:
        assert closed["steps"][-1]["status"] == "died"
        assert "its last step was: build" in closed["error"]["message"]


def test_records_of_others_stay_as_they_are(settings: Settings) -> None:
    ended = {"status": "failed", "exit_code": 3}
    # One that was started a moment ago, and will be told that we hold the lock.
    starting = {"status": "running", "pid": os.getppid(), "host": socket.gethostname(), "steps": []}
    ours = {"status": "running", "pid": os.getpid(), "host": socket.gethostname(), "steps": []}
    records = {"20261121T203000Z": ended, "20261121T203001Z": starting, "20261121T203002Z": ours}
    for run_id, content in records.items():
        put(settings.runs / f"{run_id}.json", json.dumps(content))
    with warehouse_lock(settings, "nightly", "20261121T203002Z"):
        for run_id, content in records.items():
            assert record(settings, run_id) == content
