"""What a format is: how landing loads its files, and how the starter looks at them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from scripts.core.errors import LandingError
from scripts.landing.formats.workspace import InputFile, LoadedInput, Workspace
from scripts.landing.yaml_nodes import Node


@dataclass(frozen=True)
class Layout:
    """How to read a table of a file.

    `columns` is what landing will call them; `types` only where the file has them.
    """

    format: str
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    types: tuple[str, ...] = ()
    # Of a workbook with several: those of this table.
    sheets: tuple[str, ...] = ()


class UnreadableError(Exception):
    """Why the starter cannot read one file."""


@dataclass(frozen=True)
class Format:
    """One format.

    `name` is what an adapter's `format:` says; from `extensions` landing tells it by itself, and the starter
    tries `more_extensions` too. `load` fills the table of an input, given the format's options. Where the
    adapter may give options, under the format's name, `read_options` makes them of the node, and
    `default_options` are those of an adapter that gives none.

    For the starter: `layouts` says how each table of a file is to be read, given its encoding; `sample` gives
    the first rows of one as texts. None: the starter never proposes the format.

    A format that `stays_in_place` is read by the mappings themselves; what DuckDB says then of a damaged
    file `damaged` turns into a message.
    """

    name: str
    load: Callable[[Workspace, InputFile, Any], LoadedInput]
    extensions: tuple[str, ...] = ()
    more_extensions: tuple[str, ...] = ()
    is_text: bool = True
    read_options: Callable[[Node], Hashable] | None = None
    default_options: Hashable = None
    layouts: Callable[[Path, str], Sequence[Layout]] | None = None
    sample: Callable[[Path, Layout, int], Iterator[Sequence[str | None]]] | None = None
    stays_in_place: bool = False
    damaged: Callable[[duckdb.Error, InputFile], LandingError] | None = None
