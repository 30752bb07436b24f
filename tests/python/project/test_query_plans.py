"""No query of a night compares every row with every row, unless one side is small, and the list says why.

DuckDB hashes an equality only where the ON clause is a plain conjunction of both sides: an OR across them,
or a condition on the left side alone in a LEFT JOIN, makes a loop over rows × rows of it, and nobody sees it
in a small company. So every query is explained: models, in the form that computes everything and in the one
that adds to it; what an increment deletes; data tests; expectations.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from scripts.build.dbt_runner import dbt_target_path
from scripts.core.settings import PROJECT_ROOT
from scripts.validation.validate import validate
from tests.python.query_plans import plan_of, unhashed_joins
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("plans")

# Tables that stay as they are, however large a company is: its settings, since when it records what, a note
# of each incremental model, and the files in seeds/.
BOUNDED = {"int_settings", "stg_settings", "int_recorded_sources", "incremental_state"} | {
    path.stem for path in (PROJECT_ROOT / "seeds").glob("*.csv")
}

MONTHS = "a row for each month of the history: twelve a year, whoever buys"
SEGMENTS = "the values of the segment types that a company names: channels, countries, plans"
WINDOWS = "two rows: the whole history, and its first part"
PLANS = "the plans that a company sells, by billing interval"
DELIVERIES = "a row for each day on which something was landed, of the last eight weeks"

# What a query may be joined with though nothing can be hashed: why it is small. `groups by …` is what remains
# when rows are grouped, or made distinct, by those columns.
SMALL: dict[str, dict[str, str]] = {
    "fct_churn_reasons": {"int_months": MONTHS, "groups by segment_type, segment_value": SEGMENTS},
    "fct_clv_backtest": {"int_clv_windows": WINDOWS},
    "fct_cohort_lifetime_value": {"int_months": MONTHS},
    "fct_cohort_retention": {"int_months": MONTHS},
    "fct_cross_sell_backtest": {"int_clv_windows": WINDOWS},
    "fct_customer_base": {"int_months": MONTHS},
    "fct_customer_retention_rate": {"groups by segment_type, segment_value": SEGMENTS},
    "fct_health_outcomes": {"int_months": MONTHS},
    "fct_loyalty_tier_moves": {"int_months": MONTHS},
    "fct_nps_reasons": {"int_months": MONTHS},
    "fct_nps_scores": {"int_months": MONTHS, "groups by segment_type, segment_value": SEGMENTS},
    "fct_revenue_concentration": {"groups by segment_type, segment_value": SEGMENTS},
    "fct_segment_lifetime_value": {"int_months": MONTHS},
    "fct_upsell_backtest": {"int_clv_windows": WINDOWS, "groups by use_group": "none, low, high"},
    "int_clv_contracts": {"int_clv_windows": WINDOWS},
    "int_clv_order_histories": {"int_clv_windows": WINDOWS},
    "int_clv_windows": {
        "groups by as_of_date, clv_holdout_days, clv_holdout_share": "one row: the settings are one",
    },
    "int_cross_sell_offers": {"int_clv_windows": WINDOWS},
    "int_cross_sell_rules": {"int_clv_windows": WINDOWS},
    "int_health_measures": {"int_months": MONTHS},
    "int_subscription_months": {"int_months": MONTHS},
    "rpt_onboarding": {"int_months": MONTHS},
    "rpt_subscription_retention": {"int_months": MONTHS},
    "rpt_upsell_candidates": {"int_plan_levels": PLANS, "fct_upsell_backtest": "one row"},
    "assert_closing_mrr_is_that_of_the_running_periods": {"int_months": MONTHS},
    "Rows that the last delivery brought are as many as usual": {"groups by day": DELIVERIES},
}


@dataclass(repr=False)
class Queries:
    """A warehouse that was built twice, and every query of it: by its name, with its parameters.

    `used` collects what of the list was needed, by name of the query.
    """

    connection: duckdb.DuckDBPyConnection
    models: list[tuple[str, str]]
    increments: list[tuple[str, str]]
    deletions: list[tuple[str, str]]
    data_tests: list[tuple[str, str]]
    expectations: list[tuple[str, str, Any]]
    used: dict[str, set[str]] = field(default_factory=dict)

    def check(self, *queries: tuple[Any, ...]) -> None:
        """Fail with all that compares every row with every row."""
        found = [loop for query in queries for loop in self.loops(*query)]
        assert not found, "\n".join(["joins that hash nothing, and are in no list:", *found])

    def loops(self, name: str, sql: str, parameters: Any = None) -> list[str]:
        """The joins of a query that compare every row with every row and that the list does not name."""
        found = []
        small = SMALL.get(name.split(": ")[-1], {})
        for join in unhashed_joins(plan_of(self.connection, sql, parameters), BOUNDED):
            sides = join.small_sides(small)
            if not sides:
                found.append(f"{name}: {join}")
            self.used.setdefault(name.split(": ")[-1], set()).update(*sides)
        return found


@pytest.fixture(scope="module")
def queries(demo_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queries]:
    """All queries, in a copy of the demo's warehouse: other tests find theirs as it was."""
    copy = Warehouse(tmp_path_factory.mktemp("plans"))
    copy.settings.warehouse.mkdir()
    shutil.copy(demo_warehouse.settings.build_database, copy.settings.build_database)
    first = _compiled(json.loads(demo_warehouse.manifest.read_text(encoding="utf-8")))

    copy.dbt("run", "--select", "config.materialized:incremental")
    target = dbt_target_path(copy.settings)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    incremental = {
        node["name"]: target / "run" / node["package_name"] / node["original_file_path"]
        for node in manifest["nodes"].values()
        if node["config"].get("materialized") == "incremental"
    }
    second = _compiled(manifest)
    expectations = _statements_of_a_validation(copy)
    # Not read-only: a deletion is explained too.
    with duckdb.connect(str(copy.settings.build_database)) as connection:
        yield Queries(
            connection=connection,
            models=[query for query in first if query[0].startswith("model")],
            increments=[query for query in second if query[0].split(": ")[1] in incremental],
            deletions=[
                (f"deletion: {name}", statement.query)
                for name, path in incremental.items()
                for statement in duckdb.extract_statements(path.read_text(encoding="utf-8"))
                if statement.type == duckdb.StatementType.DELETE
            ],
            data_tests=[query for query in first if query[0].startswith("test")],
            expectations=expectations,
        )


