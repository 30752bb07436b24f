"""Whether the last delivery of a raw table looks like the deliveries of the same table before it.

A delivery is what was landed on one day (UTC): a night, with whatever was landed again on that day. The first
one is the history and is compared with nothing. Volumes come from the ledger `raw.loads`, which never
changes; values from the rows themselves, of which only those of the deliveries compared are read.

All limits are relative to the table's own past: `QualityLimits.deviations` times its usual spread. Week-ends
and month-ends are no drift: see `docs/decisions.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from great_expectations.expectations.expectation import Expectation

from scripts.contract.check_history import Severity
from scripts.contract.quality_limits import QualityLimits
from scripts.contract.raw_tables import Table
from scripts.core.sql import identifier, literal
from scripts.validation.suites import Past, figure

# Eight weeks of daily deliveries; a year of weekly ones.
DELIVERIES_COMPARED = 56
DELIVERIES_NEEDED = 7
# A spread that is known from this many deliveries may be twice as large.
FEW_DELIVERIES_ALLOWANCE = 4
# This many deliveries of the same day of the week show what is usual on it.
WEEKDAYS_NEEDED = 4

# A delivery of fewer rows says nothing on the distribution of their values.
ROWS_NEEDED = 10
# The deviation that one in ten exceeds.
ONE_IN_TEN = 1.2816
# The most frequent values of a column, one by one; all others are one class.
VALUES_COMPARED = 12

# However regular a table was, a volume varies by this share of itself.
USUAL_VOLUME_SPREAD = 0.05
# A file that is delivered again may have lost this share of its rows, if it has this many.
LOST_ROWS_SHARE = 0.1
LOST_ROWS_NEEDED = 50
# Fewer rejects than this are no change of a supplier's habits.
REJECT_SHARE_WORTH_A_LOOK = 0.01

# A gap between two days with rows that one in twenty exceeds is still usual; twice that is not.
USUAL_GAP_QUANTILE = 0.95
USUAL_GAP_FACTOR = 2
GAPS_COMPARED_DAYS = 365
EVENT_DAYS_NEEDED = 10

# Columns whose values are few: each value's share is compared, the empty ones' among them.
CLASS_COLUMNS = {
    "customers": ("country", "acquisition_channel"),
    "orders": ("currency", "status"),
    "refunds": ("currency", "reason"),
    "subscriptions": ("plan", "billing_interval", "currency"),
    "survey_invitations": ("survey",),
    "survey_responses": ("survey", "score"),
    "usage_events": ("feature",),
    "support_tickets": ("priority",),
    "marketing_spend": ("channel", "currency"),
    "exchange_rates": ("currency",),
}
# Columns of which only the share of empty values is compared. What is filled in later (closed_at, ended_on)
# depends on how soon a supplier delivers, and is left out.
FILLED_COLUMNS = {
    "customers": ("signed_up_at", "email_hash"),
    "orders": ("customer_id", "discount_amount", "cost_amount"),
    "order_items": ("product_name", "category"),
    "refunds": ("order_id", "customer_id"),
    "subscriptions": ("discount_amount",),
    "departures": ("subscription_id", "reason"),
    "survey_responses": ("customer_id", "comment"),
    "usage_events": ("uses", "minutes"),
    "payment_failures": ("amount",),
}
# The amount of each, and the currency it is in, if the table tells.
AMOUNTS = {
    "orders": ("gross_amount", "currency"),
    "order_items": ("unit_price", None),
    "refunds": ("amount", "currency"),
    "subscriptions": ("amount", "currency"),
    "payment_failures": ("amount", None),
    "marketing_spend": ("amount", "currency"),
}

NOT_ENOUGH_HISTORY = "not enough history"
TOO_FEW_ROWS = "too few rows"


def checks(table: Table, past: Past) -> Iterator[Expectation]:
    """What is asked of the last delivery of one table."""
    limits = past.limits
    yield _volume(table.name, limits)
    yield _lost_rows(table.name)
    yield _rejects(table.name, limits)
    if table.name in CLASS_COLUMNS or table.name in FILLED_COLUMNS:
        yield _values(table.name, limits)
    if table.name in AMOUNTS:
        yield _amounts(table.name, limits)


def freshness(table: Table, past: Past, event_column: str | None) -> Iterator[Expectation]:
    """The age of a table's newest row by the clock, where the company has a limit for it."""
    if past.today is None:
        return
    limits = past.limits.freshness_of(table.name)
    for days, severity in (
        (limits.warn_after_days, Severity.WARNING),
        (limits.stop_after_days, Severity.CRITICAL),
    ):
        if days is not None and (event_column is not None or table.name == "subscriptions"):
            yield _age(table.name, event_column, past.today, days, severity)


