"""The image holds the locked packages, these are what the project needs, and threats have tests."""

import ast
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.advisories import (
    FOUND,
    NOT_LOOKED_UP,
    NOTHING_FOUND,
    Found,
    found_in,
    status_of,
)
from tests.support.documents import DOCS, ROOT, tables, text_of

PYPROJECT: dict[str, Any] = tomllib.loads(text_of(ROOT / "pyproject.toml"))
PROJECT = PYPROJECT["project"]
DOCKERFILE = text_of(ROOT / "Dockerfile").replace("\\\n", " ")
EXTRAS = re.findall(r"^LOCKED_EXTRAS := (.+)$", text_of(ROOT / "Makefile"), re.MULTILINE)[0].split()
OURS = f"{PROJECT['name']} (pyproject.toml)"
PIN = re.compile(r"([\w.-]+)==(\S+)(?: ; .+)?")


class Pin(NamedTuple):
    """A package of a lock: a version for each marker, and who asked for it."""

    versions: set[str]
    hashes: list[str]
    asked_by: set[str]


def pins_of(text: str) -> dict[str, Pin]:
    """Return the packages of a lock. Raises ValueError at a line that a lock must not have."""
    pins: dict[str, Pin] = {}
    name = ""
    for line in text.replace(" \\\n", "\n").splitlines():
        stripped = line.strip()
        if found := re.fullmatch(PIN, line):
            name = canonicalize_name(found[1])
            pin = pins.setdefault(name, Pin(set(), [], set()))
            pin.versions.add(found[2])
        elif found := re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", stripped):
            pins[name].hashes.append(found[1])
        elif found := re.fullmatch(r"#(?: via)? *(.*)", stripped):
            if name and found[1]:
                pins[name].asked_by.add(found[1])
        elif stripped:
            raise ValueError(f"a lock must have pins, hashes and comments only, not {line!r}")
    return pins


LOCKS = {
    "requirements.txt": [
        *PROJECT["dependencies"],
        *(text for extra in EXTRAS for text in PROJECT["optional-dependencies"][extra]),
    ],
    "requirements-build.txt": PYPROJECT["build-system"]["requires"],
}
"""Each lock, and what must be in it."""

each_lock = pytest.mark.parametrize("name", LOCKS)


def drift(pins: Mapping[str, Pin], asked: list[str]) -> set[str]:
    """Return the requirements that a lock does not meet, and the pins that nobody asks for."""
    wanted = [Requirement(text) for text in asked]
    unmet = {
        str(requirement)
        for requirement in wanted
        for pin in [pins.get(canonicalize_name(requirement.name))]
        if pin is None or not all(map(requirement.specifier.contains, pin.versions))
    }
    names = {canonicalize_name(requirement.name) for requirement in wanted}
    asks = set(pins) | {OURS, "-r -"}
    left_over = {
        name
        for name, pin in pins.items()
        if name not in names
        and (OURS in pin.asked_by or not {asker.split("[")[0] for asker in pin.asked_by} & asks)
    }
    return unmet | left_over


@each_lock
def test_the_lock_has_what_the_project_asks_for(name: str) -> None:
    assert drift(pins_of(text_of(ROOT / name)), LOCKS[name]) == set(), "run `make lock`"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["a>=1,<2"], set()),
        (["a>=2"], {"a>=2"}),
        (["a>=1", "c"], {"c"}),
        ([], {"a"}),
    ],
)
def test_a_lock_that_has_drifted_is_found(asked: list[str], found: set[str]) -> None:
    pins = {"a": Pin({"1.5"}, [], {OURS}), "b": Pin({"3"}, [], {"a"})}
    assert drift(pins, asked) == found


def test_a_pin_whose_asker_has_gone_is_found() -> None:
    assert drift({"b": Pin({"3"}, [], {"a"})}, []) == {"b"}


@each_lock
def test_every_pin_has_its_hashes_and_names_no_place(name: str) -> None:
    text = text_of(ROOT / name)
    assert "://" not in text
    for package, pin in pins_of(text).items():
        assert pin.hashes, package
        assert len(pin.hashes) == len(set(pin.hashes)), package


@pytest.mark.parametrize("line", ["--index-url https://a.b/", "-e .", "a @ file:///c", "a>=1"])
def test_a_line_that_a_lock_must_not_have_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="pins, hashes and comments only"):
        pins_of(line)


def installs(dockerfile: str) -> list[str]:
    """Return each call of pip that gets packages."""
    return re.findall(r"\bpip (?:install|wheel|download) [^&\n]*", dockerfile)


def is_locked(call: str) -> bool:
    hashed = {"--require-hashes", "--only-binary", ":all:"}
    words = set(call.split())
    return words >= hashed or words >= {"--no-deps", "--no-index"}


def test_the_image_installs_nothing_without_its_hash() -> None:
    calls = installs(DOCKERFILE)
    assert len(calls) == 4
    assert [call for call in calls if not is_locked(call)] == []
    assert {name for name in LOCKS if f"--requirement {name}" in DOCKERFILE} == set(LOCKS)
    assert not is_locked("pip install .")


def test_the_image_can_do_what_compose_starts_and_the_console_offers() -> None:
    assert {"console", "oidc", "postgres"} <= set(EXTRAS)


# -- advisories -----------------------------------------------------------------------------------

KNOWS = Found({"jinja2 2.4.1": ["CVE-1"]}, [])
NOTHING = Found({}, [])
UNKNOWN = Found({}, ["a"])


@pytest.mark.parametrize(
    ("canary", "lock", "status"),
    [
        (KNOWS, NOTHING, NOTHING_FOUND),
        (KNOWS, Found({"a 1": ["CVE-2"]}, []), FOUND),
        (KNOWS, Found({"a 1": ["CVE-2"]}, ["b"]), FOUND),
        (KNOWS, UNKNOWN, NOT_LOOKED_UP),
        (KNOWS, None, NOT_LOOKED_UP),
        (NOTHING, NOTHING, NOT_LOOKED_UP),
        (UNKNOWN, UNKNOWN, NOT_LOOKED_UP),
        (None, None, NOT_LOOKED_UP),
    ],
)
def test_a_lookup_that_told_nothing_is_not_taken_for_good_news(
    canary: Found | None, lock: Found | None, status: int
) -> None:
    assert status_of(canary, [NOTHING, lock]) == status


def test_a_report_is_read_as_pip_audit_writes_it() -> None:
    report = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": []},
            {"name": "b", "version": "2", "vulns": [{"id": "CVE-3", "fix_versions": ["3"]}]},
            {"name": "c", "skip_reason": "Dependency not found and could not be audited: c (1)"},
        ],
        "fixes": [],
    }
    assert found_in(report) == Found({"b 2": ["CVE-3"]}, ["c"])


# -- threats --------------------------------------------------------------------------------------


@cache
def names_in(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("row", tables(DOCS / "security.md", "threat"), ids=lambda row: row[0])
def test_each_threat_has_a_test_that_is_there(row: list[str]) -> None:
    _, prevention, cell = row
    assert prevention
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", cell)
    assert named
    assert cell == ", ".join(f"`{path}::{name}`" for path, name in named)
    for path, name in named:
        assert name in names_in(ROOT / path), f"{path}::{name}"
