"""International bank account numbers (ISO 13616) as files write them.

>>> electronic("DE89 3704 0044 0532 0130 00"), electronic("IBAN: de89-3704-0044-0532-0130-00")
('DE89370400440532013000', 'DE89370400440532013000')
>>> iban_fault("DE88370400440532013000")
'its check digits are not those of an IBAN'
"""

import re
from typing import Final

_PREFIX: Final = re.compile(r"IBAN:?(?=[A-Z]{2}[0-9]{2})")
_BETWEEN: Final = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\-]+")
_FORM: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_REMAINDER: Final = 1
_DIVISOR: Final = 97
_CHECK_DIGITS: Final = range(2, 99)
"""00, 01 and 99 would be second spellings of 97, 98 and 02 (ISO 7064, MOD 97-10)."""


def electronic(text: str) -> str:
    """Return an IBAN in its electronic form; a text that is none comes back as it was.

    Blanks and hyphens between its groups, the word IBAN before it and its case do not matter.
    """
    return text if iban_fault(text) else _written(text)


def iban_fault(text: str) -> str | None:
    """Return why a text is no IBAN, however it is written; None if it is one."""
    text = _written(text)
    if not _FORM.fullmatch(text):
        return "it is no IBAN: two letters, two check digits and 11 to 30 letters and digits"
    digits = "".join(str(int(character, 36)) for character in text[4:] + text[:4])
    if int(digits) % _DIVISOR != _REMAINDER or int(text[2:4]) not in _CHECK_DIGITS:
        return "its check digits are not those of an IBAN"
    return None


def _written(text: str) -> str:
    return _PREFIX.sub("", _BETWEEN.sub("", text).upper(), count=1)
