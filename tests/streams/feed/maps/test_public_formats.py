"""Feature sets of banks' exports, as the public configuration of a budget tool states them.

Counted by hand: 124 formats. Here are features alone, and how many formats have the same.
Nine more state no format of their dates, and six are beyond a map (docs/data.md says which).
"""

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from streams.feed.mapping import feed_map_of
from streams.feed.maps.check import checked
from streams.feed.reader import files_of, read

# formats, delimiter, lines above the rows, lines below them, amounts, dates (with _ for a blank)
TABLE = """
 8 ; 1 0 in %Y-%m-%d
 7 , 1 0 in %Y-%m-%d
 6 ; 1 0 in %d.%m.%Y
 5 ; 1 0 in %d/%m/%Y
 4 ; 0 0 in %d.%m.%Y
 4 ; 1 0 pair %d.%m.%Y
 3 , 1 0 in %m/%d/%Y
 3 ; 1 0 in %d.%m.%y
 2 , 0 0 in %d/%m/%Y
 2 , 0 0 pair %m/%d/%Y
 2 , 1 0 in %Y%m%d
 2 , 1 0 in %Y-%m-%d_%H:%M:%S
 2 , 1 0 in %d.%m.%Y
 2 , 1 0 in %d/%m/%Y
 2 , 1 0 out %d/%m/%Y
 2 , 1 0 pair %d/%m/%Y
 2 , 3 0 pair %m/%d/%Y
 2 ; 0 0 in %d-%m-%Y
 2 ; 7 0 in %d.%m.%Y
 1 , 0 0 flag %Y%m%d
 1 , 0 0 in %Y-%m-%d
 1 , 0 0 in %d-%m-%Y
 1 , 0 0 in %d/%m/%y
 1 , 0 0 in %d_%b_%y
 1 , 0 0 in %m/%d/%Y
 1 , 0 0 pair %d_%b_%Y
 1 , 0 0 pair %d_%b_%y
 1 , 1 0 flag %Y%m%d
 1 , 1 0 flag %Y-%m-%d_%H:%M:%S
 1 , 1 0 flag %d.%m.%Y
 1 , 1 0 in %Y-%m-%d_%H:%M:%S_+0000
 1 , 1 0 in %Y.%m.%d.
 1 , 1 0 in %d-%m-%Y_/_%H:%M
 1 , 1 0 in %d.%m.%y
 1 , 1 0 out %d-%b-%Y
 1 , 1 0 out %d.%m.%Y
 1 , 1 0 out %m/%d/%Y
 1 , 1 0 pair- %d/%m/%Y
 1 , 1 2 in %Y-%m-%d
 1 , 2 0 in %Y-%m-%d
 1 , 2 3 flag %Y/%m/%d
 1 , 3 14 in %m/%d/%Y
 1 , 6 2 pair %d/%m/%Y
 1 , 7 0 out %m/%d/%Y
 1 , 7 2 pair %d/%m/%Y
 1 ; 0 0 in %Y%m%d
 1 ; 1 0 flag %Y%m%d
 1 ; 1 0 in %Y/%m/%d
 1 ; 1 0 in %d.%m
 1 ; 1 0 pair %d/%m/%Y
 1 ; 1 3 pair %d.%m.%Y
 1 ; 10 0 pair- %Y-%m-%d
 1 ; 12 0 in %d.%m.%y
 1 ; 13 0 in %d.%m.%Y
 1 ; 13 3 flag %d.%m.%Y
 1 ; 2 0 flag %d-%m-%Y
 1 ; 2 0 in %d-%m-%Y
 1 ; 2 0 out %d.%m.%Y
 1 ; 2 0 pair %d.%m.%Y
 1 ; 2 4 flag %d.%m.%Y
 1 ; 4 0 in %Y-%m-%d
 1 ; 4 1 in %m/%d/%Y
 1 ; 4 1 pair %m/%d/%Y
 1 ; 5 0 in %d.%m.%y
 1 tab 1 0 in %Y.%m.%d
 1 tab 1 0 in %Y/%m/%d
"""
SETS = [line.split() for line in TABLE.strip().splitlines()]
ALL, WITHOUT_DATES, BEYOND = 124, 9, 6

