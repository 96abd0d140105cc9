"""Tasks with clients: opened for an account, done or dropped, each kept in the audit."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row

from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import AnswerError
from monitor.console.words import TASK_PROGRESS, word
from monitor.core.alert import Kind
from monitor.core.business_day import event_time_text
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX, Disposition
from monitor.store import audit
from monitor.store.desk import take_task
from monitor.store.intake import hold_alerts
from monitor.store.people import DAY, Person, Role
from monitor.store.programs.actors import accountable
from monitor.store.queries import alert_row, alerts_of_account, assignable
from monitor.store.standing import ActionError
from monitor.store.work.tasklist import TaskFilter, latest_day_of, tasks_of
from monitor.store.work.tasks import (
    RECOVERY,
    Task,
    TaskDoes,
    TaskKind,
    TaskProgress,
    TaskStep,
    is_day,
    task_step_of,
)

DAYS_AHEAD: Final[Mapping[TaskKind, int]] = {
    TaskKind.ANTICIPATE: 1,
    TaskKind.ACKNOWLEDGE: 1,
    TaskKind.APOLOGISE: 3,
    TaskKind.AMEND: 14,
    TaskKind.OFFER: 7,
}
"""Days from today by which a task is due if nobody says another day."""

RECOVERY_ALL: Final = "recovery"
"""Names the four steps of service recovery together."""

TIERS: Final = ("tier", "service_tier")
ADVISERS: Final = ("adviser",)


def today_of(now: int) -> str:
    """Return the day that it is, in UTC."""
    return event_time_text(now)[: len("2026-01-05")]


def attribute(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the first of an account's attributes that its record has as a text."""
    attributes = record.get("attributes")
    within = attributes if isinstance(attributes, Mapping) else {}
    for name in names:
        for place in (record, within):
            value = place.get(name)
            if isinstance(value, str) and value.strip() and len(value) <= TEXT_LENGTH_MAX:
                return value
    return None


def open_tasks(
    connection: Connection, person: Person, account_id: str, asked: Mapping[str, Any], now: int
) -> list[Task]:
    """Open the tasks that somebody asks for; of the four steps those that nobody has to do yet.

    Raises AnswerError: 400 if it cannot be read, 403 if the role is not enough, 404 if nothing is
    known of the account or the alert is not one of its, 409 if all of them are open already.
    """
    if person.role < Role.ANALYST:
        raise AnswerError(403, _("the role must be analyst or higher to open tasks"))
    kinds = _kinds(asked.get("task"))
    alert_id = _text(asked, "alert_id")
    hold_alerts(connection)
    record = _known(connection, account_id, alert_id)
    due = _text(asked, "due")
    if due is not None and (not is_day(due) or due < today_of(now)):
        raise AnswerError(
            400,
            _("due must be a day as 2026-01-05, today or later, not %(text)s", text=repr(due)),
        )
    adviser, tier = attribute(record, ADVISERS), attribute(record, TIERS)
    assignee = _assignee(connection, person, _text(asked, "assignee"), adviser, kinds)
    held = tasks_of(connection, TaskFilter(TaskProgress.OPEN, account_id, alert_id))
    there = {task.kind for task in held if task.made.detail["alert_id"] == alert_id}
    steps = []
    for kind in kinds:
        if kind in there:
            continue
        detail = {
            "task": kind.value,
            "account_id": account_id,
            "due": due or today_of(now + DAYS_AHEAD[kind] * DAY),
            "alert_id": alert_id,
            "assignee": assignee,
            "tier": tier,
            "adviser": adviser,
            "note": _note(asked),
        }
        steps.append(_checked(TaskStep.opened(person.name, now, detail)))
    if not steps:
        raise AnswerError(409, _("each of these tasks is open already"))
    take_task(connection, steps)
    for step in steps:
        audit.append_step(connection, step.task_id, step.fields(), at=now, before={})
    return [Task(step) for step in steps]


def _kinds(said: object) -> Sequence[TaskKind]:
    if said == RECOVERY_ALL:
        return RECOVERY
    if said not in list(TaskKind):
        names = ", ".join([RECOVERY_ALL, *TaskKind])
        raise AnswerError(400, f"task must be one of {names}, not {said!r}")
    return [TaskKind(str(said))]


def _text(asked: Mapping[str, Any], name: str) -> str | None:
    """Return a text that was given; None for a field of a form that was left empty."""
    value = asked.get(name)
    if value is not None and not isinstance(value, str):
        raise AnswerError(400, f"{name} must be a text, not {value!r}")
    return value or None


