"""`weir map`: a first map of a file, and what a map makes of it, with exit statuses."""

import gzip
import json
from pathlib import Path

import pytest

from tests.support.rigs import command

FILE = """id,account,day,size,cur
1,A,05.01.2026,"1.000,50",EUR
2,A,17.01.2026,"-2,25",EUR
2,A,31.01.2026,"7,00",EUR
"""
MAP = """
[columns]
transaction_id = "id"
account_id = "account"
booked_at = { column = "day", format = "%d.%m.%Y" }
amount = { column = "size", number = "1.234,50" }
currency = "cur"
direction = { sign_of = "size", positive = "credit", negative = "debit" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bank.csv").write_text(FILE, encoding="utf-8")
    (tmp_path / "bank.toml").write_text(MAP, encoding="utf-8")
    return tmp_path


def test_a_first_map_on_stdout_can_be_used_as_it_is(folder: Path) -> None:
    done = command("map", str(folder / "bank.csv"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# EUR credit: 2 rows, 1007.50" in done.stdout
    (folder / "first.toml").write_text(done.stdout, encoding="utf-8")
    done = command("map", str(folder / "bank.csv"), "--check", str(folder / "first.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rows can be read, 0 cannot" in done.stdout


def test_a_first_map_goes_to_a_file(folder: Path) -> None:
    output = folder / "first.toml"
    done = command("map", str(folder / "bank.csv"), "--output", str(output))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "UNSURE: booked_at: it has days alone" in done.stdout
    assert f"then weir map {folder / 'bank.csv'} --check {output}" in done.stdout
    assert 'format = "%d.%m.%Y"' in output.read_text(encoding="utf-8")


def test_a_check_names_the_first_line_of_each_fault_and_sums_up(folder: Path) -> None:
    bad = '3,A,05/01/2026,"1,00",EUR\n4,A,06/01/2026,"1,00",EUR\n5,A,05.01.2026,1.00,EUR\n6,A\n'
    (folder / "bank.csv").write_text(FILE + bad, encoding="utf-8")
    done = command("map", str(folder / "bank.csv"), "--check", str(folder / "bank.toml"))
    assert done.returncode == 1
    for line in (
        "3 rows can be read, 4 cannot",
        "EUR credit: 2 rows, 1007.50",
        "EUR debit: 1 rows, 2.25",
        "1 rows have an id that their account had before",
        f"2 bad-time: {folder / 'bank.csv'}, line 5, column day: booked_at is '05/01/2026'",
        f"1 bad-amount: {folder / 'bank.csv'}, line 7, column size",
        f"1 malformed: {folder / 'bank.csv'}, line 8: it is no row",
        "  say how it is written: format, time_zone, epoch or step",
    ):
        assert line in done.stdout
    done = command("map", str(folder / "bank.csv"), "--check", str(folder / "bank.toml"), "--json")
    found = json.loads(done.stdout)
    assert (found["readable"], found["unreadable"], found["repeated_ids"]) == (3, 4, 1)
    assert [(fault["reason"], fault["line"], fault["rows"]) for fault in found["faults"]] == [
        ("bad-time", 5, 2), ("bad-amount", 7, 1), ("malformed", 8, 1),
    ]  # fmt: skip
    assert found["sums"] == [
        {"currency": "EUR", "direction": "credit", "rows": 2, "amount": "1007.50"},
        {"currency": "EUR", "direction": "debit", "rows": 1, "amount": "2.25"},
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "No such file"),
        (["bank.csv", "--check", "none.toml"], "No such file"),
        (["bank.csv", "--check", "bank.csv"], "not TOML"),
        (["bank.csv", "--output", "bank.csv"], "is read too"),
        (["bank.csv", "--check", "bank.toml", "--output", "x.toml"], "--check writes no map"),
    ],
)
def test_an_operators_mistake_is_one_message(folder: Path, arguments: list[str], said: str) -> None:
    named = [each if each.startswith("--") else str(folder / each) for each in arguments]
    done = command("map", *named)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_first_map_is_made_of_a_compressed_file(folder: Path) -> None:
    packed = folder / "bank.csv.gz"
    packed.write_bytes(gzip.compress(FILE.encode()))
    done = command("map", str(packed))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# EUR credit: 2 rows, 1007.50" in done.stdout
    assert "kind =" not in done.stdout


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b":20:A\n:25:1/2\n:28C:1/1\n", "it is a statement (mt940), which needs no map"),
        ("a.ofx", b"OFXHEADER:100\n\n<OFX></OFX>\n", "it is a statement (ofx)"),
        ("a.csv", b"PK\x03\x04", "it is xlsx: write its [columns] by hand"),
        ("a.parquet", b"PAR1", "it is parquet: write its [columns] by hand"),
    ],
)
def test_a_file_of_which_no_first_map_is_made_is_told(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    done = command("map", str(tmp_path / name))
    assert done.returncode == 2
    assert said in done.stderr


def test_a_file_with_other_columns_is_led_to_a_first_map(folder: Path) -> None:
    done = command("replay", str(folder / "bank.csv"))
    assert done.returncode == 2
    assert "there is no column transaction_id\n" in done.stderr
    assert "by a map (--map); weir map FILE writes a first one" in done.stderr


def test_replay_tells_the_lines_that_are_no_rows(folder: Path) -> None:
    (folder / "bank.csv").write_text("Bank\n\n" + FILE + "\nEnd\n", encoding="utf-8")
    text = 'header = { contains = ["id", "day"] }\nfooter = { begins = "End" }\n' + MAP
    (folder / "bank.toml").write_text(text, encoding="utf-8")
    done = command("replay", str(folder / "bank.csv"), "--map", str(folder / "bank.toml"), "--json")
    assert done.returncode == 0, done.stderr
    assert "lines that are no rows: 1 blank, 2 preamble, 1 footer" in done.stderr
