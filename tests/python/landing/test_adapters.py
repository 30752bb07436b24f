"""Adapters: what is read, and that every mistake is told with its file, line, key and remedy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from scripts.contract.quality_limits import Freshness, QualityLimits
from scripts.core.errors import ConfigurationError
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.core.text import nearest
from scripts.landing.adapters import Files, Postgres, adapter_path, load_adapter
from scripts.landing.formats.csv_dialect import CsvOptions

COLUMNS = "{order_id: id, ordered_at: placed, gross_amount: amount}"


def load(tmp_path: Path, text: str):
    path = tmp_path / "shop.yml"
    path.write_text(text, encoding="utf-8")
    return load_adapter(str(path), Settings(tmp_path / "wh"))


def orders(entry: str) -> str:
    return "tables:\n  orders:\n" + "".join(f"    {line}\n" for line in entry.strip().splitlines())


def test_everything_an_adapter_can_say_is_read(tmp_path):
    adapter = load(
        tmp_path,
        """
description: A shop
data: exports
vars:
  business_timezone: Europe/London
  reporting_currency: GBP
  as_of_date: 2011-12-09
  active_window_days: 120
  affinity_minimum_support: 0.25
  segments: [country, plan]
timestamps: utc
max_reject_share: 0.5
earliest_date: 2000-01-01
max_days_ahead: 3
freshness:
  warn_after_days: 3
  stop_after_days: 10
  tables: {refunds: {warn_after_days: never}, customers: {warn_after_days: 5}}
