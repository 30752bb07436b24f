"""Readers see one publication, whole, at any moment; a failed one never; an earlier one on request."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from scripts.core.errors import CheckFailedError, ConfigurationError, TenureError
from scripts.core.settings import Settings
from scripts.publication import publications as publishing
from scripts.publication.publications import (
    Publication,
    current_publication,
    list_publications,
    publish,
    publish_command,
    rollback,
    rollback_command,
)
from scripts.publication.summary import format_own_rules
from tests.faults.readers import reader
from tests.python.small_warehouse import build, make_warehouse


def name(number: int) -> str:
    return f"20261121T{number:06d}Z"


def publish_number(settings: Settings, number: int, keep: int = 7) -> Publication:
    """Publish marts whose every row says `number`."""
    make_warehouse(settings.warehouse, number)
    return publish(settings, name(number), keep=keep)


def published_numbers(settings: Settings) -> set[int]:
    with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
        rows = connection.execute("select distinct publication_number from marts.dim_customers").fetchall()
    return {number for (number,) in rows}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_warehouse(tmp_path / "warehouse")


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old publications go at once."""
    monkeypatch.setattr(publishing, "GRACE", timedelta(0))


def test_what_readers_get(settings: Settings) -> None:
    publication = publish(settings, name(1), fingerprint="abc")
    assert settings.published.resolve() == publication.path
    with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
        tables = connection.execute("select table_name, comment from duckdb_tables()").fetchall()
        comments = connection.execute(
            "select column_name, comment from duckdb_columns() where comment is not null"
        ).fetchall()
        rows = connection.execute("from marts.dim_customers").fetchall()
        storage = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where path is not null"
        ).fetchone()
        parquet = connection.execute(f"from '{settings.published}/parquet/dim_customers.parquet'").fetchall()
        codecs = connection.execute(
            f"select distinct compression from parquet_metadata('{settings.published}/parquet/*.parquet')"
        ).fetchall()
    assert dict(tables)["dim_customers"] == "One row per customer, the shop's own."
    assert sorted(table for table, _ in tables) == [
        "dim_customers",
        "fct_customer_base",
        "fct_customer_lifetime_value",
        "fct_customer_retention_rate",
        "fct_revenue_concentration",
    ]
    assert comments == [("customer_id", "Who it is.")]
    assert rows == [(f"c{i}", i % 2 == 0, 1) for i in range(5)] == parquet
    # The oldest: opens in every client of the 1.x line.
    assert storage == ("v1.0.0+",)
    assert codecs == [("ZSTD",)]


def test_manifest_says_what_it_was_made_from(settings: Settings) -> None:
    manifest = publish(settings, name(1), fingerprint="abc").manifest
    assert manifest == json.loads((settings.published / "manifest.json").read_text())
    assert manifest["run_id"] == name(1)
    assert manifest["as_of_date"] == "2011-03-09"
    assert manifest["reporting_currency"] == "GBP"
    assert (manifest["source_name"], manifest["batch_id"]) == ("shop", 1)
    assert (manifest["rows_read"], manifest["rows_rejected"]) == (1692, 72)
    assert manifest["fingerprint"] == "abc"
    assert manifest["tools"]["duckdb"] == duckdb.__version__
    assert datetime.fromisoformat(manifest["published_at"]).utcoffset() is not None
    mart = manifest["marts"]["dim_customers"]
    assert mart["rows"] == 5
    assert mart["columns"][0] == {"name": "customer_id", "type": "VARCHAR"}
    assert mart["bytes"] == (settings.published / mart["parquet"]).stat().st_size
    assert mart["sha256"] == publishing._sha256(settings.published / mart["parquet"])


def test_manifest_and_summary_say_whose_rules_are_in_force(settings: Settings) -> None:
    assert publish(settings, name(1)).manifest["own_rules"] == []
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("insert into raw.settings values ('rules.nps_bands', '1f'), ('drift.x', '4')")
    manifest = publish(settings, name(2)).manifest
    assert manifest["own_rules"] == ["nps_bands"]
    assert format_own_rules(manifest) == [
        ("Rules", "nps_bands is shop's own; the others are the defaults"),
    ]


def test_same_marts_give_the_same_parquet(settings: Settings) -> None:
    first = publish(settings, name(1)).manifest["marts"]
    with duckdb.connect(str(settings.build_database)) as connection:
        # Other storage, other order, same rows.
        connection.execute("create table marts.other as from marts.dim_customers order by customer_id desc")
        connection.execute("drop table marts.dim_customers")
        connection.execute("alter table marts.other rename to dim_customers")
    second = publish(settings, name(2)).manifest["marts"]
    assert {mart: content["sha256"] for mart, content in first.items()} == {
        mart: content["sha256"] for mart, content in second.items()
    }


