"""An entry of a statement, whatever its format, and the columns that it becomes.

A statement is read as a table, so a map may take other columns of it than Weir takes by itself.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Final, NamedTuple

from monitor.core.transaction import CREDIT, DEBIT, FIELDS
from streams.feed.formats.reading import FileReading

FURTHER: Final = (
    "booking_date",
    "value_date",
    "bank_code",
    "proprietary_code",
    "bank_reference",
    "end_to_end_id",
    "uetr",
    "counterparty_name",
    "details",
)
COLUMNS: Final = (*FIELDS, *FURTHER)
"""The columns of a statement: Weir's fields, then what only a map takes."""

ID_CHARACTERS_MAX: Final = 200
"""Characters of an id that a bank gave; a longer one is digested."""

_NO_REFERENCE: Final = frozenset(
    ("", "NONREF", "NOREF", "NOTPROVIDED", "NOTAVAILABLE", "NOTAPPLICABLE", "NA", "NONE", "UNKNOWN")
)
_DIGEST_CHARACTERS: Final = 32


class StatementEntry(NamedTuple):
    """A booked entry, or one transaction of an entry that has several.

    `own_id` is the bank's name for it, unique over statements; empty: it has none. `called` are
    references that it goes by, `seeks` those that its original goes by, if it takes one back.
    `amount` is as it is written, without a sign.
    """

    account: str
    amount: str
    currency: str
    is_credit: bool
    booking_date: str
    value_date: str = ""
    own_id: str = ""
    counterparty: str = ""
    institution: str = ""
    is_reversal: bool = False
    called: tuple[str, ...] = ()
    seeks: tuple[str, ...] = ()
    reverses: str = ""  # stated by the bank, whether the original is in the file or not
    replaces: bool = False  # its original is taken back in full, and this one counts
    further: Mapping[str, str] = {}

    def row(self, transaction_id: str, reverses: str, reading: FileReading) -> list[str]:
        """Return the cells of its columns."""
        further = {
            "booking_date": self.booking_date,
            "value_date": self.value_date,
            **self.further,
        }
        return [
            transaction_id,
            self.account,
            reading.moment_of(self.booking_date or self.value_date),
            self.amount,
            self.currency,
            CREDIT if self.is_credit else DEBIT,
            self.counterparty,
            self.institution,
            "",
            "",
            "",
            reverses,
            *(further.get(name, "") for name in FURTHER),
        ]


class Skip(NamedTuple):
    """An entry that is no booked transaction: why it does not count."""

    reason: str


class EntryFault(NamedTuple):
    """An entry that cannot be read: what there is of it, and what is wrong."""

    fields: Mapping[str, str]
    text: str


class Note(NamedTuple):
    """What is to be reported of a file."""

    text: str


Item = StatementEntry | Skip | EntryFault | Note


class EntryNames:
    """Gives the entries of one file their ids: the bank's, else a digest of all that they say.

    An id that comes again in an account of the file gets a number: `ABC`, `ABC/2`. A file that is
    read again has the same ids.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def id_of(self, entry: StatementEntry) -> str:
        """Return the id of the next entry."""
        name = entry.own_id
        if not name or len(name) > ID_CHARACTERS_MAX:
            name = _digest(entry)
        elif entry.is_reversal:  # it may well have the reference of its original
            name += "/reversal"
        key = entry.account, name
        number = self._seen[key] = self._seen.get(key, 0) + 1
        return f"{name}/{number}" if number > 1 else name


def is_reference(text: str) -> bool:
    """Say whether a reference names anything: NONREF and NOTPROVIDED do not."""
    return text.upper().replace(" ", "").replace("_", "") not in _NO_REFERENCE


def decimal_of(text: str) -> Decimal:
    """Return an amount; 0 of other text, which the monitor rejects."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    return number if number.is_finite() else Decimal(0)


def balance_fault(
    where: str, currency: str, opening: Decimal, entries: Decimal, closing: Decimal
) -> Note | None:
    """Return what is to be said if a statement does not add up to its own closing balance."""
    made = opening + entries
    if made == closing:
        return None
    return Note(
        f"{where}: it does not add up: {opening:f} and its entries ({entries:f}) make {made:f}"
        f" {currency}, and its closing balance is {closing:f}, so {closing - made:f} is missing:"
        " ask the bank for the whole statement"
    )


def _digest(entry: StatementEntry) -> str:
    said = [*map(str, entry[:10]), *entry.called, *map(str, sorted(entry.further.items()))]
    return sha256("\x1f".join(said).encode(errors="replace")).hexdigest()[:_DIGEST_CHARACTERS]
