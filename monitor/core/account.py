"""An account and its open days: totals by currency and direction, and what was told of them."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from monitor.core.business_day import day_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import CREDIT, DEBIT

COUNT_DEBIT: Final = 0
AMOUNT_DEBIT: Final = 1
COUNT_CREDIT: Final = 2
AMOUNT_CREDIT: Final = 3
ZERO: Final = 4
"""Places in `Totals`. `ZERO` always holds 0, so that any measure is the sum of two places."""

Totals = list[int]
"""[debit count, debit minor units, credit count, credit minor units, 0] of one currency."""

SERIES: Final = tuple(
    (direction, currency) for currency in sorted(EXPONENT) for direction in (DEBIT, CREDIT)
)
"""Every (direction, currency) there is; a transaction belongs to one. Its place here is a small
number for memory only: what is written down names the series in full, so the table may grow."""

SERIES_INDEX: Final[dict[str, dict[str, int]]] = {
    direction: {currency: index for index, (of, currency) in enumerate(SERIES) if of == direction}
    for direction in (DEBIT, CREDIT)
}
"""The place in `SERIES`, by direction and then by currency."""


class Told(NamedTuple):
    """What was told last of one threshold on one account-day.

    `revision` counts what was told (1 is the first); `value` and `limit` are in minor units or
    transactions.
    """

    status: str
    revision: int
    value: int
    limit: int


class AccountDay:
    """What one account did on one business day, so far.

    `segment` is that of the latest event which names one, so arrival order is nothing to it.
    `watches` are the thresholds that watch this day, by series (see core/threshold.py, which comes
    after this file); they are the engine's to set.
    """

    __slots__ = ("day", "segment", "segment_time", "told", "totals", "watches")

    def __init__(self, day: int, watches: Mapping[int, tuple[Any, ...]] | None = None) -> None:
        self.day = day
        self.totals: dict[str, Totals] = {}
        self.told: dict[str, Told] = {}
        self.segment: str | None = None
        self.segment_time = 0
        self.watches = watches if watches is not None else {}


class Account:
    """One account of a partition: its open days, and the bucket of state that it is kept in.

    `seed` is that of the hashes of its transaction ids; `kept` is for the state layer, which keeps
    there what it last wrote of the account.
    """

    __slots__ = ("account_id", "bucket", "days", "kept", "seed")

    def __init__(self, account_id: str, bucket: int, seed: int) -> None:
        self.account_id = account_id
        self.bucket = bucket
        self.seed = seed
        self.days: dict[int, AccountDay] = {}
        self.kept = b""


class ClosedDay(NamedTuple):
    """An account-day as it stood when the watermark closed it: nothing changes it any more."""

    account_id: str
    account_day: AccountDay
    policy_version: int
    score: float | None = None  # how rare its models find it, as a tail probability

    def fields(self) -> dict[str, object]:
        """Return the account-day as it is written; `breaches` are the limits that it is over."""
        account_day = self.account_day
        return {
            "account_id": self.account_id,
            "business_day": day_text(account_day.day),
            "segment": account_day.segment,
            "totals": day_totals(account_day),
            "breaches": sorted(
                threshold_id
                for threshold_id, told in account_day.told.items()
                if told.value > told.limit
            ),
            "policy_version": self.policy_version,
            "score": self.score,
        }


def day_totals(account_day: AccountDay) -> list[dict[str, object]]:
    """Return the totals of an account-day as they are written, one entry a currency."""
    return [
        {
            "currency": currency,
            "debit_count": totals[COUNT_DEBIT],
            "debit_amount": amount_text(totals[AMOUNT_DEBIT], EXPONENT[currency]),
            "credit_count": totals[COUNT_CREDIT],
            "credit_amount": amount_text(totals[AMOUNT_CREDIT], EXPONENT[currency]),
        }
        for currency, totals in sorted(account_day.totals.items())
    ]