def test_a_mart_is_sorted_by_its_key(settings: Settings) -> None:
    """Which the build file tells; without one, by all columns as they come."""
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("create schema if not exists intermediate")
        connection.execute("create table intermediate.mart_keys (mart_name text, key_columns text)")
        connection.execute(
            "insert into intermediate.mart_keys values ('keyed', 'b, c'), ('unkeyed', ''), ('other', 'gone')"
        )
        for mart in ("keyed", "unkeyed", "other"):
            connection.execute(
                f"create table marts.{mart} as from (values (1, 2, 1), (2, 1, 2), (3, 1, 1)) as t (a, b, c)"
            )
    publication = publish(settings, name(1))
    assert {
        mart: (publication.manifest["marts"][mart]["key"], _column_of_parquet(publication, mart))
        for mart in ("keyed", "unkeyed", "other")
    } == {"keyed": (["b", "c"], [3, 2, 1]), "unkeyed": ([], [1, 2, 3]), "other": ([], [1, 2, 3])}


def _column_of_parquet(publication: Publication, mart: str) -> list[int]:
    file = publication.path / publication.manifest["marts"][mart]["parquet"]
    return [value for (value,) in duckdb.sql(f"select a from read_parquet('{file}')").fetchall()]


def test_the_file_of_an_unchanged_mart_is_carried_over(settings: Settings) -> None:
    first = publish(settings, name(1))
    with duckdb.connect(str(settings.build_database)) as connection:
        # Another order is no change.
        connection.execute("create table marts.other as from marts.dim_customers order by customer_id desc")
        connection.execute("drop table marts.dim_customers")
        connection.execute("alter table marts.other rename to dim_customers")
        connection.execute("delete from marts.fct_customer_base where rowid = 0")
        connection.execute("alter table marts.fct_revenue_concentration rename publication_number to edition")
    second = publish(settings, name(2))

    def is_carried(mart: str) -> bool:
        file = Path("parquet") / f"{mart}.parquet"
        return (first.path / file).samefile(second.path / file)

    assert {mart: is_carried(mart) for mart in second.rows} == {
        "dim_customers": True,
        "fct_customer_base": False,
        "fct_customer_lifetime_value": True,
        "fct_customer_retention_rate": True,
        "fct_revenue_concentration": False,
    }
    for mart in second.manifest["marts"].values():
        assert mart["sha256"] == publishing._sha256(second.path / mart["parquet"])


def test_a_damaged_file_is_not_carried_over(settings: Settings) -> None:
    first = publish(settings, name(1))
    file = first.path / "parquet" / "dim_customers.parquet"
    whole = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(whole[:-20] + b"x" * 20)
    second = publish(settings, name(2))
    assert (second.path / "parquet" / "dim_customers.parquet").read_bytes() == whole


def test_a_publication_made_anew_shares_no_file(settings: Settings) -> None:
    """What is edited for one publication must neither stay in another nor change it."""
    first = publish(settings, name(1))
    before = (first.path / "parquet" / "dim_customers.parquet").read_bytes()
    second = publish(settings, name(2))
    edited = publishing.rewrite(
        settings,
        second,
        name(3),
        lambda connection: connection.execute("delete from build.marts.dim_customers"),
    )
    assert edited.rows["dim_customers"] == 0
    assert (first.path / "parquet" / "dim_customers.parquet").read_bytes() == before
    for file in (edited.path / "parquet").iterdir():
        assert file.stat().st_nlink == 1


def test_published_files_are_read_only_and_nothing_else_lies_there(settings: Settings) -> None:
    publication = publish(settings, name(1))
    files = sorted(path for path in publication.path.rglob("*") if path.is_file())
    assert [str(path.relative_to(publication.path)) for path in files] == [
        "analytics.duckdb",
        "manifest.json",
        "parquet/dim_customers.parquet",
        "parquet/fct_customer_base.parquet",
        "parquet/fct_customer_lifetime_value.parquet",
        "parquet/fct_customer_retention_rate.parquet",
        "parquet/fct_revenue_concentration.parquet",
        "report.html",
        "report.vi.html",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}
    assert [path.name for path in publishing.publications_folder(settings).iterdir()] == [name(1)]
    assert sorted(path.name for path in settings.warehouse.iterdir()) == [
        "build.duckdb",
        "publications",
        "published",
    ]


