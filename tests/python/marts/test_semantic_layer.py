"""The metrics of the semantic layer are the figures of the marts, to the digit, by any segment.

Each metric is written out as SQL from what dbt has read in models/semantic. Where `make semantic` has made
its environment, MetricFlow is asked as well.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts.core.settings import PROJECT_ROOT
from tests.python.warehouses import Warehouse

pytestmark = pytest.mark.xdist_group("demo")

# By segment value and month.
Figures = dict[tuple[str, str], float]

_MONTHS = "select period_start as month, * exclude (period_start) from marts.{} where period_type = 'month'"
_RETENTION = f"({_MONTHS.format('fct_customer_retention_rate')})"
_NPS = f"({_MONTHS.format('fct_nps_scores')} and survey = 'all')"
_BASE, _SUBSCRIPTIONS = "marts.fct_customer_base", "marts.rpt_subscription_retention"
_MRR = ("new_mrr", "reactivation_mrr", "expansion_mrr", "contraction_mrr", "churn_mrr", "opening_mrr")
_RATES = ("logo_churn_rate", "gross_revenue_retention_rate", "net_revenue_retention_rate")

# Where the marts say what a metric is: a relation by month and segment, and an expression of its columns.
PUBLISHED = {
    "active_customers": (_BASE, "installed_customers"),
    "new_customers": (_BASE, "new_customers"),
    "reactivated_customers": (_BASE, "reactivated_customers"),
    "lapsed_customers": (_BASE, "lapsed_customers"),
    "buyers": (_BASE, "ordering_customers"),
    "net_revenue": (_BASE, "net_revenue"),
    "subscription_revenue": (_BASE, "subscription_revenue"),
    "subscribers": (_BASE, "subscribers"),
    "mrr": (_BASE, "closing_mrr"),
    "orders": (_BASE, "order_count + coalesce(guest_order_count, 0)"),
    "starting_customers": (_RETENTION, "starting_customers"),
    "retained_customers": (_RETENTION, "retained_customers"),
    "lost_customers": (_RETENTION, "lost_customers"),
    "gained_customers": (_RETENTION, "gained_customers"),
    "retention_rate": (_RETENTION, "case when is_window_observed then retention_rate end"),
    **{name: (_SUBSCRIPTIONS, name) for name in (*_MRR, *_RATES)},
    "opening_subscribers": (_SUBSCRIPTIONS, "opening_customers"),
    "churned_subscribers": (_SUBSCRIPTIONS, "churned_customers"),
    "kept_mrr_without_expansion": (_SUBSCRIPTIONS, "opening_mrr - churn_mrr - contraction_mrr"),
    "kept_mrr_with_expansion": (_SUBSCRIPTIONS, "opening_mrr - churn_mrr - contraction_mrr + expansion_mrr"),
    "nps_votes": (_NPS, "votes"),
    "nps_promoters": (_NPS, "promoters"),
    "nps_detractors": (_NPS, "detractors"),
    "nps": (_NPS, "nps"),
    "churn_events": ("marts.fct_churn_reasons", "churn_events"),
    "mrr_lost": ("marts.fct_churn_reasons", "mrr_lost"),
    "value_lost": ("marts.fct_churn_reasons", "value_lost"),
}
# By survey, by customer, or not at all; see below.
ELSEWHERE = {
    *("survey_votes", "survey_promoters", "survey_detractors", "survey_nps"),
    *("average_order_value", "counted_order_revenue", "order_revenue"),
}
# What is null, and not 0, where there is nothing.
RATES = {"retention_rate", "nps", *_RATES}

# By channel and what the demo company divides by of its own. Who is nobody we know has neither.
_CROSSED = """
    case
        when customer.customer_id is null then 'unknown'
        else concat(
            coalesce(customer.acquisition_channel, 'unknown'),
            ' x ',
            coalesce(replace(customer.company_segments, 'buyer_type=', ''), 'unknown')
        )
    end"""
SEGMENTS = {
    "all": "'all'",
    "country": "coalesce(customer.country, 'unknown')",
    "acquisition_channel x buyer_type": _CROSSED,
}


class Layer:
    """What dbt has read of the semantic layer; metrics as SQL, by the rules of MetricFlow."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.metrics = {metric["name"]: metric for metric in manifest["metrics"].values()}
        self.saved_queries = [query["name"] for query in manifest["saved_queries"].values()]
        self._measures = {
            measure["name"]: (model, measure)
            for model in manifest["semantic_models"].values()
            for measure in model["measures"]
        }

    def select(self, name: str, key: str, condition: str = "") -> str:
        """A query of a metric by month and `key`, of which the customer is `customer` and the row `fact`."""
        metric = self.metrics[name]
        condition = condition or self._filter(metric)
        parameters = metric["type_params"]
        if metric["type"] == "simple":
            model, measure = self._measures[parameters["measure"]["name"]]
            time = measure["agg_time_dimension"] or model["defaults"]["agg_time_dimension"]
            (month,) = [each["expr"] or time for each in model["dimensions"] if each["name"] == time]
            return f"""
                select {key} as key, fact.metric_month as month, sum(fact.measure) as value
                from (
                    select
                        *,
                        cast(date_trunc('month', {month}) as date) as metric_month,
                        {measure["expr"] or measure["name"]} as measure
                    from {model["node_relation"]["relation_name"]}
                ) as fact
                left join marts.dim_customers as customer on fact.customer_id = customer.customer_id
                left join marts.dim_months as calendar on fact.metric_month = calendar.month
                where {condition or "true"}
                group by all"""
        if metric["type"] == "ratio":
            inputs = {
                "numerator": parameters["numerator"]["name"],
                "denominator": parameters["denominator"]["name"],
            }
            expression = "cast(numerator as double) / cast(nullif(denominator, 0) as double)"
        else:
            inputs = {each["alias"] or each["name"]: each["name"] for each in parameters["metrics"]}
            expression = parameters["expr"]
        first, *_ = inputs
        parts = ", ".join(
            f"{alias} as (select key, month, value as {alias} from ({self.select(each, key, condition)}))"
            for alias, each in inputs.items()
        )
        joins = " ".join(f"full join {alias} using (key, month)" for alias in [*inputs][1:])
        return f"with {parts} select key, month, {expression} as value from {first} {joins}"

    @staticmethod
    def _filter(metric: Mapping[str, Any]) -> str:
        written = " and ".join(
            each["where_sql_template"]
            for each in (metric["filter"] or {"where_filters": []})["where_filters"]
        )
        for entity, relation in {"customer_month": "fact", "calendar_month": "calendar"}.items():
            written = re.sub(rf"{{{{ Dimension\('{entity}__(\w+)'\) }}}}", rf"{relation}.\1", written)
        assert "{{" not in written, written
        return written


