"""The API's description: OpenAPI 3.1, written beside the routes that it describes."""

from itertools import chain
from typing import Any, Final

from monitor.console.exports import FORMATS
from monitor.console.filters import CHOICES, FILTERS, OF_EXPORT
from monitor.console.openapi.accounts import account_paths, task_paths
from monitor.console.openapi.figures import (
    group_schema,
    health_schema,
    span_schema,
    sums_schema,
    team_schema,
)
from monitor.console.openapi.limits import limit_paths
from monitor.console.openapi.operations import (
    CSRF,
    IF_MATCH,
    WRITE,
    answers,
    in_path,
    page_of,
    problems,
    query_of,
    takes,
)
from monitor.console.openapi.schemas import (
    NUMBER,
    TEXT,
    TIME,
    list_of,
    object_of,
    or_null,
    ref,
    schemas,
)
from monitor.dispositions.disposition import Disposition
from monitor.store.cubes import DIMENSIONS
from monitor.store.programs.answers import KEY_LENGTH_MAX
from monitor.store.standing import Does
from monitor.store.work.saved_views import NAME_LENGTH_MAX


def _export_answers() -> dict[str, Any]:
    found = answers({})
    found["responses"]["200"]["content"] = {
        chosen.media_type: {"schema": {}} for chosen in FORMATS.values()
    }
    return found


_OF_EXPLORE: Final = {
    "rows": "What stands down.",
    "columns": "What stands across.",
    "first": "The first business day.",
    "last": "The last business day.",
    "silent": "Of the theme silent: on how many closed business days, the last, there is none.",
    "currency": "Of the theme leaves; else that of most account-days.",
    **{
        name: f"Only those with this {name}."
        for name in dict.fromkeys(chain.from_iterable(DIMENSIONS.values()))
    },
}


def _explore_paths() -> dict[str, Any]:
    figure = {"type": ["integer", "string"]}
    figures = {"type": "object", "additionalProperties": figure}
    cell = object_of(
        {"row": TEXT, "column": TEXT, "count": NUMBER, "amount": TEXT}, ["row", "column", "count"]
    )
    members = {
        "cells": list_of(cell),
        "row_totals": figures,
        "column_totals": figures,
        "total": figure,
    }
    money = {
        "currency": or_null(TEXT),
        "count": NUMBER,
        "known": {"type": "object", "additionalProperties": TEXT},
        "account_days": {"type": "object", "additionalProperties": NUMBER},
        "unread": NUMBER,
        "not_closed": NUMBER,
    }
    cube = object_of(
        {"theme": TEXT, "rows": TEXT, "columns": TEXT, **members, **money},
        ["theme", "rows", "columns", *members],
    )
    cube["description"] = (
        "Of the theme leaves, figures are decimal text of the currency. `known` has the cube's by"
        " what is known of the institution. Whatever the filters are, `account_days` counts those"
        " with money out by currency, `unread` those whose totals cannot be read, and `not_closed`"
        " those with an alert that are not closed yet."
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
                **answers(cube, "200", "404", "503"),
            },
        }
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
                **answers(team_schema()),
            }
        },
        "/api/v1/groups": {
            "get": {
                "summary": "Segments in the last closed week and before: most accounts first",
                **answers(segments),
            }
        },
        "/api/v1/groups/{segment}": {
            "parameters": in_path("segment"),
            "get": {
                "summary": "A segment: its days, its limits now and before, and what marks it",
                **answers(group_schema(), "200", "404"),
            },
        },
    }


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
                **answers(object_of({"items": list_of(ref("View"))}, ["items"])),
            },
            "post": {
                "summary": "Save filters of the queue under a name; one of that name is replaced",
                "parameters": [CSRF],
                **takes(saving),
                **answers(ref("View"), "201", "415"),
            },
        },
        "/api/v1/views/{name}/remove": {
            "parameters": [*in_path("name"), CSRF],
            "post": {
                "summary": "Remove a view of your own",
                **takes({**object_of({}), "additionalProperties": False}),
                **answers(ref("View"), "201", *WRITE),
            },
        },
        "/api/v1/queue/take": {
            "parameters": [CSRF],
            "post": {
                "summary": "Take the next open alerts that nobody has: one with its group",
                **takes(taking),
                **answers(done, "201", "415"),
            },
        },
        "/api/v1/queue/close": {
            "parameters": [CSRF],
            "post": {
                "summary": "Close all open alerts that filters find; without digest, preview it",
                **takes(closing),
                **answers(done, "201", "415", preview=would),
            },
        },
    }


