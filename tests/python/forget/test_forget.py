"""A customer is forgotten: nowhere a trace, all totals as before, nobody else touched, and they stay out."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from scripts.build.incremental_state import macros_fingerprint, remember_macros
from scripts.core.errors import ConfigurationError, LandingError
from scripts.core.locking import warehouse_lock
from scripts.core.settings import PROJECT_ROOT
from scripts.forget import forget as forgetting
from scripts.forget.build_file import compact, open_build_file
from scripts.forget.case import Case, Removal, find_customers, marks_of, with_traces
from scripts.forget.forget import forget, forget_command
from scripts.forget.raw import remove_from_raw
from scripts.forget.report import Forgetting, report
from scripts.landing.land import land
from scripts.personal_data.salt import hash_address, read_salt
from scripts.personal_data.search import Trace, search
from scripts.personal_data.suppression import REMAINDER_FILE, add_marks, mark
from scripts.publication.publications import list_publications, publish, rollback
from tests.faults.month import differences, full_refresh_of
from tests.python import parse_cache
from tests.python.small_company import NOW, Company
from tests.python.warehouses import Warehouse

demo = pytest.mark.xdist_group("forgotten")

# Opens what is published over and over, as readers do, until the file `stop` is there; prints what it saw.
READER = """
import sys, time, duckdb, pathlib
seen, stop = set(), pathlib.Path(sys.argv[2])
while not stop.exists():
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        seen.add(connection.execute(
            "select count(*), sum(net_revenue), count(*) filter (customer_id = ?) > 0 from marts.fct_orders",
            [sys.argv[3]],
        ).fetchone())
    # The machine is for the run.
    time.sleep(0.25)
print(len(seen), len({row[:2] for row in seen}), sorted(row[2] for row in seen))
"""

# In every place where it may come in; and secrets of the environment.
ADDRESS = "planted.{}@example.com"
PLACES = ("email", "country", "comment", "ticket", "amount", "broken", "reason")
PHONE = "+84 912 345 678"
PASSWORD = "pl4nted-Passw0rd"
TOKEN = "pl4nted-t0ken-of-the-environment"


@dataclass(frozen=True)
class Scenario:
    """A warehouse in which `person` was forgotten, with what there was before, and the data it came from."""

    warehouse: Warehouse
    data: Path
    adapter: Path
    person: str
    email_hash: str
    orders: list[str]
    before: Path
    outcome: Forgetting
    reader: str


def plant(data: Path, person: str) -> None:
    """Deliver addresses, a telephone number and the person's id where nobody expects them."""
    at = {place: ADDRESS.format(place) for place in PLACES}
    (data / "customers/customers-2026-07-01.csv").write_text(
        "customer_no,registered,country_code,source,recommended_by,email,buyer_type\n"
        f"C9000001,2026-06-01T10:00:00+07:00,{at['country']},partner,{person},{at['email']},home\n"
    )
    text = f"write to {at['comment']} or call {PHONE}: {person} sent me"
    (data / "surveys/responses-2026-07-01.jsonl").write_text(
        json.dumps(
            {
                "id": "Q900001",
                "account": "C9000001",
                "survey": "relationship",
                "submitted": "2026-06-29T10:00:00Z",
                "rating": None,
                "text": text,
            }
        )
        + "\n"
    )
    ticket = {"ticket": at["ticket"], "requester": "C9000001", "created": "2026-06-29T10:00:00Z"}
    (data / "tickets/tickets-2026-07-01.jsonl").write_text(
        json.dumps(ticket | {"solved": None, "priority": "low", "stars": 5}) + "\n"
    )
    (data / "orders/orders-2026-07-01.csv").write_text(
        "number,customer_no,placed_at,goods_value,voucher_value,goods_cost,currency,state\n"
        f"S9000001,{person},2026-06-29 10:00:00,{at['amount']},0,1,USD,PAID\n"
        f"S9000002,C9000001,2026-06-29 10:00:00,10,0,1,USD,{at['reason']}\n"
        f"S9000003,{person},{at['broken']}\n"
    )