def test_views_become_tables(settings: Settings) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute("create view marts.dim_active as from marts.dim_customers where is_active")
    assert publish(settings, name(1)).rows["dim_active"] == 3
    with duckdb.connect(str(settings.analytics_database), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.dim_active").fetchone() == (3,)


@pytest.mark.slow
def test_readers_never_see_a_mixture(settings: Settings) -> None:
    publish_number(settings, 1)
    with reader(settings) as first, reader(settings) as second:
        for number in range(2, 12):
            publish_number(settings, number)
            for process in (first, second):
                # A round that ended during or after this publication: the readers did not sleep through it.
                assert process.stdout is not None
                assert process.stdout.readline()
            if number % 3 == 0:
                assert rollback(settings).run_id == name(number - 1)
                assert published_numbers(settings) == {number - 1}
    assert published_numbers(settings) == {11}


@pytest.mark.slow
def test_readers_have_something_whole_after_every_statement(settings: Settings) -> None:
    """What readers at work can only find by luck: the moment between two statements that must not exist."""
    publish_number(settings, 1)
    seen: set[int] = set()
    problems: list[str] = []

    def look(frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if frame.f_code.co_filename != publishing.__file__:
            return None
        try:
            manifest = json.loads((settings.published / "manifest.json").read_text())
            for file in (manifest["database"]["path"], *(m["parquet"] for m in manifest["marts"].values())):
                assert (settings.published / file).stat().st_mode & 0o777 == 0o444
            assert settings.published.resolve().name == manifest["run_id"] == name(manifest["batch_id"])
            seen.add(manifest["batch_id"])
        except (OSError, ValueError, AssertionError) as problem:
            problems.append(f"line {frame.f_lineno}: {problem!r}")
        return look

    tracing = sys.gettrace()
    sys.settrace(look)
    try:
        publish_number(settings, 2, keep=1)
        publish_number(settings, 3, keep=1)
        rollback(settings)
    finally:
        sys.settrace(tracing)
    assert problems == []
    assert seen == {1, 2, 3}


@pytest.mark.usefixtures("no_grace")
@pytest.mark.slow
def test_open_reader_keeps_what_it_opened(settings: Settings) -> None:
    publish_number(settings, 1)
    with duckdb.connect(str(settings.published.resolve() / "analytics.duckdb"), read_only=True) as connection:
        for number in range(2, 5):
            publish_number(settings, number, keep=1)
        assert not (publishing.publications_folder(settings) / name(1)).exists()
        rows = connection.execute("select max(publication_number) from marts.fct_customer_base").fetchone()
    assert rows == (1,)


def test_failure_leaves_the_former_publication(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_number(settings, 1)

    def disk_full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_seal", disk_full)
        with pytest.raises(TenureError, match="No space left"):
            publish_number(settings, 2)
    assert published_numbers(settings) == {1}
    assert [path.name for path in publishing.publications_folder(settings).iterdir()] == [name(1)]


def test_difference_from_the_build_file_is_not_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = publishing._copy

    def lose_a_row(connection: duckdb.DuckDBPyConnection, mart: publishing._Mart) -> None:
        copy(connection, mart)
        connection.execute(f"delete from target.marts.{mart.name} where rowid = 0")

    monkeypatch.setattr(publishing, "_copy", lose_a_row)
    with pytest.raises(CheckFailedError, match=r"dim_customers in analytics.duckdb has 4 rows, .* 5"):
        publish(settings, name(1))
    assert not settings.published.exists()
    assert not list(publishing.publications_folder(settings).iterdir())


@pytest.mark.parametrize("column", ["email", "email_hash", "EMAIL"])
def test_personal_data_is_not_published(settings: Settings, column: str) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(f"create table marts.dim_contacts as select 'x' as {column}")
    with pytest.raises(CheckFailedError, match="dim_contacts"):
        publish(settings, name(1))
    assert not settings.published.exists()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("drop schema marts cascade", "holds no marts"),
        ("drop schema intermediate cascade", "not complete"),
        ("delete from intermediate.int_settings", "no as-of date"),
    ],
)
def test_nothing_to_publish(settings: Settings, statement: str, told: str) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(statement)
    with pytest.raises(ConfigurationError, match=told):
        publish(settings, name(1))
    settings.build_database.unlink()
    with pytest.raises(ConfigurationError, match="does not exist"):
        publish(settings, name(1))


def test_folder_in_the_place_of_the_link_is_not_touched(settings: Settings) -> None:
    settings.published.mkdir()
    (settings.published / "precious.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="Move it away"):
        publish(settings, name(1))
    assert (settings.published / "precious.txt").read_text() == "mine"


@pytest.mark.usefixtures("no_grace")
@pytest.mark.slow
def test_keeps_the_last_ones_and_what_is_linked(settings: Settings) -> None:
    publish_number(settings, 1)
    (settings.warehouse / "year_end").symlink_to(f"publications/{name(1)}")
    for number in range(2, 7):
        publish_number(settings, number, keep=2)
    kept = [publication.run_id for publication in list_publications(settings)]
    assert kept == [name(1), name(4), name(5), name(6)]


def age(settings: Settings, *numbers: int) -> None:
    """As if the grace of these publications had just ended."""
    for number in numbers:
        folder = publishing.publications_folder(settings) / name(number)
        ended = folder.stat().st_mtime - publishing.GRACE.total_seconds()
        os.utime(folder, (ended, ended))


@pytest.mark.slow
def test_one_that_was_current_a_moment_ago_stays_for_who_looked_it_up(settings: Settings) -> None:
    for number in range(1, 5):
        publish_number(settings, number)
    age(settings, 1, 2, 3, 4)
    rollback(settings, name(1))
    looked_up = settings.published.resolve()
    publish_number(settings, 5, keep=1)
    with duckdb.connect(str(looked_up / "analytics.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.dim_customers").fetchone() == (5,)
    assert [publication.run_id for publication in list_publications(settings)] == [name(1), name(4), name(5)]
    age(settings, 1, 4)
    publish_number(settings, 6, keep=1)
    assert [publication.run_id for publication in list_publications(settings)] == [name(5), name(6)]


@pytest.mark.usefixtures("no_grace")
def test_current_one_is_kept_after_a_rollback(settings: Settings) -> None:
    for number in range(1, 5):
        publish_number(settings, number)
    rollback(settings, name(1))
    publishing._prune(settings, keep=1)
    assert [publication.run_id for publication in list_publications(settings)] == [name(1), name(4)]
    assert published_numbers(settings) == {1}


def test_rollback_goes_back_and_forth(settings: Settings) -> None:
    for number in range(1, 4):
        publish_number(settings, number)
    assert rollback(settings).run_id == name(2)
    assert rollback(settings).run_id == name(1)
    assert published_numbers(settings) == {1}
    assert json.loads((settings.published / "manifest.json").read_text())["batch_id"] == 1
    with pytest.raises(ConfigurationError, match="no publication before"):
        rollback(settings)
    assert rollback(settings, name(3)).run_id == name(3)
    assert published_numbers(settings) == {3}


def test_rollback_to_what_is_not_there(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="Nothing is published"):
        rollback(settings)
    publish_number(settings, 1)
    with pytest.raises(ConfigurationError, match=f"There are: {name(1)}"):
        rollback(settings, "../../elsewhere")


@pytest.mark.parametrize("part", ["analytics.duckdb", "parquet/dim_customers.parquet"])
def test_rollback_refuses_a_damaged_publication(settings: Settings, part: str) -> None:
    damaged = publish_number(settings, 1).path / part
    publish_number(settings, 2)
    damaged.chmod(0o644)
    with damaged.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ConfigurationError, match="damaged"):
        rollback(settings)
    assert published_numbers(settings) == {2}


def test_warehouse_can_be_moved(settings: Settings, tmp_path: Path) -> None:
    publish(settings, name(1))
    moved = Settings(warehouse=settings.warehouse.rename(tmp_path / "moved"))
    assert published_numbers(moved) == {1}
    current = current_publication(moved)
    assert current is not None
    assert current.run_id == name(1)


def test_command_line(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_WAREHOUSE", str(settings.warehouse))
    runner = CliRunner()
    assert "Nothing is published" in runner.invoke(rollback_command, ["--list"]).stdout
    for number in (1, 2):
        build(settings, number)
        outcome = runner.invoke(publish_command)
        assert outcome.exit_code == 0, outcome.output
        assert str(settings.analytics_database) in outcome.stdout
    first, second = (publication.run_id for publication in list_publications(settings))
    listed = runner.invoke(rollback_command, ["--list"]).stdout.splitlines()
    assert listed[0].startswith(f"* {second}  as of 2011-03-09  5 marts, 32 rows  from shop, batch 1")
    assert listed[1].startswith(f"  {first}")
    outcome = runner.invoke(rollback_command)
    assert outcome.exit_code == 0
    assert first in outcome.stdout
    assert "lasts until the next night publishes again" in outcome.stdout
    assert published_numbers(settings) == {1}
    assert runner.invoke(publish_command, ["--keep", "0"]).exit_code == 2
    assert not os.path.lexists(settings.warehouse / ".lock.json")
