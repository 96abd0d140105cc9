"""Tasks with a client: the four steps of service recovery, and offers.

Pure. What is done with a task stands on the topic of cases, as what is done with alerts does; so a
store that is made again from the topics has every task, and comes to the same of each.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self
from uuid import UUID, uuid5

from monitor.core.business_day import day_of_text, event_time_text
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, TEXT_LENGTH_MAX
from monitor.store.standing import ActionError, text_in, time_in

_NAMESPACE: Final = UUID("6d1c8a54-7b0e-5f3d-8c55-2f9a1e60b7d4")
"""Of ids of tasks and of what is done with them. Never changed."""


class TaskKind(StrEnum):
    """What is to be done with a client."""

    ANTICIPATE = "anticipate"
    ACKNOWLEDGE = "acknowledge"
    APOLOGISE = "apologise"
    AMEND = "amend"
    OFFER = "offer"


RECOVERY: Final = (
    TaskKind.ANTICIPATE,
    TaskKind.ACKNOWLEDGE,
    TaskKind.APOLOGISE,
    TaskKind.AMEND,
)
"""The four steps of service recovery, in their order."""


class TaskDoes(StrEnum):
    """What a person does with a task."""

    OPEN = "open-task"
    DO = "do-task"
    DROP = "drop-task"


class TaskProgress(StrEnum):
    """How far a task is."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


TASK_TEXTS: Final = ("alert_id", "assignee", "tier", "adviser")
"""Texts of an opening that may be null."""


class TaskStep(NamedTuple):
    """One thing that a person did with a task; `at` is in microseconds since 1970 (UTC).

    `detail` of an opening has the kind (`task`), `account_id`, the day by which it is `due`, and
    what may be null: the `alert_id` that it follows from, who is to do it (`assignee`), and `tier`
    and `adviser` of the account. That of each step has a `note`, or null.
    """

    task_id: str
    does: TaskDoes
    by: str
    at: int
    detail: Mapping[str, Any]

    @classmethod
    def opened(cls, by: str, at: int, detail: Mapping[str, Any]) -> Self:
        """Return the first step of a new task, whose id follows from what it says."""
        said = json.dumps([by, at, detail], sort_keys=True)
        return cls(str(uuid5(_NAMESPACE, said)), TaskDoes.OPEN, by, at, detail)

    @property
    def step_id(self) -> str:
        """The same for the same step, however often it comes."""
        return str(uuid5(_NAMESPACE, json.dumps(self.fields(), sort_keys=True)))

    def fields(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {
            "task_id": self.task_id,
            "action": self.does.value,
            "by": self.by,
            "at": event_time_text(self.at),
            **self.detail,
        }


class Task(NamedTuple):
    """A task with what became of it."""

    made: TaskStep
    end: TaskStep | None = None

    @property
    def progress(self) -> TaskProgress:
        """How far it is."""
        if self.end is None:
            return TaskProgress.OPEN
        return TaskProgress.DONE if self.end.does is TaskDoes.DO else TaskProgress.DROPPED

    @property
    def kind(self) -> TaskKind:
        """What is to be done."""
        return TaskKind(self.made.detail["task"])

    def is_overdue(self, today: str) -> bool:
        """Return whether it should have been done before a day (YYYY-MM-DD)."""
        return self.end is None and str(self.made.detail["due"]) < today

    def fields(self) -> dict[str, Any]:
        """Return it as the API writes it."""
        end = self.end
        return {
            **{name: value for name, value in self.made.fields().items() if name != "action"},
            "progress": self.progress.value,
            "ended_by": None if end is None else end.by,
            "ended_at": None if end is None else event_time_text(end.at),
            "end_note": None if end is None else end.detail.get("note"),
        }


def task_step_of(fields: object, where: str = "the step") -> TaskStep:
    """Return the step that a record's fields state. Raises ActionError with every problem."""
    if not isinstance(fields, Mapping):
        raise ActionError([f"{where}: no JSON object"])
    problems: list[str] = []
    task_id = text_in(fields, "task_id", TEXT_LENGTH_MAX, problems)
    by = text_in(fields, "by", TEXT_LENGTH_MAX, problems)
    at = time_in(fields, "at", problems)
    said = fields.get("action")
    if said not in list(TaskDoes):
        problems.append(f"action must be one of {', '.join(TaskDoes)}, not {said!r}")
        raise ActionError([f"{where}: {problem}" for problem in problems])
    does = TaskDoes(str(said))
    detail = _opening(fields, problems) if does is TaskDoes.OPEN else {}
    note = fields.get("note")
    detail["note"] = None if note is None else text_in(fields, "note", NOTE_LENGTH_MAX, problems)
    if problems:
        raise ActionError([f"{where}: {problem}" for problem in problems])
    return TaskStep(task_id, does, by, at, detail)


def _opening(fields: Mapping[Any, Any], problems: list[str]) -> dict[str, Any]:
    detail: dict[str, Any] = {"task": fields.get("task")}
    if detail["task"] not in list(TaskKind):
        problems.append(f"task must be one of {', '.join(TaskKind)}, not {detail['task']!r}")
    detail["account_id"] = text_in(fields, "account_id", TEXT_LENGTH_MAX, problems)
    detail["due"] = fields.get("due")
    if not is_day(detail["due"]):
        problems.append(f"due must be a day as 2026-01-05, not {detail['due']!r}")
    for name in TASK_TEXTS:
        is_said = fields.get(name) is not None
        detail[name] = text_in(fields, name, TEXT_LENGTH_MAX, problems) if is_said else None
    return detail


def is_day(text: object) -> bool:
    """Return whether something is the text of a day (YYYY-MM-DD)."""
    if not isinstance(text, str) or len(text) != len("2026-01-05"):
        return False
    try:
        day_of_text(text)
    except ValueError:
        return False
    return True


def tasks_in(steps: Iterable[TaskStep]) -> list[Task]:
    """Return the tasks that steps make, in whatever order they come: those due first come first.

    The first opening and the first end hold. An end without an opening makes no task.
    """
    by_id: dict[str, list[TaskStep]] = {}
    for step in steps:
        by_id.setdefault(step.task_id, []).append(step)
    found = []
    for own in by_id.values():
        own.sort(key=lambda step: (step.at, step.step_id))
        made = next((step for step in own if step.does is TaskDoes.OPEN), None)
        if made is not None:
            end = next((step for step in own if step.does is not TaskDoes.OPEN), None)
            found.append(Task(made, end))
    return sorted(found, key=_place)


def _place(task: Task) -> tuple[str, int, int, str]:
    return task.made.detail["due"], task.made.at, _ORDER[task.kind], task.made.task_id


_ORDER: Final = {kind: place for place, kind in enumerate(TaskKind)}


def pending(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks that somebody has to do."""
    return [task for task in tasks if task.end is None]