@pytest.fixture(scope="module")
def scenario(
    tmp_path_factory: pytest.TempPathFactory, demo_data: Path, demo_warehouse: Warehouse
) -> Iterator[Scenario]:
    """Two publications, a run that dies after it has changed raw, and one that finishes, under a reader."""
    folder = tmp_path_factory.mktemp("forgotten")
    data, adapter = folder / "data", folder / "demo.yml"
    shutil.copytree(demo_data, data)
    adapter.write_text((PROJECT_ROOT / "sources/demo.yml").read_text() + "\nmax_reject_share: 1\n")
    warehouse = Warehouse(folder)
    settings = warehouse.settings
    shutil.copytree(demo_warehouse.settings.warehouse, settings.warehouse)
    parse_cache.take(settings)
    # Who has something in most tables, and who has referred somebody.
    kinds = " + ".join(
        f"(customer_id in (select customer_id from raw.{table}))::int"
        for table in ("orders", "refunds", "subscriptions", "survey_responses", "support_tickets")
    )
    ((person, email_hash),) = warehouse.rows(
        f"select customer_id, email_hash from raw.customers order by {kinds} desc, 1 limit 1"
    )
    orders = [
        row[0] for row in warehouse.rows(f"select order_id from raw.orders where customer_id = '{person}'")
    ]
    plant(data, person)
    # What a build by Tenure would have noted: without it the next one computes everything anew.
    remember_macros(settings.build_database, macros_fingerprint(PROJECT_ROOT))
    environment = pytest.MonkeyPatch()
    environment.setenv("SHOP_URL", f"postgresql://shop:{PASSWORD}@db.example.com/shop")
    environment.setenv("SOME_TOKEN", TOKEN)
    with warehouse_lock(settings, "test"):
        for run_id in ("20260701T010000Z", "20260702T010000Z"):
            publish(settings, run_id)
        land(settings, str(adapter), data)
    settings.runs.mkdir(exist_ok=True)
    (settings.runs / "20260701T010000Z.json").write_text(
        json.dumps({"run_id": "20260701T010000Z", "sample": [{"customer_id": person}], "seconds": 7})
    )
    before = folder / "before"
    shutil.copytree(settings.warehouse, before, symlinks=True)
    stop = folder / "stop"
    command = [sys.executable, "-c", READER, str(settings.analytics_database), str(stop), person]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as reader:
        try:
            with pytest.MonkeyPatch.context() as broken, warehouse_lock(settings, "test"):
                broken.setattr(forgetting, "_rewrite_publications", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    forget(settings, [person])
            with warehouse_lock(settings, "test"):
                outcome = forget(settings, [])
        finally:
            stop.touch()
        seen = reader.communicate()[0]
    yield Scenario(warehouse, data, adapter, person, email_hash, orders, before, outcome, seen)
    environment.undo()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@demo
def test_no_trace_is_left_anywhere(scenario: Scenario) -> None:
    wh = scenario.warehouse.settings.warehouse
    traces = [
        Trace(scenario.person, "id", ("customer_id",)),
        Trace(scenario.email_hash, "e-mail"),
        *(Trace(order, "order", ("order_id",), only_columns=True) for order in scenario.orders),
    ]
    found = search(wh, traces)
    assert str(found).endswith("nothing found")
    assert found.tables > 150 and found.columns > 900
    # The search finds what is there: in the state before, all over the place.
    there = {where for where, _ in search(scenario.before, traces).found}
    assert any("raw.orders" in where for where in there)
    assert sum("fct_orders.parquet, main.parquet.customer_id" in where for where in there) == 2
    assert "runs/20260701T010000Z.json" in there
    # And without its help: as plain bytes, in every value of every table.
    for file in wh.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            assert scenario.person.encode() not in content, file
            assert scenario.email_hash.encode() not in content, file
    with duckdb.connect(str(scenario.warehouse.settings.build_database), read_only=True) as connection:
        for schema, table in connection.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall():
            held = f"select count(*) from {schema}.{table} as t where contains(cast(t as varchar), ?)"
            assert connection.execute(held, [scenario.person]).fetchone() == (0,), table
    assert not (wh / ".forgetting.json").exists()


@demo
def test_no_address_number_or_secret_is_written_anywhere(scenario: Scenario) -> None:
    """After a whole night: raw, rejects, marts, logs, reports, records, Parquet."""
    settings = scenario.warehouse.settings
    salt = settings.salt_file.read_text().strip()
    traces = [
        *(Trace(ADDRESS.format(place), f"address in {place}") for place in PLACES),
        Trace(PHONE, "telephone number"),
        Trace(PASSWORD, "password"),
        Trace(TOKEN, "environment"),
        Trace(salt, "salt"),
    ]
    assert all(trace.is_distinct for trace in traces)
    found = search(settings.warehouse, traces, skip=[settings.salt_file])
    assert str(found).endswith("nothing found")
    # The search finds all of them in what was delivered.
    assert {what for _, what in search(scenario.data, traces).found} == {trace.what for trace in traces[:8]}
    ((comment,),) = scenario.warehouse.rows(
        "select comment from raw.survey_responses where response_id = 'Q900001'"
    )
    assert comment == "write to [e-mail] or call [phone]: [forgotten] sent me"


@demo
def test_totals_stay_to_the_cent(scenario: Scenario) -> None:
    assert scenario.outcome.differences == ()
    assert scenario.outcome.removal.removed["orders"] == len(scenario.orders)
    assert scenario.outcome.removal.remaining["orders"] == len(scenario.orders)
    sums = """
        select count(*), sum(gross_amount), sum(discount_amount), sum(cost_amount)
        from raw.orders"""
    refunds = "select count(*), sum(amount) from raw.refunds"
    with duckdb.connect(str(scenario.before / "build.duckdb"), read_only=True) as connection:
        former = [connection.execute(query).fetchall() for query in (sums, refunds)]
    assert [scenario.warehouse.rows(query) for query in (sums, refunds)] == former
    # Nothing ties what remains to each other: orders are guests', subscribers have one subscription each.
    remaining = f"where _source_file = '{REMAINDER_FILE}'"
    assert scenario.warehouse.value(f"select count(customer_id) from raw.orders {remaining}") == 0
    assert (
        scenario.warehouse.value(
            "select count(*) from (select customer_id from raw.subscriptions "
            f"{remaining} group by 1 having count(distinct subscription_id) > 1)"
        )
        == 0
    )
    assert scenario.warehouse.rows(
        "select distinct cast(ordered_at as time), _batch_id from raw.orders " + remaining
    ) == [(duckdb.execute("select time '00:00:00'").fetchone()[0], 0)]


@demo
def test_nobody_else_is_touched(scenario: Scenario) -> None:
    """All that is told of one customer by their own data is what it was; ranks among others may move."""
    marts = (
        "marts.fct_orders",
        "marts.fct_churn_events",
        "marts.fct_subscription_movements",
        "marts.fct_customer_health",
        "intermediate.int_customer_days",
        "intermediate.int_customer_months",
        "intermediate.int_customer_spells",
    )
    known = [row[0] for row in scenario.warehouse.rows("select customer_id from raw.customers")]
    # Each file by itself: the views of a build file name it, and both are called the same.
    contents = []
    for path in (scenario.before / "build.duckdb", scenario.warehouse.settings.build_database):
        with duckdb.connect(str(path), read_only=True) as connection:
            contents.append(
                [
                    connection.execute(
                        f"from {mart} where list_contains(?, customer_id) and customer_id <> 'C9000001'",
                        [known],
                    ).to_arrow_table()
                    for mart in marts
                ]
            )
    with duckdb.connect() as connection:
        for mart, former, present in zip(marts, *contents, strict=True):
            connection.register("former", former)
            connection.register("present", present)
            changed = connection.execute(
                "select count(*) from (from former except all from present)"
            ).fetchone()
            assert former.num_rows and changed == (0,), mart


@demo
def test_the_increment_equals_a_full_refresh(scenario: Scenario, tmp_path: Path) -> None:
    assert differences(scenario.warehouse, full_refresh_of(scenario.warehouse, tmp_path / "full")) == {}


@demo
def test_kept_publications_are_made_anew(scenario: Scenario) -> None:
    settings = scenario.warehouse.settings
    publications = list_publications(settings)
    # The one that readers had was replaced under another name; the last is that of the run itself.
    assert publications[0].run_id == "20260701T010000Z"
    assert len(publications) == 3 and "20260702T010000Z" not in {one.run_id for one in publications}
    assert scenario.outcome.publications == 2
    old = scenario.before / "publications/20260701T010000Z/analytics.duckdb"
    sums = (
        "select count(*), sum(net_revenue), bool_or(is_guest <> (customer_id is null)) from marts.fct_orders"
    )
    for database in (
        old,
        publications[0].path / "analytics.duckdb",
        publications[1].path / "analytics.duckdb",
    ):
        with duckdb.connect(str(database), read_only=True) as connection:
            if database == old:
                expected = connection.execute(sums).fetchone()
            assert connection.execute(sums).fetchone() == expected
            assert (
                connection.execute(
                    "select count(*) from duckdb_columns() where comment is not null"
                ).fetchone()[0]
                > 400
            )
    current = publications[-1].run_id
    with warehouse_lock(settings, "test"):
        for one in publications:
            assert rollback(settings, one.run_id).run_id == one.run_id
        rollback(settings, current)
    assert scenario.reader.split(maxsplit=2)[1:] == ["1", "[False, True]\n"], scenario.reader


@demo
def test_what_is_delivered_again_stays_out(scenario: Scenario, tmp_path: Path) -> None:
    """Their rows, lines of their orders, their referrals, in changed and new files; with them other rows."""
    warehouse = Warehouse(tmp_path)
    settings = warehouse.settings
    shutil.copytree(scenario.warehouse.settings.warehouse, settings.warehouse, symlinks=True)
    data = tmp_path / "data"
    shutil.copytree(scenario.data, data)
    # What others write of them is known by no hash; it stays as it was redacted.
    (data / "surveys/responses-2026-07-01.jsonl").unlink()
    with duckdb.connect() as connection:
        # Every file differs from what was landed, so every file is landed again.
        for file in data.rglob("*.parquet"):
            connection.execute(
                f"copy (from (from '{file}' union all by name (from '{file}' limit 1))) "
                f"to '{file}.new' (format parquet)"
            )
            Path(f"{file}.new").replace(file)
    for file in (*data.rglob("*.csv"), *data.rglob("*.jsonl")):
        file.write_text(file.read_text() + "\n")
    new = data / "orders/orders-2026-07-02.csv"
    new.write_text(
        "number,customer_no,placed_at,goods_value,voucher_value,goods_cost,currency,state\n"
        f"S9100000,{scenario.person},2026-06-29 10:00:00,10,0,1,USD,PAID\n"
        f"{scenario.orders[0]},,2026-06-29 10:00:00,10,0,1,USD,PAID\n"
        "S9100001,C9000001,2026-06-29 10:00:00,10,0,1,USD,PAID\n"
    )
    before = warehouse.value(f"select count(*) from raw.orders where _source_file = '{REMAINDER_FILE}'")
    result = land(settings, str(scenario.adapter), data)
    counts = result.tables
    assert counts["orders"].forgotten >= len(scenario.orders) + 2 and counts["customers"].forgotten == 1
    assert counts["order_items"].forgotten > 0 and counts["usage_events"].forgotten > 0
    assert all(count.read == count.accepted + count.rejected for count in counts.values())
    assert any("forgotten customers left out" in message for message in result.messages)
    assert (
        warehouse.value(f"select count(*) from raw.orders where _source_file = '{REMAINDER_FILE}'") == before
    )
    assert warehouse.value("select count(*) from raw.orders where order_id = 'S9100001'") == 1
    traces = [
        Trace(scenario.person, "id", ("customer_id",)),
        *(
            Trace(order, "order", ("order_id",), only_columns=True)
            for order in (*scenario.orders, "S9100000")
        ),
    ]
    found = search(settings.warehouse, traces)
    # Only the note of what the build has to drop, which the next run of forget would empty.
    assert {where.split(", ")[-1] for where, _ in found.found} <= {"raw.removed_rows.row_key"}
    # With another salt nobody would be known again: nothing is landed.
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ConfigurationError, match="another salt"):
        patch.setenv("TENURE_HASH_SALT", "other")
        land(settings, str(scenario.adapter), data)


