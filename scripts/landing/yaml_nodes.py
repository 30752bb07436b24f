"""A YAML file as nodes that know their file, line and key, so that each message about it says where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from scripts.core.errors import ConfigurationError
from scripts.core.sql import error_line
from scripts.core.text import nearest


@dataclass(frozen=True)
class Sql:
    """A piece of SQL from an adapter and the line it stands on (1-based)."""

    text: str
    line: int


class Node:
    """A YAML node that knows its file, line and key, and turns itself into checked values."""

    def __init__(self, file: Path, key: str, node: yaml.Node) -> None:
        self.file = file
        self.key = key
        self.node = node

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    def error(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{message}")

    def entries(self, known: Iterable[str] | None = None, what: str = "key") -> dict[str, Node]:
        """The members of a mapping. A repeated key, or one that is not `known`, is an error."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("must be a mapping (`key: value` lines).")
        result: dict[str, Node] = {}
        for key_node, value_node in self.node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise Node(self.file, self.key, key_node).error("a key must be plain text.")
            name = key_node.value
            member = Node(self.file, f"{self.key}.{name}" if self.key else name, value_node)
            at_key = Node(self.file, self.key, key_node)
            if name in result:
                raise at_key.error(f"{what} {name!r} stands here twice.")
            if known is not None and name not in known:
                raise at_key.error(f"unknown {what} {name!r}{nearest(name, known)}")
            result[name] = member
        return result

    def items(self) -> list[Node]:
        """The members of a list; a single value counts as a list of one."""
        if isinstance(self.node, yaml.SequenceNode):
            return [Node(self.file, f"{self.key}[{i}]", node) for i, node in enumerate(self.node.value)]
        return [self]

    def text(self) -> str:
        """The scalar as it is written: `1`, `yes` and `2020-01-01` stay text."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error("must be one text.")
        if not self.node.value.strip() or (self.node.style is None and self.node.value in ("null", "~")):
            raise self.error("is empty.")
        return self.node.value

    def value(self) -> Any:
        """The value as YAML understands it; None if it does not fit its tag, as 2026-02-30 is no date."""
        try:
            return yaml.SafeLoader("").construct_object(self.node, deep=True)
        except (ValueError, KeyError, yaml.YAMLError):
            return None

    def typed(self, kind: type | tuple[type, ...], what: str) -> Any:
        value = self.value() if isinstance(self.node, yaml.ScalarNode) else None
        numbers = isinstance(value, bool) and bool not in (kind if isinstance(kind, tuple) else (kind,))
        if not isinstance(value, kind) or numbers:
            shown = self.node.value if isinstance(self.node, yaml.ScalarNode) else "this"
            raise self.error(f"{shown!r} is not {what}.")
        return value

    def one_of(self, known: Iterable[str]) -> str:
        value = self.text()
        if value not in known:
            raise self.error(f"{value!r} is none of {', '.join(known)}{nearest(value, known)}")
        return value

    def sql(self, template: str) -> Sql:
        """SQL that makes `template` (with {} for it) exactly one select statement without parameters."""
        text = self.text()
        try:
            statements = duckdb.extract_statements(template.format(text + "\n"))
        except duckdb.Error as error:
            reserved = re.fullmatch(r"\w+", text.strip())
            hint = f". {text} is a word of SQL: write the column as '\"{text}\"'" if reserved else ""
            raise self.error(f"not valid SQL: {error_line(error)}{hint}") from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise self.error("must be exactly one select statement, or an expression of one.")
        if statements[0].named_parameters:
            raise self.error("a mapping takes no parameters ($name or ?).")
        return Sql(text, self.line)
