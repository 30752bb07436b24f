"""Run `dbt build` on the build file and say in plain words what failed.

dbt runs as a process of its own, see `DbtProcess`; that of a night starts while the data land.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import duckdb

from scripts.build.check_outcomes import TESTS, outcomes
from scripts.build.dbt_process import DbtProcess
from scripts.build.dbt_worker import MANIFEST, RUN_RESULTS
from scripts.build.failed_tests import describe_rows
from scripts.build.incremental_state import (
    MACROS,
    computed_anew,
    have_macros_changed,
    macros_fingerprint,
    read_fingerprints,
    remember_macros,
)
from scripts.contract.check_history import BUILD, keep_results
from scripts.contract.rule_files import check_rules
from scripts.core.databases import MEMORY_VARIABLE, memory_limit
from scripts.core.errors import CheckFailedError, ConfigurationError, LockedError, MachineError, TenureError
from scripts.core.locking import DUCKDB_LOCK_MESSAGE, file_in_use_message, warehouse_lock
from scripts.core.progress import LOGGER, is_live, show_live, start_logging
from scripts.core.runs import new_run_id
from scripts.core.settings import Settings

# How many failing nodes a message lists; the log has them all.
LISTED_FAILURES = 25

# The mart that is made of what validation has found, and so after it.
DATA_QUALITY_MART = "fct_data_quality"

# "20:31:07  12 of 340 OK created sql table model marts.dim_months ... [OK in 0.05s]"
_NODE_LINE = re.compile(
    r"^\d\d:\d\d:\d\d\s+(?P<k>\d+) of (?P<n>\d+) (?P<what>.*?)[ .]*(?:\[(?P<result>.*)\])?$"
)
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d ?")
_CREDENTIALS_IN_URL = re.compile(r"://[^/\s@]*:[^/\s]*@")


@dataclass(frozen=True)
class BuildResult:
    """What a successful build did. `nodes` counts by kind, e.g. `{"model": 40, "seed": 6, "test": 310}`.

    `withheld_predictions` names the value models whose predictions the marts leave null, and why: no failure.
    `computed_anew` names the incremental models that started over, since settings, code or macros changed.
    """

    nodes: dict[str, int]
    warnings: tuple[str, ...]
    seconds: float
    log_file: Path
    withheld_predictions: tuple[str, ...] = ()
    computed_anew: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildFailure:
    """What dbt did before it failed: `nodes` as in `BuildResult`, `failures` in words, one node each."""

    nodes: dict[str, int]
    failures: tuple[str, ...]
    skipped: int
    log_file: Path


class BuildFailedError(CheckFailedError):
    """A model or a data test failed; `result` has all of them, the message as many as one can read."""

    def __init__(self, result: BuildFailure) -> None:
        self.result = result
        super().__init__(failure_message(result))


def dbt_target_path(settings: Settings) -> Path:
    """Where dbt keeps its compiled SQL, manifest and results."""
    return settings.dbt / "target"


def dbt_log_path(settings: Settings) -> Path:
    """Where dbt's own log and the copy of its output lie."""
    return settings.dbt / "logs"


def dbt_arguments(
    settings: Settings,
    command: str,
    *,
    as_of: date | None,
    full_refresh: bool = False,
    select: str | None = None,
) -> list[str]:
    """The arguments of the nightly `dbt build`, of all models or what `select` names, or of `dbt parse`.

    Unit tests prove logic, which no night changes: they run with the project's other tests. Without `as_of`
    no variable is given, so that the company's own values (in the warehouse) and the defaults hold.
    """
    arguments = [
        *("--log-format", "default", "--no-use-colors", "--no-use-colors-file"),
        *("--no-send-anonymous-usage-stats", "--no-version-check"),
        # Its log would tell each statement twice; what it prints is kept anyway, and the SQL.
        *("--log-path", str(dbt_log_path(settings)), "--log-level-file", "none"),
        # What of these a night reads, the worker writes.
        "--no-write-json",
        command,
        *("--project-dir", str(settings.project_root)),
        *("--profiles-dir", str(settings.project_root)),
        *("--target-path", str(dbt_target_path(settings))),
    ]
    if as_of is not None:
        arguments += ["--vars", json.dumps({"as_of_date": as_of.isoformat()})]
    if command == "build":
        arguments += ["--exclude-resource-type", "unit_test", "saved_query", "exposure"]
    if full_refresh:
        arguments.append("--full-refresh")
    if select is not None:
        arguments += ["--select", select]
    return arguments


