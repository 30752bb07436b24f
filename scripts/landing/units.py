"""What is to be landed: one unit for each file and table, found, identified, and held against the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scripts.contract.raw_tables import TABLES, Table
from scripts.core.errors import ConfigurationError, LandingError
from scripts.landing.adapters import Postgres, TableMapping
from scripts.landing.files import find_files
from scripts.landing.inputs import Inputs
from scripts.landing.ledger import Ledger
from scripts.personal_data.patterns import without_addresses
from scripts.personal_data.suppression import REMAINDER_FILE


@dataclass(frozen=True)
class Unit:
    """One file (or relation) for one table: what is landed, skipped or corrected as a whole.

    The hashes stand there once it is identified, the numbers once it is known to be new: `number` within
    this landing, `sequence` among all files ever landed. `rows_before` is None if it never was.
    """

    mapping: TableMapping
    source_file: str
    content_hash: str = ""
    mapping_hash: str = ""
    number: int = 0
    sequence: int = 0
    rows_before: int | None = None

    @property
    def table(self) -> Table:
        return self.mapping.table

    @property
    def key(self) -> tuple[str, str]:
        """How the ledger knows it."""
        return self.table.name, self.source_file


def find_units(inputs: Inputs, note: Callable[[str], None]) -> list[Unit]:
    """Every file and relation that the adapter names, in the adapter's order; `note` takes messages."""
    units: list[Unit] = []
    seen: dict[tuple[str, str], TableMapping] = {}
    for mapping in inputs.adapter.mappings:
        name = f"{inputs.adapter.path}:{mapping.line}: {mapping.table.name}"
        if isinstance(mapping.input, Postgres):
            found = [mapping.input.source_file]
        else:
            found = find_files(inputs.folder, mapping.input, name)
            if not found:
                note(f"{mapping.table.name}: no files ({', '.join(mapping.input.patterns)})")
        for file in found:
            if without_addresses(file) != file:
                raise LandingError(
                    f"{name}: the file {without_addresses(file)} has an e-mail address in its name, which "
                    "would stand in every row and record: rename it. Nothing was changed."
                )
            unit = Unit(mapping, file)
            if unit.key in seen:
                raise ConfigurationError(
                    f"{name}: {file} is named by the entry of line {seen[unit.key].line} already; "
                    "let one query give all its rows (`union all`)."
                )
            seen[unit.key] = mapping
            units.append(unit)
    return units


def identified(units: Sequence[Unit], inputs: Inputs, salt: str) -> list[Unit]:
    """The units with their content and mapping hashes. Reads each file once, fetches relations."""
    salt_hash = hashlib.sha256(b"salt" + salt.encode()).hexdigest()
    mapping_hashes: dict[int, str] = {}
    result = []
    for unit in units:
        mapping = unit.mapping
        if id(mapping) not in mapping_hashes:
            content = [
                (name, file, inputs.content_hash(source, file))
                for name, source, file in inputs.joined_files(mapping)
            ]
            # Another salt gives other hashes, another joined file other rows.
            mapping_hashes[id(mapping)] = hashlib.sha256(
                repr((mapping.mapping_hash, salt_hash, content)).encode()
            ).hexdigest()
        content_hash = inputs.content_hash(mapping.input, unit.source_file)
        result.append(replace(unit, content_hash=content_hash, mapping_hash=mapping_hashes[id(mapping)]))
    return result


def new_units(units: Sequence[Unit], ledger: Ledger) -> list[Unit]:
    """Those that the ledger does not know as they are, numbered. A file keeps its place of first delivery."""
    sequence = max((line.file_sequence for line in ledger.values()), default=0)
    new: list[Unit] = []
    for unit in units:
        line = ledger.get(unit.key)
        if line and (line.content_hash, line.mapping_hash) == (unit.content_hash, unit.mapping_hash):
            continue
        sequence += line is None
        new.append(
            replace(
                unit,
                number=len(new) + 1,
                sequence=line.file_sequence if line else sequence,
                rows_before=line.rows_read if line else None,
            )
        )
    return new


def note_gone(units: Sequence[Unit], ledger: Ledger, note: Callable[[str], None]) -> None:
    """Tell which files are no longer delivered, though their rows are kept."""
    named = {unit.key for unit in units} | {(table, REMAINDER_FILE) for table in TABLES}
    for table in TABLES:
        gone = sorted(file for name, file in ledger if name == table and (name, file) not in named)
        if gone:
            more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
            note(f"{table}: kept the rows of {gone[0]}{more}, which is no longer delivered")


def tables_of(units: Sequence[Unit]) -> list[Table]:
    """The tables of some units, each once, in the contract's order."""
    names = {unit.table.name for unit in units}
    return [table for name, table in TABLES.items() if name in names]
