"""Adapters that are no adapters, and mappings that reach for what is not theirs or never end."""

from __future__ import annotations

from random import Random

from scripts.core.errors import ConfigurationError

from .corpus import Expected, Landed, Shop, csv, kind, landed, orders, stops

YAML = "adapter"
SQL = "mapping"

_PLAIN = """tables:
  orders:
    files: orders*
    columns:
      order_id: id
      customer_id: customer
      ordered_at: placed
      gross_amount: amount
"""


def refused(*parts: str) -> Expected:
    return stops(*parts, error=ConfigurationError)


def _good(shop: Shop, draw: Random) -> None:
    shop.write("orders.csv", csv(orders(draw)))


def _typo(draw: Random, word: str) -> str:
    """Two neighbouring letters change places, or one is lost."""
    at = draw.randrange(1, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return swapped if swapped != word else word[:at] + word[at + 1 :]


@kind(YAML)
def typo_in_a_key(shop: Shop, draw: Random) -> Expected:
    word = draw.choice(["files", "columns", "tables"])
    wrong = _typo(draw, word)
    shop.adapter(_PLAIN.replace(f"{word}:", f"{wrong}:"))
    return refused("shop.yml:", f"unknown key '{wrong}'", word)


@kind(YAML)
def typo_in_a_table(shop: Shop, draw: Random) -> Expected:
    wrong = _typo(draw, "subscriptions")
    shop.adapter(_PLAIN.replace("orders:", f"{wrong}:", 1))
    return refused("shop.yml:2", f"unknown table '{wrong}'", "did you mean subscriptions")


@kind(YAML)
def typo_in_a_column(shop: Shop, draw: Random) -> Expected:
    word = draw.choice(["order_id", "customer_id", "ordered_at", "gross_amount"])
    wrong = _typo(draw, word)
    shop.adapter(_PLAIN.replace(f"{word}:", f"{wrong}:"))
    return refused("shop.yml:", "tables.orders.columns", f"unknown column '{wrong}'", f"did you mean {word}")


@kind(YAML)
def typo_in_a_var(shop: Shop, draw: Random) -> Expected:
    wrong = _typo(draw, "active_window_days")
    shop.adapter(f"vars: {{{wrong}: 90}}\n{_PLAIN}")
    return refused("shop.yml:1", f"unknown var '{wrong}'", "did you mean active_window_days")


@kind(YAML)
def value_of_a_wrong_type(shop: Shop, draw: Random) -> Expected:
    line, told = draw.choice(
        [
            ("max_reject_share: some", "'some' is not a number"),
            ("max_reject_share: [1]", "is not a number"),
            ("max_reject_share: .nan", "is not a share"),
            ("max_reject_share: 5", "is not a share"),
            ("max_reject_share: true", "is not a number"),
            ("max_days_ahead: 1.5", "is not a whole number"),
            ("max_days_ahead: -1", "must not be negative"),
            ("earliest_date: soon", "is not a date"),
            ("earliest_date: [2020]", "is not a date"),
            ("timestamps: local", "is none of business, utc"),
            ("vars: {active_window_days: many}", "is not a whole number"),
            ("vars: [a]", "must be a mapping"),
            ("description: {a: b}", "must be one text"),
            ("data: []", "must be one text"),
        ]
    )
    shop.adapter(f"{line}\n{_PLAIN}")
    return refused("shop.yml:1", line.split(":")[0], told)


@kind(YAML)
def date_that_does_not_exist(shop: Shop, draw: Random) -> Expected:
    text = draw.choice(["2026-02-30", "2025-13-01", "2026-02-30 10:00:00", "0000-01-01"])
    line, key = draw.choice(
        [(f"earliest_date: {text}", "earliest_date"), (f"vars: {{as_of_date: {text}}}", "as_of_date")]
    )
    shop.adapter(f"{line}\n{_PLAIN}")
    return refused("shop.yml:1", key, text, "is not a date")


@kind(YAML)
def number_beyond_the_calendar(shop: Shop, draw: Random) -> Expected:
    shop.adapter(f"max_days_ahead: {draw.choice([10**7, 10**12, 10**30])}\n{_PLAIN}")
    return refused("shop.yml:1", "max_days_ahead")


@kind(YAML)
def syntax_error(shop: Shop, draw: Random) -> Expected:
    broken = draw.choice(
        ["tables: [", "tables: {a", "a: b: c", "'open", "tables:\n  - a\n b", "key: |\n a\nb"]
    )
    shop.adapter(broken)
    return refused("shop.yml:", "not valid YAML")


@kind(YAML)
def tabs_for_indentation(shop: Shop, draw: Random) -> Expected:
    shop.adapter(_PLAIN.replace("  ", "\t"))
    return refused("shop.yml:2:1", "not valid YAML", "not with tabs")


@kind(YAML)
def key_twice(shop: Shop, draw: Random) -> Expected:
    shop.adapter(_PLAIN + draw.choice(["      order_id: id2\n", "    files: o2\n", "tables: {}\n"]))
    return refused("shop.yml:9", "stands here twice")


@kind(YAML)
def empty_adapter(shop: Shop, draw: Random) -> Expected:
    shop.adapter(draw.choice(["", "\n\n", "# nothing\n", "---\n", "\ufeff"]))
    return refused("shop.yml", "is empty")


@kind(YAML)
def adapter_in_another_encoding(shop: Shop, draw: Random) -> Expected:
    shop.adapter(("description: Café\n" + _PLAIN).encode(draw.choice(["utf-16", "latin-1", "utf-32"])))
    return refused("shop.yml", "UTF-8")


@kind(YAML)
def adapter_with_bom(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.adapter(b"\xef\xbb\xbf" + _PLAIN.encode())
    shop.write("orders.csv", csv(rows))
    return landed(rows)


@kind(YAML)
def adapter_of_windows(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.adapter(_PLAIN.replace("\n", "\r\n").encode())
    shop.write("orders.csv", csv(rows))
    return landed(rows)


@kind(YAML)
def control_character_in_the_adapter(shop: Shop, draw: Random) -> Expected:
    shop.adapter(_PLAIN.replace("customer\n", f"customer{draw.choice(chr(0) + chr(7) + chr(27))}\n"))
    return refused("shop.yml", "not valid YAML")


@kind(YAML)
def two_documents(shop: Shop, draw: Random) -> Expected:
    shop.adapter(_PLAIN + "---\n" + _PLAIN)
    return refused("shop.yml:9", "not valid YAML")


@kind(YAML)
def aliases_that_multiply(shop: Shop, draw: Random) -> Expected:
    """The billion laughs: each line ten times the one before."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    place = draw.choice(
        ["vars: {segments: *a29}", "tables: {orders: *a29}", "tables: {orders: {files: *a29}}"]
    )
    shop.adapter("description: &x y\n" + "\n".join(lines) + f"\n{place}\n")
    return refused("shop.yml:2", "unknown key 'a0'")


@kind(YAML)
def alias_within_itself(shop: Shop, draw: Random) -> Expected:
    shop.adapter(
        draw.choice(
            ["tables: &t {orders: *t}", "tables:\n  orders: &o [*o]\n", "vars: &v {segments: *v}\ntables: {}"]
        )
    )
    return refused("shop.yml:")


@kind(YAML)
def nested_too_deep(shop: Shop, draw: Random) -> Expected:
    depth = draw.randrange(2000, 20_000)
    opening, closing = draw.choice([("[", "]"), ("{a: ", "}")])
    shop.adapter("tables: " + opening * depth + closing * depth)
    return refused("shop.yml", "nested")


@kind(YAML)
def tags_of_python(shop: Shop, draw: Random) -> Expected:
    value = draw.choice(
        ['!!python/object/apply:os.system ["true"]', "!!python/name:os.system", "!secret x", "!!binary '&&&'"]
    )
    key = draw.choice(["max_reject_share", "max_days_ahead", "earliest_date"])
    shop.adapter(f"{key}: {value}\n{_PLAIN}")
    return refused("shop.yml:1", key)


@kind(YAML)
def value_that_does_not_fit_its_tag(shop: Shop, draw: Random) -> Expected:
    key = draw.choice(["max_reject_share", "max_days_ahead"])
    shop.adapter(f"{key}: {draw.choice(['!!int x', '!!float x', '!!timestamp x', '!!bool x'])}\n{_PLAIN}")
    return refused("shop.yml:1", key)


@kind(YAML)
def pattern_out_of_the_folder(shop: Shop, draw: Random) -> Expected:
    pattern = draw.choice(["/etc/passwd", "../*.csv", "a/../../b", "a\\b.csv"])
    shop.orders_adapter(files=pattern)
    return refused("shop.yml:4", "relative to the data folder")


@kind(YAML)
def pattern_that_is_none(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.adapter(
        _PLAIN.replace("orders*", draw.choice(["a**b", '"orders\\0*"', "'.'", "'./'", "'**.csv'", "a/**"]))
    )
    return refused("shop.yml:3", "files")


# -- mappings


def _no_reach(name: str, query: str, *parts: str) -> None:
    def write(shop: Shop, draw: Random) -> Expected:
        _good(shop, draw)
        secret = shop.data.parent / "secret.txt"
        secret.write_text("sesame\n1\n")
        inner = query.format(secret=secret, out=shop.data.parent / "out")
        shop.orders_query(
            f"select (select count(*) from ({inner})) as order_id, placed as ordered_at, "
            "amount as gross_amount\nfrom source"
        )
        return refused("shop.yml:5", "orders.query", *parts)

    kind(SQL, name)(write)


_no_reach("reads a file as text", "select content from read_text('{secret}')")
_no_reach("reads a file as a table", "select 1 from '{secret}'")
_no_reach("reads a CSV file", "select * from read_csv('{secret}')")
_no_reach("lists a folder", "select * from glob('/*')")
_no_reach("reads the environment", "select getenv('HOME')", "getenv")
_no_reach("reads another database", "select * from read_duckdb('{secret}', table_name = 'loads')")
_no_reach("reads over the network", "select * from read_csv('http://127.0.0.1:9/x.csv')")
_no_reach("runs SQL from a text", "select * from query('select 1')", "query")
_no_reach("reads another table's input", 'select * from inputs."1"', "inputs", "nothing else")
_no_reach("reads what is mapped already", "select * from mapped.orders", "mapped", "nothing else")
_no_reach("reads the catalog", "select * from information_schema.tables", "nothing else")
_no_reach("reads DuckDB's settings", "select * from duckdb_settings()", "duckdb_settings")


@kind(SQL)
def other_than_one_select(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    out = shop.data.parent / "out"
    statement = draw.choice(
        [
            f"attach '{out}' as other",
            f"copy (select 1) to '{out}'",
            "install httpfs",
            "load httpfs",
            "set enable_external_access = true",
            "reset lock_configuration",
            f"export database '{out}'",
            "insert into mapped.orders (order_id) values ('x')",
            "create table x as select 1",
            "pragma database_list",
            "call pragma_version()",
            "delete from source",
            "drop view source",
            "select 1 as order_id; select 2",
            "begin transaction",
            "checkpoint",
            "vacuum",
            "explain select 1",
            "set variable salt = 'x'",
            "prepare x as select 1",
            "detach landing",
        ]
    )
    shop.orders_query(statement)
    return refused("shop.yml:5", "orders.query")


@kind(SQL)
def a_second_statement_in_an_expression(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.orders_adapter(
        order_id=draw.choice(
            ["1); drop table raw.orders; select (1", "id) from source; select (id", "id;", "1)) --"]
        )
    )
    return refused("shop.yml:6", "order_id")


@kind(SQL)
def an_expression_of_several_values(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.orders_adapter(order_id="id), (1")
    return refused("shop.yml", "one expression per column")


@kind(SQL)
def a_comment_that_swallows_the_rest(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.write("orders.csv", csv(rows))
    shop.orders_adapter(order_id="id -- the number", customer_id="customer /* who */")
    return landed(rows)


@kind(SQL)
def a_comment_never_closed(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.orders_adapter(order_id="id /* the number")
    return refused("shop.yml:6", "order_id", "not valid SQL")


@kind(SQL)
def a_conversion_that_fails(shop: Shop, draw: Random) -> Expected:
    shop.write("orders.csv", csv(orders(draw)) + "77x,ann,2026-01-01,free\n")
    shop.orders_adapter(gross_amount="cast(amount as decimal(18, 2))")
    return refused("shop.yml:9: orders.gross_amount: orders.csv", "free", "try_cast")


@kind(SQL)
def a_function_that_does_not_exist(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.orders_adapter(gross_amount="to_nmber(amount)")
    return refused("shop.yml:9: orders.gross_amount", "to_nmber")


@kind(SQL)
def a_query_of_other_columns(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    select, *parts = draw.choice(
        [
            (
                "id as order_id, placed as ordered_at, amount as gross_amuont",
                "unknown column 'gross_amuont'",
                "mean gross_amount",
            ),
            ("id as order_id, placed as ordered_at", "requires gross_amount"),
            ("*", "unknown column 'id'"),
            ("id as order_id, id as order_id, placed as ordered_at, amount as gross_amount", "twice"),
        ]
    )
    shop.orders_query(f"select {select} from source")
    return refused("shop.yml:5", "orders.query", *parts)


@kind(SQL)
def a_query_of_several_values_in_one(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    value = draw.choice(["[id]", "{'a': id}", "map {id: 1}", "encode(id)"])
    shop.orders_query(f"select {value} as order_id, placed as ordered_at, amount as gross_amount from source")
    return refused(
        "shop.yml:5", "orders.query", "order_id", "not one value" if "encode" not in value else "binary"
    )


@kind(SQL)
def a_row_number_that_is_none(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    number = draw.choice(["'first'", "customer", "[1]"])
    shop.orders_query(
        f"select id as order_id, placed as ordered_at, amount as gross_amount, {number} as _source_row "
        "from source"
    )
    return refused("shop.yml:5", "orders.query")


@kind(SQL)
def rows_without_end(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    endless = draw.choice(["generate_series(1, 1000000000000)", "range(1000000000000)"])
    shop.orders_query(
        f"select range as order_id, '2026-01-01' as ordered_at, 1 as gross_amount from {endless} as t(range)"
    )
    return refused("shop.yml:5", "orders.query", "more than", "rows")


@kind(SQL)
def work_without_end(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    endless = draw.choice(
        [
            "with recursive t as (select 1 as n union all select n + 1 from t) select max(n) from t",
            "select sum(hash(a.range + b.range)) from range(10000000) as a, range(10000000) as b",
        ]
    )
    shop.orders_query(
        f"select ({endless}) as order_id, placed as ordered_at, amount as gross_amount from source",
        top="max_reject_share: 1\nmax_mapping_minutes: 0.005",
    )
    return refused("shop.yml:6", "orders.query", "max_mapping_minutes")


@kind(SQL)
def memory_without_end(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.orders_adapter(customer_id="length(repeat('x', 10000000000))")
    return refused("shop.yml:7: orders.customer_id")


@kind(SQL)
def rows_that_the_mapping_leaves_out(shop: Shop, draw: Random) -> Expected:
    rows = orders(draw)
    shop.orders_adapter(options="where: customer <> 'nobody'")
    shop.write("orders.csv", csv(rows) + "77x,nobody,2026-01-01,5.00\n")
    return Landed(landed(rows).stored, rows=len(rows) + 1)


@kind(SQL)
def a_word_of_sql_as_a_column(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    word = draw.choice(["order", "at", "select", "end", "from", "group"])
    shop.orders_adapter(customer_id=word)
    return refused("shop.yml:7", f"'\"{word}\"'")


@kind(SQL)
def a_fixed_text_without_its_quotes(shop: Shop, draw: Random) -> Expected:
    _good(shop, draw)
    shop.orders_adapter(currency="EUR")
    return stops("shop.yml:10: orders.currency", "no column 'EUR'", "A fixed text is written")
