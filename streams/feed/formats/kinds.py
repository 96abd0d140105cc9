"""The format of a file: as stated, else by what it begins with, else by the ending of its name."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from streams.feed.formats.packed import ENDS as PACKED_ENDS
from streams.feed.formats.packed import head_of, packing_of, plain_suffix
from streams.feed.formats.reading import (
    CAMT,
    CSV,
    FORMATS,
    LINES,
    MT940,
    OFX,
    PARQUET,
    STATEMENTS,
    WORKBOOK,
)

HEAD_BYTES: Final = 4096

XML_END: Final = ".xml"
ENDS: Final = {
    **dict.fromkeys((".csv", ".asc", ".tsv", ".txt"), CSV),
    **dict.fromkeys((".jsonl", ".ndjson"), LINES),
    ".parquet": PARQUET,
    **dict.fromkeys((".xlsx", ".xlsm"), WORKBOOK),
    **dict.fromkeys((".camt", ".c52", ".c53", ".c54"), CAMT),
    **dict.fromkeys((".sta", ".mt940", ".940", ".mt942", ".942", ".swi", ".fin"), MT940),
    **dict.fromkeys((".ofx", ".qfx"), OFX),
}
"""Formats by the ending of a name; `.xml` may be two."""

KNOWN_ENDS: Final = (*ENDS, XML_END)

_OLD_WORKBOOK: Final = b"\xd0\xcf\x11\xe0"
_ARCHIVE: Final = b"PK\x03\x04"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_OFX: Final = re.compile(
    r"(?:\s|<!--)*(?:OFXHEADER\s*:|(?:<\?xml[^>]*>\s*)?(?:<\?OFX\b|<OFX>))", re.IGNORECASE
)
_CAMT: Final = re.compile(
    r"\s*<(?s:.)*?(?:camt\.05[234]\.|<(?:\w+:)?BkToCstmr(?:Stmt|AcctRpt|DbtCdtNtfctn)\b)"
)
_MT940: Final = re.compile(r"^:(?:20|21):[^\n]*\n(?:(?:.*\n){0,4})^:(?:25P?|28C?):", re.MULTILINE)
_BLOCKS: Final = re.compile(r"\s*\{1:[FAL]\d\d")


def is_known(path: Path) -> bool:
    """Say whether the name of a file has an ending that Weir reads, packed or not."""
    return plain_suffix(path) in KNOWN_ENDS


def known_ends() -> str:
    """Return the endings of names, to be said."""
    return f"{', '.join(KNOWN_ENDS)}, or one of these with {' or '.join(PACKED_ENDS)}"


def kind_of(path: Path, stated: str | None) -> str | None:
    """Return the format of a file; None if neither its content nor its name says it.

    Raises OSError, and FeedError if it cannot be read at all.
    """
    if stated is not None:
        return stated
    return _by_content(head_of(path, HEAD_BYTES)) or ENDS.get(plain_suffix(path))


def problem_of(path: Path, kind: str | None, *, is_accounts: bool) -> str | None:
    """Return why a file of a format cannot be read, with what to do; None if it can."""
    if kind is None:
        head = head_of(path, HEAD_BYTES)
        if head.startswith(_OLD_WORKBOOK):
            return f"{path} is an old or encrypted workbook: save it as .xlsx, without a password"
        if plain_suffix(path) == XML_END:
            return f"{path} is XML, but neither camt.052, .053, .054 nor OFX"
        return (
            f"{path} is no {known_ends()} file, and does not begin as one: say its format by"
            f" --format ({', '.join(FORMATS)})"
        )
    if kind in {PARQUET, WORKBOOK} and packing_of(path):
        return f"{path} is compressed, and {kind} is so by itself: unpack it first"
    if kind in {CAMT, WORKBOOK} and find_spec("lxml") is None:
        return (
            f"{path} is {kind}, which needs lxml, and that is not installed: pip install -e"
            " '.[statements]' in Weir's folder"
        )
    if kind in STATEMENTS and is_accounts:
        return f"{path} is a statement ({kind}): that has transactions, and no attributes"
    return None


def _by_content(head: bytes) -> str | None:
    """Return the format that a file begins as; None if it begins like none, or like a table."""
    if head.startswith(_ARCHIVE):
        return WORKBOOK
    if head.startswith(b"PAR1"):
        return PARQUET
    text = head.decode("utf-16" if head.startswith(_UTF_16) else "latin-1", errors="replace")
    text = text.removeprefix("\xef\xbb\xbf").replace("\r\n", "\n").replace("\r", "\n")
    if _OFX.match(text):
        return OFX
    if _CAMT.match(text):
        return CAMT
    if _BLOCKS.match(text) or _MT940.search(text):
        return MT940
    return None
