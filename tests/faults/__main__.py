"""`python -m tests.faults`: kills, a full disk and readers, for as long as one likes."""

from __future__ import annotations

import pickle
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.faults.full_disk import enter_namespace, fill, mount, random_fillings, why_no_disk
from tests.faults.injection import why_impossible
from tests.faults.kills import Trial, kill, random_trials
from tests.faults.month import nights
from tests.faults.readers import disturb
from tests.faults.stage import Stage
from tests.faults.verdicts import ViolationError


def say(text: str) -> None:
    """A line with the time, at once."""
    click.echo(f"{time.strftime('%H:%M:%S')} {text}")
    sys.stdout.flush()


@contextmanager
def work_folder(work: Path | None) -> Iterator[Path]:
    """A folder for the run: the given one, which stays, or a temporary one, which stays after a violation."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        yield work
        return
    folder = Path(tempfile.mkdtemp(prefix="tenure-faults-"))
    try:
        yield folder
    except ViolationError:
        say(f"What it left: {folder}")
        raise
    shutil.rmtree(folder)


def prepared(folder: Path, customers: int) -> Stage:
    """The nights without a fault, those of a former run in this folder if there are any."""
    kept = folder / "stage.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())  # noqa: S301
    stage = Stage(folder, customers)
    stage.prepare(say)
    kept.write_bytes(pickle.dumps(stage))
    return stage


@contextmanager
def possible() -> Iterator[None]:
    """Say why where it is not, and turn a violation into exit code 1."""
    reason = why_impossible()
    if reason:
        raise click.ClickException(f"Not possible here: {reason}.")
    try:
        yield
    except ViolationError as violation:
        say(f"VIOLATION: {violation}")
        sys.exit(1)


work_option = click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to work; its nights without a fault are used again. Default: a temporary folder.",
)
seed_option = click.option(
    "--seed", type=int, default=1, show_default=True, help="For the choice of the points."
)
minutes_option = click.option("--minutes", type=float, default=10, show_default=True, help="For how long.")
customers_option = click.option(
    "--customers", type=int, default=80, show_default=True, help="How big the company is."
)


@click.group()
def cli() -> None:
    """Faults on purpose. Ends 1 at the first thing that does not hold, and says how to see it again."""


@cli.command("kill")
@minutes_option
@seed_option
@customers_option
@work_option
@click.option("--only", metavar="STEP:ACTION:POINT[,POINT]", help="One kill again, as the report names it.")
def kill_command(minutes: float, seed: int, customers: int, work: Path | None, only: str | None) -> None:
    """Kill nights and single steps at random points, and see that the next run mends it all."""
    with possible(), work_folder(work) as folder:
        stage = prepared(folder, customers)
        say(f"points of a night by phase: {stage.points_of_phases()}")
        say(f"seed {seed}, {customers} customers")
        end = time.monotonic() + minutes * 60
        counts: Counter[str] = Counter()
        trials = iter([Trial.parse(only)]) if only else random_trials(stage, seed)
        for number, trial in enumerate(trials, start=1):
            if time.monotonic() > end and not only:
                break
            try:
                survived = kill(stage, trial, folder / "trial")
            except ViolationError:
                say(f"Again: python -m tests.faults kill --customers {customers} --only {trial}")
                raise
            for phase, point, seen in zip(survived.phases, survived.points, survived.readers, strict=True):
                where = str(point) if point else "ended before"
                say(f"{number} {trial.step}, {trial.action}: phase {phase}, {where}; readers have {seen}")
                counts[f"{trial.step}/{phase}" if trial.step == "night" else phase] += 1
            orphan = f", {survived.retries} times told to wait" if survived.retries else ""
            say(f"{number} the next run: as undisturbed{orphan}")
        say(f"survived {counts.total()} kills: {dict(sorted(counts.items()))}")


@cli.command("disk-full")
@minutes_option
@seed_option
@customers_option
@work_option
@click.option("--only", metavar="STEP:fill:POINT", help="One filling again, as the report names it.")
def disk_full_command(minutes: float, seed: int, customers: int, work: Path | None, only: str | None) -> None:
    """Fill the disk during nights and single steps, and see that the message is clear and nothing is lost."""
    reason = why_no_disk()
    if reason:
        raise click.ClickException(f"Not possible here: {reason}.")
    enter_namespace()
    with possible(), work_folder(work) as folder:
        stage = prepared(folder, customers)
        disk = mount(folder / "disk")
        say(f"seed {seed}, {customers} customers")
        end = time.monotonic() + minutes * 60
        counts: Counter[str] = Counter()
        trials = iter([Trial.parse(only)]) if only else random_fillings(stage, seed)
        for number, trial in enumerate(trials, start=1):
            if time.monotonic() > end and not only:
                break
            try:
                filled = fill(stage, trial, disk, folder / "trial")
            except ViolationError:
                say(f"Again: python -m tests.faults disk-full --customers {customers} --only {trial}")
                raise
            where = str(filled.point) if filled.point else "ended before"
            say(
                f"{number} {trial.step}: phase {filled.phase}, {where}; exit code {filled.exit_code}; "
                f"readers have {filled.readers}; the next run: as undisturbed"
            )
            if only:
                say(filled.message)
            counts[f"{trial.step}, exit code {filled.exit_code}"] += 1
        say(f"survived {counts.total()} full disks: {dict(sorted(counts.items()))}")


@cli.command("readers")
@minutes_option
@seed_option
@customers_option
@work_option
def readers_command(minutes: float, seed: int, customers: int, work: Path | None) -> None:
    """Read all the time while publications come, go, die half-way and are cleaned up."""
    with possible(), work_folder(work) as folder:
        stage = prepared(folder, customers)
        say(f"seed {seed}, {customers} customers")
        (folder / "trial").mkdir(exist_ok=True)
        try:
            counts = disturb(stage, folder / "trial", minutes, seed, say)
        except ViolationError:
            say(f"Again: python -m tests.faults readers --customers {customers} --seed {seed}")
            raise
        say(f"{dict(counts)}")


@cli.command("month")
@click.option("--days", type=int, default=30, show_default=True, help="Nights after the first.")
@seed_option
@customers_option
@work_option
def month_command(days: int, seed: int, customers: int, work: Path | None) -> None:
    """Daily deliveries with all that happens in a month: each night's marts against a full refresh."""
    say(f"seed {seed}, {customers} customers, {days} nights after the first")
    with work_folder(work) as folder:
        compared = 0
        for night in nights(folder, days, customers, seed, compare=lambda _: True, tested=True):
            what = ", ".join(night.events) or "an ordinary day"
            anew = f"; computed anew: {len(night.computed_anew)} models" if night.computed_anew else ""
            say(f"{night.day} {what}: touched {night.touched_share:.0%} of the customers{anew}")
            if night.differences:
                say(f"VIOLATION: rows that differ from a full refresh: {night.differences}")
                sys.exit(1)
            compared += 1
        say(f"{compared} nights, each equal to a full refresh, row for row")


if __name__ == "__main__":
    cli()
