"""Habits of writing that only fall: each count may go down, and is then written down here.

Plain English is read faster by the one who is paged: *if* for conditions, the thing's own name
instead of "what", one word for one thing.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.house.test_tidy import CODE, ROOT, TESTS, tree_of

DOCS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
QUESTION_WORDS = ("what", "which", "who", "why", "when", "where", "how", "whether")

COUNTS = {
    "Raises X where": 0,
    "None where": 0,
    "is none": 43,
    "anew": 14,
    "whatever is": 1,
    "a module that begins with a question word": 0,
    "fmt: skip": 166,
    "a variable called of": 0,
    "a variable called one": 0,
}
"""Each habit, and how often it is left; a smaller number is written down in the same change."""


def docstrings() -> list[str]:
    nodes = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [
        text
        for path in CODE
        for node in ast.walk(tree_of(path))
        if isinstance(node, nodes) and (text := ast.get_docstring(node))
    ]


def module_docstrings() -> list[str]:
    trees = [tree_of(path) for path in CODE]
    return [ast.get_docstring(tree) or "" for tree in trees]


def names_of_variables(path: Path) -> list[str]:
    tree = tree_of(path)
    names = [
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return names + [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]


@cache
def habits() -> dict[str, int]:
    code = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    prose = "\n".join([*docstrings(), *(path.read_text(encoding="utf-8") for path in DOCS)])
    names = [name for path in CODE for name in names_of_variables(path)]
    return {
        "Raises X where": len(re.findall(r"Raises \w+ where", prose)),
        "None where": len(re.findall(r"None where", prose)),
        "is none": len(re.findall(r"\bis none\b", prose)),
        "anew": len(re.findall(r"\banew\b", prose)),
        "whatever is": len(re.findall(r"\bwhatever is\b", prose)),
        "a module that begins with a question word": sum(
            text.lower().startswith(QUESTION_WORDS) for text in module_docstrings()
        ),
        "fmt: skip": len(re.findall(r"# fmt: skip", code)),
        "a variable called of": names.count("of"),
        "a variable called one": names.count("one"),
    }


@pytest.mark.parametrize("habit", COUNTS)
def test_a_habit_only_falls(habit: str) -> None:
    assert habits()[habit] <= COUNTS[habit]


@pytest.mark.parametrize("habit", COUNTS)
def test_what_has_fallen_is_written_down(habit: str) -> None:
    assert habits()[habit] >= COUNTS[habit], "it has become fewer: lower the figure"


def test_there_are_tests() -> None:
    assert len(TESTS) > len(CODE) / 3
