"""How much of the machine DuckDB may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.build.dbt_runner import dbt_environment
from scripts.core import databases
from scripts.core.databases import available_memory, memory_limit, open_database
from scripts.core.errors import ConfigurationError
from scripts.core.settings import Settings


def test_what_the_variable_says_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_MEMORY_LIMIT", "300MiB")
    settings = Settings(tmp_path / "wh")
    with open_database(settings) as connection:
        options = dict(
            connection.execute(
                "select name, value from duckdb_settings() where name in ('memory_limit', 'temp_directory')"
            ).fetchall()
        )
    assert options == {"memory_limit": "300.0 MiB", "temp_directory": str(settings.scratch / "spill")}


@pytest.mark.parametrize("given", ["much", "80%", "8", "-1", "GB"])
def test_a_variable_that_is_no_size_is_told(given: str) -> None:
    with pytest.raises(ConfigurationError, match="TENURE_MEMORY_LIMIT"):
        memory_limit({"TENURE_MEMORY_LIMIT": given})


def test_without_it_a_share_of_the_memory_is_used_and_dbt_is_told(tmp_path: Path) -> None:
    limit = memory_limit({})
    assert limit.endswith("MiB")
    assert available_memory() * 0.5 < int(limit.removesuffix("MiB")) << 20 < available_memory() * 0.7
    assert dbt_environment(Settings(tmp_path), {})["TENURE_MEMORY_LIMIT"] == limit
    assert dbt_environment(Settings(tmp_path), {"TENURE_MEMORY_LIMIT": "1GB"})["TENURE_MEMORY_LIMIT"] == "1GB"


def test_the_limit_of_a_control_group_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = next(
        line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines() if "::" in line
    )
    group = tmp_path / own.lstrip("/")
    group.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(databases, "_CGROUPS", tmp_path)
    (group / "memory.max").write_text("max\n")
    unlimited = available_memory()
    (group / "memory.max").write_text("500000000\n")
    assert available_memory() == 500_000_000 < unlimited


def test_what_does_not_fit_into_memory_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_MEMORY_LIMIT", "40MB")
    with open_database(Settings(tmp_path / "wh")) as connection:
        connection.execute("create table big as select i, hash(i) as h from range(8000000) as t(i)")
        spilled = connection.execute("select sum(size) from duckdb_temporary_files()").fetchone()
        assert spilled and spilled[0] > 0
        assert connection.execute("select count(distinct i) from big").fetchone() == (8_000_000,)
