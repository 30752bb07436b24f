"""What was refused, what the checks have found, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.report.charts.bars import Bar, Part, plot_lying
from scripts.report.language import Language
from scripts.report.picture import Picture, Section, Table
from scripts.report.queries import CONTROL_TOTALS, OPEN_FINDINGS
from scripts.report.reading import Reader

RESULTS = """
    select
        border,
        count(*) filter (status = 'pass') as passed,
        count(*) filter (is_finding) as findings,
        count(*) filter (status = 'no_verdict') as without_verdict,
        count(*) as checks
    from marts.fct_data_quality
    where is_latest
    group by border
    order by case border when 'raw' then 1 when 'build' then 2 else 3 end, border
"""
# What a check saw may name a row, and with it a person: only how many rows it was is told.
FINDINGS = """
    select
        border, table_name, column_name, check_name, severity, rows_affected, consecutive_findings,
        cast(failing_since as date) as failing_since
    from marts.fct_data_quality
    where is_latest and is_finding
    order by failing_since, border, table_name, column_name, check_name
    limit 50
"""


def section(reader: Reader, say: Language) -> Section | None:
    """One picture; None for a publication that was never checked and does not know what was read."""
    results = reader.rows(RESULTS)
    read, rejected = reader.manifest.get("rows_read"), reader.manifest.get("rows_rejected")
    if not results and not read:
        return None
    sentences = []
    if read and rejected is not None:
        sentences.append(
            say(
                "quality.reading_rejects",
                count=rejected,
                rejected=say.number(rejected),
                read=say.number(read),
                share=say.percent(rejected / read, 2),
            )
        )
    if not results:
        sentences.append(say("quality.reading_never"))
    checks = sum(row.checks for row in results)
    (found,) = reader.rows(OPEN_FINDINGS)
    if results and found.findings and found.oldest_since is not None:
        sentences.append(
            say(
                "quality.reading_findings",
                count=found.findings,
                checks=say.number(checks),
                findings=say.number(found.findings),
                new=say.number(found.new_findings),
                since=say.day(found.oldest_since.date()),
            )
        )
    elif results:
        sentences.append(say("quality.reading_none", checks=say.number(checks)))
    unjudged = sum(row.without_verdict for row in results)
    if unjudged:
        sentences.append(say("quality.reading_unjudged", count=unjudged, unjudged=say.number(unjudged)))
    findings = reader.rows(FINDINGS)
    shown = None
    if findings:
        shown = Table(
            say("quality.findings"),
            [
                say("quality.check"),
                say("quality.where"),
                say("quality.rows"),
                say("quality.since"),
                say("quality.consecutive"),
            ],
            [
                [
                    say.in_english(row.check_name),
                    f"{row.border}.{row.table_name}"
                    + ("" if row.column_name == "all" else f".{row.column_name}"),
                    say.number(row.rows_affected),
                    "–" if row.failing_since is None else say.day(row.failing_since),
                    say.number(row.consecutive_findings),
                ]
                for row in findings
            ],
            words=frozenset({0, 1, 3}),
        )
    bars = [
        Bar(
            say(f"quality.border.{row.border}"),
            [
                Part(row.passed, "c1", f"{say('quality.passed')}: {say.number(row.passed)}"),
                Part(row.findings, "c2", f"{say('quality.found')}: {say.number(row.findings)}"),
                Part(
                    row.without_verdict,
                    "faint",
                    f"{say('quality.unjudged')}: {say.number(row.without_verdict)}",
                ),
            ],
            say.number(row.checks),
        )
        for row in results
    ]
    names = [(say("quality.passed"), "c1"), (say("quality.found"), "c2"), (say("quality.unjudged"), "faint")]
    picture = Picture(
        name="quality-checks",
        title=say("quality.picture"),
        reading=" ".join(sentences),
        definition=say("quality.definition"),
        statements=[RESULTS, OPEN_FINDINGS, FINDINGS],
        table=_table(say, results) if results else _table_of_rows(say, read, rejected),
        draw=(lambda name, width: plot_lying(width, bars, names=names)) if results else None,
        shown=shown,
        is_wide=True,
    )
    pictures = [picture, *_control_totals(reader, say)]
    return Section("quality", say("quality.title"), say("quality.introduction"), pictures)


def _control_totals(reader: Reader, say: Language) -> list[Picture]:
    """What the owner's own screen says beside what we say; nothing where nobody wrote it down."""
    if not reader.has("rpt_control_totals"):
        # A publication of an older version.
        return []
    rows = reader.rows(CONTROL_TOTALS)
    if not rows:
        return []

    def told(row: Any, value: float | None) -> str:
        is_money = row.measure in ("gross_sales", "refunds", "net_sales", "mrr")
        # To the cent: that is what is compared.
        return say.exact_money(value, reader.currency) if is_money else say.number(value)

    def table(caption: str, listed: Sequence[Any]) -> Table:
        heads = ("measure", "there", "here", "why")
        return Table(
            caption,
            [say("word.month"), *(say(f"quality.control.{head}") for head in heads)],
            [
                [
                    say.short_month(row.month),
                    say.name("measure", row.measure),
                    told(row, row.control_value),
                    told(row, row.warehouse_value),
                    say("quality.control.agrees") if row.is_agreed else say.in_english(row.explanation),
                ]
                for row in listed
            ],
            words=frozenset({0, 1, 4}),
        )

    differing = [row for row in rows if not row.is_agreed][:12]
    agreed = sum(row.is_agreed for row in rows)
    return [
        Picture(
            name="quality-control-totals",
            title=say("quality.control.title"),
            reading=say(
                "quality.control.reading_all" if agreed == len(rows) else "quality.control.reading",
                count=len(rows),
                agreed=say.number(agreed),
                total=say.number(len(rows)),
            ),
            definition=say("quality.control.definition"),
            statements=[CONTROL_TOTALS],
            table=table(say("quality.control.title"), rows),
            # What differs is to be seen at once.
            shown=table(say("quality.control.differs"), differing) if differing else None,
        )
    ]


def _table(say: Language, results: Sequence[Any]) -> Table:
    return Table(
        say("quality.picture"),
        [say("quality.where"), say("quality.passed"), say("quality.found"), say("quality.unjudged")],
        [
            [
                say(f"quality.border.{row.border}"),
                say.number(row.passed),
                say.number(row.findings),
                say.number(row.without_verdict),
            ]
            for row in results
        ],
    )


def _table_of_rows(say: Language, read: int, rejected: int | None) -> Table:
    return Table(
        say("quality.rows"),
        [say("quality.rows"), say("quality.number")],
        [
            [say("quality.read"), say.number(read)],
            [say("quality.rejected"), say.number(rejected)],
        ],
    )
