"""Reversals: each takes out of what is left of the transaction that it names, or waits for it.

Reversals form chains: a transaction, a reversal of it, a reversal of that, and so on. What is left
of each is its amount less what is left of the reversals that name it. So a reversal of a reversal
restores what that one took, and the account-day counts what is left of the chain's first.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from monitor.core.account import COUNT_CREDIT, COUNT_DEBIT, SERIES, Account, AccountDay
from monitor.core.money import EXPONENT, amount_text
from monitor.core.transaction import (
    DEBIT,
    Rejection,
    Transaction,
    nothing_to_reverse,
    reversal_mismatch,
)
from monitor.core.waiting import WAITING_MAX, Waiting, kept_id, waiting_of
from monitor.engine.step import Step
from monitor.ledger.ledger import (
    NO_AMOUNT,
    OF_NO_AMOUNT,
    SERIES_BITS,
    SERIES_MASK,
    WAITING,
    Entry,
    Ledger,
    Link,
    OpenDay,
)

CHAIN_MAX: Final = 100
"""Reversals in one chain; so the cost of one more is bounded."""


class Fit(NamedTuple):
    """A reversal that fits: its own content, and what becomes of the chain that it ends.

    `taken` has the nodes of the chain from the one that it names to the first, each with what is
    taken out of it (negative: restored), in minor units, or 1 where it is of 0.00. `root` is the
    day of the first; `counted` and `amount_minor` are to be added to its account-day's totals.
    """

    content: int
    taken: list[tuple[OpenDay, str, int]]
    root: OpenDay
    series: int
    counted: int
    amount_minor: int


def held_by(ledger: Ledger, key: str) -> OpenDay | None:
    """Return the open day that holds a transaction; None if none does, or it still waits."""
    open_day = ledger.day_holding(key)
    return None if open_day is None or open_day.contents[key] == WAITING else open_day


def fit_of(
    open_days: Mapping[int, OpenDay], reversal: Waiting, target: OpenDay, key: str
) -> Fit | Rejection:
    """Return how a reversal fits the transaction that it names, `key` on the day `target`.

    Nothing is changed yet. Returns the rejection if it does not fit.
    """
    content = target.contents[key]
    left, series = content >> SERIES_BITS, content & SERIES_MASK
    _, currency = SERIES[series]
    has_no_amount = bool(content & NO_AMOUNT)
    amount = reversal.amount_minor
    if reversal.currency != currency:
        return reversal_mismatch(
            reversal.reverses, f"that is in {currency}, this one is in {reversal.currency}"
        )
    units = 1 if has_no_amount and not amount else amount
    if (has_no_amount and amount) or units > left:
        rest = amount_text(0 if has_no_amount else left, EXPONENT[currency])
        said = amount_text(amount, EXPONENT[currency])
        return reversal_mismatch(
            reversal.reverses,
            f"{rest} {currency} is left of it, this one takes back {said}"
            if left or amount
            else "nothing is left of it",
        )
    chain = _chain_of(open_days, target, key)
    if len(chain) > CHAIN_MAX:
        return reversal_mismatch(
            reversal.reverses, f"it ends a chain of {CHAIN_MAX} reversals, which is the longest"
        )
    if chain[-1] is None:
        return nothing_to_reverse(
            reversal.reverses, "what that one took back is of a business day that is closed"
        )
    taken: list[tuple[OpenDay, str, int]] = []
    for place, node in enumerate(chain):
        assert node is not None, "only the last one may be missing"
        takes = -units if place % 2 else units
        if takes > node[0].contents[node[1]] >> SERIES_BITS:
            return reversal_mismatch(
                reversal.reverses, "what it would take out again has been taken back otherwise"
            )
        taken.append((*node, takes))
    root, root_key, takes = taken[-1]
    before = root.contents[root_key] >> SERIES_BITS
    own = (OF_NO_AMOUNT if has_no_amount else units << SERIES_BITS) | series
    return Fit(
        own, taken, root, series,
        counted=(before - takes > 0) - (before > 0),
        amount_minor=0 if has_no_amount else -takes,
    )  # fmt: skip


def _chain_of(
    open_days: Mapping[int, OpenDay], day: OpenDay, key: str
) -> list[tuple[OpenDay, str] | None]:
    """Return a transaction and what it takes back, and so on to the first.

    At most one more than `CHAIN_MAX` are returned. The last is None if its day is closed.
    """
    chain: list[tuple[OpenDay, str] | None] = [(day, key)]
    link: Link | None = day.links.get(key)
    while link is not None and len(chain) <= CHAIN_MAX:
        held = open_days.get(link.day)
        if held is None:
            chain.append(None)
            break
        chain.append((held, link.key))
        link = held.links.get(link.key)
    return chain


class Reversed(NamedTuple):
    """An account-day of which a reversal has taken something out, or restored it to it."""

    account_day: AccountDay
    fit: Fit


class Reversals:
    """The reversals of one partition; what comes of one goes into the Step that it is given."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def reverse(
        self, offset: int, transaction: Transaction, account: Account, open_day: OpenDay,
        step: Step,
    ) -> Reversed | None:  # fmt: skip
        """Take a reversal out of what is left of its original, or let it wait for that.

        `open_day` is that of the reversal, which adds nothing to it itself. Returns None if no
        account-day has changed: it waits, or is rejected.
        """
        reversal = waiting_of(offset, open_day.day, transaction)
        target_key = account.tag + kept_id(reversal.reverses)
        target = held_by(self._ledger, target_key)
        if target is None:
            self._wait(offset, reversal, account, step)
            return None
        fit = fit_of(self._ledger.open_days, reversal, target, target_key)
        if isinstance(fit, Rejection):
            self._ledger.forget_if_empty(account)
            step.rejections.append((offset, fit))
            return None
        link = Link(target_key, target.day)
        account_day = self._take_back(offset, reversal, account, link, fit, step)
        if account.waiting:
            key = account.tag + kept_id(reversal.transaction_id)
            self.settle_waiting(offset, account, key, step)
        return Reversed(account_day, fit)

    def _wait(self, offset: int, reversal: Waiting, account: Account, step: Step) -> None:
        if len(account.waiting) >= WAITING_MAX:
            why = f"not in the open days of this account, of which {WAITING_MAX} reversals wait"
            step.rejections.append((offset, nothing_to_reverse(reversal.reverses, why)))
            return
        account.waiting += (reversal,)
        self._ledger.mark_waiting(account, reversal)
        step.waiting.append(reversal)
        self._ledger.dirty.add(account)

    def _take_back(
        self, offset: int, reversal: Waiting, account: Account, link: Link, fit: Fit, step: Step
    ) -> AccountDay:  # fmt: skip
        """Do what a fit says; return the account-day whose totals have changed.

        The reversal is held by the later day of its own and that of what it takes back, so that
        what is left of a transaction can be counted again for as long as it is held.
        """
        for open_day, key, takes in fit.taken:
            open_day.contents[key] -= takes << SERIES_BITS
        held = self._ledger.open_days[max(reversal.day, link.day)]
        name = kept_id(reversal.transaction_id)
        held.contents[account.tag + name] = fit.content
        held.links[account.tag + name] = link
        self._ledger.hold(account, held)
        reverses = (kept_id(reversal.reverses), link.day)
        step.entries.append(
            Entry(offset, account.account_id, name, held.day, fit.content, reverses)
        )
        step.transactions += 1
        self._ledger.dirty.add(account)
        account_day = account.day_of(fit.root.day)
        assert account_day is not None, "an open day has the account-days of what it holds"
        direction, currency = SERIES[fit.series]
        totals = account_day.totals_in(currency)
        place = COUNT_DEBIT if direction == DEBIT else COUNT_CREDIT
        totals[place] += fit.counted
        totals[place + 1] += fit.amount_minor
        return account_day

    def settle_waiting(self, offset: int, account: Account, key: str, step: Step) -> None:
        """Judge the reversals that waited for a transaction, and those that waited for them.

        In the order in which they came: the earliest one whose original is there is the next.
        """
        there = {key}
        keys = [(waiting, account.tag + kept_id(waiting.reverses)) for waiting in account.waiting]
        while pair := next((pair for pair in keys if pair[1] in there), None):
            keys.remove(pair)
            reversal, target_key = pair
            name = self._stop_waiting(account, reversal, step)
            target = held_by(self._ledger, target_key)
            assert target is not None, "it is there"
            fit = fit_of(self._ledger.open_days, reversal, target, target_key)
            if isinstance(fit, Rejection):
                step.rejections.append((reversal.offset, fit))
                continue
            self._take_back(offset, reversal, account, Link(target_key, target.day), fit, step)
            there.add(account.tag + name)

    def _stop_waiting(self, account: Account, reversal: Waiting, step: Step) -> str:
        """Forget that a reversal waits; return its kept id."""
        account.waiting = tuple(waiting for waiting in account.waiting if waiting is not reversal)
        name = kept_id(reversal.transaction_id)
        open_day = self._ledger.open_days.get(reversal.day)
        if open_day is not None:
            del open_day.contents[account.tag + name]
        self._ledger.reversals_waiting -= 1
        step.settled.append(reversal.offset)
        self._ledger.dirty.add(account)
        return name

    def reject_waiting(self, closed: OpenDay, step: Step) -> None:
        """Reject the reversals of a closed day that still wait, in the order in which they came."""
        waiting = [
            (reversal, account)
            for account in closed.holders
            for reversal in account.waiting
            if reversal.day == closed.day
        ]
        for reversal, account in sorted(waiting, key=lambda pair: pair[0].offset):
            self._stop_waiting(account, reversal, step)
            rejection = nothing_to_reverse(
                reversal.reverses,
                "it did not come to this account before the reversal's day closed",
            )
            step.rejections.append((reversal.offset, rejection))
        for account in closed.holders:
            self._ledger.dirty.add(account)
            if self._ledger.accounts.get(account.account_id) is account:
                self._ledger.forget_if_empty(account)
