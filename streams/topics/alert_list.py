"""Alerts as a reader lists them: chosen, in order, with when each was told and what was made of it.

`told_at` is when the worker reported an alert: the timestamp of its record on the topic. It is no
field of the record itself, because the monitor has no clock: a replay of the same transactions
writes the same bytes, and would have to make a time up.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Final, NamedTuple

from monitor.core.business_day import MICROSECONDS, event_time_of, event_time_text
from monitor.dispositions.disposition import Disposed, holding, in_order

Written = Mapping[str, Any]
"""An alert as it is written, and perhaps with fields that a reader adds."""

TOLD_AT: Final = "told_at"
ADDED: Final = (TOLD_AT, "disposition", "dispositions", "rules")
"""Fields that a reader adds to an alert; its record and a replay's file have none of them."""

_MILLISECOND: Final = MICROSECONDS // 1000
_DIGITS: Final = re.compile(r"([0-9]+)")


class AlertListError(ValueError):
    """A choice of alerts that cannot be made: the message says why."""


class Sort(StrEnum):
    """The order in which alerts are listed."""

    TOLD = "told"
    DAY = "day"
    ACCOUNT = "account"


class Choice(NamedTuple):
    """Which alerts are wanted: those that every part allows; None and empty allow all.

    `since` is the earliest time of telling, in microseconds since 1970. `day` is a business day and
    `told_day` a day of telling in UTC, both as YYYY-MM-DD. `is_open`: nobody disposed of it.
    """

    account: str | None = None
    day: str | None = None
    since: int | None = None
    told_day: str | None = None
    kinds: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    is_open: bool = False

    @property
    def needs_told_at(self) -> bool:
        """Whether it asks when alerts were told."""
        return self.since is not None or self.told_day is not None

    def has(self, alert: Written) -> bool:
        """Return whether an alert is wanted.

        Raises AlertListError if it is asked when the alert was told, and nothing says so.
        """
        told_at = alert.get(TOLD_AT)
        if self.needs_told_at and told_at is None:
            raise AlertListError(
                f"alert {alert['alert_id']} does not say when it was told, as those of a replay do"
                " not: choose by --day, the business day, instead of --since and --told-day"
            )
        return (
            self.account in (None, alert["account_id"])
            and self.day in (None, alert["business_day"])
            and self.told_day in (None, str(told_at)[: len("2026-01-05")])
            and (self.since is None or (event_time_of(str(told_at)) or 0) >= self.since)
            and (not self.kinds or alert["kind"] in self.kinds)
            and (not self.statuses or alert["status"] in self.statuses)
            and not (self.is_open and alert.get("disposition"))
        )


def day_stated(text: str | None, option: str) -> str | None:
    """Return a day as YYYY-MM-DD. Raises AlertListError if a text is none."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or day.isoformat() != text.strip():
        raise AlertListError(f"{option} must be a day as YYYY-MM-DD, not {text[:40]!r}")
    return day.isoformat()


def time_stated(text: str | None, option: str) -> int | None:
    """Return a time, or the beginning of a day in UTC, in microseconds since 1970.

    Raises AlertListError if a text is neither.
    """
    if text is None:
        return None
    stated = text.strip()
    at = event_time_of(stated)
    if at is None:
        try:
            at = event_time_of(f"{day_stated(stated, option)}T00:00:00Z")
        except AlertListError:
            at = None
    if at is None:
        raise AlertListError(
            f"{option} must be a day as YYYY-MM-DD (in UTC), or a time with an offset as"
            f" 2026-01-05T09:00:00Z, not {text[:40]!r}"
        )
    return at


def with_told_at(alert: dict[str, Any], timestamp: int) -> dict[str, Any]:
    """Return an alert with when it was told: its record's timestamp, in milliseconds since 1970."""
    return {**alert, TOLD_AT: event_time_text(timestamp * _MILLISECOND)}


class Dispositions:
    """What was made of alerts, by their ids: everything that was said, and what holds."""

    def __init__(self, disposed: Sequence[Disposed]) -> None:
        self.all = in_order(disposed)
        self._by_id: dict[str, list[Disposed]] = {}
        for disposition in self.all:
            self._by_id.setdefault(disposition.alert_id, []).append(disposition)
        self._held = holding(self.all)

    def of(self, alert_id: str) -> Sequence[Disposed]:
        """Return what was said of an alert, the latest last."""
        return self._by_id.get(alert_id, ())

    def holds(self, disposed: Disposed) -> bool:
        """Return whether a disposition is the one of its alert that holds."""
        return self._held[disposed.alert_id] == disposed

    def beside(self, alert: dict[str, Any]) -> dict[str, Any]:
        """Return an alert with the disposition that holds (None: there is none), and with all."""
        held = self._held.get(alert["alert_id"])
        return {
            **alert,
            "disposition": None if held is None else _said(held),
            "dispositions": [_said(disposed) for disposed in self.of(alert["alert_id"])],
        }


def _said(disposed: Disposed) -> dict[str, object]:
    fields = disposed.fields()
    del fields["alert_id"]
    return fields


def told_once(alerts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return alerts without repetitions, as after a crash: the first telling of a revision."""
    once: dict[tuple[str, int], dict[str, Any]] = {}
    for alert in alerts:
        once.setdefault((alert["alert_id"], alert["revision"]), alert)
    return list(once.values())


def in_list_order(alerts: Iterable[dict[str, Any]], sort: Sort | None) -> list[dict[str, Any]]:
    """Return alerts sorted; without a `sort`, by when they were told if all say so, else by day.

    Ids are in their natural order, A2 before A10, and revisions of an alert in theirs.
    Raises AlertListError if they are to be sorted by when they were told, and one does not say.
    """
    listed = list(alerts)
    says_when = all(alert.get(TOLD_AT) is not None for alert in listed)
    if sort is Sort.TOLD and not says_when:
        raise AlertListError("these alerts do not say when they were told: sort them by day")
    by = sort or (Sort.TOLD if says_when else Sort.DAY)
    return sorted(listed, key=lambda alert: _rank(alert, by))


def _rank(alert: Written, by: Sort) -> tuple[object, ...]:
    whose = alert["account_id"] or alert["segment"] or ""
    within = (alert["business_day"], natural(whose), alert["threshold_id"] or "")
    last = (alert["alert_id"], alert["revision"])
    if by is Sort.TOLD:
        return (event_time_of(alert[TOLD_AT]) or 0, *within, *last)
    if by is Sort.ACCOUNT:
        return (natural(whose), alert["business_day"], alert["threshold_id"] or "", *last)
    return (*within, *last)


def natural(text: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return what texts are sorted by in the order of a person: A2 before A10."""
    ranks = []
    for at, part in enumerate(_DIGITS.split(text)):
        if at % 2:
            number = part.lstrip("0")  # never an int: a text may have more digits than one takes
            ranks.append((0, len(number), number))
        elif part:
            ranks.append((1, 0, part))
    return tuple(ranks), text


def times_limit(alert: Written) -> float:
    """Return how many times its limit a day was; 0 where that cannot be said."""
    return float(alert["evidence"].get("times_limit", 0))
