"""A noted account-day: the limits it is over or near, and its facts."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final
from zlib import crc32

from monitor.core.account import AMOUNT_CREDIT, AMOUNT_DEBIT, COUNT_CREDIT, COUNT_DEBIT, AccountDay
from monitor.core.alert import Status
from monitor.core.money import EXPONENT
from monitor.core.review import ROUND_UNITS, DayFacts, Mark, NotedDay
from monitor.core.threshold import Measure, Threshold, scope_of
from monitor.core.transaction import DEBIT, Origin, Transaction
from monitor.policy.policy import PolicyBook, threshold_of
from monitor.review.episodes import CountedDay, ReviewDay
from monitor.review.membership import DayExplanation

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
    """Return an account-day as a review counts it; None if it is not over or near a limit.

    What is near counts only once the day is closed: it may still be over by then. A day that is
    open has the values of its alerts, so a review says the same of it whenever it is told.
    """
    if not (is_closed or account_day.told):
        return None
    policy, limits = policies.for_day(account_day.day)
    scope = scope_of(account_day)
    rule = policy.review_of(scope)
    if rule is None:
        return None
    marks = [
        _mark(
            threshold_of(threshold_id, policies, policy),
            account_day,
            told.limit,
            told.origin,
            value=None if is_closed else told.value,
        )
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


def review_day(
    noted: NotedDay, partition: int, explanations: Sequence[DayExplanation] = ()
) -> ReviewDay:
    """Return a noted day as a review sees it, without the limits that incidents explain.

    A near day raised no alert, so nothing explains it.
    """
    mark = _of_marks(noted.marks)
    if not explanations:
        return ReviewDay(noted, mark, CountedDay(noted, mark), 0, ())
    left_out, incident_ids, left = 0, set(), []
    for place, noted_mark in enumerate(noted.marks):
        by = [] if noted_mark.is_near else [
            explanation.incident_id
            for explanation in explanations
            if explanation.has(partition, noted.segment, noted_mark.threshold_id, noted_mark.origin)
        ]  # fmt: skip
        incident_ids.update(by)
        if by:
            left_out |= 1 << place
        else:
            left.append(noted_mark)
    counted = CountedDay(noted, _of_marks(left)) if left else None
    return ReviewDay(noted, mark, counted, left_out, tuple(sorted(incident_ids)))


def _of_marks(marks: Sequence[Mark]) -> Mark:
    return marks[0] if len(marks) == 1 else max(marks, key=_farthest)


def _mark(
    threshold: Threshold, account_day: AccountDay, limit: int, origin: Origin | None = None, *,
    is_near: bool = False, value: int | None = None,
) -> Mark:  # fmt: skip
    return Mark(
        threshold.threshold_id, threshold.value_of(account_day) if value is None else value, limit,
        threshold.currency, threshold.measure is Measure.AMOUNT, is_near, origin,
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
