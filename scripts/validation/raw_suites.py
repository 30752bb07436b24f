"""What is expected of the data that suppliers send: the tables of schema `raw`.

Landing has already refused the rows that break the raw contract, and says how many. Here the question is
whether what it kept looks like what this company used to send: as much of it, as recent, as complete, of
the same order of magnitude. Raw keeps every version of a row that was ever delivered; a check on content
looks at the current one. Weeks and months of events are judged here, the last delivery in `drift`.

Nothing here reads the clock: the recent past is counted back from `Past.as_of`. Days are cut in the time in
which raw stores them; half a day of difference to business time moves no bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from great_expectations.expectations.expectation import Expectation

from scripts.contract.check_history import Severity
from scripts.contract.raw_tables import TABLES, Table
from scripts.core.sql import identifier, literal
from scripts.validation import drift
from scripts.validation.suites import Past, Suite, figure, no_rows

# More of the last batch refused than this is worth a look; more than the second is no delivery but an
# accident, whatever the adapter's own limit is.
REJECT_SHARE_WORTH_A_LOOK = 0.01
REJECT_SHARE_ACCIDENT = 0.5

# A period is compared with this many before it; of these some must have rows, and their median a least number
# of rows: fewer are noise.
PERIODS_COMPARED = 8
PERIODS_NEEDED = 3
ROWS_NEEDED = 50
# A week (month) within a third of the smallest and three times the largest of those before it is ordinary.
ORDINARY_VOLUME_FACTOR = 3

# A table that falls silent for longer than this has stopped arriving, unless silences are usual for it: twice
# its longest of a year, and five times one that it exceeds one time in twenty, are. After half a year it is
# history and no longer news.
SILENT_DAYS = 14
USUAL_SILENCE_QUANTILE = 0.95
USUAL_SILENCE_FACTOR = 5
SILENCE_COMPARED_DAYS = 365
SILENCE_IS_HISTORY_DAYS = 180
EVENT_DAYS_NEEDED = 10

# A feed has a usual age when it is loaded, in days; three times that, and a week, is late.
BATCHES_NEEDED = 3
LATE_FACTOR = 3
LATE_DAYS = 7

# The share of empty values of a column may move by so much from one month to the next.
NULL_SHARE_DRIFT = 0.15
# The usual amount (median) may move by this factor: pence for pounds is a hundred.
MEDIAN_FACTOR = 3
# The largest amount, against the value that only one in a thousand exceeds.
ABSURD_FACTOR = 100
AMOUNTS_NEEDED = 1000

# A few rows are far from the rest if they lie before or behind it by more than a number of days, and by more
# than a multiple of the longest silence in it; the rest must fill some days. (Of those behind,
# int_settings asks the same of all tables together, before it lets them move as_of_date.)
STRAY_ROWS = 3
STRAY_DAYS = 30
STRAY_SILENCES = 3
STRAY_DAYS_NEEDED = 20

# What customers did before they signed up: a few did, more than this share means that one of the two dates
# is another thing.
BEFORE_SIGN_UP = 0.2
BEFORE_NEEDED = 20
# More customers than this for each order, in so many orders: hardly anybody has a second one.
CUSTOMERS_PER_ORDER = 0.99
ORDERS_NEEDED = 50

# When a row of the table happened. Order lines have no time of their own; a subscription may start, and a
# departure lie, in the future.
EVENT_COLUMNS = {
    "customers": "signed_up_at",
    "orders": "ordered_at",
    "refunds": "refunded_at",
    "survey_invitations": "sent_at",
    "survey_responses": "responded_at",
    "usage_events": "used_on",
    "support_tickets": "opened_at",
    "payment_failures": "failed_at",
    "marketing_spend": "spent_on",
    "exchange_rates": "rate_date",
}

# Columns that may be empty, but should not suddenly be. What is filled in later (closed_at, satisfaction,
# recovered) is always emptier in the last month and is left out.
OPTIONAL_COLUMNS = {
    "customers": ("country", "acquisition_channel"),
    "orders": ("customer_id", "discount_amount", "cost_amount", "currency", "status"),
    "refunds": ("order_id", "customer_id", "currency", "reason"),
    "survey_responses": ("customer_id", "score"),
    "usage_events": ("uses", "minutes"),
    "support_tickets": ("priority",),
    "payment_failures": ("amount",),
}

AMOUNT_COLUMNS = {
    "orders": "gross_amount",
    "refunds": "amount",
    "subscriptions": "amount",
    "marketing_spend": "amount",
}


def suites(past: Past) -> list[Suite]:
    """One suite for each raw table, and one for the ledger of landings."""
    return [
        Suite("raw", table.name, tuple(expectations))
        for table in TABLES.values()
        if (
            expectations := [
                *(_every_table(table, past) if past.tables is None or table.name in past.tables else ()),
                *_own_checks(table),
            ]
        )
    ] + [Suite("raw", "loads", tuple(_ledger()))]


def freshness_suites(past: Past) -> list[Suite]:
    """What the clock alone changes: the age of each table's newest row, for a night in which nothing came."""
    return [
        Suite("raw", table.name, tuple(expectations))
        for table in TABLES.values()
        if (past.tables is None or table.name in past.tables)
        and (expectations := [*drift.freshness(table, past, EVENT_COLUMNS.get(table.name))])
    ]


