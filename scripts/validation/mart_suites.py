"""What is expected of the tables that readers get: schema `marts`.

dbt has tested keys, relationships, classes and the identities inside a mart. Here each mart is held against
the last publication, against its own recent past, against its neighbours and against what was landed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from great_expectations.expectations.core import (
    ExpectColumnValuesToBeBetween,
    ExpectTableRowCountToBeBetween,
)
from great_expectations.expectations.expectation import Expectation

from scripts.core.sql import identifier, literal
from scripts.validation.raw_suites import current_rows
from scripts.validation.results import Severity
from scripts.validation.suites import Past, Suite, figure, named, no_rows

# A mart may have lost this share of its rows since the last publication. People and orders do not vanish;
# the rows of a period mart do when a segment is dropped, so that is only reported.
LOST_ROWS_SHARE = 0.1

# Sums that are made of the same rounded amounts agree to the last digit; this is for conversions.
MONEY_TOLERANCE = "0.01"
RATE_TOLERANCE = "0.000001"

# The last complete month against the six before it.
MONTHS_COMPARED = 6
MONTHS_NEEDED = 3
REVENUE_FACTOR = 3
RETENTION_DRIFT = 0.25
MRR_FACTOR = 1.5
CUSTOMERS_NEEDED = 50


@dataclass(frozen=True)
class Mart:
    """A mart and what is asked of it in general.

    `key` identifies a row in reports. `shares`: columns in [0, 1], each with the condition under which it
    must have a value, None where it need not. `counts`: columns that are never negative. `is_entity`: one
    row per person or order, which do not vanish.
    """

    name: str
    key: tuple[str, ...]
    shares: dict[str, str | None] = field(default_factory=dict)
    counts: tuple[str, ...] = ()
    is_entity: bool = False


_SEGMENT = ("segment_type", "segment_value")

MARTS = (
    Mart("dim_months", ("month",), is_entity=True),
    Mart(
        "fct_data_quality",
        ("run_id", "table_name", "column_name", "check_name"),
        counts=("consecutive_findings", "findings_30_days", "findings_90_days", "rows_affected"),
    ),
    Mart(
        "dim_customers",
        ("customer_id",),
        shares={"probability_alive": None},
        counts=("order_count", "order_day_count", "tenure_days"),
        is_entity=True,
    ),
    Mart(
        "fct_orders",
        ("order_id",),
        counts=("gross_amount", "discount_amount", "refunded_amount"),
        is_entity=True,
    ),
    Mart(
        "fct_customer_base",
        ("month", *_SEGMENT),
        counts=("base_customers", "installed_customers", "prospects", "ordering_customers"),
    ),
    Mart(
        "rpt_onboarding",
        ("sign_up_month", *_SEGMENT),
        shares={"activated_in_7_days_share": None, "activated_in_30_days_share": None},
        counts=("median_days_to_first_order", "median_days_to_first_use"),
    ),
    Mart(
        "fct_cohort_retention",
        ("cohort_month", "months_since_first", *_SEGMENT),
        shares={
            "retention_rate": '"cohort_size" > 0',
            "unbounded_retention_rate": '"cohort_size" > 0',
        },
    ),
    Mart(
        "fct_customer_retention_rate",
        ("period_type", "period_start", *_SEGMENT),
        shares={"retention_rate": '"starting_customers" > 0', "churn_rate": '"starting_customers" > 0'},
    ),
    Mart(
        "fct_survival",
        ("basis", *_SEGMENT, "tenure_days"),
        shares={"survival_rate": None, "survival_lower_95": None, "survival_upper_95": None},
        counts=("at_risk_customers", "churned_customers", "censored_customers", "standard_error"),
    ),
    Mart(
        "rpt_survival_summary",
        ("basis", *_SEGMENT),
        shares={"survival_rate_365_days": None, "log_rank_p_value": None, "segment_type_p_value": None},
        counts=("customers", "churned_customers", "median_tenure_days", "mean_tenure_days_of_365"),
    ),
    Mart(
        "fct_customer_lifetime_value",
        ("customer_id",),
        shares={"probability_alive": None},
        counts=("order_count", "paid_month_count", "tenure_days"),
        is_entity=True,
    ),
    Mart(
        "fct_clv_models",
        ("window_name", "model", "billing_interval", "segment_type", "segment_value"),
        counts=("customers", "informative_customers", "cells"),
    ),
    Mart(
        "fct_clv_backtest",
        ("model", *_SEGMENT, "billing_interval", "bucket"),
        counts=("customers", "actual_purchases"),
    ),
    Mart(
        "fct_renewal_curves",
        (*_SEGMENT, "billing_interval", "renewals"),
        shares={"observed_renewal_rate": None, "renewal_rate": None, "survival_rate": None},
        counts=("due_contracts", "renewed_contracts"),
    ),
    Mart(
        "fct_revenue_concentration",
        ("period_type", "period_start", *_SEGMENT, "decile"),
        shares={
            "revenue_share": '"customers" > 0',
            "cumulative_revenue_share": '"customers" > 0',
            "top_20_percent_share": '"customers" > 0',
        },
    ),
    Mart(
        "fct_loyalty_tier_moves",
        ("month", *_SEGMENT, "from_tier", "to_tier"),
        shares={"move_rate": '"customers" > 0'},
        counts=("customers",),
    ),
    Mart(
        "rpt_subscription_retention",
        ("month", *_SEGMENT),
        shares={
            "logo_churn_rate": '"opening_customers" > 0',
            "gross_mrr_churn_rate": '"opening_mrr" > 0',
            "gross_revenue_retention_rate": '"opening_mrr" > 0',
        },
        counts=("closing_customers", "closing_mrr"),
    ),
    Mart(
        "fct_segment_lifetime_value",
        ("month", *_SEGMENT, "basis"),
        shares={"churn_rate": '"starting_customers" > 0'},
        counts=("starting_customers", "active_customers"),
    ),
    Mart("fct_nps_responses", ("response_id",), counts=("days_to_respond", "theme_count"), is_entity=True),
    Mart(
        "fct_nps_scores",
        ("period_type", "period_start", "survey", *_SEGMENT),
        shares={"response_rate": None},
        counts=("invited", "responses", "votes", "standard_error"),
    ),
    Mart(
        "rpt_feedback_themes",
        ("period_type", "period_start", "comment_type", "theme"),
        shares={"mention_share": '"comments" > 0'},
        counts=("comments", "mentions"),
    ),
    Mart(
        "fct_churn_events",
        ("churn_event_id",),
        shares={"discount_share": None},
        counts=("tenure_days", "days_away", "mrr_lost", "ticket_count", "payment_failure_count"),
    ),
    Mart(
        "fct_churn_reasons",
        ("month", "basis", "reason", "churn_type", *_SEGMENT),
        shares={"reason_share": '"churn_events" > 0', "win_back_rate": None},
        counts=("churn_events", "mrr_lost", "median_tenure_days"),
    ),
    Mart("rpt_winback_candidates", ("customer_id",), shares={"win_back_rate": None}, counts=("days_away",)),
    Mart("fct_customer_health", ("customer_id", "month")),
    Mart(
        "fct_health_outcomes",
        ("month", "churn_basis", "component", "band", *_SEGMENT),
        shares={"churn_rate": '"customers" > 0'},
        counts=("customers", "churned_customers"),
    ),
)


def suites(past: Past) -> list[Suite]:
    """One suite for each mart; a mart that is not listed here is only held against the last publication."""
    own = {
        "dim_months": _as_of,
        "dim_customers": _customers,
        "fct_orders": _orders,
        "fct_customer_base": _customer_base,
        "rpt_onboarding": _onboarding,
        "fct_customer_retention_rate": _retention_rate,
        "fct_revenue_concentration": _concentration,
        "fct_loyalty_tier_moves": _tier_moves,
        "fct_customer_lifetime_value": _lifetime_value,
        "rpt_subscription_retention": _subscription_retention,
        "fct_nps_responses": _nps_responses,
        "fct_nps_scores": _nps_scores,
        "rpt_feedback_themes": _feedback_themes,
        "fct_churn_events": _churn_events,
        "rpt_winback_candidates": _winback_candidates,
        "fct_customer_health": _customer_health,
    }
    listed = {mart.name for mart in MARTS}
    others = [Mart(name, ()) for name in past.marts if name not in listed]
    found = []
    for mart in (*MARTS, *others):
        expectations = [*_rows(mart, past), *_shares(mart), *_counts(mart)]
        if mart.name in own:
            expectations += own[mart.name]()
        if expectations:
            found.append(Suite("marts", mart.name, tuple(expectations), mart.key))
    return found


def _rows(mart: Mart, past: Past) -> Iterator[Expectation]:
    """Not fewer than readers have now, unless the warehouse is asked for an earlier day."""
    published = past.published_rows.get(mart.name)
    if not published:
        return
    if past.as_of and past.published_as_of and past.as_of < past.published_as_of:
        return
    yield ExpectTableRowCountToBeBetween(
        description=f"No more than {LOST_ROWS_SHARE:.0%} of the {published} published rows are lost",
        min_value=math.ceil(published * (1 - LOST_ROWS_SHARE)),
        severity=(Severity.CRITICAL if mart.is_entity else Severity.WARNING).value,
        notes="Rows that readers have today would be gone. Did a file vanish, a filter change, a segment "
        "go? If it is "
        "meant, publish without this check: python -m scripts publish.",
        meta=named("Published rows are not lost"),
    )


def _shares(mart: Mart) -> Iterator[Expectation]:
    for column in mart.shares:
        yield ExpectColumnValuesToBeBetween(
            description=f"{column} is a share",
            column=column,
            min_value=0,
            max_value=1,
            severity=Severity.CRITICAL.value,
            notes="A share outside 0 to 1 is a defect of the model or of what it joins: do not publish.",
            meta=named("Shares lie between 0 and 1"),
        )
    required = {column: condition for column, condition in mart.shares.items() if condition}
    if required:
        keys = ", ".join(map(identifier, mart.key))
        missing = "\nunion all\n".join(
            f'select {keys}, {literal(column)} as "column"\nfrom "marts".{identifier(mart.name)}\n'
            f'where "is_complete" and {condition} and {identifier(column)} is null'
            for column, condition in required.items()
        )
        yield no_rows(
            "Complete periods with customers have their rates",
            missing,
            Severity.CRITICAL,
            expected="a value",
            todo="Readers would see a gap where the number is known: a defect of the model.",
        )


def _counts(mart: Mart) -> Iterator[Expectation]:
    for column in mart.counts:
        yield ExpectColumnValuesToBeBetween(
            description=f"{column} is not negative",
            column=column,
            min_value=0,
            severity=Severity.CRITICAL.value,
            notes="Nothing that is counted here can be negative: a defect of the model or of what it joins.",
            meta=named("Counts are not negative"),
        )


def _as_of() -> Iterator[Expectation]:
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


def _customers() -> Iterator[Expectation]:
    yield _agree(
        "Four marts count the same customers",
        {
            "dim_customers": """select count(*) from "marts"."dim_customers" where "is_customer"
