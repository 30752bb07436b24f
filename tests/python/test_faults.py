"""A few kills and full disks, always at the same points; `python -m tests.faults` tries more of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts.build.dbt_runner import dbt_log_path, dbt_target_path
from scripts.core.databases import MEMORY_VARIABLE, memory_limit
from scripts.core.settings import PROJECT_ROOT, Settings
from tests.faults.full_disk import NAMESPACE, why_no_disk
from tests.faults.injection import Injection, Point, spread, why_impossible
from tests.faults.verdicts import (
    read_publication,
    require_free_lock,
    require_no_litter,
    require_same_built,
    require_same_raw,
)
from tests.python import parse_cache, small_warehouse
from tests.python.small_company import Company
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=str(why_impossible()))

PUBLISH = (sys.executable, "-m", "scripts", "publish")


def land_command(company: Company) -> list[str]:
    return [
        *(sys.executable, "-m", "scripts", "land"),
        *("--source", str(company.adapter_file), "--data", str(company.data)),
    ]


def deliver(company: Company, corrected: bool) -> None:
    """Orders of two months, one line of them no order; then a correction of the first, and a third month."""
    company.orders("1,a,2026-01-05,10.00", "2,b,2026-01-07,20.00", "x,,never,", name="orders-1.csv")
    company.orders("3,a,2026-02-05,30.00", name="orders-2.csv")
    if corrected:
        company.orders("1,a,2026-01-05,11.00", "2,b,2026-01-07,20.00", name="orders-1.csv")
        company.orders("4,c,2026-03-01,40.00", "5,c,2026-03-02,never", name="orders-3.csv")


@pytest.fixture
def company(tmp_path: Path) -> Company:
    company = Company(tmp_path)
    company.adapter(company.adapter_file.read_text() + "max_reject_share: 0.9\n")
    deliver(company, corrected=False)
    return company


def copy_of(settings: Settings, name: str) -> Settings:
    folder = settings.warehouse.with_name(name)
    shutil.rmtree(folder, ignore_errors=True)
    return Settings(shutil.copytree(settings.warehouse, folder, symlinks=True))


def raw_rows(settings: Settings) -> dict[str, list[Any]]:
    """What DuckDB makes of the build file as it lies there, with the log that a killed process left."""
    if not settings.build_database.exists():
        return {}
    copy = copy_of(settings, "looked-at")
    with duckdb.connect(str(copy.build_database)) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw' order by 1"
        ).fetchall()
        return {
            name: sorted(
                connection.execute(
                    f"select * exclude (loaded) from (select *, 0 as loaded from raw.{name})"
                ).fetchall(),
                key=repr,
            )
            for (name,) in names
        }


@pytest.mark.parametrize("first", [True, False], ids=["first landing", "second landing"])
def test_landing_killed_anywhere_is_whole_or_nothing(company: Company, tmp_path: Path, first: bool) -> None:
    settings = company.settings
    if not first:
        company.land()
        deliver(company, corrected=True)
    settings.warehouse.mkdir(exist_ok=True)
    before = raw_rows(settings)
    undisturbed = copy_of(settings, "undisturbed")
    good = Injection(tmp_path / "injection", undisturbed.warehouse).run(land_command(company))
    assert good.exit_code == 0, good.stderr
    after = {name: len(rows) for name, rows in raw_rows(undisturbed).items()}
    injection = Injection(tmp_path / "injection", settings.warehouse)
    seen = []
    # Among them the making of the build file, of which DuckDB may leave one that it cannot open.
    making = [point for point in good.points if point.path.endswith("build.duckdb")][:3]
    for number in sorted({point.number for point in (*making, *spread(good.points, 5))}):
        injection.run(land_command(company), number, "torn")
        require_free_lock(settings)
        rows = raw_rows(settings)
        seen.append("before" if rows == before else "after")
        assert rows in (before, {}) or {name: len(of) for name, of in rows.items()} == after, number
    assert "before" in seen, seen
    again = injection.run(land_command(company))
    assert again.exit_code == 0, again.stderr
    require_same_raw(settings.build_database, undisturbed.build_database, one_salt=not first)
    require_no_litter(settings)


def test_publishing_killed_anywhere_leaves_something_whole(tmp_path: Path) -> None:
    settings = small_warehouse.make_warehouse(tmp_path / "warehouse")
    injection = Injection(tmp_path / "injection", settings.warehouse)
    assert injection.run(PUBLISH).exit_code == 0
    yesterday = read_publication(settings)
    small_warehouse.build(settings, number=2)
    undisturbed = copy_of(settings, "undisturbed")
    good = Injection(tmp_path / "injection", undisturbed.warehouse).run(PUBLISH)
    assert good.exit_code == 0, good.stderr
    # Whatever happens to the machine: nobody is sent to what is not on the disk.
    require_synced_before_shown(good.points)
    link = next(point for point in good.points if point.deed == "rename" and point.path == "published")
    seen = []
    for point in (*spread(good.points, 6), link, good.points[link.number]):
        killed = copy_of(settings, "killed")
        injection = Injection(tmp_path / "injection", killed.warehouse)
        assert injection.run(PUBLISH, point.number, "torn").point is not None
        require_free_lock(killed)
        publication = read_publication(killed)
        seen.append(1 if publication == yesterday else 2)
        with duckdb.connect(str(killed.analytics_database), read_only=True) as connection:
            (numbers,) = connection.execute(
                "select list(distinct publication_number) from marts.dim_customers"
            ).fetchone() or ([],)
        assert numbers == [seen[-1]], point
    # The link is the one step.
    assert seen[-2:] == [1, 2]
    assert injection.run(PUBLISH).exit_code == 0
    require_no_litter(killed)
    require_same_built(killed.analytics_database, undisturbed.analytics_database, ("marts",))


def require_synced_before_shown(points: tuple[Point, ...]) -> None:
    """Each file of the publication was synced after its last write, its folders too; then the link came."""
    shown = next(point.number for point in points if point.deed == "rename" and point.path == "published")
    made = [
        point
        for point in points
        if point.path.startswith("publications/.") and not point.path.endswith((".wal", ".json.PID"))
    ]
    written = {point.path: point.number for point in made if point.deed in ("write", "chmod")}
    synced = {point.path: point.number for point in points if point.deed == "sync" and point.number < shown}
    assert len([path for path in written if path.endswith(".parquet")]) >= 4
    late = [
        path for path, number in written.items() if synced.get(path, 0) < number and "/.manifest" not in path
    ]
    assert late == []
    (folder,) = {path.split("/")[1] for path in written}
    assert {f"publications/{folder}", f"publications/{folder}/parquet", "publications"} <= synced.keys()
    assert any(point.deed == "sync" and point.path == "." for point in points if point.number > shown)


@pytest.mark.xdist_group("killed_build")
def test_build_killed_among_its_commits_ends_as_if_undisturbed(
    tmp_path: Path, demo_data: Path, demo_warehouse: Warehouse
) -> None:
    data = shutil.copytree(demo_data, tmp_path / "data")
    # A correction of yesterday's orders: everything behind them is computed again, for these customers.
    file = sorted((data / "orders").glob("*.csv"))[0]
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:1] + lines[2:]))
    killed, undisturbed = Warehouse(tmp_path / "killed"), Warehouse(tmp_path / "undisturbed")
    shutil.copytree(demo_warehouse.settings.warehouse, killed.settings.warehouse, symlinks=True)
    killed.land("demo", data)
    shutil.copytree(killed.settings.warehouse, undisturbed.settings.warehouse, symlinks=True)
    for warehouse in (killed, undisturbed):
        parse_cache.take(warehouse.settings)
    command, environment = dbt_run(undisturbed.settings)
    injection = Injection(tmp_path / "injection", undisturbed.settings.warehouse)
    good = injection.run(command, environment=environment)
    assert good.exit_code == 0, good.stdout
    commits = [point.number for point in good.points if point.deed == "sync" and point.path.endswith(".wal")]
    command, environment = dbt_run(killed.settings)
    injection = Injection(tmp_path / "injection", killed.settings.warehouse)
    for at in (commits[len(commits) // 3], commits[2 * len(commits) // 3] + 1):
        assert injection.run(command, at, "torn", environment).point is not None
    assert injection.run(command, environment=environment).exit_code == 0
    require_same_built(killed.settings.build_database, undisturbed.settings.build_database)


def dbt_run(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """dbt on the incremental models and what they need: all others are made anew each time."""
    incremental = ("staging", "+int_customer_months", "+int_customer_feature_months")
    command = [sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "run", "--select", *incremental]
    return command, {
        "DBT_TARGET_PATH": str(dbt_target_path(settings)),
        "DBT_LOG_PATH": str(dbt_log_path(settings)),
        # As `parse_cache` has it.
        MEMORY_VARIABLE: memory_limit(),
    }


# A warehouse on a file system of its own, with so many kilobytes left: the command, room, the command again.
ON_SMALL_DISK = """
set -e
mount -t tmpfs -o size=60m tmpfs "$DISK"
cp -a "$FROM" "$DISK/warehouse"
export TENURE_WAREHOUSE="$DISK/warehouse"
dd if=/dev/zero of="$DISK/ballast" bs=1k 2> "$OUT/dd" || true
truncate -s "-${LEFT}K" "$DISK/ballast"
code=0
"$@" 2> "$OUT/stderr" || code=$?
echo "$code" > "$OUT/code"
rm "$DISK/ballast"
cp -a "$DISK/warehouse" "$OUT/full"
"$@"
cp -a "$DISK/warehouse" "$OUT/again"
"""


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Callable[[Settings, int, list[str]], tuple[int, str]]:
    """Run a command with so many kilobytes left, and again with room; the first's exit code and message."""
    reason = why_no_disk()
    if reason:
        pytest.skip(reason)

    def run(settings: Settings, left: int, command: list[str]) -> tuple[int, str]:
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        disk = tmp_path / "disk"
        disk.mkdir(exist_ok=True)
        given = {"DISK": disk, "FROM": settings.warehouse, "OUT": out, "LEFT": left}
        environment = dict(os.environ) | {name: str(value) for name, value in given.items()}
        subprocess.run(
            [*NAMESPACE, "sh", "-c", ON_SMALL_DISK, "sh", *command],
            cwd=PROJECT_ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
        return int((out / "code").read_text()), (out / "stderr").read_text()

    return run


def require_told(code: int, message: str) -> None:
    assert code == 6, message
    assert "Error: The disk is full: " in message
    assert "MB free of 63 MB" in message
    assert "Make room, then run again." in message
    assert "Traceback" not in message


@pytest.mark.parametrize("left", [0, 300])
def test_full_disk_while_publishing(on_small_disk: Any, tmp_path: Path, left: int) -> None:
    settings = small_warehouse.make_warehouse(tmp_path / "warehouse")
    subprocess.run(
        PUBLISH,
        cwd=PROJECT_ROOT,
        env={**os.environ, "TENURE_WAREHOUSE": str(settings.warehouse)},
        check=True,
        capture_output=True,
    )
    yesterday = read_publication(settings)
    small_warehouse.build(settings, number=2)
    require_told(*on_small_disk(settings, left, list(PUBLISH)))
    full, again = (Settings(tmp_path / "out" / name) for name in ("full", "again"))
    assert read_publication(full) == yesterday
    assert read_publication(again) not in (None, yesterday)
    require_no_litter(again)


def test_full_disk_while_landing(on_small_disk: Any, company: Company, tmp_path: Path) -> None:
    company.land()
    before = raw_rows(company.settings)
    deliver(company, corrected=True)
    require_told(*on_small_disk(company.settings, 100, land_command(company)))
    full, again = (Settings(tmp_path / "out" / name) for name in ("full", "again"))
    assert raw_rows(full) == before
    assert raw_rows(again) != before
    require_no_litter(again)
