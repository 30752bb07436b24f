"""Take a value out of what somebody wrote, in Python and in SQL."""

from __future__ import annotations

import re

from scripts.core.sql import literal
from scripts.personal_data.search import Trace

# What stands in the place of an id in a text that somebody wrote.
REDACTED = "[forgotten]"


def redacted(text: str, trace: Trace) -> str:
    """The text without the value.

    >>> redacted("C1001 sent me, not C10011", Trace("C1001", "a customer id"))
    '[forgotten] sent me, not C10011'
    """
    return re.sub(trace.pattern, rf"\g<1>{REDACTED}\g<3>", text) if trace.value in text else text


def redacted_sql(text: str, trace: Trace) -> str:
    """`redacted` in DuckDB, of an expression or a quoted column."""
    return rf"regexp_replace({text}, {literal(trace.pattern)}, '\1{REDACTED}\3', 'g')"


def holds_sql(text: str, trace: Trace) -> str:
    """SQL: whether a text holds the value; the pattern is asked only where it may."""
    return f"(contains({text}, {literal(trace.value)}) and regexp_matches({text}, {literal(trace.pattern)}))"
