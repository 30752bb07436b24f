"""The raw contract: the thirteen tables a company's data is mapped to, and what a row of each must satisfy.

Landing, the adapters' checks, the starter adapter, the demo data and the raw expectations all read this one
description; the dbt sources in `models/staging/_raw__sources.yml` are held against it by a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from scripts.contract.personal import NAMES_SOMEBODY, Personal


class Kind(Enum):
    """What a value must convert to; the value is the DuckDB type that `raw` stores.

    TIMESTAMP holds UTC where the row's `_is_utc` says so, else business time.
    """

    TEXT = "VARCHAR"
    INTEGER = "BIGINT"
    DECIMAL = "DECIMAL(18,4)"
    # Rates of exchange need more digits than money: 1 VND is 0.00003788 EUR.
    RATE = "DECIMAL(28,12)"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    BOOLEAN = "BOOLEAN"


@dataclass(frozen=True)
class Column:
    """One column: `minimum` is inclusive unless `above_minimum`; `values` are all it may have, lower case.

    Every column of text says what it holds of a person (`personal`); the others hold nothing of the kind.
    """

    name: str
    kind: Kind
    required: bool = False
    minimum: int | None = None
    above_minimum: bool = False
    maximum: int | None = None
    values: tuple[str, ...] = ()
    is_currency: bool = False
    # A plan for the future is no error: a subscription paid until next March.
    may_be_future: bool = False
    personal: Personal | None = None
    # Made by landing from other columns of the mapping: no adapter names it.
    is_composed: bool = False

    @property
    def is_email(self) -> bool:
        """Whether only a salted hash is stored."""
        return self.personal is Personal.EMAIL

    @property
    def is_free_text(self) -> bool:
        """Whether telephone numbers are masked in it."""
        return self.personal is Personal.FREE_TEXT


@dataclass(frozen=True)
class Table:
    """One raw table. `key` identifies a row: a later batch with the same key replaces it."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    # (earlier, later): a row in which the later date is before the earlier one is refused.
    ordered_dates: tuple[tuple[str, str], ...] = ()
    # (part, whole): a row in which the part is larger than the whole is refused.
    parts: tuple[tuple[str, str], ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def has_customer(self) -> bool:
        """Whether its rows are a customer's, by `customer_id`."""
        return any(column.personal is Personal.CUSTOMER for column in self.columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that an adapter may fill by their names."""
        return tuple(column.name for column in self.columns if not column.is_composed)

    @property
    def has_company_segments(self) -> bool:
        """Whether an adapter may add columns `segment_<name>` of its own."""
        return COMPANY_SEGMENTS in {column.name for column in self.columns}

    @property
    def required_columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)


def _id(name: str, personal: Personal = Personal.RECORD, required: bool = False) -> Column:
    return Column(name, Kind.TEXT, required, personal=personal)


def _label(name: str, required: bool = False) -> Column:
    return Column(name, Kind.TEXT, required, personal=Personal.LABEL)


def _choice(name: str, values: tuple[str, ...], required: bool = False) -> Column:
    return Column(name, Kind.TEXT, required, values=values, personal=Personal.NONE)


def _free_text(name: str) -> Column:
    return Column(name, Kind.TEXT, personal=Personal.FREE_TEXT)


def _money(name: str, required: bool = False, minimum: int | None = 0, above_minimum: bool = False) -> Column:
    return Column(name, Kind.DECIMAL, required, minimum=minimum, above_minimum=above_minimum)


def _timestamp(name: str, required: bool = False) -> Column:
    return Column(name, Kind.TIMESTAMP, required)


def _currency(required: bool = False) -> Column:
    return Column("currency", Kind.TEXT, required, is_currency=True, personal=Personal.NONE)


# What a company divides its customers by besides country, channel and plan: the columns `segment_<name>` of
# an adapter, in one text, as `industry=retail|size=small`. In a value `~` is written `~0`, and `|` is `~1`.
COMPANY_SEGMENTS = "company_segments"
SEGMENT_PREFIX = "segment_"
SEGMENT_NAME = r"[a-z][a-z0-9_]{0,29}"
# The segment types that every company has; a column of its own has another name.
SEGMENT_TYPES = ("acquisition_channel", "country", "plan", "billing_interval")
RESERVED_SEGMENT_TYPES = (*SEGMENT_TYPES, "all", "cohort_year")
# What has more values divides nobody: an id, a date, a free text. Each value is a row of each period in each
# mart.
MOST_SEGMENT_VALUES = 50


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customers",
            ("customer_id",),
            (
                _id("customer_id", Personal.CUSTOMER, required=True),
                _timestamp("signed_up_at"),
                _label("country"),
                _label("acquisition_channel"),
                _id("referred_by_customer_id", Personal.OTHER_CUSTOMER),
                _id("email", Personal.EMAIL),
                Column(COMPANY_SEGMENTS, Kind.TEXT, personal=Personal.LABEL, is_composed=True),
            ),
        ),
        Table(
            "orders",
            ("order_id",),
            (
                _id("order_id", required=True),
                _id("customer_id", Personal.CUSTOMER),
                _timestamp("ordered_at", required=True),
                _money("gross_amount", required=True),
                _money("discount_amount"),
                _money("cost_amount"),
                _currency(),
                _choice("status", ("completed", "cancelled", "returned")),
            ),
            parts=(("discount_amount", "gross_amount"),),
        ),
        Table(
            "order_items",
            ("order_id", "line_number"),
            (
                _id("order_id", required=True),
                Column("line_number", Kind.INTEGER, required=True),
                _label("product_id", required=True),
                _label("product_name"),
                _label("category"),
                Column("quantity", Kind.DECIMAL, required=True, minimum=0, above_minimum=True),
                _money("unit_price", required=True),
            ),
        ),
        Table(
            "refunds",
            ("refund_id",),
            (
                _id("refund_id", required=True),
                _id("order_id"),
                _id("customer_id", Personal.CUSTOMER),
                _timestamp("refunded_at", required=True),
                _money("amount", required=True, above_minimum=True),
                _currency(),
                _free_text("reason"),
            ),
        ),
        Table(
            "subscriptions",
            ("subscription_id", "started_on"),
            (
                _id("subscription_id", required=True),
                _id("customer_id", Personal.CUSTOMER, required=True),
                _label("plan"),
                _choice("billing_interval", ("week", "month", "quarter", "year"), required=True),
                _money("amount", required=True),
                _money("discount_amount"),
                _currency(),
                Column("started_on", Kind.DATE, required=True, may_be_future=True),
                Column("ended_on", Kind.DATE, may_be_future=True),
                Column("cancel_requested_on", Kind.DATE),
                _free_text("cancel_reason"),
                _free_text("cancel_comment"),
                _choice("cancel_type", ("voluntary", "involuntary")),
            ),
            ordered_dates=(("started_on", "ended_on"),),
            parts=(("discount_amount", "amount"),),
        ),
        # Who left, by the word of a source that knows no end of a subscription, or has none to sell.
        Table(
            "departures",
            ("departure_id",),
            (
                _id("departure_id", required=True),
                _id("customer_id", Personal.CUSTOMER, required=True),
                _id("subscription_id"),
                Column("departed_on", Kind.DATE, required=True, may_be_future=True),
                _timestamp("recorded_at"),
                _free_text("reason"),
                _free_text("comment"),
            ),
        ),
        Table(
            "survey_invitations",
            ("invitation_id",),
            (
                _id("invitation_id", required=True),
                _id("customer_id", Personal.CUSTOMER, required=True),
                _label("survey"),
                _timestamp("sent_at", required=True),
            ),
        ),
        Table(
            "survey_responses",
            ("response_id",),
            (
                _id("response_id", required=True),
                _id("customer_id", Personal.CUSTOMER),
                _label("survey"),
                _timestamp("responded_at", required=True),
                Column("score", Kind.INTEGER, minimum=0, maximum=10),
                _free_text("comment"),
            ),
        ),
        Table(
            "usage_events",
            ("customer_id", "used_on", "feature"),
            (
                _id("customer_id", Personal.CUSTOMER, required=True),
                Column("used_on", Kind.DATE, required=True),
                _label("feature", required=True),
                Column("uses", Kind.INTEGER, minimum=0),
                Column("minutes", Kind.DECIMAL, minimum=0),
            ),
        ),
        Table(
            "support_tickets",
            ("ticket_id",),
            (
                _id("ticket_id", required=True),
                _id("customer_id", Personal.CUSTOMER, required=True),
                _timestamp("opened_at", required=True),
                _timestamp("closed_at"),
                _label("priority"),
                Column("satisfaction", Kind.INTEGER, minimum=1, maximum=5),
            ),
        ),
        Table(
            "payment_failures",
            ("failure_id",),
            (
                _id("failure_id", required=True),
                _id("customer_id", Personal.CUSTOMER, required=True),
                _timestamp("failed_at", required=True),
                _money("amount"),
                Column("recovered", Kind.BOOLEAN),
            ),
        ),
        Table(
            "marketing_spend",
            ("spent_on", "channel"),
            (
                Column("spent_on", Kind.DATE, required=True),
                _label("channel", required=True),
                _money("amount", required=True),
                _currency(),
            ),
        ),
        Table(
            "exchange_rates",
            ("currency", "rate_date"),
            (
                _currency(required=True),
                Column("rate_date", Kind.DATE, required=True),
                Column("rate_to_reporting", Kind.RATE, required=True, minimum=0, above_minimum=True),
            ),
        ),
    )
}

# What landing adds to every row of every raw table:
#   _batch_id       BIGINT   the landing that brought or changed the row; grows with each that changes one
#   _source_file    VARCHAR  the file as the adapter's pattern found it, relative to the data folder, or the
#                            Postgres relation
#   _source_row     BIGINT   1-based data row of the file (without a header); in a workbook, row of the sheet
#   _loaded_at      TIMESTAMP UTC
#   _file_sequence  BIGINT   the place of the file in the order of first delivery: of two rows with one key
#                            the later file's counts; a corrected file keeps the place of the one before
#   _row_key        VARCHAR  the key columns as one text, see `row_key_sql` in scripts/landing/row_rules.py
#   _is_utc         BOOLEAN  the row's timestamps are UTC; else they are business time
LANDING_COLUMNS: dict[str, str] = {
    "_batch_id": "BIGINT",
    "_source_file": "VARCHAR",
    "_source_row": "BIGINT",
    "_loaded_at": "TIMESTAMP",
    "_file_sequence": "BIGINT",
    "_row_key": "VARCHAR",
    "_is_utc": "BOOLEAN",
}

# `raw.check_results`: what came of every check of every build and validation. Landing makes the table, they
# fill it.
CHECK_RESULT_COLUMNS = """
    run_id varchar, checked_at timestamp, as_of_date date, border varchar, table_name varchar,
    column_name varchar, check_name varchar, severity varchar, status varchar, observed varchar,
    expected varchar, observed_value double, lowest_value double, highest_value double,
    rows_affected bigint, message varchar"""


def stored_name(column: Column) -> str:
    """The column's name in `raw`: an e-mail address is stored as `email_hash` only."""
    return "email_hash" if column.is_email else column.name


def columns_that_name_somebody() -> list[tuple[str, str]]:
    """The columns of raw that hold ids of customers, as (table, column)."""
    return [
        (table.name, column.name)
        for table in TABLES.values()
        for column in table.columns
        if column.personal in NAMES_SOMEBODY
    ]


# Money that is written without decimals: by ISO 4217, and by habit (COP, IDR, IRR, LAK).
CURRENCIES_WITHOUT_DECIMALS = frozenset(
    "BIF CLP COP DJF GNF IDR IRR ISK JPY KMF KRW LAK PYG RWF UGX VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
# Money that is usually written with three.
CURRENCIES_OF_THREE_DECIMALS = frozenset("BHD JOD KWD LYD OMR TND".split())  # noqa: SIM905

# ISO 4217 alphabetic codes in use, the fund and metal codes left out.
CURRENCIES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK
    LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
    OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
    SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG
    XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905 - a list of 160 quoted codes would be no easier to read
)