def _month_place(day: str) -> str:
    """SQL for the place of a day at the turn of the month: the last day, the first, the second; else null."""
    return f"case when month({day} + 1) <> month({day}) then 0 when day({day}) <= 2 then day({day}) end"


def _for_few(deliveries: str) -> str:
    """SQL for the factor that makes up for a spread known from few deliveries only, as Student's does."""
    return f"(1 + {FEW_DELIVERIES_ALLOWANCE} / {deliveries})"


def _volume(table: str, limits: QualityLimits) -> Expectation:
    """Counts vary as their root does: twice the root of a count has a spread of about one, see Anscombe,
    The transformation of Poisson, binomial and negative-binomial data (Biometrika 35, 1948).
    """

    def bound(usual: str, sign: str) -> str:
        return f'greatest(0, sqrt({usual}) {sign} {limits.deviations} * "spread" / 2) ** 2'

    return figure(
        "Rows that the last delivery brought are as many as usual",
        f"""with "versions" as (
    select
        cast("loaded_at" as date) as "day",
        -- A file that is delivered again brings what it has more than before.
        "rows_read" - coalesce(lag("rows_read") over (partition by "source_file" order by "batch_id"), 0)
        as "rows"
    from "raw"."loads"
    where "table_name" = {literal(table)}
),
"days" as (
    -- A table that is missing from a delivery brought nothing.
    select distinct cast("loaded_at" as date) as "day" from "raw"."loads"
),
"deliveries" as (
    select
        "days"."day",
        greatest(coalesce(sum("versions"."rows"), 0), 0) as "rows",
        row_number() over (order by "days"."day" desc) - 1 as "age",
        "days"."day" - lag("days"."day") over (order by "days"."day") as "days_covered",
        isodow("days"."day") as "weekday",
        {_month_place('"days"."day"')} as "month_place"
    from "days"
    left join "versions" on "days"."day" = "versions"."day"
    where "days"."day" > (select min("day") from "versions")
    group by "days"."day"
),
"last" as (
    select * from "deliveries" where "age" = 0
),
"past" as (
    select *, count(*) over (partition by "weekday") as "of_weekday"
    from "deliveries"
    where "age" between 1 and {DELIVERIES_COMPARED}
),
"centred" as (
    select
        *,
        if(
            "of_weekday" >= {WEEKDAYS_NEEDED},
            median("rows") over (partition by "weekday"),
            median("rows") over ()
        ) as "usual"
    from "past"
),
"similar" as (
    -- What has been seen on such a day is usual, if it is not the day of the week that tells.
    select "past"."rows"
    from "past"
    inner join "last"
        on
            ("past"."weekday" = "last"."weekday" and "past"."of_weekday" < {WEEKDAYS_NEEDED})
            or "past"."month_place" = "last"."month_place"
),
"compared" as (
    select
        count(*) as "deliveries",
        coalesce(
            median("centred"."rows") filter (
                where "weekday" = (select "weekday" from "last") and "of_weekday" >= {WEEKDAYS_NEEDED}
            ),
            median("centred"."rows")
        ) as "usual",
        1.4826 * median(abs(2 * sqrt("rows") - 2 * sqrt("usual"))) as "deviation",
        median("days_covered") as "days_covered"
    from "centred"
),
"judged" as (
    select
        "last"."rows",
        "last"."day",
        "compared"."deliveries",
        "compared"."usual",
        -- After a pause a delivery brings what has gathered meanwhile.
        greatest(1, "last"."days_covered" / greatest("compared"."days_covered", 1)) as "pause",
        {_for_few('"compared"."deliveries"')} * greatest(
            "compared"."deviation", sqrt(1 + {USUAL_VOLUME_SPREAD} ** 2 * "compared"."usual")
        ) as "spread",
        least("compared"."usual", (select min("rows") from "similar")) as "low",
        greatest("compared"."usual", (select max("rows") from "similar")) as "high"
    from "last"
    cross join "compared"
)
select
    if("deliveries" >= {DELIVERIES_NEEDED}, "rows", null) as "observed",
    ceil({bound('"low"', "-")}) as "lowest",
    floor({bound('"high" * "pause"', "+")}) as "highest",
    '{NOT_ENOUGH_HISTORY}: ' || "deliveries" || ' deliveries before' as "no verdict",
    "day" as "delivered on",
    "usual",
    "deliveries" as "deliveries compared"
from "judged\"""",
        Severity.WARNING,
        expected="as many rows as other deliveries of such a day brought",
        todo="A file is missing, cut off, doubled or filtered, unless the business changed this much: look "
        "at raw.loads and ask the supplier of this table.",
        unit="rows",
    )


