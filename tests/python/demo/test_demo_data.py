"""The demo company: reproducible, true to what it writes down about itself, and landed as planted."""

from __future__ import annotations

import csv
import hashlib
import json
from bisect import bisect_right
from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import click
import duckdb
import lifetimes
import numpy as np
import pandas
import pytest
import yaml
from click.testing import CliRunner
from lifetimes.utils import summary_data_from_transaction_data

from scripts.contract.raw_tables import TABLES
from scripts.core.errors import ConfigurationError
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.demo.company import Company, generate
from scripts.demo.deliveries import LAYOUTS, write_company, write_deliveries
from scripts.demo.demo_data import demo_data_command, write_demo_data
from scripts.demo.parameters import BG_NBD, GAMMA_GAMMA, Parameters, add_months, day_number
from scripts.demo.truth import write_truth
from scripts.landing.land import land

ADAPTER = PROJECT_ROOT / "sources" / "demo.yml"
CUSTOMERS = 2000


# The companies are made once.
pytestmark = pytest.mark.xdist_group("demo_data")


@pytest.fixture(scope="module")
def company() -> Company:
    return generate(Parameters(customers=CUSTOMERS))


@pytest.fixture(scope="module")
def folder(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo")
    write_company(directory, company)
    write_truth(directory, company)
    return directory


@pytest.fixture(scope="module")
def facts(folder: Path) -> dict:
    return json.loads((folder / "truth" / "facts.json").read_text(encoding="utf-8"))


def content(directory: Path) -> dict[str, str]:
    """Relative path -> hash of every file."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def csv_rows(directory: Path, pattern: str, delimiter: str = ",") -> list[dict[str, str]]:
    rows = []
    for path in sorted(directory.glob(pattern)):
        with path.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file, delimiter=delimiter)
    return rows


def truth_rows(directory: Path, name: str) -> list[dict[str, str]]:
    return csv_rows(directory, f"truth/{name}")


def good_orders(directory: Path) -> dict[str, dict[str, str]]:
    """The last state of each order; planted rows are numbered SN…"""
    return {
        row["number"]: row
        for row in csv_rows(directory, "orders/*.csv")
        if not row["number"].startswith("SN")
    }


class FileRates:
    """USD per unit, read from the exported file; the last published rate holds."""

    def __init__(self, directory: Path) -> None:
        self.rows = csv_rows(directory, "exchange_rates.csv")
        self.days = [date.fromisoformat(row["day"]) for row in self.rows]

    def at(self, currency: str, day: date) -> float:
        if currency == "USD":
            return 1.0
        position = bisect_right(self.days, day) - 1
        assert position >= 0
        assert day - self.days[position] <= timedelta(days=7)
        return float(self.rows[position][currency])


# --- reproducible ---------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        company = generate(Parameters(seed=seed, customers=200))
        write_company(tmp_path / name, company)
        write_truth(tmp_path / name, company)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    for table in ("orders", "subscriptions", "surveys", "usage"):
        one, other = content(tmp_path / "one"), content(tmp_path / "other")
        assert not {one[name] for name in one if name.startswith(table)} & set(other.values()), table


@pytest.mark.parametrize("customers", [1, 2, 50])
def test_a_small_company_shops_and_subscribes(tmp_path: Path, customers: int) -> None:
    company = generate(Parameters(customers=customers))
    write_company(tmp_path, company)
    write_truth(tmp_path, company)
    assert len(csv_rows(tmp_path, "customers/*.csv")) == customers
    assert good_orders(tmp_path)
    assert csv_rows(tmp_path, "subscriptions.csv")
    tables = json.loads((tmp_path / "truth" / "facts.json").read_text())["tables"]
    assert all(counts["rejected"] <= 0.01 * counts["written"] for counts in tables.values())


def test_add_months_keeps_to_the_last_day_of_a_short_month() -> None:
    start = np.array([day_number(date(2024, 1, 31)), day_number(date(2024, 12, 15))])
    expected = [day_number(date(2024, 2, 29)), day_number(date(2025, 1, 15))]
    assert add_months(start, 1).tolist() == expected


# --- the command ----------------------------------------------------------------------------------


def run_command(directory: Path, *options: str) -> str:
    result = CliRunner().invoke(
        demo_data_command, ["--to", str(directory), *options], catch_exceptions=False, standalone_mode=False
    )
    return result.output


def test_a_second_call_does_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    run_command(directory, "--customers", "30")
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    assert "up to date" in run_command(directory, "--customers", "30")
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def test_a_missing_file_is_written_again(tmp_path: Path) -> None:
    write_demo_data(tmp_path / "demo", Parameters(customers=30))
    before = content(tmp_path / "demo")
    (tmp_path / "demo" / "subscriptions.csv").unlink()
    assert write_demo_data(tmp_path / "demo", Parameters(customers=30))
    assert content(tmp_path / "demo") == before


def test_other_options_replace_every_file_of_the_former_company(tmp_path: Path) -> None:
    write_demo_data(tmp_path / "changed", Parameters(customers=60, days=30))
    # As an interrupted run leaves it.
    (tmp_path / "changed" / "demo-data.json").write_text("{}")
    write_demo_data(tmp_path / "changed", Parameters(customers=20, days=2))
    write_demo_data(tmp_path / "fresh", Parameters(customers=20, days=2))
    assert content(tmp_path / "changed") == content(tmp_path / "fresh")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "our_customers.csv").write_text("id\n1\n")
    with pytest.raises(ConfigurationError, match="not demo data"):
        write_demo_data(tmp_path, Parameters(customers=5))
    assert content(tmp_path).keys() == {"our_customers.csv"}


def test_an_impossible_company_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="2000 or later"):
        run_command(tmp_path / "demo", "--until", "1969-12-31")


# --- deliveries -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_company() -> Company:
    return generate(Parameters(customers=400))


@pytest.fixture(scope="module")
def deliveries(small_company: Company, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[date, Path]]:
    return list(write_deliveries(tmp_path_factory.mktemp("deliveries"), small_company))


def test_a_delivery_adds_files_and_rewrites_only_snapshots(
    deliveries: list[tuple[date, Path]], small_company: Company, tmp_path: Path
) -> None:
    snapshots = {layout.path for layout in LAYOUTS.values() if "{day}" not in layout.path}
    for (_, earlier), (_, later) in pairwise(deliveries):
        before, after = content(earlier), content(later)
        assert before.keys() < after.keys()
        assert {name for name in before if before[name] != after[name]} <= snapshots
    write_company(tmp_path, small_company)
    assert content(deliveries[-1][1]) == content(tmp_path)


def test_no_delivery_knows_the_future(deliveries: list[tuple[date, Path]]) -> None:
    for day, directory in deliveries:
        assert max(row["placed_at"][:10] for row in csv_rows(directory, "orders/*.csv")) <= day.isoformat()
        for row in csv_rows(directory, "subscriptions.csv"):
            assert row["valid_from"] <= day.isoformat()
            assert row["notice_on"] <= day.isoformat()
            if row["valid_to"] > day.isoformat():
                assert row["notice_on"], "an end in the future is known only from a notice"
        assert max(row["day"] for row in csv_rows(directory, "exchange_rates.csv")) <= day.isoformat()


def test_late_and_changed_orders_and_refunds_of_old_orders_arrive_day_by_day(
    deliveries: list[tuple[date, Path]],
) -> None:
    base, bulk = deliveries[0]
    last = deliveries[-1][1]
    known = good_orders(bulk)
    later = [row for row in csv_rows(last, "orders/*.csv") if not row["number"].startswith("SN")]
    later = later[
        len([row for row in csv_rows(bulk, "orders/*.csv") if not row["number"].startswith("SN")]) :
    ]
    old = [row for row in later if row["placed_at"][:10] <= base.isoformat()]
    assert [row for row in old if row["number"] not in known], "late"
    changed = [row for row in old if row["number"] in known and row != known[row["number"]]]
    assert {row["state"] for row in changed} <= {"CANCELLED", "SENT BACK"}
    assert changed
    new_refunds = csv_rows(last, "refunds/*.csv")[len(csv_rows(bulk, "refunds/*.csv")) :]
    assert [row for row in new_refunds if row["order_number"] in known]


def test_a_day_outside_the_deliveries_is_refused(company: Company, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="from 2026-06-23 to 2026-06-30"):
        write_company(tmp_path, company, up_to=date(2026, 6, 1))


# --- the files are sound, but for what is planted -------------------------------------------------


def landed_columns(table: str) -> dict[str, str]:
    adapter = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))
    return adapter["tables"][table].get("columns", {})


def test_the_adapter_fills_every_column_of_the_contract() -> None:
    adapter = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))
    # The shop knows the ends of its subscriptions: nobody has to state who left.
    assert adapter["tables"].keys() == TABLES.keys() - {"departures"}
    without = {name: set(TABLES[name].column_names) - set(landed_columns(name)) for name in adapter["tables"]}
    assert {name for name, missing in without.items() if missing} == {"exchange_rates"}, (
        "a query, not columns"
    )


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("customers", ["customer_no"]),
        ("order_items", ["order_number", "line"]),
        ("refunds", ["credit_note"]),
        ("subscriptions", ["contract", "valid_from"]),
        ("survey_invitations", ["id"]),
        ("survey_responses", ["id"]),
        ("usage_events", ["account", "day", "feature"]),
        ("marketing_spend", ["day", "channel"]),
    ],
)
def test_keys_are_unique_but_for_what_is_planted(
    folder: Path, facts: dict, table: str, key: list[str]
) -> None:
    layout = LAYOUTS[table]
    reader = {"csv": "read_csv", "semicolon": "read_csv", "json": "read_json_auto", "parquet": "read_parquet"}
    source = f"{reader[layout.form]}('{folder}/{layout.path.replace('{day}', '*')}')"
    names = ", ".join(key)
    rows, keys = duckdb.sql(
        f"select count(*), count(distinct ({names})) from {source} where {key[0]} is not null"
    ).fetchall()[0]
    planted = facts["tables"][table]["rejected_by_kind"]
    expected = facts["tables"][table]["repeated"] + planted.get("conflicting_key", 0) // 2
    assert rows - keys == expected


def test_an_order_comes_again_only_with_another_status(folder: Path) -> None:
    versions = defaultdict(set)
    for row in csv_rows(folder, "orders/*.csv"):
        if not row["number"].startswith("SN"):
            versions[row["number"]].add(tuple(row.values()))
    assert any(len(rows) == 2 for rows in versions.values())
    for rows in versions.values():
        assert len({row[-1] for row in rows}) == len(rows)
        assert len({row[:-1] for row in rows}) == 1


@pytest.mark.parametrize("pattern", ["orders/*.csv", "payments/*.csv"])
def test_a_file_holds_one_version_of_a_row(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        rows = {tuple(row.values()) for row in csv_rows(folder, str(path.relative_to(folder)))}
        genuine = [row[0] for row in rows if row[0][1] != "N"]
        assert len(genuine) == len(set(genuine))


def test_planted_rows_are_few(facts: dict) -> None:
    for table, counts in facts["tables"].items():
        assert counts["written"] == counts["accepted"] + counts["rejected"], table
        assert counts["accepted"] == counts["stored"] + counts["repeated"], table
        assert counts["rejected"] < 0.01 * counts["written"], table
    assert {kind for counts in facts["tables"].values() for kind in counts["rejected_by_kind"]} >= {
        "score_eleven",
        "negative_amount",
        "unknown_currency",
        "ended_before_started",
        "unconvertible_date",
    }


def test_lines_sum_to_the_gross_amount_of_their_order(folder: Path) -> None:
    sums = dict(
        duckdb.sql(
            "select order_number, sum(pieces * price_each)"
            f" from (select distinct * from '{folder}/order_items/*.parquet') group by order_number"
        ).fetchall()
    )
    orders = good_orders(folder)
    assert sums.keys() == orders.keys()
    assert all(f"{sums[number]:.2f}" == row["goods_value"] for number, row in orders.items())


# --- the truth is what the files say --------------------------------------------------------------


def month_ends(first: date, last: date) -> list[date]:
    ends, day = [], first
    while day <= last:
        following = day + timedelta(days=1)
        if following.month != day.month:
            ends.append(day)
        day = following
    return ends


def test_mrr_by_month_recomputed_from_the_files(folder: Path, facts: dict) -> None:
    rates = FileRates(folder)
    rows = [row for row in csv_rows(folder, "subscriptions.csv") if not row["contract"].startswith("AN")]
    starts = defaultdict(list)
    for row in rows:
        starts[row["contract"]].append(row["valid_from"])
    truth = {row["month"]: row for row in truth_rows(folder, "mrr.csv")}
    ends = month_ends(date.fromisoformat(facts["started_on"]), date.fromisoformat(facts["until"]))
    assert len(truth) == len(ends) == 36
    overlaps = 0
    for end in ends:
        total, at_month_end, subscribers = 0.0, 0.0, set()
        for row in rows:
            next_start = min(
                (day for day in starts[row["contract"]] if day > row["valid_from"]), default="9999"
            )
            overlaps += row["valid_to"] > next_start
            period_end = min(row["valid_to"] or "9999", next_start)
            if row["valid_from"] <= end.isoformat() < period_end:
                monthly = float(row["price"]) - float(row["rebate"] or 0)
                monthly /= 12 if row["cycle"] == "annual" else 1
                total += monthly * rates.at(row["currency"], date.fromisoformat(row["valid_from"]))
                at_month_end += monthly * rates.at(row["currency"], end)
                subscribers.add(row["customer_no"])
        expected = truth[end.replace(day=1).isoformat()]
        assert total == pytest.approx(float(expected["closing_mrr"]), abs=0.01)
        assert at_month_end == pytest.approx(float(expected["closing_mrr_month_end_rate"]), abs=0.01)
        assert len(subscribers) == int(expected["subscribers"])
    assert overlaps / 36 == facts["findings"]["overlapping_periods"] > 0


def test_orders_and_revenue_by_month_recomputed_from_the_files(folder: Path) -> None:
    rates = FileRates(folder)
    orders = good_orders(folder)
    refunded: dict[str, float] = defaultdict(float)
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    refunds = {
        row["credit_note"]: row for row in csv_rows(folder, "refunds/*.csv") if row["credit_note"][1] != "N"
    }
    for row in refunds.values():
        refunded[row["order_number"]] += float(row["amount"])
        day = date.fromisoformat(row["paid_back_at"][:10])
        found[row["paid_back_at"][:7]]["refunds"] += float(row["amount"]) * rates.at(row["currency"], day)
    for number, row in orders.items():
        month = found[row["placed_at"][:7]]
        if row["state"] == "CANCELLED":
            month["cancelled_orders"] += 1
            continue
        net = float(row["goods_value"]) - float(row["voucher_value"] or 0)
        rate = rates.at(row["currency"], date.fromisoformat(row["placed_at"][:10]))
        month["gross_revenue"] += float(row["goods_value"]) * rate
        month["discounts"] += float(row["voucher_value"] or 0) * rate
        if refunded[number] >= net - 1e-9:
            month["fully_refunded_orders"] += 1
        else:
            month["orders"] += 1
            month["guest_orders"] += row["customer_no"] == ""
    truth = truth_rows(folder, "orders_by_month.csv")
    assert len(truth) == 36
    for row in truth:
        month = found[row["month"][:7]]
        for name in ("orders", "guest_orders", "cancelled_orders", "fully_refunded_orders"):
            assert month[name] == int(row[name]), (row["month"], name)
        for name in ("gross_revenue", "discounts", "refunds"):
            assert month[name] == pytest.approx(float(row[name]), abs=0.01), (row["month"], name)
        net = month["gross_revenue"] - month["discounts"] - month["refunds"]
        assert net == pytest.approx(float(row["net_revenue"]), abs=0.01)
    assert sum(float(row["fully_refunded_orders"]) for row in truth) > 0


def test_nps_counts_recomputed_from_the_files(folder: Path) -> None:
    rows = {}
    for path in sorted(folder.glob("surveys/responses-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if not row["id"].startswith("QN"):
                rows[row["id"]] = row
    everybody = [row for row in rows.values() if row["survey"] == "relationship"]
    latest: dict[str, dict] = {}
    for row in sorted(everybody, key=lambda row: row["submitted"]):
        if row["account"] and row["rating"] is not None:
            latest[row["account"]] = row
    truth = {(row["survey"], row["votes"]): row for row in truth_rows(folder, "nps.csv")}
    for votes, ballot in (("all", everybody), ("latest_per_customer", latest.values())):
        scores = [row["rating"] for row in ballot if row["rating"] is not None]
        expected = truth["relationship", votes]
        assert sum(score >= 9 for score in scores) == int(expected["promoters"])
        assert sum(score <= 6 for score in scores) == int(expected["detractors"])
        assert len(scores) == int(expected["responses"]) - int(expected["unscored"])
    assert any(row["rating"] is None for row in everybody)


def test_churned_subscriptions_are_those_whose_last_period_ends(folder: Path) -> None:
    last: dict[str, dict[str, str]] = {}
    for row in csv_rows(folder, "subscriptions.csv"):
        if not row["contract"].startswith("AN"):
            last[row["contract"]] = row
    ended = {contract: row for contract, row in last.items() if row["valid_to"]}
    truth = {row["subscription_id"]: row for row in truth_rows(folder, "churned.csv")}
    assert truth.keys() == ended.keys()
    word = {"voluntary": "customer", "involuntary": "payment"}
    for contract, row in truth.items():
        assert ended[contract]["valid_to"] == row["ended_on"]
        assert ended[contract]["ended_by"] == word[row["cancel_type"]]
        assert ended[contract]["notice_reason"] == row["stated_reason"]
        assert bool(row["true_reason"]) == (row["cancel_type"] == "voluntary")


# --- the processes are there to be found ----------------------------------------------------------


def test_use_fades_before_most_cancellations_and_not_before_failed_payments() -> None:
    company = generate(Parameters(customers=8000))
    usage, spells = company.tables["usage_events"], company.spells
    day, customer = usage["day"].to_numpy(), usage["customer"].to_numpy()
    by_customer = np.argsort(customer, kind="stable")
    day, customer = day[by_customer], customer[by_customer]
    declining: dict[int, list[bool]] = {1: [], 2: []}
    long_enough = (
        (spells["ended"] >= 0) & (spells["ended"] - spells["started"] > 150) & (spells["engagement"] != 2)
    )
    for spell in np.flatnonzero(long_enough):
        who = spells["customer"][spell]
        end = spells["requested"][spell] if spells["requested"][spell] >= 0 else spells["ended"][spell]
        days = day[slice(*np.searchsorted(customer, [who, who + 1]))]
        recent = ((days >= end - 28) & (days < end)).sum() / 4
        before = ((days >= end - 112) & (days < end - 28)).sum() / 12
        declining[spells["cancel_type"][spell]].append(recent < 0.6 * before)
    voluntary, involuntary = declining[1], declining[2]
    assert len(involuntary) > 30
    assert np.mean(voluntary) > 0.55
    assert np.mean(involuntary) < 0.3


def test_the_price_rise_drives_people_away(folder: Path, facts: dict) -> None:
    rise = date.fromisoformat(facts["price_rise_on"])
    for_price = [
        date.fromisoformat(row["ended_on"])
        for row in truth_rows(folder, "churned.csv")
        if row["true_reason"] == "price" and row["billing_interval"] == "month"
    ]
    after = sum(rise <= day < rise + timedelta(days=62) for day in for_price)
    before = sum(rise - timedelta(days=62) <= day < rise for day in for_price)
    assert after >= 10 > 2 * before


def test_the_content_give_better_scores_and_leave_less(company: Company) -> None:
    responses = company.tables["survey_responses"]
    score = responses["score"].to_numpy()
    satisfaction = company.people.satisfaction[responses["true_customer"].to_numpy()]
    promoters, detractors = satisfaction[score >= 9], satisfaction[(score >= 0) & (score <= 6)]
    assert promoters.mean() > 0.4
    assert detractors.mean() < -0.5
    leavers = company.spells["cancel_type"] == 1
    of_spell = company.people.satisfaction[company.spells["customer"]]
    assert of_spell[leavers].mean() < of_spell[~leavers].mean() - 0.2


def test_a_fit_finds_the_parameters_of_the_purchase_process(folder: Path) -> None:
    """BG/NBD and Gamma-Gamma by the reference library, on the counted orders as the files have them."""
    rates = FileRates(folder)
    refunded = {row["order_number"] for row in csv_rows(folder, "refunds/*.csv")}
    purchases = pandas.DataFrame(
        [
            (
                row["customer_no"],
                row["placed_at"][:10],
                (float(row["goods_value"]) - float(row["voucher_value"] or 0))
                * rates.at(row["currency"], date.fromisoformat(row["placed_at"][:10])),
            )
            for row in good_orders(folder).values()
            if row["customer_no"]
            # Part of the purchase process is refunded in part; whole refunds are marked SENT BACK.
            and (row["state"] in ("DELIVERED", "PAID") or row["number"] not in refunded)
        ],
        columns=["customer", "day", "value"],
    )
    summary = summary_data_from_transaction_data(
        purchases, "customer", "day", "value", observation_period_end="2026-06-30"
    )
    fit = lifetimes.BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
    assert fit.params_["r"] == pytest.approx(BG_NBD["r"], rel=0.25)
    assert fit.params_["alpha"] == pytest.approx(BG_NBD["alpha"], rel=0.25)
    dropout = BG_NBD["a"] / (BG_NBD["a"] + BG_NBD["b"])
    assert fit.params_["a"] / (fit.params_["a"] + fit.params_["b"]) == pytest.approx(dropout, rel=0.2)
    repeaters = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
    mean = GAMMA_GAMMA["p"] * GAMMA_GAMMA["v"] / (GAMMA_GAMMA["q"] - 1)
    assert repeaters["monetary_value"].mean() == pytest.approx(mean, rel=0.1)


def test_planted_pairs_are_bought_together(folder: Path, facts: dict) -> None:
    for pair in facts["product_affinities"]:
        first, second = pair["product_ids"]
        both, with_first, with_second, orders = duckdb.sql(
            f"""with baskets as (
                select order_number, list(sku) as skus
                from '{folder}/order_items/*.parquet' group by order_number
            )
            select count(*) filter (list_contains(skus, '{first}') and list_contains(skus, '{second}')),
                count(*) filter (list_contains(skus, '{first}')),
                count(*) filter (list_contains(skus, '{second}')), count(*)
            from baskets"""
        ).fetchall()[0]
        assert both * orders / (with_first * with_second) > 2, pair


# --- landing --------------------------------------------------------------------------------------


def test_landing_refuses_what_is_planted_and_nothing_else(folder: Path, facts: dict, tmp_path: Path) -> None:
    settings = Settings(warehouse=tmp_path / "warehouse")
    land(settings, str(ADAPTER), folder)
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        for table, counts in facts["tables"].items():
            found = connection.execute(
                "select sum(rows_read), sum(rows_accepted), sum(rows_repeated), sum(rows_stored),"
                " sum(rows_rejected) from raw.loads where table_name = ? and is_current",
                [table],
            ).fetchone()
            expected = tuple(
                counts[name] for name in ("written", "accepted", "repeated", "stored", "rejected")
            )
            assert found == expected, table
            keys = connection.execute(f"select count(distinct _row_key) from raw.{table}").fetchone()
            assert keys == (counts["keys"],), table


def test_landing_delivery_by_delivery_ends_where_landing_at_once_does(
    deliveries: list[tuple[date, Path]], small_company: Company, tmp_path: Path
) -> None:
    once, daily = Settings(warehouse=tmp_path / "once"), Settings(warehouse=tmp_path / "daily")
    land(once, str(ADAPTER), deliveries[-1][1])
    moving = tmp_path / "exports"
    for day, _ in (deliveries[0], deliveries[3], deliveries[-1]):
        write_company(moving, small_company, up_to=day)
        land(daily, str(ADAPTER), moving)
    with duckdb.connect() as connection:
        for name, settings in (("once", once), ("daily", daily)):
            connection.execute(f"attach '{settings.build_database}' as {name} (read_only)")
        for table in TABLES.values():
            columns = ", ".join(column.name for column in table.columns if not column.is_email)
            columns += ", _source_file, _row_key"
            for one, other in (("once", "daily"), ("daily", "once")):
                difference = connection.execute(
                    f"select count(*) from (select {columns} from {one}.raw.{table.name}"
                    f" except all select {columns} from {other}.raw.{table.name})"
                ).fetchone()
                assert difference == (0,), table.name
