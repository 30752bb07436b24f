"""The pages as a browser shows them: nothing is asked of anybody, nothing runs over, all can be reached."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from scripts.report.language import PAGES
from scripts.report.page import make_pages
from tests.python.report.browser import Browser, find_chromium, open_browser
from tests.python.report.test_page import MANIFEST, add_harm, add_months
from tests.python.schemas import create_marts

pytestmark = [
    pytest.mark.xdist_group("report"),
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="needs Chromium, as `chromium` in the path"),
]

WIDTHS = (360, 768, 1400)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    profile = tmp_path_factory.mktemp("profile")
    with open_browser(profile) as opened:
        yield opened
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a company whose labels mean harm."""
    folder = tmp_path_factory.mktemp("hostile")
    with duckdb.connect() as marts:
        create_marts(marts)
        add_months(marts)
        add_harm(marts)
        for name, page in make_pages(marts, MANIFEST).items():
            (folder / name).write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(params=["demo", "hostile"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue({"demo": "demo_publication", "hostile": "hostile"}[request.param])


OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.mark.parametrize("name", PAGES.values())
def test_nothing_is_asked_of_anybody(browser: Browser, folder: Path, name: str) -> None:
    browser.open(folder / name, 1400)
    browser.run(OPEN_ALL)
    assert browser.requests == [(folder / name).as_uri()]
    # Not even something that had to be forbidden.
    assert browser.complaints == []
    assert browser.run("document.scripts.length") == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES.values())
def test_the_page_is_no_wider_than_the_screen(browser: Browser, folder: Path, name: str, width: int) -> None:
    browser.open(folder / name, width)
    assert browser.run("document.documentElement.scrollWidth") == width
    browser.run(OPEN_ALL)
    assert browser.run("document.documentElement.scrollWidth") == width
    # What is wider scrolls in its own box, and one of the two drawings is shown.
    assert browser.run("[...document.querySelectorAll('article')].every(a => a.scrollWidth <= a.clientWidth)")
    assert browser.run(
        """[...document.querySelectorAll('article')].every(a =>
            [...a.querySelectorAll(':scope > svg')].filter(s => s.getClientRects().length).length
            === (a.querySelector(':scope > svg') ? 1 : 0))"""
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES.values())
def test_no_label_of_a_drawing_is_cut(browser: Browser, folder: Path, name: str, width: int) -> None:
    browser.open(folder / name, width)
    cut = browser.run(
        """[...document.querySelectorAll('svg.chart')].filter(s => s.getClientRects().length).flatMap(s => {
            const box = s.getBoundingClientRect();
            return [...s.querySelectorAll('text')].filter(t => {
                const b = t.getBoundingClientRect();
                return b.left < box.left - 1 || b.right > box.right + 1 || b.bottom > box.bottom + 1;
            }).map(t => s.querySelector('title').textContent + ': ' + t.textContent);
        })"""
    )
    assert cut == []


def test_everything_can_be_reached_by_the_keyboard(browser: Browser, demo_publication: Path) -> None:
    browser.open(demo_publication / "report.html", 1400)
    wanted = browser.run(
        "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
        ".filter(one => one.checkVisibility()).length"
    )
    assert wanted > 50
    reached = []
    for _ in range(wanted):
        browser.press("Tab", 9)
        reached.append(
            browser.run(
                "(() => { const e = document.activeElement; return e.tagName + ':' + "
                "[...document.querySelectorAll('*')].indexOf(e); })()"
            )
        )
    assert len(set(reached)) == wanted
    # And what is closed opens.
    browser.run("document.querySelector('summary').focus()")
    browser.press("Enter", 13, "\r")
    assert browser.run("document.querySelector('details').open") is True


def axe_script() -> str:
    package = importlib.util.find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("needs the package axe-core-python")
    return (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("name", PAGES.values())
def test_axe_finds_nothing(browser: Browser, folder: Path, name: str, width: int, is_dark: bool) -> None:
    script = axe_script()
    browser.open(folder / name, width, is_dark=is_dark)
    browser.run(OPEN_ALL)
    browser.run(script)
    found = browser.run(
        "axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => "
        "v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | ')))"
    )
    assert found == []
