"""Alerts of a limit on an account-day: raised once, restated or withdrawn later."""

from collections.abc import Iterator

from monitor.core.account import Account, AccountDay, Told
from monitor.core.alert import Alert, Cause, Status, evidence_of, origin_fields
from monitor.core.threshold import LimitSet, Threshold, scope_of
from monitor.policy.policy import Policy, PolicyBook, threshold_of


def tell(
    account: Account,
    account_day: AccountDay,
    threshold: Threshold,
    policy: Policy,
    cause: Cause,
    *,
    is_moved: bool = False,
) -> Alert | None:
    """Tell how a threshold stands on an account-day, where that differs from what was told last.

    Over the limit and not told, or withdrawn: raised. Over it, and the value, the limit or (if it
    `is_moved`) the segment is not what was told: restated. Told, and no longer over it: withdrawn.
    The account-day keeps it.
    """
    value = threshold.value_of(account_day)
    told = account_day.told.get(threshold.threshold_id)
    stands = told is not None and told.status != Status.WITHDRAWN
    if value > threshold.above:
        was = told is not None and (told.value, told.limit)
        if stands and was == (value, threshold.above) and not is_moved:
            return None
        status = Status.RESTATED if stands else Status.RAISED
    elif stands:
        status = Status.WITHDRAWN
    else:
        return None
    revision = 1 if told is None else told.revision + 1
    origin = told.origin if told is not None and stands else cause.origin
    if threshold.account_id is not None:
        origin = None  # a limit for one account says nothing of many: it has no common cause
    account_day.note(threshold.threshold_id, Told(status, revision, value, threshold.above, origin))
    return Alert.of(
        threshold,
        account.account_id,
        account_day.day,
        status=status,
        revision=revision,
        value=value,
        value_before=None if told is None else told.value,
        segment=account_day.segment,
        policy_version=policy.version,
        evidence=evidence_of(account_day, threshold, value) | origin_fields(origin),
        cause=cause,
    )


def retell(  # noqa: PLR0913 - what decides, each by itself
    account: Account, account_day: AccountDay, limits: LimitSet, policies: PolicyBook,
    policy: Policy, cause: Cause, *, is_moved: bool = False,
) -> Iterator[Alert]:  # fmt: skip
    """Tell an account-day anew after the limits that decide for it have changed.

    What was told of a limit that no longer decides is withdrawn (`policies` are searched for it,
    the deciding one first); what stands under the limits that do is told where it differs, and if
    the account-day `is_moved` to another segment, since an alert names its segment.
    """
    deciding = limits.deciding(*scope_of(account_day))
    names = {threshold.threshold_id for threshold in deciding}
    for threshold_id, told in tuple(account_day.told.items()):
        if threshold_id in names or told.status == Status.WITHDRAWN:
            continue
        threshold = threshold_of(threshold_id, policies, policy)
        value = threshold.value_of(account_day)
        account_day.note(threshold_id, Told(Status.WITHDRAWN, told.revision + 1, value, told.limit))
        yield Alert.of(
            threshold,
            account.account_id,
            account_day.day,
            status=Status.WITHDRAWN,
            revision=told.revision + 1,
            value=value,
            value_before=told.value,
            segment=account_day.segment,
            policy_version=policy.version,
            evidence={**evidence_of(account_day, threshold, value), "why": "another limit decides"},
            cause=cause,
        )
    for threshold in deciding:
        stood = account_day.told.get(threshold.threshold_id)
        if (
            stood is not None
            and stood.status != Status.WITHDRAWN
            and stood.limit == threshold.above
            and not is_moved
        ):
            continue  # the limit is the same: growth within the day is not told again
        alert = tell(account, account_day, threshold, policy, cause, is_moved=is_moved)
        if alert is not None:
            yield alert
