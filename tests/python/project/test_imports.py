"""Who may import whom in `scripts/`: only downwards, never in a circle. How tests import what they share."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from scripts.core.settings import PROJECT_ROOT
from scripts.publication.fingerprint import NOT_FINGERPRINTED, fingerprinted_files

# From the ground up; a part may import itself and what stands before it. The report stands before
# publication, which puts it beside the marts, and publication before validation, which compares with what was
# published last.
LAYERS = (
    *("core", "contract", "personal_data", "prediction"),
    *("landing", "build", "report", "publication", "validation"),
    *("forget", "starter", "demo", "benchmark", "doctor", "nightly", "cli", "__main__"),
)

ROOT = PROJECT_ROOT / "scripts"


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imported_by(path: Path) -> set[str]:
    """The modules of ours that a file imports, also inside functions and for types only.

    What `cli.py` imports by name when a command is called is not among them.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relatively: say the whole name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module or "")
    return {name for name in found if name.split(".")[0] == "scripts"} - {"scripts"}


IMPORTS = {name: imported_by(path) for name, path in MODULES.items()}


def layer(module: str) -> str:
    return module.split(".")[1]


def test_every_part_has_its_layer() -> None:
    assert {layer(module) for module in MODULES if module != "scripts"} == set(LAYERS)


def test_imports_go_only_downwards() -> None:
    upwards = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in others
        if LAYERS.index(layer(other)) > LAYERS.index(layer(module))
    ]
    assert not upwards


def test_whatever_makes_a_mart_or_a_check_is_fingerprinted() -> None:
    """A night builds again when a file changes that its Python, or that of a model, can reach."""
    found: set[str] = set()
    waiting = {"scripts.nightly"}.union(*map(imported_by, (PROJECT_ROOT / "models").rglob("*.py")))
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= IMPORTS[module] - found
    assert {"scripts.prediction.survival", "scripts.validation.mart_suites"} <= found
    assert {MODULES[module] for module in found} <= set(fingerprinted_files(PROJECT_ROOT))


def test_what_is_not_fingerprinted_exists() -> None:
    assert set(LAYERS) >= NOT_FINGERPRINTED


def test_no_module_imports_itself_by_way_of_others() -> None:
    TopologicalSorter(IMPORTS).prepare()


def test_what_tests_share_is_imported_by_its_whole_name() -> None:
    """A module with two names is loaded twice, and its classes are not each other's."""
    folder = PROJECT_ROOT / "tests/python"
    shared = {path.stem for path in folder.glob("*.py")} | {"broken_inputs"}
    by_short_name = [
        f"{path.relative_to(folder)}: {name}, say tests.python.{name}"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _imported_names(node)
        if name.split(".")[0] in shared
    ]
    assert not by_short_name


def _imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
