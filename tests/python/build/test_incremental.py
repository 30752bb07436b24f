"""Incremental equals full: whatever came, and whatever changed, the marts are those of `--full-refresh`."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from scripts.core.settings import PROJECT_ROOT
from scripts.landing.land import land
from tests.faults.month import EVENTS, differences, full_refresh_of, nights
from tests.python.small_company import Company
from tests.python.warehouses import Warehouse

# What settings an incremental model of staging may read: they are in the fingerprint of stg_settings.
# Customer grains may read all: all are in that of int_settings.
FINGERPRINTED = {"business_timezone", "reporting_currency", "exchange_rate_max_age_days"}


@pytest.mark.long
@pytest.mark.xdist_group("incremental")
def test_after_daily_deliveries_the_marts_are_those_of_a_full_refresh(tmp_path: Path) -> None:
    """Some days of `python -m tests.faults month`, several things a night: late and cancelled orders, deleted
    customers, corrected rates, a new table, a changed rule, a column more."""
    events = tuple(event for event in EVENTS if event.anew is None)
    found = list(
        nights(tmp_path, days=2, customers=120, seed=7, compare=lambda number: number == 2, events=events)
    )
    assert [night.differences for night in found] == [None, None, {}]
    assert {event for night in found for event in night.events} == {event.name for event in events}
    # An increment is one: a night of new orders, tickets and some deletions does not compute everybody again.
    assert 0 < found[1].touched_share < 0.9


@pytest.mark.long
@pytest.mark.xdist_group("incremental")
def test_a_plan_is_in_no_figure_until_its_day_and_then_as_in_a_full_refresh(tmp_path: Path) -> None:
    """A subscription booked ahead, and one that starts again later; the next load is after both days."""
    company = Company(
        tmp_path,
        """
        tables:
          orders:
            files: orders*.csv
            columns: {order_id: id, customer_id: customer, ordered_at: placed, gross_amount: amount}
          subscriptions:
            files: subs.csv
            columns:
              subscription_id: sub
              customer_id: who
              plan: plan
              billing_interval: "'month'"
              amount: price
              started_on: start
              ended_on: stop
        """,
    )
    company.write(
        "subs.csv",
        "sub,who,plan,price,start,stop\ns1,ann,gold,50,2026-01-01,2026-04-01\ns1,ann,basic,20,2026-04-01,\n"
        "s2,bo,gold,50,2026-05-01,\n",
    )
    company.orders("1,cy,2026-01-10,10", name="orders-1.csv")
    warehouse = Warehouse(tmp_path)
    customers = "select customer_id, first_plan, subscription_value from marts.dim_customers order by 1"
    settings = "select as_of_date, as_of_table, planned_subscriptions from intermediate.int_settings"

    some = ("--select", "+dim_customers", "+fct_subscription_movements")
    land(company.settings, str(company.adapter_file), company.data, datetime(2026, 2, 1, tzinfo=UTC))
    warehouse.dbt("seed")
    warehouse.dbt("run", *some)
    assert warehouse.rows(settings) == [(date(2026, 1, 10), "orders", 2)]
    assert warehouse.rows(customers) == [("ann", "gold", 50), ("cy", None, 0)]

    company.orders("2,cy,2026-05-20,10", name="orders-2.csv")
    land(company.settings, str(company.adapter_file), company.data, datetime(2026, 6, 1, tzinfo=UTC))
    warehouse.dbt("run", *some)
    assert warehouse.rows(settings) == [(date(2026, 5, 20), "orders", 0)]
    assert warehouse.rows(customers) == [("ann", "gold", 190), ("bo", "gold", 50), ("cy", None, 0)]
    assert not differences(warehouse, full_refresh_of(warehouse, tmp_path / "full", *some))


@pytest.mark.long
@pytest.mark.xdist_group("incremental")
def test_segments_of_the_company_s_own_come_change_and_go_as_in_a_full_refresh(tmp_path: Path) -> None:
    """A column of the customers, crossed with another; who bought without being among them has none."""
    adapter = """
        vars: {{reporting_currency: EUR, business_timezone: UTC, segments: [country]{crossed}}}
        tables:
          customers:
            files: customers.csv
            columns: {{customer_id: id, country: land{column}}}
          orders:
            files: orders*.csv
            columns: {{order_id: id, customer_id: customer, ordered_at: placed, gross_amount: amount}}
          subscriptions:
            files: subs.csv
            columns:
              subscription_id: sub
              customer_id: who
              plan: plan
              billing_interval: "'month'"
              amount: price
              started_on: start
        """
    without = adapter.format(crossed="", column="")
    crossed = ", crossed_segments: [country x box, box x plan]"
    company = Company(tmp_path, without)
    company.write("customers.csv", "id,land,box\nann,VN,small\nbo,DE,big\n")
    company.write("subs.csv", "sub,who,plan,price,start\ns1,ann,gold,50,2026-01-05\n")
    company.orders("1,ann,2026-01-10,10", "2,bo,2026-02-10,10", "3,cy,2026-02-20,10", name="orders-1.csv")
    warehouse = Warehouse(tmp_path)
    types = (
        "select distinct segment_type from marts.{} where segment_type not in ('all', 'country') order by 1"
    )
    boxes = """
        select segment_value, installed_customers from marts.fct_customer_base
        where segment_type = 'box' and month = '2026-02-01' order by 1"""

    segmented = ("fct_customer_base", "fct_revenue_concentration", "fct_cohort_retention")
    some = ("--select", *(f"+{mart}" for mart in (*segmented, "rpt_subscription_retention")))

    def night(text: str) -> None:
        company.adapter(text)
        company.land(datetime(2026, 3, 1, tzinfo=UTC))
        warehouse.dbt("run", *some)
        assert not differences(warehouse, full_refresh_of(warehouse, tmp_path / "full", *some))

    def kinds(sql: str) -> list[str]:
        return [row[0] for row in warehouse.rows(sql)]

    company.land(datetime(2026, 3, 1, tzinfo=UTC))
    warehouse.dbt("seed")
    warehouse.dbt("run", *some)
    assert kinds(types.format("fct_customer_base")) == []
    night(adapter.format(crossed=crossed, column=", segment_box: box"))
    assert warehouse.rows(boxes) == [("big", 1), ("small", 1), ("unknown", 1)]
    for mart in segmented:
        assert kinds(types.format(mart)) == ["box", "box x plan", "country x box"], mart
    pairs = "select distinct segment_value from marts.{} where segment_type = 'box x plan' order by 1"
    assert kinds(pairs.format("rpt_subscription_retention")) == ["small x gold"]
    company.write("customers.csv", "id,land,box\nann,VN,big\nbo,DE,big\n")
    night(adapter.format(crossed=crossed, column=", segment_box: box"))
    assert warehouse.rows(boxes) == [("big", 2), ("unknown", 1)]
    night(without)
    assert kinds(types.format("fct_revenue_concentration")) == []


@pytest.mark.xdist_group("incremental")
def test_of_an_order_delivered_again_the_last_lines_are_left(tmp_path: Path) -> None:
    """Rows are order, line, product: an edited order, one on two pages, one restored by a corrected file."""
    company = Company(
        tmp_path,
        """
        tables:
          orders:
            files: lines*.csv
            query: select o as order_id, '2026-01-01' as ordered_at, 1 as gross_amount from source group by o
          order_items:
            files: lines*.csv
            columns: {order_id: o, line_number: line, product_id: product, quantity: "1", unit_price: "1"}
        """,
    )
    warehouse = Warehouse(tmp_path)
    lines = """
        select order_id, string_agg(product_id, '' order by line_number)
        from staging.stg_order_items group by 1 order by 1"""

    def deliver(name: str, rows: str) -> None:
        company.write(
            name, "o,line,product\n" + "".join(f"{row[:-2]},{row[-2]},{row[-1]}\n" for row in rows.split())
        )
        company.land()

    def staged() -> dict[str, str]:
        warehouse.dbt("run", "--select", "+stg_order_items")
        incremental = warehouse.rows(lines)
        warehouse.dbt("run", "--full-refresh", "--select", "stg_order_items")
        assert warehouse.rows(lines) == incremental
        return dict(incremental)

    deliver("lines-1.csv", "e1A e2B e3C p1A p2B r1A r2B q|1A q|2B")
    deliver("lines-2.csv", "p3C")
    assert staged() == {"e": "ABC", "p": "ABC", "q|": "AB", "r": "AB"}
    # Page by page again, the second without its line; the others are edited.
    deliver("lines-3.csv", "e1A e2C p1A p2D r1A q|1C")
    deliver("lines-4.csv", "p4E")
    assert staged() == {"e": "AC", "p": "ADE", "q|": "C", "r": "A"}
    # The file that edited them is corrected: it no longer speaks of r.
    deliver("lines-3.csv", "e1A e2C p1A p2D q|1C")
    assert staged() == {"e": "AC", "p": "ADE", "q|": "C", "r": "AB"}


def test_staging_reads_no_setting_that_is_not_in_its_fingerprint() -> None:
    """Rows computed by another value of it would stay as they are."""
    sql = {path.stem: path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "models").rglob("*.sql")}
    staging = [text for text in sql.values() if "incremental_strategy='replace_rows'" in text]
    assert len(staging) >= 10
    for text in staging:
        assert set(re.findall(r"\bsettings\.(\w+)", text)) <= FINGERPRINTED, text[:200]
        assert not re.search(r"\bvar\(|ref\('int_", text), text[:200]
    assert (
        "concat(business_timezone, ' ', reporting_currency, ' ', exchange_rate_max_age_days)"
        in sql["stg_settings"]
    )


def test_every_setting_is_in_the_fingerprint_of_the_customer_grains() -> None:
    """What a company may set is one list, from which int_settings makes its columns and its fingerprint."""
    variables = yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    macro = (PROJECT_ROOT / "macros/settings.sql").read_text(encoding="utf-8")
    listed = macro.split("macro company_settings()")[1].split("endmacro")[0]
    assert set(re.findall(r"'(\w+)': (?:dbt\.)?type_", listed)) == set(variables) - {"as_of_date"}
    sql = (PROJECT_ROOT / "models/intermediate/int_settings.sql").read_text(encoding="utf-8")
    fingerprint = sql.split("-- What rows already computed depend on")[1].split("as fingerprint")[0]
    for name in ("company_settings()", "segment_thresholds()"):
        assert f"for name in {name}" in fingerprint
    for path in (PROJECT_ROOT / "models").rglob("*.sql"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"incremental_strategy='replace_(customer|order)", text):
            assert "remember_increment(ref('int_settings'), 'as_of_date')" in text, path
            assert "var(" not in text, path
