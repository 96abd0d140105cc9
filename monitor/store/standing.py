"""The standing of an alert: what people did with it, and what the machine has said since.

Pure. It follows from the alert's revisions and from people's actions, in whatever order they came:
a store that is made again from the topics comes to the same.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self
from uuid import UUID, uuid5

from monitor.core.alert import Status
from monitor.core.business_day import event_time_of, event_time_text
from monitor.core.table_reader import ProblemsError
from monitor.dispositions.disposition import (
    NOTE_LENGTH_MAX,
    REVISION,
    TEXT_LENGTH_MAX,
    Disposed,
    Disposition,
    is_revision,
)
from monitor.store.programs.actors import accountable

_NAMESPACE: Final = UUID("4a0e1c52-0c5f-5d5b-8f39-3b6a7c1d9e21")
"""Of ids of actions. Never changed: an action that comes twice must have one id."""


class Does(StrEnum):
    """What a person does with an alert."""

    DISPOSE = "dispose"
    PROPOSE = "propose"  # to dispose of it so: a second person decides
    DECLINE = "decline"  # what was proposed
    REOPEN = "reopen"
    ASSIGN = "assign"
    RELEASE = "release"
    SNOOZE = "snooze"
    WAKE = "wake"
    COMMENT = "comment"


class State(StrEnum):
    """How an alert stands with people."""

    OPEN = "open"
    WAITING = "waiting"  # for a second person
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"  # by the policy, as long as nobody has taken it
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"  # by the machine, before anybody had closed it


class ActionError(ProblemsError):
    """Actions that cannot be used."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("actions cannot be used", problems)


