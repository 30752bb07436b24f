"""One reader at work: `python -m tests.faults.reader WAREHOUSE/published SECONDS`, until its input ends.

Opens what is published again and again, as BI tools and jobs do, and prints the run id that it saw after each
round. Any error, and any two parts that disagree, ends it with a traceback. SECONDS is how long it dawdles
between looking the link up and opening what it found.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

import duckdb

# Rows and content of a relation, however they are ordered.
Digest = tuple[int, int]


def digests(connection: duckdb.DuckDBPyConnection, relations: dict[str, str]) -> dict[str, Digest]:
    """The content of each relation, by mart."""
    found = {}
    for mart, relation in relations.items():
        row = connection.execute(f"select count(*), bit_xor(hash(r)) from {relation} as r").fetchone()
        assert row is not None
        found[mart] = (row[0], row[1])
    return found


def read_database(database: Path) -> tuple[duckdb.DuckDBPyConnection, dict[str, Digest]]:
    """An open connection, and what all its marts hold."""
    connection = duckdb.connect(str(database), read_only=True)
    names = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'marts'"
    ).fetchall()
    assert names, f"no marts in {database}"
    return connection, digests(connection, {name: f'marts."{name}"' for (name,) in names})


def read_by_link(published: Path) -> tuple[duckdb.DuckDBPyConnection, dict[str, Digest]]:
    """As a BI tool does, by the fixed name: one of the publications that were current meanwhile."""
    before = published.resolve()
    connection, seen = read_database(published / "analytics.duckdb")
    allowed = []
    for folder in {before, published.resolve()}:
        other, content = read_database(folder / "analytics.duckdb")
        other.close()
        allowed.append(content)
    assert seen in allowed, f"a mixture, or what was not current: {published}"
    return connection, seen


def read_by_name(folder: Path) -> str:
    """As a job does that wants all three parts of one publication."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    connection, in_tables = read_database(folder / "analytics.duckdb")
    in_parquet = digests(
        connection, {name: f"'{folder / mart['parquet']}'" for name, mart in manifest["marts"].items()}
    )
    connection.close()
    assert in_tables == in_parquet, f"tables and Parquet files of {folder} disagree"
    rows = {name: mart["rows"] for name, mart in manifest["marts"].items()}
    assert {name: count for name, (count, _) in in_tables.items()} == rows, f"the manifest of {folder}"
    assert manifest["run_id"] == folder.name
    return folder.name


def main(published: Path, dawdle: float) -> None:
    """Read until standard input ends."""
    held, content = read_by_link(published)
    rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        folder = published.resolve()
        if dawdle:
            time.sleep(dawdle)
        run_id = read_by_name(folder)
        connection, seen = read_by_link(published)
        rounds += 1
        # A connection may be held as long as one likes: what it opened does not change.
        names = {name: f'marts."{name}"' for name in content}
        assert digests(held, names) == content, "what was opened has changed"
        if rounds % 5 == 0:
            held.close()
            held, content = connection, seen
        else:
            connection.close()
        print(run_id, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
