"""Holds the marts of the demo company against what was planted in it: `demo-data --check`.

Each comparison is one query over the build file (attached as `build`, as its views name it) and the files
under `truth/`. It gives rows of: what is compared, what was planted, what the warehouse says, by how much
they differ, and by how much they may; the reason stands above the query.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from scripts.core.errors import ConfigurationError
from scripts.core.sql import identifier, literal
from scripts.core.text import in_columns

# Marts keep four decimals: an amount is off by at most half of the last.
HALF_DIGIT = "0.00005"


@dataclass(frozen=True)
class Finding:
    """One fact: planted, found, and how far apart they are; a month or a survey is named in `what`."""

    what: str
    planted: float
    found: float
    difference: float
    tolerance: float

    @property
    def is_recovered(self) -> bool:
        return abs(self.difference) <= self.tolerance


# Every count is exact, and so are sums but for the rounding of their parts.
_MONEY = f"""
with mrr as (
    select truth.month, truth.subscribers, truth.closing_mrr as planted, built.closing_mrr as found,
        built.closing_customers
    from truth.mrr as truth
    left join build.marts.rpt_subscription_retention as built
        on truth.month = built.month and built.segment_type = 'all'
),
placed as (
    select ordered_month as month, count(*) filter (is_counted) as orders,
        sum(gross_amount) filter (is_booked) as gross_revenue
    from build.marts.fct_orders group by ordered_month
),
revenue as (
    select truth.*, coalesce(placed.orders, 0) as found_orders,
        coalesce(placed.gross_revenue, 0) as found_gross,
        base.net_revenue + base.guest_net_revenue as found_net
    from truth.orders_by_month as truth
    left join placed using (month)
    left join build.marts.fct_customer_base as base
        on truth.month = base.month and base.segment_type = 'all'
),
compared as (
    select 1 as place, 'subscribers' as name, month, subscribers as planted, closing_customers as found,
        0 as tolerance
    from mrr
    union all
    select 2, 'MRR', month, planted, found, {HALF_DIGIT} * (subscribers + 1) from mrr
    union all
    select 3, 'orders', month, orders, found_orders, 0 from revenue
    union all
    select 4, 'gross revenue', month, gross_revenue, found_gross, {HALF_DIGIT} * (orders + 100)
    from revenue
    union all
    -- An amount, a discount and a refund for each order.
    select 5, 'net revenue', month, net_revenue, found_net, 3 * {HALF_DIGIT} * (orders + 100) from revenue
),
-- Of all months the one that is furthest off.
worst as (
    select *, row_number() over (
        partition by name
        order by abs(coalesce(found, 0) - planted) > tolerance desc,
            abs(coalesce(found, 0) - planted) desc, month desc
    ) as rank
    from compared
)
select name || ' by month, worst: ' || strftime(month, '%Y-%m'), planted, coalesce(found, 0),
    coalesce(found, 0) - planted, tolerance
from worst where rank = 1 order by place"""

_CUSTOMERS = """
with found as (
    select customer_id, is_customer, first_plan is null and order_day_count = 1 and not is_active as vanished
    from build.marts.dim_customers
),
sets as (
    select 1 as place, 'customers' as name, planted.customer_id as planted, found.customer_id as found
    from (from truth.customers where is_customer) as planted
    full join (from found where is_customer) as found on planted.customer_id = found.customer_id
    union all
    select 2, 'vanished after one order', planted.customer_id, found.customer_id
    from (from truth.vanished where kind = 'one_order') as planted
    full join (from found where vanished) as found on planted.customer_id = found.customer_id
)
-- The difference is in persons: one too many does not make up for one who is missing.
select name, count(planted), count(found), count(*) filter (planted is null or found is null), 0
from sets group by place, name order by place"""

# The warehouse waits `active_window_days` before it calls anybody silent, the truth 30 days: only those who
# were silent for so long are compared; and whoever vanished after coming back is no newcomer to it. It may be
# off by those of whom the files cannot tell: without any recorded use; silent since a day near the border, as
# the truth knows only on which day one might last have used it; and gone so soon, for a reason that was
# planted, that no use came after the first days.
_VANISHED = """
with settings as (
    select as_of_date, active_window_days, onboarding_days from build.intermediate.int_settings
),
newcomers as (
    select vanished.customer_id, vanished.kind, as_of_date - last_active_on as silent_days,
        active_window_days as window_days, onboarding_days,
        uses.customer_id is not null as has_used
    from truth.vanished as vanished
    cross join settings
    left join (select distinct customer_id from build.staging.stg_usage_events) as uses
        on vanished.customer_id = uses.customer_id
    where not exists (
        from truth.churned
        where churned.customer_id = vanished.customer_id and churned.ended_on <= vanished.last_active_on
    )
),
planted as (
    select count(distinct customer_id) filter (silent_days >= window_days) as number,
        count(*) filter (
            kind = 'onboarding_use' and (
                not has_used
                or (silent_days < window_days and silent_days + onboarding_days >= window_days)
            )
        ) as unsure
    from newcomers
),
gone_soon as (
    select count(*) as number
    from (from truth.churned qualify row_number() over (partition by customer_id order by started_on) = 1)
    cross join settings
    where engagement <> 'vanished' and ended_on - started_on < active_window_days
),
found as (
    select max_by(started_then_vanished_customers, month) as number
    from build.marts.fct_customer_base where segment_type = 'all'
)
select 'vanished after one order or the first days of use', planted.number, found.number,
    found.number - planted.number, planted.unsure + gone_soon.number
