"""The marts find in the demo company what was planted there, and the command that says so notices if not."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.core.errors import CheckFailedError, ConfigurationError
from scripts.core.settings import Settings
from scripts.demo.company import generate
from scripts.demo.comparison import Finding, compare, table
from scripts.demo.demo_data import demo_data_command
from scripts.demo.parameters import REASONS, Parameters
from scripts.demo.truth import write_truth
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """The folder of the truth about the company in `demo_warehouse`."""
    write_truth(tmp_path, generate(Parameters(customers=150)))
    return tmp_path / "truth"


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_everything_planted_is_recovered(demo_warehouse: Warehouse, planted: Path) -> None:
    findings = compare(demo_warehouse.settings.build_database, planted)
    assert [finding for finding in findings if not finding.is_recovered] == [], "\n" + table(findings)
    # Each kind of fact was there to be found, or the test says little.
    names = {finding.what.split(",")[0] for finding in findings if finding.planted}
    assert {
        "customers",
        "vanished after one order",
        "vanished after one order or the first days of use",
        "MRR by month",
        "subscribers by month",
        "orders by month",
        "gross revenue by month",
        "net revenue by month",
        "departures",
        "departures: voluntary",
        "found fading",
        "relationship survey: promoters",
        "relationship survey: NPS",
        "themes of comments: found of the planted (recall)",
        "themes of comments: planted of the found (precision)",
    } <= names
    assert names & {f"reason {reason}" for reason in REASONS}


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        ("nps.csv", "relationship,all,", "relationship,all,1", None),
        ("vanished.csv", "one_order", "onboarding_use", "vanished after one order"),
        ("churned.csv", ",voluntary,", ",involuntary,", "departures: voluntary"),
        ("response_themes.csv", "\n", "\nQ1,price\nQ2,price\nQ3,app\nQ4,app\nQ5,app\nQ6,app\nQ7,app\nQ8,app\n"
         "Q9,app\nQ10,app\nQ11,app\n", "themes of comments: found of the planted (recall)"),
    ],
)  # fmt: skip
def test_what_is_not_recovered_is_noticed(
    demo_warehouse: Warehouse, planted: Path, file: str, old: str, new: str, found: str | None
) -> None:
    replace(planted / file, old, new)
    wrong = [
        finding.what
        for finding in compare(demo_warehouse.settings.build_database, planted)
        if not finding.is_recovered
    ]
    # How many answered is not compared, only what: the first case must go unnoticed.
    assert (found in wrong) if found else not wrong


def test_one_customer_too_many_does_not_make_up_for_one_who_is_missing(
    demo_warehouse: Warehouse, planted: Path
) -> None:
    lines = (planted / "churned.csv").read_text(encoding="utf-8").splitlines()
    _, rest = lines[1].split(",", 1)
    (planted / "churned.csv").write_text(
        "\n".join([lines[0], f"C9999999,{rest}", *lines[2:]]), encoding="utf-8"
    )
    (finding,) = (
        finding
        for finding in compare(demo_warehouse.settings.build_database, planted)
        if finding.what == "departures, by customer and day"
    )
    assert (finding.planted, finding.difference, finding.is_recovered) == (finding.found, 2, False)


def test_the_command_prints_the_table_and_fails(
    demo_warehouse: Warehouse, planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_WAREHOUSE", str(demo_warehouse.settings.warehouse))
    arguments = ["--check", "--to", str(planted.parent)]
    good = CliRunner().invoke(demo_data_command, arguments)
    assert good.exit_code == 0, good.output
    assert good.output.splitlines()[0].split() == [
        "what",
        "planted",
        "found",
        "difference",
        "tolerance",
        "ok",
    ]
    assert "NO" not in good.output

    replace(planted / "churned.csv", ",voluntary,", ",involuntary,")
    bad = CliRunner().invoke(demo_data_command, arguments)
    assert isinstance(bad.exception, CheckFailedError)
    assert "departures: voluntary" in str(bad.exception)
    assert any(
        line.startswith("departures: voluntary") and line.endswith("NO") for line in bad.output.splitlines()
    )


def test_without_truth_or_warehouse_it_says_what_to_do(
    demo_warehouse: Warehouse, planted: Path, tmp_path: Path
) -> None:
    database = demo_warehouse.settings.build_database
    with pytest.raises(ConfigurationError, match="holds no truth to compare with: facts"):
        compare(database, tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="Land and build the demo data first"):
        compare(Settings(tmp_path / "nothing").build_database, planted)


def test_the_truth_about_other_days_is_not_compared(demo_warehouse: Warehouse, planted: Path) -> None:
    replace(planted / "facts.json", '"until": "2026-06-30"', '"until": "2026-05-31"')
    with pytest.raises(ConfigurationError, match=r"know the days until 2026-06-30, the truth .* 2026-05-31"):
        compare(demo_warehouse.settings.build_database, planted)


def test_a_warehouse_of_another_company_is_not_compared(
    demo_warehouse: Warehouse, planted: Path, tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "orders.csv").write_text("id,placed,amount\n1,2026-01-05,10\n", encoding="utf-8")
    adapter = shop / "corner_shop.yml"
    adapter.write_text(
        "tables:\n  orders:\n    files: orders.csv\n"
        "    columns: {order_id: id, ordered_at: placed, gross_amount: amount}\n",
        encoding="utf-8",
    )
    other = Warehouse(tmp_path / "other")
    other.land(str(adapter), shop)
    with pytest.raises(ConfigurationError, match="holds corner_shop, not the demo company"):
        compare(other.settings.build_database, planted)


def test_the_table_shows_small_differences() -> None:
    text = table([Finding("MRR", 1200, 1200.0004, 0.0004, 0.0001), Finding("orders", 3, 3, 0, 0)])
    assert text.splitlines()[1].split() == ["MRR", "1,200", "1,200.000", "0.0004", "0.0001", "NO"]
    assert text.splitlines()[2].split() == ["orders", "3", "3", "0", "0", "yes"]
