"""The benchmark's company follows its stated process, its floor and the marts agree; no time is asserted."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner

from scripts.benchmark import agreement, command, floor, goals, measuring, nights, process_tree, report
from scripts.benchmark.company import BLOCK, CHANNELS, SECONDS_PER_DAY, Block, Company, blocks, draw_block
from scripts.benchmark.files import ADAPTER, tables_of, write_company, write_day
from scripts.benchmark.process_tree import Usage
from scripts.cli import cli
from scripts.core.errors import CheckFailedError, ConfigurationError
from scripts.core.progress import LOGGER
from scripts.core.runs import RunRecord
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.prediction import bg_nbd
from tests.python.warehouses import Warehouse

COMPANY = Company(BLOCK, seed=3, has_relationships=True)


@pytest.fixture(scope="module")
def block() -> Block:
    return draw_block(COMPANY, 0)


def test_purchases_are_those_of_the_stated_process(block: Block) -> None:
    """The mean number of orders by BG/NBD's own formula; within four standard errors."""
    customers, orders = block.tables["customers"], block.tables["orders"]
    ages = (COMPANY.process.days * SECONDS_PER_DAY - customers["at"]) / SECONDS_PER_DAY / 7
    grid = np.linspace(0.01, ages.max(), 400)
    nobody = np.zeros(1)
    curve = [
        bg_nbd.expected_purchases(COMPANY.process.purchases, nobody, nobody, nobody + 1e-9, weeks)[0]
        for weeks in grid
    ]
    expected = 1 + np.interp(ages, grid, curve).mean()
    counts = np.bincount(orders["customer"], minlength=BLOCK)
    assert abs(counts.mean() - expected) < 4 * counts.std() / np.sqrt(BLOCK)
    # A customer's first order is when they came, and no order lies after the history.
    assert counts.min() == 1
    assert (orders["at"][orders["place"] == 0] == customers["at"]).all()
    assert orders["at"].max() < COMPANY.process.days * SECONDS_PER_DAY
    assert (np.diff(orders["at"])[np.diff(orders["customer"]) == 0] >= 0).all()