def _compiled(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Kind and name of each model and data test in SQL that dbt has compiled, and its query."""
    return [
        (f"{node['resource_type']}: {node['name']}", node["compiled_code"])
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "test")
        and node["language"] == "sql"
        and node.get("compiled_code")
    ]


def _statements_of_a_validation(warehouse: Warehouse) -> list[tuple[str, str, Any]]:
    """All that Great Expectations asks of the database, as it arrives there.

    A query of ours is named by the table and what is expected; one that Great Expectations makes is not: it
    tells nothing of where it comes from.
    """
    from scripts.validation import runner as running

    statements: list[tuple[str, Any]] = []
    names: dict[str, str] = {}
    run_suite = running._run_suite

    def note(context: Any, source: Any, suite: Any, run: Any) -> Any:
        for expectation in suite.expectations:
            query = getattr(expectation, "unexpected_rows_query", None)
            if query is not None:
                # As scripts/validation/suites.py escapes it.
                query = query.replace("{{", "{").replace("}}", "}").replace("\\:", ":")
                names[_in_one_line(query)] = f"{suite.name}: {expectation.description}"
        return run_suite(context, source, suite, run)

    def capture(connection: Any, cursor: Any, statement: str, parameters: Any, *others: Any) -> None:
        statements.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", capture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_run_suite", note)
        try:
            validate(warehouse.settings, "20260101T000000Z")
        finally:
            event.remove(Engine, "before_cursor_execute", capture)
    found = [
        (names.get(_in_one_line(statement), _in_one_line(statement)[:200]), statement, parameters)
        for statement, parameters in statements
    ]
    assert set(names.values()) <= {name for name, _, _ in found}, "a query of ours did not arrive"
    return found


def _in_one_line(query: str) -> str:
    return re.sub(r"\s+", " ", query).strip()


def test_no_model_compares_every_row_with_every_row(queries: Queries) -> None:
    assert len(queries.models) >= 84
    queries.check(*queries.models)


def test_no_increment_compares_every_row_with_every_row(queries: Queries) -> None:
    """As the night runs it when there is something already, and what it deletes before."""
    assert len(queries.increments) == len(queries.deletions) >= 15
    assert all("incremental_state" in sql for _, sql in (*queries.increments, *queries.deletions))
    queries.check(*queries.increments, *queries.deletions)


def test_no_data_test_compares_every_row_with_every_row(queries: Queries) -> None:
    assert len(queries.data_tests) >= 100
    queries.check(*queries.data_tests)


def test_no_expectation_compares_every_row_with_every_row(queries: Queries) -> None:
    assert len(queries.expectations) >= 130
    queries.check(*queries.expectations)


def test_the_list_names_nothing_that_no_query_needs(queries: Queries) -> None:
    """What stays in the list without need would hide the next loop."""
    every = (*queries.models, *queries.increments, *queries.data_tests, *queries.expectations)
    for query in every:
        queries.loops(*query)
    assert {name: set(small) for name, small in SMALL.items()} == queries.used


TABLES = """
    create table ends (customer_id text, observed_until date, month date);
    create table spells (customer_id text, active_from date, active_until date, basis text, spell_number int);
    create table measures (customer_id text, responded_on date, next_responded_on date);
    create table features (customer_id text, month date, next_month date);
    create table histories (customer_id text, holdout_until date, is_calibration boolean);
    create table comments (comment_type text, comment_id text);
    create table responses (response_id text, nps_category text);
    create table departures (customer_id text, spell_number int, basis text);
    create table settings (as_of_date date);
    create table tiers (tier text, minimum int);
"""

# Each shape that once made a night stand still, and what was written in its place.
SHAPES = {
    "int_customer_month_ends": (
        """from ends left join spells on ends.customer_id = spells.customer_id
        and spells.active_from <= ends.observed_until
        and (spells.active_until is null or spells.active_until > ends.observed_until)""",
        """from ends left join spells on ends.customer_id = spells.customer_id
        and spells.active_from <= ends.observed_until
        and coalesce(spells.active_until, date '9999-12-31') > ends.observed_until""",
    ),
    "int_clv_order_histories": (
        """from histories left join spells
        on histories.customer_id = spells.customer_id and histories.holdout_until is not null""",
        """from histories left join spells on spells.customer_id
        = case when histories.holdout_until is not null then histories.customer_id end""",
    ),
    "int_clv_subscription_predictions": (
        """from histories left join spells
        on histories.customer_id = spells.customer_id and histories.is_calibration""",
        """from histories left join spells
        on case when histories.is_calibration then histories.customer_id end = spells.customer_id""",
    ),
    "int_health_measures, responses": (
        """from ends left join measures on ends.customer_id = measures.customer_id
        and measures.responded_on <= ends.observed_until and measures.responded_on > ends.observed_until - 90
        and (measures.next_responded_on is null or measures.next_responded_on > ends.observed_until)""",
        """from ends left join measures on ends.customer_id = measures.customer_id
        and measures.responded_on <= ends.observed_until and measures.responded_on > ends.observed_until - 90
        and coalesce(measures.next_responded_on, date '9999-12-31') > ends.observed_until""",
    ),
    "int_health_measures, features": (
        """from ends left join features on ends.customer_id = features.customer_id
        and features.month <= ends.month
        and (features.next_month is null or ends.month < features.next_month)""",
        """from ends left join features on ends.customer_id = features.customer_id
        and features.month <= ends.month and ends.month < coalesce(features.next_month, date '9999-12-31')""",
    ),
    "rpt_feedback_themes": (
        """from comments left join responses
        on comments.comment_type = 'survey' and comments.comment_id = responses.response_id""",
        """from comments left join responses
        on case when comments.comment_type = 'survey' then comments.comment_id end = responses.response_id""",
    ),
    "assert_survival_counts_the_first_departures": (
        """select count(*) from departures left join spells on departures.customer_id = spells.customer_id
        and departures.spell_number > spells.spell_number
        and (departures.basis = 'orders' or spells.basis = 'subscription')
        where spells.customer_id is null""",
        """select count(*) from departures left join (
            select customer_id, min(case when basis = 'subscription' then spell_number end) as first_spell
            from spells group by customer_id
        ) as firsts on departures.customer_id = firsts.customer_id
        where departures.basis = 'orders' or departures.spell_number = firsts.first_spell""",
    ),
}


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        yield connection


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_that_made_a_night_stand_still_is_found(
    tables: duckdb.DuckDBPyConnection, name: str
) -> None:
    before, after = SHAPES[name]
    (loop,) = unhashed_joins(plan_of(tables, before), {"settings"})
    assert loop.operator == "BLOCKWISE_NL_JOIN"
    assert loop.small_sides(()) == []
    assert unhashed_joins(plan_of(tables, after), {"settings"}) == []


@pytest.mark.parametrize(
    ("sql", "sides"),
    [
        # One row, by name or by what it is.
        ("from spells cross join settings", None),
        ("from spells inner join settings on spells.active_from <= settings.as_of_date", None),
        ("from spells cross join (select max(month) from ends)", None),
        ("from spells cross join (values (1), (2))", None),
        (
            "with e as (select max(month) as m from ends) "
            "from spells, e where active_from < m and exists (select 1 from e as f where f.m > active_until)",
            None,
        ),
        # Semi-joins give no more than their left side.
        (
            "from spells cross join (select * from settings where as_of_date in (select month from ends))",
            None,
        ),
        # Bounded sides of a bounded side.
        ("from spells cross join (from settings cross join (select count(*) from ends))", None),
        # Every row with every row, in each of its forms.
        ("from spells cross join ends", [{"ends", "spells"}]),
        ("from spells inner join ends on spells.active_from <= ends.month", [{"ends", "spells"}]),
        ("from spells inner join ends on spells.customer_id <> ends.customer_id", [{"ends", "spells"}]),
        (
            "from spells inner join ends on active_from <= month and active_until > month",
            [{"ends", "spells"}],
        ),
        (
            "select (select count(*) from ends where month < active_from) from spells",
            [{"ends", "distinct spells"}],
        ),
        (
            "from spells where not exists (from ends where month < active_from)",
            [{"ends", "distinct spells"}],
        ),
        (
            "with e as (select month, count(*) as n from ends group by month) "
            "from spells, e where spells.spell_number < e.n "
            "and exists (from e as f where f.month = active_from)",
            [{"groups by month", "spells"}],
        ),
    ],
)
def test_what_is_bounded_is_told_from_what_grows(
    tables: duckdb.DuckDBPyConnection, sql: str, sides: list[set[str]] | None
) -> None:
    found = unhashed_joins(plan_of(tables, sql), {"settings", "tiers"})
    assert [set().union(*join.sides) for join in found] == (sides or [])
