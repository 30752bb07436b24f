"""The night as an orchestrator sees it: exit codes, records, and no work done twice.

Landing, dbt and validation have their own tests; here they are replaced, for these tests are about what the
night makes of them. Publishing, locking and records are the real ones.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts import cli
from scripts.build.dbt_process import DbtProcess
from scripts.build.dbt_runner import BuildResult
from scripts.core.errors import CheckFailedError, ConfigurationError, LandingError
from scripts.core.locking import warehouse_lock
from scripts.core.runs import run_order
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.publication.fingerprint import compute_fingerprint, fingerprinted_files
from scripts.publication.publications import current_publication, rollback
from tests.python import parse_cache, small_warehouse

STEPS = ("land", "build", "validate", "publish")


@dataclasses.dataclass
class Landed:
    """As landing's result: what was landed, in numbers."""

    tables: dict[str, int]


class Night:
    """A night on a small project. What landing brings can be changed between runs; `built` counts builds."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = settings
        self.batch_id = 1
        self.timezone = "UTC"
        self.built = 0
        self.options: tuple[date | None, bool] | None = None
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(Settings, "from_environment", classmethod(lambda cls: settings))
        self.replace("land", self.land)
        self.replace("build", self.build)
        self.replace("validate", lambda settings, run_id: None)
        self.replace("check_freshness", lambda settings, run_id: None)
        self.replace("load_in_background", lambda: None)
        self.replace("refresh_data_quality", lambda settings, as_of, dbt: None)
        self.replace("start_dbt", lambda settings, as_of: nullcontext())

    def replace(self, step: str, function: Callable[..., Any]) -> None:
        homes = {"land": "scripts.landing.land"} | dict.fromkeys(
            ("validate", "check_freshness", "load_in_background"), "scripts.validation.validate"
        )
        home = homes.get(step, "scripts.nightly")
        self.monkeypatch.setattr(f"{home}.{step}", function)

    def land(self, settings: Settings, source: str, data: Path | None) -> Landed:
        small_warehouse.land(settings, self.batch_id, self.timezone)
        return Landed({"orders": 3})

    def build(
        self, settings: Settings, as_of: date | None, full_refresh: bool, dbt: DbtProcess | None, run_id: str
    ) -> BuildResult:
        self.built += 1
        self.options = (as_of, full_refresh)
        small_warehouse.build(settings, self.batch_id)
        return BuildResult({"model": 4}, ("a warning",), 1.5, settings.warehouse / "console.log")

    def run(self, *arguments: str) -> int:
        """The exit code of `python -m scripts nightly --source shop ARGUMENTS`."""
        self.monkeypatch.setattr(sys, "argv", ["scripts", "nightly", "--source", "shop", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code if isinstance(ended.value.code, int) else 0

    def records(self) -> list[dict[str, Any]]:
        """All records, the oldest first."""
        records = [json.loads(path.read_text()) for path in self.settings.runs.iterdir()]
        return sorted(records, key=lambda record: run_order(record["run_id"]))


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    project = tmp_path / "project"
    for file in ("dbt_project.yml", "models/core/dim.sql", "seeds/tiers.csv", "scripts/landing/land.py"):
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_text("as it was")
    return Night(Settings(warehouse=tmp_path / "warehouse", project_root=project), monkeypatch)


def test_good_night(night: Night, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert night.run("--as-of", "2011-03-09", "--full-refresh", "--data", str(tmp_path)) == 0
    (record,) = night.records()
    assert (record["status"], record["exit_code"], record["error"]) == ("published", 0, None)
    assert (record["source"], record["data"]) == ("shop", str(tmp_path))
    assert (record["as_of"], record["full_refresh"]) == ("2011-03-09", True)
    assert night.options == (date(2011, 3, 9), True)
    assert [(step["step"], step["status"]) for step in record["steps"]] == [(step, "ok") for step in STEPS]
    assert all(step["seconds"] >= 0 for step in record["steps"])
    land, build, _, publish = record["steps"]
    assert land["counts"] == {"tables": {"orders": 3}}
    assert build["counts"]["nodes"] == {"model": 4}
    assert build["counts"]["warnings"] == ["a warning"]
    assert publish["counts"]["marts"]["dim_customers"] == 5
    publication = current_publication(night.settings)
    assert publication is not None
    assert publication.run_id == record["run_id"]
    assert record["publication"]["path"] == str(publication.path)
    assert record["publication"]["as_of_date"] == "2011-03-09"
    assert record["started_at"] <= record["ended_at"]
    shown = capsys.readouterr()
    assert "Customers                43, of whom 23 active" in shown.out
    assert "publish: done in" in shown.err
    assert not (night.settings.warehouse / ".lock.json").exists()


@pytest.mark.parametrize(
    ("step", "error", "exit_code"),
    [
        ("land", LandingError("orders.csv, line 7: cut off"), 3),
        ("land", ConfigurationError("no adapter shop"), 2),
        ("build", CheckFailedError("dbt found 1 failing"), 1),
        ("build", ConfigurationError("dbt refused the project"), 2),
        ("validate", CheckFailedError("1 failed expectation"), 1),
        ("publish", CheckFailedError("a difference"), 1),
        ("land", ZeroDivisionError("ours"), 5),
        ("build", ZeroDivisionError("ours"), 5),
        ("validate", ZeroDivisionError("ours"), 5),
        ("publish", ZeroDivisionError("ours"), 5),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_failing_step(
    night: Night, capsys: pytest.CaptureFixture[str], step: str, error: Exception, exit_code: int
) -> None:
    assert night.run() == 0
    published = current_publication(night.settings)
    night.batch_id = 2
    capsys.readouterr()

    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    night.replace(step, fail)
    assert night.run() == exit_code
    record = night.records()[-1]
    assert (record["status"], record["exit_code"]) == ("failed", exit_code)
    assert record["error"] == {"type": type(error).__name__, "message": str(error)}
    statuses = {entry["step"]: entry["status"] for entry in record["steps"]}
    assert statuses == dict.fromkeys(STEPS[: STEPS.index(step)], "ok") | {step: "failed"}
    assert record["ended_at"] is not None
    assert record["publication"] is None
    shown = capsys.readouterr()
    assert str(error) in shown.err
    assert ("Traceback" in shown.err) == (exit_code == 5)
    assert shown.out == ""
    assert current_publication(night.settings) == published
    with warehouse_lock(night.settings, "test"):
        pass


@pytest.mark.parametrize("step", STEPS)
def test_full_disk_is_no_defect(night: Night, capsys: pytest.CaptureFixture[str], step: str) -> None:
    assert night.run() == 0
    published = current_publication(night.settings)
    night.batch_id = 2

    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    night.replace(step, fail)
    assert night.run() == 6
    record = night.records()[-1]
    assert (record["status"], record["exit_code"]) == ("failed", 6)
    assert record["error"]["message"].startswith("The disk is full: ")
    shown = capsys.readouterr()
    assert "MB free of" in shown.err
    assert "Traceback" not in shown.err
    assert current_publication(night.settings) == published


def test_full_disk_before_there_is_a_record(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("scripts.nightly.reserve_run_id", fail)
    assert night.run() == 6


def test_record_that_cannot_be_written_does_not_stop_the_night(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("scripts.core.runs.write_json", fail)
    assert night.run() == 0
    assert current_publication(night.settings) is not None


def test_what_a_check_found_is_kept_when_it_stops_the_night(night: Night) -> None:
    def fail(settings: Settings, run_id: str) -> None:
        error = CheckFailedError("1 failed")
        error.result = Landed({"raw.orders": 7})  # type: ignore[attr-defined]
        raise error

    night.replace("validate", fail)
    assert night.run() == 1
    assert night.records()[0]["steps"][-1]["counts"] == {"tables": {"raw.orders": 7}}


def test_personal_data_in_a_mart_is_not_published(night: Night) -> None:
    def build(*arguments: Any, **options: Any) -> None:
        settings = night.settings
        small_warehouse.build(settings)
        with duckdb.connect(str(settings.build_database)) as connection:
            connection.execute("create or replace table marts.dim_contacts as select 'a@b.example' as email")

    night.replace("build", build)
    assert night.run() == 1
    assert night.records()[0]["steps"][-1] | {"seconds": 0} == {
        "step": "publish",
        "status": "failed",
        "seconds": 0,
        "counts": {},
    }
    assert current_publication(night.settings) is None


def test_second_run_is_told_who_holds_the_lock(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    with warehouse_lock(night.settings, "nightly", "20261121T203000Z"):
        assert night.run() == 4
    told = capsys.readouterr().err
    assert f"process {os.getpid()} on " in told
    assert "(nightly, run 20261121T203000Z) since 20" in told
    (record,) = night.records()
    assert (record["status"], record["exit_code"], record["steps"]) == ("failed", 4, [])
    assert night.built == 0


def test_build_file_open_elsewhere(night: Night) -> None:
    small_warehouse.land(night.settings, 1)
    hold = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(night.settings.build_database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        assert night.run() == 4
        client.communicate()
    assert str(client.pid) in night.records()[0]["error"]["message"]


@pytest.mark.parametrize(("error", "exit_code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_interrupted_night(night: Night, error: BaseException, exit_code: int) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise error

    night.replace("build", interrupt)
    assert night.run() == exit_code
    (record,) = night.records()
    assert (record["status"], record["exit_code"]) == ("interrupted", exit_code)
    assert record["steps"][-1]["status"] == "failed"


def test_record_of_a_run_in_progress(night: Night) -> None:
    """A run that is killed can't write any more: what it leaves says how far it was."""
    seen: list[dict[str, Any]] = []

    def validate(settings: Settings, run_id: str) -> None:
        seen.append(json.loads((settings.runs / f"{run_id}.json").read_text()))

    night.replace("validate", validate)
    assert night.run() == 0
    assert (seen[0]["status"], seen[0]["exit_code"]) == ("running", None)
    assert [step["status"] for step in seen[0]["steps"]] == ["ok", "ok", "running"]


