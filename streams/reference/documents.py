"""Write the parts of docs/ that are made from the code: `python -m streams.reference.documents`.

A test holds the files against what this makes, so that they cannot say what is no longer so. The
YAML writer is one of the development tools; nothing that runs needs it.
"""

import io
import json
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

import typer.main

from monitor.console.openapi.schemas import paper_schema
from streams.cli.main import app
from streams.reference.asyncapi import asyncapi
from streams.reference.commands import command_page
from streams.reference.schemas import DIALECT, record_schemas

FILLED: Final = (Path("capacity.md"),)
"""Pages that are written by hand, but for what the commands in their console blocks print."""

_CALL: Final = re.compile(
    r"^```console\n(\$ (weir capacity [^\n]*)\n).*?^```$", re.MULTILINE | re.DOTALL
)


def filled(text: str) -> str:
    """Return a page with what its calls of `weir capacity` print now."""
    return _CALL.sub(lambda found: f"```console\n{found[1]}{_printed(found[2])}```", text)


def _printed(call: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        typer.main.get_command(app)(shlex.split(call)[1:], standalone_mode=False)
    return printed.getvalue()


def documents() -> dict[Path, str]:
    """Return the text of each file, by its path in docs/."""
    import yaml  # noqa: PLC0415 - a development tool

    paper = {"$schema": DIALECT, "title": "Working paper", **paper_schema()}
    schemas = {
        Path("schemas") / f"{name}.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in {**record_schemas(), "working-paper": paper}.items()
    }
    note = "# Made by `make docs` from the code.\n"
    described = yaml.safe_dump(asyncapi(), sort_keys=False, width=100, allow_unicode=True)
    return {
        **schemas,
        Path("asyncapi.yml"): note + described,
        Path("commands.md"): command_page(),
    }


def main() -> None:
    """Write the files into the folder that is given."""
    (folder,) = sys.argv[1:]
    for path, text in documents().items():
        to = Path(folder) / path
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
    for path in FILLED:
        page = Path(folder) / path
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