def start_dbt(settings: Settings, as_of: date | None = None) -> DbtProcess:
    """Start dbt and let it read the project, for `build` and what follows; the caller holds the lock.

    `as_of` is that of the builds to come: with other vars dbt would have to read the project again.
    """
    return DbtProcess(
        dbt_arguments(settings, "parse", as_of=as_of),
        dbt_environment(settings, dict(os.environ)),
        settings.project_root,
    )


def dbt_environment(settings: Settings, environment: dict[str, str]) -> dict[str, str]:
    """The environment dbt gets: ours, without what it has no use for and could write to its log.

    That is the salt of the e-mail hashes and every URL with a password (the shop's database, a proxy).
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name != "TENURE_HASH_SALT" and not _CREDENTIALS_IN_URL.search(value)
    }
    return kept | {
        "TENURE_WAREHOUSE": str(settings.warehouse),
        MEMORY_VARIABLE: memory_limit(environment),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def refresh_data_quality(
    settings: Settings, as_of: date | None = None, dbt: DbtProcess | None = None
) -> BuildResult:
    """Bring what the validation has just found into its mart; all other marts stay as they were validated.

    `as_of` and `dbt` are those of the build before it. Raises as `build` does.
    """
    return build(settings, as_of, select=DATA_QUALITY_MART, dbt=dbt)


def build(
    settings: Settings,
    as_of: date | None = None,
    full_refresh: bool = False,
    *,
    select: str | None = None,
    dbt: DbtProcess | None = None,
    run_id: str | None = None,
) -> BuildResult:
    """Run `dbt build` (models, seeds, data tests) on the build file; the caller holds the warehouse's lock.

    `select` restricts it to some models, as dbt's option of that name does; its output then has a file of its
    own. `dbt` is one that was started before with the same `as_of`; else one is started, and ends with this.
    What came of the tests of a whole build is kept in `raw.check_results`, as of the run `run_id` (default: a
    new name), also when the build fails.

    Raises `BuildFailedError` with the failing models and tests, `ConfigurationError` if nothing was landed, a
    rule file is malformed or dbt refuses the project, `LockedError` if another process has the build file
    open.
    """
    if not settings.build_database.exists():
        raise ConfigurationError(
            f"There is nothing to build: {settings.build_database} does not exist. "
            "Land data first: python -m scripts land --source NAME."
        )
    check_rules(settings.project_root)
    results_file = dbt_target_path(settings) / RUN_RESULTS
    # dbt does not always get as far as writing them: older ones must not speak for this run.
    for file in (results_file, dbt_target_path(settings) / MANIFEST):
        file.unlink(missing_ok=True)
    # A selection may name many, and a file may not.
    part = "" if select is None else "-" + re.sub(r"\W+", "-", select)[:80]
    log_file = dbt_log_path(settings) / f"console{part}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)

    try:
        former = read_fingerprints(settings.build_database)
    except duckdb.IOException as error:
        if DUCKDB_LOCK_MESSAGE in str(error):
            raise LockedError(file_in_use_message(settings, str(error))) from error
        raise
    macros = macros_fingerprint(settings.project_root)
    if select is None and have_macros_changed(former, macros) and not full_refresh:
        LOGGER.info("build: macros, or the tools that run them, have changed: everything is computed anew")
        full_refresh = True

    started, moment = time.monotonic(), datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    arguments = dbt_arguments(settings, "build", as_of=as_of, full_refresh=full_refresh, select=select)
    if dbt is None:
        with start_dbt(settings, as_of) as dbt:
            exit_code, output = _run(dbt, arguments, log_file)
    else:
        exit_code, output = _run(dbt, arguments, log_file)
    seconds = time.monotonic() - started
    results = _read_results(results_file)

    if exit_code == 0:
        warnings = tuple(_describe_all(settings, results, "warn").values())
        for warning in warnings:
            LOGGER.warning("build: %s", warning)
        if select is not None:
            return BuildResult(count_nodes(results), warnings, seconds, log_file)
        _keep_outcomes(settings, run_id, moment, results, {})
        withheld = withheld_predictions(settings.build_database)
        for model in withheld:
            LOGGER.info("build: no predictions of %s", model)
        present = read_fingerprints(settings.build_database)
        anew = computed_anew(former, present)
        if full_refresh:
            anew = tuple(sorted(present.keys() - {MACROS}))
        elif anew:
            LOGGER.info("build: settings or code have changed, computed anew: %s", ", ".join(anew))
        if present:
            remember_macros(settings.build_database, macros)
        return BuildResult(count_nodes(results), warnings, seconds, log_file, withheld, anew)
    if DUCKDB_LOCK_MESSAGE in output:
        raise LockedError(file_in_use_message(settings, output))
    described = _describe_all(settings, results, "error", "fail")
    failures = tuple(described.values())
    if exit_code == 1 and failures:
        if select is None:
            _keep_outcomes(settings, run_id, moment, results, described)
        skipped = sum(result["status"] == "skipped" for result in results)
        raise BuildFailedError(BuildFailure(count_nodes(results), failures, skipped, log_file))
    if exit_code in (1, 2):
        raise ConfigurationError(
            f"dbt refused the project:\n{_indent(_last_error(output))}\n"
            f"Correct the file it names, then run again. The whole output: {log_file}"
        )
    if exit_code < 0:
        raise MachineError(
            f"dbt was stopped by signal {-exit_code} (out of memory?). Its output: {log_file}. "
            "Readers keep what they have, and nothing that arrived is lost: run again."
        )
    raise TenureError(f"dbt ended with exit code {exit_code}. Its output: {log_file}")


def _read_results(file: Path) -> list[dict[str, Any]]:
    """What dbt says of each node; nothing if it did not get as far as writing that, or died over it."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))["results"]
    except (FileNotFoundError, ValueError):
        return []


