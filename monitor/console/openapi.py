"""The API's description: OpenAPI 3.1, written beside the routes that it describes."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from monitor.console.filters import CHOICES, OF_API
from monitor.console.limits import DAYS_DEFAULT, DAYS_MAX
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, Disposition
from monitor.store.cubes import DIMENSIONS
from monitor.store.proposals import ProposalState
from monitor.store.queries import LIMIT_DEFAULT, LIMIT_MAX
from monitor.store.standing import Does, State

Schema = Mapping[str, Any]

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_NUMBER: Final = {"type": "integer"}
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
}


def _or_null(schema: Schema) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Mapping[str, object], required: Sequence[str] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _list_of(schema: Schema) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    standing = {
        "alert_id": _TEXT,
        "revision": _NUMBER,
        "state": {"enum": [state.value for state in State]},
        "assignee": _or_null(_TEXT),
        "disposition": _or_null({"enum": [name.value for name in Disposition]}),
        "version": {**_NUMBER, "description": "Counts people's actions."},
        "priority": {**_NUMBER, "minimum": 0, "maximum": 100},
        "incident_id": _or_null(_TEXT),
        "is_back": {"type": "boolean", "description": "Was closed, and now says something else."},
        "told_at": _TIME,
    }
    alert = _object(standing, list(standing))
    alert["description"] = "The fields of the alerts topic, and how people let it stand."
    action = _object(
        {"action": {"enum": [does.value for does in Does]}, "by": _TEXT, "at": _TIME},
        ["action", "by", "at"],
    )
    history = {"revisions": _list_of({"type": "object"}), "actions": _list_of(_ref("Action"))}
    members = {"member_states": {"type": "object", "additionalProperties": _NUMBER}}
    member = {"alert_id": _TEXT, "version": _NUMBER, "revision": _or_null(_NUMBER)}
    return {
        "Alert": alert,
        "Action": action,
        "AlertWithHistory": {"allOf": [_ref("Alert"), _object(history, list(history))]},
        "Incident": {"allOf": [_ref("Alert"), _object(members, list(members))]},
        "Member": _object(member, ["alert_id", "version"]),
        "Disposition": {
            **_object(
                {
                    "disposition": {"enum": [name.value for name in Disposition]},
                    "note": _or_null({**_TEXT, "maxLength": NOTE_LENGTH_MAX}),
                    "revision": _or_null({**_NUMBER, "minimum": 1}),
                },
                ["disposition"],
            ),
            "additionalProperties": False,
        },
        "Limit": _object(
            {
                "threshold_id": _TEXT,
                "measure": _TEXT,
                "direction": _TEXT,
                "currency": _or_null(_TEXT),
                "above": _TEXT,
                "severity": _TEXT,
                "scope": _TEXT,
                "policy_version": _NUMBER,
            },
            ["threshold_id", "measure", "above", "policy_version"],
        ),
        "Proposal": _object(
            {
                "proposal_id": _TEXT,
                "by": _TEXT,
                "at": _TIME,
                "threshold_id": _TEXT,
                "above": _TEXT,
                "effective_from": {"type": "string", "format": "date"},
                "base_version": _NUMBER,
                "version": _NUMBER,
                "policy_sha256": _TEXT,
                "note": _or_null(_TEXT),
                "progress": {"enum": [progress.value for progress in ProposalState]},
                "decided_by": _or_null(_TEXT),
                "decided_at": _or_null(_TIME),
                "decision_note": _or_null(_TEXT),
            },
            ["proposal_id", "by", "at", "threshold_id", "above", "progress"],
        ),
        "Problem": _object(
            {"type": _TEXT, "title": _TEXT, "status": _NUMBER, "detail": _TEXT},
            ["type", "title", "status", "detail"],
        ),
    }


def _page_of(name: str) -> dict[str, Any]:
    return _object({"items": _list_of(_ref(name)), "next": _or_null(_TEXT)}, ["items", "next"])


def _answers(schema: Schema, status: str = "200", *errors: str) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    found: dict[str, Any] = {
        status: {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    }
    for error in ("400", "401", "403", *errors):
        found[error] = {"description": _ERRORS[error], "content": problem}
    return {"responses": found}


_OF_EXPLORE: Final = {
    "rows": "What stands down.",
    "columns": "What stands across.",
    "first": "The first business day.",
    "last": "The last business day.",
    **{
        name: f"Only alerts with this {name}."
        for name in dict.fromkeys(chain.from_iterable(DIMENSIONS.values()))
    },
}

_ERRORS: Final = {
    "400": "The request cannot be read: the detail says why.",
    "401": "Nobody is logged in.",
    "403": "The role is not enough, or a second person must decide.",
    "404": "It is not there.",
    "409": "Its state does not allow this, or somebody else acted first.",
    "412": "If-Match names another version.",
    "503": "The broker does not answer.",
    "415": "The body must be application/json.",
}


def _takes(schema: Schema) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _query() -> list[dict[str, Any]]:
    found = []
    for name in OF_API:
        schema: dict[str, Any] = {**_TEXT}
        if name in CHOICES:
            schema["enum"] = list(CHOICES[name])
        if name == "limit":
            schema = {**_NUMBER, "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT}
        about = _ABOUT[name]
        found.append({"name": name, "in": "query", "description": about, "schema": schema})
    return found


def _in_path(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT}]


_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "schema": _TEXT,
    "description": "The ETag of the alert as it was seen; another one is refused with 412.",
}
_CSRF: Final = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": True,
    "schema": _TEXT,
    "description": "The token of the session, as every page has it.",
}


def _limit_paths() -> dict[str, Any]:
    of_limit, of_proposal = _in_path("threshold_id"), _in_path("proposal_id")
    write = ("404", "409", "415")
    asked = [
        {"name": "above", "in": "query", "schema": _TEXT, "description": "The other limit."},
        {
            "name": "days",
            "in": "query",
            "description": "Closed business days to look back.",
            "schema": {**_NUMBER, "minimum": 1, "maximum": DAYS_MAX, "default": DAYS_DEFAULT},
        },
    ]
    proposing = {
        **_object(
            {
                "above": {**_TEXT, "description": "Money as decimal text, or a count."},
                "effective_from": _or_null({"type": "string", "format": "date"}),
                "note": _or_null({**_TEXT, "maxLength": NOTE_LENGTH_MAX}),
            },
            ["above"],
        ),
        "additionalProperties": False,
    }
    deciding = {
        **_object(
            {
                "decision": {"enum": ["approve", "decline"]},
                "policy_sha256": {
                    **_or_null(_TEXT),
                    "description": "Of the text that was shown: an approval publishes that one.",
                },
                "note": _or_null({**_TEXT, "maxLength": NOTE_LENGTH_MAX}),
            },
            ["decision"],
        ),
        "additionalProperties": False,
    }
    counts = {"type": "object", "additionalProperties": _NUMBER}
    cell = _object({"row": _TEXT, "column": _TEXT, "alerts": _NUMBER}, ["row", "column", "alerts"])
    members = {"cells": _list_of(cell), "row_totals": counts, "column_totals": counts}
    cube = _object(
        {"theme": _TEXT, "rows": _TEXT, "columns": _TEXT, **members, "total": _NUMBER},
        ["theme", "rows", "columns", *members, "total"],
    )
    text_shown = _object({"policy": _or_null(_TEXT), "why_not": _or_null(_TEXT)})
    with_whatif = {"allOf": [_ref("Limit"), _object({"whatif": _or_null(_object({}))})]}
    return {
        "/api/v1/limits": {
            "get": {"summary": "The limits that are in force last", **_answers(_page_of("Limit"))}
        },
        "/api/v1/limits/{threshold_id}": {
            "parameters": of_limit,
            "get": {
                "summary": "A limit, and what another one would change: accounts by name",
                "parameters": asked,
                **_answers(with_whatif, "200", "404"),
            },
        },
        "/api/v1/limits/{threshold_id}/proposals": {
            "parameters": [*of_limit, _CSRF],
            "post": {
                "summary": "Propose another limit: a second person decides",
                **_takes(proposing),
                **_answers(_ref("Proposal"), "201", *write),
            },
        },
        "/api/v1/explore/{theme}": {
            "parameters": [
                {"name": "theme", "in": "path", "required": True, "schema": {"enum": [*DIMENSIONS]}}
            ],
            "get": {
                "summary": "A theme's alerts as a cube: cells, and totals of rows and columns",
                "parameters": [
                    {"name": name, "in": "query", "schema": _TEXT, "description": about}
                    for name, about in _OF_EXPLORE.items()
                ],
                **_answers(cube, "200", "404"),
            },
        },
        "/api/v1/proposals": {
            "get": {"summary": "Proposals, the latest first", **_answers(_page_of("Proposal"))}
        },
        "/api/v1/proposals/{proposal_id}": {
            "parameters": of_proposal,
            "get": {
                "summary": "A proposal, and the policy that an approval would publish",
                **_answers({"allOf": [_ref("Proposal"), text_shown]}, "200", "404"),
            },
        },
        "/api/v1/proposals/{proposal_id}/decision": {
            "parameters": [*of_proposal, _CSRF],
            "post": {
                "summary": "Approve or decline a proposal",
                **_takes(deciding),
                **_answers(_ref("Proposal"), "201", *write),
            },
        },
    }


def _paths() -> dict[str, Any]:
    whole, page_of_alerts = _ref("AlertWithHistory"), _page_of("Alert")
    action = _object(
        {
            "action": {"enum": [does.value for does in Does if does is not Does.PROPOSE]},
            "disposition": _or_null({"enum": [name.value for name in Disposition]}),
            "note": _or_null(_TEXT),
            "assignee": _or_null(_TEXT),
            "until": _or_null(_TIME),
            "revision": _or_null(_NUMBER),
        },
        ["action"],
    )
    closing = _object(
        {
            "disposition": {"enum": [name.value for name in Disposition]},
            "note": _or_null(_TEXT),
            "is_preview": {"type": "boolean"},
            "members": _or_null(_list_of(_ref("Member"))),
        }
    )
    of_alert, of_incident = _in_path("alert_id"), _in_path("incident_id")
    write = ("404", "409", "415")
    with_members = {
        "allOf": [whole, _ref("Incident"), _object({"member_alerts": _list_of(_ref("Alert"))})]
    }
    health = _object({"positions": _list_of(_object({})), "unsent": _NUMBER})
    done = _object({"done": _list_of(_object({}))})
    return {
        "/api/v1/alerts": {
            "get": {
                "summary": "Alerts by priority, a page of them",
                "parameters": _query(),
                **_answers(page_of_alerts),
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
                **_takes(_ref("Disposition")),
                **_answers(whole, "201", *write, "412"),
            },
        },
        "/api/v1/alerts/{alert_id}/actions": {
            "parameters": [*of_alert, _IF_MATCH, _CSRF],
            "post": {
                "summary": "Act on an alert",
                **_takes(action),
                **_answers(whole, "201", *write, "412"),
            },
        },
        "/api/v1/alerts/{alert_id}/transactions": {
            "parameters": of_alert,
            "get": {
                "summary": "Transactions of its account on the topic around its record",
                **_answers(
                    _object({"items": _list_of(_object({})), "partners": _list_of(_object({}))}),
                    "200",
                    "404",
                    "503",
                ),
            },
        },
        "/api/v1/incidents": {
            "get": {"summary": "Incidents, the latest first", **_answers(_page_of("Incident"))}
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
                **_answers(done, "201", *write),
            },
        },
        **_limit_paths(),
        "/api/v1/health": {"get": {"summary": "How far the store is", **_answers(health)}},
        "/api/v1/openapi.json": {
            "get": {"summary": "This document", "security": [], **_answers({"type": "object"})}
        },
    }


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
        "security": [{"session": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "weir",
                    "description": "POST /login sets it; over https its name is __Host-weir.",
                }
            },
        },
    }
