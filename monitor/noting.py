"""What is noted of an account-day for reviews: which limits it is over or near, and its facts."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final
from zlib import crc32

from monitor.core.account import (
    AMOUNT_CREDIT,
    AMOUNT_DEBIT,
    COUNT_CREDIT,
    COUNT_DEBIT,
    AccountDay,
)
from monitor.core.alert import Status
from monitor.core.money import EXPONENT
from monitor.core.noted_day import DayFacts, Mark, NotedDay
from monitor.core.threshold import Measure, Threshold, scope_of
from monitor.core.transaction import DEBIT, Transaction
from monitor.decision import threshold_of
from monitor.episodes import CountedDay
from monitor.policy import PolicyBook

ROUND_UNITS: Final = 100
_ROUND_MINOR: Final = {code: ROUND_UNITS * 10**exponent for code, exponent in EXPONENT.items()}


def take(facts: DayFacts, transaction: Transaction) -> None:
    """Take a transaction into the facts of its account-day; payees are those of debits."""
    amount = transaction.amount_minor
    facts.amounts += 1
    if not amount % _ROUND_MINOR[transaction.currency]:
        facts.round += 1
    if transaction.direction == DEBIT:
        name = transaction.counterparty_id
        facts.pay(crc32(name.encode()) if name else None, amount)


def noted_day(
    account_day: AccountDay, policies: PolicyBook, *, is_closed: bool, score: float | None = None
) -> NotedDay | None:
    """Return an account-day as a review counts it; None where it is not over or near a limit.

    What is near counts only once the day is closed: it may still be over by then.
    """
    if not (is_closed or account_day.told):
        return None
    policy, limits = policies.for_day(account_day.day)
    scope = scope_of(account_day)
    rule = policy.review_of(scope)
    if rule is None:
        return None
    marks = [
        _mark(threshold_of(threshold_id, policies, policy), account_day, told.limit)
        for threshold_id, told in sorted(account_day.told.items())
        if told.status != Status.WITHDRAWN
    ]
    if is_closed:
        marks.extend(
            _mark(threshold, account_day, threshold.above, is_near=True)
            for threshold in limits.deciding(*scope)
            if rule.is_near(threshold.value_of(account_day), threshold.above)
        )
    if not marks:
        return None
    currency = _of_marks(marks).currency or _busiest_currency(account_day)
    totals = account_day.totals[currency]
    return NotedDay(
        account_day.day, *scope[1:], policy.version, tuple(marks), currency,
        totals[AMOUNT_DEBIT], totals[AMOUNT_CREDIT], account_day.facts or DayFacts(), score,
    )  # fmt: skip


def counted_day(
    noted: NotedDay, is_grouped: Callable[[NotedDay, Mark], bool] | None
) -> CountedDay | None:
    """Return a noted day by the limit it is farthest over; None where all are grouped.

    `is_grouped` None: nothing is.
    """
    marks: Sequence[Mark] = noted.marks
    if is_grouped is not None:
        marks = [mark for mark in marks if not is_grouped(noted, mark)]
    return CountedDay(noted, _of_marks(marks)) if marks else None


def _of_marks(marks: Sequence[Mark]) -> Mark:
    return marks[0] if len(marks) == 1 else max(marks, key=_farthest)


def _mark(
    threshold: Threshold, account_day: AccountDay, limit: int, *, is_near: bool = False
) -> Mark:
    return Mark(
        threshold.threshold_id, threshold.value_of(account_day), limit, threshold.currency,
        threshold.measure is Measure.AMOUNT, is_near,
    )  # fmt: skip


def _farthest(mark: Mark) -> tuple[bool, bool, Fraction, str]:
    times = Fraction(mark.value, mark.limit or 1)
    return not mark.is_near, not mark.limit, times, mark.threshold_id


def _busiest_currency(account_day: AccountDay) -> str:
    counts = {
        currency: totals[COUNT_DEBIT] + totals[COUNT_CREDIT]
        for currency, totals in account_day.totals.items()
    }
    return max(counts, key=lambda currency: (counts[currency], currency))
