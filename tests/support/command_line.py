"""The command line, run in the test's own process: how a command ended, and what it said."""

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from streams.cli import main


class Said(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


Weir = Callable[..., Said]


def weir_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weir:
    """Return what runs a command line of Weir."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["weir", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return Said(ended.value.code, said.out, said.err)

    return run


def fields(said: Said) -> dict[str, Any]:
    """Return the JSON object that a command printed, and nothing else."""
    assert said.status == 0, said.err
    assert not said.err
    found: dict[str, Any] = json.loads(said.out)
    return found
