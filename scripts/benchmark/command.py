"""`python -m scripts benchmark`."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from scripts.benchmark import value_models
from scripts.benchmark.report import failures, report, side_by_side
from scripts.benchmark.running import DEMO, PARTS, Wanted, run
from scripts.core.errors import CheckFailedError, ConfigurationError
from scripts.core.progress import start_logging
from scripts.core.runs import write_json


def customers_of(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, int | None]:
    """A size by its name or as a number of customers; None for the demo."""
    text = value.lower().replace("_", "").replace(",", "")
    if text == DEMO:
        return DEMO, None
    number = re.fullmatch(r"(\d+)([km]?)", text)
    if number and int(number[1]) > 0:
        return text, int(number[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[number[2]]
    raise click.BadParameter(f"{value!r} is neither a number nor like {DEMO}, 100k or 1m.")


@click.command("benchmark")
@click.argument("what", type=click.Choice(["night", "clv", "coverage"]), default="night")
@click.option(
    "--customers",
    "size",
    callback=customers_of,
    default="100k",
    show_default=True,
    metavar="SIZE",
    help=f"{DEMO}, a number, or one like 100k, 1m, 10m. Default: of clv 1m, of coverage 4000.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the random numbers."
)
@click.option(
    "--relationships",
    "has_relationships",
    is_flag=True,
    help="A tenth of the customers also subscribe, use the product, answer surveys and open tickets.",
)
@click.option(
    "--skip",
    "skipped",
    type=click.Choice(PARTS),
    multiple=True,
    help="Leave a part out; may be given several times.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where files and warehouse are written, and stay. Default: a temporary folder that goes.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The result as JSON."
)
@click.option(
    "--compare",
    "compared",
    nargs=2,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="A.json B.json",
    help="Measure nothing: print two results side by side.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="Companies made up for coverage.",
)
def benchmark_command(
    what: str,
    size: tuple[str, int | None],
    seed: int,
    has_relationships: bool,
    skipped: tuple[str, ...],
    work: Path | None,
    out: Path | None,
    compared: tuple[Path, Path] | None,
    seeds: int,
) -> None:
    """Measure what a night costs at a size, and hold its marts against plain SQL over the same files.

    \b
    night     a made-up company, a full night, one more day; beside it the same answers as hand-written SQL
              (exit code 1: the marts differ), as plain pandas, and value models as lifetimes fits them
    clv       the value models alone: seconds, memory and parameters, beside lifetimes
    coverage  many small companies: how often the 95 % intervals hold what was planted

    Times on a busy machine mean little: the load before and after stands in the result.
    """
    if compared:
        one, other = (_read(path) for path in compared)
        click.echo(side_by_side(one, other))
        return
    start_logging()
    name, customers = size
    if what != "night" and (customers is None or has_relationships or skipped or work):
        raise click.UsageError(f"{what} knows --customers as a number, --seed and --out only.")
    try:
        if what == "coverage":
            result, text = {}, value_models.check_coverage(_given(customers, 4_000), seed, seeds)
        elif what == "clv":
            result = value_models.measure(_given(customers, 1_000_000), seed)
            text = value_models.speed_report(result)
        else:
            with ExitStack() as stack:
                folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
                if folder.exists() and any(folder.iterdir()):
                    raise ConfigurationError(f"{folder} is not empty: name a new folder with --work.")
                parts = tuple(part for part in PARTS if part not in skipped)
                result = run(Wanted(name, customers, seed, has_relationships, parts, folder.resolve()))
            text = report(result)
    except MemoryError as error:
        raise ConfigurationError("Not enough memory; ask for fewer with --customers.") from error
    if out is not None:
        write_json(out.resolve(), result)
    click.echo(text)
    wrong = failures(result)
    if wrong:
        raise CheckFailedError("The marts do not say what the floor says:\n" + "\n".join(wrong))


def _given(customers: int | None, default: int) -> int:
    """The number on the command line; without one that of the part, which is not that of a night."""
    source = click.get_current_context().get_parameter_source("size")
    return default if source is click.core.ParameterSource.DEFAULT or customers is None else customers


def _read(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path} is no JSON: {error}.") from error
    if not isinstance(result, dict) or "ratios" not in result or "size" not in result:
        raise ConfigurationError(f"{path} is no result of a benchmark: write one with --out.")
    return result