def newest_event() -> str:
    """A query for the day of the latest event that a customer caused: `as_of` when nobody has set it."""
    days = "\nunion all\n".join(
        f'select max(cast({identifier(column)} as date)) as "day" from "raw".{identifier(table)}'
        for table, column in EVENT_COLUMNS.items()
        # What is bought or noted down ahead of time says nothing about how far the data reaches.
        if table not in ("marketing_spend", "exchange_rates")
    )
    return f'select max("day") as "day" from (\n{days}\n) as "days"'


def current_rows(table: str, condition: str = "true") -> str:
    """A query for the current version of each row: of two with one key, the one in the file delivered last.

    `condition` chooses rows before versions are compared: it must hold for all versions of a key or for
    none, or a row that has moved out of it is still seen as it was.
    """
    return f"""select *
    from "raw".{identifier(table)}
    where {condition}
    qualify row_number() over (
        partition by "_row_key" order by "_file_sequence" desc, "_source_row" desc
    ) = 1"""


def _every_table(table: Table, past: Past) -> Iterator[Expectation]:
    """Volume, freshness and distributions, for the tables that have what is needed."""
    column = EVENT_COLUMNS.get(table.name)
    if column is not None and past.as_of is not None:
        week = Periods.weeks(past.as_of)
        month = Periods.months(past.as_of)
        yield _volume(table.name, column, week)
        yield _volume(table.name, column, month)
        yield _silence(table.name, column, past.as_of)
        yield _lateness(table.name, column)
        yield _far_from_the_rest(table.name, column, past.as_of)
        if table.name in OPTIONAL_COLUMNS:
            yield _null_shares(table.name, column, month)
        if table.name in AMOUNT_COLUMNS:
            yield _usual_amounts(table.name, column, month)
    if table.name in AMOUNT_COLUMNS:
        yield _absurd_amounts(table.name)
    if table.name in ("usage_events", "orders"):
        yield _before_sign_up(table.name, EVENT_COLUMNS[table.name])
    yield from drift.checks(table, past)
    yield from drift.freshness(table, past, column)


