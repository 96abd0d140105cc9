"""Reversals: taken out of what is left of their originals, or waiting for these."""

from typing import NamedTuple

from monitor.core.account import COUNT_CREDIT, COUNT_DEBIT, SERIES, Account, AccountDay
from monitor.core.transaction import DEBIT, Rejection, Transaction, nothing_to_reverse
from monitor.core.waiting import WAITING_MAX, Waiting, kept_id, waiting_of
from monitor.ledger import SERIES_BITS, Entry, Ledger, Link, OpenDay
from monitor.reversing import Fit, fit_of, held_by
from monitor.step import Step


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
        target = held_by(self._ledger.open_days, target_key)
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
        for of, key, takes in fit.taken:
            of.contents[key] -= takes << SERIES_BITS
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
        keys = [(of, account.tag + kept_id(of.reverses)) for of in account.waiting]
        while pair := next((pair for pair in keys if pair[1] in there), None):
            keys.remove(pair)
            reversal, target_key = pair
            name = self._stop_waiting(account, reversal, step)
            target = held_by(self._ledger.open_days, target_key)
            assert target is not None, "it is there"
            fit = fit_of(self._ledger.open_days, reversal, target, target_key)
            if isinstance(fit, Rejection):
                step.rejections.append((reversal.offset, fit))
                continue
            self._take_back(offset, reversal, account, Link(target_key, target.day), fit, step)
            there.add(account.tag + name)

    def _stop_waiting(self, account: Account, reversal: Waiting, step: Step) -> str:
        """Forget that a reversal waits; return its kept id."""
        account.waiting = tuple(of for of in account.waiting if of is not reversal)
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
