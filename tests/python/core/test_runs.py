"""Runs have names of their own, and records that are never half written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from scripts.core.runs import new_run_id, record_file, reserve_run_id, run_order, write_json
from scripts.core.settings import Settings

NOW = datetime(2026, 11, 21, 20, 30, 0, 999, tzinfo=UTC)


def test_names_of_one_second_differ(tmp_path: Path) -> None:
    settings = Settings(warehouse=tmp_path)
    assert new_run_id(settings, NOW) == new_run_id(settings, NOW) == "20261121T203000Z"
    assert [reserve_run_id(settings, NOW) for _ in range(2)] == ["20261121T203000Z", "20261121T203000Z-2"]
    (tmp_path / "publications" / "20261121T203000Z-3").mkdir(parents=True)
    names = [reserve_run_id(settings, NOW) for _ in range(8)]
    assert names[0] == "20261121T203000Z-4"
    assert sorted(names, key=run_order) == names


def test_record_that_cannot_be_written_leaves_the_former(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    write_json(
        target, {"on": date(2011, 6, 30), "amount": Decimal("1.10"), "where": tmp_path, "of": {"b", "a"}}
    )
    written = {"on": "2011-06-30", "amount": "1.10", "where": str(tmp_path), "of": ["a", "b"]}
    assert json.loads(target.read_text()) == written
    with pytest.raises(TypeError, match="object"):
        write_json(target, {"x": object()})
    assert json.loads(target.read_text()) == written


def test_record_lies_where_it_is_looked_for(tmp_path: Path) -> None:
    assert record_file(Settings(warehouse=tmp_path), "x") == tmp_path / "runs" / "x.json"
