"""What is expected of the tables that readers get, schema `marts`, and what dbt cannot see.

dbt has tested all that one build must agree in: keys, relationships, bounds, classes, identities inside a
mart and across marts. Here the marts are held against what was landed, against the last publication and
against their own recent past.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from great_expectations.expectations.core import ExpectTableRowCountToBeBetween
from great_expectations.expectations.expectation import Expectation

from scripts.contract.check_history import Severity
from scripts.core.sql import literal
from scripts.validation.raw_suites import current_rows
from scripts.validation.suites import Past, Suite, figure, named, no_rows

# A mart may have lost this share of its rows since the last publication. People and orders do not vanish;
# the rows of a period mart do when a segment is dropped, so that is only reported.
LOST_ROWS_SHARE = 0.1

# Sums of the same rounded amounts agree to the last digit; this is for conversions.
MONEY_TOLERANCE = "0.01"

# The last complete month against the six before it.
MONTHS_COMPARED = 6
MONTHS_NEEDED = 3
REVENUE_FACTOR = 3
RETENTION_DRIFT = 0.25
MRR_FACTOR = 1.5
CUSTOMERS_NEEDED = 50

# More of the reasons that the source states are unknown to the taxonomy than this: nobody has mapped them.
UNKNOWN_REASONS = 0.2
REASONS_NEEDED = 20

# One row per month, person, order or answer: these do not vanish.
ENTITIES = frozenset(
    {"dim_months", "dim_customers", "fct_orders", "fct_customer_lifetime_value", "fct_nps_responses"}
)


def suites(past: Past) -> list[Suite]:
    """One suite for each mart of which something is asked that dbt cannot see."""
    own: dict[str, tuple[Callable[[Past], Iterator[Expectation]], ...]] = {
        "dim_months": (_as_of, _published_marts),
        "fct_orders": (_orders, _repeated_bills),
        "fct_customer_base": (_customer_base,),
        "fct_customer_retention_rate": (_retention_rate,),
        "rpt_subscription_retention": (_subscription_retention,),
        "fct_nps_responses": (_nps_responses,),
        "fct_churn_events": (_churn_events,),
    }
    found = []
    for mart in sorted({*own, *past.marts}):
        expectations = [*_rows(mart, past)]
        for function in own.get(mart, ()):
            expectations += function(past)
        if expectations:
            found.append(Suite("marts", mart, tuple(expectations)))
    return found


def _rows(mart: str, past: Past) -> Iterator[Expectation]:
    """Not fewer than readers have now, unless the warehouse is asked for an earlier day."""
    published = past.published_rows.get(mart)
    if not published or past.is_earlier_than_published:
        return
    yield ExpectTableRowCountToBeBetween(
        description=f"No more than {LOST_ROWS_SHARE:.0%} of the {published} published rows are lost",
        min_value=math.ceil(published * (1 - LOST_ROWS_SHARE)),
        severity=(Severity.CRITICAL if mart in ENTITIES else Severity.WARNING).value,
        notes="Rows that readers have today would be gone. Did a file vanish, a filter change, a segment "
        "go? If it is meant, publish without this check: python -m scripts publish.",
        meta=named("Published rows are not lost"),
    )


def _published_marts(past: Past) -> Iterator[Expectation]:
    """A mart that readers have is there, with rows or without."""
    if not past.published_rows:
        return
    listed = ", ".join(f"({literal(mart)})" for mart in sorted(past.published_rows))
    yield no_rows(
        "Every published mart is there",
        f"""select "published"."mart"
from (values {listed}) as "published" ("mart")
left join "information_schema"."tables" as "built"
    on "published"."mart" = "built"."table_name" and "built"."table_schema" = 'marts'
where "built"."table_name" is null""",
        Severity.CRITICAL,
        expected="a table of that name in schema marts",
        todo="Readers would lose the whole mart. If it is meant, publish without this check: "
        "python -m scripts publish.",
    )


def _as_of(_: Past) -> Iterator[Expectation]:
    yield no_rows(
        "The last day known is not after the last load",
        """select "months"."as_of_date", "loads"."loaded_on"
