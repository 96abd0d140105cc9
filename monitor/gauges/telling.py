"""The alert of a limit on a gauge: what was measured, over which period, of which transactions."""

from collections.abc import Sequence
from typing import Final

from monitor.core.account import AccountDay
from monitor.core.alert import (
    Alert,
    Cause,
    Kind,
    Status,
    id_of,
    origin_fields,
    ratio_text,
    written,
)
from monitor.core.business_day import Calendar, day_text, event_time_text
from monitor.core.gauged import GaugeTold, NearDay, Share, UsualDays
from monitor.core.money import EXPONENT, amount_text
from monitor.core.names import NameList
from monitor.core.threshold import Severity
from monitor.gauges.conversion import ConvertedSum
from monitor.gauges.gauge import Gauge
from monitor.gauges.limit import GaugeLimit
from monitor.gauges.period import NearSums
from monitor.gauges.where import GaugeFilter

_MINUTES: Final = 60

EVERY_CURRENCY: Final = "*"
"""As which currency an alert has all, which are converted to its own."""

NAMES_SAID: Final = 20
"""Names of a part of a filter that an alert lists: of more it has how many, and their SHA-256."""


def period_alert(  # noqa: PLR0913, PLR0917 - what an alert states
    limit: GaugeLimit,
    per: str,
    at: int,
    day: int,
    told: GaugeTold,
    value_before: int | None,
    account_day: AccountDay,
    policy_version: int,
    cause: Cause,
    calendar: Calendar,
    why: str | None = None,
    converted: ConvertedSum | None = None,
) -> Alert:
    """Return the alert of a limit on a period of a gauge.

    The period begins with a business day, or is the window that ends `at` an event time; `day` is
    its business day. `told` is what is told now, and `per` whose part it is of. `why` it is
    withdrawn is said where its value is over the limit all the same; `converted` is how its value
    is made up, where it is of all currencies.
    """
    account_id = account_day.account.account_id
    threshold = limit.threshold._replace(above=told.limit, severity=Severity(told.severity))
    is_rolling = limit.gauge.period.is_rolling
    began = event_time_text(at) if is_rolling else day_text(day)
    evidence: dict[str, object] = {"measured": measured_fields(limit.gauge, at, per, calendar)}
    if why is not None:
        evidence["why"] = why
    is_after_activity = limit.gauge.silence is not None and not told.active
    if is_after_activity:
        evidence["why"] = "no silence is before this day any more"
    elif told.value > told.limit:
        evidence["over_by"] = written(threshold, told.value - told.limit)
    if told.limit > 0 and not is_after_activity:
        evidence["times_limit"] = ratio_text(told.value, told.limit)
    if told.active:
        evidence["active_before"] = day_text(told.active)
    evidence |= _relative_fields(limit, told)
    if converted is not None:
        evidence["converted"] = converted.fields()
    if limit.threshold.account_id is None:
        evidence |= origin_fields(told.origin)
    return Alert(
        id_of(Kind.LIMIT, limit.limit_id, limit.gauge.name, account_id, began, per),
        told.revision,
        Kind.LIMIT,
        Status(told.status),
        threshold,
        account_id,
        day,
        told.value,
        value_before,
        account_day.segment,
        policy_version,
        evidence,
        cause,
    )


def _relative_fields(limit: GaugeLimit, told: GaugeTold) -> dict[str, object]:
    """Return of what a share or a ratio is, or which days are near, and why it does not stand."""
    fields: dict[str, object] = {}
    share, usual, least = told.share, told.usual, limit.least_whole
    if (share is not None and share.whole < least) or (usual is not None and usual.amount < least):
        fields["why"] = (
            f"the sum is smaller than the least one of which a {limit.gauge.measure.value} is told"
        )
    elif limit.gauge.usual is not None and usual is None:
        fields["why"] = "there are too few days before this one for a usual"
    elif limit.gauge.days_near and not told.near:
        fields["why"] = "the sum of the day is not near any more"
    if share is not None:
        fields["share"] = share_fields(limit.gauge, share)
    if usual is not None:
        fields["usual"] = usual_fields(limit.gauge, usual)
    if told.near:
        fields["near"] = [near_fields(limit.gauge, each) for each in told.near]
    return fields


