"""The search for what is left of somebody finds it in tables, in texts, and in the bytes of deleted rows."""

from __future__ import annotations

from pathlib import Path

import duckdb

from scripts.personal_data.search import Trace, search


def test_a_deleted_row_is_found_in_the_bytes(tmp_path: Path) -> None:
    """DuckDB leaves it in the file; the search must not be content with the tables."""
    file = tmp_path / "some.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table t as select 'kept' || i as v from range(9) as r(i)")
        connection.execute("create table u as select 'C0000123' as v, 1 as n union all select 'C00001234', 2")
        connection.execute("checkpoint")
        connection.execute("delete from u where n = 1")
    trace = [Trace("C0000123", "id", ("customer_id",))]
    held = search(tmp_path, trace)
    assert held.found == () or "deleted" in held.found[0][0]
    with duckdb.connect(str(file)) as connection:
        connection.execute("drop table u")
    if b"C0000123" in file.read_bytes():
        assert [where for where, _ in search(tmp_path, trace).found] == [
            "some.duckdb, where rows were deleted"
        ]


def test_a_search_tells_words_from_their_parts(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("customer C1001 bought, C10011 too")
    (tmp_path / "b.json").write_text('{"customer_id": "7", "rows": "7", "n": 7}')
    (tmp_path / "c.json").write_text('{"rows": "7"}')
    assert search(tmp_path, [Trace("C1001", "id", ("customer_id",))]).found == (("a.log", "id"),)
    assert search(tmp_path, [Trace("C100", "id", ("customer_id",))]).found == ()
    assert search(tmp_path, [Trace("7", "id", ("customer_id",))]).found == (("b.json", "id"),)
