"""The README tells what there is: every command, every mart; and every command says what it does."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from scripts.cli import COMMANDS, cli
from scripts.core.settings import PROJECT_ROOT

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0, result.output
    # More than the list of options: a sentence.
    assert re.search(r"^  [A-Z].{20,}", result.output, re.MULTILINE), result.output
    table = README.split("| command | what it does |")[1].split("\n\n")[0]
    assert f"`{command}`" in table


def test_no_command_is_promised_that_does_not_exist() -> None:
    promised = set(re.findall(r"python -m scripts ([a-z-]+)", README))
    assert promised
    assert promised <= set(COMMANDS)


def test_every_mart_stands_in_the_table_of_questions() -> None:
    table = README.split("| question | mart |")[1].split("\n\n")[0]
    named = set(re.findall(r"`((?:dim|fct|rpt)_[a-z_]+)`", table))
    assert named == {path.stem for path in (PROJECT_ROOT / "models/marts").rglob("*.sql")}


def test_every_file_the_readme_names_exists() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)", README):
        assert (PROJECT_ROOT / name).exists(), name
