"""Money as whole minor units of a currency: exact from text, never through a float.

>>> minor_units("12.30", 2), minor_units("12.345", 2), amount_text(1230, 2)
(1230, None, '12.30')
>>> minor_units(" 12.3000", 2), minor_units("1200.00", 0)
(1230, 1200)
"""

import re
from functools import lru_cache
from typing import Final

from monitor.core.currency import CURRENCIES

MINOR_UNITS_MAX: Final = 10**18 - 1
"""The greatest amount of one transaction, in minor units: 18 digits fit a signed 64-bit integer."""

EXPONENT: Final[dict[str, int]] = {code: currency.exponent for code, currency in CURRENCIES.items()}
"""Decimals of each currency that Weir knows, by its ISO 4217 code."""

EXPONENT_MAX: Final = max(EXPONENT.values())

AMOUNT_LENGTH_MAX: Final = 40
"""Characters of an amount, without the blanks around it: 38 digits, a point and a sign."""

_BLANKS: Final = " \t\xa0"
_WHOLE_DIGITS_MAX: Final = 14  # with four decimals, still below MINOR_UNITS_MAX
DECIMAL: Final = re.compile(
    rf"(?![ \t\xa0]*[^ \t\xa0]{{{AMOUNT_LENGTH_MAX + 1}}})"
    r"[ \t\xa0]*\+?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{1,3}))?[ \t\xa0]*"
)
"""How an amount may be written, whole."""


def minor_units(text: str, exponent: int) -> int | None:
    """Return the minor units that a decimal text names; None if it names none exactly.

    Zeros at the end are no decimals, and blanks around do not matter. None for what is no plain
    number, is negative, is no whole number of minor units, or is greater than `MINOR_UNITS_MAX`.
    """
    whole, point, decimals = text.partition(".")
    if (
        point
        and len(decimals) == exponent
        and len(whole) <= _WHOLE_DIGITS_MAX
        and whole.isdigit()
        and decimals.isdigit()
        and text.isascii()
    ):
        return int(whole + decimals)  # as nearly every amount is written
    text = text.strip(_BLANKS)
    return _minor_units_of_any(text, exponent) if len(text) <= AMOUNT_LENGTH_MAX else None


@lru_cache(maxsize=1 << 12)
def _minor_units_of_any(text: str, exponent: int) -> int | None:
    written = DECIMAL.fullmatch(text)
    if not written:
        return None
    whole, decimals, only_decimals, power = written.groups(default="")
    decimals += only_decimals  # one of the two is empty
    digits = int(whole + decimals)
    shift = exponent - len(decimals) + int(power or 0)
    if shift < 0:
        digits, rest = divmod(digits, 10**-shift)
        if rest:
            return None
    elif digits and len(str(digits)) + shift > len(str(MINOR_UNITS_MAX)):
        return None  # before scaling: 1e999 is never made into an integer
    else:
        digits *= 10**shift
    return digits if digits <= MINOR_UNITS_MAX else None


def amount_text(minor: int, exponent: int) -> str:
    """Return minor units as decimal text with all decimals of the currency."""
    if exponent == 2 and minor >= 0:  # noqa: PLR2004 - as nearly every currency
        return f"{minor // 100}.{minor % 100:02d}"
    if exponent == 0:
        return str(minor)
    sign, digits = ("-", str(-minor)) if minor < 0 else ("", str(minor))
    digits = digits.rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"