@dataclass(frozen=True)
class Periods:
    """The last complete week or month, and those it is compared with: days from `first`, before `end`.

    `name` has its dates, `kind` is the same every night. `age` is SQL that says how many periods before the
    last one a timestamp lies; "{column}" stands for it.
    """

    kind: str
    name: str
    first: date
    end: date
    age: str

    @classmethod
    def weeks(cls, as_of: date) -> Periods:
        """Seven days each, the last ending with `as_of`."""
        return cls(
            kind="the last seven days",
            name=f"the seven days to {as_of}",
            first=as_of - timedelta(days=7 * (PERIODS_COMPARED + 1) - 1),
            end=as_of + timedelta(days=1),
            age=f"(date '{as_of}' - cast({{column}} as date)) // 7",
        )

    @classmethod
    def months(cls, as_of: date) -> Periods:
        """Calendar months; the last one has ended by `as_of`."""
        end = (as_of + timedelta(days=1)).replace(day=1)
        last = (end - timedelta(days=1)).replace(day=1)
        months = last.year * 12 + last.month - 1 - PERIODS_COMPARED
        return cls(
            kind="the last complete month",
            name=f"{last:%Y-%m}",
            first=date(months // 12, months % 12 + 1, 1),
            end=end,
            age=f"date_diff('month', cast({{column}} as date), date '{last}')",
        )

    def age_of(self, column: str) -> str:
        """The age of the column's value in periods: 0 is the last one."""
        return self.age.format(column=identifier(column))

    def holds(self, column: str) -> str:
        """The condition that a row lies in one of the periods."""
        return f"{identifier(column)} >= date '{self.first}' and {identifier(column)} < date '{self.end}'"


def _volume(table: str, column: str, periods: Periods) -> Expectation:
    past = 'filter (where "age" > 0)'
    return figure(
        f"Rows of {periods.name} are as many as usual",
        f"""with "counted" as (
    select {periods.age_of(column)} as "age", count(distinct "_row_key") as "number"
    from "raw".{identifier(table)}
    where {periods.holds(column)}
    group by "age"
)
select
    coalesce(max("number") filter (where "age" = 0), 0) as "observed",
    ceil(min("number") {past} / {ORDINARY_VOLUME_FACTOR}) as "lowest",
    max("number") {past} * {ORDINARY_VOLUME_FACTOR} as "highest",
    count(*) {past} as "periods compared"
from "counted"
having count(*) {past} >= {PERIODS_NEEDED} and median("number") {past} >= {ROWS_NEEDED}""",
        Severity.WARNING,
        expected=f"no less than 1/{ORDINARY_VOLUME_FACTOR} of the smallest and no more than "
        f"{ORDINARY_VOLUME_FACTOR} times the largest of the {PERIODS_COMPARED} before",
        todo="A delivery is missing, cut off or doubled, unless the business changed this much: look at "
        "raw.loads "
        "and ask the supplier of this table.",
        check=f"Rows of {periods.kind} are as many as usual",
    )


def _silence(table: str, column: str, as_of: date) -> Expectation:
    return figure(
        "Days without a row, up to the last day known",
        f"""with "days" as (
    select distinct cast({identifier(column)} as date) as "day"
    from "raw".{identifier(table)}
    where
        {identifier(column)} >= date '{as_of - timedelta(days=SILENCE_COMPARED_DAYS)}'
        and {identifier(column)} < date '{as_of + timedelta(days=1)}'
),
"gaps" as (
    select "day", "day" - lag("day") over (order by "day") as "gap" from "days"
)
select
    date '{as_of}' - max("day") as "observed",
    greatest(
        {SILENT_DAYS},
        2 * max("gap"),
        {USUAL_SILENCE_FACTOR} * quantile_disc("gap", {USUAL_SILENCE_QUANTILE})
    ) as "highest",
    max("day") as "latest row",
    max("gap") as "longest silence in the year before"
from "gaps"
having count(*) >= {EVENT_DAYS_NEEDED} and date '{as_of}' - max("day") <= {SILENCE_IS_HISTORY_DAYS}""",
        Severity.WARNING,
        expected=f"at most {SILENT_DAYS}, twice the longest silence of a year, or {USUAL_SILENCE_FACTOR} "
        "times a usual one",
        todo="The export of this table has probably stopped, while others reach further. Ask its supplier.",
    )


def _lateness(table: str, column: str) -> Expectation:
    return figure(
        "The newest row is as fresh as usual: its age in days when it was loaded",
        f"""with "batches" as (
    select
        "_batch_id",
        max(cast("_loaded_at" as date)) as "loaded_on",
        max(cast({identifier(column)} as date)) as "latest"
    from "raw".{identifier(table)}
    group by "_batch_id"
),
"known" as (
    -- A batch may bring older rows: what counts is the newest that was known by then.
    select
        *,
        "loaded_on" - max("latest") over (order by "_batch_id") as "age",
        row_number() over (order by "_batch_id" desc) as "place"
    from "batches"
)
select
    max("age") filter (where "place" = 1) as "observed",
    median("age") filter (where "place" > 1) * {LATE_FACTOR} + {LATE_DAYS} as "highest",
    max("latest") as "latest row",
    count(*) - 1 as "loads compared"
from "known"
having count(*) > {BATCHES_NEEDED}""",
        Severity.WARNING,
        expected=f"at most {LATE_FACTOR} times what it used to be, and {LATE_DAYS} days",
        todo="Files arrive, but without new events: the supplier exports an old state. Ask for the "
        "missing days.",
    )


def _before_sign_up(table: str, column: str) -> Expectation:
    """A date of sign-up that is none, as the day of the last change or of the export."""
    return figure(
        "Rows before the sign-up of their customer",
        f"""with "signed up" as (
    select "customer_id", max(cast("signed_up_at" as date)) as "day"
    from "raw"."customers"
    where "signed_up_at" is not null
    group by "customer_id"
)
select
    -- Half a day of difference to business time is no distance.
    round(avg(if(cast("rows".{identifier(column)} as date) < "signed up"."day" - 1, 1, 0)), 4) as "observed",
    {BEFORE_SIGN_UP} as "highest",
    count(*) as "rows with a sign-up"
from "raw".{identifier(table)} as "rows"
inner join "signed up" on "rows"."customer_id" = "signed up"."customer_id"
having count(*) >= {BEFORE_NEEDED}""",
        Severity.WARNING,
        expected=f"at most {BEFORE_SIGN_UP:.0%} of them",
        todo="signed_up_at is probably another day: of the last change, of the export, of a second account. "
        "Onboarding starts with it, so look what the column means.",
        unit="of the rows before the sign-up",
    )


def _far_from_the_rest(table: str, column: str, as_of: date) -> Expectation:
    """A year that is mistyped: a few rows far from all the others of the table, or behind `as_of`."""
    return no_rows(
        "Rows dated far from the rest",
        f"""with "days" as (
    select cast({identifier(column)} as date) as "day", count(*) as "rows"
    from "raw".{identifier(table)}
    where {identifier(column)} is not null
    group by "day"
),
"gaps" as (
    select
        "day",
        "day" - lag("day") over (order by "day") as "silence",
        lag("day") over (order by "day") as "day_before",
        count(*) over (order by "day") - 1 as "days_before",
        count(*) over (order by "day" desc) as "days_since",
        sum("rows") over (order by "day" desc) as "rows_since",
        sum("rows") over (order by "day") - "rows" as "rows_before"
    from "days"
),
"compared" as (
    select
        *,
        max("silence") over "before" as "longest_before",
        max("silence") over "since" as "longest_since"
    from "gaps"
    window
        "before" as (order by "day" rows between unbounded preceding and 1 preceding),
        "since" as (order by "day" rows between 1 following and unbounded following)
),
"bounds" as (
    select
        max("day_before") filter (
            where "rows_before" <= {STRAY_ROWS} and "days_since" >= {STRAY_DAYS_NEEDED}
            and "silence" > {STRAY_SILENCES} * "longest_since"
        ) as "stray_until",
        min("day") filter (
            where "rows_since" <= {STRAY_ROWS} and "days_before" >= {STRAY_DAYS_NEEDED}
            and "silence" > {STRAY_SILENCES} * "longest_before"
        ) as "stray_since"
    from "compared"
    where "silence" > {STRAY_DAYS}
),
"behind" as (
    -- Half a day of difference to business time is no distance.
    select min("day") as "stray_since"
    from "days"
    where "day" > date '{as_of + timedelta(days=1)}'
    having sum("rows") <= {STRAY_ROWS}
),
"stray" as (
    select *
    from "raw".{identifier(table)}
    where
        cast({identifier(column)} as date)
        <= (select coalesce(max("stray_until"), date '0001-01-01') from "bounds")
        or cast({identifier(column)} as date)
        >= (
            select coalesce(min("stray_since"), date '9999-12-31')
            from (select "stray_since" from "bounds" union all select "stray_since" from "behind") as "since"
        )
)
select
    "_row_key" as "key",
    cast({identifier(column)} as date) as "day",
    "_source_file" as "file",
    "_source_row" as "row"
from "stray"
where {_is_current(table, "stray")}""",
        Severity.WARNING,
        expected=f"none after the last day known; no {STRAY_ROWS} or fewer that are more than {STRAY_DAYS} "
        f"days, and {STRAY_SILENCES} times the longest silence, away",
        todo="A year or a month is probably mistyped: have it corrected where the file comes from. Such rows "
        "do not move as_of_date, and what lies after it is in no figure.",
    )


def _null_shares(table: str, column: str, periods: Periods) -> Expectation:
    shares = "\n    union all\n".join(
        f"""    select
        {literal(name)} as "column",
        avg(if({identifier(name)} is null, 1, 0)) filter (where "age" = 0) as "share in the month",
        avg(if({identifier(name)} is null, 1, 0)) filter (where "age" > 0) as "share before",
        count(*) filter (where "age" = 0) as "rows in the month",
        count(*) filter (where "age" > 0) as "rows before"
    from "aged"
"""
        for name in OPTIONAL_COLUMNS[table]
    )
    return figure(
        f"Columns are as complete in {periods.name} as before",
        f"""with "current" as (
    {current_rows(table, periods.holds(column))}
),
"aged" as (
    select *, {periods.age_of(column)} as "age" from "current"
),
"shares" as (
{shares}
)
select
    "column",
    if(
        "rows in the month" >= {ROWS_NEEDED} and "rows before" >= {ROWS_NEEDED},
        round("share in the month", 4),
        null
    ) as "observed",
    round(greatest("share before" - {NULL_SHARE_DRIFT}, 0), 4) as "lowest",
    round(least("share before" + {NULL_SHARE_DRIFT}, 1), 4) as "highest",
    '{drift.NOT_ENOUGH_HISTORY}: ' || "rows in the month" || ' rows, ' || "rows before" || ' before'
    as "no verdict",
    round("share before", 4) as "empty before"
from "shares"
order by "column"
""",
        Severity.WARNING,
        expected=f"the share of empty values moves by no more than {NULL_SHARE_DRIFT}",
        todo="A column was renamed or is no longer filled in (or now is): compare the adapter with the "
        "new files.",
        check=f"Columns are as complete in {periods.kind} as before",
        unit="of the rows empty",
    )


def _usual_amounts(table: str, column: str, periods: Periods) -> Expectation:
    amount = identifier(AMOUNT_COLUMNS[table])
    currency = '"currency"'
    return figure(
        f"Amounts of {periods.name} are of the usual order of magnitude",
        f"""with "current" as (
    {current_rows(table, periods.holds(column))}
),
"aged" as (
    select {currency}, {amount} as "amount", {periods.age_of(column)} as "age" from "current"
),
"medians" as (
    select
        {currency},
        median("amount") filter (where "age" = 0) as "median in the month",
        median("amount") filter (where "age" > 0) as "median before",
        count(*) filter (where "age" = 0) as "rows in the month",
        count(*) filter (where "age" > 0) as "rows before"
    from "aged"
    group by {currency}
),
"factors" as (
    select
        *,
        "median in the month" / "median before" as "factor",
        "rows in the month" >= {ROWS_NEEDED} and "rows before" >= {ROWS_NEEDED} and "median before" > 0
        as "is known"
    from "medians"
)
select
    {literal(AMOUNT_COLUMNS[table])} as "column",
    if("is known", round("factor", 4), null) as "observed",
    round(1 / {MEDIAN_FACTOR}, 4) as "lowest",
    {MEDIAN_FACTOR} as "highest",
    '{drift.NOT_ENOUGH_HISTORY}: ' || "rows in the month" || ' rows, ' || "rows before" || ' before'
    as "no verdict",
    {currency},
    "median in the month",
    "median before"
from "factors"
-- Of several currencies the one that is furthest off.
order by "is known" desc, abs(ln(greatest("factor", 0.000001))) desc, {currency}
limit 1""",
        Severity.WARNING,
        expected=f"the median stays within a factor of {MEDIAN_FACTOR} of the months before",
        todo="Suspect the unit (pence for pounds), the currency, or a changed meaning of the column.",
        check=f"Amounts of {periods.kind} are of the usual order of magnitude",
        unit="times the usual median",
    )


def _absurd_amounts(table: str) -> Expectation:
    amount = identifier(AMOUNT_COLUMNS[table])
    return no_rows(
        f"No {AMOUNT_COLUMNS[table]} is beyond all others",
        f"""with "ordinary" as (
    select "currency", approx_quantile({amount}, 0.999) as "one in a thousand"
    from "raw".{identifier(table)}
    group by "currency"
    having count(*) >= {AMOUNTS_NEEDED}
)
select "rows"."_row_key" as "key", "rows"."currency", "rows".{amount}, "ordinary"."one in a thousand"
from "raw".{identifier(table)} as "rows"
inner join "ordinary" on "rows"."currency" is not distinct from "ordinary"."currency"
where "rows".{amount} > "ordinary"."one in a thousand" * {ABSURD_FACTOR}""",
        Severity.WARNING,
        expected=f"at most {ABSURD_FACTOR} times the value that one in a thousand exceeds",
        todo="Probably a slipped decimal point or a test order: have it corrected at the source, or "
        "leave it out in "
        "the adapter's `where`.",
    )


def _own_checks(table: Table) -> Iterator[Expectation]:
    """What one table alone is checked for; among it what the raw contract keeps and wants reported."""
    if table.name == "orders":
        yield from _orders()
    elif table.name == "refunds":
        yield from _refunds()
    elif table.name == "subscriptions":
        yield from _subscriptions()
    elif table.name == "departures":
        yield from _departures()
    elif table.name == "survey_responses":
        yield no_rows(
            "Responses without a customer",
            """select "response_id", "responded_at", "survey"
from "raw"."survey_responses"
where "customer_id" is null""",
            Severity.WARNING,
            todo="They count in the score of the survey, but cannot be tied to anybody: no segment, no "
            "follow-up.",
        )


def _departures() -> Iterator[Expectation]:
    """Statements that can end nothing. Those that the data contradicts are told by dbt."""
    bought = """
    select "customer_id", cast("ordered_at" as date) as "day" from "raw"."orders"
    union all
    select "customer_id", "started_on" as "day" from "raw"."subscriptions"
"""
    yield no_rows(
        "Departures of somebody who never bought",
        f"""with "unknown" as (
    select *
    from "raw"."departures"
    where "customer_id" not in (select "customer_id" from ({bought}) where "customer_id" is not null)
)
select "departure_id", "customer_id", "departed_on"
from "unknown"
where {_is_current("departures", "unknown")}""",
        Severity.WARNING,
        todo="They are in no figure. Mostly customer_id is another number than in orders and subscriptions: "
        "check the adapter. A prospect, or somebody with a free plan, cannot leave.",
    )
    yield no_rows(
        "Departures before the first purchase of their customer",
        f"""with "first" as (
    select "customer_id", min("day") as "day" from ({bought}) group by "customer_id"
),
"early" as (
    select "departures".*, "first"."day" as "first_purchase_on"
    from "raw"."departures" as "departures"
    inner join "first" on "departures"."customer_id" = "first"."customer_id"
    where "departures"."departed_on" <= "first"."day"
)
select "departure_id", "customer_id", "departed_on", "first_purchase_on"
from "early"
where {_is_current("departures", "early")}""",
        Severity.WARNING,
        todo="They end nothing, since nothing had begun. Mostly departed_on is another date (the sign-up, "
        "the last change), or purchases of before are missing.",
    )
    yield no_rows(
        "Departures from a subscription that is not their customer's",
        f"""with "other" as (
    select *
    from "raw"."departures" as "departures"
    where
        "subscription_id" is not null
        and not exists (
            select 1
            from "raw"."subscriptions" as "subscriptions"
            where
                "subscriptions"."subscription_id" = "departures"."subscription_id"
                and "subscriptions"."customer_id" = "departures"."customer_id"
        )
)
select "departure_id", "customer_id", "subscription_id", "departed_on"
from "other"
where {_is_current("departures", "other")}""",
        Severity.WARNING,
        todo="They end nothing. Leave subscription_id out of the mapping where it is another number than in "
        "subscriptions: the customer has left altogether then.",
    )


def _orders() -> Iterator[Expectation]:
    yield no_rows(
        "There are orders, subscriptions or survey responses",
        """select 'all three tables are empty' as "problem"
where
    not exists (select 1 from "raw"."orders")
    and not exists (select 1 from "raw"."subscriptions")
    and not exists (select 1 from "raw"."survey_responses")""",
        Severity.CRITICAL,
        expected="at least one row in one of the three",
        todo="Nothing was landed, or the adapter maps none of them: every mart would be empty.",
    )
    yield figure(
        "Customers for each order",
        f"""select
    round(count(distinct "customer_id") / count(distinct "order_id"), 4) as "observed",
    {CUSTOMERS_PER_ORDER} as "highest",
    count(distinct "order_id") as "orders"
from "raw"."orders"
where "customer_id" is not null
having count(distinct "order_id") >= {ORDERS_NEEDED}""",
        Severity.WARNING,
        expected=f"at most {CUSTOMERS_PER_ORDER}: somebody orders again",
        todo="customer_id is probably an id of the order, the address or the visit: each order would make a "
        "customer, and nobody would ever return. Map what stays the same for a person.",
    )
    yield no_rows(
        "Orders of an unknown customer",
        f"""with "unknown" as (
    select *
    from "raw"."orders"
    where
        "customer_id" is not null
        -- A company without a table of customers knows them by their orders alone.
        and exists (select 1 from "raw"."customers")
        and "customer_id" not in (select "customer_id" from "raw"."customers")
)
select "order_id", "customer_id", "ordered_at"
from "unknown"
where {_is_current("orders", "unknown")}""",
        Severity.WARNING,
        todo="The customer is created from the orders, without sign-up, country or channel: is the "
        "customer export "
        "older than the order export, or filtered?",
    )
    yield no_rows(
        "Orders with a discount larger than their amount",
        f"""with "negative" as (
    select * from "raw"."orders" where "discount_amount" > "gross_amount"
)
select "order_id", "ordered_at", "gross_amount", "discount_amount"
from "negative"
where {_is_current("orders", "negative")}""",
        Severity.WARNING,
        todo="They lower net revenue. Often gross_amount is mapped to an amount after discount: check "
        "the adapter.",
    )


def _refunds() -> Iterator[Expectation]:
    yield no_rows(
        "Refunds larger than their order",
        f"""with "refunded" as (
    select
        "order_id",
        "currency",
        sum("amount") as "refunded",
        count(*) as "refunds"
    from (
        {current_rows("refunds")}
    ) as "refunds"
    where "order_id" is not null
    group by "order_id", "currency"
),
"of orders" as (
    -- A refund without a currency is in that of its order.
    select
        "orders"."order_id",
        "orders"."_row_key",
        "orders"."_file_sequence",
        "orders"."_source_row",
        sum("refunded"."refunded") as "refunded",
        sum("refunded"."refunds") as "refunds"
    from "raw"."orders" as "orders"
    inner join "refunded" on "orders"."order_id" = "refunded"."order_id"
    where coalesce("refunded"."currency", "orders"."currency") is not distinct from "orders"."currency"
    group by all
),
"suspects" as (
    select "orders".*, "refunded"."refunded", "refunded"."refunds"
    from "raw"."orders" as "orders"
    inner join "of orders" as "refunded"
        on
            "orders"."order_id" = "refunded"."order_id"
            and "orders"."_file_sequence" = "refunded"."_file_sequence"
            and "orders"."_source_row" is not distinct from "refunded"."_source_row"
    where "refunded"."refunded" > "orders"."gross_amount" - coalesce("orders"."discount_amount", 0)
)
select "order_id", "gross_amount", "discount_amount", "refunded", "refunds"
from "suspects"
where {_is_current("orders", "suspects")}""",
        Severity.WARNING,
        todo="Money went back twice, or shipping with it, or the refund belongs to another order. Net "
        "revenue of the "
        "order is negative as it stands.",
    )


def _subscriptions() -> Iterator[Expectation]:
    yield no_rows(
        "Overlapping periods of one subscription",
        f"""with "current" as (
    {current_rows("subscriptions")}
),
"followed" as (
    select
        "subscription_id",
        "started_on",
        "ended_on",
        lead("started_on") over (partition by "subscription_id" order by "started_on") as "next_started_on"
    from "current"
    -- What ends on the day it begins never ran, and touches no neighbour.
    where "ended_on" is null or "ended_on" > "started_on"
)
select "subscription_id", "started_on", "ended_on", "next_started_on"
from "followed"
where "next_started_on" < coalesce("ended_on", date '9999-12-31')""",
        Severity.WARNING,
        expected="a period ends by the day the next one starts",
        todo="The earlier period is cut where the next one starts. Is a change of plan exported without "
        "the end of "
        "the old plan?",
    )
    yield no_rows(
        "Cancel requests after the end of the subscription",
        f"""with "late" as (
    select * from "raw"."subscriptions" where "cancel_requested_on" > "ended_on"
)
select "subscription_id", "started_on", "ended_on", "cancel_requested_on"
from "late"
where {_is_current("subscriptions", "late")}""",
        Severity.WARNING,
        expected="a request comes before the end",
        todo="Churn is dated by the end. Look whether the two columns are swapped in the adapter.",
    )


def _is_current(table: str, suspects: str) -> str:
    """The condition that a suspect row is not replaced by a later version; cheap where suspects are few."""
    return f"""not exists (
    select 1
    from "raw".{identifier(table)} as "later"
    where
        "later"."_row_key" = {identifier(suspects)}."_row_key"
        and ("later"."_file_sequence", "later"."_source_row")
        > ({identifier(suspects)}."_file_sequence", {identifier(suspects)}."_source_row")
)"""


def _ledger() -> Iterator[Expectation]:
    """Nothing that was read may have got lost."""
    yield no_rows(
        "Rows read are all accounted for",
        """select
    "batch_id", "table_name", "source_file",
    "rows_read", "rows_accepted", "rows_rejected", "rows_stored", "rows_repeated"
from "raw"."loads"
where
    "rows_read" <> "rows_accepted" + "rows_rejected"
    or "rows_accepted" <> "rows_stored" + "rows_repeated"
""",
        Severity.CRITICAL,
        expected="read = accepted + rejected, accepted = stored + repeated",
        todo="Landing lost or invented rows: this is a defect of ours. Do not publish; keep the build file.",
    )
    stored = "\n    union all\n".join(
        f'    select {literal(table)} as "table_name", count(*) as "rows_found"\n'
        f'    from "raw".{identifier(table)}'
        for table in TABLES
    )
    yield no_rows(
        "Raw tables hold what the ledger says",
        f"""with "found" as (
{stored}
),
"noted" as (
    select "table_name", sum("rows_stored") as "rows_noted"
    from "raw"."loads"
    where "is_current"
    group by "table_name"
)
select "found"."table_name", "found"."rows_found", coalesce("noted"."rows_noted", 0) as "rows_noted"
from "found"
left join "noted" on "found"."table_name" = "noted"."table_name"
where "found"."rows_found" <> coalesce("noted"."rows_noted", 0)""",
        Severity.CRITICAL,
        expected="as many rows as the current loads have stored",
        todo="Somebody changed raw by hand, or landing has a defect. Land into a fresh warehouse and "
        "compare.",
    )
    for bound, severity in (
        (REJECT_SHARE_WORTH_A_LOOK, Severity.WARNING),
        (REJECT_SHARE_ACCIDENT, Severity.CRITICAL),
    ):
        yield figure(
            "Share of the rows of the last batch that were rejected"
            if severity is Severity.WARNING
            else "Share of the rows of the last batch that were rejected, as an accident",
            f"""select
    round(sum("rows_rejected") / sum("rows_read"), 4) as "observed",
    {bound} as "highest",
    sum("rows_rejected") as "rows rejected",
    sum("rows_read") as "rows read",
    "batch_id" as "batch"
from "raw"."loads"
where "batch_id" = (select max("batch_id") from "raw"."loads")
group by "batch_id"
having sum("rows_read") > 0""",
            severity,
            expected=f"a share of at most {bound}",
            todo="raw.rejects holds each row with its reason: correct the source, or the adapter's mapping.",
        )
