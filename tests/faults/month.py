"""Daily deliveries with everything that happens in a month, and after a night the marts of a full refresh.

The nights run on a copy of the project, so that rules, models and macros can change on the way as they do in
a company's life. What changes at the source is applied to each delivery after it: a system exports what it
knows now.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from scripts.build.dbt_runner import build
from scripts.core.settings import PROJECT_ROOT
from scripts.demo.company import generate
from scripts.demo.deliveries import write_deliveries
from scripts.demo.parameters import Parameters
from tests.python.warehouses import Warehouse, mart_differences

PROJECT_PARTS = (
    *("models", "macros", "seeds", "tests/dbt", "scripts", "sources"),
    *("dbt_project.yml", "profiles.yml"),
)

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Event:
    """What happens from a day on: to every delivery, or once to the project; `anew` then starts over."""

    name: str
    delivery: Change | None = None
    project: Change | None = None
    anew: str | None = None


@dataclass(frozen=True)
class Night:
    """One night: what had happened, and what came of it.

    `touched_share` is that of the customers whom the night's landing touched; `differences` the rows, by
    table, in which the night differs from a full refresh, None where that was not looked at.
    """

    day: date
    events: tuple[str, ...]
    touched_share: float
    computed_anew: tuple[str, ...]
    differences: dict[str, int] | None


def rewrite_rows(pattern: str, change: Callable[[dict[str, str]], dict[str, str] | None]) -> Change:
    """A correction of the CSV files of a delivery, row by row; a row that becomes None is gone."""

    def apply(folder: Path) -> None:
        for path in sorted(folder.glob(pattern)):
            with path.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                rows = [changed for row in reader if (changed := change(dict(row))) is not None]
            if not rows:
                continue
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)

    return apply


def replace_in(name: str, old: str, new: str) -> Change:
    """An edit of a file of the project; what is to be replaced must be there."""

    def apply(project: Path) -> None:
        text = (project / name).read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r}"
        (project / name).write_text(text.replace(old, new), encoding="utf-8")

    return apply


def _cancelled(row: dict[str, str]) -> dict[str, str]:
    return row | {"state": "CANCELLED"} if row["number"].endswith("3") else row


def _cheaper(row: dict[str, str]) -> dict[str, str]:
    number = int(row["number"][-3:]) if row["number"][-3:].isdigit() else 0
    return row | {"voucher_value": "0.50"} if number % 10 == 7 and float(row["goods_value"]) > 1 else row


def _rate(row: dict[str, str]) -> dict[str, str]:
    return row | {"EUR": f"{float(row['EUR']) * 1.01:.6f}"} if row["EUR"] else row


def _with_shop(row: dict[str, str]) -> dict[str, str]:
    return row | {"shop": "west"}


def _deleted(row: dict[str, str]) -> dict[str, str] | None:
    return None if row["customer_no"].endswith("9") else row


# What the deliveries bring by themselves is in every night: late orders, corrected files, refunds of old
# orders, new periods of subscriptions. On top of it, in this order; tickets are not there until they appear.
TICKETS_APPEAR = Event("a table appears")
EVENTS = (
    TICKETS_APPEAR,
    Event("customers are deleted at the source", delivery=rewrite_rows("customers/*.csv", _deleted)),
    Event("old orders are cancelled", delivery=rewrite_rows("orders/*.csv", _cancelled)),
    Event("rates of exchange are corrected", delivery=rewrite_rows("exchange_rates.csv", _rate)),
    Event(
        "a rule changes",
        project=replace_in("seeds/segment_thresholds.csv", "new_customer_days,30", "new_customer_days,20"),
    ),
    Event("the exports have a column more", delivery=rewrite_rows("orders/*.csv", _with_shop)),
    Event(
        "the company moves to another time zone",
        project=replace_in(
            "sources/demo.yml", "business_timezone: Asia/Ho_Chi_Minh", "business_timezone: Asia/Tokyo"
        ),
        anew="stg_orders",
    ),
    Event("old orders are corrected", delivery=rewrite_rows("orders/*.csv", _cheaper)),
    Event(
        "a model has a column more",
        project=replace_in(
            "models/intermediate/int_customer_days.sql",
            "as {{ type_money() }}) as minutes\n",
            "as {{ type_money() }}) as minutes,\n        cast(sum(uses) > 0 as boolean) as has_used\n",
        ),
        anew="int_customer_days",
    ),
    Event(
        "a macro changes",
        project=replace_in(
            "macros/business_time.sql",
            "        else {{ relation }}.{{ column }}\n    end",
            "        else {{ relation }}.{{ column }} - interval 1 hour\n    end",
        ),
        anew="int_customer_months",
    ),
)


def copy_project(folder: Path) -> Path:
    """The project as far as a night needs it."""
    for part in PROJECT_PARTS:
        source, target = PROJECT_ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return folder


def differences(one: Warehouse, other: Warehouse) -> dict[str, int]:
    """Rows of staging, intermediates and marts that one of them has and the other has not."""
    found: dict[str, int] = {}
    for schema in ("staging", "intermediate", "marts"):
        found |= mart_differences(one.settings.build_database, other.settings.build_database, schema)
    # The note of what was built when is no result.
    found.pop("incremental_state", None)
    return found


def full_refresh_of(warehouse: Warehouse, folder: Path, *arguments: str) -> Warehouse:
    """A copy of the warehouse, all of it built anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy = Warehouse(folder, warehouse.settings.project_root)
    copy.settings.warehouse.mkdir()
    shutil.copy2(warehouse.settings.build_database, copy.settings.build_database)
    copy.dbt("run", "--full-refresh", *arguments)
    return copy


