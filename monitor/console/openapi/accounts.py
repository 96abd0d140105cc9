"""The API's schemas of an account: the account itself, its working paper, tasks with its client."""

from typing import Any

from monitor.console.openapi.operations import (
    CSRF,
    WRITE,
    answers,
    in_path,
    page_of,
    query_of,
    takes,
)
from monitor.console.openapi.schemas import TEXT, list_of, object_of, or_null, ref
from monitor.console.work.tasks import RECOVERY_ALL
from monitor.dispositions.disposition import NOTE_LENGTH_MAX
from monitor.store.work.tasks import TaskKind, TaskProgress


def account_paths() -> dict[str, Any]:
    """Return the paths of an account and its working paper."""
    chosen = {
        "name": "alert",
        "in": "query",
        "description": "An alert of the account; it may be there again. None: all of them.",
        "schema": list_of(TEXT),
        "style": "form",
        "explode": True,
    }
    return {
        "/api/v1/accounts/{account_id}": {
            "parameters": in_path("account_id"),
            "get": {
                "summary": "An account: attributes, closed days, alerts by day, actions, tasks",
                "parameters": query_of(("limit", "cursor")),
                **answers(ref("Account"), "200", "404", "503"),
            },
        },
        "/api/v1/accounts/{account_id}/paper": {
            "parameters": in_path("account_id"),
            "get": {
                "summary": "The working paper of an account and chosen alerts",
                "parameters": [chosen],
                **answers(ref("WorkingPaper"), "200", "404", "503"),
            },
        },
    }


def task_paths() -> dict[str, Any]:
    """Return the paths of tasks with clients."""
    note = or_null({**TEXT, "maxLength": NOTE_LENGTH_MAX})
    opening = {
        "task": {"enum": [RECOVERY_ALL, *(kind.value for kind in TaskKind)]},
        "alert_id": or_null({**TEXT, "description": "An alert of the account."}),
        "due": or_null({"type": "string", "format": "date"}),
        "assignee": or_null(TEXT),
        "note": note,
    }
    ending = {"step": {"enum": ["done", "dropped"]}, "note": note}
    asked = [
        {"name": "progress", "in": "query", "schema": {"enum": list(TaskProgress)}},
        *query_of(("account_id", "assignee", "limit", "cursor")),
    ]
    return {
        "/api/v1/tasks": {
            "get": {
                "summary": "Tasks with clients by the day on which they are due",
                "parameters": asked,
                **answers(page_of("Task")),
            }
        },
        "/api/v1/accounts/{account_id}/tasks": {
            "parameters": [*in_path("account_id"), CSRF],
            "post": {
                "summary": "Open a task, or those of the four steps that are not open",
                **takes({**object_of(opening, ["task"]), "additionalProperties": False}),
                **answers(
                    object_of({"items": list_of(ref("Task"))}, ["items"]), "201", *WRITE, "503"
                ),
            },
        },
        "/api/v1/tasks/{task_id}/steps": {
            "parameters": [*in_path("task_id"), CSRF],
            "post": {
                "summary": "Take note that a task was done, or is dropped",
                **takes({**object_of(ending, ["step"]), "additionalProperties": False}),
                **answers(ref("Task"), "201", *WRITE),
            },
        },
    }
