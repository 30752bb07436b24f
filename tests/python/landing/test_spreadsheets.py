"""Workbooks: what people and shop systems put into them, and what landing makes of it."""

from __future__ import annotations

import base64
import gzip
import io
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from scripts.core.errors import ConfigurationError, LandingError
from scripts.core.settings import Settings
from scripts.landing.formats.spreadsheets import EXCEL
from scripts.starter.new_source import new_source
from tests.python.small_company import Company

HEADER = ("id", "customer", "placed", "amount")
ROWS = (("1", "a", date(2026, 1, 1), 10), ("2", "b", datetime(2026, 1, 2, 14, 5), 20.5))
SELECT = """
    select order_id, customer_id, cast(ordered_at as varchar), cast(gross_amount as varchar), _source_row
    from raw.orders order by _source_file, _source_row
"""
ADAPTER = """
    tables:
      orders:
        files: "*.{extension}"
        {more}
        columns:
          order_id: id
          customer_id: customer
          ordered_at: placed
          gross_amount: amount
"""
OF_XLSX = textwrap.dedent(ADAPTER.format(extension="xlsx", more=""))
# The header and the rows above, as Excel 97 and as LibreOffice write them.
XLS = (
    "ABzY8000000t4+>O=uHQ5dPlgzcy(aQ=wH#C|GMOl<GwaZK|L>S*jis5i~ywDQ%J((?dLHwe~0oo)j;Idhk;9;twk5sUC!i9"
    "t1&X6})&76g;$9XJ$8=)(Q=1A+p~x^XARGH*a?5y|?@J)qLZ^^u3lvtU@0gC>cJuD|Cv;SFQv>cEez?TzZKN8#M)=mlElA;j"
    "#avhjYmJUWA6b&gaB|4@4(1hQVA`k8B|JOAK+vG4v8wxJjA-nkA}`@TBm~!tY4SC&K$hb47SBwOvprFdrL??zLv|aji{k0kG"
    "c((&wFMy3vFeJc}<}Rc2ck_T`7;qcvt|b=G4Bl+Xb^tLM4igj>91Q>m^@rmIMZq|-f_%mTuc@)>+HBEZ-3+I|+X^&6{KApQ5"
    "1de0y9UP|R^{WZ-AOu#rTOJxdvbU4}K!qK#@7naZ?yE7Bb^WhW;$?>y=Tt?5+iXR(|C-oEw@l0+!TcEkrO%x~EO_ZqPeP8y8"
    ";EH|1FYBkCcnS?7H_9ps(l|@Ezq~$_7>b<|&4i3>zCpHgs4#Gmdr;?qSRBIH5|tjigkKV`TSaaW9;REOvVEw@5)MvEo6BNtr"
    "*ZZO-o$oP$Q>k4eLnoKb?RemC&{w|i|4|#Z)4MFqc>WL`tvo3PSvSyTxUFrl}lyqHt&Tu|F-jZwV)NdVZA0Bu#7qp8-<%Sem"
    "d%BO|zbrS#wa$Vfj*P_)_A_X|-44%SE-P6q_PHA+*l3$Ef&XFWMSjH1XoLyqNjoWI8n73E9isnQe2S;-~)e8rwOlO*GH?v=H"
    "udXWChRp$;}|*sx*4h7B7wY7fdh5y;o4Qw|K~x4p;uud_^4vVW8Ow>W|vT?IN$9zd4LJc?D#pDl2yvM;sHKIQ*~jAJx<9wSI"
    "d93xfFUpkwq%KKS&$Kc;vLe-96swU2VJpK=|-ADrf761S"
)

Sheets = dict[str, Sequence[Sequence[Any]]]