from (select max("as_of_date") as "as_of_date" from "marts"."dim_months") as "months"
cross join (select cast(max("loaded_at") as date) as "loaded_on" from "raw"."loads") as "loads"
-- Somewhere east of Greenwich it may be tomorrow already.
where "months"."as_of_date" > "loads"."loaded_on" + 1""",
        Severity.WARNING,
        expected="as_of_date at most the day of the last load",
        todo="Days without any data count as observed: customers lapse, and periods are complete that "
        "are not. Land "
        "newer data, or build with an earlier --as-of.",
    )


def _orders(_: Past) -> Iterator[Expectation]:
    yield no_rows(
        "Orders and their gross amount are those that were landed",
        f"""with "settings" as (
    select "reporting_currency", "as_of_date" < "last_event_on" as "is_earlier_day"
    from "intermediate"."int_settings"
),
"landed" as (
    select
        coalesce("current"."currency", "settings"."reporting_currency") as "currency",
        count(*) as "orders",
        sum("current"."gross_amount") as "gross"
    from (
        {current_rows("orders")}
    ) as "current"
    cross join "settings"
    group by 1
),
"built" as (
    select "original_currency" as "currency", count(*) as "orders", sum("gross_amount") as "gross"
    from "marts"."fct_orders"
    group by "original_currency"
)
select
    coalesce("landed"."currency", "built"."currency") as "currency",
    "landed"."orders" as "orders landed",
    "built"."orders" as "orders built",
    "landed"."gross" as "gross landed",
    "built"."gross" as "gross built"
from "landed"
full outer join "built" on "landed"."currency" = "built"."currency"
cross join "settings"
where
    -- A build that was asked for an earlier day leaves out what came later.
    not "settings"."is_earlier_day"
    and (
        "landed"."orders" is distinct from "built"."orders"
        or (
            -- The others were converted.
            "landed"."currency" = "settings"."reporting_currency"
            and abs("landed"."gross" - "built"."gross") > {MONEY_TOLERANCE}
        )
    )""",
        Severity.CRITICAL,
        expected="the same number and, unless converted, sum in the current rows of raw.orders and in "
        "fct_orders",
        todo="Were the marts built after the last landing? If so, orders were lost or doubled on the "
        "way: try "
        "`build --full-refresh`; if that heals it, an incremental model is wrong.",
    )


def _repeated_bills(_: Past) -> Iterator[Expectation]:
    yield no_rows(
        "No order is the bill of a subscription once more",
        """with "bills" as (
    select "customer_id", "billed_on", round("billed_amount", 2) as "amount"
    from "intermediate"."int_subscription_bills"
),
-- A charge is booked on the day, or, in another time zone or by the next run, a day beside it.
"bill_days" as (
    select "customer_id", "amount", "billed_on" + unnest([-1, 0, 1]) as "day" from "bills"
),
"counts" as (
    select "customer_id", count(*) as "bills" from "bills" group by "customer_id"
),
"repeated" as (
    select "orders"."customer_id", count(distinct "orders"."order_id") as "orders"
    from "marts"."fct_orders" as "orders"
    inner join "bill_days"
        on
            "orders"."customer_id" = "bill_days"."customer_id"
            and "orders"."ordered_on" = "bill_days"."day"
            and round("orders"."gross_amount" - "orders"."discount_amount", 2) = "bill_days"."amount"
    where "orders"."is_booked"
    group by "orders"."customer_id"
)
-- One order of the same price may be chance.
select "repeated"."customer_id", "repeated"."orders" as "orders like bills", "counts"."bills"
from "repeated"
inner join "counts" on "repeated"."customer_id" = "counts"."customer_id"
where 2 * "repeated"."orders" >= "counts"."bills"
""",
        Severity.WARNING,
        expected="no customer with an order of the amount, and the day, of every second bill of their "
        "subscription",
        todo="The source writes subscription charges among the orders too, so that the same money counts "
        "twice, as an order and as a bill: leave the charges out in the adapter's query of orders.",
    )


def _customer_base(_: Past) -> Iterator[Expectation]:
    yield _last_month(
        "Net revenue of the last complete month is of the usual size",
        """select
        "month",
        "net_revenue" + "subscription_revenue" + "guest_net_revenue" as "figure",
        true as "is_enough"
    from "marts"."fct_customer_base"
    where "segment_type" = 'all' and "is_complete"
""",
        lowest=f'min("figure") / {REVENUE_FACTOR}',
        highest=f'max("figure") * {REVENUE_FACTOR}',
        expected=f"within a factor of {REVENUE_FACTOR} of the {MONTHS_COMPARED} months before",
        todo="A delivery is missing or doubled, a rate of exchange is wrong, or the business changed: "
        "see the findings "
        "on raw.orders.",
    )


def _retention_rate(_: Past) -> Iterator[Expectation]:
    yield _last_month(
        "Retention of the last complete month is as usual",
        f"""select
        "period_start" as "month",
        "retention_rate" as "figure",
        "starting_customers" >= {CUSTOMERS_NEEDED} as "is_enough"
    from "marts"."fct_customer_retention_rate"
    where "segment_type" = 'all' and "period_type" = 'month' and "is_complete" and "is_window_observed"
