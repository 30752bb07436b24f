"""Which columns of text hold a person, or what a person wrote: declared, never guessed from a name.

The contract says it of the columns of raw (`Column.personal`), the YAML beside each mart of its own, under
`config.meta.personal`. A test refuses a text column of either that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

from scripts.core.errors import ConfigurationError
from scripts.core.yaml_files import read_yaml


class Personal(StrEnum):
    """What stands in a column of text, as far as people are concerned; the values are those of the YAML."""

    # The id of the customer whose row it is.
    CUSTOMER = "customer"
    # The id of a customer whom somebody else's row names.
    OTHER_CUSTOMER = "other_customer"
    # The id of something that a customer has or did: an order, an answer. The same name means the same ids.
    RECORD = "record"
    # An e-mail address: only a salted hash is stored, and no mart may show it.
    EMAIL = "email"
    # What a person wrote: telephone numbers are masked in it.
    FREE_TEXT = "free_text"
    # A word of the company's: a country, a plan, a product, what a check saw. Nobody's, but whatever somebody
    # has typed there by mistake is taken out of it.
    LABEL = "label"
    # One of a known list, or made by us.
    NONE = "none"


# Columns that name a customer.
NAMES_SOMEBODY = frozenset({Personal.CUSTOMER, Personal.OTHER_CUSTOMER})
# Columns into which anybody can write anything.
IS_WRITTEN = frozenset({Personal.FREE_TEXT, Personal.LABEL})

# By table, what each classified column holds.
Declared = Mapping[str, Mapping[str, Personal]]


@cache
def declared_in_marts(project_root: Path) -> Declared:
    """What the marts' YAML declares; ConfigurationError if a column says what is no `Personal`."""
    declared: dict[str, dict[str, Personal]] = {}
    for file in sorted((project_root / "models" / "marts").rglob("*.yml")):
        content = read_yaml(file)
        for model in content.get("models", ()):
            columns = declared.setdefault(model["name"], {})
            for column in model.get("columns", ()):
                value = column.get("config", {}).get("meta", {}).get("personal")
                if value is None:
                    continue
                if value not in set(Personal):
                    raise ConfigurationError(
                        f"{file}: {model['name']}.{column['name']}: meta.personal is {value!r}, and must be "
                        f"one of {', '.join(Personal)}."
                    )
                columns[column["name"]] = Personal(value)
    return declared
