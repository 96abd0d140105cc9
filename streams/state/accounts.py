"""An account with its open days, as the bytes that a bucket of state keeps of it.

Of its attributes a day keeps what it was decided by; recovery sees by that what has changed since.
"""

from collections.abc import Sequence
from typing import Any, Final

from monitor.core.account import NEVER, Account, AccountDay, Told
from monitor.core.attributes import AttributeBook, Attributes
from monitor.core.review import (
    DayFacts,
    DayTold,
    EndedReview,
    FoldedDays,
    Mark,
    NotedDay,
    Review,
    ReviewTold,
)
from monitor.core.transaction import Origin
from monitor.core.waiting import Waiting
from streams.state.keys import encode

Written = type[int] | type[str]
"""As what money is written."""

Fields = Sequence[Any]

_FLAGS: Final = 2  # of a mark: is it an amount, is it near


def facts_fields(facts: DayFacts, written: Written) -> tuple[object, ...]:
    """Return the facts of an account-day as they are kept."""
    return (
        list(facts.payees), [written(paid) for paid in facts.payees.values()],
        written(facts.others), written(facts.unnamed), facts.amounts, facts.round,
    )  # fmt: skip


def facts_of(fields: Fields) -> DayFacts:
    """Return the facts that the fields hold."""
    payees, paid, others, unnamed, amounts, round_ = fields
    facts = DayFacts()
    facts.payees = dict(zip(payees, map(int, paid), strict=True))
    facts.others, facts.unnamed = int(others), int(unnamed)
    facts.amounts, facts.round = amounts, round_
    return facts


def review_fields(review: Review, written: Written) -> tuple[object, ...]:
    """Return what an account keeps for its reviews.

    That is its closed days, folded ones, what was told, and the reviews that are over.
    """
    closed = [_noted_fields(noted, written) for _, noted in sorted(review.closed.items())]
    ended = [
        (
            first,
            (
                _told_fields(over.told, written),
                [_noted_fields(day, written) for day in over.days],
                *over[2:],
            ),
        )
        for first, over in review.ended.items()
    ]
    told = [(first, _told_fields(report, written)) for first, report in review.told.items()]
    return closed, review.folded, told, ended


def review_of(fields: Fields) -> Review:
    """Return what the fields hold."""
    closed, folded, told, ended = fields
    review = Review()
    review.closed = {noted.day: noted for noted in map(_noted_of, closed)}
    review.folded = _folded_of(folded)
    review.told = {first: _told_of(report) for first, report in told}
    review.ended = {
        first: EndedReview(
            _told_of(report), tuple(map(_noted_of, days)), _folded_of(folded), *scope
        )
        for first, (report, days, folded, *scope) in ended
    }
    return review


def _folded_of(fields: Fields | None) -> FoldedDays | None:
    return None if fields is None else FoldedDays(*fields)


def _told_fields(told: ReviewTold, written: Written) -> tuple[object, ...]:
    return *told[:-1], [(day, written(value)) for day, value in told.open_values]


def _told_of(fields: Fields) -> ReviewTold:
    status, revision, value, limit, severity, days, reading, digest, is_episode, values = fields
    told = tuple(DayTold(*day_fields) for day_fields in days)
    open_values = tuple((day, int(value)) for day, value in values)
    return ReviewTold(
        status, revision, value, limit, severity, told, reading, digest, is_episode, open_values
    )


def _noted_fields(noted: NotedDay, written: Written) -> tuple[object, ...]:
    marks = [
        (
            mark.threshold_id, written(mark.value), written(mark.limit), mark.currency,
            mark.is_amount + _FLAGS * mark.is_near, *([mark.origin] if mark.origin else []),
        )
        for mark in noted.marks
    ]  # fmt: skip
    return (
        noted.day,
        noted.segment,
        noted.peer_group,
        noted.product,
        noted.policy_version,
        marks,
        noted.currency,
        written(noted.money_out),
        written(noted.money_in),
        facts_fields(noted.facts, written),
        noted.score,
    )


def _noted_of(fields: Fields) -> NotedDay:
    day, segment, peer_group, product, version, marks, currency, out, in_, facts, score = fields
    return NotedDay(
        day, segment, peer_group, product, version,
        tuple(
            Mark(
                name, int(value), int(limit), own_currency, bool(flags % _FLAGS), flags >= _FLAGS,
                *(Origin(*fields) for fields in origin),
            )
            for name, value, limit, own_currency, flags, *origin in marks
        ),
        currency, int(out), int(in_), facts_of(facts), score,
    )  # fmt: skip


def account_bytes(account: Account) -> bytes:
    """Return an account with its open days, and with those of its reviews where it has any."""
    try:
        return encode(_fields_of_account(account, int))
    except OverflowError:  # a sum beyond 64 bits, which msgpack cannot hold: as text then
        return encode(_fields_of_account(account, str))


def account_days(
    kept: Sequence[Any], attributes: AttributeBook, account: Account
) -> tuple[AccountDay, ...]:
    """Return the days of an account that were kept, and give it its reviews and waiting reversals.

    `attributes` are shared by the book.
    """
    days, *more = kept
    review, waiting = (*more, None, None)[:2]
    if review is not None:
        account.review = review_of(review)
    if waiting is not None:
        account.waiting = tuple(Waiting(*fields) for fields in waiting)
    return tuple(_account_day(account, of_day, attributes) for of_day in days)


def _fields_of_account(account: Account, written: Written) -> tuple[object, ...]:
    days = [_fields_of(day, written) for day in account.days]
    review = None if account.review is None else review_fields(account.review, written)
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