def measured_fields(gauge: Gauge, at: int, per: str, calendar: Calendar) -> dict[str, object]:
    """Return what a gauge measured as it is written: `from` and `to` are event times in UTC.

    A transaction at `from` belongs to it unless it is a window, and one at `to` if it is one. With
    a filter by holidays, those of the days in between are said.
    """
    if gauge.period.is_rolling:
        begin, end = at - gauge.period.length, at
        first, last = calendar.day_of(begin + 1), calendar.day_of(end)
    else:
        first, last = gauge.period.days_of(at)
        first -= gauge.days_near
        begin, end = calendar.start_of(first), calendar.end_of(last)
    fields: dict[str, object] = {
        "measure": gauge.measure.value,
        "period": gauge.period.text,
        "from": event_time_text(begin),
        "to": event_time_text(end),
    }
    if gauge.base is not None:
        fields["currency"] = EVERY_CURRENCY
    if gauge.distinct is not None:
        fields["of"] = gauge.distinct.value
    if gauge.usual is not None:
        fields["usual"] = gauge.usual.days
    if gauge.near is not None:
        fields["near"] = near_range(gauge, gauge.near)
    if gauge.silence is not None:
        fields["silent"] = gauge.silence.text
    if gauge.per is not None:
        fields["per"] = {gauge.per.value: per}
    where = where_fields(gauge.where, gauge.currency)
    if where:
        fields["where"] = where
    if gauge.where.is_holiday is not None:
        fields["holidays"] = [day_text(day) for day in gauge.where.holidays_of(first, last)]
    return fields


def share_fields(gauge: Gauge, share: Share) -> dict[str, object]:
    """Return whose share of a sum it is, and both amounts as text."""
    assert gauge.distinct is not None, "it says whose share"
    assert gauge.currency is not None, "a share is of amounts"
    part, whole = (amount_text(minor, EXPONENT[gauge.currency]) for minor in share[1:])
    return {gauge.distinct.value: share.whose, "amount": part, "of": whole}


def usual_fields(gauge: Gauge, usual: UsualDays) -> dict[str, object]:
    """Return the sum of a day, and the days of which its usual is, with their mean as text.

    The mean is rounded half up to the currency's decimals: what is compared is not.
    """
    assert gauge.usual is not None, "it says of how many days"
    assert gauge.currency is not None, "a ratio is of amounts"
    days, exponent = gauge.usual.days, EXPONENT[gauge.currency]
    return {
        "amount": amount_text(usual.amount, exponent),
        "days": days,
        "from": day_text(usual.first),
        "to": day_text(usual.last),
        "sum": amount_text(usual.total, exponent),
        "mean": amount_text((2 * usual.total + days) // (2 * days), exponent),
    }


def near_range(gauge: Gauge, near: NearSums) -> dict[str, object]:
    """Return which sums of a day are near, as text; `days` is left out where a period says it."""
    assert gauge.currency is not None, "sums are of amounts"
    low, high = (amount_text(minor, EXPONENT[gauge.currency]) for minor in near[:2])
    days = {"days": near.days} if near.days else {}
    return {"from": low, "to": high, **days}


def near_fields(gauge: Gauge, near: NearDay) -> dict[str, object]:
    """Return a day whose sum is near a limit, and that sum as text."""
    assert gauge.currency is not None, "sums are of amounts"
    return {
        "business_day": day_text(near.day),
        "amount": amount_text(near.amount, EXPONENT[gauge.currency]),
    }


def where_fields(where: GaugeFilter, currency: str | None) -> dict[str, object]:
    """Return a filter as a policy states it; of more than `NAMES_SAID` names their digest."""
    names = {
        "channel": where.channel,
        "counterparty": where.counterparty,
        "counterparty_institution": where.institution,
        "counterparty_institution_country": where.country,
        "branch": where.branch,
    }
    fields: dict[str, object] = {key: _said(of_key) for key, of_key in names.items() if of_key}
    amounts = {"from": where.amount_from, "to": where.amount_to, "multiple_of": where.multiple_of}
    stated = {key: minor for key, minor in amounts.items() if minor is not None}
    if stated:
        assert currency is not None, "amounts are filtered in a currency"
        fields["amount"] = {
            key: amount_text(minor, EXPONENT[currency]) for key, minor in stated.items()
        }
    if where.hours is not None:
        begin, end = map(_time_text, where.hours)
        fields["hours"] = f"{begin}-{end}"
    if where.is_weekend is not None:
        fields["weekend"] = where.is_weekend
    if where.new_within is not None:
        fields["counterparty_new"] = f"{where.new_within}d"
    if where.is_holiday is not None:
        fields["holiday"] = where.is_holiday
    if where.counterparty_in is not None:
        fields["counterparty_in"] = where.counterparty_in.name
    return fields


def _said(names: Sequence[str]) -> object:
    if len(names) <= NAMES_SAID:
        return list(names)
    return {"names": len(names), "sha256": NameList("", names).digest}


def _time_text(minute: int) -> str:
    return f"{minute // _MINUTES:02d}:{minute % _MINUTES:02d}"