""",
            "fct_customer_lifetime_value": """select count(*) from "marts"."fct_customer_lifetime_value"
""",
            "fct_customer_base": """select coalesce(max_by("base_customers", "month"), 0)
            from "marts"."fct_customer_base"
            where "segment_type" = 'all'""",
            "fct_cohort_retention": """select coalesce(sum("cohort_size"), 0)
            from "marts"."fct_cohort_retention"
            where "segment_type" = 'all' and "months_since_first" = 0""",
        },
        tolerance="0",
        todo="Customers are lost or doubled on the way to one of the marts: nothing that is said per "
        "customer holds.",
    )


def _orders() -> Iterator[Expectation]:
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
    yield no_rows(
        "Orders after the last day known",
        """select "order_id", "ordered_on", (select max("as_of_date") from "marts"."dim_months") as
        "as_of_date"
from "marts"."fct_orders"
where "ordered_on" > (select max("as_of_date") from "marts"."dim_months")""",
        Severity.CRITICAL,
        todo="Orders of the future stand in the past: a model does not keep to as_of_date.",
    )


def _customer_base() -> Iterator[Expectation]:
    yield _agree(
        "The months hold the purchases that the orders hold",
        {
            "fct_customer_base": """select sum("order_count" + "guest_order_count")
            from "marts"."fct_customer_base"
            where "segment_type" = 'all'""",
            "fct_orders": """select count(*) from "marts"."fct_orders" where "is_counted"
