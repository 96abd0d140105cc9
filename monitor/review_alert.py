"""The alerts that tell of a review: raised, restated as it grows, withdrawn where it falls away."""

from collections.abc import Sequence
from typing import NamedTuple

from monitor.core.account import Account
from monitor.core.alert import Alert, Cause, Kind, Status, alert_id, ratio_text
from monitor.core.business_day import day_text
from monitor.core.money import EXPONENT, amount_text
from monitor.core.noted_day import Mark, Review, ReviewTold
from monitor.core.threshold import Severity
from monitor.episodes import CountedDay, Episode, value_greatest
from monitor.reading import reading_of
from monitor.review_rule import ReviewRule, review_threshold


class Setting(NamedTuple):
    """What the alerts of one recount share: why there is one, and what its latest day is of."""

    cause: Cause
    segment: str | None
    policy_version: int
    rule: ReviewRule | None
    grouped: frozenset[int]  # days of the account that do not count


def told_anew(
    account: Account, episode: Episode, setting: Setting, *, is_at_close: bool
) -> Alert | None:
    """Tell of a review where its days differ from what was told last; the account keeps it.

    At the close of a day, also where its reading differs: all of the day is known then.
    """
    assert setting.rule is not None, "a review is by a rule"
    review = _review_of(account)
    told = review.told.get(episode.first)
    days = tuple((of.day, of.mark.is_near) for of in episode.days)
    stands = told is not None and told.status != Status.WITHDRAWN
    if told is not None and stands and told.days == days and not is_at_close:
        return None
    reading, reasons = reading_of(episode.days)
    if told is not None and stands and (told.days, told.reading) == (days, reading.value):
        return None
    limit, severity = setting.rule.threshold.above, setting.rule.threshold.severity
    revision = 1 if told is None else told.revision + 1
    status = Status.RESTATED if stands else Status.RAISED
    review.told[episode.first] = ReviewTold(
        status, revision, episode.value, limit, severity, days, reading.value
    )
    evidence: dict[str, object] = {
        "days": [_written(of) for of in episode.days],
        "breach_days": episode.breach_days,
        "near_days": episode.near_days,
        "window_days": setting.rule.window_days,
        "reading": reading.value,
        "reasons": reasons,
    }
    if setting.grouped:
        evidence["grouped_days"] = [day_text(day) for day in sorted(setting.grouped)]
    before = None if told is None else told.value
    now = review.told[episode.first]
    return _alert(account, episode.first, now, before, setting, evidence)


def withdrawn(
    account: Account, first: int, days: Sequence[CountedDay], episodes: Sequence[Episode],
    setting: Setting,
) -> Alert:  # fmt: skip
    """Tell that a review does not stand any more, with what is left of its days, and why."""
    review = _review_of(account)
    told = review.told[first]
    were = {day for day, _ in told.days}
    elsewhere = {of.day for episode in episodes for of in episode.days}
    left = [of for of in days if of.day in were and of.day not in elsewhere]
    value = 0 if setting.rule is None else value_greatest(left, setting.rule)
    evidence: dict[str, object] = {
        "days": [_written(of) for of in left],
        "breach_days": sum(not of.mark.is_near for of in left),
        "near_days": sum(of.mark.is_near for of in left),
    }
    if were & elsewhere:
        evidence["why"] = "its days are told of in a review with another first day"
    elif were & setting.grouped:
        evidence["why"] = "days that a systemic alert explains do not count"
        evidence["grouped_days"] = [day_text(day) for day in sorted(were & setting.grouped)]
    elif setting.rule is None:
        evidence["why"] = "no review is stated for the account any more"
    now = told._replace(
        status=Status.WITHDRAWN, revision=told.revision + 1, value=value,
        days=tuple((of.day, of.mark.is_near) for of in left),
    )  # fmt: skip
    review.told[first] = now
    return _alert(account, first, now, told.value, setting, evidence)


def _review_of(account: Account) -> Review:
    if account.review is None:
        account.review = Review()
    return account.review


def _alert(
    account: Account, first: int, told: ReviewTold, before: int | None, setting: Setting,
    evidence: dict[str, object],
) -> Alert:  # fmt: skip
    threshold = review_threshold(told.limit, Severity(told.severity))
    return Alert(
        alert_id=alert_id(threshold, account.account_id, first),
        revision=told.revision,
        kind=Kind.REVIEW,
        status=Status(told.status),
        threshold=threshold,
        account_id=account.account_id,
        business_day=first,
        value=told.value,
        value_before=before,
        segment=setting.segment,
        policy_version=setting.policy_version,
        evidence=evidence,
        cause=setting.cause,
    )


def _written(of: CountedDay) -> dict[str, object]:
    mark = of.mark
    return {
        "business_day": day_text(of.day),
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