def _paths() -> dict[str, Any]:
    whole, page_of_alerts = ref("AlertWithHistory"), page_of("Alert")
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
    of_alert, of_incident = in_path("alert_id"), in_path("incident_id")
    with_members = {
        "allOf": [whole, ref("Incident"), object_of({"member_alerts": list_of(ref("Alert"))})]
    }
    done = object_of({"done": list_of(object_of({}))})
    would = object_of({**_COUNTED, "members": list_of(ref("Member"))})
    return {
        "/api/v1/alerts": {
            "get": {
                "summary": "Alerts by priority, a page of them",
                "parameters": query_of(),
                **answers(page_of_alerts),
            }
        },
        "/api/v1/exports/alerts": {
            "get": {
                "summary": "Alerts by alert_id as a file: flat columns, decimals exact",
                "parameters": query_of(OF_EXPORT),
                **_export_answers(),
            }
        },
        "/api/v1/alerts/{alert_id}": {
            "parameters": of_alert,
            "get": {"summary": "An alert with its history", **answers(whole, "200", "404")},
        },
        "/api/v1/alerts/{alert_id}/dispositions": {
            "parameters": [*of_alert, IF_MATCH, CSRF],
            "post": {
                "summary": "Close an alert; of severity critical, propose it unless an approver",
                **takes(ref("Disposition")),
                **answers(whole, "201", *WRITE, "412"),
            },
        },
        "/api/v1/alerts/{alert_id}/actions": {
            "parameters": [*of_alert, IF_MATCH, CSRF],
            "post": {
                "summary": "Act on an alert",
                **takes(action),
                **answers(whole, "201", *WRITE, "412"),
            },
        },
        "/api/v1/alerts/{alert_id}/undo": {
            "parameters": [*of_alert, CSRF],
            "post": {
                "summary": "Take back your own last decision of the last ten minutes",
                **takes({**object_of({}), "additionalProperties": False}),
                **answers(
                    object_of({"taken_back": ref("Action"), "done": list_of(ref("Action"))}),
                    "201",
                    *WRITE,
                ),
            },
        },
        "/api/v1/alerts/{alert_id}/transactions": {
            "parameters": of_alert,
            "get": {
                "summary": "Transactions of its account on the topic around its record",
                **answers(
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
                "parameters": query_of(("limit", "cursor")),
                **answers(page_of("Incident")),
            }
        },
        "/api/v1/incidents/{incident_id}": {
            "parameters": of_incident,
            "get": {
                "summary": "An incident and its members",
                **answers(with_members, "200", "404"),
            },
        },
        "/api/v1/incidents/{incident_id}/close": {
            "parameters": [*of_incident, CSRF],
            "post": {
                "summary": "Close the open members with one disposition, or preview that",
                **takes(closing),
                **answers(done, "201", *WRITE, preview=would),
            },
        },
        **account_paths(),
        **_explore_paths(),
        **_queue_paths(),
        **limit_paths(),
        **task_paths(),
        **_figure_paths(),
        "/api/v1/health": {"get": {"summary": "How far the store is", **answers(health_schema())}},
        "/api/v1/openapi.json": {
            "get": {"summary": "This document", "security": [], **answers({"type": "object"})}
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
            item["post"]["responses"].update(problems(("409", "422")))
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
