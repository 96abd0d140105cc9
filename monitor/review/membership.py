"""Account alerts that a systemic alert explains: its members. The two alerts alone say so.

Pure, and the only place that decides it: reviews leave out members' days by it, the systemic side
counts by it (`grouped`), and whoever has both alerts of the topics asks `is_member`.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from monitor.core.alert import LIMIT_KINDS, Status
from monitor.core.business_day import day_of_text
from monitor.core.transaction import Origin

UNDECIDED: Final = "undecided"
"""The verdict that explains nothing."""


class DayExplanation(NamedTuple):
    """What an incident explains on one of its days.

    With a `threshold_id`: account-days over that limit in `segment` (None: those without one). Else
    `cause`, a place in `Origin` and a value: account-days over any limit for many accounts whose
    tipping transaction has it. `absent` partitions were not counted on the day: they have no
    members.
    """

    incident_id: str
    threshold_id: str | None
    segment: str | None
    cause: tuple[int, str] | None
    absent: tuple[int, ...] = ()

    def has(
        self, partition: int, segment: str | None, threshold_id: str, origin: Origin | None
    ) -> bool:
        """Return whether an account-day over a limit is a member."""
        if partition in self.absent:
            return False
        if self.threshold_id is not None:
            return self.threshold_id == threshold_id and self.segment == segment
        if self.cause is None or origin is None:
            return False
        place, value = self.cause
        return origin[place] == value


class Verdicts:
    """What the systemic side has decided: up to which business day, and what explains which day.

    `decided` is the last day that it has decided (0: none). `by_day` has the explanations of each
    day that has any, in the order of their incidents' ids.
    """

    __slots__ = ("by_day", "decided")

    def __init__(
        self, decided: int = 0, explained: Iterable[tuple[int, DayExplanation]] = ()
    ) -> None:
        by_day: dict[int, list[DayExplanation]] = {}
        for day, explanation in explained:
            by_day.setdefault(day, []).append(explanation)
        self.decided = decided
        self.by_day = {
            day: tuple(sorted(incidents, key=_by_id)) for day, incidents in by_day.items()
        }

    def days_that_differ(self, other: "Verdicts") -> list[int]:
        """Return the days that another explains otherwise, in order."""
        days = self.by_day.keys() | other.by_day.keys()
        return sorted(day for day in days if self.by_day.get(day) != other.by_day.get(day))


NO_VERDICTS: Final = Verdicts()
"""Before anything was decided."""


class Explanations:
    """What systemic alerts explain, by the latest revision of each; nothing else of them is kept.

    They are followed for years, and most of those that are raised explain nothing in the end.
    """

    def __init__(self) -> None:
        self._of_incident: dict[str, tuple[tuple[int, DayExplanation], ...]] = {}

    def __len__(self) -> int:
        """Return how many incidents explain anything."""
        return len(self._of_incident)

    def take(self, fields: Mapping[str, Any]) -> None:
        """Take a further revision of a systemic alert, as fields that are written."""
        explained = tuple(explanations_of(fields))
        if explained:
            self._of_incident[fields["alert_id"]] = explained
        else:
            self._of_incident.pop(fields["alert_id"], None)

    def verdicts(self, decided: int) -> Verdicts:
        """Return them with the last business day that was decided."""
        return Verdicts(decided, chain.from_iterable(self._of_incident.values()))


def explanations_of(fields: Mapping[str, Any]) -> Iterable[tuple[int, DayExplanation]]:
    """Yield each day that a systemic alert explains, and what it explains then.

    One that is withdrawn, that is `undecided`, or that groups nothing explains nothing.
    """
    if (
        fields["status"] == Status.WITHDRAWN.value
        or fields["verdict"] == UNDECIDED
        or not fields["grouped"]
    ):
        return
    threshold_id, cause = fields["threshold_id"], fields["cause"]
    place = None
    if threshold_id is None:
        if cause is None:
            return
        place = Origin._fields.index(cause["type"]), cause["value"]
    absent = {
        absent_day["business_day"]: absent_day["partitions"]
        for absent_day in fields["evidence"].get("absent", ())
    }
    for day in fields["evidence"]["days"]:
        yield (
            day_of_text(day),
            DayExplanation(
                fields["alert_id"], threshold_id, fields["segment"], place,
                tuple(absent.get(day, ())),
            ),
        )  # fmt: skip


def is_member(systemic_alert: Mapping[str, Any], account_alert: Mapping[str, Any]) -> bool:
    """Return whether a systemic alert explains an account's alert of a limit.

    Both are the fields as they stand on the alerts topic, each of the latest revision. An alert
    that is withdrawn is a member of nothing, nor is one of another kind (an outlier, a review).
    """
    if account_alert["kind"] not in LIMIT_KINDS:
        return False
    if account_alert["status"] == Status.WITHDRAWN.value:
        return False
    day = day_of_text(account_alert["business_day"])
    named = account_alert["evidence"].get("origin")
    origin = None if named is None else Origin(*map(named.get, Origin._fields))
    return any(
        explanation.has(
            account_alert["partition"], account_alert["segment"], account_alert["threshold_id"],
            origin,
        )
        for of_day, explanation in explanations_of(systemic_alert)
        if of_day == day
    )  # fmt: skip


def _by_id(explanation: DayExplanation) -> str:
    return explanation.incident_id
