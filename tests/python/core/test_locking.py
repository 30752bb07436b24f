"""One writer per warehouse, whatever happened to the one before."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from filelock import lock_descriptor

from scripts.build.dbt_process import DbtProcess
from scripts.core.errors import ConfigurationError, LockedError
from scripts.core.locking import warehouse_lock
from scripts.core.settings import PROJECT_ROOT, Settings

HOLD_LOCK = """
import sys
from pathlib import Path
from scripts.core.locking import warehouse_lock
from scripts.core.settings import Settings
with warehouse_lock(Settings(warehouse=Path(sys.argv[1])), "nightly", "20261121T203000Z"):
    print("ready", flush=True)
    sys.stdin.read()
"""
HOLD_LOCK_WITH_CHILD = """
import subprocess, sys
from pathlib import Path
from scripts.core.locking import warehouse_lock
from scripts.core.settings import Settings
with warehouse_lock(Settings(warehouse=Path(sys.argv[1])), "nightly", "20261121T203000Z"):
    child = subprocess.Popen(
        ["sleep", "600"], close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    print("ready", flush=True)
    print(child.pid, flush=True)
    sys.stdin.read()
"""
HOLD_DATABASE = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(warehouse=tmp_path / "warehouse")


def start(program: str, argument: Path) -> subprocess.Popen[str]:
    """A process that does what `program` says and has told that it is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(argument)],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_second_run_is_told_who_holds_the_lock(settings: Settings) -> None:
    with start(HOLD_LOCK, settings.warehouse) as holder:
        with pytest.raises(LockedError) as told, warehouse_lock(settings, "build"):
            pytest.fail("two runs hold the lock")
        since = json.loads((settings.warehouse / ".lock.json").read_text())["since"]
        message = str(told.value)
        assert f"process {holder.pid} on {socket.gethostname()} (nightly, run 20261121T203000Z)" in message
        assert f"since {since}" in message
        assert told.value.exit_code == 4
        holder.communicate()
    with warehouse_lock(settings, "build"):
        pass


def test_lock_ends_with_a_killed_holder(settings: Settings) -> None:
    with start(HOLD_LOCK, settings.warehouse) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert (settings.warehouse / ".lock.json").exists(), "the killed holder left its note"
    with warehouse_lock(settings, "build") as now:
        assert now.pid == os.getpid()
    assert not (settings.warehouse / ".lock.json").exists()


def test_lock_is_held_as_long_as_what_a_killed_holder_started(settings: Settings) -> None:
    """dbt goes on writing when the night alone is killed; nobody may write beside it."""
    with start(HOLD_LOCK_WITH_CHILD, settings.warehouse) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        holder.kill()
        holder.wait()
    with (
        pytest.raises(LockedError, match=rf"process {holder.pid} on .* is dead, but what it started"),
        warehouse_lock(settings, "build"),
    ):
        pytest.fail("two processes write to one warehouse")
    os.kill(child, signal.SIGKILL)
    # Nobody's child any more, so nobody tells when it has ended.
    while is_held(settings):
        os.sched_yield()
    with warehouse_lock(settings, "build"):
        pass


def test_dbt_inherits_the_lock(settings: Settings, tmp_path: Path) -> None:
    with warehouse_lock(settings, "build"):
        dbt = DbtProcess([], dict(os.environ), tmp_path)
    assert is_held(settings)
    dbt.close()
    assert not is_held(settings)


def is_held(settings: Settings) -> bool:
    with settings.lock_file.open("rb") as file:
        return not lock_descriptor(file.fileno(), blocking=False)


def test_note_of_a_dead_process_says_so(settings: Settings) -> None:
    with start(HOLD_LOCK, settings.warehouse) as dead:
        dead.kill()
        dead.communicate()
    note = (settings.warehouse / ".lock.json").read_text()
    with warehouse_lock(settings, "build"):
        (settings.warehouse / ".lock.json").write_text(note)
        with pytest.raises(LockedError, match="is dead"), warehouse_lock(settings, "land"):
            pytest.fail("two runs hold the lock")


def test_same_process_is_no_exception(settings: Settings) -> None:
    with (
        warehouse_lock(settings, "build"),
        pytest.raises(LockedError, match=rf"process {os.getpid()} "),
        warehouse_lock(settings, "land"),
    ):
        pytest.fail("two runs hold the lock")


def test_lock_is_given_back_when_the_work_fails(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), warehouse_lock(settings, "build"):
        _ = 1 / 0
    with warehouse_lock(settings, "build"):
        pass


def test_build_file_open_in_a_client_is_told_as_a_lock(settings: Settings) -> None:
    settings.warehouse.mkdir()
    duckdb.connect(str(settings.build_database)).close()
    with start(HOLD_DATABASE, settings.build_database) as client:
        with pytest.raises(LockedError) as told, warehouse_lock(settings, "build"):
            duckdb.connect(str(settings.build_database))
        assert str(client.pid) in str(told.value)
        assert str(settings.analytics_database) in str(told.value)
        client.communicate()


def test_other_errors_of_duckdb_stay_what_they_are(settings: Settings) -> None:
    with pytest.raises(duckdb.IOException), warehouse_lock(settings, "build"):
        duckdb.connect(str(settings.warehouse / "missing" / "build.duckdb"))


def test_warehouse_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(warehouse=tmp_path / "file" / "warehouse")
    with pytest.raises(ConfigurationError, match="TENURE_WAREHOUSE"), warehouse_lock(settings, "build"):
        pytest.fail("a lock in a file")
