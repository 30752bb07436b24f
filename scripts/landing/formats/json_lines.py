"""JSON lines: one object per line, a text column per key."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.core.errors import LandingError
from scripts.core.sql import identifier, literal
from scripts.landing.formats.format import Format, Layout, UnreadableError
from scripts.landing.formats.headers import checked_header, starter_header
from scripts.landing.formats.plain_lines import load_lines
from scripts.landing.formats.text_files import open_text
from scripts.landing.formats.workspace import SOURCE_ROW, InputFile, LoadedInput, Workspace

# SQL for what is wrong with a line. A NUL ends a text for many readers; of a key that stands twice one value
# would be lost.
_FAULT = r"""case
    when not json_valid(line) then 'not a JSON object'
    when json_type(line) <> 'OBJECT' then 'not a JSON object'
    when len(json_keys(line)) > len(list_distinct(json_keys(line))) then 'a key stands there twice'
    when regexp_matches(line, '(?:^|[^\\])(?:\\\\)*\\u0000') then 'holds a NUL character'
end"""
# DuckDB reads numbers as doubles and would round those of 17 digits and more: in such lines the numbers are
# put in quotes first. Strings are consumed whole: nothing in them is taken for a number.
_EXACT = r"""
    case when regexp_matches(line, '[0-9.]{16,}') then array_to_string(list_transform(
        regexp_extract_all(line, '"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[^"0-9-]+'),
        lambda token:
            case when regexp_matches(token, '^[-0-9]') then '"' || token || '"' else token end
    ), '') else line end"""


def load_json_lines(workspace: Workspace, file: InputFile, options: None = None) -> LoadedInput:
    """Digits stay as written, nested values stay JSON; lines that are no object are broken lines."""
    load_lines(workspace, file)
    _require_json_lines(workspace, file)
    run = workspace.connection.execute
    table = workspace.table(file.number)
    run(f"create or replace table {table} as select *, {_FAULT} as fault from {table}")
    _require_whole_last_line(workspace, file)
    run(
        f"""
        insert into inputs.broken
        select ?, {SOURCE_ROW}, {SOURCE_ROW}, 'line ' || {SOURCE_ROW} || ': ' || fault, line
        from {table} where fault is not null
        """,
        [file.number],
    )
    (broken,) = run(f"select count(*) from {table} where fault is not null").fetchone()
    keys = [
        key
        for (key,) in run(f"""
            select key from (
                select unnest(json_keys(line)) as key, {SOURCE_ROW} as place
                from {table} where fault is null
            ) group by key order by min(place), key
        """).fetchall()
    ]
    columns = checked_header(keys, file.name) if keys else ()
    paths = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in keys)
    values = "".join(
        f", nfc_normalize(fields[{place}]) as {identifier(key)}" for place, key in enumerate(columns, start=1)
    )
    run(f"""
        create or replace table {table} as
        select {SOURCE_ROW}{values}
        from (
            select {SOURCE_ROW}, json_extract_string({_EXACT}, [{paths}]::varchar[]) as fields
            from {table} where fault is null
        )
        order by {SOURCE_ROW}
    """)
    return workspace.loaded(file.number, broken)


def _require_json_lines(workspace: Workspace, file: InputFile) -> None:
    """LandingError if the file is JSON but not an object per line, or none at all."""
    table = workspace.table(file.number)
    rows, objects, first = workspace.connection.execute(
        f"select count(*), count(*) filter (starts_with(trim(line), '{{') and json_valid(line)), "
        f"min_by(trim(line), {SOURCE_ROW}) from {table}"
    ).fetchone()
    if not rows or objects:
        return
    if first.startswith("["):
        what = "is a JSON array"
    elif first.startswith("{"):
        what = "has JSON objects that go over several lines, or none that is whole"
    else:
        what = "has not one JSON object"
    raise LandingError(
        f"{file.name}: {what}, and one object per line is expected (jq -c '.[]' makes lines of an array)."
    )


def _require_whole_last_line(workspace: Workspace, file: InputFile) -> None:
    """LandingError if the last line begins as an object, is none, and has no line end."""
    if file.ends_line:
        return
    last = workspace.connection.execute(
        f"select {SOURCE_ROW}, fault, line from {workspace.table(file.number)} "
        f"order by {SOURCE_ROW} desc limit 1"
    ).fetchone()
    if last and last[1] and last[2].lstrip().startswith("{"):
        raise LandingError(
            f"{file.name}: line {last[0]}, the last one, is incomplete and has no line end: the file is "
            "cut off. Deliver it again."
        )


def _layout(path: Path, encoding: str) -> Layout:
    columns: dict[str, None] = {}
    with open_text(path, encoding, errors="replace") as stream:
        for number, line in enumerate(itertools.islice(stream, 1000), start=1):
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                raise UnreadableError("a JSON array: export JSON lines (one object per line) or CSV")
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UnreadableError(f"not JSON lines: line {number} is no JSON ({error})") from error
            if not isinstance(row, dict):
                raise UnreadableError(f"not JSON lines: line {number} is no object")
            columns.update(dict.fromkeys(row))
    if not columns:
        raise UnreadableError("empty")
    return Layout("jsonl", starter_header(list(columns)), encoding)


def _sample(path: Path, layout: Layout, limit: int) -> Iterator[Sequence[str | None]]:
    try:
        with open_text(path, layout.encoding, errors="replace") as stream:
            for line in itertools.islice((line for line in stream if line.strip()), limit):
                row = json.loads(line, parse_float=str, parse_int=str)
                yield [_text(row.get(name)) for name in layout.columns]
    except (OSError, EOFError, zlib.error, ValueError, AttributeError) as error:
        raise UnreadableError(f"not JSON lines: {error}") from error


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


JSON_LINES = Format(
    "jsonl",
    load_json_lines,
    extensions=(".jsonl", ".ndjson"),
    more_extensions=(".json",),
    layouts=lambda path, encoding: [_layout(path, encoding)],
    sample=_sample,
)
