from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.money import EXPONENT, MINOR_UNITS_MAX, amount_text, minor_units

exponents = st.integers(0, 4)


@given(st.integers(0, MINOR_UNITS_MAX), exponents)
def test_what_is_written_is_read_back(minor: int, exponent: int) -> None:
    assert minor_units(amount_text(minor, exponent), exponent) == minor


@given(st.decimals(0, 10**12, allow_nan=False, places=3), exponents)
def test_a_decimal_is_exact_or_refused(value: Decimal, exponent: int) -> None:
    minor = minor_units(str(value), exponent)
    if exponent >= 3:
        assert minor is not None
        assert Decimal(minor) == value.scaleb(exponent)
    else:
        assert minor is None  # three decimals are written


@given(st.text(max_size=12), exponents)
def test_any_text_is_an_amount_or_none(text: str, exponent: int) -> None:
    minor = minor_units(text, exponent)
    assert minor is None or Decimal(text).scaleb(exponent) == minor


@pytest.mark.parametrize(
    ("text", "exponent", "minor"),
    [
        ("12.30", 2, 1230), ("12", 2, 1200), ("12.3", 2, 1230), ("+1", 2, 100), ("0", 2, 0),
        ("0.00", 2, 0), ("1e2", 2, 10_000), ("1.5e1", 2, 1500), ("1.25e1", 0, None),
        ("12.345", 2, None), ("12.300", 2, None), ("-1", 2, None), ("", 2, None), (".5", 2, None),
        ("5.", 2, None), ("1,000", 2, None), ("nan", 2, None), ("1e999", 2, None),
        ("9999999999999999.99", 2, MINOR_UNITS_MAX), ("10000000000000000.00", 2, None),
        ("\uff11\uff12.30", 2, None), ("12.\uff130", 2, None), ("\u00b23.00", 2, None),
        ("7", 0, 7), ("1.234", 3, 1234),
        (" 1.00", 2, None), ("1.00\n", 2, None),
    ],
)  # fmt: skip
def test_amounts(text: str, exponent: int, minor: int | None) -> None:
    assert minor_units(text, exponent) == minor


def test_the_currencies_have_their_decimals() -> None:
    assert [EXPONENT[code] for code in ("JPY", "EUR", "KWD", "CLF")] == [0, 2, 3, 4]