def withheld_predictions(database: Path) -> tuple[str, ...]:
    """The value models in the marts of `database` whose predictions, or their money, are withheld; why."""
    with duckdb.connect(str(database), read_only=True) as connection:
        if not connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'marts' and table_name = 'fct_clv_models'"
        ).fetchone():
            return ()
        rows = connection.execute(
            """
            select
                model || case when is_published then ', money' else '' end, billing_interval, segment_type,
                segment_value, coalesce(withheld_reason, value_withheld_reason)
            from marts.fct_clv_models
            where not is_published or not is_value_published
            order by all
            """
        ).fetchall()
    return tuple(
        model
        + ("" if interval == "none" else f" for contracts by the {interval}")
        + ("" if kind == "all" else f" for {kind} {value}")
        + f": {reason}"
        for model, interval, kind, value, reason in rows
    )


def count_nodes(results: list[dict[str, Any]]) -> dict[str, int]:
    """How many nodes of each kind a run executed, by dbt's name of the kind; without hooks and skipped ones.

    >>> count_nodes([{"unique_id": "model.tenure.a", "status": "success"}])
    {'model': 1}
    """
    kinds = Counter(
        result["unique_id"].split(".")[0]
        for result in results
        if result["status"] not in ("skipped", "no-op")
    )
    return {kind: number for kind, number in sorted(kinds.items()) if kind != "operation"}


def failure_message(result: BuildFailure) -> str:
    """One message for all that failed."""
    listed = "\n".join(_indent(failure, "  - ") for failure in result.failures[:LISTED_FAILURES])
    unlisted = len(result.failures) - LISTED_FAILURES
    more = f"\n  … and {unlisted} more" if unlisted > 0 else ""
    after = f"\n{result.skipped} that depend on them did not run." if result.skipped else ""
    return (
        f"{len(result.failures)} dbt models or tests failed:\n{listed}{more}{after}\n"
        f"The whole output: {result.log_file}"
    )


def _run(dbt: DbtProcess, arguments: list[str], log_file: Path) -> tuple[int, str]:
    """Run dbt, its output copied to `log_file` line by line; the exit code and the output."""
    lines: list[str] = []
    reported_tenths = 0
    done = 0

    def tell(line: str) -> None:
        nonlocal reported_tenths, done
        log.write(line)
        log.flush()
        lines.append(line)
        node = _NODE_LINE.match(line.rstrip())
        # Hooks are numbered on their own, before and after the nodes.
        if node is None or " hook: " in node["what"]:
            return
        if node["result"] is None or node["result"] == "RUN":
            show_live(f"  build: {done} of {node['n']} done, now {node['what'].removeprefix('START ')}")
            return
        done += 1
        if node["result"].startswith(("ERROR", "FAIL")):
            LOGGER.error("build: %s", node["what"])
        tenths = done * 10 // int(node["n"])
        if tenths > reported_tenths and not is_live():
            reported_tenths = tenths
            LOGGER.info("build: %d of %s done", done, node["n"])

    with log_file.open("w", encoding="utf-8") as log:
        try:
            exit_code = dbt.run(arguments, tell)
        except BaseException:
            # Interrupted: dbt must not go on writing to a warehouse whose lock we are about to give back.
            dbt.close()
            raise
        finally:
            show_live("")
    return exit_code, "".join(lines)


