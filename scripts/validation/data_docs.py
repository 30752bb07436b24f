"""Make the site that Great Expectations writes readable without a network.

Its pages take styles, icons, scripts and a logo from six hosts and draw their index with one of the
scripts. Here all of that goes: one small stylesheet comes in its place, the index is written anew, and a
content policy forbids a browser to ask anybody for anything, whatever stands in the data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLESHEET = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem 2rem; color:
#222; } h1, h4, h5, h6 { margin: .8em 0 .3em; }
a { color: #0b5394; }
nav ol, nav ul { list-style: none; padding: 0; }
table { border-collapse: collapse; margin: .4rem 0; max-width: 100%; }
th, td { border: 1px solid #ccc; padding: .25rem .6rem; text-align: left; vertical-align: top; }
td.number { text-align: right; }
code, pre { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
.collapse { max-height: 20rem; overflow: auto; border-left: 3px solid #ccc; padding-left: .6rem; }
.badge { font-weight: 600; }
.fa-check-circle::before, .fa-check::before { content: "\\2713"; color: #1a7f37; font-weight: 700; }
.fa-times::before { content: "\\2717"; color: #b42318; font-weight: 700; }
.fa-exclamation-triangle::before { content: "!"; color: #b42318; font-weight: 700; }
.good { color: #1a7f37; }
.bad { color: #b42318; font-weight: 600; }
.notable { color: #8a5a00; font-weight: 600; }
.card:has(.btn-group-toggle), a[data-toggle="collapse"] { display: none; }
"""

# No script, no font, no image, no frame: a page may use what it carries itself and nothing else.
CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

_HEAD = (
    '<meta charset="UTF-8">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">\n'
    f"<style>{STYLESHEET}</style>\n"
)
_REMOVED = (
    re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<style\b.*?</style\s*>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<footer\b.*?</footer\s*>", re.DOTALL | re.IGNORECASE),
    re.compile(r"<(?:link|img|meta)\b[^>]*>", re.IGNORECASE),
)
# To other hosts, and to the pages of the suites, which are not written.
_LINK_OUTSIDE = re.compile(
    r"<a\b[^>]*href=[\"']?(?:(?:https?:)?//|(?:\.\./)+expectations/)[^>]*>(.*?)</a\s*>",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class IndexRow:
    """One suite on the index page; `page` is relative to the site, None when the suite could not run."""

    name: str
    expectations: int
    failed: int
    warnings: int
    errors: int
    page: str | None


def make_readable_offline(site: Path) -> None:
    """Rewrite all pages below `site` so that none refers to anything outside, and drop what they no longer
    use.
    """
    for page in site.rglob("*.html"):
        page.write_text(without_outside(page.read_text(encoding="utf-8")), encoding="utf-8")


def without_outside(page: str) -> str:
    """A page without scripts, images, styles and links to other hosts, with the stylesheet of this module.

    >>> f'content: "{chr(92)}2713"' in without_outside("<head></head>")
    True
    """
    for pattern in _REMOVED:
        page = pattern.sub("", page)
    page = _LINK_OUTSIDE.sub(r"\1", page)
    # A function: in a text, the escape of the tick in the stylesheet would be taken for an octal number.
    return re.sub(r"<head>", lambda _: f"<head>\n{_HEAD}", page, count=1, flags=re.IGNORECASE)


def index_page(run_id: str, as_of: str, rows: Sequence[IndexRow], report: str) -> str:
    """The first page: a table of the suites, each with a link to its page, and what was found, as text."""
    lines = "\n".join(_index_line(row) for row in rows)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
{_HEAD}<title>Validation {escape(run_id)}</title>
</head>
<body>
<h1>Validation {escape(run_id)}</h1>
<p>Data up to {escape(as_of)}. A failed expectation stops the publication, a warning does not. A check that
could not run says nothing about the data, but stops the publication too.</p>
<table>
<tr><th>table</th><th>expectations</th><th>failed</th><th>warnings</th><th>could not run</th></tr>
{lines}
</table>
<h4>Findings</h4>
<pre>{escape(report)}</pre>
</body>
</html>
"""


def _index_line(row: IndexRow) -> str:
    name = escape(row.name)
    link = name if row.page is None else f'<a href="{escape(row.page)}">{name}</a>'
    numbers = "".join(
        f'<td class="number {kind if number else "good"}">{number}</td>'
        for number, kind in ((row.failed, "bad"), (row.warnings, "notable"), (row.errors, "bad"))
    )
    return f'<tr><td>{link}</td><td class="number">{row.expectations}</td>{numbers}</tr>'
