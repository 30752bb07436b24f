"""Who was forgotten: a list of salted hashes by which landing keeps out what is delivered again.

`warehouse/.forgotten` lies beside the build file, not in it: whoever throws the build file away and lands all
files anew must not bring the person back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from scripts.core.errors import ConfigurationError
from scripts.core.permissions import private
from scripts.core.runs import write_json
from scripts.core.settings import Settings

# What raw calls the source of the rows that remain of forgotten customers, without them. No file has the
# name, so no delivery replaces these rows.
REMAINDER_FILE = "(forgotten)"

# The columns by which a row of a forgotten customer is known, and the kind of value in them. The ids of
# orders, refunds and responses are there because these tables take rows without a customer.
KINDS = {
    "customer_id": "customer",
    "order_id": "order",
    "refund_id": "refund",
    "response_id": "response",
}


def mark(salt: str, kind: str, value: str) -> str:
    """The salted hash that stands for a value of one of the KINDS; `mark_sql` gives the same."""
    return hashlib.sha256(f"{salt}forgotten {kind} {value}".encode()).hexdigest()


def mark_sql(kind: str, value: str) -> str:
    """`mark` in DuckDB, where the session's variable `salt` is set."""
    return f"sha256(getvariable('salt') || 'forgotten {kind} ' || {value})"


def read_marks(settings: Settings, salt: str) -> frozenset[str]:
    """All hashes there are. ConfigurationError if they were made with another salt and would match nobody."""
    file = settings.forgotten_file
    if not file.exists():
        return frozenset()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        marks, check = frozenset(content["hashes"]), content["salt_check"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read ({error}): restore it from a backup. Without it, customers who were "
            "forgotten come back with the next delivery."
        ) from error
    if check != mark(salt, "salt", ""):
        raise ConfigurationError(
            f"{file} was made with another salt than the present one, so customers who were forgotten would "
            "come back. Restore the salt (TENURE_HASH_SALT or the .salt file)."
        )
    return marks


def add_marks(settings: Settings, salt: str, marks: Iterable[str]) -> None:
    """Add hashes, in one step; sorted, so that their order tells nothing."""
    merged = read_marks(settings, salt).union(marks)
    with private():
        write_json(settings.forgotten_file, {"salt_check": mark(salt, "salt", ""), "hashes": sorted(merged)})