def _describe_all(settings: Settings, results: list[dict[str, Any]], *statuses: str) -> dict[str, str]:
    """The nodes with one of the statuses, by id, in words."""
    chosen = [result for result in results if result["status"] in statuses]
    manifest = _read_manifest(settings) if chosen else {}
    return {result["unique_id"]: _describe(settings, result, manifest) for result in chosen}


def _keep_outcomes(
    settings: Settings,
    run_id: str | None,
    moment: datetime,
    results: list[dict[str, Any]],
    described: dict[str, str],
) -> None:
    """Keep what came of the tests; `described` are the failed nodes in words."""
    try:
        tests = json.loads((dbt_target_path(settings) / TESTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    # Between the headline and the path of the compiled SQL.
    lines = {name: words.splitlines()[1:-1] for name, words in described.items()}
    checks = outcomes(results, tests, lines)
    if checks:
        keep_results(
            settings, run_id or new_run_id(settings), moment, _last_day(settings), checks, borders=(BUILD,)
        )


def _last_day(settings: Settings) -> date | None:
    """The last day that the warehouse knows; None if the build did not get as far."""
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        try:
            row = connection.execute('select "as_of_date" from "intermediate"."int_settings"').fetchone()
        except (duckdb.CatalogException, duckdb.BinderException):
            return None
    return row[0] if row else None


def _describe(settings: Settings, result: dict[str, Any], manifest: dict[str, Any]) -> str:
    """A node of run_results.json in words: name, what happened, in which rows, and where its SQL lies."""
    kind, _, name = result["unique_id"].split(".", 2)
    # A generic test's id ends in a hash that helps nobody, and in an underscore if it has no arguments.
    name = re.sub(r"_?\.[0-9a-f]{10}$", "", name)
    message = (result.get("message") or "").strip()
    lines: list[str] = []
    if kind == "test" and result["status"] in ("fail", "warn"):
        rows = result.get("failures") or 0
        message = f"{rows} {'row' if rows == 1 else 'rows'} where none should be"
        lines = describe_rows(settings.build_database, manifest, result["unique_id"])
    compiled_path = manifest["nodes"].get(result["unique_id"], {}).get("compiled_path")
    if compiled_path:
        # To be pasted into a client.
        lines.append(str(settings.project_root / compiled_path))
    return "\n".join([f"{kind} {name}: {message}", *lines])


def _read_manifest(settings: Settings) -> dict[str, Any]:
    """dbt's description of the project as it ran; without nodes if dbt did not get as far."""
    try:
        return json.loads((dbt_target_path(settings) / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {"nodes": {}}


def _last_error(output: str) -> str:
    """The end of dbt's output without the clock: from its announcement of an error, at most 20 lines."""
    lines = [_CLOCK.sub("", line).rstrip() for line in output.splitlines()]
    for number in range(len(lines) - 1, -1, -1):
        if "Encountered an error" in lines[number]:
            lines = lines[number + 1 :]
            break
    return "\n".join(line for line in lines if line.strip())[-4000:] or "(no output)"


def _indent(text: str, first: str = "    ") -> str:
    lines = text.splitlines()
    return "\n".join([first + lines[0], *(" " * len(first) + line for line in lines[1:])])


def parse_as_of(context: click.Context, parameter: click.Parameter, value: datetime | None) -> date | None:
    """click gives dates as date-times."""
    return None if value is None else value.date()


as_of_option = click.option(
    "--as-of",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    callback=parse_as_of,
    metavar="DATE",
    help="The last day the warehouse knows, as 2026-11-21; default: the latest event in the data.",
)
full_refresh_option = click.option(
    "--full-refresh", is_flag=True, help="Rebuild incremental tables from nothing instead of adding to them."
)


@click.command()
@as_of_option
@full_refresh_option
def build_command(as_of: date | None, full_refresh: bool) -> None:
    """Build the marts from the landed data with dbt, and run its data tests."""
    start_logging()
    settings = Settings.from_environment()
    with warehouse_lock(settings, "build"):
        result = build(settings, as_of, full_refresh)
    counts = ", ".join(f"{number} {kind}s" for kind, number in result.nodes.items()) or "nothing"
    click.echo(f"Built {settings.build_database} in {result.seconds:.0f} s: {counts}.")
