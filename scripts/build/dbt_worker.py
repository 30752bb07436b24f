"""The process in which dbt runs: it reads the project once, then runs one command after the other.

It is started before there is anything to build, and has imported dbt and read the project by the time that
the data have landed. Between two commands it holds no connection, so that others can write to the build file.

Commands come as JSON lines on standard input: a list of dbt's arguments. All that dbt prints goes to standard
output, and after each command a line of its own with the mark that was agreed on and the exit code. The end
of standard input, which is also what the death of the parent looks like, ends the process.
"""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.build.check_outcomes import TESTS, describe_tests

RUN_RESULTS = "run_results.json"
MANIFEST = "manifest.json"

# Exit codes as those of dbt's command line: a node failed, or dbt itself did.
_NODE_FAILED = 1
_DBT_FAILED = 2


def main() -> None:
    """Read the project with the arguments in `sys.argv`, then do what standard input says.

    `sys.argv`: the mark, the arguments of `dbt parse` as JSON.
    """
    mark, parse_arguments = sys.argv[1], json.loads(sys.argv[2])
    with suppress(KeyboardInterrupt):
        manifest = _parse(parse_arguments)
        for line in sys.stdin:
            exit_code = _run(manifest, json.loads(line))
            sys.stdout.flush()
            print(f"\n{mark} {exit_code}", flush=True)


def _parse(arguments: list[str]) -> Any:
    """dbt's picture of the project; None if dbt refuses it, which the first command will say again."""
    from dbt.cli.main import dbtRunner

    manifest = dbtRunner().invoke(arguments).result
    # The value models are Python. Their libraries take as long to load as dbt does.
    if Path("scripts/prediction").is_dir():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import scripts.prediction.lifetime_value
            import scripts.prediction.survival  # noqa: F401
    return manifest


def _run(manifest: Any, arguments: list[str]) -> int:
    from dbt.cli.main import dbtRunner

    target = Path(arguments[arguments.index("--target-path") + 1])
    outcome = dbtRunner(manifest=manifest).invoke(arguments)
    try:
        if hasattr(outcome.result, "write"):
            outcome.result.write(str(target / RUN_RESULTS))
            (target / TESTS).write_text(json.dumps(describe_tests(manifest.nodes)), encoding="utf-8")
        if not outcome.success and manifest is not None:
            # With the SQL that ran; half a second that a good night has no use for.
            manifest.write(str(target / MANIFEST))
    finally:
        close_database()
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if outcome.success:
        return 0
    return _NODE_FAILED if outcome.exception is None else _DBT_FAILED


def close_database() -> None:
    """Close the build file: dbt's adapter keeps it, and its lock, until the process ends."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import FACTORY

    for adapter in FACTORY.adapters.values():
        adapter.cleanup_connections()
    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    DuckDBConnectionManager.close_all_connections()
    FACTORY.reset_adapters()
