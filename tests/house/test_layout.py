"""The layout of the house: folders are concepts, files are nouns, tests lie under the same path."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_tidy import CODE, PACKAGES, ROOT, imported, module_of, name_of, tree_of

MODULES_MAX = 15
"""Of a folder; one that has more is two concepts."""

ONE_FILE_EACH = {
    "streams/cli": "a file is a command",
    "monitor/store/migrations/versions": "a file is a migration, which stays for ever",
}
"""Folders that may have more, and why."""

SMALL = 60
"""Lines below which a module that one other module imports is part of that one."""

SMALL_WITH_A_REASON = {
    "models/arrays.py": "everybody's names for arrays",
    "models/kernels.py": "what compiles is one decision, beside those who are compiled",
    "streams/interpreter.py": "settings of the process, not of any part of it",
    "streams/feed/accounts.py": "a sort of input is a file",
    "streams/feed/iban.py": "a standard of its own (ISO 13616)",
    "streams/kafka/compression.py": "what is asked of a broker, beside what is set up on it",
    "streams/cli/views/associate.py": "a view is a file, as its command is",
    "streams/cli/views/soak.py": "as above; and it needs matplotlib, which is an extra",
}
"""Small modules with one importer that stay by themselves, and why."""

MIRRORED = ("monitor", "streams", "models")


def folders() -> list[Path]:
    return sorted({path.parent for path in CODE})


@pytest.mark.parametrize("folder", folders(), ids=name_of)
def test_a_folder_has_few_modules(folder: Path) -> None:
    modules = [
        path for path in folder.glob("*.py") if path.name not in {"__init__.py", "__main__.py"}
    ]
    if name_of(folder) not in ONE_FILE_EACH:
        assert len(modules) <= MODULES_MAX


# -- composition ----------------------------------------------------------------------------------


def subclasses(paths: list[Path]) -> dict[str, list[str]]:
    """Return the classes of ours that classes of ours extend, each with those that do."""
    classes = [
        node for path in paths for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)
    ]
    ours = {node.name for node in classes}
    found: dict[str, list[str]] = defaultdict(list)
    for node in classes:
        for parent in node.bases:
            name = getattr(parent, "id", "")  # one with a module before it is not ours
            if name in ours and name != node.name:
                found[name].append(node.name)
    return found


def is_protocol_or_error(name: str) -> bool:
    return name.endswith("Error")


ONE_CHILD_WITH_A_REASON = {
    "_Timed": "the benchmark times the steps of both engines from outside",
    "OrdinaryEngine": "as above",
    "Ledger": "of the same two engines",
}
"""Classes of ours that one class of ours extends, and why that is a kind of thing and not a cut."""


def test_no_class_was_cut_in_two() -> None:
    lonely = {
        parent: children
        for parent, children in subclasses(CODE).items()
        if len(children) == 1 and not is_protocol_or_error(parent)
    }
    assert set(lonely) - set(ONE_CHILD_WITH_A_REASON) == set(), lonely


# -- small modules --------------------------------------------------------------------------------


def importers() -> dict[str, set[str]]:
    """Return for each module of ours the modules of ours that import it."""
    known = {module_of(path) for path in CODE}
    found: dict[str, set[str]] = defaultdict(set)
    for path in CODE:
        for name in imported(path):
            if name in known:
                found[name].add(module_of(path))
    return found


def test_a_small_module_with_one_importer_is_part_of_that_one() -> None:
    by = importers()
    small = {
        name_of(path)
        for path in CODE
        if path.name not in {"__init__.py", "__main__.py"}
        and len(path.read_text(encoding="utf-8").splitlines()) < SMALL
        and len(by[module_of(path)]) == 1
        and name_of(path.parent) not in ONE_FILE_EACH
    }
    assert small - set(SMALL_WITH_A_REASON) == set()


# -- tests ----------------------------------------------------------------------------------------


def mirrored_tests() -> Iterator[Path]:
    for package in MIRRORED:
        yield from (ROOT / "tests" / package).rglob("test_*.py")


@pytest.mark.parametrize("path", sorted(mirrored_tests()), ids=name_of)
def test_a_test_lies_under_the_path_of_what_it_tests(path: Path) -> None:
    assert (ROOT / path.parent.relative_to(ROOT / "tests")).is_dir()


def test_no_test_lies_loose() -> None:
    assert sorted((ROOT / "tests").glob("test_*.py")) == []


def test_the_packages_are_those_that_are_mirrored() -> None:
    assert set(PACKAGES) == set(MIRRORED)
