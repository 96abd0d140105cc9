"""Rules of the house that no other tool looks at."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("monitor", "streams", "models")
CODE = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
TEXT_ENDINGS = {".py", ".md", ".toml", ".yml", ".yaml", ".tpl", ".json", ".xml", ".properties"}
TEXT_ENDINGS |= {".txt", ".example"}
LINES_MAX = 600

FORBIDDEN_WORDS = {"manager", "handler", "helper", "util", "utils", "base", "impl"}
NOT_YET = re.compile("TODO|FIXME")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users|mnt|opt/wheels)/")
REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|repo1?\.maven)\b")

STOPWATCHES = {"process_time", "perf_counter", "thread_time"}
CHECKS = {"raises", "fail", "validate", "check_schema"}
"""Calls that fail a test by themselves."""


def texts() -> list[Path]:
    """Return every text file that is ours."""
    folders = [*PACKAGES, "tests", "docs", "examples", "dashboards", "deploy", ".ci"]
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file()]
    names = {"Makefile", "Dockerfile", "run", ".dockerignore", ".gitignore"}
    return sorted(
        path
        for path in found
        if "__pycache__" not in path.parts
        and path != Path(__file__)  # it names what is forbidden
        and (path.suffix in TEXT_ENDINGS or path.name in names)
    )


@cache
def tree_of(path: Path) -> ast.Module:
    """Return what a file parses to; every rule looks at the same tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


each_text = pytest.mark.parametrize("path", texts(), ids=name_of)
each_code = pytest.mark.parametrize("path", CODE, ids=name_of)
each_test = pytest.mark.parametrize("path", TESTS, ids=name_of)


@each_code
def test_a_file_is_no_longer_than_one_can_hold_in_mind(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@each_text
def test_nothing_is_left_for_later(path: Path) -> None:
    assert NOT_YET.findall(path.read_text(encoding="utf-8")) == []


@each_text
def test_no_path_of_a_machine_and_no_registry_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert MACHINE_PATH.findall(text) == []
    assert REGISTRY.findall(text) == []


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=name_of)
def test_names_say_what_a_thing_is(path: Path) -> None:
    tree = tree_of(path)
    defined = ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    names = [node.name for node in ast.walk(tree) if isinstance(node, defined)]
    for name in [path.stem, *names]:
        if not name.startswith("test_"):  # a sentence, not a name
            assert not words(name) & FORBIDDEN_WORDS, name


def shared_names(trees: Mapping[str, ast.Module]) -> dict[str, list[str]]:
    """Return the public class names that several modules have, each with its modules."""
    modules: dict[str, list[str]] = {}
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules.setdefault(node.name, []).append(module)
    return {name: found for name, found in modules.items() if len(found) > 1}


def test_a_public_class_name_belongs_to_one_class() -> None:
    assert shared_names({name_of(path): tree_of(path) for path in CODE}) == {}


def test_a_shared_class_name_is_found() -> None:
    sources = {
        "a.py": "class Told: ...\nclass _Own: ...",
        "b.py": "class Told: ...\nclass _Own: ...",
    }
    trees = {name: ast.parse(source) for name, source in sources.items()}
    assert shared_names(trees) == {"Told": ["a.py", "b.py"]}


# -- no module that nobody uses -------------------------------------------------------------------


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_is_used_by_another_or_is_a_program() -> None:
    used = {name for path in CODE for name in imported(path)}
    programs = {path for path in CODE if '__name__ == "__main__"' in path.read_text()}
    unused = [
        name_of(path)
        for path in CODE
        if path not in programs
        and path.stem != "__init__"
        and "migrations" not in path.parts  # alembic finds them by their place
        and module_of(path) not in used
    ]
    assert unused == []


# -- tests that can fail --------------------------------------------------------------------------


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def called(node: ast.AST) -> set[str]:
    names = set()
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            if isinstance(call.func, ast.Name):
                names.add(call.func.id)
            elif isinstance(call.func, ast.Attribute):
                names.add(call.func.attr)
    return names


def asserts(node: ast.AST) -> list[ast.Assert]:
    return [found for found in ast.walk(node) if isinstance(found, ast.Assert)]


@cache
def asserting() -> set[str]:
    """Return the functions of the tests that assert something for whoever calls them."""
    return {
        function.name
        for path in TESTS
        for function in functions(tree_of(path))
        if asserts(function)
    }


def idle_tests(source: str) -> list[str]:
    """Return the tests of a source that cannot fail."""
    return [
        test.name
        for test in functions(ast.parse(source))
        if test.name.startswith("test_")
        and not asserts(test)
        and not called(test) & (CHECKS | asserting())
        and not any(name.startswith("assert_") for name in called(test))
    ]


def hollow_asserts(source: str) -> list[int]:
    """Return the lines of asserts that hold whatever happens: of a constant, or of a tuple."""
    return [
        found.lineno
        for found in asserts(ast.parse(source))
        if isinstance(found.test, ast.Constant | ast.Tuple | ast.JoinedStr)
    ]


@each_test
def test_every_test_can_fail(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert idle_tests(source) == []
    assert hollow_asserts(source) == []


@each_test
def test_no_test_judges_by_the_processor_s_clock(path: Path) -> None:
    """A slower machine is no fault: `tests.support.calls` counts work, and waits have deadlines."""
    names = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree_of(path))}
    assert not STOPWATCHES & names


def test_a_test_that_cannot_fail_is_found() -> None:
    idle = "def test_nothing():\n    value = 1\n    print(value)\n"
    assert idle_tests(idle) == ["test_nothing"]
    assert hollow_asserts("assert True\nassert (1 == 2, 'why')\nassert 1 == 2\n") == [1, 2]


def test_what_is_forbidden_is_found() -> None:
    assert words("FeedManagerImpl") & FORBIDDEN_WORDS == {"manager", "impl"}
    assert words("path_utils") & FORBIDDEN_WORDS == {"utils"}
    assert not words("handled") & FORBIDDEN_WORDS
    assert NOT_YET.search("# TODO: later")
    assert MACHINE_PATH.search("in /root/x")
    assert not MACHINE_PATH.search("https://example.org/work/x and ~/work/x")
