"""A company in a temporary folder: its files, its adapter, its warehouse. For tests of landing."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from scripts.core.settings import Settings
from scripts.landing.land import LandingResult, land

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

ORDERS = """
tables:
  orders:
    files: orders*.csv
    columns:
      order_id: id
      customer_id: customer
      ordered_at: placed
      gross_amount: amount
"""


class Company:
    """Writes files below `data`, lands them with one adapter, and reads what came of it."""

    def __init__(self, folder: Path, adapter: str = ORDERS, name: str = "shop") -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.adapter_file = folder / f"{name}.yml"
        self.adapter(adapter)
        self.settings = Settings(folder / "wh")

    def adapter(self, text: str) -> None:
        self.adapter_file.write_text(textwrap.dedent(text), encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def orders(self, *lines: str, name: str = "orders.csv") -> Path:
        return self.write(name, "\n".join(("id,customer,placed,amount", *lines)) + "\n")

    def land(self, now: datetime = NOW) -> LandingResult:
        return land(self.settings, str(self.adapter_file), self.data, now)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.settings.build_database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def values(self, sql: str) -> list[Any]:
        """The first column of each row."""
        return [row[0] for row in self.rows(sql)]

    def reasons(self) -> list[str]:
        return self.values(
            "select reason from raw.rejects order by table_name, source_file, source_row, reason"
        )

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every raw table, to see that nothing changed."""
        if not self.settings.build_database.exists():
            return {}
        names = self.values(
            "select table_name from information_schema.tables where table_schema = 'raw' order by 1"
        )
        return {name: sorted(self.rows(f'select * from raw."{name}"'), key=repr) for name in names}
