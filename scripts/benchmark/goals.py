"""What a night may cost, as ratios of numbers from one run; a run tells how far it is from each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

GIGABYTE = 1024**3

# What answers the questions of the pandas script (cohorts, retention rate, historic value): these models, all
# they are made from, and these steps of the floor.
PANDAS_MODELS = ("fct_cohort_retention", "fct_customer_retention_rate", "int_customer_months")
PANDAS_STEPS = ("customer × day", "customer × month", "customers", "cohorts", "retention rate")


@dataclass(frozen=True)
class Ratio:
    """One number against its goal: `value` in `unit`, to be at most `most` or at least `least`.

    A goal of None: the number is told, and nobody has set a goal for it at this size.
    """

    what: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.most is not None:
            return self.value <= self.most
        return None if self.least is None else self.value >= self.least


def ratios(result: dict[str, Any]) -> list[Ratio]:
    """All ratios that a result has the numbers for."""
    found: list[Ratio] = []
    for part in (_night, _day, _pandas, _value_models):
        found += part(result)
    return found


def _night(result: dict[str, Any]) -> Iterator[Ratio]:
    night, size = result.get("night"), result["size"]
    if not night:
        return
    customers, is_plain = size["customers"], not size["has_relationships"]
    total, steps = night["total"], night["steps"]
    # Goals of sizes of their own: a million customers with 5 million orders, three million with 14, the demo.
    goals: dict[str, tuple[float | None, float | None]] = {
        "1m": (90, 4),
        "3m": (300, 8),
        "demo": (20, None),
    }
    name = "demo" if customers is None else f"{customers // 1_000_000}m" if is_plain else ""
    seconds, gigabytes = goals.get(name, (None, None))
    yield Ratio("a full night", total["seconds"], "s", most=seconds)
    if total["peak_bytes"] is not None:
        yield Ratio("peak memory of a night", total["peak_bytes"] / GIGABYTE, "GB", most=gigabytes)
    models = _node_seconds(night, "model", "seed")
    floor = result.get("floor")
    if floor:
        # Two nodes run at a time, so their seconds are about twice those of the clock.
        yield Ratio("models, clock, of the floor", models / 2 / floor["seconds"], "×", most=8)
        yield Ratio("models, node seconds, of the floor", models / floor["seconds"], "×")
        cpu = sum(node["cpu_seconds"] or 0 for name, node in night["nodes"].items() if name[:5] == "model")
        if cpu:
            yield Ratio("models, processor, of the floor", cpu / floor["cpu_seconds"], "×")
    land = steps.get("land", {})
    if land.get("rows") and land.get("cpu_seconds"):
        yield Ratio("landing a row, processor", 1e6 * land["cpu_seconds"] / land["rows"], "µs", most=2)
    validate = steps.get("validate", {}).get("seconds")
    if validate is not None:
        checks = _node_seconds(night, "test") / 2 + validate
        yield Ratio("data tests, of the models", _node_seconds(night, "test") / models, "×")
        yield Ratio("data tests and validation, of the models", checks / (models / 2), "×", most=0.25)
    if result.get("plain_copy") and steps.get("publish"):
        yield Ratio(
            "publishing, of writing the same", steps["publish"]["seconds"] / result["plain_copy"]["seconds"],
            "×", most=2,
        )  # fmt: skip


def _day(result: dict[str, Any]) -> Iterator[Ratio]:
    night, day = result.get("night"), result.get("day")
    if not night or not day:
        return
    if result["size"]["customers"] is None:
        yield Ratio("one more day", day["total"]["seconds"], "s", most=12)
        return
    yield Ratio(
        "one more day, of a full night", day["total"]["seconds"] / night["total"]["seconds"], "×", most=0.1
    )
    for name, step in day["steps"].items():
        before = night["steps"].get(name, {}).get("seconds")
        if before:
            yield Ratio(f"one more day, {name}", step["seconds"] / before, "×", most=0.1)


def _pandas(result: dict[str, Any]) -> Iterator[Ratio]:
    pandas, night = result.get("pandas"), result.get("night")
    if not pandas:
        return
    if night:
        nodes = night["nodes"]
        seconds = sum(nodes[name]["seconds"] for name in _made_from(nodes, PANDAS_MODELS))
        yield Ratio("cohorts, retention, value, of pandas", seconds / pandas["seconds"], "×", most=1)
    floor = result.get("floor")
    if floor:
        seconds = sum(floor["steps"].get(name, {"seconds": 0})["seconds"] for name in PANDAS_STEPS)
        yield Ratio("the same of the floor, of pandas", seconds / pandas["seconds"], "×")
        if floor["peak_bytes"] and pandas["peak_bytes"]:
            yield Ratio("memory of the floor, of pandas", floor["peak_bytes"] / pandas["peak_bytes"], "×")


def _made_from(nodes: dict[str, Any], models: tuple[str, ...]) -> set[str]:
    """The models of these names and all that they are made from, themselves or by way of others."""
    found: set[str] = set()
    waiting = [f"model.{name}" for name in models]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found.add(name)
            waiting += nodes[name]["parents"]
    return found


def _value_models(result: dict[str, Any]) -> Iterator[Ratio]:
    contenders = (result.get("value_models") or {}).get("contenders", {})
    if "tenure cells" not in contenders:
        return
    ours = contenders["tenure cells"]
    own = sum(ours["seconds"].values())
    for name, least in (("lifetimes rows", 20), ("lifetimes cells", 5)):
        if name in contenders:
            other = contenders[name]
            yield Ratio(
                f"value models, faster than {name}", sum(other["seconds"].values()) / own, "×", least=least
            )
            # How much better our fit is; the same, or it is not the maximum.
            worse = max(
                other["log_likelihood"][model] - ours["log_likelihood"][model]
                for model in ours["log_likelihood"]
            )
            yield Ratio(f"log-likelihood below that of {name}", worse, "", most=0.01)


def _node_seconds(night: dict[str, Any], *kinds: str) -> float:
    return sum(node["seconds"] for name, node in night["nodes"].items() if name.split(".")[0] in kinds)
