from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.money import (
    AMOUNT_LENGTH_MAX,
    EXPONENT,
    MINOR_UNITS_MAX,
    _minor_units_of_any,
    amount_text,
    minor_units,
)

exponents = st.integers(0, 4)


@given(st.integers(0, MINOR_UNITS_MAX), exponents)
def test_what_is_written_is_read_back(minor: int, exponent: int) -> None:
    assert minor_units(amount_text(minor, exponent), exponent) == minor


@given(st.decimals(0, 10**12, allow_nan=False, places=6), exponents)
def test_a_decimal_is_exact_or_refused(value: Decimal, exponent: int) -> None:
    minor = minor_units(str(value), exponent)
    whole = value.scaleb(exponent)
    assert minor == (int(whole) if whole == int(whole) else None)


blanks = st.text(st.sampled_from(" \t\xa0"), max_size=3)


@given(st.integers(0, 10**12), exponents, st.integers(0, 18), blanks, blanks)
def test_zeros_at_the_end_and_blanks_around_change_nothing(
    minor: int, exponent: int, zeros: int, before: str, after: str
) -> None:
    text = amount_text(minor, exponent)
    if exponent or not zeros:
        text += "0" * zeros
    else:
        text += "." + "0" * (zeros - 1)
    assert minor_units(before + text + after, exponent) == minor


@given(st.integers(0, 10**38 - 1), st.integers(0, 18), exponents)
def test_a_decimal_of_38_digits_is_read_exactly(digits: int, scale: int, exponent: int) -> None:
    written = amount_text(digits, scale)
    assert len(written) <= AMOUNT_LENGTH_MAX
    exact, rest = divmod(digits * 10**exponent, 10**scale)
    fits = not rest and exact <= MINOR_UNITS_MAX
    assert minor_units(written, exponent) == (exact if fits else None)


@given(st.text(max_size=12), exponents)
def test_any_text_is_an_amount_or_none(text: str, exponent: int) -> None:
    minor = minor_units(text, exponent)
    assert minor is None or Decimal(text.strip()).scaleb(exponent) == minor


@pytest.mark.parametrize(
    ("text", "exponent", "minor"),
    [
        ("12.30", 2, 1230), ("12", 2, 1200), ("12.3", 2, 1230), ("+1", 2, 100), ("0", 2, 0),
        ("0.00", 2, 0), ("1e2", 2, 10_000), ("1.5e1", 2, 1500), ("1.25e1", 0, None),
        ("12.345", 2, None), ("12.300", 2, 1230), ("-1", 2, None), ("", 2, None), (".5", 2, 50),
        ("5.", 2, 500), ("5.505", 2, None), ("5.0.0", 2, None), ("0x10", 2, None), (".", 2, None),
        ("1200.00", 0, 1200), ("400.0", 0, 400), ("0E-18", 2, 0), ("0e999", 2, 0),
        ("1.5e-1", 2, 15), ("1e-3", 2, None), ("+.50", 2, 50), ("- 1", 2, None), ("1 2", 2, None),
        ("1,000", 2, None),
        ("1e-999", 4, None), ("0." + "0" * 38, 0, 0), ("0." + "0" * 39, 0, None),
        ("000000000000000000000000000000000012.30", 2, 1230), ("9" * 18 + ".", 0, MINOR_UNITS_MAX),
        ("1" * 19, 0, None), (" " * 60 + "1.00" + " " * 60, 2, 100), (" ", 2, None),
        ("nan", 2, None), ("1e999", 2, None),
        ("9999999999999999.99", 2, MINOR_UNITS_MAX), ("10000000000000000.00", 2, None),
        ("\uff11\uff12.30", 2, None), ("12.\uff130", 2, None), ("\u00b23.00", 2, None),
        ("7", 0, 7), ("1.234", 3, 1234),
        (" 1.00", 2, 100), ("1.00\n", 2, None), ("1.\u0660", 2, None),
    ],
)  # fmt: skip
def test_amounts(text: str, exponent: int, minor: int | None) -> None:
    assert minor_units(text, exponent) == minor


def test_no_long_text_is_kept() -> None:
    before = _minor_units_of_any.cache_info().currsize
    for number in range(100):
        assert minor_units(f"{number}." + "0" * 900_000, 2) is None
        assert minor_units("x" * 900_000 + str(number), 2) is None
    assert _minor_units_of_any.cache_info().currsize == before


def test_the_currencies_have_their_decimals() -> None:
    assert [EXPONENT[code] for code in ("JPY", "EUR", "KWD", "CLF")] == [0, 2, 3, 4]
