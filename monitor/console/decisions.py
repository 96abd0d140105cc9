"""Decisions of people at the console: which a role may take in which state, and four eyes.

Pages and the API ask for the same: an action, and the alerts with the version that was seen. Each
alert gets an action and an audit entry of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row

from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import AnswerError
from monitor.console.work.tasks import offer_for
from monitor.core.business_day import event_time_of, event_time_text
from monitor.dispositions.disposition import needs_two
from monitor.store import audit
from monitor.store.desk import ConflictError, NoLaterTimeError, act
from monitor.store.people import DAY, Person, Role
from monitor.store.programs.actors import accountable
from monitor.store.queries import assignable, rows_by_id
from monitor.store.standing import Action, ActionError, Does, State, action_of

SNOOZE_DAYS_MAX: Final = 180

ALLOWED: Final[Mapping[State, tuple[Does, ...]]] = {
    State.OPEN: (Does.DISPOSE, Does.ASSIGN, Does.RELEASE, Does.SNOOZE, Does.COMMENT),
    State.WAITING: (Does.DISPOSE, Does.DECLINE, Does.ASSIGN, Does.RELEASE, Does.COMMENT),
    State.SNOOZED: (
        Does.WAKE,
        Does.DISPOSE,
        Does.SNOOZE,
        Does.ASSIGN,
        Does.RELEASE,
        Does.COMMENT,
    ),
    State.SUPPRESSED: (Does.DISPOSE, Does.ASSIGN, Does.COMMENT),
    State.CLOSED: (Does.REOPEN, Does.COMMENT),
    State.WITHDRAWN: (Does.COMMENT,),
}
"""What may be done with an alert, by its state. DISPOSE of a waiting one confirms it."""


class Seen(NamedTuple):
    """An alert as a person saw it; None: they did not say."""

    alert_id: str
    version: int | None = None
    revision: int | None = None


class Done(NamedTuple):
    """What was done with an alert: `does` is PROPOSE if a second person must decide."""

    alert_id: str
    does: Does


def state_of(row: Row[Any], now: int) -> State:
    """Return the state of an alert now: after its end a snooze does not count."""
    state = State(row.state)
    is_over = state is State.SNOOZED and row.snoozed_until is not None and row.snoozed_until <= now
    return State.OPEN if is_over else state


def may(person: Person, row: Row[Any], now: int) -> frozenset[str]:
    """Return the actions that a person may take on an alert, as a page offers them."""
    if person.role < Role.ANALYST:
        return frozenset()
    state = state_of(row, now)
    names = {does.value for does in ALLOWED[state]}
    if state is State.WAITING and not _is_second(person, row):
        names -= {Does.DISPOSE.value, Does.DECLINE.value}
    if row.assignee is None:
        names.discard(Does.RELEASE.value)
    return frozenset(names)


def needs_second(person: Person, row: Row[Any]) -> bool:
    """Return whether closing an alert by this person is only a proposal."""
    return needs_two(row.severity) and person.role < Role.APPROVER


def _is_second(person: Person, row: Row[Any]) -> bool:
    is_own = row.disposed_by and accountable(person.name) == accountable(row.disposed_by)
    return person.role >= Role.APPROVER and not is_own


def decide(
    connection: Connection, person: Person, asked: Mapping[str, Any], seen: Sequence[Seen], now: int
) -> list[Done]:
    """Do what a person asks with alerts, all of them or none, and keep who did what.

    Raises AnswerError: 400 if the action cannot be read, 403 if the role is not enough, 404 if an
    alert is not there, 409 if its state does not allow it or somebody else acted first.
    """
    if not seen:
        raise AnswerError(400, _("choose at least one alert"))
    if person.role < Role.ANALYST:
        raise AnswerError(403, _("the role must be analyst or higher to work alerts"))
    ids = [shown.alert_id for shown in seen]
    rows = rows_by_id(connection, ids)
    asked_for = _does_of(asked)
    fields = _fields_of(connection, asked_for, asked, person, now)
    done: list[Action] = []
    for shown in dict.fromkeys(seen):
        row = rows.get(shown.alert_id)
        if row is None:
            raise AnswerError(404, _("there is no alert %(alert_id)s", alert_id=shown.alert_id))
        if shown.version is None or shown.version == row.version:
            done.append(_action(person, row, asked_for, fields, (shown, now)))
    _let_count(connection, done, seen)
    after = rows_by_id(connection, ids)
    for action in done:
        audit.append(
            connection,
            at=now,
            actor=person.name,
            action=action.does.value,
            subject=action.alert_id,
            before=_standing(rows[action.alert_id]),
            after={**_standing(after[action.alert_id]), **action.detail},
        )
        if action.does is Does.DISPOSE:
            offer_for(connection, person, after[action.alert_id], now)
    return [Done(action.alert_id, action.does) for action in done]


def _let_count(connection: Connection, done: Sequence[Action], seen: Iterable[Seen]) -> None:
    """Write actions, if every alert still has the version that was seen."""
    versions = {shown.alert_id: shown.version for shown in seen if shown.version is not None}
    held = {
        name: row.version
        for name, row in rows_by_id(connection, list(versions)).items()
        if row.version != versions[name]
    }
    if held:
        raise _conflict(versions, held)
    try:
        act(connection, done, versions)
    except ConflictError as error:
        raise _conflict(versions, error.versions) from error
    except NoLaterTimeError as error:
        raise AnswerError(
            409,
            _(
                "alert %(alert_id)s has an action on the topics that is dated to the end of the"
                " year 2999: none can follow it",
                alert_id=error.alert_id,
            ),
        ) from error


def _conflict(seen: Mapping[str, int], held: Mapping[str, int]) -> AnswerError:
    conflicts = [
        {"alert_id": name, "seen": seen[name], "held": version}
        for name, version in sorted(held.items())
    ]
    return AnswerError(
        409, _("somebody else acted first: look at the alert again"), conflicts=conflicts
    )


def _does_of(asked: Mapping[str, Any]) -> Does:
    said = asked.get("action")
    names = [does.value for does in Does if does is not Does.PROPOSE]
    if said not in names:
        raise AnswerError(400, f"action must be one of {', '.join(names)}, not {said!r}")
    return Does(said)


def _fields_of(
    connection: Connection, does: Does, asked: Mapping[str, Any], person: Person, now: int
) -> dict[str, Any]:
    """Return what an action says besides its alert. Raises AnswerError (400) if it is odd."""
    fields = {
        "action": does.value,
        "by": person.name,
        "at": event_time_text(now),
        **{name: _given(asked, name) for name in ("disposition", "note", "until", "assignee")},
    }
    if fields["assignee"] is None:
        fields["assignee"] = accountable(person.name)
    if does is Does.ASSIGN and fields["assignee"] != person.name:
        names = assignable(connection)
        if fields["assignee"] not in names:
            raise AnswerError(
                400, f"assignee must be one of {', '.join(names)}, not {fields['assignee']!r}"
            )
    if does is Does.SNOOZE:
        fields["until"] = _until(fields["until"], now)
    return fields


def _given(asked: Mapping[str, Any], name: str) -> object:
    """Return what was given; None for a field of a form that was left empty."""
    return None if asked.get(name) == "" else asked.get(name)


def _until(text: object, now: int) -> str:
    """Return the end of a snooze: a day that a form sent is its beginning in UTC."""
    written = (
        f"{text}T00:00:00Z" if isinstance(text, str) and len(text) == len("2026-01-05") else text
    )
    until = event_time_of(written) if isinstance(written, str) else None
    if until is None or not now < until <= now + SNOOZE_DAYS_MAX * DAY:
        raise AnswerError(
            400,
            _(
                "until must be a time after now and within %(days)s days, as"
                " 2026-01-05T09:00:00Z, not %(text)s",
                days=SNOOZE_DAYS_MAX,
                text=repr(text),
            ),
        )
    return event_time_text(until)


def _action(
    person: Person, row: Row[Any], does: Does, fields: Mapping[str, Any], shown: tuple[Seen, int]
) -> Action:
    """Return the action on one alert. Raises AnswerError if its state or the role forbids them."""
    seen, now = shown
    state = state_of(row, now)
    if does not in ALLOWED[state]:
        raise AnswerError(
            409,
            _(
                "alert %(alert_id)s is %(state)s: %(action)s is not possible",
                alert_id=row.alert_id,
                state=state.value,
                action=does.value,
            ),
        )
    if seen.revision is not None and seen.revision > row.revision:
        # It would count as seen whatever is reported later, and the alert would never come back.
        raise AnswerError(
            409,
            _(
                "alert %(alert_id)s has revision %(held)s here: look at it again",
                alert_id=row.alert_id,
                held=row.revision,
            ),
        )
    does = _after_four_eyes(person, row, state, does, fields)
    revision = row.revision if seen.revision is None else seen.revision
    written = {**fields, "alert_id": row.alert_id, "action": does.value, "revision": revision}
    try:
        action = action_of(written)
    except ActionError as error:
        problems = [problem.removeprefix("the action: ") for problem in error.problems]
        raise AnswerError(400, "; ".join(problems), problems=problems) from error
    return action


def _after_four_eyes(
    person: Person, row: Row[Any], state: State, does: Does, fields: Mapping[str, Any]
) -> Does:
    if state is State.WAITING and does in {Does.DISPOSE, Does.DECLINE}:
        if person.role < Role.APPROVER:
            raise AnswerError(
                403, _("the role must be approver or higher to confirm or to decline")
            )
        if not _is_second(person, row):
            raise AnswerError(403, _("a second person must decide: this was proposed by you"))
        if does is Does.DISPOSE and fields["disposition"] != row.disposition:
            raise AnswerError(
                409,
                _(
                    "confirm it as %(disposition)s, or decline: not %(asked)s",
                    disposition=row.disposition,
                    asked=repr(fields["disposition"]),
                ),
            )
        return does
    return Does.PROPOSE if does is Does.DISPOSE and needs_second(person, row) else does


def _standing(row: Row[Any]) -> dict[str, Any]:
    names = ("state", "assignee", "disposition", "version", "revision")
    return {name: getattr(row, name) for name in names}
