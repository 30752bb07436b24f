"""`python -m tests.python.landing.broken_inputs`: try every kind, and print how each ends."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import click

from . import KINDS
from .running import SALT, Attempt, warehouse_with_something


@click.command()
@click.option(
    "--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True, help="May be given often."
)
@click.option("--only", default="", metavar="TEXT", help="Only kinds whose name has this text.")
def main(seeds: tuple[int, ...], only: str) -> None:
    """Try every kind of broken input with each seed; exit code 1 if one does not end as it must."""
    os.environ["TENURE_HASH_SALT"] = SALT
    os.environ.pop("TENURE_DATA", None)
    logging.disable(logging.CRITICAL)
    failed = []
    for seed in seeds:
        counts: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            before = warehouse_with_something(Path(folder) / "before")
            for number, (name, kind) in enumerate(KINDS.items()):
                if only not in name:
                    continue
                try:
                    attempt = Attempt([kind], seed, Path(folder) / str(number), before)
                    outcome = attempt.check(kind)
                    attempt.check_again()
                except Exception as error:
                    outcome = "FAILED"
                    failed.append((seed, name, error))
                counts[outcome] += 1
                click.echo(f"{seed:>6}  {outcome:<16}  {name}")
        click.echo(
            f"seed {seed}: {sum(counts.values())} kinds: {', '.join(f'{n} {o}' for o, n in counts.items())}\n"
        )
    for seed, name, error in failed:
        click.echo(f"--- {name}, seed {seed}")
        click.echo("".join(traceback.format_exception(error))[-2500:])
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
