"""What a run says while it works: plain dated lines, and on a terminal one live line below them."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

LOGGER = logging.getLogger("tenure")

_CLEAR_LINE = "\r\x1b[2K"


class ProgressHandler(logging.Handler):
    """Writes to stderr, looked up at each line so that a redirected stderr is honoured."""

    def __init__(self) -> None:
        super().__init__()
        self.live_text = ""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream = sys.stderr
            line = self.format(record)
            if stream.isatty():
                stream.write(_CLEAR_LINE + line + "\n" + self.live_text)
            else:
                stream.write(line + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)

    def show_live(self, text: str, stream: TextIO) -> None:
        """Replace the live line; an empty text removes it."""
        self.live_text = text
        stream.write(_CLEAR_LINE + text)
        stream.flush()


_HANDLER = ProgressHandler()


def start_logging() -> None:
    """Send the lines of logger `tenure` to stderr: bare on a terminal, else with the time. Repeatable."""
    LOGGER.setLevel(logging.INFO)
    bare = sys.stderr.isatty()
    _HANDLER.setFormatter(
        logging.Formatter(
            "%(message)s" if bare else "%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"
        )
    )
    if _HANDLER not in LOGGER.handlers:
        LOGGER.addHandler(_HANDLER)


def is_live() -> bool:
    """Whether somebody watches: log handlers are started and stderr is a terminal."""
    return _HANDLER in LOGGER.handlers and sys.stderr.isatty()


def show_live(text: str) -> None:
    """Show `text` as the live line, cut to 100 characters; nothing happens when stderr is no terminal."""
    if is_live():
        _HANDLER.show_live(text[:100], sys.stderr)