BOOKINGS = (
    (date(2026, 1, 5), "debit", 350),
    (date(2026, 1, 17), "credit", 123456),
    (date(2026, 2, 28), "debit", 900),
)
MAP = {
    "in": """
amount = {{ column = 3, number = {number} }}
direction = {{ sign_of = 3, positive = "credit", negative = "debit" }}
""",
    "out": """
amount = {{ column = 3, number = {number} }}
direction = {{ sign_of = 3, positive = "debit", negative = "credit" }}
""",
    "pair": """
amount = {{ debit = 3, credit = 4, number = {number} }}
direction = {{ debit = 3, credit = 4 }}
""",
    "pair-": """
amount = {{ debit = 3, credit = 4, number = {number}, absolute = true }}
direction = {{ debit = 3, credit = 4 }}
""",
    "flag": """
amount = {{ column = 3, number = {number} }}
direction = {{ column = 4, values = {{ D = "debit", C = "credit" }} }}
""",
}


def cells(kind: str, direction: str, cents: int, decimal: str) -> list[str]:
    text = f"{Decimal(cents).scaleb(-2)}".replace(".", decimal)
    is_debit = direction == "debit"
    return {
        "in": [f"-{text}" if is_debit else text, ""],
        "out": [text if is_debit else f"-{text}", ""],
        "pair": [text, ""] if is_debit else ["", text],
        "pair-": [f"-{text}", ""] if is_debit else ["", text],
        "flag": [text, "D" if is_debit else "C"],
    }[kind]


def test_every_format_is_counted_once() -> None:
    assert sum(int(row[0]) for row in SETS) + WITHOUT_DATES + BEYOND == ALL
    assert max(Counter(tuple(row[1:]) for row in SETS).values()) == 1


@pytest.mark.parametrize("row", SETS, ids=" ".join)
def test_a_map_can_say_a_format_with_these_features(tmp_path: Path, row: list[str]) -> None:
    _, mark, above, below, kind, written = row
    delimiter = "\t" if mark == "tab" else mark
    form, decimal = written.replace("_", " "), "," if delimiter == ";" else "."
    lines = [f"line {place}" for place in range(1, int(above))]
    lines += ["Day;Text;Out;In".replace(";", delimiter)] * (int(above) > 0)
    lines += [
        delimiter.join([f"{day:{form}}", "text", *cells(kind, direction, cents, decimal)])
        for day, direction, cents in BOOKINGS
    ]
    lines += [f"below {place}" for place in range(int(below))]
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    top = f"skip_lines = {int(above) - 1}" if int(above) else "header = false"
    year = "" if "%y" in form.lower() else ", year = 2026"
    number = "'1234,50'" if decimal == "," else "'1234.50'"
    (tmp_path / "x.toml").write_text(
        f"{top}\nfooter = {{ lines = {below} }}\n[columns]\n"
        "transaction_id = { content = [1, 2, 3, 4] }\naccount_id = { constant = 'A' }\n"
        f"booked_at = {{ column = 1, format = '{form}'{year} }}\n"
        "currency = { constant = 'EUR' }\n" + MAP[kind].format(number=number),
        encoding="utf-8",
    )
    feed_map = feed_map_of(tmp_path / "x.toml")
    files = files_of([tmp_path / "x.csv"], feed_map)
    found = checked(files[0], read(files, feed_map), feed_map)
    assert [(total.direction, total.amount) for total in found.sums] == [
        ("credit", "1234.56"), ("debit", "12.50"),
    ]  # fmt: skip
    assert [row[2] for row in found.first_rows] == [f"{day}T00:00:00Z" for day, _, _ in BOOKINGS]
    assert (found.unreadable, found.passed.total()) == (0, max(int(above) - 1, 0) + int(below))


def test_a_line_that_goes_on_with_a_text_is_left_out_by_its_empty_date(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("Day,Text,Out,In\n05/01/2026,a,3.50,\n,more of a\n")
    where = '\n[[where]]\ncolumn = "Day"\nis_not = ""\n'
    (tmp_path / "x.toml").write_text(
        "fill_short_rows = true\n[columns]\ntransaction_id = { content = [1, 2, 3, 4] }\n"
        "account_id = { constant = 'A' }\nbooked_at = { column = 1, format = '%d/%m/%Y' }\n"
        "currency = { constant = 'EUR' }\n" + MAP["pair"].format(number="'1234.50'") + where
    )
    feed_map = feed_map_of(tmp_path / "x.toml")
    found = checked(tmp_path / "x.csv", read([tmp_path / "x.csv"], feed_map), feed_map)
    assert (found.readable, found.unreadable, found.left_out) == (1, 0, 1)