def nights(
    folder: Path,
    days: int,
    customers: int,
    seed: int,
    compare: Callable[[int], bool],
    events: tuple[Event, ...] = EVENTS,
    tested: bool = False,
) -> Iterator[Night]:
    """The first night, and one a day after it; the events are spread over them.

    `compare` says of which nights, by number, the marts are held against a full refresh. `tested`: every
    night runs the data tests too, as it does in earnest.
    """
    company = generate(Parameters(customers=customers, seed=seed, days=days))
    project = copy_project(folder / "project")
    warehouse = Warehouse(folder / "daily", project)
    happening = spread(events, days)
    changes: list[Change] = [lambda delivery: shutil.rmtree(delivery / "tickets")]
    for number, (day, delivery) in enumerate(write_deliveries(folder / "deliveries", company)):
        tonight = happening.get(number, ())
        if TICKETS_APPEAR in tonight:
            changes.clear()
        for event in tonight:
            changes += [event.delivery] if event.delivery else []
            if event.project:
                event.project(project)
        for change in changes:
            change(delivery)
        batch_id = warehouse.land(str(project / "sources/demo.yml"), delivery).batch_id
        shutil.rmtree(delivery)
        must_start_over = {event.anew for event in tonight if event.anew}
        anew: tuple[str, ...] = ()
        if tested or must_start_over:
            anew = build(warehouse.settings).computed_anew
        else:
            warehouse.dbt("build", "--exclude-resource-type", "unit_test", "test")
        assert must_start_over <= set(anew), f"{must_start_over} did not start over, only {anew}"
        found = None
        if compare(number):
            found = differences(warehouse, full_refresh_of(warehouse, folder / "full"))
        ((touched, everybody),) = warehouse.rows(
            f"""
            select
                count(distinct customer_id) filter (batch_id = {batch_id or 0}), count(distinct customer_id)
            from raw.customer_changes
            """
        )
        yield Night(day, tuple(event.name for event in tonight), touched / everybody, anew, found)


def spread(events: tuple[Event, ...], days: int) -> dict[int, tuple[Event, ...]]:
    """By number of the night, from 1, what happens before it; several things where there are few nights.

    >>> one, two, three = (Event(name) for name in ("one", "two", "three"))
    >>> {night: [event.name for event in found] for night, found in spread((one, two, three), 6).items()}
    {2: ['one'], 4: ['two'], 6: ['three']}
    >>> {night: [event.name for event in found] for night, found in spread((one, two, three), 2).items()}
    {1: ['one'], 2: ['two', 'three']}
    """
    happening: dict[int, tuple[Event, ...]] = {}
    for place, event in enumerate(events, start=1):
        night = -(-place * days // len(events))
        happening[night] = (*happening.get(night, ()), event)
    return happening
