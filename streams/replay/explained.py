"""An alert beside what the records give now: the figures, the transactions, and what differs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from monitor.core.alert import Kind
from monitor.explain.comparison import (
    LIMIT_KINDS,
    Figure,
    Part,
    causes_of,
    figures_of,
    moved_note,
    parts_of,
    says_the_same,
    total_text,
)
from monitor.insight.rule_counts import Counted, rule_fields
from streams.replay.rederivation import Chain, Derived
from streams.topics.alert_list import ADDED
from streams.topics.members import IncidentAlerts, incident_fields, member_fields

Told = Mapping[str, Any]


class ExplainError(LookupError):
    """An alert that cannot be explained, for what is not there: the message says what."""


class Explanation(NamedTuple):
    """An alert, what it is derived to be now, and what makes up its value.

    `differs` has a sentence for each thing that is not the same; there is none where all is.
    `notes` say what the answer rests on. `rules` are those that it meets, of dispositions.
    `members` are the account alerts that a systemic alert explains, `incidents` the systemic alerts
    that explain days which a review leaves out, each with the day; both as they were told last.
    """

    told: Told
    now: Told | None
    figures: list[Figure]
    parts: list[Part]
    total: str | int | None
    differs: list[str]
    notes: list[str]
    rules: Sequence[Counted] = ()
    members: Sequence[Told] = ()
    incidents: Sequence[tuple[str, Told]] = ()

    @property
    def is_same(self) -> bool:
        """Whether the records give the same alert."""
        return not self.differs

    def fields(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return {
            "alert_id": self.told["alert_id"],
            "revision": self.told["revision"],
            "same": self.is_same,
            "differs": self.differs,
            "notes": self.notes,
            "figures": [{**figure._asdict(), "same": figure.is_same} for figure in self.figures],
            "transactions": [part.fields() for part in self.parts],
            "total": self.total,
            "rules": [rule_fields(rule) for rule in self.rules],
            "members": [member_fields(member) for member in self.members],
            "incidents": [incident_fields(day, incident) for day, incident in self.incidents],
        }

    def beside(self, incidents: IncidentAlerts, rules: Sequence[Counted]) -> "Explanation":
        """Return it with what other alerts and dispositions say of it."""
        kind = self.told["kind"]
        return self._replace(
            rules=rules,
            members=incidents.members_of(self.told) if kind == Kind.SYSTEMIC.value else (),
            incidents=incidents.leaving_out(self.told) if kind == Kind.REVIEW.value else (),
        )


def chain_of(alerts: Iterable[Told], alert_id: str, revision: int | None) -> Chain:
    """Return what was told of an alert_id, by revision, up to the revision (None: the last one).

    A revision that was told twice (after a crash) is there once; fields that a reader adds to an
    alert are left out. Raises ExplainError if there is none.
    """
    by_revision = {
        alert["revision"]: {name: alert[name] for name in alert if name not in ADDED}
        for alert in alerts
        if alert["alert_id"] == alert_id
    }
    if not by_revision:
        raise ExplainError(f"no alert {alert_id} is there")
    last = max(by_revision) if revision is None else revision
    if last not in by_revision:
        there = ", ".join(map(str, sorted(by_revision)))
        raise ExplainError(f"alert {alert_id} has no revision {last}: there is {there}")
    return [by_revision[number] for number in sorted(by_revision) if number <= last]


def explanation_or_raise(answer: Explanation | ExplainError) -> Explanation:
    """Return an explanation. Raises the error that is there in place of one."""
    if isinstance(answer, ExplainError):
        raise answer
    return answer


def explanation_of(derived: Derived, notes: Sequence[str]) -> Explanation:
    """Return what a derivation came to, with the figures side by side."""
    told, now = derived.told, derived.now
    figures = figures_of(told, now)
    parts: list[Part] = []
    if told["account_id"] is not None:
        offset_last = None if now is None else now["offset"]
        parts = parts_of(now or told, derived.taken, derived.calendar, offset_last, derived.policy)
    if now is not None and _is_before_its_record(now, parts):
        parts.pop()
        notes = [*notes, "the record that told it named another segment: its amount came after"]
    total = total_text(told, parts) if told["kind"] in LIMIT_KINDS else None
    if now is None:
        differs = [_not_told(derived, total)]
    elif derived.may_move and says_the_same(told, now):
        differs = []
        notes = [*notes, *filter(None, [moved_note(told, now)])]
    else:
        differs = causes_of(figures)
        if total is not None and total != now["value"]:
            differs.append(f"the transactions add up to {total}, the engine told {now['value']}")
    return Explanation(told, now, figures, parts, total, differs, list(notes))


def _is_before_its_record(now: Mapping[str, Any], parts: Sequence[Part]) -> bool:
    """Return whether an alert's value lacks the very record that told it.

    A record that names another segment is decided on twice: first the day as it stood, by the
    limits of the new segment, then with the record's own amount.
    """
    return (
        now["kind"] in LIMIT_KINDS
        and bool(parts)
        and parts[-1].offset == now["offset"]
        and total_text(now, parts) != now["value"] == total_text(now, parts[:-1])
    )


def _not_told(derived: Derived, total: str | int | None) -> str:
    told = derived.told
    if told["kind"] == Kind.SYSTEMIC.value:
        return f"the records tell no such alert up to business day {told['business_day']}"
    if total is None:
        return (
            f"the records tell no such alert up to partition {told['partition']},"
            f" offset {told['offset']}"
        )
    end = "as its day closed" if derived.is_closed else "at the end of the records"
    return (
        f"the records tell no such alert: {end} the value is {total}; the limit {told['limit']} was"
        f" exceeded by {told['value']}"
    )
