"""Online Retail through the whole night, held against published results and against plain pandas."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.python.warehouses import Warehouse, mart_differences

pytestmark = pytest.mark.xdist_group("online_retail")


@pytest.fixture(scope="module")
def lines(shared: Path) -> pd.DataFrame:
    """The counted lines of known customers, straight from the file; nothing of the project is used."""
    frame = pd.read_parquet(shared / "data/online_retail.parquet")
    frame["Quantity"] = frame["Quantity"].astype(int)
    frame["UnitPrice"] = frame["UnitPrice"].map(Decimal)
    frame["InvoiceDate"] = pd.to_datetime(frame["InvoiceDate"])
    known = frame["CustomerID"].notna() & (frame["CustomerID"] != "")
    sold = ~frame["InvoiceNo"].str.startswith("C") & (frame["Quantity"] > 0) & (frame["UnitPrice"] > 0)
    return frame[known & sold]


def test_customers_gross_and_cohorts_are_the_published_ones(
    online_retail: Warehouse, published: dict[str, dict[str, Any]]
) -> None:
    oracle = published["online_retail"]
    assert (
        online_retail.value("select count(*) from marts.dim_customers where is_customer", True)
        == oracle["customers"]
    )
    gross = online_retail.value("select sum(gross_amount) from marts.fct_orders where not is_guest", True)
    assert gross == oracle["gross_revenue"]
    by_customer = online_retail.value(
        "select sum(gross_revenue) from marts.fct_customer_lifetime_value", True
    )
    assert by_customer == oracle["gross_revenue"]
    ages = dict(
        online_retail.rows(
            """
            select months_since_first, active_customers from marts.fct_cohort_retention
            where cohort_month = '2010-12-01' and segment_type = 'all'
            """,
            True,
        )
    )
    assert [ages[age] for age in range(4)] == [oracle[f"cohort_2010_12_age_{age}"] for age in range(4)]


def test_every_cohort_cell_is_that_of_pandas(online_retail: Warehouse, lines: pd.DataFrame) -> None:
    orders = lines.groupby(["CustomerID", "InvoiceNo"])["InvoiceDate"].min().reset_index()
    orders["month"] = orders["InvoiceDate"].dt.to_period("M")
    orders["cohort"] = orders.groupby("CustomerID")["month"].transform("min")
    orders["age"] = (orders["month"] - orders["cohort"]).map(lambda offset: offset.n)
    cells = orders.groupby(["cohort", "age"])["CustomerID"].nunique()
    expected = {(cohort.to_timestamp().date(), age): count for (cohort, age), count in cells.items()}
    actual = online_retail.rows(
        """
        select cohort_month, months_since_first, active_customers
        from marts.fct_cohort_retention
        where segment_type = 'all'
        """
    )
    assert len(actual) == 13 * 14 // 2
    assert {(cohort, age): count for cohort, age, count in actual if count} == expected


def test_month_end_retention_is_that_of_pandas_for_every_month(
    online_retail: Warehouse, lines: pd.DataFrame
) -> None:
    """Active at t: an order in (t - 90 days, t]. Nothing but pandas and sets."""
    # An invoice is bought when its first line is.
    starts = lines.groupby("InvoiceNo")["InvoiceDate"].min().dt.normalize()
    orders = (
        lines[["CustomerID", "InvoiceNo"]].drop_duplicates().assign(day=lambda f: f["InvoiceNo"].map(starts))
    )

    def active(day: pd.Timestamp) -> set[str]:
        window = orders[(orders["day"] <= day) & (orders["day"] > day - pd.Timedelta(days=90))]
        return set(window["CustomerID"])

    actual = {
        row[0]: row[1:]
        for row in online_retail.rows(
            """
            select
                period_start, starting_customers, ending_customers, retained_customers, lost_customers,
                gained_customers, retention_rate
            from marts.fct_customer_retention_rate
            where period_type = 'month' and segment_type = 'all'
            """,
            True,
        )
    }
    months = pd.period_range("2010-12", "2011-12", freq="M")
    assert len(actual) == len(months)
    as_of = pd.Timestamp("2011-12-09")
    for month in months:
        first, last = month.start_time.normalize(), month.end_time.normalize()
        start, end = active(first - pd.Timedelta(days=1)), active(min(last, as_of))
        rate = len(start & end) / len(start) if start and last <= as_of else None
        expected = (len(start), len(end), len(start & end), len(start - end), len(end - start))
        assert actual[first.date()][:5] == expected, month
        assert actual[first.date()][5] == (None if rate is None else pytest.approx(rate, abs=1e-12)), month


def test_guests_are_reported_and_in_no_customer_mart(online_retail: Warehouse, shared: Path) -> None:
    frame = pd.read_parquet(shared / "data/online_retail.parquet")
    frame = frame.assign(quantity=frame["Quantity"].astype(int), price=frame["UnitPrice"].map(Decimal))
    guests = frame[frame["CustomerID"].isna() & ~frame["InvoiceNo"].str.startswith("C")]
    sold = guests[(guests["quantity"] > 0) & (guests["price"] > 0)]
    assert (
        online_retail.value(
            "select sum(guest_order_count) from marts.fct_customer_base where segment_type = 'all'", True
        )
        == sold["InvoiceNo"].nunique()
    )
    gross = sum(sold["quantity"] * sold["price"])
    assert online_retail.value("select sum(gross_amount) from marts.fct_orders where is_guest", True) == gross
    assert gross > 0
    for mart in ("dim_customers", "fct_customer_lifetime_value"):
        assert online_retail.value(f"select count(*) from marts.{mart} where customer_id is null", True) == 0


@pytest.mark.long
def test_as_of_date_gives_what_a_run_on_that_day_gave(
    online_retail: Warehouse, shared: Path, tmp_path: Path
) -> None:
    """`as_of_date: 2011-06-30` on all the data: every mart as if only the data up to that day had landed."""
    (tmp_path / "data").mkdir()
    duckdb.sql(
        f"""
        copy (
            from '{shared / "data/online_retail.parquet"}'
            where cast(InvoiceDate as timestamp) < timestamp '2011-07-01'
        ) to '{tmp_path / "data/online_retail.parquet"}' (format parquet)
        """
    )
    then = Warehouse(tmp_path / "then")
    then.land("online_retail", tmp_path / "data")
    then.dbt("build", "--exclude-resource-type", "unit_test", "test")

    # A copy of the warehouse that knew all of 2011, not a full refresh: the increments go back in time too.
    now = Warehouse(tmp_path / "now")
    now.settings.warehouse.mkdir(parents=True)
    shutil.copy(online_retail.settings.build_database, now.settings.build_database)
    now.dbt("run", "--vars", "{as_of_date: 2011-06-30}")
    assert now.value("select max(as_of_date) from marts.dim_months") == date(2011, 6, 30)
    differences = mart_differences(then.settings.build_database, now.settings.build_database)
    # What the checks found, night by night, is no part of the state of a day.
    differences.pop("fct_data_quality", None)
    assert differences == {}


def test_the_gate_withholds_a_model_that_is_no_better_than_none(online_retail: Warehouse) -> None:
    """The autumn of a shop of presents is held out: 16 % of orders short; the same again was nearer."""
    (backtest,) = online_retail.rows(
        """
        select holdout_days, customers, round(purchase_bias, 2), round(revenue_bias, 2),
            round(root_mean_squared_error, 2), round(same_again_root_mean_squared_error, 2),
            round(hiatus_root_mean_squared_error, 2), round(alive_auc, 2), round(silence_auc, 2),
            has_passed_gate, has_passed_value_gate, gate_reason
        from marts.fct_clv_backtest where bucket = 'all'
        """,
        published=True,
    )
    assert backtest[:-1] == (126, 3191, -0.16, -0.34, 1.79, 1.72, 1.74, 0.61, 0.67, False, False)
    assert backtest[-1].startswith("no better than no model: off by 1.79 purchases a customer")
    (row,) = online_retail.rows(
        """
        select count(*), count(expected_orders_365_days), count(probability_alive), count(lifetime_value),
            min(model), min(model_reason), max(model_reason)
        from marts.fct_customer_lifetime_value
        """,
        published=True,
    )
    reason = f"orders: failed the gate: {backtest[-1]}"
    assert row == (4338, 0, 0, 0, "none", reason, reason)
    (record,) = (online_retail.settings.warehouse / "runs").glob("*.json")
    assert f"bg_nbd: failed the gate: {backtest[-1]}" in record.read_text(encoding="utf-8")
    calibration = online_retail.rows(
        "select bounded_parameters, fit_reason from marts.fct_clv_models "
        "where model = 'bg_nbd' and window_name = 'calibration'",
        published=True,
    )
    assert "b" in calibration[0][0].split(", ") and calibration[0][1]
