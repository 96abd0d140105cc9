"""The documents of the repository, taken apart for tests."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "examples").glob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)


class Block(NamedTuple):
    """A block of code: its language (none: empty), and its text."""

    language: str
    text: str


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Return the fenced and the indented blocks of a page."""
    text = text_of(page)
    fenced = [Block(*found) for found in _FENCE.findall(text)]
    rest = _FENCE.sub("", text)
    indented = ["".join(line[4:] for line in found.splitlines(keepends=True))
                for found in _INDENTED.findall(rest)]  # fmt: skip
    return fenced + [Block("", found) for found in indented]


def inline_code(page: Path) -> list[str]:
    """Return what stands between single backticks outside of blocks."""
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", text_of(page)))


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Yield path and anchor of each relative link of a page."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text_of(page))):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors that the headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tables(page: Path, first_heading: str) -> list[list[str]]:
    """Return the rows, cell by cell, of every table whose first column has that heading."""
    rows: list[list[str]] = []
    is_taken = False
    for line in text_of(page).splitlines():
        if not line.startswith("|"):
            is_taken = False
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        if cells[0] == first_heading:
            is_taken = True
        elif is_taken and set(cells[0]) != {"-"}:
            rows.append(cells)
    return rows
