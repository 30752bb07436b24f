"""What it may be worth to win customers back; in sums alone, since the report is mailed about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.report.charts.bars import Bar, Part, plot_lying
from scripts.report.language import Language
from scripts.report.picture import Picture, Section, Table
from scripts.report.reading import Reader

CANDIDATES = """
    select
        basis, time_away, min(days_away) as from_days, count(*) as candidates,
        count(expected_value) as known_candidates,
        sum(value_if_back) as value_if_back, sum(expected_value) as expected_value
    from marts.rpt_winback_candidates
    group by basis, time_away
    order by from_days, basis
"""
_COLOURS = {"orders": "c1", "subscription": "c3"}


def section(reader: Reader, say: Language) -> Section | None:
    """One picture; None where nobody has left."""
    rows = reader.rows(CANDIDATES)
    if not rows:
        return None
    total = sum(row.candidates for row in rows)
    known = [row for row in rows if row.expected_value is not None]
    expected = sum(row.expected_value for row in known)
    reading = say("winback.reading_unknown", count=total, total=say.number(total))
    if known:
        reading = say(
            "winback.reading",
            count=total,
            total=say.number(total),
            back=say.money(sum(row.value_if_back or 0 for row in rows), reader.currency),
            expected=say.money(expected, reader.currency),
        )
        best = max(known, key=lambda row: row.expected_value)
        if best.expected_value > 0:
            reading += " " + say(
                "winback.reading_best",
                who=say(f"basis.{best.basis}.who"),
                away=say.name("time_away", best.time_away),
                share=say.percent(best.expected_value / expected),
            )
    unknown = total - sum(row.known_candidates for row in rows)
    picture = Picture(
        name="winback-value",
        title=say("winback.picture"),
        reading=reading,
        definition=say("winback.definition"),
        statements=[CANDIDATES],
        table=Table(
            say("winback.picture"),
            [
                say("winback.away"),
                say("word.who"),
                say("winback.candidates"),
                say("winback.value_if_back"),
                say("winback.expected"),
            ],
            [
                [
                    say.name("time_away", row.time_away),
                    say(f"basis.{row.basis}"),
                    say.number(row.candidates),
                    say.money(row.value_if_back, reader.currency),
                    say.money(row.expected_value, reader.currency),
                ]
                for row in rows
            ],
            words=frozenset({0, 1}),
        ),
        draw=(lambda name, width: plot_lying(width, _bars(reader, say, rows), names=_names(say, rows)))
        if known
        else None,
        notes=[say("winback.note_unknown", count=unknown, unknown=say.number(unknown))]
        if unknown and known
        else [],
    )
    return Section("winback", say("winback.title"), say("winback.introduction"), [picture])


def _bars(reader: Reader, say: Language, rows: Sequence[Any]) -> list[Bar]:
    ages = list(dict.fromkeys(row.time_away for row in rows))
    bars = []
    for age in ages:
        of_age = [row for row in rows if row.time_away == age]
        candidates = sum(row.candidates for row in of_age)
        value = sum(row.expected_value or 0 for row in of_age)
        bars.append(
            Bar(
                say.name("time_away", age),
                [
                    Part(
                        row.expected_value or 0,
                        _COLOURS.get(row.basis, "quiet"),
                        f"{say(f'basis.{row.basis}')}: {say.money(row.expected_value, reader.currency)}",
                    )
                    for row in of_age
                ],
                say(
                    "winback.told",
                    count=candidates,
                    candidates=say.number(candidates),
                    value=say.money(value, reader.currency),
                ),
            )
        )
    return bars


def _names(say: Language, rows: Sequence[Any]) -> list[tuple[str, str]]:
    bases = list(dict.fromkeys(row.basis for row in rows))
    return (
        [(say(f"basis.{basis}"), _COLOURS.get(basis, "quiet")) for basis in bases] if len(bases) > 1 else []
    )
