"""Try a kind: write it, land it into a warehouse that holds something already, and see how it ended."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import duckdb

from scripts.core.errors import EXIT_CANNOT_LAND, EXIT_USAGE, TenureError
from scripts.core.settings import Settings
from scripts.landing.formats import text_files
from scripts.landing.land import LandingResult, land
from tests.python.small_company import NOW, Company

from .corpus import SHOWN, Expected, Kind, Landed, Shop, Stopped

Rows = dict[str, list[tuple[Any, ...]]]
SALT = "pepper"


def warehouse_with_something(folder: Path) -> Path:
    """A warehouse of the company `shop` in which each table of the corpus has a row; gives its build file."""
    folder.mkdir(exist_ok=True)
    company = Company(folder)
    company.orders("before-1,ann,2026-01-01,10", "before-2,bo,2026-01-02,20.50", name="orders-before.csv")
    company.land()
    return company.settings.build_database


def everything(database: Path) -> Rows:
    """Every row of every raw table."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'raw' order by 1"
            ).fetchall()
        ]
        return {
            name: connection.execute(f'select * from raw."{name}" order by all').fetchall() for name in names
        }


class Attempt:
    """Kinds, landed in `folder` on top of a copy of `before`: one, or many plain ones at once."""

    def __init__(self, kinds: Sequence[Kind], seed: int, folder: Path, before: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.settings = Settings(folder / "wh")
        self.settings.warehouse.mkdir()
        shutil.copyfile(before, self.settings.build_database)
        self.before = everything(before)
        self.expected: dict[str, Expected] = {}
        self.files: dict[str, str] = {}
        for number, kind in enumerate(kinds):
            self.shop = Shop(folder, f"orders-{number:03}-" if len(kinds) > 1 else "")
            self.expected[kind.id] = kind.write(self.shop, Random(f"{seed} {kind.id}"))  # noqa: S311
            self.files[kind.id] = f"{self.shop.prefix}orders.csv" if len(kinds) > 1 else "%"
        self.ended = self._land()
        assert not list(self.settings.scratch.glob("*")), "the landing left its work files"
        self.after = everything(self.settings.build_database)

    def _land(self) -> LandingResult | TenureError:
        """What the landing gave; anything but a TenureError is a defect and is not caught."""
        meddle, inner = self.shop.while_reading, text_files.read_delimited

        def reading(*arguments: Any, **named: Any) -> None:
            inner(*arguments, **named)
            if meddle:
                meddle()

        try:
            with mock.patch.object(text_files, "read_delimited", reading):
                return land(self.settings, str(self.shop.adapter_file), self.shop.data, NOW)
        except TenureError as error:
            return error

    def check(self, kind: Kind) -> str:
        """Hold the end against what the kind expects and against what always holds; gives the outcome."""
        expected = self.expected[kind.id]
        if isinstance(expected, Stopped):
            assert isinstance(self.ended, TenureError), f"landed, and should have stopped: {self._told()}"
            self._check_stop(self.ended, expected)
        else:
            if isinstance(self.ended, TenureError):
                raise AssertionError(f"stopped, and should have landed: {self.ended}") from self.ended
            self._check_rows(expected, self.files[kind.id])
        return expected.outcome

    def check_again(self) -> None:
        """Landing once more changes nothing."""
        again = self._land()
        if isinstance(self.ended, LandingResult):
            assert isinstance(again, LandingResult), again
            assert again.batch_id is None, "the same files were landed twice"
        assert everything(self.settings.build_database) == self.after

    def _check_stop(self, error: TenureError, expected: Stopped) -> None:
        message = str(error)
        assert isinstance(error, expected.error), f"{type(error).__name__}: {message}"
        assert error.exit_code in (EXIT_USAGE, EXIT_CANNOT_LAND)
        for part in expected.parts:
            assert part in message, f"{part!r} is not in: {message}"
        assert str(self.settings.scratch) not in message, message
        assert "Traceback" not in message
        assert len(message) < 3000, message[:3000]
        assert self.after == self.before, "the landing stopped, and the warehouse has changed"

    def _check_rows(self, expected: Landed, files: str) -> None:
        told = self._told()
        shown = ", ".join(f"cast({name} as varchar)" for name in SHOWN[expected.table])
        wanted_fields = list(dict.fromkeys(name for one in expected.rejected for name in one.content))
        fields = "".join(f", content ->> '{name}'" for name in wanted_fields)
        with duckdb.connect(str(self.settings.build_database), read_only=True) as connection:
            stored = connection.execute(
                f"select _source_row, {shown} from raw.{expected.table} where _batch_id = 2 "
                "and _source_file like ? order by all",
                [files],
            ).fetchall()
            counts = connection.execute(
                "select sum(rows_in_file), sum(rows_read), sum(rows_accepted), sum(rows_stored), "
                "sum(rows_repeated), sum(rows_rejected), count(*) from raw.loads "
                "where is_current and batch_id = 2 and source_file like ?",
                [files],
            ).fetchone()
            rejects = connection.execute(
                f"select source_row, reason, content ->> 'line'{fields} from raw.rejects "
                "where batch_id = 2 and source_file like ? order by 1",
                [files],
            ).fetchall()
        wanted = sorted((number, *values) for number, values in expected.stored)
        assert stored == wanted, told
        in_files, read, accepted, kept, repeated, rejected, landed_files = counts
        assert landed_files, told
        assert read == accepted + rejected, told
        assert accepted == kept + repeated, told
        assert (kept, repeated, rejected) == (len(wanted), expected.repeated, len(expected.rejected)), told
        assert in_files == (read if expected.rows is None else expected.rows), told
        assert [row for row, *_ in rejects] == sorted(one.row for one in expected.rejected), told
        for one in expected.rejected:
            ((reason, line, *values),) = [rest for row, *rest in rejects if row == one.row]
            for part in one.reasons:
                assert part in reason, f"{part!r} is not in: {reason}"
            assert line == one.line, told
            found = dict(zip(wanted_fields, values, strict=True))
            for name, value in one.content.items():
                assert found[name] == value, told
        # What was there before is untouched.
        for table, rows in self.before.items():
            if table not in ("loads", "settings"):
                gone = Counter(rows) - Counter(self.after[table])
                assert not gone, f"{table}: {gone}"

    def _told(self) -> str:
        lines = [f"{name}: {row}" for name in (*SHOWN, "rejects") for row in self.after[name][:20]]
        return "\n" + "\n".join(line[:400] for line in lines)
