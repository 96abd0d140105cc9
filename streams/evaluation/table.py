"""A table of transactions to judge scores by: in the order of event time, whatever the file's."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints
from monitor.core.as_of import AsOf
from monitor.core.money import EXPONENT, EXPONENT_MAX
from monitor.core.transaction import Reason, Rejection, Transaction, transaction_of
from streams.feed.mapping import FeedError
from streams.feed.reader import Batch
from streams.feed.sources import Column
from streams.wire import codec


class TransactionTable(NamedTuple):
    """Transactions in the order of event time, those of one time as they stood.

    `account` is the number of each one's account, that is its place in `account_ids`; `further`
    has a cell for each, of the columns that were asked for. `rows` were read, and those `rejected`
    (by reason) are no transactions.
    """

    transactions: list[Transaction]
    account: Ints
    account_ids: list[str]
    further: Mapping[str, list[str | None]]
    rows: int
    rejected: Counter[str]

    def times(self) -> Ints:
        """Return the event time of each transaction."""
        return np.fromiter((transaction.event_time for transaction in self.transactions), np.int64)

    def check(self) -> None:
        """Raise FeedError if no transaction is left to judge; it says why, and what to do."""
        if self.transactions:
            return
        if not self.rows:
            raise FeedError(["it has no rows: name a file of transactions"], "the input")
        reasons = ", ".join(f"{count:,} {name}" for name, count in sorted(self.rejected.items()))
        todo = "weir replay --rejections FILE says why"
        if set(self.rejected) == {Reason.FUTURE.value}:
            todo = "give a later --as-of, or leave it out"
        raise FeedError(
            [f"no row of it is left to judge: all {self.rows:,} are rejected ({reasons}); {todo}"],
            "the input",
        )

    def amounts(self) -> Floats:
        """Return each amount in units of the smallest currency unit there is, whole."""
        scales = {code: 10.0 ** (EXPONENT_MAX - decimals) for code, decimals in EXPONENT.items()}
        return np.fromiter(
            (
                transaction.amount_minor * scales[transaction.currency]
                for transaction in self.transactions
            ),
            np.float64,
        )


def table_of(
    batches: Iterable[Batch], further: tuple[str, ...] = (), as_of: AsOf | None = None
) -> TransactionTable:
    """Read a table whole: it is put in the order of event time, so all of it must be there.

    Rows that are dated ahead of `as_of` are rejected; None: none is.
    """
    transactions: list[Transaction] = []
    cells: dict[str, list[str | None]] = {name: [] for name in further}
    rejected: Counter[str] = Counter()
    rows = 0
    for batch in batches:
        rows += len(batch.rows) + len(batch.raw)
        columns = {name: batch.further.get(name, ()) for name in further}
        items = _items_of(batch)
        for place, item in enumerate(items if as_of is None else map(as_of.judge, items)):
            if isinstance(item, Rejection):
                rejected[item.reason.value] += 1
                continue
            transactions.append(item)
            for name, column in columns.items():
                cells[name].append(column[place])
    order = np.argsort(
        np.fromiter((transaction.event_time for transaction in transactions), np.int64),
        kind="stable",
    ).tolist()
    transactions = [transactions[place] for place in order]
    numbers: dict[str, int] = {}
    account = np.fromiter(
        (numbers.setdefault(transaction.account_id, len(numbers)) for transaction in transactions),
        np.int64,
    )
    return TransactionTable(
        transactions,
        account,
        list(numbers),
        {name: _ordered(column, order) for name, column in cells.items()},
        rows,
        rejected,
    )


def _items_of(batch: Batch) -> Iterable[Transaction | Rejection]:
    return chain(map(transaction_of, batch.rows), (codec.decode(value) for _, value in batch.raw))


def _ordered(column: Column, order: list[int]) -> list[str | None]:
    return [column[place] for place in order]
