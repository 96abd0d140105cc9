"""The fields that state has of what an account keeps for its reviews, and back."""

from collections.abc import Sequence
from typing import Any, Final

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