@pytest.fixture(scope="module")
def layer(demo_warehouse: Warehouse) -> Layer:
    return Layer(json.loads(demo_warehouse.manifest.read_text(encoding="utf-8")))


def _figures(warehouse: Warehouse, name: str, sql: str) -> Figures:
    """A figure for each key and month; no count is as good as none."""
    return {
        (key, str(month)): float(value)
        for key, month, value in warehouse.rows(sql)
        if value is not None and (value or name in RATES)
    }


def _published(warehouse: Warehouse, name: str, segment_type: str) -> Figures:
    relation, expression = PUBLISHED[name]
    value = expression if name in RATES else f"sum({expression})"
    group = "" if name in RATES else "group by 1, 2"
    return _figures(
        warehouse,
        name,
        f"select segment_value, month, {value} from {relation} as mart "
        f"where segment_type = '{segment_type}' {group}",
    )


@pytest.mark.parametrize("segment_type", SEGMENTS)
def test_each_metric_is_what_the_marts_say(
    demo_warehouse: Warehouse, layer: Layer, segment_type: str
) -> None:
    differing = {}
    for name in PUBLISHED:
        published = _published(demo_warehouse, name, segment_type)
        computed = _figures(demo_warehouse, name, layer.select(name, SEGMENTS[segment_type]))
        if name == "orders" and segment_type != "all":
            guests = _figures(
                demo_warehouse,
                name,
                "select 'unknown', ordered_month, count(*) from marts.fct_orders "
                "where is_guest and is_counted group by 2",
            )
            for guest, orders in guests.items():
                published[guest] = published.get(guest, 0) + orders
        assert published, name
        if published != computed:
            differing[name] = sorted(published.items() ^ computed.items())[:4]
    assert differing == {}


@pytest.mark.parametrize("dimension", ["plan", "billing_interval"])
def test_mrr_divides_by_the_plan_held(demo_warehouse: Warehouse, layer: Layer, dimension: str) -> None:
    """And not by the first one, which customers are divided by otherwise."""
    for name in (*_MRR, *_RATES):
        computed = _figures(demo_warehouse, name, layer.select(name, f"fact.{dimension}"))
        assert computed == _published(demo_warehouse, name, dimension), name