""",
        },
        tolerance="0",
        todo="Orders are lost or doubled between fct_orders and the months.",
    )
    yield _agree(
        "The months hold the net revenue that the orders hold",
        {
            # A refund of an order that we never saw is no revenue of any month, but a guest's is.
            "fct_customer_base": """select sum("net_revenue" + "guest_net_revenue" -
            "unattributed_refunded_amount") from "marts"."fct_customer_base"
            where "segment_type" = 'all'""",
            "fct_orders less refunds of unknown orders": """select
                coalesce((select sum("net_revenue") from "marts"."fct_orders"), 0)
                - coalesce(
                    (
                        select sum("refunded_amount")
                        from "intermediate"."int_refunds_valued"
                        where not "has_known_order" and "is_booked"
                    ),
                    0
                )""",
        },
        tolerance=MONEY_TOLERANCE,
        todo="Money is lost or doubled between orders, refunds and months.",
    )
    yield _agree(
        "The months hold the net revenue of the customers",
        {
            "fct_customer_base": """select sum("net_revenue")
            from "marts"."fct_customer_base"
            where "segment_type" = 'all'""",
            # Who has had all his orders refunded is no customer, but his money moved in some month.
            "fct_customer_lifetime_value and prospects": """select
                coalesce((select sum("net_revenue") from "marts"."fct_customer_lifetime_value"), 0)
                + coalesce(
                    (
                        select sum("net_revenue")
                        from "intermediate"."int_customer_months"
                        where "customer_id" not in (select "customer_id" from
                        "marts"."fct_customer_lifetime_value")
                    ),
                    0
                )""",
        },
        tolerance=MONEY_TOLERANCE,
        todo="What customers brought and what months brought is the same money, counted twice differently.",
    )
    yield _last_month(
        "Net revenue of the last complete month is of the usual size",
        """select "month", "net_revenue" + "guest_net_revenue" as "figure", true as "is_enough"
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