drift: {deviations: 5}
tables:
  orders:
    - files: [a/*.csv, "b/*.txt.gz"]
      optional: true
      format: csv
      encoding: cp1252
      csv: {delimiter: "\\t", quote: "", columns: [id, placed, amount]}
      join: {items: {files: items.parquet}}
      columns: {order_id: id, ordered_at: placed, gross_amount: "1"}
      where: amount <> '0'
    - postgres: {connection: SHOP_URL, relation: shop.orders}
      query: select 1 as order_id, 2 as ordered_at, 3 as gross_amount
""",
    )
    assert (adapter.name, adapter.description, adapter.data) == ("shop", "A shop", tmp_path / "exports")
    assert adapter.variables == {
        "business_timezone": "Europe/London",
        "reporting_currency": "GBP",
        "as_of_date": "2011-12-09",
        "active_window_days": "120",
        "affinity_minimum_support": "0.25",
        "segments": "country,plan",
    }
    assert (adapter.timestamps_are_utc, adapter.max_reject_share) == (True, 0.5)
    assert (adapter.earliest_date, adapter.max_days_ahead) == (date(2000, 1, 1), 3)
    assert adapter.business_timezone == "Europe/London"
    assert adapter.quality_limits == QualityLimits(
        Freshness(3, 10), {"refunds": Freshness(None, 10), "customers": Freshness(5, 10)}, deviations=5
    )
    files, relation = adapter.mappings
    csv = CsvOptions("\t", "", False, ("id", "placed", "amount"))
    assert files.input == Files(("a/*.csv", "b/*.txt.gz"), True, "csv", "cp1252", (("csv", csv),))
    assert files.joins == {"items": Files(("items.parquet",))}
    assert files.columns["gross_amount"].text == "1"
    assert files.where.text == "amount <> '0'"
    assert relation.input == Postgres("SHOP_URL", ("shop", "orders"))
    assert relation.input.source_file == "postgres:shop.orders"
    assert relation.query.text.startswith("select 1")


def test_defaults(tmp_path):
    adapter = load(tmp_path, orders(f"files: o.csv\ncolumns: {COLUMNS}"))
    assert (adapter.variables, adapter.timestamps_are_utc, adapter.data) == ({}, False, None)
    assert (adapter.max_reject_share, adapter.max_days_ahead) == (0.05, 1)
    assert adapter.earliest_date == date(1990, 1, 1)
    assert adapter.business_timezone == "UTC"
    assert adapter.quality_limits == QualityLimits()
    assert not adapter.quality_limits.asks_the_clock
    assert adapter.mappings[0].input == Files(("o.csv",))


MISTAKES = {
    "empty": ("", ["is empty"]),
    "no yaml": ("tables: [", ["shop.yml:1", "not valid YAML"]),
    "a list": ("- a", ["shop.yml:1", "must be a mapping"]),
    "no tables": ("description: x", ["`tables:` is missing"]),
    "unknown key": ("tabels: {}", ["shop.yml:1", "unknown key 'tabels'", "did you mean tables?"]),
    "key twice": ("tables: {}\ntables: {}", ["shop.yml:2", "'tables' stands here twice"]),
    "unknown table": ("tables:\n  order: {}", ["shop.yml:2", "unknown table 'order'", "orders"]),
    "unknown column": (
        orders("files: o.csv\ncolumns:\n  order_id: id\n  custmer_id: c"),
        ["shop.yml:6", "tables.orders.columns", "'custmer_id'", "did you mean customer_id?"],
    ),
    "missing required column": (
        orders("files: o.csv\ncolumns: {order_id: id}"),
        ["shop.yml:4", "orders requires ordered_at, gross_amount"],
    ),
    "columns and query": (
        orders(f"files: o.csv\ncolumns: {COLUMNS}\nquery: select 1"),
        ["shop.yml:3", "`columns:` or `query:`, and not both"],
    ),
    "neither columns nor query": (orders("files: o.csv"), ["`columns:` or `query:`"]),
    "where beside query": (
        orders("files: o.csv\nquery: select 1\nwhere: x"),
        ["shop.yml:5", "into the query"],
    ),
    "files and postgres": (
        orders(f"files: o.csv\npostgres: {{connection: A, relation: b}}\ncolumns: {COLUMNS}"),
        ["`files:` or `postgres:`, and not both"],
    ),
    "unknown var": (
        "vars: {active_windw_days: 3}\ntables: {}",
        ["shop.yml:1", "did you mean active_window_days"],
    ),
    "var of wrong type": ("vars: {active_window_days: many}\ntables: {}", ["'many' is not a whole number"]),
    "var is a bool": ("vars: {active_window_days: yes}\ntables: {}", ["'yes' is not a whole number"]),
    "no date": ("vars: {as_of_date: soon}\ntables: {}", ["vars.as_of_date", "'soon' is not a date"]),
    "no time zone": ("vars: {business_timezone: London}\ntables: {}", ["'London' is no IANA time zone"]),
    "no currency": ("vars: {reporting_currency: GBQ}\ntables: {}", ["'GBQ' is no ISO 4217", "GBP"]),
    "share over one": ("max_reject_share: 5\ntables: {}", ["5 is not a share between 0 and 1"]),
    "age that is no number": (
        "freshness: {warn_after_days: soon}\ntables: {}",
        ["shop.yml:1", "freshness.warn_after_days", "'soon' is not a whole number of days"],
    ),
    "stop before the warning": (
        "freshness: {warn_after_days: 5, stop_after_days: 3}\ntables: {}",
        ["stop_after_days, 3, must not be less than warn_after_days, 5"],
    ),
    "limit of an unknown table": (
        "freshness: {tables: {order: {warn_after_days: 5}}}\ntables: {}",
        ["unknown table 'order'", "did you mean orders"],
    ),
    "factor that is none": ("drift: {smallest_factor: 1}\ntables: {}", ["must be more than 1"]),
    "no number": ("max_reject_share: some\ntables: {}", ["'some' is not a number"]),
    "negative days": ("max_days_ahead: -1\ntables: {}", ["must not be negative"]),
    "bad timestamps": ("timestamps: local\ntables: {}", ["'local' is none of business, utc"]),
    "bad format": (orders(f"files: o.csv\nformat: cvs\ncolumns: {COLUMNS}"), ["'cvs'", "did you mean csv?"]),
    "bad encoding": (orders(f"files: o.csv\nencoding: cp125\ncolumns: {COLUMNS}"), ["cp125", "cp1252"]),
    "binary codec": (orders(f"files: o.csv\nencoding: hex\ncolumns: {COLUMNS}"), ["'hex' is no encoding"]),
    "long delimiter": (
        orders(f"files: o.csv\ncsv: {{delimiter: '||'}}\ncolumns: {COLUMNS}"),
        ["one character"],
    ),
    "header and names": (
        orders(f"files: o.csv\ncsv: {{header: true, columns: [a]}}\ncolumns: {COLUMNS}"),
        ["without header"],
    ),
    "absolute pattern": (
        orders(f"files: /etc/*\ncolumns: {COLUMNS}"),
        ["relative to the data folder", "--data"],
    ),
    "pattern upwards": (orders(f"files: ../x.csv\ncolumns: {COLUMNS}"), ["relative to the data folder"]),
    "join called source": (
        orders(f"files: o.csv\njoin: {{source: {{files: p.csv}}}}\ncolumns: {COLUMNS}"),
        ["not `source`"],
    ),
    "optional join": (
        orders(f"files: o.csv\njoin: {{p: {{files: p.csv, optional: true}}}}\ncolumns: {COLUMNS}"),
        ["unknown key 'optional'"],
    ),
    "empty expression": (orders("files: o.csv\ncolumns:\n  order_id:"), ["shop.yml:5", "is empty"]),
    "bad SQL": (
        orders("files: o.csv\ncolumns:\n  order_id: id +"),
        ["shop.yml:5", "tables.orders.columns.order_id", "not valid SQL"],
    ),
    "reserved word": (
        orders("files: o.csv\ncolumns:\n  order_id: at"),
        ["not valid SQL", """at is a word of SQL: write the column as '"at"'"""],
    ),
    "second statement": (
        orders('files: o.csv\ncolumns:\n  order_id: "1); drop table raw.orders; select (1"'),
        ["exactly one select statement"],
    ),
    "no select": (orders("files: o.csv\nquery: copy source to 'x'"), ["exactly one select statement"]),
    "parameter": (orders("files: o.csv\nquery: select $salt as order_id"), ["takes no parameters"]),
    "relation of three parts": (
        orders(f"postgres: {{connection: A, relation: a.b.c}}\ncolumns: {COLUMNS}"),
        ["`schema.table`"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(tmp_path, name):
    text, parts = MISTAKES[name]
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    for part in ["shop.yml", *parts]:
        assert part in str(error.value), str(error.value)


def test_a_uri_in_place_of_its_variable_is_not_repeated(tmp_path):
    uri = "postgresql://me:sekret@db/shop"
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, orders(f"postgres: {{connection: '{uri}', relation: a}}\ncolumns: {COLUMNS}"))
    assert "name of an environment variable" in str(error.value)
    assert "sekret" not in str(error.value)


def test_unknown_adapter_names_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean online_retail"):
        adapter_path("online_retial", Settings.from_environment())
    with pytest.raises(ConfigurationError, match="No adapter at"):
        adapter_path("./nowhere.yml", Settings.from_environment())


def test_all_shipped_adapters_load():
    names = sorted(path.stem for path in (PROJECT_ROOT / "sources").glob("*.yml"))
    assert {"cdnow", "jaffle", "online_retail"} <= set(names)
    for name in names:
        assert load_adapter(name, Settings.from_environment()).mappings


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("gross_amount: amount", "gross_amount: amount * 2", True),
        ("files: o.csv", "files: [o.csv, p.csv]", False),
        ("description: a", "description: b", False),
        ("max_reject_share: 0.1", "max_reject_share: 0.2", False),
        ("timestamps: business", "timestamps: utc", True),
        ("earliest_date: 2000-01-01", "earliest_date: 2001-01-01", True),
        ("encoding: utf-8", "encoding: cp1252", True),
    ],
)
def test_mapping_hash_changes_with_what_changes_rows(tmp_path, before, after, changes):
    text = f"""description: a
timestamps: business
earliest_date: 2000-01-01
max_reject_share: 0.1
tables:
  orders:
    files: o.csv
    encoding: utf-8
    columns: {COLUMNS.replace("{", "{ ")}
"""
    assert before in text
    first = load(tmp_path, text).mappings[0].mapping_hash
    second = load(tmp_path, text.replace(before, after)).mappings[0].mapping_hash
    assert (first != second) == changes


def test_format_by_extension():
    files = Files(("*",))
    assert files.format_of("a/b.csv").name == "csv"
    assert files.format_of("b.2026.CSV.gz").name == "csv"
    assert files.format_of("b.jsonl.gz").name == "jsonl"
    assert files.format_of("b.parquet").name == "parquet"
    with pytest.raises(ConfigurationError, match="`format:`"):
        files.format_of("b.dat")


def test_nearest_lists_all_when_nothing_is_near():
    assert nearest("zzz", ["a", "b"]) == "; known: a, b"
    assert nearest("zzz", []) == "; there are none"


def test_questions_must_be_answered_before_anything_lands(tmp_path: Path) -> None:
    """Those of the adapter and of each table, with their lines; an empty list is none."""
    path = tmp_path / "shop.yml"
    text = """\
undecided: ["which currency?"]
tables:
  orders:
    - files: a.csv
      undecided:
        - 'is "Shipping" in the total?'
      columns: {order_id: a, ordered_at: b, gross_amount: c}
    - files: b.csv
      undecided: []
      columns: {order_id: a, ordered_at: b, gross_amount: c}
"""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_adapter(str(path), Settings(tmp_path / "wh"))
    assert str(refused.value).startswith(f"{path}: 2 questions wait for an answer; nothing is landed before")
    assert '\n  line 1: which currency?\n  line 6: is "Shipping" in the total?\n' in str(refused.value)
    answered = text.replace('["which currency?"]', "[]").replace(
        "        - 'is \"Shipping\" in the total?'\n", ""
    )
    path.write_text(answered, encoding="utf-8")
    assert [table.name for table in load_adapter(str(path), Settings(tmp_path / "wh")).tables()] == ["orders"]
