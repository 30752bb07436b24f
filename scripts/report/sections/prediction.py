"""What customers are expected to bring, whether such predictions came true, and what is withheld."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.report.charts.dots import Pair, plot_pairs
from scripts.report.language import Language
from scripts.report.picture import Picture, Section, Table
from scripts.report.queries import PREDICTED
from scripts.report.reading import Reader

BACKTEST = """
    select
        model, billing_interval, bucket, customers, expected_purchases, actual_purchases,
        expected_revenue, actual_revenue, fitted_until, holdout_until, has_passed_gate, has_passed_value_gate
    from marts.fct_clv_backtest
    where segment_type = 'all'
    order by model, billing_interval, bucket
"""
WITHHELD = """
    select
        model, segment_type, segment_value, billing_interval, customers,
        coalesce(withheld_reason, value_withheld_reason, alive_withheld_reason) as reason,
        case
            when withheld_reason is not null then 'all'
            when value_withheld_reason is not null then 'value'
            else 'alive'
        end as withheld
    from marts.fct_clv_models
    where window_name = 'full' and reason is not null
    order by model, billing_interval, segment_type, segment_value
    limit 40
"""
BY_COHORT = """
    select
        cast(date_trunc('year', cohort_month) as date) as cohort_year,
        count(*) as customers,
        count(predicted_value_365_days) as predicted_customers,
        sum(historic_value) as historic_value,
        sum(predicted_value_365_days) as predicted_value
    from marts.fct_customer_lifetime_value
    group by cohort_year
    order by cohort_year
"""


def section(reader: Reader, say: Language) -> Section | None:
    """What is expected, and a picture for each model that was tested; None where no model was tried."""
    (total,) = reader.rows(PREDICTED)
    tests, withheld = reader.rows(BACKTEST), reader.rows(WITHHELD)
    if not total.customers or not (tests or withheld or total.predicted_customers):
        return None
    pictures = [_expected(reader, say, total, withheld)]
    kinds = sorted({(row.model, row.billing_interval) for row in tests})
    for model, interval in kinds:
        rows = [row for row in tests if (row.model, row.billing_interval) == (model, interval)]
        picture = _test(reader, say, rows)
        if picture is not None:
            pictures.append(picture)
    return Section("prediction", say("prediction.title"), say("prediction.introduction"), pictures)


def _expected(reader: Reader, say: Language, total: Any, withheld: Sequence[Any]) -> Picture:
    reading = say("prediction.reading_none", count=total.customers, customers=say.number(total.customers))
    if total.predicted_value is not None:
        reading = say(
            "prediction.reading",
            value=say.money(total.predicted_value, reader.currency),
            count=total.predicted_customers,
            customers=say.number(total.predicted_customers),
        )
        unknown = total.customers - total.predicted_customers
        if unknown:
            reading += " " + say("prediction.reading_unknown", count=unknown, unknown=say.number(unknown))
    rows = reader.rows(BY_COHORT)
    shown = None
    if withheld:
        shown = Table(
            say("prediction.withheld.title"),
            [say("prediction.model"), say("word.customers"), say("prediction.what"), say("prediction.why")],
            [
                [
                    _model(say, row),
                    say.number(row.customers),
                    say(f"prediction.withheld.{row.withheld}"),
                    say.in_english(row.reason),
                ]
                for row in withheld
            ],
            words=frozenset({0, 2, 3}),
        )
    return Picture(
        name="prediction-expected",
        title=say("prediction.picture"),
        reading=reading,
        definition=say("prediction.definition"),
        statements=[PREDICTED, BY_COHORT, WITHHELD],
        table=Table(
            say("prediction.by_cohort"),
            [
                say("prediction.cohort_year"),
                say("word.customers"),
                say("prediction.predicted_customers"),
                say("prediction.historic"),
                say("figure.predicted_value"),
            ],
            [
                [
                    str(row.cohort_year.year),
                    say.number(row.customers),
                    say.number(row.predicted_customers),
                    say.money(row.historic_value, reader.currency),
                    say.money(row.predicted_value, reader.currency),
                ]
                for row in rows
            ],
        ),
        shown=shown,
        is_wide=True,
    )


def _model(say: Language, row: Any) -> str:
    name = say.name("model", row.model)
    if row.billing_interval not in (None, "none"):
        name += ", " + say.name("segment.billing_interval", row.billing_interval)
    if getattr(row, "segment_value", "all") != "all":
        name += f", {row.segment_value}"
    return name


def _test(reader: Reader, say: Language, rows: Sequence[Any]) -> Picture | None:
    whole = next((row for row in rows if row.bucket == "all"), None)
    buckets = [row for row in rows if row.bucket != "all" and row.customers]
    if whole is None or not buckets or not whole.actual_purchases:
        return None
    names = (say("prediction.test.expected"), say("prediction.test.actual"))
    pairs = [
        Pair(
            say("prediction.test.bucket", count=0 if row.bucket == "0" else 2, bucket=row.bucket),
            row.expected_purchases,
            row.actual_purchases,
            f"{say.number(row.expected_purchases)} → {say.number(row.actual_purchases)}",
        )
        for row in buckets
    ]
    kind = "orders" if whole.model == "bg_nbd" else "subscription"
    title = say("prediction.test.title", model=_model(say, whole))
    return Picture(
        name=f"backtest-{whole.model}-{whole.billing_interval}".replace("_", "-"),
        title=title,
        reading=say(
            f"prediction.test.reading_{kind}",
            day=say.day(whole.fitted_until),
            until=say.day(whole.holdout_until),
            expected=say.number(whole.expected_purchases),
            actual=say.number(whole.actual_purchases),
            bias=say.signed(whole.expected_purchases / whole.actual_purchases * 100 - 100, 1),
        )
        + " "
        + say("prediction.test.passed" if whole.has_passed_gate else "prediction.test.failed"),
        definition=say("prediction.test.definition"),
        statements=[BACKTEST],
        table=Table(
            title,
            [
                say("prediction.test.earlier"),
                say("word.customers"),
                *names,
                say("prediction.test.expected_revenue"),
                say("prediction.test.actual_revenue"),
            ],
            [
                [
                    say("word.all") if row.bucket == "all" else row.bucket,
                    say.number(row.customers),
                    say.number(row.expected_purchases),
                    say.number(row.actual_purchases),
                    say.money(row.expected_revenue, reader.currency),
                    say.money(row.actual_revenue, reader.currency),
                ]
                for row in rows
            ],
        ),
        draw=lambda name, width: plot_pairs(width, pairs, names, say.number),
    )
