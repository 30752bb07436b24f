"""Errors for people, and the exit codes an orchestrator acts on.

A message says what was wrong, where (file, line, column) and what to do. Anything that is not a `TenureError`
is a defect of ours and ends with a traceback and exit code 5.
"""

EXIT_OK = 0
EXIT_CHECK_FAILED = 1
EXIT_USAGE = 2
EXIT_CANNOT_LAND = 3
EXIT_LOCKED = 4
EXIT_DEFECT = 5
EXIT_MACHINE = 6
# As shells report a process that SIGINT or SIGTERM has stopped.
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class TenureError(Exception):
    """Base of all errors that are told to the user as one message, without a traceback."""

    exit_code = EXIT_DEFECT


class CheckFailedError(TenureError):
    """A check found something (a failing dbt test, a failing expectation): nothing is published."""

    exit_code = EXIT_CHECK_FAILED


class ConfigurationError(TenureError):
    """Wrong usage, or an adapter, variable or rule file that cannot be used."""

    exit_code = EXIT_USAGE


class LandingError(TenureError):
    """Input that cannot be landed; the warehouse is unchanged."""

    exit_code = EXIT_CANNOT_LAND


class LockedError(TenureError):
    """Another run holds the lock."""

    exit_code = EXIT_LOCKED


class MachineError(TenureError):
    """The machine gave out, a full disk or no memory: nothing is wrong with the data or the code."""

    exit_code = EXIT_MACHINE