@demo
def test_a_second_run_says_so_and_an_unknown_id_changes_nothing(scenario: Scenario) -> None:
    settings = scenario.warehouse.settings
    state = {path: path.stat().st_mtime_ns for path in settings.warehouse.rglob("*") if path.is_file()}
    with warehouse_lock(settings, "test"):
        again = forget(settings, [scenario.person])
        assert again.receipt is None and "forgotten before" in report(again)
        with pytest.raises(ConfigurationError, match="no customer 'C123'"):
            forget(settings, [scenario.person, "C123"])
        with pytest.raises(ConfigurationError, match="no customer with this e-mail"):
            forget(settings, ["nobody@example.com"])
    after = {path: path.stat().st_mtime_ns for path in settings.warehouse.rglob("*") if path.is_file()}
    changed = {path.name for path in state.keys() | after.keys() if state.get(path) != after.get(path)}
    assert changed <= {".lock"}


@demo
def test_the_audit_line_names_nobody(scenario: Scenario) -> None:
    file = scenario.warehouse.settings.audit_file
    (line,) = [json.loads(text) for text in file.read_text().splitlines()]
    assert line["receipt"] == scenario.outcome.receipt and line["traces_found"] == 0
    assert line["customers"] == 1 and line["rows_removed"]["orders"] == len(scenario.orders)
    assert not re.search(r"C\d{7}|[0-9a-f]{32}", file.read_text())


