"""What is vendored is what its makers published, and nothing else."""

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

VENDOR = Path(str(files("monitor.console"))) / "static" / "vendor"


def test_the_manifest_has_every_file_and_its_hash() -> None:
    listed = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))
    found = {path.name for path in VENDOR.iterdir()} - {"manifest.json"}
    assert {entry["file"] for entry in listed} == found
    for entry in listed:
        content = (VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert set(entry) == {"name", "version", "licence", "from", "file", "sha256"}


def test_templates_mark_nothing_as_safe() -> None:
    for path in (VENDOR.parents[1] / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "safe }}" not in text
        assert "|safe" not in text.replace(" ", "")
        assert "autoescape" not in text
        assert " style=" not in text


def test_every_page_of_the_navigation_has_a_key_that_the_help_lists() -> None:
    keys = (VENDOR.parent / "keys.js").read_text(encoding="utf-8")
    found = re.search(r"const places = \{(.*?)\};", keys, re.DOTALL)
    assert found is not None
    places = dict(re.findall(r'(\w): "([^"]+)"', found[1]))
    layout = (VENDOR.parents[1] / "templates" / "layout.html").read_text(encoding="utf-8")
    pages = re.findall(r'<a href="(/[a-z]+)"{% if path ==', layout)
    assert sorted(places.values()) == sorted(pages)
    assert set(re.findall(r"<kbd>g</kbd> <kbd>(\w)</kbd>", layout)) == set(places)
