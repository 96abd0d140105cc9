"""The alerts that tell of a review: raised, restated as it grows, withdrawn where it falls away.

What is told last of a review follows from its account's days and from what explains them, whatever
the order in which both came to be known. So a review whose days are explained from the start is
told once, as withdrawn; and one that is withdrawn is told again while what is left of it changes.
"""

from collections.abc import Container, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from xxhash import xxh3_64_intdigest

from monitor.core.alert import Alert, Cause, Status, ratio_text
from monitor.core.business_day import day_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.review import DayTold, Mark, ReviewTold
from monitor.core.threshold import Severity
from monitor.policy.reviews import ReviewRule, review_threshold
from monitor.review.episodes import BREACH_WEIGHT, CountedDay, Episode, ReviewDay, weight_greatest
from monitor.review.reading import reading_of

LISTED_DAYS_MAX: Final = 62
"""Days of one review that are listed, the latest: two months. Earlier ones are a number."""


class Moment(Enum):
    """When a review is counted again: a transaction or policy came, a day closed, or a verdict."""

    RECORD = auto()
    CLOSE = auto()
    VERDICT = auto()


class Setting(NamedTuple):
    """What the alerts of one recount share: why there is one, and what its latest day is of."""

    account_id: str
    cause: Cause
    moment: Moment
    segment: str | None
    policy_version: int
    rule: ReviewRule | None


Telling = tuple[ReviewTold, Alert]
"""What is told of a review now, and the alert that tells it."""


def told_anew(
    told: ReviewTold | None, episode: Episode, setting: Setting, closed: Container[int]
) -> Telling | None:
    """Report a review if its days differ from what was reported last, or what is left of them.

    Also if the alert of an open day was restated. At the close of a day, and when a verdict comes,
    also if any of its evidence differs: so what was reported last never depends on which of the two
    came first.
    """
    rule = setting.rule
    assert rule is not None, "a review is by a rule"
    days = tuple(
        DayTold(review_day.day, review_day.weight_left, review_day.left_out)
        for review_day in episode.days
    )
    value = episode.value_greatest(rule)
    is_enough = value >= rule.days
    stands = told is not None and told.status != Status.WITHDRAWN
    open_values = tuple(
        (review_day.day, review_day.counted.mark.value)
        for review_day in episode.days
        if review_day.counted is not None and review_day.day not in closed
    )
    is_same = (
        told is not None
        and told.is_episode
        and told.days == days
        and stands == is_enough
        and set(open_values).issubset(told.open_values)
    )
    if is_same and setting.moment is Moment.RECORD:
        return None
    listed = episode.days[-LISTED_DAYS_MAX:]
    counted = [review_day.counted for review_day in listed if review_day.counted is not None]
    evidence: dict[str, object] = {
        "days": [_written(counted_day) for counted_day in counted],
        "breach_days": episode.breach_days,
        "near_days": episode.near_days,
        "window_days": rule.window_days,
    }
    reading = ""
    if is_enough:
        found, reasons = reading_of(counted)
        reading = found.value
        evidence |= {"reading": reading, "reasons": reasons}
    else:
        evidence["why"] = "days that a systemic alert explains do not count"
    explained = [review_day for review_day in listed if review_day.counted is None]
    if explained:
        evidence["grouped_days"] = [day_text(review_day.day) for review_day in explained]
        evidence["incident_ids"] = sorted(
            {name for review_day in explained for name in review_day.incident_ids}
        )
    limit, severity = rule.threshold.above, rule.threshold.severity
    digest = xxh3_64_intdigest(repr((evidence, limit, severity)).encode())
    if is_same and told is not None and told.digest == digest:
        return None
    status = Status.WITHDRAWN if not is_enough else Status.RESTATED if stands else Status.RAISED
    now = ReviewTold(
        status, 1 if told is None else told.revision + 1, episode.value if is_enough else value,
        limit, severity, days, reading, digest, is_episode=True, open_values=open_values,
    )  # fmt: skip
    return now, _alert(episode.first, now, told, setting, evidence)


def fallen(
    first: int, told: ReviewTold, days: Sequence[ReviewDay], episodes: Sequence[Episode],
    setting: Setting,
) -> Telling:  # fmt: skip
    """Tell that days, explained or not, make no such review any more, and what is left of them."""
    were = {day_told.day for day_told in told.days}
    elsewhere = {review_day.day for episode in episodes for review_day in episode.days}
    left = [
        CountedDay(review_day.noted, review_day.mark)
        for review_day in days
        if review_day.day in were and review_day.day not in elsewhere
    ]
    weights = [(counted_day.day, counted_day.weight) for counted_day in left]
    rule = setting.rule
    value = 0 if rule is None else weight_greatest(weights, rule.window_days) // BREACH_WEIGHT
    evidence: dict[str, object] = {
        "days": [_written(counted_day) for counted_day in left[-LISTED_DAYS_MAX:]],
        "breach_days": sum(not counted_day.mark.is_near for counted_day in left),
        "near_days": sum(counted_day.mark.is_near for counted_day in left),
    }
    if were & elsewhere:
        evidence["why"] = "its days are told of in a review with another first day"
    elif rule is None:
        evidence["why"] = "no review is stated for the account any more"
    now = told._replace(
        status=Status.WITHDRAWN, revision=told.revision + 1, value=value,
        days=tuple(DayTold(day, weight, 0) for day, weight in weights), is_episode=False,
        open_values=(),
    )  # fmt: skip
    return now, _alert(first, now, told, setting, evidence)


def _alert(
    first: int, told: ReviewTold, before: ReviewTold | None, setting: Setting,
    evidence: dict[str, object],
) -> Alert:  # fmt: skip
    threshold = review_threshold(told.limit, Severity(told.severity))
    return Alert.of(
        threshold,
        setting.account_id,
        first,
        status=Status(told.status),
        revision=told.revision,
        value=told.value,
        value_before=None if before is None else before.value,
        segment=setting.segment,
        policy_version=setting.policy_version,
        evidence=evidence,
        cause=setting.cause,
    )


def _written(counted_day: CountedDay) -> dict[str, object]:
    mark = counted_day.mark
    return {
        "business_day": day_text(counted_day.day),
        "kind": "near" if mark.is_near else "breach",
        "threshold_id": mark.threshold_id,
        "currency": mark.currency,
        "value": _value_text(mark, mark.value),
        "limit": _value_text(mark, mark.limit),
        "times_limit": ratio_text(mark.value, mark.limit) if mark.limit else None,
    }


def _value_text(mark: Mark, value: int) -> str | int:
    if not mark.is_amount:
        return value
    assert mark.currency is not None
    return amount_text(value, EXPONENT[mark.currency])
