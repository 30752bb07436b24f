"""What must agree within one build is dbt's to check: each rule and each test finds its fault.

The faults are put into copies of the demo company's tables; the tests are run as dbt has compiled them.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts.build.dbt_runner import BuildFailedError, build
from scripts.core.settings import Settings
from tests.python import parse_cache
from tests.python.warehouses import Warehouse

# Tests that share a warehouse run in one worker: it is built once.
pytestmark = pytest.mark.xdist_group("demo")

# Of an identity's columns so many are tried in every combination.
_COMBINED_COLUMNS = 7


@pytest.fixture(scope="module")
def nodes(demo_warehouse: Warehouse) -> Mapping[str, Mapping[str, Any]]:
    """By id, what dbt knows of its models and tests, with the SQL that it ran."""
    return json.loads(demo_warehouse.manifest.read_text(encoding="utf-8"))["nodes"]


@pytest.fixture(scope="module")
def connection(demo_warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read-only: a fault stands in a temporary table."""
    with duckdb.connect(str(demo_warehouse.settings.build_database), read_only=True) as opened:
        yield opened


# --- rules of one table


def test_every_rule_fires(
    connection: duckdb.DuckDBPyConnection, nodes: Mapping[str, Mapping[str, Any]]
) -> None:
    """A rule that no row can break would be no rule."""
    silent, checked = set(), 0
    for test in nodes.values():
        if test["resource_type"] != "test" or not test["name"].startswith("holds_"):
            continue
        table = nodes[test["attached_node"]]
        declared = _rules(table)
        query = test["compiled_code"]
        relation = table["relation_name"]
        assert relation in query
        _break_every_rule(connection, table)
        broken = connection.execute(
            f"select distinct broken_rules from ({query.replace(relation, 'faulty')})"
        ).fetchall()
        found = {rule for (rules,) in broken for rule in rules.splitlines()}
        assert found <= declared, table["name"]
        silent |= {(table["name"], rule) for rule in declared - found}
        checked += len(declared)
    assert not silent
    assert checked > 750


def _rules(table: Mapping[str, Any]) -> set[str]:
    """The names of a table's rules, as `macros/table_rules.sql` makes them."""
    meta = table["config"]["meta"] or {}
    rules = {f"{column}: not_null" for column in meta.get("key", ())}
    if meta.get("key"):
        rules.add(", ".join(meta["key"]) + ": unique")
    rules |= {f"identity {name}" for name in meta.get("identities", ())}
    for name, column in table["columns"].items():
        for rule, bound in ((column["config"].get("meta") or {}).get("rules") or {}).items():
            words = ", ".join(map(str, bound)) if isinstance(bound, list) else str(bound)
            rules.add(f"{name}: {rule}" + ("" if rule in ("not_null", "unique") else f" {words}"))
    return rules


def _break_every_rule(connection: duckdb.DuckDBPyConnection, table: Mapping[str, Any]) -> None:
    """Make the table `faulty`, of rows of which each breaks some rules."""
    connection.execute(f"create or replace temp table faulty as from {table['relation_name']} limit 0")
    types = {name: str(kind) for name, kind, *_ in connection.execute("describe faulty").fetchall()}
    connection.execute("insert into faulty default values")
    meta = table["config"]["meta"] or {}
    keys = [meta["key"]] if meta.get("key") else []
    for name, column in table["columns"].items():
        rules = (column["config"].get("meta") or {}).get("rules") or {}
        keys += [[name]] if rules.get("unique") else []
        for fault in (
            f"{rules['minimum']} - 1" if "minimum" in rules else None,
            f"{rules['maximum']} + 1" if "maximum" in rules else None,
            "'no such class'" if "accepted_values" in rules else None,
        ):
            if fault:
                connection.execute(f"insert into faulty ({name}) values ({fault})")
    for key in keys:
        values = ", ".join(_candidates(types[column])[0] for column in key)
        connection.execute(f"insert into faulty ({', '.join(key)}) values ({values}), ({values})")
    for expression in meta.get("identities", {}).values():
        used = [name for name in types if re.search(rf"\b{name}\b", expression)]
        words = re.findall(r"'[^']*'", expression)
        # What is not tried keeps its first value: an identity of many columns is broken by some of them.
        tried = [
            ([*_candidates(types[name]), *(words if types[name] == "VARCHAR" else []), "null"])
            for name in used
        ]
        tried = [values if place < _COMBINED_COLUMNS else values[:1] for place, values in enumerate(tried)]
        combinations = itertools.islice(itertools.product(*tried), 5000)
        rows = ", ".join(f"({', '.join(row)})" for row in combinations)
        connection.execute(f"insert into faulty ({', '.join(used)}) values {rows}")


