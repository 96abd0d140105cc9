"""Reads camt.052, camt.053 and camt.054 (ISO 20022), of any version from 001.02 on.

An entry with several transaction details becomes as many transactions, if their amounts add up to
it. Elements are found by their names, whatever the namespace of the version.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import IO, Final, NamedTuple

from streams.feed.formats.xml import Element, elements_of, local_name
from streams.feed.mapping import FeedError
from streams.feed.statements.entry import (
    EntryFault,
    Item,
    Note,
    Skip,
    StatementEntry,
    balance_fault,
    decimal_of,
    is_reference,
)

_STATEMENTS: Final = ("Stmt", "Rpt", "Ntfctn")
_STATUSES: Final = {"PDNG": "pending", "INFO": "information", "FUTR": "future"}
_BOOKED: Final = "BOOK"
_AMOUNTS: Final = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")
_REFERENCES: Final = ("UETR", "TxId", "EndToEndId", "InstrId", "AcctSvcrRef")
_CREDIT, _DEBIT = "CRDT", "DBIT"


class _Statement(NamedTuple):
    """What holds for all entries of a statement."""

    element: Element
    name: str
    account: str
    totals: dict[str, Decimal]


class _Booking(NamedTuple):
    """An entry, and what all its transactions have of it."""

    element: Element
    statement: _Statement
    currency: str
    amount: str
    is_credit: bool
    is_reversal: bool
    booking_date: str
    value_date: str


def items_of(file: IO[bytes], path: Path) -> Iterator[Item]:
    """Yield the entries of all statements. Raises FeedError if it is no camt, or damaged XML."""
    statement: _Statement | None = None
    is_camt = False
    for element in elements_of(file, path, ("Ntry", *_STATEMENTS)):
        if local_name(element) == "Ntry":
            if statement is None or statement.element is not element.getparent():
                statement = _statement_of(element.getparent())
            yield from _items_of_entry(element, statement)
            _drop(element)
            continue
        is_camt = True
        if statement is None or statement.element is not element:
            statement = _statement_of(element)
        yield from _balance_faults(statement)
        statement = None
        element.clear()
    if not is_camt:
        problem = "it has no statement (Stmt, Rpt or Ntfctn): is it camt.052, .053 or .054?"
        raise FeedError([problem], str(path))


def _statement_of(element: Element) -> _Statement:
    account = _first(element, "Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id")
    return _Statement(element, _text(element, "Id"), account.replace(" ", ""), {})


def _items_of_entry(element: Element, statement: _Statement) -> Iterator[Item]:
    status = _first(element, "Sts/Cd", "Sts/Prtry", "Sts")
    if not status and local_name(statement.element) == "Stmt":
        status = _BOOKED  # a statement has booked entries
    if status != _BOOKED:
        known = f"status {status[:20]}" if status else "without a status"
        yield Skip(_STATUSES.get(status, known))
        return
    amount = element.find(_path("Amt"))
    direction = _text(element, "CdtDbtInd")
    if amount is None or direction not in {_CREDIT, _DEBIT}:
        missing = "Amt" if amount is None else f"CdtDbtInd (CRDT or DBIT, not {direction[:20]!r})"
        fields = {"account_id": statement.account, "transaction_id": _text(element, "AcctSvcrRef")}
        yield EntryFault(fields, f"line {element.sourceline}: the entry (Ntry) has no {missing}")
        return
    booking = _Booking(
        element,
        statement,
        amount.get("Ccy", ""),
        (amount.text or "").strip(),
        direction == _CREDIT,
        _text(element, "RvslInd") in {"true", "1"},
        _first(element, "BookgDt/DtTm", "BookgDt/Dt"),
        _first(element, "ValDt/DtTm", "ValDt/Dt"),
    )
    signed = _signed(booking.amount, is_credit=booking.is_credit)
    totals = statement.totals
    totals[booking.currency] = totals.get(booking.currency, Decimal(0)) + signed
    details = element.findall(_path("NtryDtls/TxDtls"))
    if len(details) > 1:
        parts = [_part_of(each, booking) for each in details]
        total = sum((_signed(text, is_credit=is_credit) for text, is_credit in parts), Decimal(0))
        if all(text for text, _ in parts) and total == signed:
            for number, (each, part) in enumerate(zip(details, parts, strict=True), 1):
                yield _entry_of(booking, each, part, number)
            return
        yield _sum_fault(booking, parts, total, signed)
        details = []
    yield _entry_of(booking, details[0] if details else None, (booking.amount, booking.is_credit))


def _part_of(details: Element, booking: _Booking) -> tuple[str, bool]:
    """Return the amount of details in the currency of the entry, and whether it is a credit."""
    direction = _text(details, "CdtDbtInd")
    is_credit = direction == _CREDIT if direction else booking.is_credit
    for path in _AMOUNTS:
        amount = details.find(_path(path))
        if amount is not None and amount.get("Ccy") == booking.currency:
            return (amount.text or "").strip(), is_credit
    return "", is_credit


def _sum_fault(
    booking: _Booking, parts: Sequence[tuple[str, bool]], total: Decimal, signed: Decimal
) -> Note:
    missing = sum(1 for text, _ in parts if not text)
    why = (
        f"{missing:,} of them have no amount in {booking.currency}"
        if missing
        else f"they add up to {total:f}, and the entry is {signed:f} {booking.currency}"
    )
    return Note(
        f"line {booking.element.sourceline}, account {booking.statement.account}: an entry has"
        f" {len(parts):,} details (TxDtls), and {why}: it counts as one transaction"
    )


def _entry_of(
    booking: _Booking, details: Element | None, part: tuple[str, bool], number: int = 0
) -> StatementEntry:
    """Return a transaction; `number` is that of its details, 0 if it is the whole entry."""
    amount, is_credit = part
    source = details if details is not None else booking.element
    references = {name: _text(source, f"Refs/{name}") for name in _REFERENCES}
    reference = _text(booking.element, "AcctSvcrRef")
    called = [f"{name} {text}" for name, text in references.items() if is_reference(text)]
    if is_reference(reference) and not number:
        called.append(f"AcctSvcrRef {reference}")
    called_once = tuple(dict.fromkeys(called))
    party, account, institution = _counterparty(
        source, booking, is_payer=is_credit != booking.is_reversal
    )
    further = {
        "bank_code": _bank_code(source) or _bank_code(booking.element),
        "proprietary_code": _text(source, "BkTxCd/Prtry/Cd")
        or _text(booking.element, "BkTxCd/Prtry/Cd"),
        "bank_reference": references["AcctSvcrRef"] or reference,
        "end_to_end_id": references["EndToEndId"],
        "uetr": references["UETR"],
        "counterparty_name": party,
        "details": _details_text(source, booking.element),
    }
    return StatementEntry(
        booking.statement.account,
        amount,
        booking.currency,
        is_credit,
        booking.booking_date,
        booking.value_date,
        _own_id(booking, references, reference, number),
        account or party,
        institution,
        booking.is_reversal,
        called_once,
        called_once if booking.is_reversal else (),
        further=further,
    )


def _own_id(booking: _Booking, references: dict[str, str], reference: str, number: int) -> str:
    """Return the bank's name of a transaction: the first reference that names it alone."""
    own = references["AcctSvcrRef"]
    if number and is_reference(own) and own != reference:
        return own
    suffix = f".{number}" if number else ""
    if is_reference(reference):
        return reference + suffix
    if is_reference(own):
        return own + suffix
    if is_reference(references["UETR"]):
        return references["UETR"]
    entry = _text(booking.element, "NtryRef")
    if is_reference(entry):  # it may be no more than a number of the statement's
        return f"{booking.statement.name}:{entry}{suffix}"
    if is_reference(references["EndToEndId"]):  # a standing order's is the same every month
        return f"{references['EndToEndId']}/{booking.booking_date[:10]}"
    return ""


