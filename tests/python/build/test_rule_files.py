"""Rule files: an edit changes the marts and needs nothing else; a mistake is told with its file and line."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts.build.dbt_runner import BuildFailedError, build
from scripts.contract.rule_files import check_rules, declared_rules
from scripts.core.errors import ConfigurationError
from scripts.core.settings import PROJECT_ROOT, Settings
from tests.faults.month import copy_project
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("rule_files")


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, (file.name, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


class Built:
    """Marts before and after the rules were edited, built from the same data."""

    def __init__(self, before: Path, after: Path) -> None:
        self._databases = (before, after)

    def rows(self, sql: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """What the query gives before and after."""
        found = []
        for database in self._databases:
            with duckdb.connect(str(database), read_only=True) as connection:
                found.append(connection.execute(sql).fetchall())
        before, after = found
        return before, after


@pytest.fixture(scope="module")
def built(demo_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """One edit of each rule file, then what happens every night: no full refresh, and nothing landed."""
    folder = tmp_path_factory.mktemp("edited")
    project = copy_project(folder / "project")
    seeds = project / "seeds"
    edit(seeds / "nps_bands.csv", "promoter,9,10\npassive,7,8", "promoter,8,10\npassive,7,7")
    edit(seeds / "loyalty_tiers.csv", "silver,250", "silver,60")
    edit(seeds / "churn_reasons.csv", ",competitor,commercial,", ",competitor,market,")
    edit(seeds / "feedback_themes.csv", "delivery,fulfilment,", "parcels,fulfilment,")
    with (seeds / "feedback_themes.csv").open("a", encoding="utf-8") as file:
        file.write("coffee,product,en,coffee|espresso*,kitchen\n")
    edit(
        seeds / "health_rules.csv",
        "usage_recency,lower_is_better,7,21,",
        "usage_recency,lower_is_better,1,2,",
    )
    edit(seeds / "segment_thresholds.csv", "loyal_order_days,3,", "loyal_order_days,2,")
    edit(seeds / "winback_ages.csv", "over a year", "for ages")
    with (seeds / "scenarios.csv").open("a", encoding="utf-8") as file:
        file.write("both_up,0.05,0.05,Scenario: both\n")

    settings = Settings(folder / "wh", project)
    settings.warehouse.mkdir()
    shutil.copy(demo_warehouse.settings.build_database, settings.build_database)
    build(settings)
    return Built(demo_warehouse.settings.build_database, settings.build_database)


def test_who_gives_an_eight_is_a_promoter_now(built: Built) -> None:
    before, after = built.rows("select score, nps_category from marts.fct_nps_responses where is_counted")
    assert {category for score, category in before if score == 8} == {"passive"}
    assert {category for score, category in after if score == 8} == {"promoter"}
    scores = (
        "select promoters, nps from marts.fct_nps_scores where period_type = 'all' and segment_type = 'all'"
    )
    for (few, low), (many, high) in zip(*built.rows(scores + " order by survey"), strict=True):
        assert many > few
        assert high > low


def test_silver_begins_at_sixty_now(built: Built) -> None:
    before, after = built.rows(
        """
        select trailing_value, loyalty_tier from intermediate.int_customer_month_ends
        where trailing_value >= 60 and trailing_value < 250
        """
    )
    assert {tier for _, tier in before} == {"bronze"}
    assert {tier for _, tier in after} == {"silver"}
    assert len(before) == len(after) > 0
    tiers = "select loyalty_tier, count(*) from marts.dim_customers group by loyalty_tier"
    was, now = map(dict, built.rows(tiers))
    assert now["silver"] > was["silver"]


def test_a_reason_belongs_to_another_category_now(built: Built) -> None:
    for mart in ("fct_churn_events", "fct_churn_reasons"):
        before, after = built.rows(
            f"select distinct reason_category from marts.{mart} where reason = 'competitor'"
        )
        assert (before, after) == ([("commercial",)], [("market",)])


def test_themes_are_found_by_other_words_now(built: Built) -> None:
    """Also in the comments of long ago, though only new ones are read each night."""
    before, after = map(
        dict,
        built.rows(
            """
            select theme, sum(mentions) from marts.rpt_feedback_themes
            where period_type = 'all' and comment_type = 'survey' group by theme
            """
        ),
    )
    assert "parcels" not in before
    assert after.get("delivery", 0) == 0
    assert after["parcels"] == before["delivery"]
    ((comments,),), _ = built.rows(
        """
        select count(*) from marts.fct_nps_responses
        where regexp_matches(comment_text, '(?i)coffee|espresso')
        """
    )
    assert after["coffee"] == comments > 0


def test_a_week_of_silence_is_poor_health_now(built: Built) -> None:
    before, after = built.rows(
        """
        select usage_recency_value, usage_recency_band, health_band from marts.fct_customer_health
        where usage_recency_value is not null
        """
    )
    for bands, good, poor in ((before, 7, 21), (after, 1, 2)):
        for value, band, health in bands:
            assert band == ("good" if value <= good else "poor" if value >= poor else "average")
            assert health == "poor" or band != "poor"
    assert Counter(band for _, band, _ in after)["poor"] > Counter(band for _, band, _ in before)["poor"] > 0


def test_who_buys_on_two_days_is_loyal_now(built: Built) -> None:
    loyal = """
        select count(*) from marts.dim_customers
        where is_active and customer_segment = 'loyal' and order_day_count = 2 and first_plan is null
    """
    ((before,),), ((after,),) = built.rows(loyal)
    assert before == 0 < after


def test_a_new_scenario_and_a_new_name_are_there(built: Built) -> None:
    before, after = built.rows("select distinct scenario from marts.rpt_scenarios")
    assert set(after) - set(before) == {("both_up",)}
    before, after = built.rows("select distinct time_away from marts.rpt_winback_candidates")
    assert ("over a year",) in before
    assert ("for ages",) in after
    assert len(before) == len(after)


# --- mistakes -------------------------------------------------------------------------------------


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rule files, to be spoilt; `check_rules` takes the folder above."""
    shutil.copytree(PROJECT_ROOT / "seeds", tmp_path / "seeds")
    return tmp_path / "seeds"