""",
        lowest=f'median("figure") - {RETENTION_DRIFT}',
        highest=f'median("figure") + {RETENTION_DRIFT}',
        expected=f"within {RETENTION_DRIFT} of the median of the {MONTHS_COMPARED} months before",
        todo="So many customers do not leave, or come back, in one month: look for missing orders, a "
        "changed window "
        "(active_window_days) or customer ids that changed.",
    )


def _subscription_retention(_: Past) -> Iterator[Expectation]:
    yield no_rows(
        "Subscribers and MRR are those whose subscriptions run, as landed",
        f"""with "settings" as (
    select "reporting_currency", "as_of_date" from "intermediate"."int_settings"
),
-- Of overlapping periods of one subscription the later holds: the one begun last tells whether it runs. One
-- that ends as it begins never ran.
"latest" as (
    select
        "current".*,
        max("current"."amount" > coalesce("current"."discount_amount", 0)) over (
            partition by "current"."subscription_id"
        ) as "has_been_paid"
    from (
        {current_rows("subscriptions")}
    ) as "current"
    inner join "settings" on "current"."started_on" <= "settings"."as_of_date"
    where "current"."ended_on" is null or "current"."ended_on" > "current"."started_on"
    qualify row_number() over (
        partition by "current"."subscription_id" order by "current"."started_on" desc
    ) = 1
),
-- A subscription that knows no end may have ended on a day that a landed statement names.
"stated" as (
    select "ends"."subscription_id", "ends"."started_on"
    from "marts"."fct_subscription_ends" as "ends"
    inner join (
        {current_rows("departures")}
    ) as "departures"
        on "ends"."customer_id" = "departures"."customer_id"
        and "ends"."ended_on" = "departures"."departed_on"
    where "ends"."is_stated"
),
"running" as (
    select
        "latest"."customer_id",
        coalesce("latest"."currency", "settings"."reporting_currency")
        = "settings"."reporting_currency" as "is_unconverted",
        ("latest"."amount" - coalesce("latest"."discount_amount", 0)) * case "latest"."billing_interval"
            when 'week' then 52.0 / 12
            when 'month' then 1
            when 'quarter' then 1.0 / 3
            when 'year' then 1.0 / 12
        end as "mrr",
        "latest"."amount" > coalesce("latest"."discount_amount", 0) as "is_paid"
    from "latest"
    cross join "settings"
    anti join "stated" using ("subscription_id", "started_on")
    where
        ("latest"."ended_on" is null or "latest"."ended_on" > "settings"."as_of_date")
        and "latest"."has_been_paid"
),
-- What was paid and is free now may be a free month, whose MRR goes on, or an end: dbt tells which.
"landed" as (
    select
        count(distinct case when "is_paid" then "customer_id" end) as "subscribers",
        count(distinct "customer_id") as "subscribers and free",
        count(case when "is_paid" then 1 end) as "subscriptions",
        coalesce(sum(case when "is_paid" then "mrr" end), 0) as "mrr",
        coalesce(bool_and("is_unconverted" and "is_paid"), true) as "is_comparable"
    from "running"
),
"built" as (
    select
        coalesce(max_by("closing_customers", "month"), 0) as "subscribers",
        coalesce(max_by("closing_mrr", "month"), 0) as "mrr"
    from "marts"."rpt_subscription_retention"
    where "segment_type" = 'all'
)
select
    "landed"."subscribers" as "subscribers landed",
    "built"."subscribers" as "subscribers built",
    round("landed"."mrr", 4) as "MRR landed",
    "built"."mrr" as "MRR built"
from "landed"
cross join "built"
where
    "built"."subscribers" not between "landed"."subscribers" and "landed"."subscribers and free"
    or (
        -- Others were converted, each at the rate of its day.
        "landed"."is_comparable"
        -- The MRR of a subscription is rounded to four decimals.
        and abs("landed"."mrr" - "built"."mrr") > {MONEY_TOLERANCE} + 0.0001 * "landed"."subscriptions"
    )""",
        Severity.CRITICAL,
        expected="the same number of subscribers and, unless converted, MRR in the current rows of "
        "raw.subscriptions and at the end of the last month",
        todo="Were the marts built after the last landing? If so, subscriptions were lost, doubled or ended "
        "on the way.",
    )
    yield _last_month(
        "MRR at the end of the last complete month is of the usual size",
        f"""select
        "month",
        "closing_mrr" as "figure",
        "closing_customers" >= {CUSTOMERS_NEEDED} as "is_enough"
    from "marts"."rpt_subscription_retention"
    where "segment_type" = 'all' and "is_complete"
