"""Lines of text, each a row: the mapping takes them apart. Also the way on which JSON lines are read."""

from __future__ import annotations

import duckdb

from scripts.core.errors import LandingError
from scripts.core.sql import error_line
from scripts.landing.formats.format import Format
from scripts.landing.formats.text_files import read_lines, with_one_line_end
from scripts.landing.formats.workspace import InputFile, LoadedInput, Workspace
from scripts.personal_data.patterns import without_addresses


def load_lines(workspace: Workspace, file: InputFile, options: None = None) -> LoadedInput:
    """One row per line that is not blank; its number is that of the line."""
    try:
        try:
            read_lines(workspace, file)
        except duckdb.InvalidInputException:
            # Windows and Unix line ends in one file.
            read_lines(workspace, with_one_line_end(workspace, file))
    except duckdb.Error as error:
        raise LandingError(
            f"{file.name}: cannot be read line by line: {without_addresses(error_line(error))}"
        ) from error
    workspace.connection.execute(
        f"delete from {workspace.table(file.number)} where line is null or trim(line) = ''"
    )
    return workspace.loaded(file.number)


PLAIN_LINES = Format("lines", load_lines)
