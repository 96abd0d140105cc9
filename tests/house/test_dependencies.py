"""What the program imports is installed with the program, and not only with its tools."""

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("monitor", "streams", "models")
CODE = sorted(path for name in OURS for path in (ROOT / name).rglob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOT_ASKED_FOR = {
    "monitor/console/language/catalogue.py": {"markupsafe"},  # what Jinja2 takes, and brings
    "monitor/insight/associate.py": {"pandas"},  # what mlxtend takes, and brings
    "streams/reference/dashboards/grafana.py": {"grafana_foundation_sdk"},  # only `make docs` does
    "streams/reference/documents.py": {"yaml"},  # only `make docs` runs it
}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Return the distributions that the program or one of its extras asks for."""
    extras = PROJECT["optional-dependencies"].values()
    asked = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return {canonical(re.split(r"[\[<>=!~; ]", text)[0]) for text in asked}


def imported(source: str) -> set[str]:
    """Return the names of the packages that a module imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - set(OURS)


@cache
def bringers() -> Mapping[str, list[str]]:
    """Return the distributions that bring each package: a look at all that is installed."""
    return packages_distributions()


def undeclared(names: set[str]) -> set[str]:
    """Return those of packages that no distribution brings that the program asks for."""
    known, asked = bringers(), declared()
    return {
        name for name in names if not {canonical(found) for found in known.get(name, ())} & asked
    }


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_imported_is_a_dependency(path: Path) -> None:
    allowed = NOT_ASKED_FOR.get(str(path.relative_to(ROOT)), set())
    assert undeclared(imported(path.read_text(encoding="utf-8"))) == allowed


def test_a_tool_that_is_imported_is_found() -> None:
    later = "def later() -> None:\n    import hypothesis.strategies"
    source = f"import pytest\nfrom numpy import array\n{later}"
    assert undeclared(imported(source)) == {"pytest", "hypothesis"}
