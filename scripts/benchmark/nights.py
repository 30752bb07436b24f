"""A whole night on a made-up company, as its users run it, and what each step and each node of dbt cost."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from scripts.benchmark.measuring import Sample, run_measured, used_between
from scripts.build.dbt_runner import dbt_target_path
from scripts.core.errors import CheckFailedError
from scripts.core.settings import Settings

_STEP_STARTED = re.compile(r"\b(land|build|validate|publish): started$")
_REFERENCE = re.compile(r"""\bref\(['"](\w+)['"]\)""")
_BUILD_DONE = re.compile(r"\bbuild: done in ")


@dataclass
class Night:
    """What a night cost: `total` of it all, `steps` and `nodes` by name, each with what it used."""

    total: dict[str, Any]
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)


def run_night(settings: Settings, source: str, data: Path) -> Night:
    """Run `python -m scripts nightly` and measure it.

    Raises `CheckFailedError` with the end of its messages when it does not end well.
    """
    begun: dict[str, float] = {}
    results: dict[str, Any] = {}

    def note(line: str) -> None:
        step = _STEP_STARTED.search(line)
        if step:
            begun[step[1]] = time.time()
        elif _BUILD_DONE.search(line):
            # A later run of dbt writes its own.
            results.update(_read_json(dbt_target_path(settings) / "run_results.json"))

    measured = run_measured(
        [sys.executable, "-m", "scripts", "nightly", "--source", source, "--data", str(data)],
        folder=settings.project_root,
        environment={**os.environ, "TENURE_WAREHOUSE": str(settings.warehouse)},
        on_message=note,
    )
    ended = time.time()
    if measured.exit_code != 0:
        raise CheckFailedError(
            f"The night ended with exit code {measured.exit_code}:\n{measured.messages[-4000:]}"
        )
    record = _read_json(max(settings.runs.glob("*.json"), key=lambda path: path.stat().st_mtime))
    night = Night({**measured.used(), "run_id": record.get("run_id"), "status": record.get("status")})
    moments = [*sorted(begun.items(), key=lambda item: item[1]), ("end", ended)]
    until = {name: moments[place + 1][1] for place, (name, _) in enumerate(moments[:-1])}
    rows = _rows(record)
    for step in record.get("steps", []):
        name = step["step"]
        used = used_between(measured.samples, begun[name], until[name]) if name in begun else {}
        night.steps[name] = {"seconds": step["seconds"], "rows": rows.get(name), **used}
    night.nodes = _nodes(settings, results, measured.samples)
    return night


def _rows(record: dict[str, Any]) -> dict[str, int]:
    """Rows that a step read or wrote, where its counts tell it."""
    rows: dict[str, int] = {}
    for step in record.get("steps", []):
        counts = step.get("counts") or {}
        if step["step"] == "land":
            rows["land"] = sum(table["read"] for table in counts.get("tables", {}).values())
        elif step["step"] == "publish":
            rows["publish"] = sum((counts.get("marts") or {}).values())
    return rows


def _nodes(settings: Settings, results: dict[str, Any], samples: list[Sample]) -> dict[str, dict[str, Any]]:
    """Seconds and rows of each node, its part of the processor, and what it is made from.

    dbt runs two nodes at a time in one process: what it uses at a moment is shared among those that run then.
    `peak_bytes` is that of the whole tree while the node ran.
    """
    spans: dict[str, tuple[float, float, float]] = {}
    for result in results.get("results", []):
        kind, _, name = result["unique_id"].split(".", 2)
        executed = [timing for timing in result.get("timing", []) if timing["name"] == "execute"]
        if not executed or not executed[0].get("started_at"):
            continue
        begin, end = (_moment(executed[0][key]) for key in ("started_at", "completed_at"))
        spans[f"{kind}.{name}"] = (begin, end, result["execution_time"])
    parents = _parents(settings.project_root)
    tables = _table_rows(settings)
    shared = _shared(samples, {name: (begin, end) for name, (begin, end, _) in spans.items()})
    nodes = {}
    for name, (begin, end, seconds) in spans.items():
        used = used_between(samples, begin, end)
        nodes[name] = {
            "seconds": round(seconds, 3),
            "rows": tables.get(name.split(".")[1]) if name.startswith(("model", "seed")) else None,
            "cpu_seconds": round(shared[name], 3) if samples else None,
            "peak_bytes": used["peak_bytes"],
            "parents": parents.get(name, []),
        }
    return nodes


def _parents(project_root: Path) -> dict[str, list[str]]:
    """What each model refers to in its own file, both as `model.fct_orders`; a night keeps no manifest."""
    texts = {
        path.stem: path.read_text(encoding="utf-8")
        for path in (project_root / "models").rglob("*")
        if path.suffix in (".sql", ".py")
    }
    return {
        f"model.{name}": [f"model.{parent}" for parent in _REFERENCE.findall(text)]
        for name, text in texts.items()
    }


def _shared(samples: list[Sample], spans: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Processor seconds of each span: of each moment's use an equal part for each that ran in it."""
    parts = dict.fromkeys(spans, 0.0)
    ordered = sorted(spans.items(), key=lambda item: item[1][0])
    for former, present in pairwise(samples):
        used = present.usage.cpu_seconds - former.usage.cpu_seconds
        overlaps = {}
        for name, (begin, end) in ordered:
            if begin > present.at:
                break
            overlap = min(end, present.at) - max(begin, former.at)
            if overlap > 0:
                overlaps[name] = overlap
        total = sum(overlaps.values())
        for name, overlap in overlaps.items():
            parts[name] += used * overlap / total
    return parts


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _table_rows(settings: Settings) -> dict[str, int]:
    """Rows of each table of the build file, by name."""
    with duckdb.connect(str(settings.build_database), read_only=True) as connection:
        return dict(connection.execute("select table_name, estimated_size from duckdb_tables()").fetchall())


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
