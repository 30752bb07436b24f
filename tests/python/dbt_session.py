"""One dbt for the commands of a test session: importing it takes seconds, and most tests run a few models.

A command behaves as on the command line, with an environment of its own. Between two commands no database is
open. `demo_warehouse` is built by a plain `dbt build`, so that the command line itself is tested as well.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.core.settings import PROJECT_ROOT


class _Session:
    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.python.dbt_session", self._mark],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        atexit.register(self.close)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> tuple[bool | None, str]:
        """Whether the command succeeded, None if dbt died over it, and what it printed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([[*arguments], dict(environment), str(folder)]) + "\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(self._mark):
                return line.split()[1] == "True", "".join(lines)
            lines.append(line)
        self._process.wait()
        return None, "".join(lines)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


_sessions: dict[int, _Session] = {}


def run_dbt(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[bool, str]:
    """Run dbt in `folder`; whether it succeeded, and what it printed."""
    # A process that was forked off has none.
    session = _sessions.get(os.getpid()) or _sessions.setdefault(os.getpid(), _Session())
    succeeded, output = session.run(arguments, environment, folder)
    if succeeded is None:
        del _sessions[os.getpid()]
    return bool(succeeded), output


def main() -> None:
    """Run what standard input says, a command a line; the mark and the success after each."""
    from dbt.cli.main import dbtRunner

    from scripts.build.dbt_worker import close_database

    mark = sys.argv[1]
    for line in sys.stdin:
        arguments, environment, folder = json.loads(line)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        succeeded = False
        with suppress(SystemExit):
            try:
                outcome = dbtRunner().invoke(arguments)
                succeeded = outcome.success
                if outcome.exception is not None:
                    print(outcome.exception)
            finally:
                close_database()
        sys.stdout.flush()
        print(f"\n{mark} {succeeded}", flush=True)


if __name__ == "__main__":
    main()