def _onboarding() -> Iterator[Expectation]:
    yield _agree(
        "The months hold the sign-ups of the customers",
        {
            "rpt_onboarding": """select coalesce(sum("sign_ups"), 0)
            from "marts"."rpt_onboarding"
            where "segment_type" = 'all'""",
            "dim_customers": """select count("signed_up_on") from "marts"."dim_customers"
""",
        },
        tolerance="0",
        todo="Sign-ups are lost or doubled on the way.",
    )


def _retention_rate() -> Iterator[Expectation]:
    yield no_rows(
        "Customers active at the end of a month are the installed base",
        """select
    "rates"."period_start", "rates"."segment_type", "rates"."segment_value",
    "rates"."ending_customers", "base"."installed_customers"
from "marts"."fct_customer_retention_rate" as "rates"
full outer join "marts"."fct_customer_base" as "base"
    on
        "rates"."period_start" = "base"."month"
        and "rates"."segment_type" = "base"."segment_type"
        and "rates"."segment_value" = "base"."segment_value"
where
    coalesce("rates"."period_type", 'month') = 'month'
    and "rates"."ending_customers" is distinct from "base"."installed_customers"
""",
        Severity.CRITICAL,
        expected="ending_customers = installed_customers of fct_customer_base",
        todo="Two marts disagree about who is active: one of them counts another window or another segment.",
    )
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


def _concentration() -> Iterator[Expectation]:
    # From floating point numbers; a period with one customer may miss 0 by a hair.
    yield ExpectColumnValuesToBeBetween(
        description="gini_coefficient lies between 0 and 1",
        column="gini_coefficient",
        min_value=-float(RATE_TOLERANCE),
        max_value=1,
        severity=Severity.CRITICAL.value,
        notes="A coefficient outside 0 to 1 is a defect of the model: do not publish.",
    )
    yield no_rows(
        "The shares of the ten deciles make up the whole",
        f"""select "period_type", "period_start", "segment_type", "segment_value", "cumulative_revenue_share"
from "marts"."fct_revenue_concentration"
where "decile" = 10 and abs("cumulative_revenue_share" - 1) > {RATE_TOLERANCE}""",
        Severity.CRITICAL,
        expected="cumulative_revenue_share of the last decile = 1",
        todo="Customers or revenue are missing from a decile: a defect of the model.",
    )


def _tier_moves() -> Iterator[Expectation]:
    yield no_rows(
        "Every customer of a month stands in one tier",
        """with "moves" as (
    select "month", "segment_type", "segment_value", sum("customers") as "customers"
    from "marts"."fct_loyalty_tier_moves"
    group by "month", "segment_type", "segment_value"
)
select
    "moves"."month", "moves"."segment_type", "moves"."segment_value",
    "moves"."customers", "base"."base_customers"
from "moves"
left join "marts"."fct_customer_base" as "base"
    on
        "moves"."month" = "base"."month"
        and "moves"."segment_type" = "base"."segment_type"
        and "moves"."segment_value" = "base"."segment_value"
where "moves"."customers" is distinct from "base"."base_customers"
""",
        Severity.CRITICAL,
        expected="the customers of all moves = base_customers of fct_customer_base",
        todo="The bands in seeds/loyalty_tiers.csv leave a gap or overlap, or a customer has no tier.",
    )