@demo
def test_all_but_what_is_published_is_private(scenario: Scenario) -> None:
    settings = scenario.warehouse.settings
    for private in (
        settings.build_database,
        settings.salt_file,
        settings.forgotten_file,
        settings.audit_file,
        settings.runs,
        settings.dbt,
        settings.data_docs,
    ):
        assert stat.S_IMODE(private.stat().st_mode) & 0o077 == 0, private
    for public in (settings.published, *settings.published.resolve().rglob("*")):
        assert public.stat().st_mode & 0o044 == 0o044, public
        assert public.is_dir() or not public.stat().st_mode & 0o222, public


# -- small companies, without a build

TABLES = """
max_reject_share: 1
tables:
  customers:
    files: customers.csv
    columns: {customer_id: id, referred_by_customer_id: referrer, email: email}
  orders:
    files: orders*.csv
    columns: {order_id: id, customer_id: customer, ordered_at: placed, gross_amount: amount}
  refunds:
    files: refunds.csv
    columns: {refund_id: id, order_id: order_no, customer_id: customer, refunded_at: paid, amount: amount}
  subscriptions:
    files: subscriptions.csv
    columns: {subscription_id: id, customer_id: customer, billing_interval: "'month'", amount: amount,
      started_on: began}
  departures:
    files: departures.csv
    optional: true
    columns: {departure_id: id, customer_id: customer, departed_on: day, reason: reason, comment: comment}
"""


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """Customer 7, in a company where 7 is also a number of other things."""
    company = Company(tmp_path, TABLES)
    company.write("customers.csv", "id,referrer,email\n7,,ann@example.com\n8,7,bob@example.com\n77,,\n")
    company.orders(
        "7,8,2026-01-01 10:00,7",
        "1,7,2026-01-02 23:30,10.50",
        "2,7,2026-01-03 10:00,20",
        "3,77,2026-01-03 10:00,7",
        "4,7,2026-01-03 10:00,none",
        "5,8,2026-01-03 10:00,7 apples",
        "6,7,half a row",
    )
    company.write(
        "refunds.csv",
        "id,order_no,customer,paid,amount\na,1,7,2026-01-05,1\nb,7,7,2026-01-05,2\nc,,7,2026-01-06,3\nd,3,77,2026-01-06,7\n",
    )
    company.write(
        "subscriptions.csv",
        "id,customer,amount,began\ns,7,10,2026-01-01\nt,7,20,2026-02-01\nu,8,7,2026-01-01\n",
    )
    company.land()
    return company