def _counterparty(source: Element, booking: _Booking, *, is_payer: bool) -> tuple[str, str, str]:
    """Return the name, the account and the bank of the other party.

    Of a reversal, debtor and creditor are those of the original; some banks turn them round, or
    name the owner on both sides. The other party is never the account itself.
    """
    side, other = ("Dbtr", "Cdtr") if is_payer else ("Cdtr", "Dbtr")
    account = _account_of(source, side)
    is_owner = account and account == booking.statement.account
    if is_owner or not (account or _name_of(source, side)):
        side, account = other, _account_of(source, other)
        if account and account == booking.statement.account:
            return "", "", ""
    agent = f"RltdAgts/{side}Agt/FinInstnId"
    institution = _first(
        source, f"{agent}/BICFI", f"{agent}/BIC", f"{agent}/ClrSysMmbId/MmbId", f"{agent}/Nm"
    )
    return _name_of(source, side), account, institution


def _name_of(source: Element, side: str) -> str:
    party = f"RltdPties/{side}"
    return _first(source, f"{party}/Nm", f"{party}/Pty/Nm", f"{party}/Agt/FinInstnId/Nm")


def _account_of(source: Element, side: str) -> str:
    account = f"RltdPties/{side}Acct/Id"
    found = _first(source, f"{account}/IBAN", f"{account}/Othr/Id", f"{account}/PrtryAcct/Id")
    return found.replace(" ", "")


