"""Accounts out of files: each row a record, or why it is none."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from monitor.core.attributes import AccountRecord, AttributeBook, account_record_of
from monitor.core.transaction import Rejection
from streams.feed.reader import Batch
from streams.wire.accounts import decode_account_line


class AccountRow(NamedTuple):
    """What a row of a file states; 1 is the first below the header."""

    file: str
    row: int
    record: AccountRecord | Rejection


def accounts_of(batches: Iterable[Batch]) -> Iterator[AccountRow]:
    """Yield what each row states. Columns that are no field are free attributes."""
    for batch in batches:
        name = batch.path.name
        for place, (number, fields) in enumerate(zip(batch.numbers, batch.rows, strict=True)):
            further = {column: cells[place] for column, cells in batch.further.items()}
            stated = {column: cell for column, cell in further.items() if cell}
            yield AccountRow(name, number, account_record_of(fields, stated))
        for number, value in batch.raw:
            yield AccountRow(name, number, decode_account_line(value))


def usable(
    rows: Iterable[AccountRow], on_rejected: Callable[[AccountRow], None]
) -> Iterator[AccountRecord]:
    """Yield the accounts of rows; each row that is none goes to `on_rejected`.

    It is sent nowhere: on a compacted topic it would take the place of what is known.
    """
    for row in rows:
        if isinstance(row.record, Rejection):
            on_rejected(row)
        else:
            yield row.record


def attributes_of(accounts: Iterable[AccountRecord]) -> AttributeBook:
    """Return the attributes of accounts; of several records of one account the last one holds."""
    book = AttributeBook()
    for account in accounts:
        book.take(account.account_id, account.attributes)
    return book
