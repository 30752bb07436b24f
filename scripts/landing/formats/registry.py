"""All formats. A new one is a module with a `Format`, and its name here."""

from __future__ import annotations

from scripts.landing.formats.compression import content_extension
from scripts.landing.formats.csv_files import CSV
from scripts.landing.formats.format import Format
from scripts.landing.formats.json_lines import JSON_LINES
from scripts.landing.formats.parquet_files import PARQUET
from scripts.landing.formats.plain_lines import PLAIN_LINES
from scripts.landing.formats.spreadsheets import EXCEL

FORMATS: dict[str, Format] = {one.name: one for one in (CSV, EXCEL, PARQUET, JSON_LINES, PLAIN_LINES)}
# What an adapter may say of a format, by its key.
FORMATS_WITH_OPTIONS = {one.name: one for one in FORMATS.values() if one.read_options}


def format_by_extension(file: str) -> Format | None:
    """The format that the extension tells, that of the content if the file is packed.

    >>> format_by_extension("orders.CSV.gz").name, format_by_extension("orders.txt")
    ('csv', None)
    """
    extension = content_extension(file)
    return next((one for one in FORMATS.values() if extension in one.extensions), None)


def likely_format(file: str) -> Format | None:
    """The format to try for a file that nobody has described, by its extension."""
    extension = content_extension(file)
    return format_by_extension(file) or next(
        (one for one in FORMATS.values() if extension in one.more_extensions), None
    )
