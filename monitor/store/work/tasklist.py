"""Answers what pages ask of a store about tasks: those of an account, an alert, a person."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from monitor.store.days import latest_of_account
from monitor.store.schema import task_steps
from monitor.store.work.tasks import Task, TaskDoes, TaskProgress, TaskStep, tasks_in

LISTED_MAX: Final = 500
_OPENING: Final = task_steps.c.step == TaskDoes.OPEN.value


class TaskFilter(NamedTuple):
    """Which tasks are wanted; None: any."""

    progress: TaskProgress | None = None
    account_id: str | None = None
    alert_id: str | None = None
    assignee: str | None = None
    task_id: str | None = None


class TaskPage(NamedTuple):
    """Tasks of a page, and where the next one begins: the day and the id of the last; or None."""

    tasks: list[Task]
    next: tuple[str, str] | None


def task_page(
    connection: Connection, wanted: TaskFilter, limit: int, after: tuple[str, str] | None = None
) -> TaskPage:
    """Return so many tasks, by the days on which they are due; `after` is `next` of the last page.

    Pages are cut by day and id; within a page, tasks of a day stand in the order of their opening.
    """
    chosen = _chosen(wanted)
    if after is not None:
        chosen = chosen.where(tuple_(task_steps.c.due, task_steps.c.task_id) > after)
    chosen = chosen.order_by(task_steps.c.due, task_steps.c.task_id).limit(limit + 1)
    rows = connection.execute(chosen).all()
    shown = rows[:limit]
    last = (shown[-1].due, shown[-1].task_id) if len(rows) > limit else None
    return TaskPage(_tasks(connection, [row.task_id for row in shown]), last)


def tasks_of(connection: Connection, wanted: TaskFilter, limit: int = LISTED_MAX) -> list[Task]:
    """Return the tasks that are due first, LISTED_MAX of them at most."""
    return task_page(connection, wanted, limit).tasks


def _tasks(connection: Connection, ids: Sequence[str]) -> list[Task]:
    rows = connection.execute(select(task_steps).where(task_steps.c.task_id.in_(ids)))
    return tasks_in(
        TaskStep(row.task_id, TaskDoes(row.step), row.by, row.at, json.loads(row.detail))
        for row in rows
    )


def _chosen(wanted: TaskFilter) -> Select[Any]:
    chosen = select(task_steps.c.due, task_steps.c.task_id).where(_OPENING)
    for name in ("account_id", "alert_id", "assignee", "task_id"):
        value = getattr(wanted, name)
        if value is not None:
            chosen = chosen.where(task_steps.c[name] == value)
    if wanted.progress is not None:
        chosen = chosen.where(_is_so_far(wanted.progress))
    return chosen


def _is_so_far(progress: TaskProgress) -> ColumnElement[bool]:
    """Return the condition of an opening's row that its task is so far."""
    if progress is TaskProgress.OPEN:
        return task_steps.c.task_id.not_in(ended_ids())
    ends = task_steps.alias()
    does = TaskDoes.DO if progress is TaskProgress.DONE else TaskDoes.DROP
    return task_steps.c.task_id.in_(select(ends.c.task_id).where(ends.c.step == does.value))


def ended_ids() -> Select[Any]:
    """Return the query of the ids of tasks that nobody has to do any more."""
    ends = task_steps.alias()
    return select(ends.c.task_id).where(ends.c.step != TaskDoes.OPEN.value)


def latest_day_of(connection: Connection, account_id: str) -> dict[str, Any]:
    """Return the record of an account's latest closed day; empty if none is known."""
    its = latest_of_account(connection, account_id, 1)
    return dict(its[0]) if its else {}
