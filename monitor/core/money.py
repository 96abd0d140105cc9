"""Money as whole minor units of a currency: exact from text, never through a float.

>>> minor_units("12.30", 2), minor_units("12.345", 2), amount_text(1230, 2)
(1230, None, '12.30')
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

MINOR_UNITS_MAX: Final = 10**18 - 1
"""The greatest amount of one transaction, in minor units: 18 digits fit a signed 64-bit integer."""

# ISO 4217, list one (current) and the codes of recent history, by the number of decimals.
_CODES_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN
        BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP
        GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT
        LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD
        XCG YER ZAR ZMW ZWG ZWL
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENT: Final[dict[str, int]] = {
    code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()
}
"""Decimals of each currency that Weir knows, by its ISO 4217 code."""

EXPONENT_MAX: Final = max(EXPONENT.values())

_WHOLE_DIGITS_MAX: Final = 14  # with four decimals, still below MINOR_UNITS_MAX
DECIMAL: Final = re.compile(r"\+?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
"""How an amount may be written, whole."""


def minor_units(text: str, exponent: int) -> int | None:
    """Return the minor units that a decimal text names; None where it names none exactly.

    None for what is no plain number, is negative, is written with more decimals than `exponent`,
    or is greater than `MINOR_UNITS_MAX`.
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
    return _minor_units_of_any(text, exponent)


@lru_cache(maxsize=1 << 12)
def _minor_units_of_any(text: str, exponent: int) -> int | None:
    if not DECIMAL.fullmatch(text):
        return None
    value = Decimal(text)
    written = value.as_tuple().exponent
    assert isinstance(written, int)
    if -written > exponent:
        return None
    if value.adjusted() + exponent > len(str(MINOR_UNITS_MAX)):
        return None  # before scaling: 1e999 is never made into an integer
    minor = int(value.scaleb(exponent)) if value else 0
    return minor if minor <= MINOR_UNITS_MAX else None


def amount_text(minor: int, exponent: int) -> str:
    """Return minor units as decimal text with all decimals of the currency."""
    if exponent == 2 and minor >= 0:  # noqa: PLR2004 - as nearly every currency
        return f"{minor // 100}.{minor % 100:02d}"
    if exponent == 0:
        return str(minor)
    sign, digits = ("-", str(-minor)) if minor < 0 else ("", str(minor))
    digits = digits.rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"