from planted cross join found cross join gone_soon"""

_NPS = """
with answers as (
    select survey,
        count(*) filter (nps_category = 'promoter') as promoters,
        count(*) filter (nps_category = 'passive') as passives,
        count(*) filter (nps_category = 'detractor') as detractors,
        count(*) filter (not is_counted) as unscored,
        count(*) filter (is_counted and customer_id is null) as anonymous
    from build.marts.fct_nps_responses group by survey
),
counted as (
    select truth.survey, kind, planted, found
    from (unpivot (from truth.nps where votes = 'all') on promoters, passives, detractors, unscored
        into name kind value planted) as truth
    left join (unpivot answers on promoters, passives, detractors, unscored
        into name kind value found) as built using (survey, kind)
),
scores as (
    select truth.survey,
        100.0 * (truth.promoters - truth.detractors) / (truth.responses - truth.unscored) as planted,
        built.nps as found, answers.anonymous, built.votes
    from truth.nps as truth
    left join answers using (survey)
    left join build.marts.fct_nps_scores as built
        on truth.survey = built.survey and built.period_type = 'all' and built.segment_type = 'all'
    where truth.votes = 'latest_per_customer'
)
(
    select survey || ' survey: ' || kind, planted, coalesce(found, 0), coalesce(found, 0) - planted, 0
    from counted order by survey desc, array_position(['promoters', 'passives', 'detractors'], kind)
)
union all
(
    -- Who answers without a name has a vote of their own in the warehouse, and none in the truth: each can
    -- move the score by no more than two full votes.
    select survey || ' survey: NPS, one vote each', planted, found, found - planted,
        1e-9 + 200.0 * anonymous / votes
    from scores order by survey desc
)"""

# A subscription that goes on the very day it ends has not been left.
_CHURN = """
with planted as (
    select customer_id, ended_on, cancel_type, coalesce(stated_reason, '') as stated_reason,
        reactivated_on <= as_of_date as returned
    from truth.churned cross join build.intermediate.int_settings
    where ended_on <= as_of_date and coalesce(reactivated_on <> ended_on, true)
),
found as (
    select customer_id, churned_on, churn_type, coalesce(stated_reason, '') as stated_reason, reason,
        is_reactivated
    from build.marts.fct_churn_events where basis = 'subscription'
),
departures as (
    select 'departures, by customer and day' as name, count(planted.customer_id) as planted,
        count(found.customer_id) as found,
        count(*) filter (planted.customer_id is null or found.customer_id is null) as difference
    from planted
    full join found
        on planted.customer_id = found.customer_id and planted.ended_on = found.churned_on
),
counts as (
    select 'departures: ' || cancel_type as name, 1 as planted, 0 as found from planted
    union all
    select 'departures: ' || churn_type, 0, 1 from found
    union all
    select 'departures who came back', coalesce(returned, false)::int, 0 from planted
    union all
    select 'departures who came back', 0, is_reactivated::int from found
    union all
    select 'reason ' || case when stated_reason <> '' then stated_reason
        when cancel_type = 'involuntary' then 'payment_failed' else 'not_given' end, 1, 0 from planted
    union all
    select 'reason ' || reason, 0, 1 from found
)
select name, planted, found, difference, 0 from departures
union all
(
    select name, sum(planted), sum(found), sum(found) - sum(planted), 0
    from counts group by name order by name
)"""

# Clicks come on random days, so four weeks of a light user swing: about a fifth of those who fade still look
# steady, and up to a quarter of those who do not look faded by chance. The tolerance is that quarter and two
# standard errors of it.
_ENGAGEMENT = """
with judged as (
    select
        case when planted.cancel_type = 'involuntary' then 'whose payment failed'
            else 'who ' || case planted.engagement when 'fading' then 'faded' else 'stayed steady' end
        end as name,
        (planted.engagement = 'fading')::int as planted,
        (found.engagement_trend in ('declining', 'silent'))::int as found
    from truth.churned as planted
    inner join build.marts.fct_churn_events as found
        on planted.customer_id = found.customer_id and planted.ended_on = found.churned_on
    -- Who was there too briefly has no usual level to fade from.
    where planted.engagement <> 'vanished' and found.engagement_trend <> 'unknown'
)
select 'found fading, of those ' || name, avg(planted), avg(found), avg(found) - avg(planted),
    0.25 + 2 * sqrt(0.25 * 0.75 / count(*))