def _candidates(kind: str) -> list[str]:
    """Values of a type, as SQL."""
    if kind == "VARCHAR":
        return ["'a'", "'b'"]
    if kind == "BOOLEAN":
        return ["true", "false"]
    if kind in ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"):
        return ["date '2026-01-31'", "date '2026-03-31'"]
    return ["1", "0", "7"]


# --- tests of several tables

FAULTS = [
    (
        "cohort_margin_is_customer_margin",
        "fct_cohort_lifetime_value",
        "update fct_cohort_lifetime_value set gross_margin = 1",
    ),
    (
        "annual_conversions_sum",
        "rpt_annual_conversion",
        "update rpt_annual_conversion set all_customers = all_customers + 1 where segment_type = 'all'",
    ),
    (
        "annual_conversions_sum",
        "rpt_annual_conversion",
        "update rpt_annual_conversion set converted_customers = 1 where months_on_monthly = 1",
    ),
    (
        "categories_sum_to_products",
        "rpt_products",
        "update rpt_products set net_revenue = net_revenue + 1 where product_id = 'P001'",
    ),
    (
        "nobody_is_offered_what_they_bought",
        "rpt_cross_sell_candidates",
        "insert into rpt_cross_sell_candidates (level, customer_id, item_id) "
        "select level, customer_id, item_id from intermediate.int_item_purchases limit 1",
    ),
    (
        "marts_name_known_segment_types",
        "fct_survival",
        "update fct_survival set segment_type = 'county' where segment_type = 'country'",
    ),
    (
        "crossed_segments_are_few",
        "fct_customer_base",
        "update fct_customer_base set segment_value = segment_value || month "
        "where segment_type = 'acquisition_channel x buyer_type'",
    ),
    (
        "marts_count_the_same_customers",
        "dim_customers",
        "update dim_customers set is_customer = false where customer_id = "
        "(select min(customer_id) from dim_customers where is_customer)",
    ),
    (
        "marts_count_the_same_customers",
        "fct_cohort_retention",
        "update fct_cohort_retention set cohort_size = cohort_size + 1 where months_since_first = 0",
    ),
    (
        "marts_count_the_same_customers",
        "fct_customer_base",
        "update fct_customer_base set base_customers = base_customers + 1 "
        "where month = (select max(month) from fct_customer_base)",
    ),
    (
        "marts_count_the_same_customers",
        "fct_customer_lifetime_value",
        "delete from fct_customer_lifetime_value where customer_id = "
        "(select min(customer_id) from fct_customer_lifetime_value)",
    ),
    (
        "no_order_is_after_the_last_day",
        "fct_orders",
        "update fct_orders set ordered_on = '2100-01-01' where order_id = "
        "(select min(order_id) from fct_orders)",
    ),
    (
        "no_departure_is_after_the_last_day",
        "fct_churn_events",
        "update fct_churn_events set churned_on = '2100-01-01' where reactivated_on is null",
    ),
    (
        "no_departure_is_after_the_last_day",
        "fct_churn_events",
        "update fct_churn_events set reactivated_on = '2100-01-01' where is_reactivated",
    ),
    (
        "months_hold_the_counted_orders",
        "fct_orders",
        "update fct_orders set is_counted = false where order_id = "
        "(select min(order_id) from fct_orders where is_counted)",
    ),
    (
        "months_hold_the_counted_orders",
        "fct_customer_base",
        "delete from fct_customer_base where month = (select max(month) from fct_customer_base)",
    ),
    (
        "months_hold_the_revenue_of_the_orders",
        "fct_orders",
        "update fct_orders set net_revenue = net_revenue + 0.02 where order_id = "
        "(select min(order_id) from fct_orders)",
    ),
    (
        "months_hold_the_revenue_of_the_customers",
        "fct_customer_lifetime_value",
        "update fct_customer_lifetime_value set net_revenue = net_revenue + 0.02 where customer_id = "
        "(select min(customer_id) from fct_customer_lifetime_value)",
    ),
    (
        "sign_ups_are_the_customers",
        "rpt_onboarding",
        "update rpt_onboarding set sign_ups = sign_ups + 1 "
        "where sign_up_month = (select min(sign_up_month) from rpt_onboarding)",
    ),
    (
        "customer_months_sum_to_the_marts_of_months",
        "fct_customer_months",
        "update fct_customer_months set closing_mrr = closing_mrr + 0.01 "
        "where month = (select max(month) from fct_customer_months)",
    ),
    (
        "customer_months_sum_to_the_marts_of_months",
        "fct_customer_months",
        "delete from fct_customer_months where month = (select max(month) from fct_customer_months)",
    ),
    (
        "ending_customers_are_the_installed_base",
        "fct_customer_retention_rate",
        "update fct_customer_retention_rate set ending_customers = ending_customers + 1 "
        "where segment_type = 'country'",
    ),
    (
        "ending_customers_are_the_installed_base",
        "fct_customer_retention_rate",
        "delete from fct_customer_retention_rate where segment_type = 'plan' and period_type = 'month'",
    ),
    (
        # The sum is right, but it is somebody else's.
        "customer_revenue_is_that_of_the_orders",
        "fct_customer_lifetime_value",
        "update fct_customer_lifetime_value set gross_revenue = other.gross_revenue from ("
        "select customer_id, lag(gross_revenue, 1, 0) over (order by gross_revenue) as gross_revenue "
        "from fct_customer_lifetime_value) as other "
        "where fct_customer_lifetime_value.customer_id = other.customer_id",
    ),
    (
        "customer_revenue_is_that_of_the_orders",
        "fct_orders",
        "update fct_orders set refunded_amount = refunded_amount + 5 "
        "where is_booked and customer_id = (select min(customer_id) from fct_orders where is_booked)",
    ),
    (
        "scores_count_every_response",
        "fct_nps_scores",
        "update fct_nps_scores set responses = responses + 1 where segment_type = 'all'",
    ),
    (
        "scores_count_every_response",
        "fct_nps_scores",
        "update fct_nps_scores set unscored_responses = unscored_responses + 1 where segment_type = 'all'",
    ),
    ("scores_count_every_response", "fct_nps_scores", "delete from fct_nps_scores where survey <> 'all'"),
    (
        "theme_comments_are_the_survey_comments",
        "fct_nps_responses",
        "update fct_nps_responses set comment_text = 'late' where comment_text is null",
    ),
    (
        "the_inactive_have_left",
        "fct_churn_events",
        "update fct_churn_events set is_reactivated = true",
    ),
    (
        "who_shops_and_subscribes_is_one_answer",
        "fct_subscription_movements",
        "update fct_subscription_movements set movement = 'reactivation' where movement = 'new' "
        "and customer_id in "
        "(select customer_id from intermediate.int_customers where first_order_on is not null)",
    ),
    (
        "who_shops_and_subscribes_is_one_answer",
        "int_churn_spells",
        "update int_churn_spells set churned_on = churned_on + 100 where churned_on is not null",
    ),
    (
        "no_subscription_goes_on_after_a_departure",
        "int_stated_departures",
        "insert into int_stated_departures (departure_id, customer_id, departed_on, is_contradicted) "
        "values ('d', 'c', date '2026-01-01', true)",
    ),
    (
        "winback_candidates_are_those_who_left",
        "rpt_winback_candidates",
        "update rpt_winback_candidates set customer_id = 'somebody else' where winback_rank = 1",
    ),
    (
        "winback_candidates_are_those_who_left",
        "rpt_winback_candidates",
        "delete from rpt_winback_candidates where winback_rank = 1",
    ),
    (
        "health_covers_the_installed_base",
        "fct_customer_health",
        "delete from fct_customer_health where customer_id = "
        "(select min(customer_id) from fct_customer_health)",
    ),
    (
        "tier_moves_close",
        "fct_loyalty_tier_moves",
        "delete from fct_loyalty_tier_moves where from_tier = 'none'",
    ),
]


