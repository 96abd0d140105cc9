"""Amount, direction and currency of a row out of its cells, and maps that contradict themselves."""

from pathlib import Path

import pytest

from monitor.core.transaction import Reason, Rejection, Transaction, transaction_of
from streams.feed.mapping import feed_map_of
from streams.feed.reader import FeedError, files_of, read

HEAD = """
[columns]
transaction_id = { template = "{row}" }
account_id = { constant = "A" }
booked_at = { constant = "2026-01-05T09:00:00Z" }
"""
PAIR = """
amount = { debit = "out", credit = "in", number = "1.234,50" }
direction = { debit = "out", credit = "in" }
currency = { constant = "EUR" }
"""
MARKED = """
amount = { column = "x", number = "1,234.50" }
direction = { sign_of = "x", positive = "credit", negative = "debit" }
currency = { currency_of = "x", otherwise = "GBP" }
"""


def items_of(folder: Path, columns: str, *lines: str) -> list[Transaction | Rejection]:
    (folder / "x.toml").write_text(HEAD + columns, encoding="utf-8")
    (folder / "x.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    feed_map = feed_map_of(folder / "x.toml")
    batches = read(files_of([folder / "x.csv"], feed_map), feed_map)
    return [transaction_of(row) for batch in batches for row in batch.rows]


def said(item: Transaction | Rejection) -> object:
    if isinstance(item, Rejection):
        return item.reason
    return item.direction, item.amount_minor, item.currency


def test_of_two_columns_the_one_with_a_size_says_the_direction(tmp_path: Path) -> None:
    items = items_of(
        tmp_path, PAIR, "out;in", "1.234,50;", ";0,10", "0,00;7,00", "5;0", ";", "1,00;2,00",
        "0,00;0,00", "-1,00;", "1.00;", '"x";"1,00"',
    )  # fmt: skip
    assert [said(item) for item in items] == [
        ("debit", 123450, "EUR"), ("credit", 10, "EUR"), ("credit", 700, "EUR"),
        ("debit", 500, "EUR"), Reason.MISSING_FIELD, *[Reason.BAD_AMOUNT] * 5,
    ]  # fmt: skip


def test_a_minus_in_the_debit_column_counts_only_if_the_map_takes_it_off(tmp_path: Path) -> None:
    columns = PAIR.replace('1.234,50"', '1.234,50", absolute = true')
    items = items_of(tmp_path, columns, "out;in", "-1,00;", ";-1,00", "-1,00;0,00")
    assert [said(item) for item in items] == [
        ("debit", 100, "EUR"), Reason.BAD_AMOUNT, ("debit", 100, "EUR"),
    ]  # fmt: skip


def test_a_cell_says_its_direction_and_its_currency(tmp_path: Path) -> None:
    items = items_of(
        tmp_path, MARKED, "x;y", "12.50CR;", "EUR 5.00 DR;", "(3.00);", "\u22124.00 JPY;", "1;",
        "2,50;", "-5.00 CR;",
    )  # fmt: skip
    assert [said(item) for item in items] == [
        ("credit", 1250, "GBP"), ("debit", 500, "EUR"), ("debit", 300, "GBP"),
        ("debit", 4, "JPY"), ("credit", 100, "GBP"), Reason.BAD_AMOUNT, Reason.BAD_AMOUNT,
    ]  # fmt: skip


def test_a_currency_in_the_cell_must_be_that_of_the_row(tmp_path: Path) -> None:
    columns = """
amount = { column = "x", number = "1234.50", signs = { "$" = "USD" } }
direction = { constant = "debit" }
currency = "cur"
"""
    items = items_of(tmp_path, columns, "x;cur", "$5.00;USD", "$5.00;CAD", "5.00 CAD;CAD", "€5.00;")
    assert [said(item) for item in items] == [
        ("debit", 500, "USD"), Reason.BAD_AMOUNT, ("debit", 500, "CAD"), Reason.MISSING_FIELD,
    ]  # fmt: skip


def test_a_sign_that_no_direction_comes_from_is_not_dropped(tmp_path: Path) -> None:
    columns = """
amount = { column = "x", number = "1234.50" }
direction = { constant = "debit" }
currency = { constant = "EUR" }
"""
    items = items_of(tmp_path, columns, "x;y", "-5.00;", "5.00 CR;", "5.00;")
    assert [said(item) for item in items] == [
        Reason.BAD_AMOUNT, Reason.BAD_AMOUNT, ("debit", 500, "EUR"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("minor", "said_of"),
    [
        ("2", [("debit", 12345), ("debit", 5), Reason.BAD_AMOUNT, Reason.BAD_AMOUNT]),
        ('"currency"', [("debit", 12345), ("debit", 5), Reason.BAD_AMOUNT, ("debit", 7)]),
    ],
)
def test_minor_units_are_whole_numbers(tmp_path: Path, minor: str, said_of: list[object]) -> None:
    columns = f"""
amount = {{ column = "x", minor_units = {minor} }}
direction = {{ constant = "debit" }}
currency = "cur"
"""
    items = items_of(tmp_path, columns, "x;cur", "12345;EUR", "5;EUR", "5.00;EUR", "7;JPY")
    found = [said(item) for item in items]
    assert [each[:2] if isinstance(each, tuple) else each for each in found] == said_of


NUMBER = 'number = "1,234.50"'


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (PAIR.replace("1.234,50", "1.234"), "columns.amount.number"),
        (PAIR.replace('direction = { debit = "out"', 'direction = { debit = "y"'), "two columns"),
        (PAIR.replace('direction = { debit = "out", credit = "in" }', 'direction = "x"'), "debit"),
        (PAIR.replace('"out", credit = "in", number', '"out", number'), "amount.credit is missing"),
        (MARKED.replace(NUMBER, 'thousands = ","'), "columns.currency is read"),
        (MARKED.replace('currency_of = "x"', 'currency_of = "y"'), "currency_of must be"),
        (MARKED.replace('"GBP"', '"GPB"'), "otherwise"),
        (MARKED.replace(NUMBER, NUMBER + ', decimal = "."'), "decimal"),
        (MARKED.replace(NUMBER, NUMBER + ', signs = { "$" = "XX" }'), "signs"),
        (MARKED.replace(NUMBER, "minor_units = 9"), "minor_units"),
        (MARKED.replace(NUMBER, NUMBER + ", debit_marks = 'C', credit_marks = 'C'"), "other dir"),
        (MARKED.replace(NUMBER, NUMBER + ", debit_marks = '7'"), "debit_marks"),
        (MARKED.replace('positive = "credit"', 'positive = "in"'), "positive"),
        (MARKED.replace(NUMBER, NUMBER + ", absolute = 1"), "absolute"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(
    tmp_path: Path, columns: str, problem: str
) -> None:
    with pytest.raises(FeedError, match=problem):
        items_of(tmp_path, columns, "x;y;in;out")