from judged group by name order by name"""

# The words of the rules were not taken from the planted sentences: some say a theme without any of its words,
# some speak of two themes where one was meant.
_THEMES = """
with themes as (select distinct unnest(string_split(themes, ';')) as theme from truth.response_themes),
planted as (
    select response_id, unnest(string_split(themes, ';')) as theme from truth.response_themes
),
-- `none` stands for a comment that says how it was and not why.
planted_themes as (select distinct response_id, theme from planted where theme <> 'none'),
found as (
    select comment_id as response_id, theme
    from build.intermediate.int_comment_themes
    -- Other themes (ease of use, praise) were not planted, but are often there as well.
    where comment_type = 'survey' and theme in (select theme from themes)
        and comment_id in (select response_id from truth.response_themes)
),
compared as (
    select count(planted_themes.theme) as planted, count(found.theme) as found,
        count(*) filter (planted_themes.theme is not null and found.theme is not null) as shared
    from planted_themes
    full join found
        on planted_themes.response_id = found.response_id and planted_themes.theme = found.theme
)
select 'themes of comments: found of the planted (recall)', 1, shared / planted, shared / planted - 1, 0.1
from compared
union all
select 'themes of comments: planted of the found (precision)', 1, shared / found, shared / found - 1, 0.1
from compared"""

COMPARISONS = (_CUSTOMERS, _MONEY, _VANISHED, _CHURN, _ENGAGEMENT, _NPS, _THEMES)

# File -> how it is read. Empty text is a reason that nobody gave.
TRUTH_FILES = {
    "customers": "customers.parquet",
    "churned": "churned.csv",
    "mrr": "mrr.csv",
    "orders_by_month": "orders_by_month.csv",
    "nps": "nps.csv",
    "response_themes": "response_themes.csv",
    "vanished": "vanished.csv",
}


def compare(database: Path, truth: Path) -> list[Finding]:
    """Compare the marts of a build file with the folder `truth` of the data it was built from.

    Raises `ConfigurationError` if one of them is missing, or if they are not of the same data.
    """
    missing = [name for name in ("facts.json", *TRUTH_FILES.values()) if not (truth / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"{truth} holds no truth to compare with: {missing[0]} is missing. Write the demo data first, "
            "or name its folder with --to."
        )
    if not database.exists():
        raise ConfigurationError(
            f"There is nothing to check: {database} does not exist. Land and build the demo data first: "
            "python -m scripts land --source demo."
        )
    until = date.fromisoformat(json.loads((truth / "facts.json").read_text(encoding="utf-8"))["until"])
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(str(database))} as build (read_only)")
        try:
            _same_data(connection, until, database, truth)
            connection.execute("create schema truth")
            for name, file in TRUTH_FILES.items():
                reader = "read_parquet" if file.endswith(".parquet") else "read_csv"
                connection.execute(
                    f"create view truth.{identifier(name)} as from {reader}({literal(str(truth / file))})"
                )
            rows = [row for query in COMPARISONS for row in connection.execute(query).fetchall()]
        except duckdb.CatalogException as error:
            raise ConfigurationError(
                f"{database} was not built to the end: {str(error).splitlines()[0]} Build it first: "
                "python -m scripts build."
            ) from error
    return [Finding(what, *(float(number or 0) for number in numbers)) for what, *numbers in rows]


def _same_data(connection: duckdb.DuckDBPyConnection, until: date, database: Path, truth: Path) -> None:
    """A warehouse of other data differs in everything: say that, not thirty times something else."""
    sources = connection.execute("select distinct source_name from build.raw.loads").fetchall()
    if sources != [("demo",)]:
        raise ConfigurationError(
            f"{database} holds {', '.join(name for (name,) in sources) or 'nothing'}, not the demo company: "
            "set TENURE_WAREHOUSE to the warehouse of the demo."
        )
    (as_of,) = connection.execute("select as_of_date from build.intermediate.int_settings").fetchone()
    if as_of != until:
        raise ConfigurationError(
            f"The marts in {database} know the days until {as_of}, the truth in {truth} is that of {until}: "
            "land the data beside it and build without --as-of."
        )


def table(findings: list[Finding]) -> str:
    """The findings as text, for people."""
    heads = ("what", "planted", "found", "difference", "tolerance", "ok")
    rows = [
        (
            finding.what,
            *map(_shown, (finding.planted, finding.found, finding.difference, finding.tolerance)),
            "yes" if finding.is_recovered else "NO",
        )
        for finding in findings
    ]
    return in_columns([heads, *rows])


def _shown(number: float) -> str:
    """Counts without decimals, shares with three, small differences of sums of money with four.

    >>> _shown(1200.0), _shown(0.8251), _shown(-0.0001)
    ('1,200', '0.825', '-0.0001')
    """
    if number == int(number):
        return f"{number:,.0f}"
    return f"{number:,.3f}" if abs(number) >= 0.001 else f"{number:.4f}"
