"""dbt in a process of its own, for as many commands as a night has.

Inside our process it would share the interpreter's lock with what else there is to do, and a query that runs
out of memory would take the night with it. One process for all commands, since dbt takes seconds to import
and to read the project.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from scripts.core.settings import PROJECT_ROOT

# `scripts` is not installed, and the project that dbt reads may be another one than ours.
_START = "import sys; sys.path.append(sys.argv.pop(1)); from scripts.build.dbt_worker import main; main()"


class DbtProcess:
    """A running dbt; what it is to read, it reads at once, while we do something else.

    A context manager: at its end the process is gone, whatever it was doing.
    """

    def __init__(self, parse_arguments: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self._mark = uuid.uuid4().hex
        process = subprocess.Popen(
            [
                sys.executable,
                *("-c", _START, str(PROJECT_ROOT), self._mark, json.dumps([*parse_arguments])),
            ],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # The lock is the one thing to inherit: it must not be free while dbt writes, even if we are dead.
            close_fds=False,
        )
        self._process = process
        self._commands, self._output = cast(IO[str], process.stdin), cast(IO[str], process.stdout)

    def run(self, arguments: Sequence[str], tell: Callable[[str], None]) -> int:
        """Run one command, `tell` each line that dbt prints; the exit code.

        It is negative, as that of a process is, when dbt was killed; after that there is no other command.
        """
        # If it is dead already, what it had to say is still to be read.
        with suppress(BrokenPipeError):
            self._commands.write(json.dumps([*arguments]) + "\n")
            self._commands.flush()
        blank = False
        for line in self._output:
            if line.startswith(self._mark):
                return int(line.split()[1])
            # The empty line before the mark is ours: it ends whatever dbt had left unfinished.
            if blank:
                tell("\n")
            blank = line == "\n"
            if not blank:
                tell(line)
        return self._process.wait()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def close(self) -> None:
        """End the process: nobody waits for what it may still be reading, or computing."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()
        with suppress(BrokenPipeError):
            self._commands.close()

    def __enter__(self) -> DbtProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