def remove(company: Company, *ids: str) -> Removal:
    settings = company.settings
    salt = read_salt(settings)
    case = Case(tuple(find_customers(settings, ids, salt, frozenset(), None)))
    case = with_traces(settings, case, salt)
    add_marks(settings, salt, marks_of(case, salt))
    with open_build_file(settings) as connection:
        return remove_from_raw(connection, case, "UTC")


def test_an_id_that_is_also_a_number_of_other_things(company: Company) -> None:
    removal = remove(company, "7")
    assert removal.removed == {"customers": 1, "orders": 2, "refunds": 3, "subscriptions": 2}
    assert (removal.unlinked, removal.ended, removal.redacted) == (1, 2, 2)
    assert company.rows("select customer_id, referred_by_customer_id from raw.customers order by 1") == [
        ("77", None),
        ("8", None),
    ]
    orders = (
        "select length(order_id), customer_id, cast(ordered_at as varchar), gross_amount "
        "from raw.orders order by 4, 2"
    )
    assert [(*row[:3], float(row[3])) for row in company.rows(orders)] == [
        (1, "77", "2026-01-03 10:00:00", 7.0),
        (1, "8", "2026-01-01 10:00:00", 7.0),
        (32, None, "2026-01-02 00:00:00", 10.5),
        (32, None, "2026-01-03 00:00:00", 20.0),
    ]
    # A refund stays with its order: their own, another customer's, or none.
    assert company.rows(
        "select amount::int, order_id = '7', order_id in (select order_id from raw.orders), customer_id "
        "from raw.refunds order by 1"
    ) == [(1, False, True, None), (2, True, True, None), (3, None, None, None), (7, False, True, "77")]
    assert company.rows(
        "select count(*), count(distinct customer_id), count(ended_on) from raw.subscriptions "
        "where amount >= 10"
    ) == [(2, 2, 2)]
    rejects = company.rows(
        "select reason, content ->> 'line', content ->> 'customer_id' from raw.rejects order by 1"
    )
    assert sorted(row[1] or row[2] for row in rejects) == ["8", "[forgotten]", "[forgotten]"]
    assert not any("7" in row[0] for row in rejects if row[1])
    assert (
        company.rows(
            "select l.table_name from raw.loads l where is_current group by 1 having sum(rows_read) <> "
            "sum(rows_accepted + rows_rejected)"
        )
        == []
    )
    for table in ("customers", "orders", "refunds", "subscriptions"):
        assert company.rows(
            f"select (select count(*) from raw.{table}) - sum(rows_stored) from raw.loads "
            f"where is_current and table_name = '{table}'"
        ) == [(0,)]


