"""What DuckDB plans for a query, and which of its joins compare every row with every row.

The plan is read as JSON: the text that EXPLAIN draws cuts names off. It depends on the size of the tables,
but not in what is looked for here: a join with an equality is hashed however small it is, one without never.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

# Joins that hash nothing. A range join sorts both sides, but what it gives is as much as a loop's.
UNHASHED = frozenset(
    {
        "BLOCKWISE_NL_JOIN",
        "CROSS_PRODUCT",
        "IE_JOIN",
        "NESTED_LOOP_JOIN",
        "PIECEWISE_MERGE_JOIN",
        "POSITIONAL_JOIN",
    }
)

# One row whatever comes in; no row; rows that stand in the query itself.
_BOUNDED = frozenset({"UNGROUPED_AGGREGATE", "DUMMY_SCAN", "EMPTY_RESULT", "COLUMN_DATA_SCAN"})
_GROUPING = frozenset({"HASH_GROUP_BY", "PERFECT_HASH_GROUP_BY", "PARTITIONED_AGGREGATE"})

# Gives rows of one of its sides, each once at most: which child that is.
_FILTERING_JOINS = {"SEMI": 0, "ANTI": 0, "MARK": 0, "SINGLE": 0, "RIGHT_SEMI": 1, "RIGHT_ANTI": 1}

Node = dict[str, Any]


@dataclass(frozen=True)
class UnhashedJoin:
    """A join of every row with every row, and what its two sides are made of.

    `sides` holds, for each of both, what its number of rows is bounded by: names of tables, and `groups by …`
    with the columns where rows were grouped; nothing where it is bounded whatever the data.
    """

    operator: str
    condition: str
    sides: tuple[frozenset[str], frozenset[str]]

    def small_sides(self, small: Collection[str]) -> list[frozenset[str]]:
        """The sides that are bounded, given what else is small; none, one or both."""
        return [side for side in self.sides if side <= set(small)]

    def __str__(self) -> str:
        sides = " with ".join(" × ".join(sorted(side)) for side in self.sides)
        return f"{self.operator} of {sides}" + (f" on {self.condition}" if self.condition else "")


def plan_of(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Collection[Any] | None = None
) -> list[Node]:
    """The roots of the physical plan. Raises what DuckDB raises when it can't bind the query.

    What a filter finds in the statistics of a table is left out: it would cut off, in a small company, parts
    that a large one runs.
    """
    former = connection.execute("select current_setting('disabled_optimizers')").fetchone()
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    try:
        rows = connection.execute(f"explain (format json) {sql}", parameters or None).fetchall()
    finally:
        connection.execute(f"set disabled_optimizers = '{former[0] if former else ''}'")
    return [root for _, text in rows for root in json.loads(text)]


def unhashed_joins(roots: Collection[Node], bounded: Collection[str]) -> list[UnhashedJoin]:
    """The joins of a plan that compare every row with every row.

    Left out are those one of whose sides is bounded: one row, or rows of the tables, named without schema,
    that stay as small as they are, whatever comes in.
    """
    scanned = {
        index: node["children"][0]
        for root in roots
        for node in _walk(root)
        if (index := _index(node)) and not node["name"].endswith("_SCAN")
    }
    found = []
    for root in roots:
        for node in _walk(root):
            if node["name"] not in UNHASHED:
                continue
            one, other = (_sources(child, scanned, frozenset(bounded)) for child in node["children"])
            if one and other:
                found.append(UnhashedJoin(node["name"], _condition(node), (one, other)))
    return found


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node["children"]:
        yield from _walk(child)


def _condition(node: Node) -> str:
    condition = node["extra_info"].get("Conditions") or node["extra_info"].get("Condition") or ""
    return condition if isinstance(condition, str) else " and ".join(condition)


def _index(node: Node) -> tuple[str, str] | None:
    """By what a scan finds what it scans: a CTE, or the values that a correlated query is asked for."""
    told = node["extra_info"]
    if "Delim Index" in told:
        return "correlated", told["Delim Index"]
    table = told.get("CTE Index", told.get("Table Index"))
    return ("cte", table) if table is not None else None


def _sources(node: Node, scanned: Mapping[tuple[str, str], Node], bounded: frozenset[str]) -> frozenset[str]:
    """What a node's number of rows is at most the product of; empty where that is a bounded number."""
    name, children, told = node["name"], node["children"], node["extra_info"]
    if name in _BOUNDED:
        return frozenset()
    if name in ("CTE_SCAN", "DELIM_SCAN"):
        # A recursive table scans itself while it is made: nobody knows how often.
        definition = scanned.get(_index(node) or ("", ""))
        found = _sources(definition, scanned, bounded) if definition else frozenset({name.lower()})
        # Of the values that a correlated query is asked for each is asked once.
        return frozenset(f"distinct {label}" for label in found) if name == "DELIM_SCAN" else found
    if name == "CTE":
        return _sources(children[1], scanned, bounded)
    if not children:
        table = str(told.get("Table", name.lower())).split(".")[-1]
        return frozenset() if table in bounded else frozenset({table})
    kind = _FILTERING_JOINS.get(told.get("Join Type", ""))
    if name == "HASH_JOIN" and kind is not None:
        return _sources(children[kind], scanned, bounded)
    found = frozenset().union(*(_sources(child, scanned, bounded) for child in children))
    return frozenset({f"groups by {_groups(node)}"}) if name in _GROUPING and found else found


def _groups(node: Node) -> str:
    """The columns by which a node groups, as the projection below it names them."""
    names = [_column(node["children"][0], group) for group in _listed(node["extra_info"].get("Groups"))]
    return ", ".join(sorted(names))


def _column(node: Node, name: str) -> str:
    """What `#2` stands for: the third column of the node, or of what it passes on."""
    place = re.search(r"#(\d+)", name)
    if place is None:
        return name
    columns = _listed(node["extra_info"].get("Projections"))
    if int(place[1]) < len(columns) and node["children"]:
        return _column(node["children"][0], columns[int(place[1])])
    return columns[int(place[1])] if int(place[1]) < len(columns) else name


def _listed(told: str | list[str] | None) -> list[str]:
    """DuckDB tells one thing as it is and several as a list."""
    if told is None:
        return []
    return [told] if isinstance(told, str) else told
