"""A result as tables, and two results side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.benchmark import value_models
from scripts.benchmark.amounts import count, megabytes, seconds
from scripts.core.text import in_columns

# How many of the dearest nodes are listed.
LISTED_NODES = 15


def report(result: dict[str, Any]) -> str:
    """All of a result, as tables."""
    parts = [_head(result), *_nights(result), *_floor(result), *_agreement(result)]
    if result.get("value_models"):
        parts.append(value_models.speed_report(result["value_models"]))
    parts.append(_ratios(result))
    parts += result["notes"]
    return "\n\n".join(parts)


def _head(result: dict[str, Any]) -> str:
    size, machine = result["size"], result["machine"]
    rows = (result.get("data") or {}).get("rows", {})
    told = ", ".join(f"{number:,} {table}" for table, number in rows.items()) or "the demo company"
    lines = [
        f"{size['name']}, seed {size['seed']}: {told}",
        f"{machine['processors']} processors, {megabytes(machine['memory_bytes'])}, "
        f"DuckDB {machine['duckdb']}; "
        f"load {machine['load_at_the_start']} before, {machine.get('load_at_the_end')} after",
    ]
    if (machine["load_at_the_start"] or 0) > 0.5:
        lines.append("The machine did other work at the same time: seconds by the clock mean little.")
    return "\n".join(lines)


def _nights(result: dict[str, Any]) -> Iterator[str]:
    for key, title in (("night", "A full night"), ("day", "One more day")):
        night = result.get(key)
        if not night:
            continue
        rows = [[title, "rows", "clock", "processor", "peak", "written"]]
        for name, step in (*night["steps"].items(), ("all", {"rows": None, **night["total"]})):
            rows.append([name, count(step["rows"]), *_used(step)])
        yield in_columns(rows)
        nodes = sorted(night["nodes"].items(), key=lambda item: -item[1]["seconds"])[:LISTED_NODES]
        yield in_columns(
            [
                [f"Dearest nodes of {title.lower()}", "rows", "clock", "processor", "peak of all"],
                *(
                    [
                        name,
                        count(node["rows"]),
                        seconds(node["seconds"]),
                        seconds(node["cpu_seconds"]),
                        megabytes(node["peak_bytes"]),
                    ]
                    for name, node in nodes
                ),
            ]
        )


def _used(used: Mapping[str, Any]) -> list[str]:
    return [
        seconds(used["seconds"]),
        seconds(used.get("cpu_seconds")),
        megabytes(used.get("peak_bytes")),
        megabytes(used.get("written_bytes")),
    ]


def _floor(result: dict[str, Any]) -> Iterator[str]:
    rows = [["Beside it", "clock", "processor", "peak", "written"]]
    floor = result.get("floor")
    if floor:
        rows += [[f"floor: {name}", *_used(step)] for name, step in floor["steps"].items()]
    for key, title in (
        ("floor", "floor, all"),
        ("plain_copy", "marts, written plainly"),
        ("pandas", "plain pandas"),
        ("data", "making the data up"),
    ):
        if result.get(key):
            rows.append([title, *_used(result[key])])
    if len(rows) > 1:
        yield in_columns(rows)


def _agreement(result: dict[str, Any]) -> Iterator[str]:
    found = result.get("agreement")
    if not found:
        return
    rows = [["Marts against the floor", "after", "floor", "mart", "differ"]]
    for one in found:
        numbers = (count(one[key]) for key in ("floor_rows", "mart_rows", "differences"))
        rows.append([one["question"], one["after"], *numbers])
    yield in_columns(rows)


def _ratios(result: dict[str, Any]) -> str:
    rows = [["Against the goals", "now", "goal", ""]]
    for ratio in result["ratios"]:
        goal = _goal(ratio)
        is_met = _is_met(ratio)
        rows.append([ratio["what"], _amount(ratio), goal, {True: "met", False: "missed", None: ""}[is_met]])
    return in_columns(rows)


def _amount(ratio: Mapping[str, Any]) -> str:
    return f"{ratio['value']:,.2f} {ratio['unit']}".rstrip()


def _goal(ratio: Mapping[str, Any]) -> str:
    if ratio["most"] is not None:
        return f"at most {ratio['most']:g} {ratio['unit']}".rstrip()
    return "" if ratio["least"] is None else f"at least {ratio['least']:g} {ratio['unit']}".rstrip()


def _is_met(ratio: Mapping[str, Any]) -> bool | None:
    if ratio["most"] is not None:
        return ratio["value"] <= ratio["most"]
    return None if ratio["least"] is None else ratio["value"] >= ratio["least"]


def failures(result: dict[str, Any]) -> list[str]:
    """What is wrong with the marts, in words; nothing when they say what the floor says."""
    return [
        f"{one['question']} after {one['after']}: {one['differences']:,} rows differ "
        f"({one['floor_rows']:,} in the floor, {one['mart_rows']:,} in the mart), such as {one['example']}"
        for one in result.get("agreement") or ()
        if one["differences"]
    ]


def side_by_side(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Two results in two columns, and how many times as much the second is."""
    names = [f"{result['size']['name']} {result['made_at'][:16]}" for result in (one, other)]
    rows = [["", *names, "ratio"]]
    first, second = (dict(_numbers(result)) for result in (one, other))
    for name in (*first, *(name for name in second if name not in first)):
        a, b = first.get(name), second.get(name)
        rows.append([name, _shown(name, a), _shown(name, b), f"{b / a:.2f} ×" if a and b else ""])
    return in_columns(rows)


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name.endswith("memory"):
        return megabytes(int(value))
    return f"{value:,.2f}"


def _numbers(result: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Each number of a result by a name that two results share, the dearest nodes of a night among them."""
    for key, title in (("night", "night"), ("day", "one more day")):
        night = result.get(key)
        if not night:
            continue
        for name, step in (("all", night["total"]), *night["steps"].items()):
            yield f"{title}, {name}, s", step["seconds"]
            if step.get("cpu_seconds") is not None:
                yield f"{title}, {name}, processor s", step["cpu_seconds"]
            if step.get("peak_bytes") is not None:
                yield f"{title}, {name}, memory", step["peak_bytes"]
    for key in ("floor", "plain_copy", "pandas"):
        if result.get(key):
            yield f"{key}, s", result[key]["seconds"]
            yield f"{key}, processor s", result[key]["cpu_seconds"]
            if result[key].get("peak_bytes"):
                yield f"{key}, memory", result[key]["peak_bytes"]
    for ratio in result["ratios"]:
        yield f"{ratio['what']}, {ratio['unit']}".rstrip(", "), ratio["value"]
    nodes = (result.get("night") or {}).get("nodes", {})
    for name, node in sorted(nodes.items(), key=lambda item: -item[1]["seconds"])[:LISTED_NODES]:
        yield f"{name}, s", node["seconds"]
