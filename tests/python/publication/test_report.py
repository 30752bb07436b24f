"""The report lies in the publication, and nothing that goes wrong with it harms the marts."""

from __future__ import annotations

import stat
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from scripts.cli import cli
from scripts.core.errors import ConfigurationError
from scripts.core.settings import Settings
from scripts.publication import report
from scripts.publication.publications import current_publication, list_publications, publish, rewrite
from scripts.publication.summary import summarize
from scripts.report import page
from tests.python.small_warehouse import make_warehouse

RUN = "20261121T203000Z"
PAGES = ("report.html", "report.vi.html")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_warehouse(tmp_path)


def run(settings: Settings, *arguments: str) -> str:
    result = CliRunner().invoke(
        cli, ["report", *arguments], env={"TENURE_WAREHOUSE": str(settings.warehouse)}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_comes_with_the_publication(settings: Settings) -> None:
    publication = publish(settings, RUN)
    for name in PAGES:
        text = (settings.published / name).read_text(encoding="utf-8")
        assert f"{RUN}" in text
        assert stat.S_IMODE((settings.published / name).stat().st_mode) == 0o444
    # It may be drawn anew by another version: the manifest does not vouch for its bytes.
    assert "report.html" not in str(publication.manifest)
    assert f"See it:\n  {settings.published / 'report.html'}" in summarize(settings)


def fail(*_: object) -> dict[str, str]:
    raise ZeroDivisionError("no figures\nat all")


def test_a_publication_is_right_without_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(page, "make_pages", fail)
    publication = publish(settings, RUN)
    assert current_publication(settings) == publication
    assert sorted(path.name for path in publication.path.iterdir()) == [
        "analytics.duckdb",
        "manifest.json",
        "parquet",
    ]
    assert "the report could not be written: ZeroDivisionError: no figures." in caplog.text
    assert "See it" not in summarize(settings)


def test_a_page_that_breaks_off_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        if path.name == ".report.vi.html.making":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "sync", full)
    publication = publish(settings, RUN)
    assert not (publication.path / "report.vi.html").exists()
    assert not [path for path in publication.path.iterdir() if path.name.startswith(".")]
    assert current_publication(settings) == publication


def test_an_interrupted_night_stays_interrupted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> dict[str, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "make_pages", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(settings, RUN)
    assert list_publications(settings) == []


def test_the_command_draws_it_anew_and_nothing_else(settings: Settings) -> None:
    publication = publish(settings, RUN)
    files = [path for path in publication.path.rglob("*") if path.is_file()]
    former = {path: (path.stat().st_ino, path.read_bytes()) for path in files}
    (publication.path / "report.vi.html").unlink()
    with (settings.published / "report.html").open(encoding="utf-8") as opened:
        output = run(settings)
        # Who has it open keeps what they opened.
        assert opened.read().encode() == former[publication.path / "report.html"][1]
    assert output.splitlines() == [str(settings.published / name) for name in PAGES]
    for path, (inode, content) in former.items():
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.stat().st_ino == inode or path.name in PAGES
    assert not [path for path in publication.path.iterdir() if path.name.startswith(".")]


def test_the_command_writes_the_pictures(settings: Settings, tmp_path: Path) -> None:
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(
            "create or replace table marts.rpt_winback_candidates as select 'orders' as basis, "
            "'up to 30 days' as time_away, 3 as days_away, 9.0 as value_if_back, 1.0 as expected_value"
        )
    publish(settings, RUN)
    run(settings, "--pictures", str(tmp_path / "pictures"))
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["winback-value.svg"]


def test_before_the_first_publication(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="Nothing is published"):
        run(settings)


def test_what_was_forgotten_leaves_the_report_too(settings: Settings) -> None:
    """A publication that is made anew without somebody has a report drawn from what is left."""
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(
            "create or replace table marts.fct_churn_reasons as select 'all' as segment_type, "
            "'subscription' as basis, 'told by c4711' as reason, true as is_controllable, 3 as churn_events, "
            "9.0 as mrr_lost, 9.0 as value_lost, date '2011-01-01' as month, true as is_complete"
        )
        connection.execute(
            "create or replace table marts.fct_churn_events as select 'orders' as basis, 'steady' as "
            "engagement_trend, date '2011-01-01' as churn_month, 1.0 as value_lost"
        )
    publication = publish(settings, RUN)
    assert "c4711" in (settings.published / "report.html").read_text(encoding="utf-8")
    rewrite(
        settings,
        publication,
        f"{RUN}-2",
        lambda connection: connection.execute("update build.marts.fct_churn_reasons set reason = 'x'"),
    )
    assert settings.published.readlink().name.endswith("-2")
    for name in PAGES:
        text = (settings.published / name).read_text(encoding="utf-8")
        assert "c4711" not in text
        assert 'id="churn"' in text