@pytest.mark.parametrize(("test", "mart", "change"), FAULTS)
def test_marts_that_contradict_each_other(
    connection: duckdb.DuckDBPyConnection,
    nodes: Mapping[str, Mapping[str, Any]],
    test: str,
    mart: str,
    change: str,
) -> None:
    query = nodes[f"test.tenure.assert_{test}"]["compiled_code"]
    relation = nodes[f"model.tenure.{mart}"]["relation_name"]
    assert relation in query
    assert connection.execute(query).fetchall() == []
    connection.execute(f"create or replace temp table {mart} as from {relation}")
    try:
        connection.execute(change)
        assert connection.execute(query.replace(relation, f"temp.{mart}")).fetchall()
    finally:
        connection.execute(f"drop table temp.{mart}")


# --- what a night says

# By kind: the table, the fault, dbt's test, and the line that tells it.
TOLD = {
    "range": (
        "rpt_onboarding",
        "update {} set activated_in_30_days_share = 1.5 "
        "where segment_type = 'all' and sign_up_month = (select min(sign_up_month) from {})",
        "holds_rpt_onboarding",
        r"activated_in_30_days_share: maximum 1: 1 row, such as "
        r"\(sign_up_month \d{4}-\d\d-01, segment_type all, segment_value all\)",
    ),
    "null": (
        "rpt_winback_candidates",
        "update {} set time_away = null where winback_rank <= 2",
        "holds_rpt_winback_candidates",
        r"time_away: not_null: 2 rows, such as \(winback_rank 1, customer_id C\d+\), \(winback_rank 2, .*",
    ),
    "class": (
        "fct_loyalty_tier_moves",
        "update {} set direction = 'sideways' where segment_type = 'all' and from_tier = 'none' "
        "and month = (select min(month) from {}) and to_tier = 'bronze'",
        "holds_fct_loyalty_tier_moves",
        r"direction: accepted_values .*: 1 row, such as \(month .*, from_tier none, to_tier bronze\)",
    ),
    "key": (
        "fct_survival",
        "insert into {} from {} where tenure_days = 0 and segment_type = 'all' and basis = 'orders'",
        "holds_fct_survival",
        r"basis, segment_type, segment_value, tenure_days: unique: 1 row, such as \(basis orders, .*",
    ),
    "identity": (
        "fct_revenue_concentration",
        "update {} set cumulative_revenue_share = 0.999 "
        "where period_type = 'all' and segment_type = 'all' and decile = 10",
        "holds_fct_revenue_concentration",
        r"identity the_last_decile_completes_the_sum: 1 row, such as \(period_type all, .*, decile 10\)",
    ),
    "relationship": (
        "rpt_scenarios",
        "update {} set scenario = 'no such scenario' where segment_type = 'all' and basis = 'orders'",
        "relationships_rpt_scenarios_scenario__scenario__ref_scenarios",
        r"such as .*scenario no such scenario.*",
    ),
    "two marts": (
        "fct_customer_retention_rate",
        "update {} set ending_customers = ending_customers + 1, gained_customers = gained_customers + 1 "
        "where period_type = 'month' and segment_type = 'all' and period_start = '2026-01-01'",
        "assert_ending_customers_are_the_installed_base",
        r"such as \(segment_type all, segment_value all, month 2026-01-01\)",
    ),
    "sums of two marts": (
        "rpt_feedback_themes",
        "update {} set comments = comments + 3 where period_type = 'month' and comment_type = 'survey' "
        "and period_start = '2026-01-01'",
        "assert_theme_comments_are_the_survey_comments",
        r"such as \(comments_of_themes \d+, comments_of_responses \d+\)",
    ),
}


