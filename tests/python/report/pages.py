"""A page as its reader gets it: what stands where, taken from the HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "link", "base", "input"}


@dataclass
class Article:
    """A picture with all that belongs to it."""

    title: str = ""
    reading: str = ""
    statements: list[str] = field(default_factory=list)
    # Rows of cells, the header first; the table of numbers is the last.
    tables: list[list[list[str]]] = field(default_factory=list)
    drawings: int = 0

    def column(self, header: str) -> dict[str, str]:
        """A column of the numbers, by the name of the row."""
        head, *rows = self.tables[-1]
        return {row[0]: row[head.index(header)] for row in rows}


class Page(HTMLParser):
    """Reads a page; fails where an element is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: dict[str, int] = {}
        self.attributes: list[tuple[str, str, str | None]] = []
        self.sections: list[str] = []
        self.articles: dict[str, Article] = {}
        self.figures: dict[str, list[str]] = {}
        self.text = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in _VOID:
            self._open.append((tag, given))
        if tag == "section":
            self.sections.append(given["id"] or "")
        if tag == "article":
            self.articles[given["id"] or ""] = self._article = Article()
        if tag == "svg" and "article" in self._names():
            self._article.drawings += 1
        if tag == "table":
            self._article.tables.append([])
        if tag == "tr":
            self._article.tables[-1].append([])
        if tag in ("th", "td"):
            self._article.tables[-1][-1].append("")
        if tag == "code":
            self._article.statements.append("")
        if tag == "dt":
            self._figure = ""
        if tag == "dd":
            self.figures[self._figure].append("")

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"{tag} closes {opened}"
        if tag == "dt":
            self.figures[self._figure] = []

    def handle_data(self, data: str) -> None:
        if not self._open:
            assert not data.strip(), data
            return
        names = self._names()
        tag, given = self._open[-1]
        if "style" not in names:
            self.text += data
        if "svg" in names:
            return
        if tag == "h3":
            self._article.title += data
        if tag == "p" and given.get("class") == "reading":
            self._article.reading += data
        if "td" in names or "th" in names:
            self._article.tables[-1][-1][-1] += data
        if tag == "code":
            self._article.statements[-1] += data
        if tag == "dt":
            self._figure += data
        if tag == "dd":
            self.figures[self._figure][-1] += data

    def _names(self) -> list[str]:
        return [tag for tag, _ in self._open]
