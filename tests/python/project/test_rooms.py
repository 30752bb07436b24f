"""No folder with tests is left out when tests are collected."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from scripts.core.settings import PROJECT_ROOT


def test_no_room_is_called_as_a_folder_that_pytest_leaves_out(pytestconfig: pytest.Config) -> None:
    """By default it leaves out `build`, `dist` and `venv`, without a word."""
    left_out = pytestconfig.getini("norecursedirs")
    folders = {
        part
        for pattern in ("tests/python/**/test_*.py", "scripts/**/*.py")
        for path in PROJECT_ROOT.glob(pattern)
        for part in path.relative_to(PROJECT_ROOT).parent.parts
        if part != "__pycache__"
    }
    assert "build" in folders
    assert not {folder for folder in folders for pattern in left_out if fnmatch(folder, pattern)}
