"""`python -m scripts demo-data`: write the demo company, unless it is there already."""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from pathlib import Path

import click
import numpy as np

from scripts.core.errors import CheckFailedError, ConfigurationError
from scripts.core.locking import warehouse_lock
from scripts.core.settings import PROJECT_ROOT, Settings
from scripts.demo.company import generate
from scripts.demo.comparison import compare, table
from scripts.demo.deliveries import LAYOUTS, write_company
from scripts.demo.parameters import Parameters
from scripts.demo.truth import write_truth

# Lies in the folder of the data: what was asked for, and which files are ours.
STAMP = "demo-data.json"


def _stamp_of(parameters: Parameters) -> dict[str, object]:
    """What the files depend on: the parameters, the generator's own code, and numpy's random streams."""
    code = hashlib.sha256()
    this_command = Path(__file__)
    for path in sorted(this_command.parent.glob("*.py")):
        if path != this_command:
            code.update(path.read_bytes())
    return {**parameters.as_dict(), "generator": code.hexdigest()[:16], "numpy": np.__version__}


def _read_stamp(path: Path) -> dict[str, object]:
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_demo_data(directory: Path, parameters: Parameters) -> bool:
    """Write the company's files and `truth/` into `directory`; False if they are there already.

    Files of an earlier demo are removed first. Raises ConfigurationError for a folder with anything else in
    it: a company's own exports are not overwritten.
    """
    stamp_path = directory / STAMP
    stamp = _read_stamp(stamp_path)
    wanted = _stamp_of(parameters)
    files = [directory / name for name in stamp.get("files", [])]  # type: ignore[attr-defined]
    if (
        {**stamp, "files": None} == {**wanted, "files": None}
        and all(path.is_file() for path in files)
        and files
    ):
        return False
    if not stamp_path.is_file() and directory.is_dir() and any(directory.iterdir()):
        raise ConfigurationError(
            f"{directory} is not empty and holds no {STAMP}, so it is not demo data. "
            "Name another folder with --to."
        )
    directory.mkdir(parents=True, exist_ok=True)
    # By pattern, not by the stamp's list: what an interrupted run left is on no list.
    for pattern in [*(layout.path.replace("{day}", "*") for layout in LAYOUTS.values()), "truth/*"]:
        for path in directory.glob(pattern):
            path.unlink()
    # Until the files are complete the stamp claims none: an interrupted run is done again.
    stamp_path.write_text("{}\n", encoding="utf-8")
    company = generate(parameters)
    written = write_company(directory, company)
    written += write_truth(directory, company)
    wanted["files"] = [path.relative_to(directory).as_posix() for path in written]
    stamp_path.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    return True


def check_demo_data(directory: Path, settings: Settings) -> None:
    """Print what the warehouse found of what was planted in `directory`.

    Raises CheckFailedError if something is further off than it may be, ConfigurationError if there is
    nothing to compare.
    """
    with warehouse_lock(settings, "demo-data --check"):
        findings = compare(settings.build_database, directory / "truth")
    click.echo(table(findings))
    wrong = [finding.what for finding in findings if not finding.is_recovered]
    if wrong:
        raise CheckFailedError(
            f"{len(wrong)} of {len(findings)} facts of the demo company were not recovered: "
            f"{'; '.join(wrong)}. "
            "The marts are wrong about the data, or about other data than this: were they built after the "
            "last landing?"
        )


@click.command("demo-data")
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=PROJECT_ROOT / "data" / "demo",
    help="Folder to write to. [default: data/demo in the project root, where the adapter `demo` looks]",
)
@click.option(
    "--customers",
    type=click.IntRange(min=1),
    default=Parameters.customers,
    show_default=True,
    help="Sign-ups.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=Parameters.seed,
    show_default=True,
    help="Another seed, another company.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default=Parameters.until.isoformat(),
    show_default=True,
    help="Last day with events; the first is three years earlier.",
)
@click.option(
    "--days",
    type=click.IntRange(0, 365),
    default=Parameters.days,
    show_default=True,
    help="So many last days come in files of their own.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing: hold the built warehouse against the truth in the folder. Exit code 1: they differ.",
)
def demo_data_command(
    directory: Path, customers: int, seed: int, until: datetime, days: int, check: bool
) -> None:
    """Write a made-up company's exports, with the truth about it in the folder `truth`.

    The same options give the same bytes. A second call does nothing.
    """
    if check:
        check_demo_data(directory.resolve(), Settings.from_environment())
        return
    last_day: date = until.date()
    try:
        parameters = Parameters(customers=customers, seed=seed, until=last_day, days=days)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    directory = directory.resolve()
    if write_demo_data(directory, parameters):
        click.echo(f"{customers:,} customers, three years to {last_day}: {directory}")
    else:
        click.echo(f"{directory} is up to date.")
