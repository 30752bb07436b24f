"""Incremental equals full: whatever came, and whatever changed, the marts are those of `--full-refresh`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scripts.core.settings import PROJECT_ROOT
from tests.faults.month import EVENTS, nights

# What settings an incremental model may read: they are in the fingerprint of stg_settings, or, like
# as_of_date, among what decides which customers are computed again.
FINGERPRINTED = {"business_timezone", "reporting_currency", "exchange_rate_max_age_days", "as_of_date"}


@pytest.mark.xdist_group("incremental")
def test_after_daily_deliveries_the_marts_are_those_of_a_full_refresh(tmp_path: Path) -> None:
    """Some days of `python -m tests.faults month`, several things a night: late and cancelled orders, deleted
    customers, corrected rates, a new table, a changed rule, a column more."""
    events = tuple(event for event in EVENTS if event.anew is None)
    found = list(
        nights(tmp_path, days=2, customers=120, seed=7, compare=lambda number: number == 2, events=events)
    )
    assert [night.differences for night in found] == [None, None, {}]
    assert {event for night in found for event in night.events} == {event.name for event in events}
    # An increment is one: a night of new orders, tickets and some deletions does not compute everybody again.
    assert 0 < found[1].touched_share < 0.9


def test_incremental_models_read_no_setting_that_is_not_in_their_fingerprint() -> None:
    """Rows computed by another value of it would stay as they are."""
    sql = {path.stem: path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "models").rglob("*.sql")}
    settings = set(yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"])
    waiting = [name for name, text in sql.items() if "materialized='incremental'" in text]
    assert len(waiting) >= 15
    seen = set(waiting)
    while waiting:
        text = sql[waiting.pop()]
        read = set(re.findall(r"\bsettings\.(\w+)", text)) & settings
        assert read <= FINGERPRINTED, text[:200]
        assert "var(" not in text
        parents = set(re.findall(r"ref\('(\w+)'\)", text)) & sql.keys()
        new = parents - seen - {"stg_settings", "int_settings"}
        seen |= new
        waiting += new
    assert (
        "concat(business_timezone, ' ', reporting_currency, ' ', exchange_rate_max_age_days)"
        in sql["stg_settings"]
    )
