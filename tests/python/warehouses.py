"""Whole warehouses for tests: the real landing, the real dbt, the real night, in a folder of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from scripts.build.dbt_runner import dbt_environment, dbt_log_path, dbt_target_path
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.landing.land import LandingResult, land
from tests.python import parse_cache
from tests.python.dbt_session import run_dbt


class Warehouse:
    """One warehouse in `folder`; what it runs must succeed, or the test fails with the output.

    `project` is the project that runs: a copy may be changed on the way.
    """

    def __init__(self, folder: Path, project: Path = PROJECT_ROOT) -> None:
        self.settings = Settings(folder / "wh", project)
        # What dbt compiled last; of `demo_warehouse`, when every table was made from nothing.
        self.manifest = dbt_target_path(self.settings) / "manifest.json"

    def land(self, source: str, data: Path) -> LandingResult:
        """Land what is new."""
        return land(self.settings, source, data)

    def dbt(self, *arguments: str, succeeds: bool = True, in_session: bool = True) -> str:
        """Run dbt as an analyst would, in the project root; returns its output.

        `in_session`: in the process that the session keeps for it, else in one of its own.
        """
        environment = dbt_environment(self.settings, dict(os.environ)) | {
            "DBT_TARGET_PATH": str(dbt_target_path(self.settings)),
            "DBT_LOG_PATH": str(dbt_log_path(self.settings)),
            "DBT_LOG_LEVEL_FILE": "none",
        }
        parse_cache.take(self.settings)
        command = ["--no-use-colors", *arguments]
        if in_session:
            succeeded, output = run_dbt(command, environment, self.settings.project_root)
            assert succeeded is succeeds, output[-6000:]
        else:
            output = self._run([sys.executable, "-m", "dbt.cli.main", *command], environment, succeeds)
        if "--vars" not in arguments:
            parse_cache.keep(self.settings)
        return output

    def night(self, source: str, data: Path, *options: str) -> str:
        """Run `python -m scripts nightly`; returns what it prints."""
        environment = {**os.environ, "TENURE_WAREHOUSE": str(self.settings.warehouse)}
        command = [
            sys.executable,
            "-m",
            "scripts",
            "nightly",
            "--source",
            source,
            "--data",
            str(data),
            *options,
        ]
        parse_cache.take(self.settings)
        return self._run(command, environment, succeeds=True)

    def rows(self, sql: str, published: bool = False) -> list[tuple[Any, ...]]:
        """Query the build file, or the published one."""
        database = self.settings.analytics_database if published else self.settings.build_database
        with duckdb.connect(str(database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One connection to the build file for many queries: opening it takes longer than most of them."""
        with duckdb.connect(str(self.settings.build_database), read_only=True) as connection:
            yield connection

    def value(self, sql: str, published: bool = False) -> Any:
        """The one value of a query."""
        ((value,),) = self.rows(sql, published)
        return value

    def _run(self, command: list[str], environment: dict[str, str], succeeds: bool) -> str:
        done = subprocess.run(
            command,
            cwd=self.settings.project_root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is succeeds, output[-6000:]
        return output


def mart_differences(one: Path, other: Path, schema: str = "marts") -> dict[str, int]:
    """Rows of each table that one database has and the other has not, both ways; equal tables are left out.

    Tables that only one of them has count as a difference of -1.
    """
    # Each file by itself: the views of a build file name it, and two of them are called the same.
    contents = {}
    for database, path in (("one", one), ("other", other)):
        with duckdb.connect(str(path), read_only=True) as connection:
            names = connection.execute(
                "select table_name from information_schema.tables where table_schema = ?", [schema]
            ).fetchall()
            contents[database] = {
                name: connection.execute(f"from {schema}.{name}").to_arrow_table() for (name,) in names
            }
    assert contents["one"], f"no tables in {schema}"
    differences = dict.fromkeys(contents["one"].keys() ^ contents["other"].keys(), -1)
    with duckdb.connect() as connection:
        for name in sorted(contents["one"].keys() & contents["other"].keys()):
            connection.register("one", contents["one"][name])
            connection.register("other", contents["other"][name])
            (count,) = connection.execute(
                """
                select count(*) from (
                    (from one except all from other) union all (from other except all from one)
                )
                """
            ).fetchone()
            if count:
                differences[name] = count
    return differences