def test_no_metric_is_left_out(layer: Layer) -> None:
    assert layer.metrics.keys() == PUBLISHED.keys() | ELSEWHERE
    assert len(layer.saved_queries) == 5


def test_nps_of_a_survey_is_that_of_the_mart(demo_warehouse: Warehouse, layer: Layer) -> None:
    for name, column in {"survey_votes": "votes", "survey_nps": "nps"}.items():
        is_rate = name == "survey_nps"
        published = _figures(
            demo_warehouse,
            "nps" if is_rate else name,
            f"select survey, period_start, {column} from marts.fct_nps_scores "
            "where period_type = 'month' and segment_type = 'all' and survey <> 'all'",
        )
        computed = _figures(demo_warehouse, "nps" if is_rate else name, layer.select(name, "survey"))
        assert published and published == computed


def test_average_order_value_is_that_of_each_customer(demo_warehouse: Warehouse, layer: Layer) -> None:
    """Of all their months together: the mart knows no other."""
    revenue, orders = (layer.select(name, "fact.customer_id") for name in ("counted_order_revenue", "orders"))
    assert layer.metrics["average_order_value"]["type_params"]["numerator"]["name"] == "counted_order_revenue"
    differing = demo_warehouse.rows(
        f"""
        select customer.customer_id, average_order_value, sum(revenue.value) / sum(orders.value)
        from ({revenue}) as revenue
        inner join ({orders}) as orders using (key, month)
        inner join marts.dim_customers as customer on revenue.key = customer.customer_id
        group by all
        having
            sum(orders.value) > 0
            and cast(cast(sum(revenue.value) as double) / sum(orders.value) as decimal(28, 4))
            <> average_order_value
        """
    )
    assert differing == []


# --- asked by MetricFlow

MF = PROJECT_ROOT / ".venv-semantic" / "bin"


@pytest.fixture(scope="module")
def metricflow(demo_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its own, as `mf` reads target/ of the one it stands in, and a warehouse to write to."""
    if not (MF / "mf").exists():
        pytest.skip("needs MetricFlow: make semantic")
    project = tmp_path_factory.mktemp("metricflow")
    for name in ("models", "macros", "seeds", "tests", "scripts", "profiles.yml", "dbt_project.yml"):
        (project / name).symlink_to(PROJECT_ROOT / name)
    shutil.copy(demo_warehouse.settings.build_database, project / "build.duckdb")
    _run(project, "dbt", "--quiet", "parse")
    return project


def _run(project: Path, program: str, *arguments: str) -> None:
    environment = {**os.environ, "TENURE_WAREHOUSE": str(project)}
    environment = {name: value for name, value in environment.items() if not name.startswith("DBT_")}
    done = subprocess.run(
        [MF / program, *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def _asked(project: Path, *arguments: str) -> list[dict[str, str]]:
    answer = project / "answer.csv"
    _run(project, "mf", "query", "--quiet", *arguments, "--csv", str(answer))
    with answer.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def test_metricflow_says_what_the_marts_say(metricflow: Path, demo_warehouse: Warehouse) -> None:
    """Counts, a stock, money, rates and NPS of channel and buyer type, crossed."""
    names = (
        "active_customers",
        "lost_customers",
        "net_revenue",
        "mrr",
        "retention_rate",
        "nps",
        "churn_events",
    )
    names = (*names, "gross_revenue_retention_rate", "net_revenue_retention_rate")
    dimensions = ("customer__acquisition_channel", "customer__company_segments")
    rows = _asked(
        metricflow, "--metrics", ",".join(names), "--group-by", ",".join(("metric_time__month", *dimensions))
    )
    for name in names:
        computed: Figures = {}
        for row in rows:
            channel, own = (row[dimension] or "unknown" for dimension in dimensions)
            key = f"{channel} x {own.removeprefix('buyer_type=')}" if row[dimensions[0]] else "unknown"
            if row[name] and (float(row[name]) or name in RATES):
                month = date.fromisoformat(row["metric_time__month"][:10])
                computed[key, str(month)] = float(row[name])
        assert computed == _published(demo_warehouse, name, "acquisition_channel x buyer_type"), name


def test_metricflow_answers_the_saved_queries(metricflow: Path, layer: Layer) -> None:
    for query in layer.saved_queries:
        assert _asked(metricflow, "--saved-query", query), query


def test_metricflow_finds_its_configuration_right(metricflow: Path) -> None:
    _run(metricflow, "mf", "validate-configs")
