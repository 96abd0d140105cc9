"""A reversal that came before the transaction which it takes back, and the ids that tell both."""

from hashlib import blake2b
from typing import Final, NamedTuple

from monitor.core.transaction import Transaction

ID_KEPT_MAX: Final = 40
"""Characters up to which a transaction_id is kept as it is."""

WAITING_MAX: Final = 100
"""Reversals of one account that wait at the same time; a further one is rejected at once."""


class Waiting(NamedTuple):
    """A reversal whose original is still to come: it waits until its own business day closes.

    `offset` is that of its record, `amount_minor` in minor units of `currency`; `branch` and
    `segment` are those that its record names.
    """

    offset: int
    day: int
    transaction_id: str
    reverses: str
    amount_minor: int
    currency: str
    branch: str | None
    segment: str | None


def waiting_of(offset: int, day: int, transaction: Transaction) -> Waiting:
    """Return a reversing transaction (`reverses` is not None) as it waits."""
    assert transaction.reverses is not None
    return Waiting(
        offset, day, transaction.transaction_id, transaction.reverses, transaction.amount_minor,
        transaction.currency, transaction.branch, transaction.segment,
    )  # fmt: skip


def kept_id(transaction_id: str) -> str:
    """Return a transaction_id as open days keep it: itself, or 64 hexadecimal digits of a long one.

    The digits are BLAKE2b's, 256 bits: nobody can make two long ids that meet, and none is as long
    as an id that is kept as it is.
    """
    if len(transaction_id) <= ID_KEPT_MAX:
        return transaction_id
    return blake2b(transaction_id.encode(), digest_size=32).hexdigest()
