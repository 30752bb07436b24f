"""A company's own rules beside its adapter: they are in force in every build, and a mistake is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.build.dbt_runner import BuildFailedError, build
from scripts.core.errors import ConfigurationError
from scripts.core.settings import PROJECT_ROOT
from scripts.landing.land import land
from scripts.publication.fingerprint import compute_fingerprint
from tests.python.small_company import ORDERS, Company
from tests.python.warehouses import Warehouse, mart_differences

pytestmark = pytest.mark.xdist_group("rule_files")

REASONS = "reason_code,reason,category,is_controllable,owning_team,churn_type\n"
THEMES = "theme,category,language,pattern,owning_team\n"


# --- in force -------------------------------------------------------------------------------------


class Demo:
    """The demo company with an adapter of its own, and rules beside it."""

    def __init__(self, folder: Path, demo_data: Path, built: Warehouse) -> None:
        self.warehouse = Warehouse(folder)
        self.warehouse.settings.warehouse.mkdir(parents=True)
        # With another salt every file would be a new one.
        for file in ("build_database", "salt_file"):
            shutil.copy(getattr(built.settings, file), getattr(self.warehouse.settings, file))
        self.data = demo_data
        self.rules = folder / "rules"
        self.rules.mkdir()
        self.adapter = folder / "demo.yml"
        text = (PROJECT_ROOT / "sources/demo.yml").read_text(encoding="utf-8")
        self.adapter.write_text(f"rules: rules\n{text}", encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        (self.rules / f"{name}.csv").write_text(text, encoding="utf-8")

    def land(self) -> tuple[str, ...]:
        result = land(self.warehouse.settings, str(self.adapter), self.data)
        assert result.batch_id is None, "rules are no rows"
        return result.changed_vars


@pytest.fixture(scope="module")
def demo(
    demo_data: Path, demo_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """Rules put beside the adapter after a first build; then what an analyst runs, and nothing else."""
    company = Demo(tmp_path_factory.mktemp("own_rules"), demo_data, demo_warehouse)
    company.write(
        "churn_reasons",
        REASONS
        + "price,cost,money,true,finance,voluntary\n"
        + "cost,cost,money,true,finance,voluntary\n"
        + "competitor,competitor,market,false,nobody,voluntary\n",
    )
    company.write("loyalty_tiers", "tier_rank,tier,minimum_net_revenue\n1,guest,0\n2,friend,100\n")
    company.write("feedback_themes", THEMES + "parcels,fulfilment,en,delivery|parcel*,logistics\n")
    # Not the thresholds of segments: they are settings to every model, and start everything over by that.
    header, *rules = (PROJECT_ROOT / "seeds/health_rules.csv").read_text(encoding="utf-8").splitlines()
    (tickets,) = (rule for rule in rules if rule.startswith("tickets,"))
    company.write("health_rules", f"{header}\n{tickets.replace(',90,', ',30,')}\n")
    assert company.land() == (
        "rules.churn_reasons",
        "rules.feedback_themes",
        "rules.health_rules",
        "rules.loyalty_tiers",
    )
    company.warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test")
    yield company


def test_an_own_reason_goes_before_the_default_one_of_its_code(demo: Demo) -> None:
    """Codes of a default reason that is described anew follow it; the others stay as they are."""
    rows = demo.warehouse.rows(
        """
        select reason_code, reason, category, owning_team from seeds.churn_reasons
        where reason_code in ('price', 'cost', 'too_expensive', 'switched', 'bugs') order by 1
        """
    )
    assert rows == [
        ("bugs", "technical_issues", "product", "product"),
        ("cost", "cost", "money", "finance"),
        ("price", "cost", "money", "finance"),
        ("switched", "competitor", "market", "nobody"),
        ("too_expensive", "cost", "money", "finance"),
    ]
    categories = dict(
        demo.warehouse.rows("select distinct reason, reason_category from marts.fct_churn_events")
    )
    assert categories["cost"] == "money"
    assert categories["competitor"] == "market"
    assert "price" not in categories
    assert categories["not_given"] == "unknown"


def test_own_tiers_and_themes_take_the_place_of_all(demo: Demo) -> None:
    assert demo.warehouse.rows("select tier from seeds.loyalty_tiers order by tier_rank") == [
        ("guest",),
        ("friend",),
    ]
    tiers = demo.warehouse.rows(
        "select distinct loyalty_tier from marts.dim_customers where loyalty_tier is not null order by 1"
    )
    assert tiers == [("friend",), ("guest",)]
    themes = demo.warehouse.rows("select distinct theme from marts.rpt_feedback_themes order by 1")
    assert themes == [("parcels",), ("unclassified",)]


def test_one_own_rule_leaves_the_others_alone(demo: Demo) -> None:
    windows = dict(demo.warehouse.rows("select component, window_days from seeds.health_rules"))
    assert (windows["tickets"], windows["payments"]) == (30, 90)
    assert len(windows) == 9


@pytest.mark.long
def test_what_is_incremental_is_computed_anew_by_own_rules(demo: Demo, tmp_path: Path) -> None:
    """The months of long ago are judged by the own rules too, as a full refresh does it."""
    other = Demo(tmp_path, demo.data, demo.warehouse)
    other.warehouse.dbt("run", "--full-refresh")
    one, two = (company.warehouse.settings.build_database for company in (demo, other))
    for schema in ("intermediate", "marts"):
        differences = mart_differences(one, two, schema)
        # What it says of the runs themselves differs.
        assert differences.keys() <= {"incremental_state", "fct_data_quality"}, differences


def test_the_defaults_hold_again_when_the_files_are_gone(
    demo: Demo, demo_warehouse: Warehouse, tmp_path: Path
) -> None:
    other = Demo(tmp_path, demo.data, demo.warehouse)
    other.write("winback_ages", "time_away,minimum_days_away\nnow,0\n")
    other.write("segment_thresholds", "threshold,value,meaning\nloyal_order_days,2,Twice is loyal.\n")
    own = compute_fingerprint(demo.warehouse.settings, None)
    assert "rules.churn_reasons" in other.land()
    assert compute_fingerprint(other.warehouse.settings, None) != own
    other.warehouse.dbt("seed")
    seeds = "select * from seeds.{} order by all"
    for name in ("churn_reasons", "loyalty_tiers", "feedback_themes", "health_rules"):
        query = seeds.format(name)
        assert other.warehouse.rows(query) == demo_warehouse.rows(query), name
    assert other.warehouse.rows(seeds.format("winback_ages")) == [("now", 0)]
    thresholds = dict(other.warehouse.rows("select threshold, value from seeds.segment_thresholds"))
    assert (thresholds["loyal_order_days"], thresholds["at_risk_after_days"], len(thresholds)) == (2, 60, 5)


def test_the_same_rules_again_are_no_reason_to_build(demo: Demo) -> None:
    """Line ends, the order of the columns, a byte order mark: spreadsheets change them by themselves."""
    before = compute_fingerprint(demo.warehouse.settings, None)
    text = "\ufeffminimum_net_revenue,tier,tier_rank\r\n0,guest,1\r\n100,friend,2\r\n\r\n"
    (demo.rules / "loyalty_tiers.csv").write_bytes(text.encode())
    assert demo.land() == ()
    assert compute_fingerprint(demo.warehouse.settings, None) == before


@pytest.mark.long
def test_own_rules_that_contradict_each_other_are_told_by_their_file(demo: Demo, tmp_path: Path) -> None:
    other = Demo(tmp_path, demo.data, demo.warehouse)
    other.write("loyalty_tiers", "tier_rank,tier,minimum_net_revenue\n1,guest,100\n2,friend,50\n")
    other.write("churn_reasons", REASONS + "Price,price,commercial,true,finance,voluntary\n")
    other.land()
    with pytest.raises(BuildFailedError) as caught:
        build(other.warehouse.settings)
    message = str(caught.value)
    assert f"{other.rules / 'loyalty_tiers.csv'}: the tier `friend` is ranked above `guest`" in message
    own, default = other.rules / "churn_reasons.csv", "seeds/churn_reasons.csv"
    assert f"{own} over {default}: the code `Price`" in message


# --- mistakes -------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Company:
    company = Company(tmp_path, f"rules: own\n{ORDERS}")
    company.orders("1,a,2026-03-01,5")
    (tmp_path / "own").mkdir()
    return company


def own(shop: Company, name: str, text: str) -> Path:
    path = shop.adapter_file.parent / "own" / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(shop: Company) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        shop.land()
    assert caught.value.exit_code == 2
    assert not shop.settings.build_database.exists()
    *mistakes, remedy = str(caught.value).splitlines()
    assert remedy == "Nothing was landed. Correct the file, or take it away: the default rules hold then."
    return mistakes


def test_a_mistake_is_told_with_file_line_and_column(shop: Company) -> None:
    reasons = own(shop, "churn_reasons.csv", REASONS + "gia,price,commercial,ja,finance,voluntary\n")
    bands = own(shop, "nps_bands.csv", "band,minimum,maximum_score\npromoter,9,10\n")
    assert refusal(shop) == [
        f"{reasons}, line 2, column is_controllable: 'ja' is not true or false.",
        f"{bands}, line 1: the column minimum_score is missing; did you mean maximum_score or minimum?",
        f"{bands}, line 1, column 2: nobody knows the column minimum: there are band, minimum_score, "
        "maximum_score.",
    ]


def test_a_file_that_would_change_nothing_is_refused(shop: Company) -> None:
    wrong = own(shop, "churn_reason.csv", REASONS)
    sheet = own(shop, "loyalty_tiers.xlsx", "PK")
    own(shop, "README.md", "Ours.")
    assert refusal(shop) == [
        f"{wrong}: there are no rules of this name; did you mean churn_reasons?",
        f"{sheet}: rules are read from loyalty_tiers.csv. Save it as “CSV UTF-8”.",
    ]


def test_no_such_folder(shop: Company) -> None:
    (shop.adapter_file.parent / "own").rmdir()
    with pytest.raises(ConfigurationError, match=r"shop.yml:1: rules: there is no folder .*/own; it is rel"):
        shop.land()


def test_each_value_is_kept_with_its_line(shop: Company) -> None:
    path = own(shop, "winback_ages.csv", "time_away,minimum_days_away\n\nsoon,0\n")
    shop.land()
    assert shop.rows("select * from raw.rules order by all") == [
        ("winback_ages", str(path), 3, "minimum_days_away", "0"),
        ("winback_ages", str(path), 3, "time_away", "soon"),
    ]