@pytest.mark.parametrize("wrong", [("--as-of", "30/06/2011"), ("--keep", "0"), ("--data", "/no/such/folder")])
def test_wrong_usage(night: Night, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]) -> None:
    assert night.run(*wrong) == 2
    assert wrong[1] in capsys.readouterr().err
    assert not night.settings.warehouse.exists()


def test_no_work_twice(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    assert night.run() == 0
    first = current_publication(night.settings)
    assert first is not None
    capsys.readouterr()
    assert night.run() == 0
    assert night.built == 1
    assert current_publication(night.settings) == first
    record = night.records()[1]
    assert (record["status"], record["exit_code"]) == ("nothing_new", 0)
    assert [step["status"] for step in record["steps"]] == ["ok", "skipped", "skipped", "skipped"]
    assert record["publication"]["run_id"] == first.run_id
    shown = capsys.readouterr()
    assert f"Nothing new since publication {first.run_id}" in shown.err
    assert "Customers  " in shown.out


@pytest.mark.parametrize(
    "change",
    ["batch", "setting", "as of", "full refresh", "model", "seed", "script", "new model", "lost model"],
)
def test_every_reason_to_build_again(night: Night, change: str) -> None:
    assert night.run() == 0
    project = night.settings.project_root
    arguments: tuple[str, ...] = ()
    match change:
        case "batch":
            night.batch_id = 2
        case "setting":
            night.timezone = "Europe/London"
        case "as of":
            arguments = ("--as-of", "2011-02-28")
        case "full refresh":
            arguments = ("--full-refresh",)
        case "model":
            (project / "models/core/dim.sql").write_text("another")
        case "seed":
            (project / "seeds/tiers.csv").write_text("another")
        case "script":
            (project / "scripts/landing/land.py").write_text("another")
        case "new model":
            (project / "models/core/fct.sql").write_text("new")
        case "lost model":
            (project / "models/core/dim.sql").unlink()
    assert night.run(*arguments) == 0
    assert night.built == 2
    assert night.records()[1]["status"] == "published"


def test_a_night_without_news_can_still_fail(night: Night) -> None:
    """Nothing has come for too long: nobody else would notice."""

    def fail(settings: Settings, run_id: str) -> None:
        raise CheckFailedError("raw.orders: no row since 2011-03-01")

    assert night.run() == 0
    published = current_publication(night.settings)
    night.replace("check_freshness", fail)
    assert night.run() == 1
    record = night.records()[1]
    assert (record["status"], record["error"]["message"]) == ("failed", "raw.orders: no row since 2011-03-01")
    assert [step["status"] for step in record["steps"]] == ["ok", "skipped", "failed"]
    assert (night.built, current_publication(night.settings)) == (1, published)


def test_failed_night_is_not_taken_for_done(night: Night) -> None:
    def fail(settings: Settings, run_id: str) -> None:
        raise CheckFailedError("1 failed")

    assert night.run() == 0
    night.batch_id = 2
    night.replace("validate", fail)
    assert night.run() == 1
    assert night.run() == 1, "the second attempt lands nothing new, and must still not pass"
    night.replace("validate", lambda settings, run_id: None)
    assert night.run() == 0
    assert night.built == 4


def test_rollback_holds_until_the_next_night(night: Night) -> None:
    assert night.run() == 0
    night.batch_id = 2
    assert night.run() == 0
    rollback(night.settings)
    assert night.run() == 0
    assert night.built == 3
    assert len(list((night.settings.warehouse / "publications").iterdir())) == 3


def test_fingerprint_ignores_what_python_and_editors_leave(night: Night) -> None:
    small_warehouse.land(night.settings, 1)
    before = compute_fingerprint(night.settings, None)
    scripts = night.settings.project_root / "scripts"
    (scripts / "__pycache__").mkdir()
    (scripts / "__pycache__" / "landing.cpython-311.pyc").write_bytes(b"compiled")
    (scripts / ".landing.py.swp").write_text("swap")
    assert compute_fingerprint(night.settings, None) == before
    assert compute_fingerprint(night.settings, date(2011, 1, 1)) != before


@pytest.mark.parametrize(
    "file",
    [
        "starter/vocabulary.py",
        "demo/texts.py",
        "forget/forget.py",
        "benchmark.py",
        "benchmark/night.py",
        "cli.py",
    ],
)
def test_a_change_beside_the_marts_builds_nothing_anew(night: Night, file: str) -> None:
    path = night.settings.project_root / "scripts" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("as it was")
    assert night.run() == 0
    path.write_text("another comment")
    assert night.run() == 0
    assert night.built == 1


def test_fingerprint_covers_the_project() -> None:
    files = {str(path.relative_to(PROJECT_ROOT)) for path in fingerprinted_files(PROJECT_ROOT)}
    assert {
        "dbt_project.yml",
        "profiles.yml",
        "scripts/nightly.py",
        "scripts/validation/__init__.py",
        "scripts/prediction/bg_nbd.py",
    } <= files
    assert any(file.startswith("models/") for file in files)
    assert any(file.startswith("macros/") for file in files)


ADAPTER = """
description: A shop of a few orders.
freshness: {warn_after_days: 5}
tables:
  orders:
    files: orders.csv
    columns:
      order_id: number
      customer_id: customer
      ordered_at: day
      gross_amount: amount
"""


def run_for_real(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A night on the real project, as cron would start it: from elsewhere, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "scripts", "nightly", "--source", str(tmp_path / "shop.yml")],
        cwd=tmp_path,
        env=os.environ | {"TENURE_WAREHOUSE": str(tmp_path / "warehouse"), "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.xdist_group("small_shop")
def test_nights_of_a_small_shop(tmp_path: Path) -> None:
    """The real thing: a first night, one without news, one with a file that can't be read."""
    (tmp_path / "shop.yml").write_text(ADAPTER)
    orders = [f"{n},c{n % 7},2011-{1 + n // 10:02d}-{1 + n % 28:02d},{10 + n}.50" for n in range(60)]
    (tmp_path / "orders.csv").write_text("\n".join(["number,customer,day,amount", *orders, ""]))
    settings = Settings(warehouse=tmp_path / "warehouse")
    parse_cache.take(settings)

    first = run_for_real(tmp_path)
    assert first.returncode == 0, first.stderr
    publication = current_publication(settings)
    assert publication is not None
    assert publication.rows["fct_orders"] == 60
    assert publication.manifest["as_of_date"] == "2011-06-28"
    for headline in ("As of +2011-06-28", "Customers +7, of whom 7 active", "Net revenue +2,400.00 USD"):
        assert re.search(headline, first.stdout), first.stdout
    # What this night's validation found stands in this night's publication: the shop has been silent since.
    with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
        found = connection.execute(
            "select table_name, check_name, run_id, status, observed, failing_since = checked_at "
            "from marts.fct_data_quality where is_finding and border = 'raw'"
        ).fetchall()
        verdicts = connection.execute(
            "select distinct status from marts.fct_data_quality order by all"
        ).fetchall()
    assert [(*row[:4], row[5]) for row in found] == [
        ("orders", "Days since the newest row, by the clock", publication.run_id, "warn", True)
    ]
    assert found[0][4].endswith(" days, the newest row is of 2011-06-28")
    assert verdicts == [("no_verdict",), ("pass",), ("warn",)]
    assert re.search(r"Findings +\d open, \d of them new", first.stdout), first.stdout

    second = run_for_real(tmp_path)
    assert second.returncode == 0, second.stderr
    assert f"Nothing new since publication {publication.run_id}" in second.stderr
    assert re.search(
        "WARNING validate: raw.orders: Days since .*the newest row is of 2011-06-28", second.stderr
    )
    assert second.stdout == first.stdout

    (tmp_path / "orders.csv").write_text("number,customer,when,amount\n1,c1,2011-01-01,5\n")
    third = run_for_real(tmp_path)
    assert third.returncode == 3, third.stderr
    assert "orders.csv" in third.stderr
    assert "Traceback" not in third.stderr
    assert current_publication(settings) == publication
    statuses = [
        json.loads(path.read_text())["status"]
        for path in sorted(settings.runs.iterdir(), key=lambda path: path.stem)
    ]
    assert statuses == ["published", "nothing_new", "failed"]
