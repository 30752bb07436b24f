"""The inputs of one landing: each file fingerprinted and loaded once, however many tables it fills."""

from __future__ import annotations

from pathlib import Path

from scripts.core.progress import LOGGER
from scripts.landing.adapters import Adapter, Files, Postgres, TableMapping
from scripts.landing.files import find_files, path_of
from scripts.landing.fingerprints import Fingerprint, fingerprint
from scripts.landing.formats.workspace import LoadedInput
from scripts.landing.sandbox import Sandbox


class Inputs:
    """Files below `folder` and relations of Postgres, as they get into the sandbox."""

    def __init__(self, adapter: Adapter, folder: Path, sandbox: Sandbox) -> None:
        self.adapter = adapter
        self.folder = folder
        self._sandbox = sandbox
        self._found: dict[Files, list[str]] = {}
        self._fingerprints: dict[tuple[str, str, str], Fingerprint] = {}
        self._relations: dict[Postgres, tuple[LoadedInput, str]] = {}
        self._files: dict[object, LoadedInput] = {}

    def content_hash(self, source: Files | Postgres, file: str) -> str:
        """The hash of what an input holds. A relation is fetched for it."""
        if isinstance(source, Postgres):
            return self._relation(source)[1]
        return self._fingerprint(source, file).content_hash

    def load(self, source: Files | Postgres, file: str) -> LoadedInput:
        """The input in the scratch file."""
        if isinstance(source, Postgres):
            return self._relation(source)[0]
        file_format = source.format_of(file)
        key = (file, file_format.name, source.encoding, source.options_of(file_format))
        if key not in self._files:
            self._files[key] = self._sandbox.load_file(
                path_of(self.folder, file), file, file_format, source, self._fingerprint(source, file)
            )
        return self._files[key]

    def joined_files(self, mapping: TableMapping) -> list[tuple[str, Files | Postgres, str]]:
        """What the joins of a mapping read, as (name of the join, input, file)."""
        return [
            (name, source, file)
            for name, source in mapping.joins.items()
            for file in self._files_of(source, f"{mapping.table.name}.join.{name}")
        ]

    def joins(self, mapping: TableMapping) -> dict[str, LoadedInput]:
        """The joined inputs of a mapping by name, each as one."""
        parts: dict[str, list[LoadedInput]] = {name: [] for name in mapping.joins}
        for name, source, file in self.joined_files(mapping):
            parts[name].append(self.load(source, file))
        return {name: _union(loaded) for name, loaded in parts.items()}

    def _files_of(self, source: Files | Postgres, what: str) -> list[str]:
        if isinstance(source, Postgres):
            return [source.source_file]
        if source not in self._found:
            self._found[source] = find_files(self.folder, source, f"{self.adapter.path}: {what}")
        return self._found[source]

    def _relation(self, source: Postgres) -> tuple[LoadedInput, str]:
        if source not in self._relations:
            LOGGER.info("Fetching %s", source.source_file)
            self._relations[source] = self._sandbox.load_postgres(source)
        return self._relations[source]

    def _fingerprint(self, source: Files, file: str) -> Fingerprint:
        file_format = source.format_of(file)
        key = (file, file_format.name, source.encoding)
        if key not in self._fingerprints:
            self._fingerprints[key] = fingerprint(
                path_of(self.folder, file), file, file_format, source.encoding
            )
        return self._fingerprints[key]


def _union(inputs: list[LoadedInput]) -> LoadedInput:
    return LoadedInput(
        tuple(table for one in inputs for table in one.tables),
        tuple(dict.fromkeys(column for one in inputs for column in one.columns)),
        sum(one.rows for one in inputs),
    )
