"""A bank's real customers: the table is whole, and docs/insight.md shows what the commands say."""

import csv
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.documents import DOCS, text_of
from tests.support.forked import run_command
from tests.support.references import BERKA, EXAMPLES, path_of

PAGE = text_of(DOCS / "insight.md")
CALLS = re.findall(
    r"^```console\n\$ (weir .+customers\.csv.*)\n((?:(?!```).*\n)*)", PAGE, re.MULTILINE
)


@pytest.fixture(scope="session")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the example has written its table and its hierarchy."""
    folder = path_of(BERKA).parent
    out = tmp_path_factory.mktemp("customers")
    command: list[str | Path] = [sys.executable, EXAMPLES / "berka_customers.py", folder, out]
    subprocess.run(command, check=True, timeout=60)
    return out


def weir(call: str, folder: Path) -> str:
    environment = {"COLUMNS": "100", "PYTHONUTF8": "1"}
    done = run_command(shlex.split(call)[1:], environment, folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_table_has_every_account_once_and_the_known_totals(customers: Path) -> None:
    with (customers / "customers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["account_id"] for row in rows}) == len(rows) == 4500
    loans = Counter(row["loan"] for row in rows)
    assert loans == {"A": 203, "B": 31, "C": 403, "D": 45, "": 3818}
    assert Counter(row["card"] for row in rows if row["card"]) == {
        "classic": 659, "gold": 88, "junior": 145,
    }  # fmt: skip
    assert len({row["district"] for row in rows}) == 77
    assert {row["sex"] for row in rows} == {"man", "woman"}
    assert sum(int(row["orders"] or 0) for row in rows) == 6471
    assert sum(bool(row["average_balance"]) for row in rows) == 1229


def test_there_is_something_to_compare() -> None:
    assert {call.split()[1] for call, _ in CALLS} >= {"describe", "cluster"}


@pytest.mark.parametrize(("call", "shown"), CALLS, ids=[call.split()[1] for call, _ in CALLS])
def test_the_page_shows_what_the_command_says(customers: Path, call: str, shown: str) -> None:
    said = [line.rstrip() for line in weir(call, customers).rstrip().splitlines()]
    assert shown.rstrip().splitlines() == said


def test_bad_loans_are_described_as_counting_says(customers: Path) -> None:
    found = json.loads(weir("weir describe customers.csv --target loan=B --target loan=D"
                            " --against loan=A --against loan=C --json", customers))  # fmt: skip
    with (customers / "customers.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["loan"]]
    counted = Counter((row["orders"], row["loan"] in {"B", "D"}) for row in rows)
    assert found["attributes"][0]["attribute"] == "orders"
    for mark in found["marks"]:
        if mark["attribute"] == "orders":
            bad, good = counted[mark["value"], True], counted[mark["value"], False]
            assert (mark["count"], mark["d_weight"]) == (bad, bad / (bad + good))
    assert sum(row["t_weight"] for row in found["rows"]) == pytest.approx(1)
    assert counted["2", True] == 0
    assert counted["2", False] == 208