def _note(asked: Mapping[str, Any]) -> str | None:
    note = _text(asked, "note")
    if note is not None and len(note) > NOTE_LENGTH_MAX:
        raise AnswerError(
            400, _("note must be a text of at most %(most)s characters", most=NOTE_LENGTH_MAX)
        )
    return None if note is None else note.strip() or None


def _known(connection: Connection, account_id: str, alert_id: str | None) -> dict[str, Any]:
    """Return the record of an account's latest day; empty if only alerts of it are known."""
    if "\0" in account_id:
        raise AnswerError(404, _("there is no such account"))
    record = latest_day_of(connection, account_id)
    if not record and not alerts_of_account(connection, account_id, 1):
        raise AnswerError(404, _("nothing is known of account %(account)s", account=account_id))
    if alert_id is not None:
        row = alert_row(connection, alert_id)
        if row is None or row.account_id != account_id:
            raise AnswerError(
                404,
                _(
                    "account %(account)s has no alert %(alert_id)s",
                    account=account_id,
                    alert_id=alert_id,
                ),
            )
    return record


def _assignee(
    connection: Connection,
    person: Person,
    said: str | None,
    adviser: str | None,
    kinds: Sequence[TaskKind],
) -> str:
    """Return who is to do tasks: who is named; the adviser of an offer, if a user; or the person.

    Raises AnswerError (400) if nobody of that name can be given work.
    """
    own = accountable(person.name)
    if said is None and (adviser is None or TaskKind.OFFER not in kinds):
        return own
    names = [own, *assignable(connection)]
    if said is None:
        return adviser if adviser in names and adviser is not None else own
    if said not in names:
        raise AnswerError(400, f"assignee must be one of {', '.join(names)}, not {said!r}")
    return said


def _checked(step: TaskStep) -> TaskStep:
    """Return a step, if an archive will read it as it is. Raises AnswerError (400) if not."""
    try:
        return task_step_of(step.fields())
    except ActionError as error:
        problems = [problem.removeprefix("the step: ") for problem in error.problems]
        raise AnswerError(400, "; ".join(problems), problems=problems) from error


def found_task(connection: Connection, task_id: str) -> Task:
    """Return a task. Raises AnswerError (404) if it is not there."""
    found = [] if "\0" in task_id else tasks_of(connection, TaskFilter(task_id=task_id))
    if not found:
        raise AnswerError(404, _("there is no task %(task_id)s", task_id=task_id))
    return found[0]


def end_task(
    connection: Connection, person: Person, task_id: str, asked: Mapping[str, Any], now: int
) -> Task:
    """Take note that a task was done, or is dropped. Raises AnswerError.

    400 if it cannot be read, 403 if the role is not enough, 404 without it, 409 if it has ended.
    """
    if person.role < Role.ANALYST:
        raise AnswerError(403, _("the role must be analyst or higher to work tasks"))
    steps = {"done": TaskDoes.DO, "dropped": TaskDoes.DROP}
    if asked.get("step") not in list(steps):
        raise AnswerError(400, f"step must be done or dropped, not {asked.get('step')!r}")
    hold_alerts(connection)
    task = found_task(connection, task_id)
    if task.end is not None:
        progress = word(TASK_PROGRESS, task.progress.value)
        raise AnswerError(
            409,
            _("it is %(progress)s already, by %(who)s", progress=progress, who=task.end.by),
        )
    at, detail = max(now, task.made.at + 1), {"note": _note(asked)}
    step = _checked(TaskStep(task_id, steps[asked["step"]], person.name, at, detail))
    take_task(connection, [step])
    audit.append_step(
        connection, step.task_id, step.fields(), at=now, before={"progress": task.progress.value}
    )
    return found_task(connection, task_id)


def offer_for(connection: Connection, person: Person, row: Row[Any], now: int) -> list[Task]:
    """Open an offer task for a review that was closed as a service need, unless one is open."""
    is_need = row.disposition == Disposition.SERVICE_NEED.value
    if row.kind != Kind.REVIEW.value or not is_need or not (row.account_id or "").strip():
        return []
    held = tasks_of(connection, TaskFilter(TaskProgress.OPEN, row.account_id, row.alert_id))
    if any(task.kind is TaskKind.OFFER for task in held):
        return []
    asked = {"task": TaskKind.OFFER.value, "alert_id": row.alert_id}
    return open_tasks(connection, person, row.account_id, asked, now)