class Action(NamedTuple):
    """One thing that a person did with an alert; `at` is in microseconds since 1970 (UTC).

    `revision` is the alert's that the person saw (None: not said). `detail` has what belongs to
    the action: `disposition` and `note`, `assignee`, `until`.
    """

    alert_id: str
    does: Does
    by: str
    at: int
    revision: int | None
    detail: Mapping[str, Any]

    @property
    def action_id(self) -> str:
        """The same for the same action, however often it comes."""
        return str(uuid5(_NAMESPACE, json.dumps(self.fields(), sort_keys=True)))

    def fields(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {
            "alert_id": self.alert_id,
            "action": self.does.value,
            "by": self.by,
            "at": event_time_text(self.at),
            "revision": self.revision,
            **self.detail,
        }

    @classmethod
    def of_disposition(cls, disposed: Disposed) -> Self:
        """Return the action that a disposition is."""
        detail = {"disposition": disposed.disposition.value, "note": disposed.note}
        at, revision = disposed.at, disposed.revision
        return cls(disposed.alert_id, Does.DISPOSE, disposed.by, at, revision, detail)


DETAILS: Final = {
    Does.DISPOSE: ("disposition", "note"),
    Does.PROPOSE: ("disposition", "note"),
    Does.DECLINE: ("note",),
    Does.REOPEN: ("note",),
    Does.ASSIGN: ("assignee",),
    Does.RELEASE: (),
    Does.SNOOZE: ("until", "note"),
    Does.WAKE: (),
    Does.COMMENT: ("note",),
}
"""What belongs to each action."""

NEEDED: Final = {
    ("disposition", Does.DISPOSE),
    ("disposition", Does.PROPOSE),
    ("assignee", Does.ASSIGN),
    ("until", Does.SNOOZE),
    ("note", Does.COMMENT),
}
"""What of it must be there; the rest may be null."""


def action_of(fields: object, where: str = "the action") -> Action:
    """Return the action that a record's fields state; others than these do not matter.

    Raises ActionError with every problem, each with `where` it stands.
    """
    if not isinstance(fields, Mapping):
        raise ActionError([f"{where}: no JSON object"])
    problems: list[str] = []
    alert_id = text_in(fields, "alert_id", TEXT_LENGTH_MAX, problems)
    by = text_in(fields, "by", TEXT_LENGTH_MAX, problems)
    said = fields.get("action")
    if said not in list(Does):
        problems.append(f"action must be one of {', '.join(Does)}, not {said!r}")
    at = time_in(fields, "at", problems)
    revision = fields.get("revision")
    if revision is not None and not is_revision(revision):
        problems.append(f"revision must be {REVISION}, not {repr(revision)[:60]}")
    detail = _detail(fields, Does(str(said)), problems) if said in list(Does) else {}
    if problems:
        raise ActionError([f"{where}: {problem}" for problem in problems])
    return Action(alert_id, Does(str(said)), by, at, revision, detail)


def _detail(fields: Mapping[Any, Any], does: Does, problems: list[str]) -> dict[str, Any]:
    detail: dict[str, Any] = {}
    for name in DETAILS[does]:
        is_needed = (name, does) in NEEDED
        if name == "disposition":
            detail[name] = fields.get(name)
            if detail[name] not in list(Disposition):
                problems.append(f"disposition must be one of {', '.join(Disposition)}")
        elif name == "until":
            time_in(fields, name, problems)
            detail[name] = fields.get(name)
        elif fields.get(name) is None and not is_needed:
            detail[name] = None
        else:
            length_max = NOTE_LENGTH_MAX if name == "note" else TEXT_LENGTH_MAX
            detail[name] = text_in(fields, name, length_max, problems)
    return detail


def time_in(fields: Mapping[Any, Any], name: str, problems: list[str]) -> int:
    """Return a time that fields must have (microseconds since 1970); else add the problem."""
    written = fields.get(name)
    at = event_time_of(written) if isinstance(written, str) else None
    if at is None:
        problems.append(f"{name} must be a time as 2026-01-05T09:00:00Z, not {written!r}")
    return at or 0


def text_in(fields: Mapping[Any, Any], name: str, length_max: int, problems: list[str]) -> str:
    """Return a text that fields must have, of so many characters at most; else add the problem."""
    text = fields.get(name)
    if isinstance(text, str) and text.strip() and len(text) <= length_max:
        return text
    said = "missing" if text is None else repr(text)[:60]
    problems.append(f"{name} must be a text of at most {length_max} characters, not {said}")
    return ""


class Revision(NamedTuple):
    """What a report of an alert says, as far as it matters to whoever closed the alert."""

    number: int
    told_at: int
    status: str
    severity: str
    value: str | None
    is_suppressed: bool = False

    @property
    def substance(self) -> tuple[str, str, str | None]:
        """What makes a closed alert come back if it changes: not the evidence alone."""
        is_withdrawn = Status.WITHDRAWN.value
        status = is_withdrawn if self.status == is_withdrawn else Status.RAISED.value
        return status, self.severity, self.value


class Standing(NamedTuple):
    """How an alert stands. `version` counts people's actions: whoever acts says which they saw."""

    state: State = State.OPEN
    assignee: str | None = None
    disposition: str | None = None
    disposed_by: str | None = None
    is_back: bool = False
    snoozed_until: int | None = None
    version: int = 0


_FREE: Final = frozenset({State.OPEN, State.SNOOZED})
"""States in which nobody has decided anything that outlasts a clock."""


def standing_of(revisions: Sequence[Revision], actions: Iterable[Action]) -> Standing:
    """Return how an alert stands after its revisions and people's actions, each in any order.

    An alert that was closed, and says something else since, is open again, is back, and is assigned
    to whoever closed it. While its last revision is suppressed it does not come back, and one that
    would be open, now or after a snooze, is suppressed, unless somebody has it.
    """
    ordered = sorted(actions, key=lambda action: (action.at, action.action_id))
    standing, closing = Standing(), None
    for action in ordered:
        standing = _after(standing, action)
        if action.does is Does.DISPOSE:
            closing = action
    standing = standing._replace(version=len(ordered))
    last = max(revisions)
    if standing.state is State.CLOSED and closing is not None:
        seen = _seen(revisions, closing)
        is_other = seen is not None and seen.substance != last.substance
        if is_other and not last.is_suppressed:
            assignee = accountable(closing.by)  # a program has no queue of its own
            return standing._replace(state=State.OPEN, is_back=True, assignee=assignee)
    elif last.status == Status.WITHDRAWN.value and standing.state is not State.CLOSED:
        return standing._replace(state=State.WITHDRAWN)
    elif last.is_suppressed and standing.state in _FREE and standing.assignee is None:
        return standing._replace(state=State.SUPPRESSED, snoozed_until=None)
    return standing


def closed_alone(actions: Iterable[Action]) -> Action | None:
    """Return the last closing if nobody else had proposed it so; None if somebody had.

    It counts for an alert that stands closed. A token and its user are one person.
    """
    proposed: Action | None = None
    alone: Action | None = None
    for action in sorted(actions, key=lambda action: (action.at, action.action_id)):
        if action.does is Does.DISPOSE:
            is_second = (
                proposed is not None
                and proposed.detail["disposition"] == action.detail["disposition"]
                and accountable(proposed.by) != accountable(action.by)
            )
            proposed, alone = None, None if is_second else action
        elif action.does is Does.PROPOSE:
            proposed = action
        elif action.does in {Does.DECLINE, Does.REOPEN}:
            proposed, alone = None, None
    return alone


def _seen(revisions: Sequence[Revision], action: Action) -> Revision | None:
    """Return the revision that a person saw: the one they name, or the last one of that time.

    An alert that was reported only afterwards (another clock) was seen as it was first.
    """
    if action.revision is not None:
        before = [revision for revision in revisions if revision.number <= action.revision]
    else:
        before = [revision for revision in revisions if revision.told_at <= action.at]
    return max(before) if before else min(revisions)


def _after(standing: Standing, action: Action) -> Standing:
    match action.does:
        case Does.DISPOSE:
            return standing._replace(
                state=State.CLOSED,
                disposition=action.detail["disposition"],
                disposed_by=action.by,
                snoozed_until=None,
            )
        case Does.PROPOSE:
            return standing._replace(
                state=State.WAITING,
                disposition=action.detail["disposition"],
                disposed_by=action.by,
                snoozed_until=None,
            )
        case Does.DECLINE | Does.REOPEN:
            return standing._replace(
                state=State.OPEN, disposition=None, disposed_by=None, snoozed_until=None
            )
        case Does.ASSIGN:
            return standing._replace(assignee=action.detail["assignee"])
        case Does.RELEASE:
            return standing._replace(assignee=None)
        case Does.SNOOZE if standing.state in {State.OPEN, State.SNOOZED}:
            return standing._replace(
                state=State.SNOOZED, snoozed_until=event_time_of(action.detail["until"])
            )
        case Does.WAKE if standing.state is State.SNOOZED:
            return standing._replace(state=State.OPEN, snoozed_until=None)
        case Does.COMMENT | Does.SNOOZE | Does.WAKE:
            return standing