def _lost_rows(table: str) -> Expectation:
    return figure(
        "Files that the last delivery brought again have kept their rows",
        f"""with "versions" as (
    select
        "source_file",
        cast("loaded_at" as date) as "day",
        "rows_read",
        lag("rows_read") over (partition by "source_file" order by "batch_id") as "rows_before"
    from "raw"."loads"
    where "table_name" = {literal(table)}
),
"again" as (
    select
        *,
        "rows_read" / "rows_before" as "kept",
        "day" = (select max(cast("loaded_at" as date)) from "raw"."loads") as "is_last"
    from "versions"
    where "rows_before" >= {LOST_ROWS_NEEDED}
)
select
    round(min("kept") filter (where "is_last"), 4) as "observed",
    -- Some exports are windows that move.
    round(
        least(
            {1 - LOST_ROWS_SHARE},
            coalesce(quantile_cont("kept", 0.1) filter (where not "is_last"), 1) - {LOST_ROWS_SHARE}
        ),
        4
    ) as "lowest",
    null as "highest",
    'no file of {LOST_ROWS_NEEDED} rows or more came again' as "no verdict",
    arg_min("source_file", "kept") filter (where "is_last") as "file",
    arg_min("rows_before", "kept") filter (where "is_last") as "rows before",
    arg_min("rows_read", "kept") filter (where "is_last") as "rows now"
from "again\"""",
        Severity.WARNING,
        expected=f"at least {1 - LOST_ROWS_SHARE:.0%} of the rows the same file had before",
        todo="The export was cut off or filtered: what it no longer has is gone from the marts. Ask for the "
        "whole file.",
        unit="of the rows before",
    )


def _rejects(table: str, limits: QualityLimits) -> Expectation:
    return figure(
        "Rejected rows of the last delivery are no more than usual",
        f"""with "deliveries" as (
    select
        cast("loaded_at" as date) as "day",
        sum("rows_read") as "rows",
        sum("rows_rejected") as "rejected",
        row_number() over (order by cast("loaded_at" as date) desc) - 1 as "age"
    from "raw"."loads"
    where "table_name" = {literal(table)}
    group by cast("loaded_at" as date)
    having sum("rows_read") > 0
),
"compared" as (
    select
        sum("rejected") / sum("rows") as "share",
        quantile_cont("rejected" / "rows", 0.9) as "high_share",
        count(*) as "deliveries"
    from "deliveries"
    where "age" between 1 and {DELIVERIES_COMPARED}
)
select
    if("deliveries" >= {DELIVERIES_NEEDED}, round("rejected" / "rows", 4), null) as "observed",
    null as "lowest",
    round(
        greatest(
            {REJECT_SHARE_WORTH_A_LOOK},
            "high_share",
            (sqrt("rows" * "share") + {limits.deviations} / 2) ** 2 / "rows"
        ),
        4
    ) as "highest",
    '{NOT_ENOUGH_HISTORY}: ' || "deliveries" || ' deliveries before' as "no verdict",
    "deliveries"."day" as "delivered on",
    "rejected" as "rows rejected",
    "rows" as "rows read",
    round("share", 4) as "share before"
from "deliveries"
cross join "compared"
where "age" = 0""",
        Severity.WARNING,
        expected="no larger a share than in the deliveries before",
        todo="raw.rejects holds each row with its reason: has the supplier changed a format or a code?",
        unit="of the rows read",
    )


