"""`doctor`: each thing that can be wrong is told with what to do, and looking changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from scripts import doctor
from scripts.core.locking import warehouse_lock
from scripts.core.settings import Settings
from scripts.doctor import GOOD, ODD, WRONG, Finding, doctor_command, examine
from scripts.personal_data.salt import read_salt
from scripts.publication.publications import publish
from tests.python.small_company import ORDERS, Company
from tests.python.small_warehouse import make_warehouse


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TENURE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def published(tmp_path: Path) -> Settings:
    settings = make_warehouse(tmp_path / "wh")
    read_salt(settings)
    publish(settings, "20261121T203000Z")
    return settings


def told(findings: list[Finding], state: str) -> str:
    return "\n".join(one.what for one in findings if one.state == state)


def test_a_good_warehouse_has_nothing_wrong_and_stays_as_it_is(published: Settings) -> None:
    before = {path: path.stat().st_mtime_ns for path in published.warehouse.rglob("*")}
    findings = examine(published)
    assert told(findings, WRONG) == ""
    assert "published: 20261121T203000Z" in told(findings, GOOD)
    assert {path: path.stat().st_mtime_ns for path in published.warehouse.rglob("*")} == before


def test_a_warehouse_that_is_not_there_yet(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "new" / "wh")
    assert "not there yet, the first run makes it" in told(examine(settings), GOOD)
    assert not settings.warehouse.exists()


def test_variables_that_nothing_reads(published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_WAREHOSE", "x")
    monkeypatch.setenv("TENURE_DATA", " ")
    odd = told(examine(published), ODD)
    assert "TENURE_WAREHOSE is set, and nothing reads it; did you mean TENURE_WAREHOUSE" in odd
    assert "TENURE_DATA is set to nothing" in odd
    monkeypatch.setenv("TENURE_MEMORY_LIMIT", "lots")
    assert "TENURE_MEMORY_LIMIT is 'lots', which is no size" in told(examine(published), WRONG)


def test_packages_that_are_not_those_of_the_lock_file(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "0.1")
    assert "packages are not those of requirements.lock" in told(examine(published), WRONG)


def test_what_can_be_wrong_with_a_warehouse(published: Settings) -> None:
    published.salt_file.unlink()
    published.build_database.chmod(0o644)
    (published.scratch).mkdir()
    (published.scratch / "landing").touch()
    findings = examine(published)
    assert ".salt is gone" in told(findings, WRONG)
    assert "build.duckdb can be read by others" in told(findings, ODD)
    assert "holds what a run left that died" in told(findings, ODD)
    published.build_database.write_bytes(b"no database")
    assert "build.duckdb cannot be opened" in told(examine(published), WRONG)


def test_a_publication_that_is_not_whole(published: Settings) -> None:
    target = published.published.resolve() / "manifest.json"
    target.parent.chmod(0o755)
    target.unlink()
    assert "is not whole: readers see nothing" in told(examine(published), WRONG)


def test_a_full_disk_and_a_lock(published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_FREE_BYTES", 1 << 60)
    assert "are free on its disk. Make room" in told(examine(published), ODD)
    with warehouse_lock(published, "nightly"):
        assert "the warehouse is in use: process" in told(examine(published), ODD)


def test_how_the_last_run_ended(published: Settings) -> None:
    published.runs.mkdir(exist_ok=True)
    record = {"status": "failed", "error": {"message": "orders: 3 rows refused\nmore"}}
    (published.runs / "20261122T203000Z.json").write_text(json.dumps(record))
    assert "the last run, 20261122T203000Z, ended: failed (orders: 3 rows refused)" in told(
        examine(published), ODD
    )
    (published.runs / "20261123T203000Z.json").write_text("half")
    assert "20261123T203000Z.json is no record" in told(examine(published), ODD)


def test_an_adapter_and_its_files(tmp_path: Path, published: Settings) -> None:
    company = Company(tmp_path, ORDERS)
    company.adapter(f"data: {company.data}\n{ORDERS}")
    source = str(company.adapter_file)
    findings = examine(company.settings, source)
    assert "no file in" in told(findings, WRONG)
    company.orders("1,a,2026-01-01,5")
    findings = examine(company.settings, source)
    assert told(findings, WRONG) == ""
    assert "does not say reporting_currency: it is USD then" in told(findings, ODD)
    assert f"files in {company.data}: orders 1" in told(findings, GOOD)
    with duckdb.connect(str(company.settings.build_database)) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute("create or replace table raw.loads as select 'other' as source_name")
    assert "the warehouse holds 'other'" in told(examine(company.settings, source), WRONG)
    company.adapter(
        """
        tables:
          orders:
            postgres: {connection: SHOP_URL, relation: orders}
            columns: {order_id: a, ordered_at: b, gross_amount: c}
        """
    )
    assert "SHOP_URL is not set" in told(examine(company.settings, source), WRONG)


def test_the_command_ends_with_1_when_something_is_wrong(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_WAREHOUSE", str(published.warehouse))
    good = CliRunner().invoke(doctor_command)
    assert good.exit_code == 0, good.output
    assert "0 wrong." in good.output
    bad = CliRunner().invoke(doctor_command, ["--source", "demmo"])
    assert bad.exit_code == 1
    assert "wrong  No adapter 'demmo'" in bad.output
