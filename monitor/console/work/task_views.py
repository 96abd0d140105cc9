"""Tasks as pages and in the API: the list of them, and the forms that open and end them."""

import json
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from monitor.console.filters import checked, limit_of
from monitor.console.replies import (
    AnswerError,
    Body,
    as_json,
    ensure_known,
    now_of,
    page,
    person_of,
    see_other,
    store_of,
    writing,
)
from monitor.console.work.tasks import end_task, open_tasks, today_of
from monitor.store.people import Person
from monitor.store.programs.actors import accountable
from monitor.store.work.tasklist import TaskFilter, task_page
from monitor.store.work.tasks import TaskProgress, is_day

TASK_TABS: Final = {"mine": "Mine", "open": "All open", "done": "Done", "dropped": "Dropped"}
OF_TASKS: Final = ("progress", "account_id", "assignee", "limit", "cursor")
PAGE: Final = 100


def tasks(request: Request) -> Response:
    """Show tasks: a person's own, or all; those that are due first, so overdue ones first."""
    params = checked(request.query_params, ("show", "cursor"))
    tab = params.get("show") or "mine"
    if tab not in TASK_TABS:
        raise AnswerError(400, f"show must be one of {', '.join(TASK_TABS)}, not {tab!r}")
    person, now = person_of(request), now_of(request)
    after = _after(params.get("cursor"))
    with store_of(request).reading() as connection:
        found = task_page(connection, _wanted(tab, person), PAGE, after)
    shown = {
        "title": "Tasks",
        "tab": tab,
        "tabs": TASK_TABS,
        "tasks": found.tasks,
        "today": today_of(now),
        "next_cursor": _cursor(found.next),
    }
    return page(request, "tasks.html", shown)


def _wanted(tab: str, person: Person) -> TaskFilter:
    if tab == "mine":
        return TaskFilter(TaskProgress.OPEN, assignee=accountable(person.name))
    return TaskFilter(TaskProgress(tab))


def _cursor(last: tuple[str, str] | None) -> str | None:
    return None if last is None else json.dumps(last, separators=(",", ":"))


def _after(text: str | None) -> tuple[str, str] | None:
    """Return where a page begins. Raises AnswerError (400) if the cursor is not one of ours."""
    if not text:
        return None
    try:
        due, task_id = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        due, task_id = None, None
    if not (is_day(due) and isinstance(task_id, str) and _is_storable(task_id)):
        raise AnswerError(400, "cursor must be next of the page before")
    return due, task_id


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def task_list(request: Request) -> Response:
    """Answer with tasks by the day on which they are due."""
    params = checked(request.query_params, OF_TASKS)
    said = params.get("progress")
    if said and said not in list(TaskProgress):
        raise AnswerError(400, f"progress must be one of {', '.join(TaskProgress)}, not {said!r}")
    wanted = TaskFilter(
        TaskProgress(said) if said else None,
        params.get("account_id") or None,
        None,
        params.get("assignee") or None,
    )
    limit, after = limit_of(params), _after(params.get("cursor"))
    with store_of(request).reading() as connection:
        found = task_page(connection, wanted, limit, after)
    items = [task.fields() for task in found.tasks]
    return as_json({"items": items, "next": _cursor(found.next)})


def post_tasks(request: Request, body: Body) -> Response:
    """Open tasks for an account."""
    ensure_known(body, ("task", "alert_id", "due", "assignee", "note"))
    account_id, now = request.path_params["account_id"], now_of(request)
    with writing(request) as connection:
        made = open_tasks(connection, person_of(request), account_id, body, now)
    return as_json({"items": [task.fields() for task in made]}, 201)


def post_task_step(request: Request, body: Body) -> Response:
    """Take note that a task was done, or is dropped."""
    ensure_known(body, ("step", "note"))
    task_id, now = request.path_params["task_id"], now_of(request)
    with writing(request) as connection:
        ended = end_task(connection, person_of(request), task_id, body, now)
    return as_json(ended.fields(), 201)


def open_form(request: Request, body: Body) -> Response:
    """Open what the form says, and show the page again that it is on."""
    account_id, now = request.path_params["account_id"], now_of(request)
    with writing(request) as connection:
        open_tasks(connection, person_of(request), account_id, body, now)
    alert_id = body.get("alert_id")
    if alert_id:
        return see_other(f"/alerts/{quote(alert_id, safe='')}#tasks")
    return see_other(f"/accounts/{quote(account_id, safe='')}#tasks")


def end_form(request: Request, body: Body) -> Response:
    """Take note of what the form says of a task, and show the page again that it is on."""
    task_id, now = request.path_params["task_id"], now_of(request)
    with writing(request) as connection:
        ended = end_task(connection, person_of(request), task_id, body, now)
    detail = ended.made.detail
    if body.get("from") == "alert" and detail["alert_id"]:
        return see_other(f"/alerts/{quote(detail['alert_id'], safe='')}#tasks")
    if body.get("from") == "account":
        return see_other(f"/accounts/{quote(detail['account_id'], safe='')}#tasks")
    return see_other("/tasks")