def _delivered_rows(table: str, columns: str) -> str:
    """CTEs: `rows` are those of the last delivery that brought any (age 0) and of those compared with it."""
    return f"""with "batches" as (
    select
        "batch_id",
        cast(min("loaded_at") as date) as "day"
    from "raw"."loads"
    where "table_name" = {literal(table)}
    group by "batch_id"
),
-- Only the batches that can be among those compared are read.
"recent" as (
    select * from "batches"
    where
        "day" > (select min("day") from "batches")
        and "day" in (
            select distinct "day" from "batches" order by "day" desc limit {DELIVERIES_COMPARED + 1}
        )
),
"delivered" as (
    select {columns}, "recent"."day"
    from "raw".{identifier(table)} as "raw_rows"
    inner join "recent" on "raw_rows"."_batch_id" = "recent"."batch_id"
    where "raw_rows"."_batch_id" >= (select min("batch_id") from "recent")
),
"rows" as (
    select *, dense_rank() over (order by "day" desc) - 1 as "age" from "delivered"
)"""


def _values(table: str, limits: QualityLimits) -> Expectation:
    """Total variation distance of the shares, the largest of all differences that a set of values can have.

    Its limit is the distance at which the likelihood ratio (G) leaves what is usual: chi-squared, as by
    Wilson and Hilferty (1931), times the table's own overdispersion: rows of one customer come together.
    """
    columns = {name: identifier(name) for name in CLASS_COLUMNS.get(table, ())} | {
        name: f"if({identifier(name)} is null, null, 'present')" for name in FILLED_COLUMNS.get(table, ())
    }
    counted = "\n    union all\n".join(
        f"""    select
        {literal(name)} as "column",
        coalesce(cast({value} as varchar), '(empty)') as "value",
        "age",
        "day",
        count(*) as "number"
    from "rows"
    group by all"""
        for name, value in columns.items()
    )

    def chi_squared(deviations: float) -> str:
        freedom = '"last"."freedom"'
        return f"{freedom} * (1 - 2 / (9 * {freedom}) + {deviations} * sqrt(2 / (9 * {freedom}))) ** 3"

    return figure(
        "Values of the last delivery are distributed as before",
        f"""{_delivered_rows(table, ", ".join(identifier(name) for name in columns))},
"counted" as (
{counted}
),
"ranked" as (
    select
        "column",
        "value",
        row_number() over (
            partition by "column"
            order by coalesce(sum("number") filter (where "age" > 0), 0) desc, sum("number") desc, "value"
        ) as "place"
    from "counted"
    group by "column", "value"
),
"classes" as (
    select
        "counted"."column",
        if("ranked"."place" <= {VALUES_COMPARED}, "counted"."value", '(others)') as "value",
        "counted"."age",
        "counted"."day",
        sum("counted"."number") as "number"
    from "counted"
    inner join "ranked" on "counted"."column" = "ranked"."column" and "counted"."value" = "ranked"."value"
    group by all
),
"usual" as (
    select
        "column",
        "value",
        coalesce(sum("number") filter (where "age" > 0), 0) as "number",
        sum(sum("number") filter (where "age" > 0)) over (partition by "column") as "total",
        count(*) over (partition by "column") as "values"
    from "classes"
    group by "column", "value"
),
"shares" as (
    -- A value that was never seen has half a row: nothing is impossible.
    select *, "number" / "total" as "share", ("number" + 0.5) / ("total" + 0.5 * "values") as "smoothed"
    from "usual"
    where "total" > 0
),
"totals" as (
    select "column", "age", "day", sum("number") as "rows" from "classes" group by all
),
"distances" as (
    select
        "totals"."column",
        "totals"."age",
        "totals"."day",
        "totals"."rows",
        greatest(max("shares"."values") - 1, 1) as "freedom",
        sum(abs(coalesce("classes"."number", 0) / "totals"."rows" - "shares"."share")) / 2 as "distance",
        2 * sum(
            coalesce("classes"."number", 0)
            * ln(
                greatest(coalesce("classes"."number", 0), 1) / ("totals"."rows" * "shares"."smoothed")
            )
        ) as "ratio",
        arg_max(
            "shares"."value", abs(coalesce("classes"."number", 0) / "totals"."rows" - "shares"."share")
        ) as "value",
        arg_max(
            coalesce("classes"."number", 0) / "totals"."rows",
            abs(coalesce("classes"."number", 0) / "totals"."rows" - "shares"."share")
        ) as "share_now",
        arg_max(
            "shares"."share", abs(coalesce("classes"."number", 0) / "totals"."rows" - "shares"."share")
        ) as "share_before"
    from "totals"
    inner join "shares" on "totals"."column" = "shares"."column"
    left join "classes"
        on
            "totals"."column" = "classes"."column"
            and "totals"."age" = "classes"."age"
            and "shares"."value" = "classes"."value"
    group by all
),
"last" as (
    select * from "distances" where "age" = 0
),
"compared" as (
    select
        "last"."column",
        count("past"."age") as "deliveries",
        greatest(
            1,
            quantile_cont("past"."ratio", 0.9) / any_value({chi_squared(ONE_IN_TEN)})
        ) as "overdispersion",
        -- What happens at every turn of the month is usual there.
        max("past"."distance") filter (
            where {_month_place('"past"."day"')} = {_month_place('"last"."day"')}
        ) as "month_turn"
    from "last"
    left join "distances" as "past" on "last"."column" = "past"."column" and "past"."age" > 0
    group by "last"."column"
),
"judged" as (
    select
        "last".*,
        "compared"."deliveries",
        greatest(
            {limits.smallest_shift},
            -- The distance grows as the root of the ratio does.
            {_for_few('"compared"."deliveries"')} * "last"."distance" * sqrt(
                ({chi_squared(limits.deviations)})
                * "compared"."overdispersion" / greatest("last"."ratio", 0.000001)
            ),
            coalesce(1.25 * "compared"."month_turn", 0)
        ) as "limit"
    from "last"
    inner join "compared" on "last"."column" = "compared"."column"
)
select
    "column",
    if(
        "deliveries" >= {DELIVERIES_NEEDED} and "rows" >= {ROWS_NEEDED}, round("distance", 4), null
    ) as "observed",
    null as "lowest",
    round(least("limit", 1), 4) as "highest",
    if(
        "deliveries" < {DELIVERIES_NEEDED},
        '{NOT_ENOUGH_HISTORY}: ' || "deliveries" || ' deliveries before',
        '{TOO_FEW_ROWS}: ' || "rows"
    ) as "no verdict",
    "value" as "moved most",
    round("share_now", 4) as "share now",
    round("share_before", 4) as "share before",
    "rows",
    "day" as "delivered on"
from "judged"
order by "column\"""",
        Severity.WARNING,
        expected="shares of values, empty ones among them, as in the deliveries before",
        todo="A column was renamed, a code or a unit has changed, or a part of the business is missing: "
        "compare the adapter with the new files.",
        unit="of the rows moved",
    )


