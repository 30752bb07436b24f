"""A full disk and lacking memory are told as such, wherever they came up, and nothing else is."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pytest

from scripts.build.dbt_runner import BuildFailedError, BuildFailure
from scripts.core.errors import LandingError
from scripts.core.resource_errors import machine_error
from scripts.core.settings import Settings

FULL = OSError(errno.ENOSPC, "No space left on device")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def failed_model(message: str) -> BuildFailedError:
    return BuildFailedError(BuildFailure({}, (f"model fct_orders: {message}",), 0, Path("console.log")))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FULL, "The disk is full: [Errno 28] No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full: [Errno 122] Disk quota exceeded"),
        # The file that was being read is not to blame.
        (caused(LandingError("orders.csv: cannot be read"), FULL), "The disk is full: [Errno 28]"),
        (failed_model('IO Error: Could not write file "x": No space left on device'), "The disk is full: "),
        (duckdb.IOException('Could not write file "x": No space left on device'), "The disk is full: Could"),
        (
            duckdb.OutOfMemoryException(
                "failed to offload data block of size 256.0 KiB\nsetting 'max_temp_directory_size'"
            ),
            "The disk is full: failed to offload",
        ),
        (duckdb.OutOfMemoryException("could not allocate block"), "Out of memory: could not allocate block"),
        (MemoryError(), "Out of memory: MemoryError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_machine_lacks(tmp_path: Path, error: Exception, told: str) -> None:
    message = machine_error(Settings(tmp_path / "warehouse"), error)
    assert message is not None
    assert message.exit_code == 6
    assert str(message).startswith(told)
    assert "run again" in str(message)
    if "disk" in told:
        assert f"the warehouse: {tmp_path / 'warehouse'}" in str(message)
        assert "MB free of" in str(message)


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("ours"),
        PermissionError(errno.EACCES, "no"),
        failed_model("2 rows"),
        LandingError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_all_else_stays_what_it_is(tmp_path: Path, error: Exception) -> None:
    assert machine_error(Settings(tmp_path), error) is None
