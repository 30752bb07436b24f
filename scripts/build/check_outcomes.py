"""What came of dbt's tests, as results of checks: one for each test of a build.

A test of the rules of a table is one check, and its message names the rules that are broken. Keys of rows are
for the message of the night; they are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.build.failed_tests import printable
from scripts.contract.check_history import BUILD, CheckResult, Severity, Status

# The tests of a project, as the process of dbt writes them: by id, the table, the column and what is tested.
TESTS = "tests.json"

_STATUS = {
    "pass": Status.PASS,
    "warn": Status.WARN,
    "fail": Status.FAIL,
    "error": Status.ERROR,
    # A table before it, or a test of one, has failed.
    "skipped": Status.NO_VERDICT,
}
_OBSERVED = {Status.ERROR: "could not run", Status.NO_VERDICT: "did not run: the build stopped before"}


def describe_tests(nodes: Mapping[str, Any]) -> dict[str, dict[str, str | None]]:
    """By id, what each data test of dbt's manifest is about: `table`, `column` (None: all), `check`.

    A test that is a query is about the first mart that it reads, else about the first table.
    """
    return {
        name: _describe_test(node, nodes)
        for name, node in nodes.items()
        if node.resource_type == "test" and node.depends_on.nodes
    }


def _describe_test(node: Any, nodes: Mapping[str, Any]) -> dict[str, str | None]:
    read, own = node.depends_on.nodes, getattr(node, "attached_node", None)
    marts = [name for name in read if name in nodes and nodes[name].schema == "marts"]
    table = (own or (marts or read)[0]).split(".")[-1]
    metadata = getattr(node, "test_metadata", None)
    if metadata is None:
        words = node.name.removeprefix("assert_").replace("_", " ")
        return {"table": table, "column": None, "check": words[:1].upper() + words[1:]}
    if metadata.name == "holds":
        return {"table": table, "column": None, "check": "The rules of the table hold"}
    if metadata.name == "relationships":
        parent = next((name for name in read if name != own), table)
        check = f"Is known in {parent.split('.')[-1]}"
        return {"table": table, "column": node.column_name, "check": check}
    return {"table": table, "column": node.column_name, "check": metadata.name}


def outcomes(
    results: Iterable[Mapping[str, Any]],
    tests: Mapping[str, Mapping[str, str | None]],
    failures: Mapping[str, Sequence[str]],
) -> list[CheckResult]:
    """What came of each test. `results` and `tests` are as dbt's process writes them.

    `failures`: by id, the lines that describe a failed test, see `describe_rows`.
    """
    found = []
    for result in results:
        test = tests.get(result["unique_id"])
        status = _STATUS.get(result["status"])
        if test is None or status is None:
            continue
        rows = result.get("failures") if status in (Status.PASS, Status.WARN, Status.FAIL) else None
        lines = failures.get(result["unique_id"], ())
        broken = [line.split(", such as ")[0] for line in lines if not line.startswith("such as ")]
        found.append(
            CheckResult(
                table=f"{BUILD}.{test['table']}",
                check=str(test["check"]),
                column=test["column"],
                severity=Severity.WARNING if status is Status.WARN else Severity.CRITICAL,
                status=status,
                observed=_OBSERVED.get(status) or f"{rows or 0} {'row' if rows == 1 else 'rows'}",
                expected="no such row",
                observed_value=rows,
                highest_value=0,
                rows_affected=rows,
                message=_message(status, broken, str(result.get("message") or "")),
            )
        )
    return found


def _message(status: Status, broken: Sequence[str], told: str) -> str | None:
    if status is Status.ERROR:
        return printable(told)
    if status in (Status.WARN, Status.FAIL):
        return "; ".join([*broken, "the record of the run names the rows"])
    return None
