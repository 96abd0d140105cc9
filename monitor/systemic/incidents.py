"""Incidents that are open: each a notice that grows, and that is closed when it has been quiet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from monitor.core.alert import Status
from monitor.core.business_day import day_text
from monitor.policy.systemic import LASTING_DAYS, QUIET_DAYS
from monitor.systemic.alert import DecidedBy, Member, SystemicCause, SystemicNotice, Verdict
from monitor.systemic.verdict import Decision

MEMBERS_MAX: Final = 100
"""Members of an incident that are named; whoever wants all asks of each alert whether it is one."""

_NAMESPACE: Final = UUID("b8a1f4de-55a0-5e0d-8b53-0a4f6b4a9d27")
"""Of systemic ids. Never changed: a replay years later must give the same ids."""


class Key(NamedTuple):
    """What an incident is about; `about` is a limit's id, "hot", or what a cause or fault is of."""

    sort: str
    segment: str | None
    about: str

    @property
    def order(self) -> tuple[str, str, str]:
        """What keys are sorted by: those of no segment come first."""
        return self.sort, self.segment or "", self.about


class Alarm(NamedTuple):
    """What one day says of an incident.

    `grouped` has the days that it is about, and the account-days over limits that it stands for
    (counted for each limit); `members` are some of them, by their days.
    """

    decision: Decision
    threshold_id: str | None
    grouped: Mapping[int, int]
    members: Mapping[int, Sequence[Member]] = {}


class Incidents:
    """The open incidents of all segments, by what they are about."""

    def __init__(self, state: list[dict[str, Any]] | None = None) -> None:
        self._open: dict[Key, SystemicNotice] = {
            Key(*item["key"]): _notice(item["notice"]) for item in state or ()
        }

    def dump(self) -> list[dict[str, Any]]:
        """Return its state, as JSON has it."""
        return [
            {"key": list(key), "notice": notice._asdict()}
            for key, notice in sorted(self._open.items(), key=lambda item: item[0].order)
        ]

    def notices(self) -> list[SystemicNotice]:
        """Return the latest of every open incident."""
        return [notice for _, notice in sorted(self._open.items(), key=lambda i: i[0].order)]

    def get(self, key: Key) -> SystemicNotice | None:
        """Return the latest of an open incident."""
        return self._open.get(key)

    def open_keys(self) -> list[Key]:
        """Return what the open incidents are about."""
        return sorted(self._open, key=lambda key: key.order)

    def close_quiet(self, day: int) -> dict[Key, SystemicNotice]:
        """Close the incidents that have been quiet for too long before a day; return them."""
        quiet = [key for key in self.open_keys() if day - self._open[key].business_day > QUIET_DAYS]
        return {key: self._open.pop(key) for key in quiet}

    def has_lasted(self, key: Key, day: int) -> bool:
        """Return whether an incident has lasted for so long that it is the new usual."""
        known = self._open.get(key)
        return known is not None and day - known.days[0] >= LASTING_DAYS

    def close(self, key: Key) -> None:
        """Close an incident."""
        del self._open[key]

    def take(self, key: Key, day: int, alarm: Alarm) -> SystemicNotice:
        """Open an incident, or let it grow; return what is to be told.

        One that is undecided explains nothing, so it groups nothing; what it would group is kept,
        because it may be decided on a day to come.
        """
        known = self._open.get(key)
        decision = alarm.decision
        known_days = set(known.days) if known else set()
        new = {
            grouped_day for grouped_day in alarm.grouped if day - grouped_day < LASTING_DAYS
        } - known_days
        days = tuple(sorted(known_days | new))
        counted = (known.counted if known else 0) + sum(alarm.grouped[new_day] for new_day in new)
        members = {member for of_day in new for member in alarm.members.get(of_day, ())}
        members.update(known.members if known else ())
        notice = SystemicNotice(
            systemic_id=known.systemic_id if known else systemic_id(key, day),
            revision=known.revision + 1 if known else 1,
            status=Status.RESTATED if known else Status.RAISED,
            verdict=decision.verdict,
            business_day=day,
            segment=key.segment,
            threshold_id=alarm.threshold_id,
            cause=decision.cause,
            limit_ratio=decision.limit_ratio,
            suggested_limit=decision.suggested_limit,
            decided_by=decision.decided_by,
            days=days,
            grouped=0 if decision.verdict == Verdict.UNDECIDED else counted,
            counted=counted,
            members=tuple(sorted(members)[:MEMBERS_MAX]),
            evidence={**decision.evidence, "days": [day_text(listed_day) for listed_day in days]},
        )
        self._open[key] = notice
        return notice


def systemic_id(key: Key, day_first: int) -> str:
    """Return the id of an incident: the same for what it is about and the day it was first told.

    A UUID of version 5 over all of it, each part with its length before it.
    """
    parts = ("systemic", key.sort, key.segment or "", key.about, day_text(day_first))
    return str(uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))


def _notice(fields: Mapping[str, Any]) -> SystemicNotice:
    cause = fields["cause"]
    return SystemicNotice(**{
        **fields,
        "status": Status(fields["status"]),
        "verdict": Verdict(fields["verdict"]),
        "cause": None if cause is None else SystemicCause(*cause),
        "decided_by": DecidedBy(*fields["decided_by"]),
        "days": tuple(fields["days"]),
        "members": tuple(Member(*member) for member in fields["members"]),
    })  # fmt: skip
