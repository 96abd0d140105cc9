"""The site's hooks for mkdocs: pages from beside docs/, and links and anchors as in the repository.

Pages are written to be read in the repository. There they lead to files outside of docs/, which the
site has, too, under names of its own; and their anchors are those that a repository's viewer makes.
"""

import os
import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]

PAGES: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files at the root, and their names on the site; docs/security.md is another page."""

BESIDE: Final = ("LICENSE", "examples")
"""What keeps its name: a file, and a folder of them."""

_LINK: Final = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_CODE: Final = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make anchors as the viewers of repositories do."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def slug(heading: str, _separator: str = "-") -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies beside docs/."""
    for name in outside():
        files.append(File.generated(config, site_path(name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead each link of a page to where the site has its target."""
    del config, files
    return led(markdown, page.file.src_uri)


def outside() -> list[str]:
    """Return the files beside docs/ that the site has, by their paths in the repository."""
    beside = [ROOT / name for name in BESIDE]
    found = [
        path
        for place in beside
        for path in (sorted(place.iterdir()) if place.is_dir() else [place])
        if path.is_file()
    ]
    return [*PAGES, *(path.relative_to(ROOT).as_posix() for path in found)]


def site_path(name: str) -> str:
    """Return the name on the site of a file of the repository."""
    return PAGES.get(name, name.removeprefix("docs/"))


def in_repository(src: str) -> str:
    """Return the path in the repository of a file of the site."""
    back = {shown: name for name, shown in PAGES.items()}
    return back.get(src, src if src in outside() else f"docs/{src}")


def led(markdown: str, src: str) -> str:
    """Return the text of a page with its links as the site has them; code stays as it is."""
    folder = posixpath.dirname(in_repository(src))
    here = posixpath.dirname(src) or "."

    def lead(link: re.Match[str]) -> str:
        target = link[2]
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        name = posixpath.normpath(posixpath.join(folder, target))
        return f"{link[1]}{os.path.relpath(site_path(name), here)}{link[3] or ''}{link[4]}"

    parts = re.split(_CODE, markdown)
    return "".join(
        part if index % 2 else re.sub(_LINK, lead, part) for index, part in enumerate(parts)
    )