def _lifetime_value() -> Iterator[Expectation]:
    yield no_rows(
        "Each customer brought what his orders brought",
        f"""with "ordered" as (
    select "customer_id", sum("gross_amount") as "gross", sum("refunded_amount") as "refunded"
    from "marts"."fct_orders"
    where "is_booked" and "customer_id" is not null
    group by "customer_id"
)
select
    "customers"."customer_id",
    coalesce("ordered"."gross", 0) as "gross of orders",
    "customers"."gross_revenue" as "gross of customer",
    coalesce("ordered"."refunded", 0) as "refunded of orders",
    "customers"."refunded_amount" as "refunded to customer"
from "marts"."fct_customer_lifetime_value" as "customers"
left join "ordered" on "customers"."customer_id" = "ordered"."customer_id"
where
    abs("customers"."gross_revenue" - coalesce("ordered"."gross", 0)) > {MONEY_TOLERANCE}
    -- A customer may have been given back more: for orders that we never saw.
    or coalesce("ordered"."refunded", 0) - "customers"."refunded_amount" > {MONEY_TOLERANCE}""",
        Severity.CRITICAL,
        expected="gross_revenue = the gross amount of the booked orders in fct_orders, refunded_amount at "
        "least what was refunded of them",
        todo="Orders or refunds are lost, doubled or given to somebody else on the way to the value of a "
        "customer.",
    )