def test_amounts_are_those_of_the_stated_process(block: Block) -> None:
    """Gamma-Gamma: the mean is p v / (q - 1), whoever buys often; a share is reduced by a tenth."""
    orders, spend = block.tables["orders"], COMPANY.process.spend
    counts = np.bincount(orders["customer"])
    means = np.bincount(orders["customer"], orders["net"]) / counts / 100
    expected = spend["p"] * spend["v"] / (spend["q"] - 1)
    assert abs(means.mean() - expected) < 4 * means.std() / np.sqrt(len(means))
    assert abs(np.corrcoef(counts, means)[0, 1]) < 0.03
    reduced = orders["discount"] > 0
    assert abs(reduced.mean() - COMPANY.process.discounted_share) < 0.01
    assert (orders["discount"][reduced] == np.maximum(orders["net"][reduced] // 10, 1)).all()


def test_customers_come_evenly_and_by_the_stated_shares(block: Block) -> None:
    customers = block.tables["customers"]
    by_quarter = np.bincount(customers["at"] // (COMPANY.process.days * SECONDS_PER_DAY // 4 + 1))
    assert np.abs(by_quarter / BLOCK - 0.25).max() < 0.02
    shares = np.bincount(customers["channel"]) / BLOCK
    assert np.abs(shares - list(CHANNELS.values())).max() < 0.02


def test_a_tenth_subscribes_and_only_they_use_answer_and_ask(block: Block) -> None:
    process = COMPANY.process
    subscriptions = block.tables["subscriptions"]
    subscribers = set(subscriptions["customer"])
    assert abs(len(subscribers) / BLOCK - process.subscriber_share) < 0.01
    for name in ("usage_events", "survey_invitations", "survey_responses", "support_tickets"):
        assert set(block.tables[name]["customer"]) <= subscribers
        assert len(block.tables[name]["customer"]) > 0
    usage = block.tables["usage_events"]
    keys = np.stack([usage["customer"], usage["day"], usage["feature"]], axis=1)
    assert len(np.unique(keys, axis=0)) == len(keys)
    # The shifted beta-geometric model: alpha / (alpha + beta) do not renew the first term.
    first = (subscriptions["ended"] >= 0) & ~subscriptions["is_yearly"]
    months = (subscriptions["ended"] - subscriptions["started"])[first]
    due = (subscriptions["started"] + 31 < process.days) & ~subscriptions["is_yearly"]
    left_at_once = (months <= 31).sum() / due.sum()
    expected = process.renewals["alpha"] / sum(process.renewals.values())
    assert abs(left_at_once - expected) < 4 * np.sqrt(expected * (1 - expected) / due.sum())


def test_the_company_is_a_function_of_its_seed() -> None:
    one, again, other = (draw_block(Company(500, seed), 0).tables["orders"] for seed in (1, 1, 2))
    for name, column in one.items():
        np.testing.assert_array_equal(column, again[name])
    assert not np.array_equal(one["net"][:500], other["net"][:500])


def test_what_customers_do_does_not_depend_on_how_many_there_are() -> None:
    """Nor on the tables that are drawn with them: a large company begins with a small one."""
    small, large = Company(BLOCK + 500, 1), Company(BLOCK + 900, 1, has_relationships=True)
    cut, whole = ([*blocks(company)][-1].tables for company in (small, large))
    for table in ("customers", "orders"):
        kept = whole[table]["customer"] < small.customers
        for name, column in cut[table].items():
            np.testing.assert_array_equal(column, whole[table][name][kept], err_msg=f"{table}.{name}")


def test_the_same_rows_come_in_whatever_files(tmp_path: Path) -> None:
    company = Company(2 * BLOCK + 100)
    written = [write_company(tmp_path / str(size), company, blocks_per_file=size) for size in (1, 10)]
    assert written[0].rows == written[1].rows
    assert set(written[0].rows) == set(tables_of(False))
    for table in tables_of(False):
        one, other = (str(tmp_path / size / "data" / table / "*.parquet") for size in ("1", "10"))
        assert len([*(tmp_path / "1" / "data" / table).iterdir()]) == 3
        assert len([*(tmp_path / "10" / "data" / table).iterdir()]) == 1
        (count,) = duckdb.execute(
            "select count(*) from (from read_parquet($one) except all from read_parquet($other))",
            {"one": one, "other": other},
        ).fetchall()[0]
        assert count == 0, table


def test_files_have_types_and_a_day_brings_new_late_and_changed_orders(tmp_path: Path) -> None:
    company = Company(5_000, seed=2)
    write_company(tmp_path, company)
    history = f"'{tmp_path}/data/orders/0*.parquet'"
    types = dict(duckdb.sql(f"select column_name, column_type from (describe from {history})").fetchall())
    assert types["ordered_at"] == "TIMESTAMP"
    assert types["gross_amount"] == types["discount_amount"] == "DECIMAL(12,2)"
    written = write_day(tmp_path, company)
    (orders,) = duckdb.sql(f"select count(*) from {history}").fetchone()
    assert written.rows["orders"] == round(orders * 0.001)
    counts = duckdb.sql(
        f"""
        select
            count(*) filter (cast(ordered_at as date) = date '{company.process.last_day}' + 1),
            count(*) filter (cast(ordered_at as date) <= date '{company.process.last_day}'
                and order_id not in (select order_id from {history})),
            count(*) filter (order_id in (select order_id from {history})),
            count(*) filter (status = 'cancelled')
        from '{tmp_path}/data/orders/one-more-day.parquet'
        """
    ).fetchone()
    assert counts == (14, 5, 5, 2), counts
    first = (tmp_path / "data/orders/one-more-day.parquet").read_bytes()
    write_day(tmp_path, company)
    assert (tmp_path / "data/orders/one-more-day.parquet").read_bytes() == first


# Its warehouses are built once.
one_worker = pytest.mark.xdist_group("benchmark")


@pytest.fixture(scope="module", params=[False, True], ids=["orders", "relationships"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool]:
    """A folder with a company, its floor, and its warehouse as dbt builds it."""
    folder = tmp_path_factory.mktemp("small")
    write_company(folder, Company(400, seed=5, has_relationships=request.param))
    floor.run(folder, folder / "floor.duckdb", 2)
    warehouse = Warehouse(folder)
    warehouse.land(str(folder / ADAPTER), folder / "data")
    warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test")
    return folder, request.param


@pytest.mark.long
@one_worker
def test_the_floor_and_the_marts_agree(small: tuple[Path, bool]) -> None:
    folder, has_relationships = small
    found = agreement.compare(
        folder / "floor.duckdb", folder / "wh" / "build.duckdb", has_relationships=has_relationships
    )
    assert len(found) == len(agreement.QUESTIONS) - has_relationships
    for one in found:
        assert one.differences == 0, one
        assert one.floor_rows == one.mart_rows > 100


@one_worker
@pytest.mark.parametrize(
    ("question", "change"),
    [
        (
            "values of customers",
            "update marts.fct_customer_lifetime_value set order_day_count = 0",
        ),
        ("cohorts", "delete from marts.fct_cohort_retention where months_since_first = 0"),
        ("retention rate", "update marts.fct_customer_retention_rate set retained_customers = 0"),
        ("revenue concentration", "update marts.fct_revenue_concentration set decile = 11 - decile"),
    ],
)
def test_a_mart_that_is_wrong_is_found(small: tuple[Path, bool], question: str, change: str) -> None:
    folder, _ = small
    changed = folder / "changed.duckdb"
    shutil.copy(folder / "wh" / "build.duckdb", changed)
    with duckdb.connect(str(changed)) as connection:
        connection.execute(change)
    found = agreement.compare(folder / "floor.duckdb", changed, has_relationships=True)
    assert [one.question for one in found if one.differences] == [question]
    (wrong,) = (one for one in found if one.differences)
    assert "floor" in (wrong.example or "")


def _result(seconds: float, **more: Any) -> dict[str, Any]:
    """A result as `run` gives it, with the least that a report needs."""
    step = {
        "seconds": seconds,
        "rows": 10,
        "cpu_seconds": 2.0,
        "peak_bytes": 3 * 2**20,
        "written_bytes": None,
    }
    night = {
        "total": {**step, "rows": None},
        "steps": {"land": step, "build": step},
        "nodes": {
            "model.fct_orders": {"seconds": seconds, "rows": 5, "cpu_seconds": 1.0, "peak_bytes": None},
            "test.not_null": {"seconds": 1.0, "rows": None, "cpu_seconds": None, "peak_bytes": None},
        },
    }
    result = {
        "made_at": "2026-01-02T03:04:05+00:00",
        "machine": {
            **{"processors": 2, "memory_bytes": None, "duckdb": "1"},
            **{"load_at_the_start": 0.1, "load_at_the_end": 0.2},
        },
        "size": {"name": "1m", "customers": 1_000_000, "seed": 1, "has_relationships": False},
        "notes": ["something is missing"],
        "night": night,
        **more,
    }
    result["ratios"] = [dataclasses.asdict(ratio) for ratio in goals.ratios(result)]
    return result


def test_what_a_mart_is_made_from_is_counted_once() -> None:
    parents = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": [], "unasked": ["d"]}
    nodes = {
        f"model.{name}": {"seconds": 1.0, "parents": [f"model.{one}" for one in known] + ["seed.rules"]}
        for name, known in parents.items()
    }
    assert goals._made_from(nodes, ("a", "nosuch")) == {"model.a", "model.b", "model.c", "model.d"}


def test_the_models_behind_the_answers_of_pandas_exist() -> None:
    """A model that is renamed would make the ratio better than it is."""
    parents = nights._parents(PROJECT_ROOT)
    nodes = {name: {"parents": known} for name, known in parents.items()}
    found = goals._made_from(nodes, goals.PANDAS_MODELS)
    assert {f"model.{name}" for name in goals.PANDAS_MODELS} < found
    assert {"model.stg_orders", "model.int_customer_days", "model.int_customer_spells"} < found


FLOOR = {
    "steps": {"scan": {"seconds": 1.0, "cpu_seconds": 1.5}},
    **{"seconds": 4.0, "cpu_seconds": 5.0, "peak_bytes": 2**20, "written_bytes": 0},
}


def test_a_report_tells_how_far_the_goals_are() -> None:
    text = report.report(_result(100.0, floor=FLOOR))
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert lines["a full night"][-3:] == ["90", "s", "missed"]
    # 100 node seconds, two at a time, of a floor of four.
    assert lines["models, clock, of the floor"][5:7] == ["12.50", "×"]
    assert lines["floor: scan"][2:] == ["1.0", "s", "1.5", "s", "-", "-"]
    assert "something is missing" in text
    met = [
        line.split() for line in report.report(_result(80.0)).splitlines() if line.startswith("a full night ")
    ]
    assert met[0][-1] == "met"


def test_two_results_stand_side_by_side(tmp_path: Path) -> None:
    for name, seconds, more in (("a", 100.0, {}), ("b", 50.0, {"floor": FLOOR})):
        (tmp_path / f"{name}.json").write_text(json.dumps(_result(seconds, **more)))
    files = [str(tmp_path / f"{name}.json") for name in "ab"]
    result = CliRunner().invoke(cli, ["benchmark", "--compare", *files])
    assert result.exit_code == 0, result.output
    lines = {line.split("  ")[0]: line.split("  ")[-1] for line in result.stdout.splitlines()}
    assert lines["night, all, s"].strip() == "0.50 ×"
    assert lines["night, land, memory"].strip() == "1.00 ×"
    assert "model.fct_orders, s" in lines
    # What only one of them has is told, without a ratio.
    assert " - " in next(line for line in result.stdout.splitlines() if line.startswith("floor, s"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customers", "many"], "'many' is neither a number nor like demo, 100k or 1m"),
        (["--customers", "0"], "is neither a number"),
        (["--skip", "everything"], "is not one of 'night', 'day', 'floor', 'pandas', 'lifetimes'"),
        (["clv", "--relationships"], "clv knows --customers as a number, --seed and --out only"),
        (["coverage", "--customers", "demo"], "coverage knows --customers as a number"),
        (["--compare", "README.md"], "requires 2 arguments"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["benchmark", *arguments])
    assert result.exit_code != 0
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_folder_with_something_in_it_and_a_file_that_is_no_result_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ConfigurationError, match="is not empty: name a new folder with --work"):
        cli.main(["benchmark", "--work", str(tmp_path)], standalone_mode=False)
    for content, message in (("{", "is no JSON"), ("[]", "is no result of a benchmark")):
        (tmp_path / "mine.txt").write_text(content)
        with pytest.raises(ConfigurationError, match=message):
            cli.main(["benchmark", "--compare", *[str(tmp_path / "mine.txt")] * 2], standalone_mode=False)


def test_marts_that_differ_fail_the_benchmark_after_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = agreement.Agreement("cohorts", 10, 9, 1, "floor 2024-01-01 0; mart 2024-02-01 0")
    found = [{"after": "first night", **dataclasses.asdict(wrong)}]
    monkeypatch.setattr(command, "run", lambda wanted: _result(1.0, agreement=found))
    out = tmp_path / "out.json"
    with pytest.raises(CheckFailedError, match="cohorts after first night: 1 rows differ"):
        cli.main(["benchmark", "--customers", "10", "--out", str(out)], standalone_mode=False)
    assert "Marts against the floor" in capsys.readouterr().out
    assert json.loads(out.read_text())["agreement"] == found


def test_a_night_that_fails_ends_the_benchmark_with_its_messages(tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError, match=r"exit code 2:[\s\S]*nosuch"):
        nights.run_night(Settings(tmp_path / "wh"), str(tmp_path / "nosuch.yml"), tmp_path)


def test_the_steps_of_a_night_are_told_as_the_benchmark_reads_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(tmp_path)
    settings.runs.mkdir()
    record = RunRecord(settings, "20260101T000000Z")
    with caplog.at_level(logging.INFO, logger=LOGGER.name):
        for step in ("land", "build", "validate", "publish"):
            with record.step(step):
                pass
    lines = [entry.getMessage() for entry in caplog.records]
    assert [found[1] for line in lines if (found := nights._STEP_STARTED.search(line))] == [
        *("land", "build", "validate", "publish")
    ]
    assert sum(bool(nights._BUILD_DONE.search(line)) for line in lines) == 1


GREEDY = (
    "x = bytearray(150_000_000); x[::4096] = b'1' * len(x[::4096]); sum(range(10_000_000)); print(len(x))"
)


@pytest.mark.skipif(not process_tree.can_measure(), reason="this machine does not tell what processes use")
def test_memory_and_processor_of_all_that_a_command_starts_are_measured() -> None:
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GREEDY!r}], check=True)"
    lines: list[str] = []
    measured = measuring.run_measured(
        [sys.executable, "-c", f"import sys; print('a word', file=sys.stderr); {outer}"],
        folder=PROJECT_ROOT,
        environment={},
        on_message=lines.append,
    )
    assert measured.exit_code == 0
    assert measured.output.strip() == "150000000"
    assert lines == ["a word"]
    assert measured.peak_bytes is not None
    assert measured.peak_bytes > 150_000_000
    assert measured.cpu_seconds > 0.05
    # Also when it has ended, and is in nobody's account any more.
    used = [sample.usage.cpu_seconds for sample in measured.samples]
    assert used == sorted(used)


def test_what_was_used_is_not_given_back() -> None:
    """The last look at a process tree may find it gone."""
    samples = [measuring.Sample(1.0, Usage(5.0, 100, 70))]
    assert measuring._no_less(samples, Usage()) == Usage(5.0, 0, 70)
    assert measuring._no_less(samples, Usage(6.0, 50, 80)) == Usage(6.0, 50, 80)


def test_what_goes_wrong_with_a_message_is_not_lost(tmp_path: Path) -> None:
    """It is told when the command has ended, not before: nobody would read what it writes."""
    many = "import sys; [print('word', file=sys.stderr) for _ in range(100_000)]; open('ended', 'w')"

    def refuse(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError, match="word"):
        measuring.run_measured(
            [sys.executable, "-c", many], folder=tmp_path, environment={}, on_message=refuse
        )
    assert (tmp_path / "ended").exists()


def test_where_nobody_can_tell_memory_is_not_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process_tree, "_PROC", tmp_path)
    assert not process_tree.can_measure()
    measured = measuring.run_measured([sys.executable, "-c", "pass"], folder=tmp_path, environment={})
    assert (measured.exit_code, measured.peak_bytes, measured.written_bytes) == (0, None, None)
    assert measuring.used_between(measured.samples, 0, 1)["peak_bytes"] is None


def test_the_processor_is_shared_among_the_nodes_that_ran() -> None:
    samples = [measuring.Sample(at, Usage(2.0 * at, 100 + at, 0)) for at in range(5)]
    # Alone for a second, then both; the other then goes on alone; the last second belongs to nobody.
    spans = {"one": (0.0, 2.0), "other": (1.0, 3.0)}
    assert nights._shared(samples, spans) == {"one": 3.0, "other": 3.0}
    assert measuring.used_between(samples, 1.0, 3.0)["peak_bytes"] == 103
