"""`new-source`: a starter adapter from a folder of exports.

It looks at the files, guesses what they are and writes an adapter that usually lands as it is. What it
does not know it leaves as a comment to choose from: a wrong guess would be worse than none.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections import Counter
from pathlib import Path

import click
import duckdb

from scripts.core.errors import ConfigurationError
from scripts.core.settings import Settings
from scripts.starter.guessing import Guess, Guesses, guess
from scripts.starter.known_exports import KnownFile, find_known
from scripts.starter.profiling import (
    Profile,
    decimal_hint,
    is_day_first,
    profile,
    settle_dates,
    settle_numbers,
)
from scripts.starter.scanning import FileGroup, Unreadable, scan
from scripts.starter.vocabulary import fold, word_set
from scripts.starter.writing import Adapter, adapter

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
# Words of headers in languages that write the day before the month. English tells nothing.
_DAY_FIRST_WORDS = word_set(
    "datum kunde kundennummer bestellung bestelldatum betrag status commande client montant fecha "
    "pedido cliente ngay khach hang don tien gesamtbetrag menge preis"
) - {"status", "client"}
_MONTH_FIRST_CURRENCIES = frozenset({"USD"})


@click.command()
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="The folder with your exports.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Where to write the adapter. Default: sources/NAME.yml."
)
@click.option("--force", is_flag=True, help="Write over an adapter that is there already.")
def new_source_command(name: str, data: Path, to: Path | None, force: bool) -> None:
    """Write a starter adapter NAME for a folder of exports: CSV, Excel, Parquet or JSON lines, also
    compressed (.gz).

    It guesses which file is which table and which column is which, and marks with CHOOSE what you should
    look at. No file of yours is changed.
    """
    settings = Settings.from_environment()
    click.echo(new_source(settings, name, data, to, force))


def new_source(settings: Settings, name: str, data: Path, to: Path | None = None, force: bool = False) -> str:
    """Write the adapter and return the report for the terminal; ConfigurationError when that is not
    possible.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name for a source: use letters, digits, _ and - (for example my-shop), at "
            f"most 63."
        )
    folder = data.expanduser().resolve()
    if not folder.is_dir():
        what = "is a file; give the folder it lies in" if folder.exists() else "does not exist"
        raise ConfigurationError(f"--data {data}: {what}.")
    target = to.expanduser().resolve() if to else settings.project_root / "sources" / f"{name}.yml"
    if target.suffix not in (".yml", ".yaml"):
        raise ConfigurationError(f"--to {to}: an adapter is a file that ends in .yml.")
    if target.exists() and not force:
        raise ConfigurationError(
            f"{target} is there already; --force writes over it, --to writes another file."
        )
    groups, unreadable = scan(folder)
    profiles = _profiles(groups)
    known = find_known(groups, profiles)
    guesses = _guesses(groups, profiles, known)
    if not known and not guesses.tables and not guesses.incomplete:
        raise ConfigurationError(_nothing_recognised(folder, groups, unreadable))
    by_group = {id(group): columns for group, columns in zip(groups, profiles, strict=True)}
    written = adapter(name, known, guesses, by_group, unreadable, folder, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # In one step: an interrupted run leaves no half of an adapter.
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        partial.write_text(written.text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror or error}.") from error
    return _report(known, guesses, written, unreadable, target, settings, name, data)


def _guesses(groups: list[FileGroup], profiles: list[list[Profile]], known: list[KnownFile]) -> Guesses:
    """What the other files may be; a table that a known export gives is given."""
    others = [
        (group, columns)
        for group, columns in zip(groups, profiles, strict=True)
        if not any(one.group is group for one in known)
    ]
    guesses = guess([group for group, _ in others], [columns for _, columns in others])
    given = {table for one in known for table in one.tables}
    double = [one for name, one in guesses.tables.items() if name in given]
    return Guesses(
        {name: one for name, one in guesses.tables.items() if name not in given},
        [one for one in guesses.incomplete if one.table.name not in given],
        [
            *guesses.unused,
            *(group for one in double for group in (one.group, *one.merged)),
            *(one.group for one in guesses.incomplete if one.table.name in given),
        ],
    )


def _profiles(groups: list[FileGroup]) -> list[list[Profile]]:
    """Profile every column, then settle what one column alone leaves open by what the others write."""
    with duckdb.connect() as connection:
        profiles = [profile(group, connection) for group in groups]
    everything = [column for columns in profiles for column in columns]
    all_hints = [hint for column in everything if (hint := decimal_hint(column))]
    decided = Counter(
        day_first
        for column in everything
        if column.dates
        and not column.dates.other_formats
        and (day_first := is_day_first(column.dates)) is not None
    )
    words = {word for column in everything for word in fold(column.name).split()}
    currencies = {value.upper() for column in everything if column.is_currency for value in column.counts}
    likely_day_first = bool(words & _DAY_FIRST_WORDS) or not currencies & _MONTH_FIRST_CURRENCIES
    for columns in profiles:
        own_hints = [hint for column in columns if (hint := decimal_hint(column))]
        settle_numbers(columns, own_hints or all_hints)
        own = Counter(
            day_first
            for column in columns
            if column.dates
            and not column.dates.other_formats
            and (day_first := is_day_first(column.dates)) is not None
        )
        settle_dates(columns, day_first=own or decided, likely_day_first=likely_day_first)
    return profiles


def _nothing_recognised(folder: Path, groups: list[FileGroup], unreadable: list[Unreadable]) -> str:
    """What was seen and what is needed at least."""
    lines = [f"Nothing in {folder} looks like orders or subscriptions, so no adapter was written."]
    if not groups and not unreadable:
        lines.append("The folder holds no files.")
    else:
        lines.append("Files seen:")
    for group in groups[:30]:
        columns = ", ".join(group.layout.columns[:10]) + (", …" if len(group.layout.columns) > 10 else "")
        header = "" if group.layout.has_header else "no header line (add one that names the columns); "
        lines.append(f"  {group.label}: {header}columns {columns}")
    lines += [f"  {one.file}: {one.why}" for one in unreadable[:30]]
    hidden = max(len(groups) - 30, 0) + max(len(unreadable) - 30, 0)
    if hidden:
        lines.append(f"  and {hidden} more")
    lines += [
        "Needed at least, as CSV or Excel with a header line, Parquet or JSON lines:",
        "  orders: an order number, a date and an amount (better also a customer number), or",
        "  subscriptions: a subscription number, a customer number, a price, "
        "week/month/quarter/year and a start date.",
        "Names of files and columns that say so help: orders.csv with order_id, customer_id, "
        "order_date, total.",
    ]
    return "\n".join(lines)


def _report(
    known: list[KnownFile],
    guesses: Guesses,
    written: Adapter,
    unreadable: list[Unreadable],
    target: Path,
    settings: Settings,
    name: str,
    data: Path,
) -> str:
    rows = [("files", "table", "columns", "confidence", "look at")]
    for file in known:
        export = file.export
        for table in file.tables:
            sure = "headers unverified" if export.unverified else "known"
            rows.append((file.group.label, table, "-", sure, f"{export.system}, {export.name} export"))
    for one in guesses.tables.values():
        rows.append((_label(one), one.table.name, _matched(one), _confidence(one), _looks(written, one)))
    for one in guesses.incomplete:
        rows.append(
            (_label(one), f"{one.table.name}?", _matched(one), "-", f"missing: {', '.join(one.missing)}")
        )
    rows += [(group.label, "-", "-", "-", "not recognised") for group in guesses.unused]
    rows += [(one.file, "-", "-", "-", one.why) for one in unreadable]
    widths = [min(max(len(row[i]) for row in rows), 48) for i in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + f"  {row[4]}"
        for row in rows
    ]
    shown = _short(target)
    lines += ["", f"Wrote {shown}"]
    given = {*guesses.tables, *(table for file in known for table in file.tables)}
    if not {"orders", "subscriptions"} & given:
        lines.append(
            "It cannot be used yet: orders or subscriptions are needed. Fill the question marks in the "
            "file, then:"
        )
    else:
        choices, open_questions = written.text.count("CHOOSE:"), written.questions
        if open_questions:
            lines.append(
                f"{open_questions} question{'s' if open_questions != 1 else ''} under `undecided:` must be "
                "answered before anything lands: the numbers depend on it."
            )
        lines.append(f"Look at its {choices} line{'s' if choices != 1 else ''} marked CHOOSE, then:")
    lines += [f"  {command}" for command in _next_commands(target, settings, name, data)]
    return "\n".join(lines)


def _next_commands(target: Path, settings: Settings, name: str, data: Path) -> list[str]:
    """What to type next, in the project root.

    With a warehouse of its own: one holds one company, and the default one may hold the demo.
    """
    root = settings.project_root.resolve()
    python = Path(sys.executable)
    if python.is_relative_to(root):
        interpreter = shlex.quote(python.relative_to(root).as_posix())
    else:
        interpreter = "python"
    adapter_file = target.relative_to(root) if target.is_relative_to(root) else target
    # A relative path is meant from here, which need not be the project root.
    folder = data if Path.cwd() == root else data.expanduser().resolve()
    start = f"TENURE_WAREHOUSE=~/{name} {interpreter} -m scripts"
    rest = f"--source {shlex.quote(adapter_file.as_posix())} --data {shlex.quote(str(folder))}"
    return [f"{start} land {rest}", f"{start} nightly {rest}"]


def _label(one: Guess) -> str:
    extra = len(one.merged)
    return one.group.label + (f" (+{extra})" if extra else "")


def _matched(one: Guess) -> str:
    return f"{len(one.matches) + len(one.derived)} of {len(one.table.column_names)}"


def _confidence(one: Guess) -> str:
    return "high" if one.confidence >= 0.9 else "medium" if one.confidence >= 0.75 else "low"


def _looks(written: Adapter, one: Guess) -> str:
    looks = list(dict.fromkeys(written.looks.get(one.table.name, ())))
    return "; ".join(looks) or "-"


def _short(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
