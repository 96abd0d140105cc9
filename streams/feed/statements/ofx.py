"""Reads OFX 1 (SGML), OFX 2 (XML) and QFX: transactions of bank and card statements.

Both are read by one tokeniser, because banks write each as if it were the other. No document type
and no entity of a file's own is read, only the five of XML and numbers.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

from streams.feed.mapping import FeedError
from streams.feed.statements.entry import EntryFault, Item, Note, Skip, StatementEntry, decimal_of

READ_BYTES: Final = 1 << 16
TEXT_BYTES_MAX: Final = 1 << 20
"""Bytes between two tags; more is no OFX."""

INVESTMENT: Final = "investment transaction"
_TOKEN: Final = re.compile(
    rb"<(?P<end>/?)\s*(?P<name>[A-Za-z0-9_.]+)\s*(?P<empty>/?)>"
    rb"|<!\[CDATA\[(?P<verbatim>.*?)\]\]>|<!--.*?-->|<[?!](?!\[CDATA|--).*?>",
    re.DOTALL,
)
_CHARSET: Final = re.compile(rb"CHARSET\s*[:=]\s*\"?([\w-]+)", re.IGNORECASE)
_CHARSETS: Final = {b"1252": "cp1252", b"8859-1": "latin-1", b"ISO-8859-1": "latin-1"}
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos|nbsp);")
_TIME: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(?:[.,](\d{1,6}))?)?\s*"
    r"(?:\[\s*([+-]?)(\d{1,2})(?:[.:](\d{1,2}))?[^\]]*\])?\Z"
)
_AMOUNT: Final = re.compile(r"([+-]?)\s*([0-9][0-9., ']*|[.,][0-9]+)\Z")
_ACCOUNTS: Final = ("BANKACCTFROM", "CCACCTFROM", "INVACCTFROM")
_STATEMENTS: Final = ("STMTRS", "CCSTMTRS", "INVSTMTRS")
_PARTS: Final = ("PAYEE", "BANKACCTTO", "CCACCTTO", "CURRENCY", "ORIGCURRENCY")
"""Aggregates within a transaction whose elements are named with them: PAYEE.NAME."""

_MIDNIGHT: Final = "000000"


class _Token(NamedTuple):
    """A tag and the text behind it, up to the next tag."""

    name: str
    is_end: bool
    text: str
    line: int


class _State:
    """What holds where a file is being read."""

    def __init__(self) -> None:
        self.account: dict[str, str] = {}
        self.currency = ""
        self.entry: dict[str, str] | None = None
        self.line = 0
        self.within = ""  # the aggregate whose elements are taken
        self.balance: dict[str, str] = {}
        self.count = 0


def items_of(file: IO[bytes], path: Path) -> Iterator[Item]:
    """Yield the transactions of all statements. Raises FeedError if it is no OFX."""
    state, is_ofx, is_ended = _State(), False, False
    for token in _tokens_of(file, path):
        is_ofx = is_ofx or token.name == "OFX"
        is_ended = is_ended or (token.name == "OFX" and token.is_end)
        yield from _taken(state, token)
    if not is_ofx:
        raise FeedError(["it has no <OFX>: is it OFX or QFX?"], str(path))
    if state.entry is not None:
        yield _item_of(state, state.entry)
    if not is_ended:
        yield Note("it ends without </OFX>: it may have been cut, so ask the bank for it again")


def _taken(state: _State, token: _Token) -> Iterator[Item]:
    name, is_end = token.name, token.is_end
    if name == "STMTTRN":
        if state.entry is not None:
            yield _item_of(state, state.entry)
        state.entry, state.line, state.within = (None if is_end else {}), token.line, ""
    elif name in _STATEMENTS and not is_end:
        state.account, state.currency, state.count = {}, "", 0
    elif name in _ACCOUNTS and state.entry is None:
        state.within = "" if is_end else "account"
    elif name == "LEDGERBAL":
        if is_end and state.balance:
            yield _balance_note(state)
        state.within, state.balance = ("" if is_end else "balance"), {}
    elif name == "INVTRAN" and not is_end:
        yield Skip(INVESTMENT)
    elif name in _PARTS:
        state.within = "" if is_end else name
    elif not is_end and token.text:
        _keep(state, name, token.text)


def _keep(state: _State, name: str, text: str) -> None:
    """Keep the text of an element where it belongs."""
    if state.entry is not None:
        state.entry.setdefault(f"{state.within}.{name}" if state.within else name, text)
    elif state.within == "account":
        state.account.setdefault(name, text)
    elif state.within == "balance":
        state.balance.setdefault(name, text)
    elif name == "CURDEF":
        state.currency = text


def _item_of(state: _State, said: dict[str, str]) -> Item:
    stated = said.get("TRNAMT", "").strip()
    amount = _AMOUNT.match(stated)
    account = state.account.get("ACCTID", "").strip()
    name = said.get("FITID", "").strip()
    if amount is None:
        fields = {"account_id": account, "transaction_id": name}
        return EntryFault(
            fields, f"line {state.line}: TRNAMT must be a number, not {stated[:40]!r}"
        )
    state.count += 1
    corrects, action = said.get("CORRECTFITID", "").strip(), said.get("CORRECTACTION", "").upper()
    is_deletion = bool(corrects) and action != "REPLACE"
    to = "BANKACCTTO" if "BANKACCTTO.ACCTID" in said else "CCACCTTO"
    check = said.get("CHECKNUM", "") or said.get("CHKNUM", "")
    payee = said.get("PAYEE.NAME", "") or said.get("NAME", "")
    return StatementEntry(
        account,
        _pointed(amount[2]),
        (said.get("CURRENCY.CURSYM", "") or state.currency).strip(),
        amount[1] != "-",
        _time_of(said.get("DTPOSTED", "")),
        _time_of(said.get("DTAVAIL", "") or said.get("DTUSER", "")),
        name,
        said.get(f"{to}.ACCTID", "").strip() or payee.strip(),
        said.get(f"{to}.BANKID", "").strip(),
        called=(f"id {name}",) if name else (),
        seeks=(f"id {corrects}",) if corrects else (),
        reverses=corrects if is_deletion else "",
        replaces=bool(corrects) and not is_deletion,
        further={
            "bank_code": said.get("TRNTYPE", "").upper(),
            "proprietary_code": said.get("SIC", ""),
            "bank_reference": said.get("SRVRTID", "") or said.get("REFNUM", "") or check,
            "counterparty_name": payee,
            "details": said.get("MEMO", ""),
        },
    )


def _pointed(amount: str) -> str:
    """Return an amount with a point: of several marks the last is the decimal one.

    >>> _pointed("12,50"), _pointed("1,234.50"), _pointed("1 234,50")
    ('12.50', '1234.50', '1234.50')
    """
    amount = amount.replace(" ", "").replace("'", "")
    last = max(amount.rfind("."), amount.rfind(","))
    if last < 0:
        return amount
    whole = amount[:last].replace(".", "").replace(",", "")
    return f"{whole}.{amount[last + 1 :]}"


def _time_of(text: str) -> str:
    """Return a time as ISO 8601; a date alone, if its time is midnight in no zone.

    By the standard a time without a zone is one of Greenwich; banks that have no time write zeros.

    >>> _time_of("20260105"), _time_of("20260105093000[-5:EST]"), _time_of("20260105000000")
    ('2026-01-05', '2026-01-05T09:30:00-05:00', '2026-01-05')
    """
    found = _TIME.match(text.strip())
    if found is None:
        return text
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    written = f"{year}-{month}-{day}"
    if hour is None:
        return written
    second = second or "00"
    if hours is None:
        if hour + minute + second == _MIDNIGHT:
            return written
        zone = "Z"
    else:
        # [-3.5:NST] and [5.30:IST]: of one digit a fraction of an hour, of two minutes.
        behind = int(minutes or 0) * (6 if len(minutes or "") == 1 else 1)
        behind = {25: 15, 50: 30, 75: 45}.get(behind, behind)
        zone = f"{'-' if sign == '-' else '+'}{int(hours):02}:{behind:02}"
        zone = "Z" if zone in {"+00:00", "-00:00"} else zone
    return f"{written}T{hour}:{minute}:{second}{f'.{fraction}' if fraction else ''}{zone}"


def _balance_note(state: _State) -> Note:
    day = _time_of(state.balance.get("DTASOF", ""))[:10]
    return Note(
        f"account {state.account.get('ACCTID', '')}: {state.count:,} transactions, ledger balance"
        f" {_pointed_balance(state.balance.get('BALAMT', ''))} {state.currency} as of {day}"
    )


def _pointed_balance(text: str) -> str:
    found = _AMOUNT.match(text.strip())
    if found is None:
        return text.strip() or "not stated"
    sign = "-" if found[1] == "-" else ""
    return f"{sign}{decimal_of(_pointed(found[2])):f}"


def _tokens_of(file: IO[bytes], path: Path) -> Iterator[_Token]:
    """Yield the tags of a file, each with the text behind it. Raises FeedError if it has none."""
    buffer, text, line, charset = b"", b"", 1, ""
    token: _Token | None = None
    while more := file.read(READ_BYTES):
        buffer += more
        at = 0
        for found in _TOKEN.finditer(buffer):
            between = buffer[at : found.start()]
            at = found.end()
            text += between
            line += between.count(b"\n")
            if found["name"] is not None:
                if token is None:
                    charset = _charset_of(buffer[: found.start()])
                else:
                    yield token._replace(text=_decoded(text, charset))
                is_end = bool(found["end"] or found["empty"])
                token, text = _Token(found["name"].decode().upper(), is_end, "", line), b""
            elif found["verbatim"] is not None:
                text += found["verbatim"].replace(b"&", b"&amp;")
            line += found[0].count(b"\n")
        buffer = buffer[at:]
        if len(buffer) > TEXT_BYTES_MAX:
            problem = f"line {line}: over {TEXT_BYTES_MAX:,} bytes without a tag: is it OFX?"
            raise FeedError([problem], str(path))
    if token is not None:
        yield token._replace(text=_decoded(text + buffer, charset))


def _charset_of(header: bytes) -> str:
    """Return the encoding of what is not UTF-8 in a file, by its header."""
    found = _CHARSET.search(header)
    return _CHARSETS.get(found[1].upper(), "cp1252") if found else "cp1252"


def _decoded(text: bytes, charset: str) -> str:
    """Return the text of an element: UTF-8, if it is that, whatever the header says."""
    try:
        decoded = text.strip().decode()
    except UnicodeDecodeError:
        decoded = text.strip().decode(charset, errors="replace")
    if "&" in decoded:
        decoded = _ENTITY.sub(lambda entity: html.unescape(entity[0]), decoded)
    return decoded.replace("\xa0", " ").strip()