""",
        lowest=f'min("figure") / {MRR_FACTOR}',
        highest=f'max("figure") * {MRR_FACTOR}',
        expected=f"within a factor of {MRR_FACTOR} of the {MONTHS_COMPARED} months before",
        todo="Subscriptions do not come and go so fast: a delivery is cut off, a price is in another unit "
        "or currency, or many left at once.",
    )


def _churn_events(_: Past) -> Iterator[Expectation]:
    yield figure(
        "Reasons that the source states are in the taxonomy",
        f"""select
    round(avg(if("reason_code" = 'unknown', 1, 0)), 4) as "observed",
    {UNKNOWN_REASONS} as "highest",
    count(*) filter (where "reason_code" = 'unknown') as "unknown",
    count(distinct lower("stated_reason")) filter (where "reason_code" = 'unknown') as "codes"
from "marts"."fct_churn_events"
where "stated_reason" is not null
having count(*) >= {REASONS_NEEDED}""",
        Severity.WARNING,
        expected=f"at most {UNKNOWN_REASONS:.0%} of them unknown",
        todo="Nobody has mapped them, so all departures have one reason. Add the codes of stated_reason to "
        "churn_reasons.csv, your own or that of seeds/, or map cancel_reason to codes that stand there.",
        unit="of the stated reasons unknown",
    )


def _nps_responses(_: Past) -> Iterator[Expectation]:
    yield no_rows(
        "Responses and their scores are those that were landed",
        f"""with "settings" as (
    select "as_of_date" < "last_event_on" as "is_earlier_day" from "intermediate"."int_settings"
),
"landed" as (
    select
        -- A survey without a name is called so.
        coalesce("survey", 'nps') as "survey",
        count(*) as "responses",
        count("score") as "scores",
        coalesce(sum("score"), 0) as "sum of scores"
    from (
        {current_rows("survey_responses")}
    ) as "current"
    group by 1
),
"built" as (
    select
        "survey",
        count(*) as "responses",
        count("score") as "scores",
        coalesce(sum("score"), 0) as "sum of scores"
    from "marts"."fct_nps_responses"
    group by 1
)
select
    coalesce("landed"."survey", "built"."survey") as "survey",
    "landed"."responses" as "responses landed",
    "built"."responses" as "responses built",
    "landed"."scores" as "scores landed",
    "built"."scores" as "scores built"
from "landed"
full outer join "built" on "landed"."survey" = "built"."survey"
cross join "settings"
where
    -- A build that was asked for an earlier day leaves out what came later.
    not "settings"."is_earlier_day"
    and (
        "landed"."responses" is distinct from "built"."responses"
        or "landed"."scores" is distinct from "built"."scores"
        or "landed"."sum of scores" is distinct from "built"."sum of scores"
    )""",
        Severity.CRITICAL,
        expected="the same number and sum of scores in the current rows of raw.survey_responses and in "
        "fct_nps_responses",
        todo="Were the marts built after the last landing? If so, responses were lost or doubled on the way.",
    )


def _last_month(
    description: str, query: str, *, lowest: str, highest: str, expected: str, todo: str
) -> Expectation:
    """Expect the last complete month to be like those before it.

    `query` gives "month", "figure" and "is_enough" (to be no noise); `lowest` and `highest` are aggregates
    of the figures of the months before.
    """
    return figure(
        description,
        f"""with "months" as (
    {query}
),
"numbered" as (
    select *, row_number() over (order by "month" desc) as "place" from "months"
),
"past" as (
    select
        {lowest} as "lowest",
        {highest} as "highest",
        count("figure") as "months",
        bool_and("is_enough") as "is_enough"
    from "numbered"
    where "place" between 2 and {MONTHS_COMPARED + 1}
)
select "numbered"."figure" as "observed", "past"."lowest", "past"."highest", "numbered"."month"
from "numbered"
cross join "past"
where "place" = 1 and "months" >= {MONTHS_NEEDED} and "past"."is_enough" and "numbered"."is_enough"
""",
        Severity.WARNING,
        expected=expected,
        todo=todo,
    )
