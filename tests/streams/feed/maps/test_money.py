"""Amounts of cells: every writing that banks use, and nothing that can be read in two ways."""

import pytest

from streams.feed.maps.money import AmountReader, Notation, Written, writing_of

SIGNS = {"$": "USD", "€": "EUR", "kr": "SEK", "US$": "USD"}


def read(cell: str, example: str = "1,234.50") -> Written | None:
    writing = writing_of(example)
    assert writing is not None
    return AmountReader(Notation(writing, SIGNS))(cell)


@pytest.mark.parametrize(
    ("cell", "example", "text"),
    [
        ("$-77.00", "1,234.50", "-77.00 USD"),
        ("-$77.00", "1,234.50", "-77.00 USD"),
        ("($1,177.00)", "1,234.50", "-1177.00 USD"),
        ("12.50CR", "1234.50", "12.50 credit"),
        ("12.50 DR", "1234.50", "12.50 debit"),
        ("Cr 12.50", "1234.50", "12.50 credit"),
        ("(12.50)", "1234.50", "-12.50"),
        ("12,50 EUR", "1234,50", "12.50 EUR"),
        ("EUR 12,50 CR", "1234,50", "12.50 credit EUR"),
        ("1'234.50", "1'234.50", "1234.50"),
        ("1\u2019234.50", "1'234.50", "1234.50"),
        ("1.234,50", "1.234,50", "1234.50"),
        ("\u22121.234,50", "1.234,50", "-1234.50"),
        ("\u2013 5,00", "1.234,50", "-5.00"),
        ("1.234,50-", "1.234,50", "-1234.50"),
        ("1\u00a0234,50 kr", "1 234,50", "1234.50 SEK"),
        ("1\u202f234\u202f567,50", "1 234,50", "1234567.50"),
        ("1\u2009234,50", "1 234,50", "1234.50"),
        ("1,23,456.50", "1,23,456.50", "123456.50"),
        ("+5.00", "1234.50", "5.00"),
        (" .50 ", "1234.50", "0.50"),
        ("\ufeff\u200e-5.00", "1234.50", "-5.00"),
        ("1234", "1.234,50", "1234"),
        ("US$ 3", "1234.50", "3 USD"),
    ],
)
def test_a_cell_is_read_as_it_is_written(cell: str, example: str, text: str) -> None:
    found = read(cell, example)
    assert found is not None
    parts = ["-" * found.is_negative + found.text, found.mark, found.code]
    assert " ".join(filter(None, parts)) == text


@pytest.mark.parametrize(
    ("cell", "example"),
    [
        ("12.50", "1.234,50"),  # a point where thousands are meant
        ("1,23", "1,234.50"),
        ("1,234", "1234.50"),
        ("1234.50", "1234,50"),
        ("12,-", "1234,50"),  # is it a minus?
        ("--5.00", "1234.50"),
        ("-5.00-", "1234.50"),
        ("(5.00", "1234.50"),
        ("-(5.00)", "1234.50"),
        ("-5.00 CR", "1234.50"),
        ("5.00 CR DR", "1234.50"),
        ("5.00 XYZ", "1234.50"),
        ("£5.00", "1234.50"),  # of which country?
        ("Fr.12", "1234.50"),
        ("1 234'567.50", "1 234.50"),
        ("5.00 6.00", "1234.50"),
        ("1e5", "1234.50"),
        ("\u0661\u0662", "1234.50"),  # digits of another script
        ("5." + "0" * 100 + " ", "1234.50"),
        ("", "1234.50"),
        ("EUR", "1234.50"),
    ],
)
def test_a_cell_that_says_something_else_is_not_guessed_at(cell: str, example: str) -> None:
    assert read(cell, example) is None


@pytest.mark.parametrize(
    "example", ["1,234", "1.234", "12,34,56", "1.234.50", "", "-5", "a", 5, "1,2.3"]
)
def test_an_example_that_can_be_read_in_two_ways_is_none(example: object) -> None:
    assert writing_of(example) is None


def test_three_decimals_are_shown_by_an_example_of_a_thousand() -> None:
    assert writing_of("1234.500") is not None
