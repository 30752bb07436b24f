"""Every kind of broken input ends in the one way it must: see the package broken_inputs."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import unicodedata
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from scripts.core.settings import PROJECT_ROOT
from scripts.core.text import BLANKS
from tests.python.landing.broken_inputs import KINDS
from tests.python.landing.broken_inputs.running import SALT, Attempt, warehouse_with_something
from tests.python.small_company import Company

# Others: python -m tests.python.landing.broken_inputs --seed N
SEED = 20261121
PLAIN = [kind for kind in KINDS.values() if kind.is_plain]
OTHERS = [kind for kind in KINDS.values() if not kind.is_plain]


@pytest.fixture(autouse=True, scope="module")
def environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TENURE_DATA", raising=False)
        patch.setenv("TENURE_HASH_SALT", SALT)
        yield


@pytest.fixture(scope="module")
def before(environment, tmp_path_factory) -> Path:
    return warehouse_with_something(tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def plain_ones(before, tmp_path_factory) -> Attempt:
    """All kinds of one odd value, each in a file of its own, in one landing."""
    return Attempt(PLAIN, SEED, tmp_path_factory.mktemp("plain"), before)


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.id)
def test_an_odd_value_ends_as_it_must(plain_ones, kind):
    plain_ones.check(kind)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.id)
def test_broken_input_ends_as_it_must(before, tmp_path, kind):
    Attempt([kind], SEED, tmp_path, before).check(kind)


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [
        ("id: a word for missing as customer", 0, "Landed batch 2 of shop."),
        ("text: null byte", 3, "Error: orders.csv: line "),
        ("adapter: nested too deep", 2, "is nested too deep"),
    ],
)
def test_the_command_ends_with_a_message_and_its_code(before, tmp_path, kind, code, told):
    attempt = Attempt([KINDS[kind]], SEED, tmp_path, before)
    attempt.settings.build_database.write_bytes(before.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "scripts", "land", "--source", str(attempt.shop.adapter_file)],
        env={
            **os.environ,
            "TENURE_WAREHOUSE": str(attempt.settings.warehouse),
            "TENURE_DATA": str(attempt.shop.data),
        },
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# -- whatever is written is read

RESPONSES = """
max_reject_share: 1
tables:
  orders:
    files: orders.csv
    columns: {order_id: id, ordered_at: placed, gross_amount: amount}
  survey_responses:
    files: responses*.csv
    columns: {response_id: id, responded_at: day, comment: text}
"""
# An address would be replaced; nothing else changes what people write.
COMMENTS = st.text(
    st.one_of(
        st.sampled_from("\",;\t|\n\r '\\#aé\u0301\ufeff\u200b=0"),
        st.characters(exclude_categories=["Cs"], exclude_characters="@\0"),
    ),
    max_size=12,
)


@hypothesis_settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    comments=st.lists(COMMENTS, min_size=1, max_size=40),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    cut=st.integers(0, 40),
)
@example(comments=['"', ",", "\n", "\r", 'a"b', "\r\n", '""', "#"], delimiter=",", end="\n", quoting=0, cut=3)
def test_whatever_text_is_written_lands_whole(tmp_path_factory, comments, delimiter, end, quoting, cut):
    """All that Python's csv module writes, in one file or in two, landed once or twice."""
    company = Company(tmp_path_factory.mktemp("texts"), RESPONSES)
    company.orders("1,a,2026-01-01,10")
    rows = [(str(number), "2026-01-01", text) for number, text in enumerate(comments)]

    def write(name: str, some: list[tuple[str, str, str]]) -> None:
        with (company.data / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
            writer.writerows([("id", "day", "text"), *some])

    def landed() -> list[tuple[str, str | None]]:
        company.land()
        return company.rows("select response_id, comment from raw.survey_responses order by response_id::int")

    write("responses1.csv", rows)
    expected = [
        (number, unicodedata.normalize("NFC", text).strip(BLANKS) or None) for number, _, text in rows
    ]
    assert landed() == expected
    once = company.everything()
    assert company.land().batch_id is None
    assert company.everything() == once
    assert company.rows(
        "select rows_read, rows_accepted from raw.loads where table_name = 'survey_responses'"
    ) == [(len(rows), len(rows))]
    if 0 < cut < len(rows):
        write("responses1.csv", rows[:cut])
        write("responses2.csv", rows[cut:])
        assert landed() == expected


NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@hypothesis_settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    texts=st.lists(
        st.one_of(
            st.text("0123456789.+-eE _'()x%$", min_size=1, max_size=8),
            st.from_regex(NUMBER, fullmatch=True).map(lambda text: text[:24]),
            st.decimals(0, 10**13, places=6).map(str),
            # Exponents of four digits are nobody's amounts; DuckDB takes some and some not.
        ).filter(lambda text: not re.search("[eE][+-]?[0-9]{4}", text)),
        min_size=50,
        max_size=400,
    )
)
def test_numbers_are_those_that_are_written_or_are_refused(tmp_path_factory, texts):
    """An oracle of another make: a regular expression and Python's decimals."""
    company = Company(tmp_path_factory.mktemp("numbers"), RESPONSES.split("  survey")[0])
    company.orders(
        *(f"{number},a,2026-01-01,{text}" for number, text in enumerate(texts, start=1)),
        "base,a,2026-01-01,1",
    )
    company.land()
    stored = dict(company.rows("select _source_row, gross_amount from raw.orders where order_id <> 'base'"))
    expected = {}
    for number, text in enumerate(texts, start=1):
        if NUMBER.fullmatch(text.strip()):
            value = Decimal(text.strip())
            if not value or value.adjusted() < 20:
                value = (value or Decimal()).quantize(Decimal("0.0001"), ROUND_HALF_UP)
                if 0 <= value < 10**14:
                    expected[number] = value
    assert {texts[row - 1]: stored.get(row) for row in {*stored, *expected}} == {
        texts[row - 1]: expected.get(row) for row in {*stored, *expected}
    }
    assert len(company.reasons()) == len(texts) - len(expected)
