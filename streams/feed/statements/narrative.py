"""The parts of `:86:`, the narrative of an entry of MT940: three forms, and free text.

Banks of Germany, Austria and Switzerland number its subfields (`166?00...?20...`), those of the
Netherlands name them (`/EREF/...`); both may have the words of SEPA in them (`EREF+...`).
"""

import re
from typing import Final, NamedTuple

from streams.feed.iban import iban_fault

_NUMBERED: Final = re.compile(r"(\d{3})\s?([^0-9A-Za-z\s])\d\d")
_NAMED: Final = re.compile(
    r"/(TRTP|RTRN|EREF|PREF|MARF|KREF|TRCD|BENM|ORDP|REMI|IBAN|BIC|NAME|CNTP|CSID|PURP|ISDT|ULTC|"
    r"ULTD|ID|ADDR|BUSP|ACCW|SVCL|RREF)/"
)
_SEPA: Final = re.compile(r"(EREF|KREF|MREF|SVWZ|CRED|DEBT|ABWA|ABWE|IBAN|BIC)\+")
_PURPOSE: Final = (*range(20, 30), *range(60, 64))


class Narrative(NamedTuple):
    """What a narrative says: each part empty if it does not say it."""

    code: str = ""
    account: str = ""
    institution: str = ""
    name: str = ""
    end_to_end_id: str = ""
    details: str = ""


def narrative_of(text: str, reference: str) -> Narrative:
    """Return the parts of a narrative; `reference` is that of its entry."""
    joined = text.replace("\n", "").strip()
    numbered = _NUMBERED.match(joined)
    if numbered:
        return _numbered(joined, numbered[1], numbered[2])
    if _NAMED.search(joined):
        return _named(joined, reference)
    words = _words(joined, _SEPA) if _SEPA.search(joined) else {}
    return Narrative(
        account=_iban(words.get("IBAN", "")),
        institution=words.get("BIC", "").strip(),
        end_to_end_id=words.get("EREF", "").strip(),
        details=" ".join(text.split()),
    )


def _numbered(text: str, code: str, mark: str) -> Narrative:
    """Return the parts of subfields with numbers, which the bank's own mark divides."""
    parts: dict[int, str] = {}
    for piece in text[3:].lstrip().split(mark)[1:]:
        if piece[:2].isdigit():
            number = int(piece[:2])
            parts[number] = parts.get(number, "") + piece[2:]
        elif parts:  # the mark itself, in a text
            parts[next(reversed(parts))] += mark + piece
    purpose = "".join(parts.get(number, "") for number in _PURPOSE)
    words = _words(purpose, _SEPA)
    return Narrative(
        code,
        (parts.get(31, "").replace(" ", "") or _iban(words.get("IBAN", ""))),
        parts.get(30, "").strip() or words.get("BIC", "").strip(),
        (parts.get(32, "") + parts.get(33, "")).strip(),
        words.get("EREF", "").strip(),
        " ".join(f"{parts.get(0, '')} {purpose}".split()),
    )


def _named(text: str, reference: str) -> Narrative:
    """Return the parts of words between slashes: /CNTP/account/bank/name/ or /IBAN/.../NAME/."""
    words = _words(text, _NAMED)
    party = words.get("CNTP") or words.get("BENM") or words.get("ORDP") or ""
    account, institution, name, *_ = [*party.split("/"), "", "", ""]
    is_contact = "CNTP" in words
    end_to_end_id = words.get("EREF", "").strip("/ ") or ""
    return Narrative(
        code=words.get("TRCD", "").strip("/ ") or words.get("TRTP", "").strip("/ "),
        account=(_iban(words.get("IBAN", "")) or (account.strip() if is_contact else "")),
        institution=words.get("BIC", "").strip("/ ") or (institution.strip() if is_contact else ""),
        name=words.get("NAME", "").strip("/ ") or (name.strip() if is_contact else ""),
        end_to_end_id=reference if end_to_end_id == "EREF" else end_to_end_id,
        details=words.get("REMI", "").strip("/ ") or " ".join(text.split()),
    )


def _words(text: str, word: re.Pattern[str]) -> dict[str, str]:
    """Return what stands behind each word, up to the next one; of one that comes again, the first.

    >>> _words("EREF+ABC SVWZ+rent", _SEPA)
    {'EREF': 'ABC ', 'SVWZ': 'rent'}
    """
    pieces = word.split(text)
    found: dict[str, str] = {}
    for name, said in zip(pieces[1::2], pieces[2::2], strict=True):
        found.setdefault(name, said)
    return found


def _iban(text: str) -> str:
    """Return the IBAN that a text begins with; else its first word."""
    joined = text.strip("/ ").replace(" ", "")
    first = text.strip("/ ").partition(" ")[0].partition("/")[0]
    return joined if joined and iban_fault(joined) is None else first
