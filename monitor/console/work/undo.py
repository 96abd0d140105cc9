"""Taking back: a person's own last decision on an alert, by new actions that are its inverse.

Nothing is deleted. What a decision changed follows from the actions before it, and the inverse is
offered only if the alert stands after it as it stood before.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import (
    AnswerError,
    Body,
    as_json,
    ensure_known,
    now_of,
    person_of,
    see_other,
    writing,
)
from monitor.console.work.tasks import end_task
from monitor.core.business_day import MICROSECONDS, TIME_LAST, event_time_text
from monitor.store import audit
from monitor.store.desk import act
from monitor.store.intake import hold_alerts
from monitor.store.people import Person, Role
from monitor.store.queries import actions_of, alert_row, revisions_of
from monitor.store.standing import Action, Does, Revision, Standing, State, standing_of
from monitor.store.work.tasklist import TaskFilter, tasks_of
from monitor.store.work.tasks import TaskKind, TaskProgress

MINUTES: Final = 10
WITHIN: Final = MINUTES * 60 * MICROSECONDS


class Undo(NamedTuple):
    """A decision that can be taken back, and the actions that do so."""

    decision: Action
    inverse: Sequence[Action]


def undo_of(
    revisions: Sequence[Revision], actions: Sequence[Action], person: str, now: int
) -> Undo | None:
    """Return how a person takes back their last decision on an alert; None if they cannot.

    It is the last one of anybody (comments do not count), theirs, at most MINUTES old, and has an
    inverse. A reopening, a confirmation of a proposal and a declining have none.
    """
    ordered = sorted(actions, key=lambda action: (action.at, action.action_id))
    decisions = [action for action in ordered if action.does is not Does.COMMENT]
    if not decisions:
        return None
    last = decisions[-1]
    if last.by != person or not last.at > now - WITHIN:
        return None
    before = standing_of(revisions, ordered[: ordered.index(last)])
    held = standing_of(revisions, ordered)
    latest = ordered[-1].at
    steps = [
        Action(last.alert_id, does, person, max(now, latest + 1) + place, None, detail)
        for place, (does, detail) in enumerate(_inverse(last, before, now))
    ]
    if steps and steps[-1].at > TIME_LAST:
        return None
    after = standing_of(revisions, [*ordered, *steps])
    is_back = steps and _kept(after, now) == _kept(before, now) != _kept(held, now)
    return Undo(last, steps) if is_back else None


def _kept(standing: Standing, now: int) -> tuple[object, ...]:
    """Return what a decision changes; a snooze that has ended does not count."""
    is_over = standing.snoozed_until is not None and standing.snoozed_until <= now
    state = State.OPEN if is_over else standing.state
    return state, standing.assignee, None if is_over else standing.snoozed_until


def _inverse(last: Action, before: Standing, now: int) -> list[tuple[Does, Mapping[str, Any]]]:
    snooze: list[tuple[Does, Mapping[str, Any]]] = []
    if before.snoozed_until is not None and before.snoozed_until > now:
        until = event_time_text(before.snoozed_until)
        snooze = [(Does.SNOOZE, {"until": until, "note": None})]
    back: list[tuple[Does, Mapping[str, Any]]] = []
    if before.is_back and before.assignee is not None:  # it was assigned by its coming back
        back = [(Does.ASSIGN, {"assignee": before.assignee})]
    match last.does:
        case Does.DISPOSE | Does.PROPOSE:
            return [(Does.REOPEN, {"note": None}), *back, *snooze]
        case Does.ASSIGN | Does.RELEASE if before.assignee is not None:
            return [(Does.ASSIGN, {"assignee": before.assignee})]
        case Does.ASSIGN:
            return [(Does.RELEASE, {})]
        case Does.SNOOZE | Does.WAKE:
            return snooze or [(Does.WAKE, {})]
        case _:
            return []


def offered(connection: Connection, person: Person, alert_id: str, now: int) -> Undo | None:
    """Return what a person can take back on an alert; None if there is nothing."""
    if person.role < Role.ANALYST:
        return None
    told = [
        Revision(row.revision, row.told_at, row.status, row.severity, row.value, row.is_suppressed)
        for row in revisions_of(connection, alert_id)
    ]
    return undo_of(told, actions_of(connection, alert_id), person.name, now)


def take_back(connection: Connection, person: Person, alert_id: str, now: int) -> Undo:
    """Take back a person's last decision on an alert. Raises AnswerError.

    403 if the role is not enough, 404 without the alert, 409 if there is nothing to take back.
    """
    if person.role < Role.ANALYST:
        raise AnswerError(403, _("the role must be analyst or higher to work alerts"))
    hold_alerts(connection)
    row = None if "\0" in alert_id else alert_row(connection, alert_id)
    if row is None:
        raise AnswerError(404, _("there is no alert %(alert_id)s", alert_id=alert_id))
    undo = offered(connection, person, alert_id, now)
    if undo is None:
        raise AnswerError(
            409,
            _(
                "only your own last decision of the last %(minutes)s minutes can be taken back, and"
                " only if the alert then stands as it did before it",
                minutes=MINUTES,
            ),
        )
    act(connection, [step._replace(revision=row.revision) for step in undo.inverse])
    _drop_offer(connection, person, undo.decision, now)
    after = alert_row(connection, alert_id)
    for step in undo.inverse:
        audit.append(
            connection,
            at=now,
            actor=person.name,
            action=step.does.value,
            subject=alert_id,
            before=_standing(row),
            after={**_standing(after), **step.detail, "takes_back": undo.decision.action_id},
        )
    return undo


def _standing(row: Row[Any] | None) -> dict[str, Any]:
    names = ("state", "assignee", "disposition", "version", "revision")
    return {name: getattr(row, name) for name in names}


def _drop_offer(connection: Connection, person: Person, decision: Action, now: int) -> None:
    """Drop the offer task that a closing opened, if nobody has ended it."""
    if decision.does is not Does.DISPOSE:
        return
    wanted = TaskFilter(TaskProgress.OPEN, alert_id=decision.alert_id)
    for task in tasks_of(connection, wanted):
        made = task.made
        if task.kind is TaskKind.OFFER and made.by == decision.by and made.at >= decision.at:
            end_task(connection, person, made.task_id, {"step": "dropped"}, now)


def post_undo(request: Request, body: Body) -> Response:
    """Take back a person's own last decision on an alert."""
    ensure_known(body, ())
    alert_id, now = request.path_params["alert_id"], now_of(request)
    with writing(request) as connection:
        undo = take_back(connection, person_of(request), alert_id, now)
    taken, done = undo.decision.fields(), [step.fields() for step in undo.inverse]
    return as_json({"taken_back": taken, "done": done}, 201)


def undo_form(request: Request, body: Body) -> Response:
    """Take back a person's own last decision on an alert, and show the alert again."""
    alert_id, now = request.path_params["alert_id"], now_of(request)
    with writing(request) as connection:
        take_back(connection, person_of(request), alert_id, now)
    query = f"?in={quote(body['in'], safe='')}" if body.get("in") else ""
    return see_other(f"/alerts/{quote(alert_id, safe='')}{query}")
