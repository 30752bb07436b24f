"""A build file as landing and dbt leave it, in small: for tests of what comes after them."""

from __future__ import annotations

from pathlib import Path

import duckdb

from scripts.core.settings import Settings

# Columns as in the models of the same name, those that are read by scripts.
MARTS = """
    create or replace table marts.dim_customers as
        select
            'c' || i as customer_id, i % 2 = 0 as is_active, cast({number} as bigint) as publication_number
        from range(5) as r(i);
    comment on table marts.dim_customers is 'One row per customer, the shop''s own.';
    comment on column marts.dim_customers.customer_id is 'Who it is.';
    create or replace table marts.fct_customer_base as
        select
            cast(m as date) as month, t as segment_type, t as segment_value,
            cast(40 + month(m) as bigint) as base_customers,
            cast(20 + month(m) as bigint) as installed_customers,
            cast(100 as bigint) as order_count,
            cast(case when t = 'all' then 10 end as bigint) as guest_order_count,
            cast(1000.50 as decimal(18, 2)) as net_revenue,
            cast(0 as decimal(28, 4)) as subscription_revenue,
            cast(case when t = 'all' then 250.25 end as decimal(18, 2)) as guest_net_revenue,
            m < date '2011-03-01' as is_complete, cast({number} as bigint) as publication_number
        from generate_series(date '2011-01-01', date '2011-03-01', interval 1 month) as r(m),
            unnest(['all', 'country']) as s(t);
    create or replace table marts.fct_customer_retention_rate as
        select
            p as period_type, cast(m as date) as period_start, 'all' as segment_type, 'all' as segment_value,
            cast(50 as bigint) as starting_customers,
            case when m < date '2011-03-01' then 0.5 + month(m) / 10.0 end as retention_rate,
            m < date '2011-03-01' as is_complete, m > date '2011-01-01' as is_window_observed,
            cast({number} as bigint) as publication_number
        from generate_series(date '2011-01-01', date '2011-03-01', interval 1 month) as r(m),
            unnest(['month', 'quarter']) as s(p);
    create or replace table marts.fct_customer_lifetime_value as
        select
            'c' || i as customer_id,
            cast(case when i < 3 then 100.25 end as decimal(28, 4)) as predicted_value_365_days,
            cast({number} as bigint) as publication_number
        from range(5) as r(i);
    create or replace table marts.fct_revenue_concentration as
        select
            'all' as period_type, cast(null as date) as period_start, 'all' as segment_type,
            'all' as segment_value, d as decile, 0.746 as top_20_percent_share,
            cast({number} as bigint) as publication_number
        from range(1, 11) as r(d);
"""


def land(settings: Settings, batch_id: int, business_timezone: str = "UTC") -> None:
    """Write what landing leaves behind for those who come after it: the loads and the company's settings."""
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(
            f"""
            create schema if not exists raw;
            create or replace table raw.loads as
                select
                    cast({batch_id} as bigint) as batch_id, 'shop' as source_name,
                    unnest([1500, 1692]) as rows_read, unnest([1400, 72]) as rows_rejected,
                    unnest([false, true]) as is_current;
            create or replace table raw.settings as
                select 'business_timezone' as name, '{business_timezone}' as value;
            """
        )


def build(settings: Settings, number: int = 1) -> None:
    """Write the marts, each row with `number`, and the settings they were built with."""
    with duckdb.connect(str(settings.build_database)) as connection:
        connection.execute(
            """
            create schema if not exists intermediate;
            create or replace table intermediate.int_settings as
                select
                    date '2011-03-09' as as_of_date, 'GBP' as reporting_currency, 'UTC' as business_timezone,
                    'orders' as as_of_table, 1 as planned_subscriptions, 0 as planned_departures,
                    0 as later_events;
            create schema if not exists marts;
            """
        )
        connection.execute(MARTS.format(number=number))


def make_warehouse(folder: Path, number: int = 1) -> Settings:
    """A warehouse in `folder` that is ready to be published."""
    settings = Settings(warehouse=folder)
    land(settings, batch_id=number)
    build(settings, number)
    return settings