@pytest.fixture(scope="module")
def told(demo_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a build says of all the faults at once: dbt's tests alone run, on tables that are there."""
    settings = Settings(tmp_path_factory.mktemp("faulty") / "wh")
    settings.warehouse.mkdir()
    shutil.copy(demo_warehouse.settings.build_database, settings.build_database)
    with duckdb.connect(str(settings.build_database)) as connection:
        for mart, fault, *_ in TOLD.values():
            connection.execute(fault.replace("{}", f"marts.{mart}"))
    parse_cache.take(settings)
    with pytest.raises(BuildFailedError) as stopped:
        build(settings, select=" ".join(_of_dbt(test) for _, _, test, _ in TOLD.values()))
    assert stopped.value.exit_code == 1
    return list(stopped.value.result.failures)


def _of_dbt(test: str) -> str:
    """A generic test's name as dbt selects it."""
    return test if test.startswith("assert_") else f"{test}_"


@pytest.mark.parametrize("kind", TOLD)
def test_a_fault_stops_the_night_with_table_rule_and_rows(told: list[str], kind: str) -> None:
    _, _, test, line = TOLD[kind]
    (failure,) = [each for each in told if each.startswith(f"test {test}:")]
    headline, *lines, path = failure.splitlines()
    assert re.fullmatch(r".*: \d+ rows? where none should be", headline)
    assert [each for each in lines if re.fullmatch(line, each)], failure
    assert Path(path).suffix == ".sql"
