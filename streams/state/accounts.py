"""An account with its open days, as the bytes that a bucket of state keeps of it.

Of its attributes a day keeps what it was decided by; recovery sees by that what has changed since.
"""

from collections.abc import Sequence
from typing import Any

from monitor.core.account import NEVER, Account, AccountDay, Told
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.gauged import gauged_fields, gauged_of
from monitor.core.review_fields import (
    Written,
    facts_fields,
    facts_of,
    review_fields,
    review_of,
)
from monitor.core.transaction import Origin
from monitor.core.waiting import Waiting
from streams.state.keys import encode


def account_bytes(account: Account) -> bytes:
    """Return an account with its open days, and with those of its reviews where it has any."""
    try:
        return encode(_fields_of_account(account, int))
    except OverflowError:  # a sum beyond 64 bits, which msgpack cannot hold: as text then
        return encode(_fields_of_account(account, str))


def account_days(
    kept: Sequence[Any], attributes: AttributeBook, account: Account
) -> tuple[AccountDay, ...]:
    """Return the days of an account that were kept, and give it all else that was.

    `attributes` are shared by the book.
    """
    days, *more = kept
    review, waiting, gauged = (*more, None, None, None)[:3]
    if review is not None:
        account.review = review_of(review)
    if waiting is not None:
        account.waiting = tuple(Waiting(*fields) for fields in waiting)
    if gauged is not None:
        account.gauged = gauged_of(gauged)
    return tuple(_account_day(account, of_day, attributes) for of_day in days)


def _fields_of_account(account: Account, written: Written) -> tuple[object, ...]:
    days = [_fields_of(day, written) for day in account.days]
    review = None if account.review is None else review_fields(account.review, written)
    if account.gauged is not None:
        gauged = gauged_fields(account.gauged, written)
        return account.account_id, days, review, account.waiting, gauged
    if account.waiting:
        return account.account_id, days, review, account.waiting
    if review is None:
        return account.account_id, days
    return account.account_id, days, review


def _fields_of(account_day: AccountDay, written: Written) -> tuple[object, ...]:
    totals: dict[str, list[Any]]
    if account_day.more is None:  # as nearly every day
        currency = account_day.currency
        totals = {currency: account_day.counts[:4]} if currency else {}
    else:
        totals = {currency: figures[:4] for currency, figures in account_day.totals.items()}
    told: dict[str, Any] = dict(account_day.told)
    if written is str:
        totals = {currency: [*map(str, figures)] for currency, figures in totals.items()}
        told = {name: (t[0], t[1], str(t[2]), str(t[3]), t[4]) for name, t in told.items()}
    _, branch, product = account_day.attributes
    named_at = None if account_day.segment_time == NEVER else account_day.segment_time
    fields = (
        account_day.day, account_day.segment, named_at, totals, told, account_day.peer_group,
        branch, product,
    )  # fmt: skip
    if account_day.facts is None:
        return fields
    return *fields, facts_fields(account_day.facts, written)


def _account_day(account: Account, kept: Sequence[Any], attributes: AttributeBook) -> AccountDay:
    day, segment, named_at, totals, told, peer_group, branch, product, *facts = kept
    account_day = AccountDay(account, day)
    own = segment if named_at is None else None
    account_day.attributes = attributes.shared(Attributes(own, branch, product))
    account_day.segment = segment
    account_day.peer_group = peer_group
    account_day.segment_time = NEVER if named_at is None else named_at
    account_day.facts = facts_of(facts[0]) if facts else None
    for currency, figures in totals.items():
        account_day.totals_in(currency)[:4] = (
            map(int, figures) if isinstance(figures[0], str) else figures
        )
    for threshold_id, (status, revision, value, limit, origin) in told.items():
        named = None if origin is None else Origin(*origin)
        account_day.note(threshold_id, Told(status, revision, int(value), int(limit), named))
    return account_day