def test_versions_of_an_order_count_as_they_did(company: Company) -> None:
    """An order that has passed to somebody else is theirs; one that tells no customer now is the person's."""
    company.orders("1,8,2026-01-02 23:30,10.50", "2,,2026-01-03 10:00,30", name="orders2.csv")
    company.land()
    remove(company, "7")
    current = (
        "select order_id, customer_id, gross_amount::int from raw.orders where _source_file <> 'orders.csv' "
        "order by 3"
    )
    rows = company.rows(current)
    assert rows[0] == ("1", "8", 11) and rows[1][1:] == (None, 30) and len(rows[1][0]) == 32
    assert company.values("select count(*) from raw.orders where customer_id = '7' or order_id = '2'") == [0]


def test_a_stated_departure_goes_and_its_day_stays(company: Company) -> None:
    """What ended by a statement alone would run on in what remains, and with it the MRR."""
    company.write(
        "departures.csv",
        "id,customer,day,reason,comment\nd7,7,2026-02-10,price,too dear\nd8,8,2026-02-11,moved,\n",
    )
    company.land()
    with duckdb.connect(str(company.settings.build_database)) as connection:
        connection.execute(
            """
            create schema intermediate;
            create table intermediate.int_subscription_periods as select * from (values
                ('s', date '2026-01-01', date '2026-02-10', true), ('t', date '2026-02-01', null, false)
            ) as t (subscription_id, started_on, ended_on, is_end_stated)
            """
        )
    removal = remove(company, "7")
    assert removal.ended == 1
    rows = company.rows("select amount::int, ended_on from raw.subscriptions order by started_on, amount")
    assert [row for row in rows if row[0] == 10] == [(10, date(2026, 2, 10))]
    assert [row for row in rows if row[0] == 20] == [(20, date.today())]
    assert company.values("select departure_id from raw.departures order by 1") == ["d8"]


