"""The API's description: OpenAPI 3.1, written beside the routes that it describes."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from monitor.console.exports import FORMATS
from monitor.console.filters import CHOICES, FILTERS, OF_API, OF_EXPORT
from monitor.console.limits import DAYS_DEFAULT, DAYS_MAX
from monitor.console.openapi.figures import (
    group_schema,
    health_schema,
    span_schema,
    sums_schema,
    team_schema,
)
from monitor.console.openapi.schemas import (
    NUMBER,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    ref,
    schemas,
)
from monitor.console.work.tasks import RECOVERY_ALL
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, Disposition
from monitor.store.cubes import DIMENSIONS
from monitor.store.programs.answers import KEY_LENGTH_MAX
from monitor.store.queries import LIMIT_DEFAULT, LIMIT_MAX
from monitor.store.standing import Does
from monitor.store.work.saved_views import NAME_LENGTH_MAX
from monitor.store.work.tasks import TaskKind, TaskProgress

_ABOUT: Final = {
    "status": "How the alert stands with people.",
    "kind": "The kind of alert.",
    "account_id": "The account, whole.",
    "severity": "The severity, as the policy has it.",
    "incident_id": "The systemic alert that explains it.",
    "assignee": "The person who works it.",
    "business_day": "The business day that it is filed under.",
    "q": "The beginning of an account's id, or an alert_id.",
    "limit": "Items of a page.",
    "cursor": "`next` of the page before.",
    "format": "How the file is written; csv if it is not given.",
    "is_back": "true: those alone that were closed and came back.",
}


def _account_paths() -> dict[str, Any]:
    chosen = {
        "name": "alert",
        "in": "query",
        "description": "An alert of the account; it may be there again. None: all of them.",
        "schema": list_of(TEXT),
        "style": "form",
        "explode": True,
    }
    return {
        "/api/v1/accounts/{account_id}/paper": {
            "parameters": _in_path("account_id"),
            "get": {
                "summary": "The working paper of an account and chosen alerts",
                "parameters": [chosen],
                **_answers(ref("WorkingPaper"), "200", "404", "503"),
            },
        }
    }


def _page_of(name: str) -> dict[str, Any]:
    return object_of({"items": list_of(ref(name)), "next": or_null(TEXT)}, ["items", "next"])


def _answers(
    schema: Schema, status: str = "200", *errors: str, preview: Schema | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        status: {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    }
    if preview is not None:
        shown = {"application/json": {"schema": preview}}
        found["200"] = {"description": "What would be done.", "content": shown}
    return {"responses": found | _problems(("400", "401", "403", "429", *errors))}


def _problems(errors: Sequence[str]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": ref("Problem")}}
    return {error: {"description": _ERRORS[error], "content": problem} for error in errors}


def _export_answers() -> dict[str, Any]:
    found = _answers({})
    found["responses"]["200"]["content"] = {
        chosen.media_type: {"schema": {}} for chosen in FORMATS.values()
    }
    return found


_ERRORS: Final = {
    "400": "The request cannot be read: the detail says why.",
    "401": "Nobody is logged in, or the token cannot be used.",
    "403": "The role is not enough, or a second person must decide.",
    "404": "It is not there.",
    "409": "Its state does not allow this, or somebody else acted first.",
    "412": "If-Match names another version.",
    "422": "The Idempotency-Key was sent before with another request.",
    "429": "Too many tokens from this address were refused: wait as Retry-After says.",
    "503": "The broker does not answer, or account-days that it needs cannot be read.",
    "415": "The body must be application/json.",
}


def _takes(schema: Schema) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _query(names: Sequence[str] = OF_API) -> list[dict[str, Any]]:
    found = []
    for name in names:
        schema: dict[str, Any] = {**TEXT}
        if name in CHOICES:
            schema["enum"] = list(CHOICES[name])
        if name == "limit":
            schema = {**NUMBER, "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
        about = _ABOUT[name]
        found.append({"name": name, "in": "query", "description": about, "schema": schema})
    return found


def _in_path(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": TEXT}]


_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "schema": TEXT,
    "description": "The ETag of the alert as it was seen; another one is refused with 412.",
}
_CSRF: Final = {
    "name": "X-CSRF-Token",
    "in": "header",
    "schema": TEXT,
    "description": "The token of the session, as every page has it; not needed with a bearer.",
}


def _limit_paths() -> dict[str, Any]:
    of_limit, of_proposal = _in_path("threshold_id"), _in_path("proposal_id")
    asked = [
        {"name": "above", "in": "query", "schema": TEXT, "description": "The other limit."},
        {
            "name": "days",
            "in": "query",
            "description": "Closed business days to look back.",
            "schema": {**NUMBER, "minimum": 1, "maximum": DAYS_MAX, "default": DAYS_DEFAULT},
        },
    ]
    proposing = {
        **object_of(
            {
                "above": {**TEXT, "description": "Money as decimal text, or a count."},
                "effective_from": or_null({"type": "string", "format": "date"}),
                "note": or_null({**TEXT, "maxLength": NOTE_LENGTH_MAX}),
            },
            ["above"],
        ),
        "additionalProperties": False,
    }
    deciding = {
        **object_of(
            {
                "decision": {"enum": ["approve", "decline"]},
                "policy_sha256": {
                    **or_null(TEXT),
                    "description": "Of the text that was shown: an approval publishes that one.",
                },
                "note": or_null({**TEXT, "maxLength": NOTE_LENGTH_MAX}),
            },
            ["decision"],
        ),
        "additionalProperties": False,
    }
    text_shown = object_of({"policy": or_null(TEXT), "why_not": or_null(TEXT)})
    with_whatif = {"allOf": [ref("Limit"), object_of({"whatif": or_null(object_of({}))})]}
    return {
        "/api/v1/limits": {
            "get": {"summary": "The limits that are in force last", **_answers(_page_of("Limit"))}
        },
        "/api/v1/limits/{threshold_id}": {
            "parameters": of_limit,
            "get": {
                "summary": "A limit, and what another one would change: accounts by name",
                "parameters": asked,
                **_answers(with_whatif, "200", "404", "503"),
            },
        },
        "/api/v1/limits/{threshold_id}/proposals": {
            "parameters": [*of_limit, _CSRF],
            "post": {
                "summary": "Propose another limit: a second person decides",
                **_takes(proposing),
                **_answers(ref("Proposal"), "201", *_WRITE),
            },
        },
        "/api/v1/proposals": {
            "get": {"summary": "Proposals, the latest first", **_answers(_page_of("Proposal"))}
        },
        "/api/v1/proposals/{proposal_id}": {
            "parameters": of_proposal,
            "get": {
                "summary": "A proposal, and the policy that an approval would publish",
                **_answers({"allOf": [ref("Proposal"), text_shown]}, "200", "404"),
            },
        },
        "/api/v1/proposals/{proposal_id}/decision": {
            "parameters": [*of_proposal, _CSRF],
            "post": {
                "summary": "Approve or decline a proposal",
                **_takes(deciding),
                **_answers(ref("Proposal"), "201", *_WRITE),
            },
        },
    }


_OF_EXPLORE: Final = {
    "rows": "What stands down.",
    "columns": "What stands across.",
    "first": "The first business day.",
    "last": "The last business day.",
    "silent": "Of the theme silent: on how many closed business days, the last, there is none.",
    **{
        name: f"Only those with this {name}."
        for name in dict.fromkeys(chain.from_iterable(DIMENSIONS.values()))
    },
}


def _explore_paths() -> dict[str, Any]:
    counts = {"type": "object", "additionalProperties": NUMBER}
    cell = object_of({"row": TEXT, "column": TEXT, "count": NUMBER}, ["row", "column", "count"])
    members = {"cells": list_of(cell), "row_totals": counts, "column_totals": counts}
    cube = object_of(
        {"theme": TEXT, "rows": TEXT, "columns": TEXT, **members, "total": NUMBER},
        ["theme", "rows", "columns", *members, "total"],
    )
    return {
        "/api/v1/explore/{theme}": {
            "parameters": [
                {"name": "theme", "in": "path", "required": True, "schema": {"enum": [*DIMENSIONS]}}
            ],
            "get": {
                "summary": "A theme as a cube: its cells, and the totals of rows and columns",
                "parameters": [
                    {"name": name, "in": "query", "schema": TEXT, "description": about}
                    for name, about in _OF_EXPLORE.items()
                ],
                **_answers(cube, "200", "404", "503"),
            },
        }
    }


def _task_paths() -> dict[str, Any]:
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
        *_query(("account_id", "assignee", "limit", "cursor")),
    ]
    return {
        "/api/v1/tasks": {
            "get": {
                "summary": "Tasks with clients by the day on which they are due",
                "parameters": asked,
                **_answers(_page_of("Task")),
            }
        },
        "/api/v1/accounts/{account_id}/tasks": {
            "parameters": [*_in_path("account_id"), _CSRF],
            "post": {
                "summary": "Open a task, or those of the four steps that are not open",
                **_takes({**object_of(opening, ["task"]), "additionalProperties": False}),
                **_answers(
                    object_of({"items": list_of(ref("Task"))}, ["items"]), "201", *_WRITE, "503"
                ),
            },
        },
        "/api/v1/tasks/{task_id}/steps": {
            "parameters": [*_in_path("task_id"), _CSRF],
            "post": {
                "summary": "Take note that a task was done, or is dropped",
                **_takes({**object_of(ending, ["step"]), "additionalProperties": False}),
                **_answers(ref("Task"), "201", *_WRITE),
            },
        },
    }


def _figure_paths() -> dict[str, Any]:
    segments = object_of(
        {"span": or_null(span_schema()), "items": list_of(sums_schema()), "next": or_null(TEXT)},
        ["span", "items", "next"],
    )
    return {
        "/api/v1/team": {
            "get": {
                "summary": "What is open and late, who decided what, capacity, and precision",
                **_answers(team_schema()),
            }
        },
        "/api/v1/groups": {
            "get": {
                "summary": "Segments in the last closed week and before: most accounts first",
                **_answers(segments),
            }
        },
        "/api/v1/groups/{segment}": {
            "parameters": _in_path("segment"),
            "get": {
                "summary": "A segment: its days, its limits now and before, and what marks it",
                **_answers(group_schema(), "200", "404"),
            },
        },
    }


_WRITE: Final = ("404", "415")
"""Refusals of what writes, besides those of every answer."""

_COUNTED: Final = {"alerts": NUMBER, "accounts": NUMBER, "proposals": NUMBER}


def _queue_paths() -> dict[str, Any]:
    of_filter = {name: or_null(TEXT) for name in (*FILTERS, "q")}
    taking = {**object_of(of_filter), "additionalProperties": False}
    closing = {
        **object_of(
            {
                **of_filter,
                "disposition": or_null({"enum": [name.value for name in Disposition]}),
                "note": or_null(TEXT),
                "digest": {
                    **or_null(TEXT),
                    "description": "Of the preview: without it, the answer is one.",
                },
            }
        ),
        "additionalProperties": False,
    }
    would = object_of({**_COUNTED, "digest": TEXT})
    done = object_of({"done": list_of(object_of({}))})
    of_view = {"tab": {"enum": list(CHOICES["tab"])}, **dict.fromkeys((*FILTERS, "q"), TEXT)}
    filters = {**object_of(of_view), "additionalProperties": False}
    saving = {
        **object_of(
            {"name": {**TEXT, "maxLength": NAME_LENGTH_MAX}, "filters": filters},
            ["name", "filters"],
        ),
        "additionalProperties": False,
    }
    return {
        "/api/v1/views": {
            "get": {
                "summary": "Your own saved views of the queue, by name",
                **_answers(object_of({"items": list_of(ref("View"))}, ["items"])),
            },
            "post": {
                "summary": "Save filters of the queue under a name; one of that name is replaced",
                "parameters": [_CSRF],
                **_takes(saving),
                **_answers(ref("View"), "201", "415"),
            },
        },
        "/api/v1/views/{name}/remove": {
            "parameters": [*_in_path("name"), _CSRF],
            "post": {
                "summary": "Remove a view of your own",
                **_takes({**object_of({}), "additionalProperties": False}),
                **_answers(ref("View"), "201", *_WRITE),
            },
        },
        "/api/v1/queue/take": {
            "parameters": [_CSRF],
            "post": {
                "summary": "Take the next open alerts that nobody has: one with its group",
                **_takes(taking),
                **_answers(done, "201", "415"),
            },
        },
        "/api/v1/queue/close": {
            "parameters": [_CSRF],
            "post": {
                "summary": "Close all open alerts that filters find; without digest, preview it",
                **_takes(closing),
                **_answers(done, "201", "415", preview=would),
            },
        },
    }


def _paths() -> dict[str, Any]:
    whole, page_of_alerts = ref("AlertWithHistory"), _page_of("Alert")
    action = object_of(
        {
            "action": {"enum": [does.value for does in Does if does is not Does.PROPOSE]},
            "disposition": or_null({"enum": [name.value for name in Disposition]}),
            "note": or_null(TEXT),
            "assignee": or_null(TEXT),
            "until": or_null(TIME),
            "revision": or_null(NUMBER),
        },
        ["action"],
    )
    closing = object_of(
        {
            "disposition": {"enum": [name.value for name in Disposition]},
            "note": or_null(TEXT),
            "is_preview": {"type": "boolean"},
            "members": or_null(list_of(ref("Member"))),
        }
    )
    of_alert, of_incident = _in_path("alert_id"), _in_path("incident_id")
    with_members = {
        "allOf": [whole, ref("Incident"), object_of({"member_alerts": list_of(ref("Alert"))})]
    }
    done = object_of({"done": list_of(object_of({}))})
    would = object_of({**_COUNTED, "members": list_of(ref("Member"))})
    return {
        "/api/v1/alerts": {
            "get": {
                "summary": "Alerts by priority, a page of them",
                "parameters": _query(),
                **_answers(page_of_alerts),
            }
        },
        "/api/v1/exports/alerts": {
            "get": {
                "summary": "Alerts by alert_id as a file: flat columns, decimals exact",
                "parameters": _query(OF_EXPORT),
                **_export_answers(),
            }
        },
        "/api/v1/alerts/{alert_id}": {
            "parameters": of_alert,
            "get": {"summary": "An alert with its history", **_answers(whole, "200", "404")},
        },
        "/api/v1/alerts/{alert_id}/dispositions": {
            "parameters": [*of_alert, _IF_MATCH, _CSRF],
            "post": {
                "summary": "Close an alert; of severity critical, propose it unless an approver",
                **_takes(ref("Disposition")),
                **_answers(whole, "201", *_WRITE, "412"),
            },
        },
        "/api/v1/alerts/{alert_id}/actions": {
            "parameters": [*of_alert, _IF_MATCH, _CSRF],
            "post": {
                "summary": "Act on an alert",
                **_takes(action),
                **_answers(whole, "201", *_WRITE, "412"),
            },
        },
        "/api/v1/alerts/{alert_id}/undo": {
            "parameters": [*of_alert, _CSRF],
            "post": {
                "summary": "Take back your own last decision of the last ten minutes",
                **_takes({**object_of({}), "additionalProperties": False}),
                **_answers(
                    object_of({"taken_back": ref("Action"), "done": list_of(ref("Action"))}),
                    "201",
                    *_WRITE,
                ),
            },
        },
        "/api/v1/alerts/{alert_id}/transactions": {
            "parameters": of_alert,
            "get": {
                "summary": "Transactions of its account on the topic around its record",
                **_answers(
                    object_of(
                        {"items": list_of(object_of({})), "partners": list_of(object_of({}))}
                    ),
                    "200",
                    "404",
                    "503",
                ),
            },
        },
        "/api/v1/incidents": {
            "get": {
                "summary": "Incidents, the latest first",
                "parameters": _query(("limit", "cursor")),
                **_answers(_page_of("Incident")),
            }
        },
        "/api/v1/incidents/{incident_id}": {
            "parameters": of_incident,
            "get": {
                "summary": "An incident and its members",
                **_answers(with_members, "200", "404"),
            },
        },
        "/api/v1/incidents/{incident_id}/close": {
            "parameters": [*of_incident, _CSRF],
            "post": {
                "summary": "Close the open members with one disposition, or preview that",
                **_takes(closing),
                **_answers(done, "201", *_WRITE, preview=would),
            },
        },
        **_account_paths(),
        **_explore_paths(),
        **_queue_paths(),
        **_limit_paths(),
        **_task_paths(),
        **_figure_paths(),
        "/api/v1/health": {"get": {"summary": "How far the store is", **_answers(health_schema())}},
        "/api/v1/openapi.json": {
            "get": {"summary": "This document", "security": [], **_answers({"type": "object"})}
        },
    }


_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {**TEXT, "minLength": 1, "maxLength": KEY_LENGTH_MAX},
    "description": "The same key with the same request gets the same answer, for 24 hours.",
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "schema": TEXT,
    "description": "ETags that the caller has: one that still holds is answered by 304.",
}


def _with_repeats(paths: dict[str, Any]) -> dict[str, Any]:
    """Return paths with what holds for each of them: tags of a GET, keys of a POST."""
    for path, item in paths.items():
        if "post" in item:
            item["post"]["parameters"] = [*item["post"].get("parameters", ()), _KEY]
            item["post"]["responses"].update(_problems(("409", "422")))
        if "get" in item and not path.startswith("/api/v1/exports/"):  # these are streamed
            get = item["get"]
            get["parameters"] = [*get.get("parameters", ()), _IF_NONE_MATCH]
            get["responses"]["304"] = {"description": "The caller has it."}
    return paths


def document() -> dict[str, Any]:
    """Return the description, as OpenAPI 3.1 has it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Weir console",
            "version": "1",
            "description": "Alerts, and what people do with them. Money is decimal text.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"session": []}, {"token": []}],
        "paths": _with_repeats(_paths()),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "weir",
                    "description": "POST /login sets it; over https its name is __Host-weir.",
                },
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A service token, made by `weir user token add`.",
                },
            },
        },
    }
