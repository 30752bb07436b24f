"""How a CSV file is written, as an adapter says it or as its first line tells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from scripts.landing.formats.text_files import MAX_LINE_BYTES
from scripts.landing.yaml_nodes import Node

# Of two delimiters that split the first line alike, the earlier one is taken.
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV file is written. `delimiter` None: by the first line. `columns`: names without header."""

    delimiter: str | None = None
    quote: str = '"'
    header: bool = True
    columns: tuple[str, ...] = ()


def csv_options(node: Node) -> CsvOptions:
    """What an adapter says under `csv:`."""
    entries = node.entries(("delimiter", "quote", "header", "columns"))
    delimiter, quote, columns = None, '"', ()
    if "delimiter" in entries:
        delimiter = _character(entries["delimiter"])
    if "quote" in entries:
        quote = _character(entries["quote"]) if entries["quote"].node.value else ""
    if "columns" in entries:
        columns = tuple(item.text() for item in entries["columns"].items())
        if len({name.casefold() for name in columns}) < len(columns):
            raise entries["columns"].error("names a column twice.")
    header = entries["header"].typed(bool, "true or false") if "header" in entries else not columns
    if header and columns:
        raise entries["columns"].error(
            "names the columns of a file without header; remove it, or say `header: false`."
        )
    return CsvOptions(delimiter, quote, header, columns)


def _character(node: Node) -> str:
    value = node.node.value if isinstance(node.node, yaml.ScalarNode) else ""
    if len(value) != 1 or value in "\r\n":
        raise node.error('must be one character in quotes; a tab is written "\\t", in double quotes.')
    return value


@contextmanager
def long_values() -> Iterator[None]:
    """Let the csv module read values up to the longest line there may be."""
    previous = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


def separator_line(head: str) -> tuple[str, str | None]:
    """What follows Excel's line `sep=;`, and the delimiter it names; all of it and None without such a line.

    >>> separator_line("sep=;\\r\\nid;day\\r\\n")
    ('id;day\\r\\n', ';')
    """
    found = re.match(r"\"?sep=([^\r\n])\"?(?:\r\n|\n|\r)", head, re.IGNORECASE)
    return (head[found.end() :], found[1]) if found else (head, None)


def first_record(head: str, options: CsvOptions) -> tuple[str, list[str]]:
    """The delimiter and the fields of the first line. Not given, it is the one that splits the line most."""

    def record(delimiter: str) -> list[str]:
        reader = csv.reader(io.StringIO(head, newline=""), **reader_arguments(delimiter, options.quote))
        return next(reader, [])

    with long_values():
        delimiter = options.delimiter or max(_DELIMITERS, key=lambda delimiter: len(record(delimiter)))
        return delimiter, record(delimiter)


def reader_arguments(delimiter: str, quote: str) -> dict[str, Any]:
    """Arguments of csv.reader; an empty `quote` means that there is none."""
    if quote:
        return {"delimiter": delimiter, "quotechar": quote, "quoting": csv.QUOTE_MINIMAL}
    return {"delimiter": delimiter, "quotechar": None, "quoting": csv.QUOTE_NONE}