def test_whoever_was_forgotten_is_left_out_of_what_comes(company: Company) -> None:
    remove(company, "7")
    state = company.rows("select amount from raw.subscriptions order by 1")
    company.orders(
        "1,,2026-01-02 23:30,10.50", "9,7,2026-01-09,9", "10,8,2026-01-09,9", "11,7,x", name="orders2.csv"
    )
    company.write("customers.csv", "id,referrer,email\n7,,ann@example.com\n8,7,bob@example.com\n77,,\n9,,\n")
    company.write("subscriptions.csv", "id,customer,amount,began\ns,7,99,2026-01-01\nu,8,7,2026-01-01\n")
    counts = company.land(NOW).tables
    assert (counts["orders"].read, counts["orders"].accepted, counts["orders"].rejected) == (2, 1, 1)
    assert counts["orders"].forgotten == 2 and counts["subscriptions"].forgotten == 1
    assert company.values("select order_id from raw.orders where _source_file = 'orders2.csv'") == ["10"]
    assert company.values("select content ->> 'line' from raw.rejects where source_file = 'orders2.csv'") == [
        "[forgotten customer]"
    ]
    assert company.values("select customer_id from raw.customers order by 1") == ["77", "8", "9"]
    assert company.values("select count(referred_by_customer_id) from raw.customers") == [0]
    assert company.rows("select amount from raw.subscriptions order by 1") == state
    # The order of somebody forgotten that was never seen before is known by now.
    salt = read_salt(company.settings)
    assert mark(salt, "order", "9") in company.settings.forgotten_file.read_text()


def test_file_names_tell_nobody(company: Company) -> None:
    company.orders("20,C1001,2026-01-09,9", "21,8,2026-01-09,9", name="orders_C1001.csv")
    company.land()
    remove(company, "C1001")
    assert company.values("select _source_file from raw.orders where order_id = '21'") == [
        "orders_[forgotten].csv"
    ]
    traces = [Trace("C1001", "id", ("customer_id",))]
    # What the build drops is noted until it has.
    assert {where.split(".")[-2] for where, _ in search(company.settings.warehouse, traces).found} == {
        "customer_changes"
    }
    # The file comes again, under a name that is new now: nothing counts twice.
    assert company.land().tables["orders"].forgotten == 1
    assert company.values("select count(distinct _row_key) from raw.orders where order_id = '21'") == [1]
    company.orders("30,8,2026-01-09,9", name="orders_ann@example.com.csv")
    with pytest.raises(LandingError, match=r"orders_\[e-mail\].* has an e-mail address|\[e-mail\]"):
        company.land()


def test_an_address_stands_for_its_customer(company: Company) -> None:
    settings = company.settings
    salt = read_salt(settings)
    assert find_customers(settings, [" Ann@Example.com"], salt, frozenset(), None) == ["7"]
    company.orders("20,cleo@example.com,2026-01-09,9", name="orders2.csv")
    company.land()
    assert find_customers(settings, ["cleo@example.com"], salt, frozenset(), None) == [
        hash_address(salt, "cleo@example.com")
    ]


def test_a_trial_changes_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    before = company.everything()
    monkeypatch.setenv("TENURE_WAREHOUSE", str(company.settings.warehouse))
    result = CliRunner().invoke(
        forget_command, ["--dry-run", "--file", "-"], input="7\n\n", catch_exceptions=False
    )
    assert "Would forget 1 customer" in result.output and "orders: 2 rows removed, 2 remain" in result.output
    assert company.everything() == before
    assert not company.settings.forgotten_file.exists()


def test_a_compaction_that_dies_leaves_the_old_file(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = company.everything()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compact(company.settings)
    assert company.everything() == before
    compact(company.settings)
    assert company.everything() == before
    assert [path.name for path in company.settings.warehouse.iterdir() if "compacting" in path.name] == []