def refusal(rules: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        check_rules(rules.parent)
    *mistakes, remedy = str(caught.value).splitlines()
    assert remedy == "Nothing was built. Correct the file, or take back the last change to it."
    return mistakes


def test_the_rules_of_the_project_are_well_formed(rules: Path) -> None:
    check_rules(PROJECT_ROOT)
    files = declared_rules(PROJECT_ROOT / "seeds")
    assert {file.path for file in files} == set((PROJECT_ROOT / "seeds").glob("*.csv"))
    for file in files:
        with file.path.open(encoding="utf-8", newline="") as lines:
            assert list(file.columns) == next(csv.reader(lines)), file.path.name


@pytest.mark.parametrize(
    ("file", "old", "new", "mistake"),
    [
        (
            "nps_bands.csv", "band,minimum_score,maximum_score", "band,minimum,maximum_score",
            "seeds/nps_bands.csv, line 1: the column minimum_score is missing; did you mean maximum_score "
            "or minimum?",
        ),
        (
            "nps_bands.csv", "maximum_score\n", "maximum_score,colour\n",
            "seeds/nps_bands.csv, line 1, column 4: nobody knows the column colour: there are band, "
            "minimum_score, maximum_score.",
        ),
        (
            "nps_bands.csv", "band,minimum_score,maximum_score", "band;minimum_score;maximum_score",
            "seeds/nps_bands.csv, line 1: the columns are separated by semicolons. Save it with commas.",
        ),
        (
            "nps_bands.csv", "band,minimum_score,maximum_score", "band,minimum_score,maximum_score,band",
            "seeds/nps_bands.csv, line 1, column 4: the column band is there twice.",
        ),
        (
            "nps_bands.csv", "passive,7,8", "passive,seven,8",
            "seeds/nps_bands.csv, line 3, column minimum_score: 'seven' is not a whole number, like 12.",
        ),
        (
            "nps_bands.csv", "passive,7,8", "passive,7.5,8",
            "seeds/nps_bands.csv, line 3, column minimum_score: '7.5' is not a whole number, like 12.",
        ),
        (
            "nps_bands.csv", "passive,7,8", "passive,7,8,9",
            "seeds/nps_bands.csv, line 3: 4 values, but there are 3 columns (band, minimum_score, "
            "maximum_score). Text with a comma stands between two quotes.",
        ),
        (
            # Without this check dbt loads two rows and says nothing.
            "nps_bands.csv", "passive,7,8", '"passive,7,8',
            "seeds/nps_bands.csv, line 3: a quote is wrong (unexpected end of data). Text with a comma "
            "stands between two quotes, and a quote in it is written twice.",
        ),
        (
            "segment_thresholds.csv", '"First bought', '"First" bought',
            "seeds/segment_thresholds.csv, line 2: a quote is wrong (',' expected after '\"'). Text with "
            "a comma stands between two quotes, and a quote in it is written twice.",
        ),
        (
            "loyalty_tiers.csv", "2,silver,250", "2,silver,",
            "seeds/loyalty_tiers.csv, line 3, column minimum_net_revenue: nothing is there, and something "
            "must be.",
        ),
        (
            "loyalty_tiers.csv", "2,silver,250", "2,silver,250 USD",
            "seeds/loyalty_tiers.csv, line 3, column minimum_net_revenue: '250 USD' is not a number, "
            "like 12.5.",
        ),
        (
            "loyalty_tiers.csv", "2,silver,250", "2,silver,250.00001",
            "seeds/loyalty_tiers.csv, line 3, column minimum_net_revenue: '250.00001' has more than "
            "4 decimals.",
        ),
        (
            "loyalty_tiers.csv", "3,gold,", "3,silver,",
            "seeds/loyalty_tiers.csv, line 4, column tier: 'silver' stands in line 3 already: every row "
            "has its own.",
        ),
        (
            "health_rules.csv", "usage_recency,lower_is_better", "usage_recency,smaller_is_better",
            "seeds/health_rules.csv, line 2, column direction: 'smaller_is_better' is none of "
            "higher_is_better, lower_is_better.",
        ),
        (
            "health_rules.csv", "7,21,0,28,20,28,true", "7,21,0,28,20,28,ja",
            "seeds/health_rules.csv, line 2, column is_sign_of_life: 'ja' is not true or false.",
        ),
        (
            "scenarios.csv", "retention_down_5_percent,-0.05,", "retention_down_5_percent,-5,",
            "seeds/scenarios.csv, line 4, column retention_change: -5 is less than -1.",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(rules: Path, file: str, old: str, new: str, mistake: str) -> None:
    edit(rules / file, old, new)
    assert mistake in refusal(rules)


def test_files_that_cannot_be_read_as_rules(rules: Path) -> None:
    (rules / "nps_bands.csv").write_bytes("band,minimum_score,maximum_score\nfür,0,10\n".encode("cp1252"))
    (rules / "loyalty_tiers.csv").write_text("", encoding="utf-8")
    (rules / "winback_ages.csv").write_text("time_away,minimum_days_away\n", encoding="utf-8")
    (rules / "scenarios.csv").unlink()
    assert refusal(rules) == [
        "seeds/loyalty_tiers.csv is empty: its first line names the columns tier_rank, tier, "
        "minimum_net_revenue.",
        "seeds/nps_bands.csv, line 2: not UTF-8. Save it as “CSV UTF-8”.",
        "seeds/scenarios.csv is missing: its .yml beside it declares it.",
        "seeds/winback_ages.csv has no rows: without any rule nothing can be told.",
    ]


def test_what_spreadsheets_do_is_no_mistake(rules: Path) -> None:
    """A byte order mark, Windows line ends, capitals, another order of the columns, an empty last line."""
    (rules / "nps_bands.csv").write_bytes(
        b"\xef\xbb\xbfmaximum_score,minimum_score,band\r\n10,9,promoter\r\n8,7,passive\r\n6,0,detractor\r\n\r\n"
    )
    edit(rules / "health_rules.csv", ",true", ",TRUE")
    check_rules(rules.parent)


def test_nothing_is_built_by_malformed_rules(tmp_path: Path, rules: Path) -> None:
    edit(rules / "nps_bands.csv", "passive,7,8", "passive,7,eight")
    settings = Settings(tmp_path / "wh", rules.parent)
    settings.warehouse.mkdir()
    duckdb.connect(str(settings.build_database)).close()
    with pytest.raises(ConfigurationError, match=r"nps_bands.csv, line 3, column maximum_score: 'eight'"):
        build(settings)
    assert [path.name for path in settings.warehouse.iterdir()] == ["build.duckdb"]


def test_a_message_has_an_end(rules: Path) -> None:
    (rules / "nps_bands.csv").write_text(
        "band,minimum_score,maximum_score\n" + "".join(f"b{number},x,y\n" for number in range(10)), "utf-8"
    )
    mistakes = refusal(rules)
    assert len(mistakes) == 11
    assert mistakes[-1] == "… and 10 more mistakes in rule files."


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("nps_bands.csv", "passive,7,8", "passive,7,7", "seeds/nps_bands.csv: the score 8 is in 0 bands"),
        (
            "loyalty_tiers.csv", "silver,250", "silver,2500",
            "seeds/loyalty_tiers.csv: the tier `gold` is ranked above `silver`",
        ),
    ],
)  # fmt: skip
def test_rules_that_contradict_each_other_stop_the_build(
    demo_warehouse: Warehouse, tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    project = copy_project(tmp_path / "project")
    # What depends on a wrong rule is not built: the rule files alone are enough to see it.
    for path in (project / "models").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    (project / "models/exposures.yml").unlink()
    edit(project / "seeds" / file, old, new)
    settings = Settings(tmp_path / "wh", project)
    settings.warehouse.mkdir()
    shutil.copy(demo_warehouse.settings.build_database, settings.build_database)
    with pytest.raises(BuildFailedError) as caught:
        build(settings)
    assert message in str(caught.value)


def test_a_changed_view_is_computed_anew_by_what_is_incremental(
    demo_warehouse: Warehouse, tmp_path: Path
) -> None:
    """A rule may also be code: the rows of before must not outlive it, though nothing was landed."""
    project = copy_project(tmp_path / "project")
    edit(
        project / "models/intermediate/int_orders_valued.sql",
        "counted.discount_amount > 0 as is_discounted",
        "true as is_discounted",
    )
    warehouse = Warehouse(tmp_path)
    warehouse.settings.warehouse.mkdir()
    shutil.copy(demo_warehouse.settings.build_database, warehouse.settings.build_database)
    counts = "select sum(discounted_order_count), sum(order_count) from intermediate.int_customer_days"
    ((discounted, orders),) = warehouse.rows(counts)
    assert 0 < discounted < orders
    warehouse.dbt(
        *("run", "-s", "int_orders_valued", "int_customer_days"),
        *("--project-dir", str(project), "--profiles-dir", str(project)),
    )
    assert warehouse.rows(counts) == [(orders, orders)]