def _bank_code(source: Element) -> str:
    """Return the domain, the family and the subfamily of a transaction: PMNT-RCDT-ESCT."""
    domain = "BkTxCd/Domn"
    codes = (f"{domain}/Cd", f"{domain}/Fmly/Cd", f"{domain}/Fmly/SubFmlyCd")
    return "-".join(filter(None, (_text(source, code) for code in codes)))


def _details_text(source: Element, entry: Element) -> str:
    found = [(each.text or "").strip() for each in source.findall(_path("RmtInf/Ustrd"))]
    found += [
        (each.text or "").strip() for each in source.findall(_path("RmtInf/Strd/CdtrRefInf/Ref"))
    ]
    found += [_text(source, "AddtlTxInf"), _text(entry, "AddtlNtryInf")]
    return " ".join(filter(None, found))


def _balance_faults(statement: _Statement) -> Iterator[Note]:
    """Yield each currency whose opening balance and booked entries do not make the closing one."""
    found: dict[tuple[str, str], Decimal] = {}
    for balance in statement.element.findall(_path("Bal")):
        code, amount = _text(balance, "Tp/CdOrPrtry/Cd"), balance.find(_path("Amt"))
        if amount is not None:
            is_credit = _text(balance, "CdtDbtInd") != _DEBIT
            signed = _signed((amount.text or "").strip(), is_credit=is_credit)
            found[code, amount.get("Ccy", "")] = signed
    for (code, currency), closing in found.items():
        opening = found.get(("OPBD", currency), found.get(("PRCD", currency)))
        if code == "CLBD" and opening is not None:
            entries = statement.totals.get(currency, Decimal(0))
            where = f"statement {statement.name} of account {statement.account}"
            fault = balance_fault(where, currency, opening, entries, closing)
            if fault:
                yield fault


def _signed(text: str, *, is_credit: bool) -> Decimal:
    return decimal_of(text) if is_credit else -decimal_of(text)


def _first(element: Element, *paths: str) -> str:
    """Return the text of the first of some paths that has one."""
    return next(filter(None, (_text(element, path) for path in paths)), "")


def _text(element: Element, path: str) -> str:
    text: str = element.findtext(_path(path)) or ""
    return text.strip()


@cache
def _path(path: str) -> str:
    return "/".join(f"{{*}}{name}" for name in path.split("/"))


def _drop(element: Element) -> None:
    """Forget an entry that was read, and the one before it."""
    before = element.getprevious()
    element.clear()
    if before is not None and local_name(before) == "Ntry":
        element.getparent().remove(before)
