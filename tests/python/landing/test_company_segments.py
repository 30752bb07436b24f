"""Segments of a company's own: columns `segment_<name>` of an adapter's customers, in one column of raw."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from scripts.core.errors import ConfigurationError, LandingError
from tests.python.small_company import Company

ADAPTER = """
vars: {{reporting_currency: EUR, business_timezone: UTC{variables}}}
tables:
  customers:
    files: customers*.csv
    columns: {{customer_id: id{columns}}}
  orders:
    files: orders*.csv
    columns: {{order_id: id, customer_id: customer, ordered_at: placed, gross_amount: amount}}
"""


@pytest.fixture
def company(tmp_path: Path) -> Company:
    company = Company(tmp_path)
    company.orders("1,a,2026-01-10,10")
    return company


def adapt(company: Company, columns: str = "", variables: str = "") -> None:
    company.adapter(ADAPTER.format(columns=columns, variables=variables))


def segments(company: Company) -> list[tuple]:
    return company.rows("select customer_id, company_segments from raw.customers order by 1")


def test_columns_land_in_one_text_with_their_names(company: Company) -> None:
    """Sorted by name, whatever the mapping's order; without a value there is none; marks are escaped."""
    adapt(company, ", segment_size: size, segment_industry: industry")
    company.write("customers.csv", "id,industry,size\na, retail ,3\nb,,\nc,A|B~C=D,\n")
    company.land()
    assert segments(company) == [("a", "industry=retail|size=3"), ("b", None), ("c", "industry=A~1B~0C=D")]
    assert company.rows("select value from raw.settings where name = 'company_segments'") == [
        ("industry,size",)
    ]


def test_a_column_that_appears_changes_and_goes_lands_its_files_again(company: Company) -> None:
    company.write("customers.csv", "id,industry\na,retail\nb,food\n")
    adapt(company)
    company.land()
    assert segments(company) == [("a", None), ("b", None)]
    adapt(company, ", segment_industry: industry")
    company.land()
    assert segments(company) == [("a", "industry=retail"), ("b", "industry=food")]
    company.write("customers.csv", "id,industry\na,retail\nb,hotel\n")
    company.land()
    assert segments(company) == [("a", "industry=retail"), ("b", "industry=hotel")]
    # Only the customer who moved is touched.
    assert company.rows(
        "select customer_id from raw.customer_changes where batch_id = (select max(batch_id) from raw.loads)"
    ) == [("b",)]
    adapt(company)
    company.land()
    assert segments(company) == [("a", None), ("b", None)]
    assert company.rows("select * from raw.settings where name = 'company_segments'") == []


def test_an_address_is_never_stored(company: Company) -> None:
    adapt(company, ", segment_contact: contact")
    company.write("customers.csv", "id,contact\na,ann@example.com\nb,phone\n")
    company.land()
    assert segments(company) == [("a", "contact=[e-mail]"), ("b", "contact=phone")]


def test_a_column_of_many_values_is_refused_and_says_what_to_do(company: Company) -> None:
    """Fifty are a segment type; the fifty-first may come in another file, a corrected file counts once."""
    adapt(company, ", segment_shop: shop")

    def write(name: str, numbers: range) -> None:
        company.write(name, "id,shop\n" + "".join(f"c{n},shop {n}\n" for n in numbers))

    write("customers-1.csv", range(50))
    company.land()
    write("customers-1.csv", range(10, 60))
    company.land()
    before = company.everything()
    write("customers-2.csv", range(60, 61))
    with pytest.raises(LandingError) as error:
        company.land()
    message = str(error.value)
    assert (
        "customers.segment_shop" in message and "51 different values" in message and "at most 50" in message
    )
    assert "case … end" in message and "shop 60" not in message
    assert company.everything() == before


@pytest.mark.parametrize(
    ("columns", "variables", "words"),
    [
        (", segment_country: x", "", "'country' is a segment type that every company has"),
        (", segment_Industry: x", "", "'Industry' names no segment type"),
        (", segments_industry: x", "", "unknown column 'segments_industry'"),
        (", company_segments: x", "", "unknown column 'company_segments'"),
        ("", ", company_segments: [industry]", "is told by the columns `segment_<name>`"),
        ("", ", crossed_segments: [plan]", "'plan' is no pair"),
        ("", ", crossed_segments: [plan x plan]", "'plan x plan' is no pair"),
        ("", ", crossed_segments: [plan x county]", "unknown segment type 'county'; did you mean country"),
        (", segment_industry: x", ", crossed_segments: [plan x industri]", "did you mean industry"),
        (", segment_industry: [x]", "", "must be one text"),
    ],
)
def test_what_is_no_segment_is_told_with_its_line(
    company: Company, columns: str, variables: str, words: str
) -> None:
    adapt(company, columns, variables)
    company.write("customers.csv", "id,x\na,y\n")
    with pytest.raises(ConfigurationError) as error:
        company.land()
    assert words in str(error.value)
    assert f"{company.adapter_file.name}:" in str(error.value)


def test_a_segment_that_is_not_one_value_or_no_column_is_told(company: Company) -> None:
    company.write("customers.csv", "id,x\na,y\n")
    adapt(company, ", segment_industry: \"{'a': x}\"")
    with pytest.raises(ConfigurationError, match=r"customers\.segment_industry: gives a STRUCT"):
        company.land()
    adapt(company, ", segment_industry: industri")
    with pytest.raises(LandingError, match=r"customers\.segment_industry: .*has no column 'industri'"):
        company.land()


def test_a_query_is_told_to_name_its_columns(company: Company) -> None:
    company.adapter("""
        tables:
          customers:
            files: customers.csv
            query: select id as customer_id, x as segment_industry from source
    """)
    company.write("customers.csv", "id,x\na,y\n")
    with pytest.raises(ConfigurationError, match="segments of your own need `columns:`"):
        company.land()


def test_a_warehouse_of_an_earlier_version_gets_the_column(company: Company) -> None:
    """Its rows are landed again, since the table is another one."""
    adapt(company, ", segment_industry: industry")
    company.write("customers.csv", "id,industry\na,retail\n")
    company.land()
    with duckdb.connect(str(company.settings.build_database)) as connection:
        connection.execute("alter table raw.customers drop column company_segments")
        connection.execute("update raw.loads set mapping_hash = 'earlier' where table_name = 'customers'")
    company.land()
    assert segments(company) == [("a", "industry=retail")]
