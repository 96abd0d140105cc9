"""Accounts whose account-days stand in rows, and of which a review is kept beside them."""

from collections.abc import Iterable

import msgspec

from models.arrays import Ints
from monitor.core.account import Account
from monitor.core.review_fields import review_fields

_encode = msgspec.msgpack.Encoder().encode


class RestingAccounts:
    """These accounts by their numbers: without days, as they are when they are asked for again."""

    def __init__(self) -> None:
        self._accounts: dict[int, Account] = {}
        self._texts: dict[int, bytes] = {}  # their reviews, as state keeps them

    def __bool__(self) -> bool:
        return bool(self._accounts)

    def get(self, number: int) -> Account | None:
        """Return the account that has a number; None if there is none."""
        return self._accounts.get(number)

    def put(self, number: int, account: Account) -> None:
        """Let an account rest; its days are in rows."""
        account.days = ()
        self._accounts[number] = account

    def take_out(self, number: int) -> None:
        """Let an account rest no more, if it did."""
        self._accounts.pop(number, None)
        self._texts.pop(number, None)

    def moved(self, numbers: Ints) -> None:
        """Give accounts their new numbers, by the old ones."""
        self._accounts = {int(numbers[n]): account for n, account in self._accounts.items()}
        self._texts = {int(numbers[n]): text for n, text in self._texts.items()}

    def kept(self, buckets: Iterable[int]) -> dict[int, bytes]:
        """Return the reviews of the accounts in some buckets as state keeps them, by number."""
        wanted = set(buckets)
        numbers = [n for n, account in self._accounts.items() if account.bucket in wanted]
        for number in numbers:
            if number not in self._texts:
                self._texts[number] = _kept(self._accounts[number])
        return {number: self._texts[number] for number in numbers}


def _kept(account: Account) -> bytes:
    assert account.review is not None
    try:
        return _encode(review_fields(account.review, int))
    except OverflowError:  # a sum beyond 64 bits: as text then, as `streams/state/accounts.py`
        return _encode(review_fields(account.review, str))