def _amounts(table: str, limits: QualityLimits) -> Expectation:
    """Geometric means: one order of a million does not move them, and neither does a table that holds several
    currencies without telling which jump from one to the other, as its median would.
    """
    amount, currency = AMOUNTS[table]
    currency_sql = identifier(currency) if currency else "null"
    return figure(
        "Amounts of the last delivery are of the usual size",
        f"""{
            _delivered_rows(
                table, f'cast({identifier(amount)} as double) as "amount", {currency_sql} as "currency"'
            )
        },
"means" as (
    select "currency", "age", "day", count(*) as "rows", avg(ln("amount")) as "mean"
    from "rows"
    where "amount" > 0
    group by all
),
"centres" as (
    select
        "currency",
        median("mean") as "usual",
        1.4826 * mad("mean") as "deviation",
        count(*) as "deliveries"
    from "means"
    where "age" > 0
    group by "currency"
),
"spreads" as (
    select "currency", coalesce(stddev_samp(ln("amount")), 0) as "spread"
    from "rows"
    where "age" > 0 and "amount" > 0
    group by "currency"
),
"judged" as (
    select
        "last".*,
        exp("last"."mean" - "centres"."usual") as "factor",
        exp("centres"."usual") as "usual",
        coalesce("centres"."deliveries", 0) as "deliveries",
        greatest(
            {limits.smallest_factor},
            exp(
                {limits.deviations} * {_for_few('"centres"."deliveries"')}
                * greatest("centres"."deviation", "spreads"."spread" / sqrt("last"."rows"))
            )
        ) as "limit",
        "centres"."deliveries" >= {DELIVERIES_NEEDED} and "last"."rows" >= {ROWS_NEEDED} as "is_known"
    from "means" as "last"
    left join "centres" on "last"."currency" is not distinct from "centres"."currency"
    left join "spreads" on "last"."currency" is not distinct from "spreads"."currency"
    where "last"."age" = 0
)
select
    {literal(amount)} as "column",
    if("is_known", round("factor", 4), null) as "observed",
    round(1 / "limit", 4) as "lowest",
    round("limit", 4) as "highest",
    if(
        "deliveries" < {DELIVERIES_NEEDED},
        '{NOT_ENOUGH_HISTORY}: ' || "deliveries" || ' deliveries before',
        '{TOO_FEW_ROWS}: ' || "rows"
    ) as "no verdict",
    "currency",
    round(exp("mean"), 2) as "mean now",
    round("usual", 2) as "mean before",
    "rows",
    "day" as "delivered on"
from "judged"
-- Of several currencies the one that is furthest off.
order by coalesce("is_known", false) desc, abs(ln("factor")) / ln("limit") desc, "rows" desc
limit 1""",
        Severity.WARNING,
        expected="the geometric mean as in the deliveries before",
        todo="Suspect the unit (pence for pounds), the currency, or a changed meaning of the column.",
        unit="times the usual mean",
    )


