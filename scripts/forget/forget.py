"""Forget customers: out of raw, the build and every kept publication, with totals that stay.

What the company sold stays as a remainder that belongs to nobody: each order is a guest's, each subscription
that of a nameless subscriber of its own, each vote of a survey nobody's. Nothing in it says that two of them
were one person's. See docs/decisions.md.

A run that died is finished by the next one: what it was about stands in `warehouse/.forgetting.json` until
all is done.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import click

from scripts.build.dbt_runner import as_of_option
from scripts.core.errors import CheckFailedError, ConfigurationError
from scripts.core.locking import warehouse_lock
from scripts.core.progress import LOGGER, start_logging
from scripts.core.settings import Settings
from scripts.forget.build_file import (
    business_timezone,
    compact,
    empty_change_feed,
    open_build_file,
    rebuild,
    require_space,
)
from scripts.forget.case import (
    Case,
    Removal,
    case_file,
    find_customers,
    marks_of,
    read_case,
    save_case,
    traces_of,
    with_traces,
)
from scripts.forget.publications import is_current, publications_with, remove_former, rewrite_publication
from scripts.forget.raw import remove_from_raw
from scripts.forget.records import redact_records, write_audit
from scripts.forget.report import Forgetting, differences, read_totals, report, report_trial
from scripts.personal_data.salt import read_salt
from scripts.personal_data.search import Search, search
from scripts.personal_data.suppression import add_marks, mark, read_marks


def forget(settings: Settings, customers: list[str], as_of: date | None = None) -> Forgetting:
    """Remove the customers from everything in the warehouse; the caller holds its lock.

    `customers` are ids, or e-mail addresses that stand for one; `as_of` is for the build. Raises
    ConfigurationError for an unknown one (nothing is changed then), and CheckFailedError if the build or a
    check fails, or a trace is left.
    """
    salt = read_salt(settings)
    marks = read_marks(settings, salt)
    unfinished = read_case(settings)
    ids = find_customers(settings, customers, salt, marks, unfinished)
    if unfinished is None and all(mark(salt, "customer", one) in marks for one in ids):
        # They may have come back all the same, by hand or from a backup: then it is all done again.
        found = search(settings.warehouse, traces_of(settings, ids, salt))
        if not found.found:
            return Forgetting(None, len(ids), Removal(), 0, found)
    case = unfinished or Case(())
    case = replace(case, customers=tuple(sorted({*case.customers, *ids})))
    require_space(settings)
    before = read_totals(settings)

    case = with_traces(settings, case, salt)
    save_case(settings, case)
    add_marks(settings, salt, marks_of(case, salt))
    case = _remove_from_build_file(settings, case)
    case, publications = _rewrite_publications(settings, case)
    failure = rebuild(settings, as_of)
    remove_former(settings, case.former)
    empty_change_feed(settings)
    compact(settings)
    redact_records(settings, case.traces)
    found = _require_no_trace(settings, case)
    receipt = write_audit(settings, case, publications, found)
    case_file(settings).unlink()
    if failure is not None:
        LOGGER.warning("They are forgotten everywhere, but the new state was not published.")
        raise failure
    changed = differences(before, read_totals(settings))
    return Forgetting(receipt, len(case.customers), case.removal, publications, found, changed)


def _remove_from_build_file(settings: Settings, case: Case) -> Case:
    """Take the customers out of raw; gives the case with what was removed, which is saved."""
    with open_build_file(settings) as connection:
        removal = remove_from_raw(connection, case, business_timezone(settings, connection))
    case = replace(case, removal=case.removal + removal)
    save_case(settings, case)
    return case


def _rewrite_publications(settings: Settings, case: Case) -> tuple[Case, int]:
    """Make each kept publication anew that shows the customers; gives their number.

    The case remembers which one readers had: that stays as it is until the end of the run.
    """
    number = 0
    for publication in publications_with(settings, case.traces):
        if is_current(settings, publication):
            case = replace(case, former=publication.run_id)
            save_case(settings, case)
        elif publication.run_id == case.former:
            continue
        rewrite_publication(settings, publication, case)
        number += 1
    return case, number


def _require_no_trace(settings: Settings, case: Case) -> Search:
    """Search every file of the warehouse; CheckFailedError if anything of the customers is left."""
    found = search(settings.warehouse, case.traces, skip=[case_file(settings)])
    if found.found:
        raise CheckFailedError(
            f"Traces of the forgotten customers are left: {found}\n"
            "Remove what lies there, then run forget again."
        )
    return found


@click.command()
@click.argument("customer_ids", nargs=-1, metavar="CUSTOMER_ID...")
@click.option(
    "--file",
    "ids_file",
    type=click.File(encoding="utf-8"),
    help="Read ids from a file, one a line; - is standard input, which leaves no trace in a shell's history.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and change nothing.")
@as_of_option
def forget_command(customer_ids: tuple[str, ...], ids_file: Any, dry_run: bool, as_of: date | None) -> None:
    """Remove customers from raw, the build, every kept publication and Parquet.

    CUSTOMER_ID is an id as the exports have it, or an e-mail address. What they bought stays in the totals as
    nobody's. Then the warehouse is built, validated and published, and every file is searched for what is
    left of them. A run that was interrupted is finished by running it again, also without an id.
    """
    start_logging()
    settings = Settings.from_environment()
    given = [*customer_ids, *(line.strip() for line in ids_file or () if line.strip())]
    with warehouse_lock(settings, "forget"):
        if not given and read_case(settings) is None:
            raise ConfigurationError("Whom to forget? Give a customer id: python -m scripts forget C1001.")
        if dry_run:
            click.echo(_trial(settings, given))
            return
        outcome = forget(settings, given, as_of)
    click.echo(report(outcome))
    if outcome.differences:
        LOGGER.warning("forget: totals differ: %s", "; ".join(outcome.differences))


def _trial(settings: Settings, given: list[str]) -> str:
    """What would be removed, as text; raw is changed and changed back."""
    salt = read_salt(settings)
    case = Case(tuple(find_customers(settings, given, salt, read_marks(settings, salt), None)))
    case = with_traces(settings, case, salt)
    with open_build_file(settings) as connection:
        removal = remove_from_raw(connection, case, business_timezone(settings, connection), is_trial=True)
    return report_trial(len(case.customers), removal, len(publications_with(settings, case.traces)))
