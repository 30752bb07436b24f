"""From files to rows: each new unit is loaded, and its mapping run in the locked sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scripts.contract.raw_tables import Table
from scripts.core.errors import LandingError
from scripts.core.progress import LOGGER
from scripts.landing.adapters import Adapter, Files, Postgres
from scripts.landing.formats.workspace import LoadedInput
from scripts.landing.inputs import Inputs
from scripts.landing.mapping import columns_named, run_mapping
from scripts.landing.sandbox import Sandbox
from scripts.landing.units import Unit, tables_of


@dataclass(frozen=True)
class MappedUnit:
    """A unit whose rows the sandbox holds. `rows_read` are those of its mapping and its broken lines."""

    unit: Unit
    loaded: LoadedInput
    rows_read: int

    @property
    def table(self) -> Table:
        return self.unit.table


def load_units(
    units: Sequence[Unit], inputs: Inputs, sandbox: Sandbox, note: Callable[[str], None]
) -> list[tuple[Unit, LoadedInput]]:
    """Load all inputs, joined ones too; the sandbox is locked afterwards."""
    for table in tables_of(units):
        LOGGER.info("Reading %s: %d new or changed", table.name, sum(unit.table is table for unit in units))
    result = []
    for unit in units:
        loaded = inputs.load(unit.mapping.input, unit.source_file)
        if not loaded.rows and unit.rows_before:
            raise LandingError(
                f"{unit.source_file}: has no rows, and had {unit.rows_before} when it was landed before. "
                "Deliver it again; nothing was changed."
            )
        if not loaded.rows:
            note(f"{unit.table.name}: {unit.source_file} has no rows")
        for _, source, file in inputs.joined_files(unit.mapping):
            joined = inputs.load(source, file)
            if joined.broken:
                raise LandingError(
                    f"{file}: {sandbox.workspace.first_broken(joined)}. A joined input must be whole, else "
                    f"{unit.table.name} would be wrong without a sign: mend it."
                )
        result.append((unit, loaded))
    sandbox.lock()
    return result


def map_units(
    units: Sequence[tuple[Unit, LoadedInput]], inputs: Inputs, sandbox: Sandbox, note: Callable[[str], None]
) -> list[MappedUnit]:
    """Run the mapping of each unit."""
    noted: set[Files | Postgres] = set()
    result = []
    adapter = inputs.adapter
    for unit, loaded in units:
        mapping = unit.mapping
        mapped = run_mapping(
            sandbox,
            mapping,
            adapter.path,
            unit.number,
            unit.source_file,
            loaded,
            inputs.joins(mapping),
            adapter.max_mapping_minutes * 60,
        )
        rows_read = mapped + loaded.broken
        if not rows_read and unit.rows_before:
            raise LandingError(
                f"{unit.table.name}: {unit.source_file} gives no rows by its mapping, and gave "
                f"{unit.rows_before} when it was landed before; nothing was changed."
            )
        if mapping.input not in noted:
            noted.add(mapping.input)
            _note_unused(adapter, mapping.input, unit.source_file, loaded, note)
        result.append(MappedUnit(unit, loaded, rows_read))
    sandbox.require_whole_files()
    return result


def _note_unused(
    adapter: Adapter, source: Files | Postgres, file: str, loaded: LoadedInput, note: Callable[[str], None]
) -> None:
    """Tell which columns no mapping of these files names: an export may have grown."""
    text = "\n".join(
        sql.text
        for mapping in adapter.mappings
        if mapping.input == source
        for sql in (*mapping.columns.values(), mapping.where, mapping.query)
        if sql
    )
    named = columns_named(text, loaded.columns)
    unused = [column for column in loaded.columns if column not in named]
    if unused:
        shown = ", ".join(unused[:8]) + (" …" if len(unused) > 8 else "")
        note(f"{file}: columns that no mapping uses: {shown}")
