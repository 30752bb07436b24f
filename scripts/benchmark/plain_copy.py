"""The floor of publishing: the same marts written once as a DuckDB file and once as Parquet, nothing checked.

    python -m scripts.benchmark.plain_copy PUBLISHED.duckdb FOLDER THREADS

prints seconds and bytes as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

from scripts.core.sql import identifier, literal


def copy(published: Path, folder: Path, threads: int) -> dict[str, float]:
    """Write the marts of a publication into `folder`, a new one."""
    folder.mkdir(parents=True)
    clock, processor = time.perf_counter(), time.process_time()
    with duckdb.connect(str(folder / "copy.duckdb"), config={"threads": threads}) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach {literal(str(published))} as published (read_only)")
        names = connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = 'published' and schema_name = 'marts' order by 1"
        ).fetchall()
        for (name,) in names:
            mart = f"published.marts.{identifier(name)}"
            connection.execute(f"create table {identifier(name)} as from {mart}")
            target = literal(str(folder / f"{name}.parquet"))
            connection.execute(f"copy (from {mart}) to {target} (format parquet, compression zstd)")
    return {
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": time.process_time() - processor,
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
    }


def main() -> None:
    """The command line above."""
    published, folder, threads = sys.argv[1:]
    print(json.dumps(copy(Path(published), Path(folder), int(threads))))


if __name__ == "__main__":
    main()
