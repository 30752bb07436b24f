"""Plain dated lines for a log, a live line for a person."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from scripts.core.progress import LOGGER, show_live, start_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def former_logging() -> Iterator[None]:
    """Give the logger back as it was."""
    handlers, level = list(LOGGER.handlers), LOGGER.level
    yield
    LOGGER.handlers = handlers
    LOGGER.setLevel(level)


def test_log_lines_carry_time_and_level(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    start_logging()
    start_logging()
    LOGGER.info("land: %d files", 3)
    show_live("not for a log")
    LOGGER.warning("odd")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("INFO land: 3 files")
    assert first[10] == "T"
    assert second.endswith("WARNING odd")


def test_live_line_stays_below_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    start_logging()
    show_live("  build: 1 of 9")
    LOGGER.info("a finding")
    show_live("")
    clear = "\r\x1b[2K"
    assert stream.getvalue() == f"{clear}  build: 1 of 9{clear}a finding\n  build: 1 of 9{clear}"