def workbook(sheets: Sheets, change: Callable[[xlsxwriter.Workbook], None] = lambda book: None) -> bytes:
    """A workbook with these cells; of texts that begin with `=` it makes no formulas."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(
        stream,
        {"in_memory": True, "strings_to_formulas": False, "default_date_format": "dd/mm/yyyy hh:mm"},
    )
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write(row, column, cell)
    change(book)
    book.close()
    return stream.getvalue()


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path, OF_XLSX)


def fails(company: Company, *parts: str, error: type[Exception] = LandingError) -> None:
    with pytest.raises(error) as caught:
        company.land()
    for part in parts:
        assert part in str(caught.value), str(caught.value)


def test_cells_become_texts_whatever_they_look_like(company: Company) -> None:
    """A day is a day, a moment has its time, an id no decimals, a price no noise of binary fractions."""
    company.write(
        "book.xlsx",
        workbook(
            {
                "Orders": [
                    HEADER,
                    *ROWS,
                    (17850, "C\u0300", date(2026, 1, 3), 0.1 + 0.2),
                    ("4", "Ho\u0300a", date(2026, 1, 3), 1.125),
                ]
            }
        ),
    )
    company.land()
    assert company.reasons() == []
    assert company.rows(SELECT) == [
        ("1", "a", "2026-01-01 00:00:00", "10.0000", 2),
        ("2", "b", "2026-01-02 14:05:00", "20.5000", 3),
        ("17850", "C\u0300", "2026-01-03 00:00:00", "0.3000", 4),
        ("4", "H\u00f2a", "2026-01-03 00:00:00", "1.1250", 5),
    ]


def test_a_point_in_a_typed_number_is_a_decimal_point(company: Company) -> None:
    """In a CSV 1.250 dong may be 1,250; a number in a cell is what it is."""
    company.adapter("vars: {reporting_currency: VND}\n" + OF_XLSX)
    company.write("book.xlsx", workbook({"Sheet": [HEADER, ("1", "a", date(2026, 1, 1), 1250000.125)]}))
    company.land()
    assert [row[3] for row in company.rows(SELECT)] == ["1250000.1250"]


def test_titles_above_the_header_and_cells_beside_it(company: Company) -> None:
    """The header is found below merged titles and blank rows; the row of the sheet is told."""
    rows = [
        ("BÁO CÁO BÁN HÀNG",),
        ("Từ ngày", date(2026, 1, 1)),
        (),
        (None, None, *HEADER),
        (None, None, *ROWS[0]),
        (),
        (None, None, *ROWS[1]),
    ]
    company.write(
        "book.xlsx",
        workbook({"Sheet": rows}, lambda book: book.worksheets()[0].merge_range("A1:F1", "BÁO CÁO BÁN HÀNG")),
    )
    company.land()
    assert [row[4] for row in company.rows(SELECT)] == [5, 7]


def test_rows_that_add_up_others_are_told(company: Company) -> None:
    """By a word at the end, by nothing but numbers below the header; a customer may be called Total."""
    company.adapter("max_reject_share: 1\n" + OF_XLSX)
    company.write(
        "book.xlsx",
        workbook(
            {
                "Sheet": [
                    HEADER,
                    (None, None, None, 30.5),
                    *ROWS,
                    ("3", "Total", date(2026, 1, 3), 1),
                    HEADER,
                    ("Tổng cộng:", None, None, 30.5),
                ]
            }
        ),
    )
    company.land()
    assert [row[0] for row in company.rows(SELECT)] == ["1", "2", "3"]
    assert company.reasons() == [
        "row 2: has numbers and nothing else, and nothing in its first column: a row that adds up others",
        "row 6: says what the header says",
        "row 7: begins with 'Tổng cộng:': a row that adds up others",
    ]


def test_a_refused_value_is_told_with_its_cell(company: Company) -> None:
    company.adapter("max_reject_share: 1\n" + OF_XLSX)
    company.write(
        "book.xlsx",
        workbook({"Sheet": [("note", *HEADER), ("x", "1", "a", "yesterday", "ten"), ("x", *ROWS[1])]}),
    )
    company.land()
    (reason,) = company.reasons()
    assert reason.startswith("ordered_at (D2) 'yesterday' is not a")
    assert "; gross_amount (E2) 'ten' is not a number" in reason


def test_a_long_number_has_lost_its_last_digits(company: Company) -> None:
    company.adapter("max_reject_share: 1\n" + OF_XLSX)
    company.write("book.xlsx", workbook({"S": [HEADER, (7000000000000001234, *ROWS[0][1:]), ROWS[1]]}))
    company.land()
    (reason,) = company.reasons()
    assert reason.startswith("row 2: the number in column A has more digits than a spreadsheet keeps (15)")


def test_which_sheet(company: Company) -> None:
    """One sheet that is not empty needs no name; hidden ones and charts do not count."""
    sheets: Sheets = {"Cover": [], "Data": [HEADER, *ROWS], "Lists": [("x",), ("y",)]}

    def hide(book: xlsxwriter.Workbook) -> None:
        book.worksheets()[2].hide()
        book.add_chartsheet("Picture")

    company.write("book.xlsx", workbook(sheets, hide))
    company.land()
    assert [row[0] for row in company.rows(SELECT)] == ["1", "2"]
    company.write("book.xlsx", workbook(sheets))
    fails(
        company, "book.xlsx: has 2 sheets with something in them ('Data', 'Lists')", "excel: {sheet: 'Data'}"
    )
    company.adapter(ADAPTER.format(extension="xlsx", more="excel: {sheet: Date}"))
    fails(company, "book.xlsx: has no sheet 'Date'; did you mean Data?")
    company.adapter(ADAPTER.format(extension="xlsx", more="excel: {sheet: Data, header_row: 2}"))
    fails(company, "book.xlsx has no column 'id'")
    company.adapter(ADAPTER.format(extension="xlsx", more="excel: {sheet: Data, header_row: 0}"))
    fails(company, "header_row: is the number of a row", error=ConfigurationError)


def test_a_sheet_for_each_month(company: Company) -> None:
    """They are one table; rows are numbered through, and a reason names the sheet and the cell."""
    company.adapter(
        "max_reject_share: 1\n"
        + textwrap.dedent(ADAPTER.format(extension="xlsx", more='excel: {sheet: "*"}'))
    )
    sheets: Sheets = {
        "Jan": [HEADER, ROWS[0]],
        "Feb": [("Sales",), HEADER, ROWS[1], ("3", "c", "soon", 1), ("Total", None, None, 21.5)],
    }
    company.write("book.xlsx", workbook(sheets))
    company.land()
    assert [(row[0], row[4]) for row in company.rows(SELECT)] == [("1", 2), ("2", 5)]
    first, second = company.reasons()
    assert first.startswith("ordered_at (Feb!C4) 'soon'")
    assert second == "row 5: sheet 'Feb': begins with 'Total': a row that adds up others"
    company.write("book.xlsx", workbook({**sheets, "Mar": [(*HEADER, "tip"), (*ROWS[0], 1)]}))
    fails(company, "the sheets 'Jan' and 'Mar' have different headers")


def test_old_and_open_formats(company: Company, tmp_path: Path) -> None:
    """.xls and .ods, whatever the file is called."""
    for content in (gzip.decompress(base64.b85decode(XLS)), _open_document()):
        folder = tmp_path / str(len(content))
        folder.mkdir()
        one = Company(folder, OF_XLSX)
        one.write("book.xlsx", content)
        one.land()
        assert one.rows(SELECT) == [
            ("1", "a", "2026-01-01 00:00:00", "10.0000", 2),
            ("2", "b", "2026-01-02 14:05:00", "20.5000", 3),
        ]


def _open_document() -> bytes:
    def cell(value: Any) -> str:
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        if isinstance(value, date):
            shown = value.isoformat()
            return f'<table:table-cell office:value-type="date" office:date-value="{shown}"/>'
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    rows = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in (HEADER, *ROWS))
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content{names}><office:body><office:spreadsheet>"
        f'<table:table table:name="Sheet">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04 no archive", workbook({"S": [HEADER, *ROWS]})[:3000], b"id,customer\n1,a\n"],
    ids=["no archive", "cut off", "a CSV file"],
)
def test_what_is_no_workbook(company: Company, content: bytes) -> None:
    company.write("book.xlsx", content)
    fails(company, "book.xlsx: cannot be read as a workbook", "save it as .xlsx")


def test_an_empty_workbook_and_one_without_header(company: Company) -> None:
    company.write("book.xlsx", workbook({"S": []}))
    fails(company, "book.xlsx: no sheet of it has a cell with something in it")
    company.write("book.xlsx", workbook({"S": [(1, 2, 3), (4, 5, 6)]}))
    fails(company, "book.xlsx: no row of the sheet looks like the header", "excel: {header_row: 3}")


def test_a_workbook_that_unpacks_to_more_than_there_can_be(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.write("book.xlsx", workbook({"S": [HEADER, *ROWS]}))
    monkeypatch.setattr("scripts.landing.formats.spreadsheets._MOST_BYTES", 1000)
    fails(company, "book.xlsx: unpacks to")


def test_a_workbook_that_says_the_same_is_the_same(company: Company) -> None:
    """Landed twice nothing is new; saved again with a row more, it is read again."""
    company.write("book.xlsx", workbook({"S": [HEADER, *ROWS]}))
    assert company.land().batch_id == 1
    assert company.land().batch_id is None
    company.write("book.xlsx", workbook({"S": [HEADER, *ROWS, ("3", "c", date(2026, 1, 3), 1)]}))
    assert company.land().tables["orders"].rows_added == 1


def test_the_starter_reads_workbooks(tmp_path: Path) -> None:
    """A folder with both kinds of files, a workbook with a sheet for each table and a cover."""
    data = tmp_path / "data"
    data.mkdir()
    orders = [("order_id", "customer_id", "order_date", "total (EUR)")]
    orders += [(str(n), f"C{n % 7}", date(2026, 1, 1 + n % 28), 10.5 + n) for n in range(40)]
    people = [("customer_id", "signed_up_at", "country")]
    people += [(f"C{n}", date(2025, 12, 1 + n), "VN") for n in range(7)]
    (data / "shop.xlsx").write_bytes(
        workbook({"About": [("Our shop",)], "Orders": orders, "Customers": people})
    )
    (data / "refunds.csv").write_text("refund_id,order_id,amount,refunded_at\nR1,1,5.00,2026-02-01\n")
    target = tmp_path / "shop.yml"
    settings = Settings(tmp_path / "wh")
    report = new_source(settings, "shop", data, target)
    assert "shop.xlsx [Orders]" in report
    text = target.read_text()
    assert 'excel: {sheet: "Orders"}' in text and 'excel: {sheet: "Customers"}' in text
    company = Company.__new__(Company)
    company.data, company.adapter_file, company.settings = data, target, settings
    counts = company.land().tables
    assert {name: count.stored for name, count in counts.items()} == {
        "customers": 7,
        "orders": 40,
        "refunds": 1,
    }


def test_the_starter_takes_all_sheets_of_one_header_for_one_table(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook({"Jan": [HEADER, ROWS[0]], "Feb": [HEADER, ROWS[1]]}))
    (layout,) = EXCEL.layouts(path, "")
    assert layout.sheets == ("*",)
    assert [row[0] for row in EXCEL.sample(path, layout, 10)] == ["1", "2"]