def _subscription_retention() -> Iterator[Expectation]:
    yield no_rows(
        "Subscribers and MRR are those whose subscriptions run, as landed",
        f"""with "settings" as (
    select "reporting_currency", "as_of_date" from "intermediate"."int_settings"
),
-- Of overlapping periods of one subscription the later holds: the one begun last tells whether it runs.
"latest" as (
    select "current".*
    from (
        {current_rows("subscriptions")}
    ) as "current"
    inner join "settings" on "current"."started_on" <= "settings"."as_of_date"
    qualify row_number() over (
        partition by "current"."subscription_id" order by "current"."started_on" desc
    ) = 1
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
        end as "mrr"
    from "latest"
    cross join "settings"
    where
        ("latest"."ended_on" is null or "latest"."ended_on" > "settings"."as_of_date")
        and "latest"."amount" > coalesce("latest"."discount_amount", 0)
),
"landed" as (
    select
        count(distinct "customer_id") as "subscribers",
        count(*) as "subscriptions",
        coalesce(sum("mrr"), 0) as "mrr",
        coalesce(bool_and("is_unconverted"), true) as "is_unconverted"
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
    "landed"."subscribers" <> "built"."subscribers"
    or (
        -- Others were converted, each at the rate of its day.
        "landed"."is_unconverted"
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


def _nps_responses() -> Iterator[Expectation]:
    yield no_rows(
        "Responses and their scores are those that were landed",
        f"""with "settings" as (
    select "as_of_date" < "last_event_on" as "is_earlier_day" from "intermediate"."int_settings"
),
"landed" as (
    select
        coalesce("survey", '') as "survey",
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
        coalesce("survey", '') as "survey",
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


def _nps_scores() -> Iterator[Expectation]:
    yield no_rows(
        "The scores of each survey count all of its responses",
        """with "counted" as (
    select
        "survey",
        count(*) filter (where "is_counted") as "responses",
        count(*) filter (where not "is_counted") as "unscored"
    from "marts"."fct_nps_responses"
    group by "survey"
),
"scored" as (
    select "survey", sum("responses") as "responses", sum("unscored_responses") as "unscored"
    from "marts"."fct_nps_scores"
    where "period_type" = 'month' and "segment_type" = 'all' and "survey" <> 'all'
    group by "survey"
)
select
    coalesce("counted"."survey", "scored"."survey") as "survey",
    "counted"."responses" as "responses with a score",
    "scored"."responses" as "responses counted",
    "counted"."unscored" as "responses without a score",
    "scored"."unscored" as "unscored responses counted"
from "counted"
full outer join "scored" on "counted"."survey" = "scored"."survey"
where
    coalesce("counted"."responses", 0) <> coalesce("scored"."responses", 0)
    or coalesce("counted"."unscored", 0) <> coalesce("scored"."unscored", 0)""",
        Severity.CRITICAL,
        expected="the responses of all months = those in fct_nps_responses",
        todo="Responses are lost or doubled between fct_nps_responses and the scores: no NPS is right.",
    )


def _feedback_themes() -> Iterator[Expectation]:
    yield _agree(
        "The months hold the comments of the responses",
        {
            "rpt_feedback_themes": """select sum("comments")
            from (
                select distinct "period_start", "comments"
                from "marts"."rpt_feedback_themes"
                where "period_type" = 'month' and "comment_type" = 'survey'
            ) as "months"
""",
            "fct_nps_responses": """select count("comment_text") from "marts"."fct_nps_responses"
""",
        },
        tolerance="0",
        todo="Comments are lost or doubled on the way to their themes.",
    )


def _churn_events() -> Iterator[Expectation]:
    yield no_rows(
        "Whoever is no longer active has left",
        """select "customers"."customer_id"
from "marts"."dim_customers" as "customers"
where
    "customers"."is_customer"
    and not "customers"."is_active"
    and not exists (
        select 1
        from "marts"."fct_churn_events" as "events"
        where "events"."customer_id" = "customers"."customer_id" and not "events"."is_reactivated"
    )""",
        Severity.CRITICAL,
        expected="a departure without return for every customer who is not active",
        todo="The churn database and the customers disagree about who has left: one of them was built from "
        "other rows, or counts another window.",
    )
    yield no_rows(
        "Departures after the last day known",
        """select "churn_event_id", "churned_on", "reactivated_on"
from "marts"."fct_churn_events"
where greatest("churned_on", coalesce("reactivated_on", "churned_on")) > (
    select max("as_of_date") from "marts"."dim_months"
)""",
        Severity.CRITICAL,
        todo="A plan to leave is counted as a departure: the model does not keep to as_of_date.",
    )


def _winback_candidates() -> Iterator[Expectation]:
    # Returned by orders as well: a subscription alone tells of the departure, not of who is active.
    yield _agree(
        "Those to win back are those who left and have not returned",
        {
            "rpt_winback_candidates": """select count(*) from "marts"."rpt_winback_candidates"
""",
            "fct_churn_events": """select count(distinct "customer_id")
            from "marts"."fct_churn_events"
            where
                not "is_reactivated"
                and "customer_id" in (
                    select "customer_id" from "marts"."dim_customers" where not "is_active"
                )
""",
        },
        tolerance="0",
        todo="Somebody would be asked to come back who never left, or is forgotten.",
    )


def _customer_health() -> Iterator[Expectation]:
    yield ExpectColumnValuesToBeBetween(
        description="health_score lies between 0 and 100",
        column="health_score",
        min_value=0,
        max_value=100,
        severity=Severity.CRITICAL.value,
        notes="The points in seeds/health_rules.csv make up 100 at most: a defect of the model.",
    )
    yield no_rows(
        "Whoever is active at the end of a month has a state of health",
        """with "health" as (
    select "month", count(*) as "customers"
    from "marts"."fct_customer_health"
    group by "month"
)
select "base"."month", "base"."installed_customers", "health"."customers"
from "marts"."fct_customer_base" as "base"
left join "health" on "base"."month" = "health"."month"
where
    "base"."segment_type" = 'all'
    and "base"."installed_customers" <> coalesce("health"."customers", 0)""",
        Severity.CRITICAL,
        expected="as many rows of each month as installed_customers of fct_customer_base",
        todo="Customers are missing from the health of a month, or are there twice.",
    )


def _agree(description: str, sums: dict[str, str], *, tolerance: str, todo: str) -> Expectation:
    """Expect that all queries give the same number; a report names each with its own."""
    columns = ",\n".join(f"        ({query}) as {identifier(name)}" for name, query in sums.items())
    names = [f"coalesce({identifier(name)}, 0)" for name in sums]
    return no_rows(
        description,
        f"""select *
from (
    select
{columns}
) as "sums"
where greatest({", ".join(names)}) - least({", ".join(names)}) > {tolerance}""",
        Severity.CRITICAL,
        expected="the same in " + " and ".join(sums),
        todo=todo,
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
