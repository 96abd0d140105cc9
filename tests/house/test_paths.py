"""Whoever names a file or a module of ours, in text or in a command, names one that is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_tidy import CODE, PACKAGES, ROOT, TESTS, module_of, name_of, texts

OURS = "|".join((*PACKAGES, "tests"))
PATH = re.compile(rf"(?<![\w/.<-])(?:{OURS})/[\w./-]*\w")
FILE = re.compile(r"(?<![\w/.<*-])[a-z_]+\.py\b")
MODULE = re.compile(rf"(?<![\w/.-])(?:{OURS})(?:\.[a-z_]+)+")
IN_TICKS = re.compile(r"`([^`\n]+)`")
RUN = re.compile(r"\bpython3? -m ([\w.]+)")
SCRIPT = re.compile(r"""\bpython["']? -c \s*(?:\\\n\s*)?(["'])(.+?)\1""")

PLACEHOLDER = re.compile("NAME|COMMAND")
COMMANDS = [ROOT / name for name in ("Makefile", "Dockerfile", ".ci/run", "docker-compose.yml")]
MODULES = {module_of(path) for path in (*CODE, *TESTS)}
FILES = {path.name for path in (*CODE, *TESTS, *(ROOT / "examples").glob("*.py"))}

each_text = pytest.mark.parametrize(
    "path", [path for path in texts() if path != Path(__file__)], ids=name_of
)


def is_module(name: str) -> bool:
    """Say whether a dotted name is a module or a package, or something that one has."""
    parents = [name.rsplit(".", less)[0] for less in range(3)]
    return any(parent in MODULES for parent in parents[:2]) or (
        parents[2] in MODULES and (ROOT / parents[2].replace(".", "/")).with_suffix(".py").exists()
    )


def prose_of(path: Path) -> str:
    """Return the text of a file, and of code what stands in its strings that are documentation."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return "\n".join(
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, nodes)
    )


@each_text
def test_every_path_that_is_named_is_there(path: Path) -> None:
    named = set(PATH.findall(path.read_text(encoding="utf-8")))
    assert [
        name
        for name in sorted(named)
        if not (ROOT / name).exists() and not PLACEHOLDER.search(name)
    ] == []


@each_text
def test_every_file_and_module_that_a_text_names_is_there(path: Path) -> None:
    code = [text for text in IN_TICKS.findall(prose_of(path)) if not PLACEHOLDER.search(text)]
    files = {name for text in code for name in FILE.findall(text)}
    modules = {name for text in code for name in MODULE.findall(text) if not name.endswith(".md")}
    assert files - FILES == set()
    assert [name for name in sorted(modules) if not is_module(name)] == []


def commands() -> Iterator[tuple[str, str]]:
    """Yield each module of ours that a command runs or imports, and the file of the command."""
    for path in [*COMMANDS, *texts()]:
        for name in RUN.findall(path.read_text(encoding="utf-8")):
            yield name, name_of(path)
    for path in COMMANDS:
        for _, script in SCRIPT.findall(path.read_text(encoding="utf-8")):
            for node in ast.walk(ast.parse(script)):
                if isinstance(node, ast.Import):
                    yield from ((alias.name, name_of(path)) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module, name_of(path)


@pytest.mark.parametrize(
    ("module", "by"),
    sorted({command for command in commands() if command[0].split(".")[0] in OURS.split("|")}),
)
def test_what_a_command_runs_or_imports_is_a_module(module: str, by: str) -> None:
    assert module in MODULES, by
