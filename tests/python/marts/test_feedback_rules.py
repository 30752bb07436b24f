"""A rule about feedback that cannot work is refused, and named: bands of scores, and the words of themes."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from scripts.build.dbt_runner import dbt_target_path
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("feedback_rules")

BANDS = "assert_nps_bands_cover_every_score"
THEMES = "assert_feedback_themes_make_sense"


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse with the two seeds, and both checks compiled."""
    warehouse = Warehouse(tmp_path_factory.mktemp("feedback_rules"))
    warehouse.settings.warehouse.mkdir(parents=True)
    warehouse.dbt("build", "-s", "nps_bands", "feedback_themes")
    return warehouse


@pytest.fixture
def connection(seeded: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """What is changed in the seeds is undone."""
    with duckdb.connect(str(seeded.settings.build_database)) as connection:
        connection.execute("begin")
        yield connection
        connection.execute("rollback")


def refusal(warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, check: str) -> str:
    """What the check says, run as dbt runs it; nothing if it passes."""
    (path,) = (dbt_target_path(warehouse.settings) / "compiled").rglob(f"{check}.sql")
    try:
        row = connection.execute(f"select count(*) from ({path.read_text()}) as failures").fetchone()
    except duckdb.Error as error:
        return str(error)
    assert row == (0,)
    return ""


def test_the_shipped_rules_pass(seeded: Warehouse, connection: duckdb.DuckDBPyConnection) -> None:
    assert refusal(seeded, connection, BANDS) == ""
    assert refusal(seeded, connection, THEMES) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "update seeds.nps_bands set maximum_score = 5 where band = 'detractor'",
            "the score 6 is in 0 bands",
        ),
        ("update seeds.nps_bands set minimum_score = 6 where band = 'passive'", "the score 6 is in 2 bands"),
        (
            "update seeds.nps_bands set maximum_score = 9 where band = 'promoter'",
            "the score 10 is in 0 bands",
        ),
        (
            "update seeds.nps_bands set maximum_score = 11 where band = 'promoter'",
            "`promoter` does not lie within",
        ),
        ("update seeds.nps_bands set minimum_score = null where band = 'promoter'", "nps_bands.csv"),
        ("update seeds.nps_bands set band = 'fan' where band = 'promoter'", "the band `fan` is none of"),
        (
            "update seeds.nps_bands set band = case band when 'passive' then 'detractor' "
            "when 'detractor' then 'passive' else band end",
            "`detractor` lies above `passive`",
        ),
    ],
)
def test_bands_that_cannot_work_are_refused(
    seeded: Warehouse, connection: duckdb.DuckDBPyConnection, change: str, message: str
) -> None:
    connection.execute(change)
    assert message in refusal(seeded, connection, BANDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pattern = null", "has an empty word"),
        ("pattern = ' '", "has an empty word"),
        ("pattern = 'gia re||gia cao'", "has an empty word"),
        ("pattern = 'gia re|'", "has an empty word"),
        ("pattern = 'gia re|*'", "has a pattern `*`"),
        ("pattern = 'gia (re|cao'", "`gia (re`: write them as `gia re`"),
        ("pattern = 'gia re|.*'", "`.*`: write them as ``"),
        ("pattern = 'Đắt quá'", "`Đắt quá`: write them as `dat qua`"),
        ("pattern = 'gia* re'", "`gia* re`: write them as `gia re`"),
        ("category = null", "has no category"),
        ("category = 'product'", "has two categories or two owning teams"),
        ("owning_team = 'nobody'", "has two categories or two owning teams"),
        ("owning_team = null", "has no owning team"),
        ("language = 'fr'", "has the unknown language `fr`"),
    ],
)
def test_themes_that_cannot_work_are_refused(
    seeded: Warehouse, connection: duckdb.DuckDBPyConnection, change: str, message: str
) -> None:
    connection.execute(f"update seeds.feedback_themes set {change} where theme = 'price' and language = 'vi'")
    said = refusal(seeded, connection, THEMES)
    assert "seeds/feedback_themes.csv: the theme `price`" in said
    assert message in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("theme = null", "has no name"),
        ("theme = 'unclassified'", "has the name for comments without a theme"),
        ("category = 'prices'", "has the unknown category `prices`"),
    ],
)
def test_a_theme_without_name_or_known_category_is_refused(
    seeded: Warehouse, connection: duckdb.DuckDBPyConnection, change: str, message: str
) -> None:
    connection.execute(f"update seeds.feedback_themes set {change} where theme = 'price'")
    assert message in refusal(seeded, connection, THEMES)


def test_dbt_stops_at_a_rule_that_cannot_work_and_says_which(seeded: Warehouse) -> None:
    with duckdb.connect(str(seeded.settings.build_database)) as connection:
        connection.execute("update seeds.nps_bands set maximum_score = 5 where band = 'detractor'")
    output = seeded.dbt("test", "-s", BANDS, succeeds=False)
    assert "seeds/nps_bands.csv: the score 6 is in 0 bands" in output
    seeded.dbt("seed", "-s", "nps_bands")
