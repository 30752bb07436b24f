"""The lock files hold what they must: the tests run with the packages that a night runs with."""

from __future__ import annotations

import re
import tomllib

import pytest

from scripts.core.settings import PROJECT_ROOT

FILES = ("requirements.lock", "requirements-dev.lock", "requirements-semantic.lock")


def pins(file: str) -> set[str]:
    lines = (PROJECT_ROOT / file).read_text(encoding="utf-8").splitlines()
    return {line.rstrip(" \\") for line in lines if re.match(r"[a-z0-9]", line)}


def test_development_packages_include_the_runtime_in_the_same_versions() -> None:
    assert pins("requirements.lock") - pins("requirements-dev.lock") == set()


def test_metricflow_asks_with_the_dbt_and_the_duckdb_of_a_night() -> None:
    """What both environments hold is the same version, and nothing of it is in the runtime's."""
    night, asking = ({}, {})
    for file, versions in ((FILES[0], night), (FILES[2], asking)):
        # A package may be pinned once for each of several versions of Python.
        for pin in pins(file):
            name, _, version = pin.split(" ;")[0].partition("==")
            versions.setdefault(name, set()).add(version)
    assert {"dbt-core", "dbt-duckdb", "duckdb"} <= night.keys() & asking.keys()
    assert {name for name in night.keys() & asking.keys() if night[name] != asking[name]} == set()
    assert "dbt-metricflow" not in night


@pytest.mark.parametrize("file", FILES)
def test_every_package_is_pinned_with_its_hashes(file: str) -> None:
    text = (PROJECT_ROOT / file).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert re.match(r"[\w.\[\]-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("file", FILES)
def test_no_address_and_no_path_of_a_machine(file: str) -> None:
    text = (PROJECT_ROOT / file).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^#.*/(tmp|home|root|work)/", text, re.M)


def test_direct_requirements_are_in_the_lock() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {"requirements.lock": project["project"]["dependencies"]}
    wanted["requirements-dev.lock"] = project["dependency-groups"]["dev"]
    wanted["requirements-semantic.lock"] = project["dependency-groups"]["semantic"]
    for file, requirements in wanted.items():
        names = {re.split(r"[\[=]", pin)[0].replace("_", "-") for pin in pins(file)}
        for requirement in requirements:
            assert re.split(r"[<>=\[]", requirement)[0].replace("_", "-") in names, (
                f"{requirement} is not in {file}: run `make lock`."
            )
