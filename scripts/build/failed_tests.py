"""What a failed data test found: which rules are broken, in how many rows, and the keys of some of them.

dbt counts the rows and says no more. Here its query runs once more, read-only, and of its result only the key
columns are read, those that the project declares (see macros/table_rules.sql): enough to find the rows, and
nothing of what people wrote. Of rows without a key, sums that should agree, the figures are read instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from scripts.core.sql import identifier
from scripts.personal_data.patterns import without_addresses

# Of how many rows a message shows the keys, for each rule.
SHOWN_ROWS = 5
# A key that is longer is cut: a message is read by people.
SHOWN_CHARACTERS = 200

# Types that hold a figure, as they begin; none of them holds what people wrote.
_FIGURES = ("DECIMAL", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DATE")

# The column in which the test `holds` names the rules a row breaks, a line each.
BROKEN_RULES = "broken_rules"


def key_columns(node: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that name a row of a table, as the macro of that name has them.

    >>> key_columns({"config": {"meta": {"key": ["customer_id", "month"]}}, "columns": {}})
    ('customer_id', 'month')
    """
    declared = (node.get("config", {}).get("meta") or {}).get("key")
    if declared:
        return tuple(declared)
    return tuple(
        name
        for name, column in node.get("columns", {}).items()
        if (column.get("config", {}).get("meta") or {}).get("rules", {}).get("unique")
    )


def describe_rows(database: Path, manifest: Mapping[str, Any], test_id: str) -> list[str]:
    """A line for each rule that the failed test `test_id` found broken: its rows and their keys.

    `manifest` is dbt's, with the compiled test. A test whose rows have neither key nor figure gives no line,
    nor does one that cannot run again: dbt has told the number already.
    """
    nodes = {**manifest["nodes"], **manifest.get("sources", {})}
    test = nodes.get(test_id, {})
    query = (test.get("compiled_code") or "").strip()
    if not query:
        return []
    # The key of the table it is about first, then those of the others that it reads.
    tables = [test.get("attached_node"), *test.get("depends_on", {}).get("nodes", [])]
    declared = dict.fromkeys(name for table in tables if table in nodes for name in key_columns(nodes[table]))
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            described = connection.execute(f"describe select * from ({query}\n) as failing").fetchall()
            found = {name: kind for name, kind, *_ in described}
            keys = [name for name in declared if name in found]
            if BROKEN_RULES in found:
                return _broken_rules(connection, query, keys)
            figures = [name for name, kind in found.items() if kind.startswith(_FIGURES)]
            rows = _sample(connection, query, keys or figures, "")
    except duckdb.Error:
        return []
    return [f"such as {rows}"] if rows else []


def _broken_rules(connection: duckdb.DuckDBPyConnection, query: str, keys: Sequence[str]) -> list[str]:
    counts: Counter[str] = Counter()
    for rules, number in connection.execute(
        f"select {BROKEN_RULES}, count(*) from ({query}\n) as failing group by all"
    ).fetchall():
        for rule in rules.splitlines():
            counts[rule] += number
    lines = []
    for rule, number in sorted(counts.items()):
        rows = _sample(connection, query, keys, rule)
        lines.append(
            f"{printable(rule)}: {number:,} {'row' if number == 1 else 'rows'}"
            + (f", such as {rows}" if rows else "")
        )
    return lines


def _sample(connection: duckdb.DuckDBPyConnection, query: str, keys: Sequence[str], rule: str) -> str:
    """The keys of the first rows that break `rule`, or of the first at all, in words."""
    if not keys:
        return ""
    names = ", ".join(map(identifier, keys))
    chosen = f"where contains('\n' || {BROKEN_RULES}, '\n' || ? || '\n')" if rule else ""
    rows = connection.execute(
        f"select distinct {names} from ({query}\n) as failing {chosen} order by all limit {SHOWN_ROWS}",
        [rule] if rule else [],
    ).fetchall()
    return ", ".join(_row(keys, row) for row in rows)


def _row(keys: Iterable[str], values: Iterable[Any]) -> str:
    """Of a row that breaks the uniqueness of one key, only that one is known."""
    pairs = [(name, value) for name, value in zip(keys, values, strict=True)]
    known = [(name, value) for name, value in pairs if value is not None] or pairs
    return "(" + ", ".join(f"{name} {printable(value)}" for name, value in known) + ")"


def printable(value: Any) -> str:
    """A value as a message shows it: on one line, short, without control characters and e-mail addresses.

    >>> printable("a\\nb\\x1b[31m"), printable(None), printable("ann@example.com")
    ('a\\\\nb\\\\x1b[31m', 'null', '[e-mail]')
    """
    if value is None:
        return "null"
    text = without_addresses(str(value))
    text = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