def _age(table: str, event_column: str | None, today: date, limit: int, severity: Severity) -> Expectation:
    days = (
        f"cast({identifier(event_column)} as date)"
        if event_column
        else 'unnest(["started_on", "ended_on", "cancel_requested_on"])'
    )
    stops = severity is Severity.CRITICAL
    return figure(
        "Days since the newest row, by the clock" + (", are too many to publish" if stops else ""),
        f"""with "days" as (
    select distinct "day"
    from (select {days} as "day" from "raw".{identifier(table)}) as "events"
    where "day" <= date '{today}'
),
"gaps" as (
    select "day", "day" - lag("day") over (order by "day") as "gap" from "days"
),
"compared" as (
    select
        max("day") as "newest",
        count(*) as "days",
        quantile_disc("gap", {USUAL_GAP_QUANTILE}) filter (
            where "day" > date '{today - timedelta(days=GAPS_COMPARED_DAYS)}'
        ) as "usual_gap"
    from "gaps"
)
select
    date '{today}' - "newest" as "observed",
    null as "lowest",
    -- A table that is silent for longer as a rule has its own limit.
    if(
        "days" >= {EVENT_DAYS_NEEDED} and "usual_gap" > {limit}, {USUAL_GAP_FACTOR} * "usual_gap", {limit}
    ) as "highest",
    'no row yet' as "no verdict",
    "newest" as "newest row",
    "usual_gap" as "usual gap in days"
from "compared\"""",
        severity,
        expected=f"at most {limit} days, or {USUAL_GAP_FACTOR} times a gap that is usual for the table",
        todo="Nothing new has arrived since the newest row: ask the supplier of this table. The limit is "
        f"{'stop_after_days' if stops else 'warn_after_days'} in the adapter.",
        unit="days",
        words=", the newest row is of {newest row}",
    )
