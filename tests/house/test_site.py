"""The site of the documents: its links lead where the repository's do, and it asks nobody else."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.documents import DOCS, ROOT, anchors, text_of
from tests.support.site_pages import PAGES, led, outside, site_path, slug

CONFIG: dict[str, Any] = yaml.safe_load(text_of(ROOT / "mkdocs.yml"))
PARTS = ["Tutorial", "How-to", "Reference", "Explanation"]
ELSEWHERE = re.compile(
    r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"' >]+)"""
)
IN_STYLES = re.compile(r"""(?:@import|url\()\s*["']?((?:https?:)?//[^"')]+)""")


def leaves(nav: list[Any]) -> list[str]:
    """Return the pages of a navigation, in their order."""
    found: list[str] = []
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found += leaves(value) if isinstance(value, list) else [value]
    return found


def test_the_navigation_has_four_parts_and_each_page_once() -> None:
    home, *parts = CONFIG["nav"]
    assert home == {"Weir": "index.md"}
    assert [name for part in parts for name in part] == PARTS
    pages = leaves(CONFIG["nav"])
    written = [path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")]
    beside = [name for name in outside() if name.endswith(".md")]
    assert sorted(pages) == sorted(map(site_path, [*written, *beside]))


def test_the_site_is_built_strictly_and_asks_for_no_fonts() -> None:
    assert CONFIG["theme"]["font"] is False
    assert CONFIG["plugins"] == ["search"]  # "offline" would take a script from another server
    kinds = [kind for checked in CONFIG["validation"].values() for kind in checked.values()]
    assert set(kinds) == {"warn"}
    makefile = text_of(ROOT / "Makefile")
    assert "mkdocs build --strict" in makefile
    assert re.search(r"^lint:.* site\b", makefile, re.MULTILINE)
    assert CONFIG["site_dir"].startswith("build/")
    assert "build/" in text_of(ROOT / ".gitignore").splitlines()


@pytest.mark.parametrize(
    ("src", "link", "there"),
    [
        ("operations.md", "metrics.md", "metrics.md"),
        ("operations.md", "../README.md#five-minutes", "index.md#five-minutes"),
        ("security.md", "../SECURITY.md", "security-policy.md"),
        ("decisions/0012-layout.md", "../architecture.md#state", "../architecture.md#state"),
        ("index.md", "docs/tour.md", "tour.md"),
        ("index.md", "examples/policy.toml", "examples/policy.toml"),
        ("index.md", "docs/console/queue.png", "console/queue.png"),
        ("contributing.md", "docs/decisions/README.md", "decisions/README.md"),
        ("examples/README.md", "policy.toml", "policy.toml"),
        ("examples/README.md", "../docs/data.md#maps", "../data.md#maps"),
        ("tour.md", "https://example.com/a.md", "https://example.com/a.md"),
        ("tour.md", "#files", "#files"),
    ],
)
def test_a_link_leads_to_where_the_site_has_its_target(src: str, link: str, there: str) -> None:
    assert led(f"See [it]({link}).", src) == f"See [it]({there})."


def test_links_in_code_stay_as_they_are() -> None:
    code = "`[a](../README.md)`\n\n```\n[b](../README.md)\n```\n"
    assert led(code, "tour.md") == code


@pytest.mark.parametrize("name", [*PAGES, "docs/operations.md", "docs/data.md"])
def test_anchors_are_those_of_the_repository(name: str) -> None:
    text = re.sub(r"^```.*?^```$", "", text_of(ROOT / name), flags=re.MULTILINE | re.DOTALL)
    assert {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)} == anchors(
        ROOT / name
    )


@pytest.mark.slow
def test_the_built_site_asks_no_other_server_for_anything(tmp_path: Path) -> None:
    mkdocs = Path(sys.executable).parent / "mkdocs"
    subprocess.run([mkdocs, "build", "--strict", "--site-dir", tmp_path], cwd=ROOT, check=True)
    pages = sorted(tmp_path.rglob("*.html"))
    names = {page.relative_to(tmp_path).with_suffix(".md").as_posix() for page in pages}
    wanted = {name.replace("README", "index") for name in leaves(CONFIG["nav"])}
    assert wanted <= names
    for page in pages:
        assert ELSEWHERE.findall(page.read_text(encoding="utf-8")) == [], page
    for style in tmp_path.rglob("*.css"):
        assert IN_STYLES.findall(style.read_text(encoding="utf-8")) == [], style
    assert (tmp_path / "examples" / "policy.toml").read_bytes() == (
        ROOT / "examples" / "policy.toml"
    ).read_bytes()


def test_what_is_of_another_server_is_found() -> None:
    assert ELSEWHERE.findall('<script defer src="https://a.b/c.js">') == ["https://a.b/c.js"]
    assert ELSEWHERE.findall("<link rel=x href=//a.b/c.css>") == ["//a.b/c.css"]
    assert IN_STYLES.findall("src: url('https://a.b/c.woff')") == ["https://a.b/c.woff"]
