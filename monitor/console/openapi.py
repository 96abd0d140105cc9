"""The API's description: OpenAPI 3.1, written beside the routes that it describes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from monitor.console.exports import FORMATS
from monitor.console.filters import CHOICES, FILTERS, OF_API, OF_EXPORT
from monitor.console.limits import DAYS_DEFAULT, DAYS_MAX
from monitor.console.work.tasks import RECOVERY_ALL
from monitor.dispositions.disposition import NOTE_LENGTH_MAX, Disposition
from monitor.store.programs.answers import KEY_LENGTH_MAX
from monitor.store.proposals import ProposalState
from monitor.store.queries import LIMIT_DEFAULT, LIMIT_MAX
from monitor.store.standing import Does, State
from monitor.store.work.tasks import TASK_TEXTS, TaskKind, TaskProgress

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
    "format": "How the file is written; csv if it is not given.",
    "is_back": "true: those alone that were closed and came back.",
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
        "Task": _object(
            {
                "task_id": _TEXT,
                "task": {"enum": [kind.value for kind in TaskKind]},
                "account_id": _TEXT,
                "due": {"type": "string", "format": "date"},
                "by": _TEXT,
                "at": _TIME,
                "progress": {"enum": [progress.value for progress in TaskProgress]},
                **{
                    name: _or_null(_TEXT)
                    for name in (*TASK_TEXTS, "note", "ended_by", "ended_at", "end_note")
                },
            },
            ["task_id", "task", "account_id", "due", "by", "at", "progress"],
        ),
        "WorkingPaper": _paper_schema(),
        "Problem": _object(
            {"type": _TEXT, "title": _TEXT, "status": _NUMBER, "detail": _TEXT},
            ["type", "title", "status", "detail"],
        ),
    }


def _paper_schema() -> dict[str, Any]:
    """Return the schema of a working paper: everything is always there."""
    day = {"type": "string", "format": "date"}
    money = {"type": "string", "pattern": "^[0-9]+([.][0-9]+)?$"}
    known = _all_of(at=_TIME, revision=_NUMBER, status=_TEXT, value=_TEXT)
    return _all_of(
        subject=_all_of(
            account_id=_TEXT,
            segment=_or_null(_TEXT),
            branch=_or_null(_TEXT),
            product=_or_null(_TEXT),
            peer_group=_or_null(_TEXT),
            as_of=_or_null(day),
        ),
        period=_object(
            {
                "from": day,
                "to": day,
                "business_days": _list_of(day),
                "days_without_totals": {
                    **_list_of(day),
                    "description": "No closed totals are known of these: the amounts lack them.",
                },
            },
            ["from", "to", "business_days", "days_without_totals"],
        ),
        amounts=_list_of(
            _all_of(
                currency=_TEXT,
                direction={"enum": ["debit", "credit"]},
                transactions={**_NUMBER, "minimum": 1},
                amount=money,
            )
        ),
        amounts_left_out={**_NUMBER, "description": "Totals that could not be read."},
        alerts=_list_of(
            _all_of(
                alert_id=_TEXT,
                kind=_TEXT,
                business_day=day,
                state={"enum": [state.value for state in State]},
                disposition=_or_null(_TEXT),
                known_then=known,
                known_now=known,
                why={**_list_of(_TEXT), "description": "Sentences."},
                figures=_list_of(_all_of(name=_TEXT, value=_TEXT)),
            )
        ),
        chronology=_list_of(
            _all_of(
                at=_TIME,
                alert_id=_TEXT,
                kind=_TEXT,
                revision=_NUMBER,
                status=_TEXT,
                value=_TEXT,
                changes=_list_of(_TEXT),
            )
        ),
        decisions=_list_of(_ref("Action")),
        transactions=_list_of(
            _all_of(
                partition=_NUMBER,
                offset=_NUMBER,
                transaction_id=_TEXT,
                booked_at=_TIME,
                business_day=day,
                amount=money,
                currency=_TEXT,
                direction={"enum": ["debit", "credit"]},
                counterparty_id=_or_null(_TEXT),
                counterparty_institution=_or_null(_TEXT),
                channel=_or_null(_TEXT),
                branch=_or_null(_TEXT),
                reverses=_or_null(_TEXT),
                is_cause={"type": "boolean"},
                is_again={"type": "boolean", "description": "The id came before: counted once."},
            )
        ),
        counterparties=_list_of(
            _all_of(
                counterparty=_TEXT,
                institution=_TEXT,
                currency=_TEXT,
                transactions=_NUMBER,
                debit_amount=money,
                credit_amount=money,
            )
        ),
        records_read=_list_of(
            _all_of(partition=_NUMBER, first_offset=_NUMBER, last_offset=_NUMBER)
        ),
        alerts_without_place=_NUMBER,
        transactions_why_not={
            **_or_null(_TEXT),
            "description": "Why the topic could not be read; null if it was.",
        },
    )


def _all_of(**properties: object) -> dict[str, Any]:
    """Return an object that has just these members, all of them."""
    return {**_object(properties, list(properties)), "additionalProperties": False}


def _account_paths() -> dict[str, Any]:
    chosen = {
        "name": "alert",
        "in": "query",
        "description": "An alert of the account; it may be there again. None: all of them.",
        "schema": _list_of(_TEXT),
        "style": "form",
        "explode": True,
    }
    return {
        "/api/v1/accounts/{account_id}/paper": {
            "parameters": _in_path("account_id"),
            "get": {
                "summary": "The working paper of an account and chosen alerts",
                "parameters": [chosen],
                **_answers(_ref("WorkingPaper"), "200", "404"),
            },
        }
    }


def _page_of(name: str) -> dict[str, Any]:
    return _object({"items": _list_of(_ref(name)), "next": _or_null(_TEXT)}, ["items", "next"])


def _answers(
    schema: Schema, status: str = "200", *errors: str, preview: Schema | None = None
) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    found: dict[str, Any] = {
        status: {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    }
    if preview is not None:
        shown = {"application/json": {"schema": preview}}
        found["200"] = {"description": "What would be done.", "content": shown}
    for error in ("400", "401", "403", "429", *errors):
        found[error] = {"description": _ERRORS[error], "content": problem}
    return {"responses": found}


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
    "503": "The broker does not answer.",
    "415": "The body must be application/json.",
}


def _takes(schema: Schema) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _query(names: Sequence[str] = OF_API) -> list[dict[str, Any]]:
    found = []
    for name in names:
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
    "schema": _TEXT,
    "description": "The token of the session, as every page has it; not needed with a bearer.",
}


def _limit_paths() -> dict[str, Any]:
    of_limit, of_proposal = _in_path("threshold_id"), _in_path("proposal_id")
    write = ("404", "409", "415", "422")
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


def _task_paths() -> dict[str, Any]:
    note = _or_null({**_TEXT, "maxLength": NOTE_LENGTH_MAX})
    opening = {
        "task": {"enum": [RECOVERY_ALL, *(kind.value for kind in TaskKind)]},
        "alert_id": _or_null({**_TEXT, "description": "An alert of the account."}),
        "due": _or_null({"type": "string", "format": "date"}),
        "assignee": _or_null(_TEXT),
        "note": note,
    }
    ending = {"step": {"enum": ["done", "dropped"]}, "note": note}
    asked = [
        {"name": "progress", "in": "query", "schema": {"enum": list(TaskProgress)}},
        *_query(("account_id", "assignee", "limit", "cursor")),
    ]
    write = ("404", "409", "415", "422")
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
                **_takes({**_object(opening, ["task"]), "additionalProperties": False}),
                **_answers(_object({"items": _list_of(_ref("Task"))}, ["items"]), "201", *write),
            },
        },
        "/api/v1/tasks/{task_id}/steps": {
            "parameters": [*_in_path("task_id"), _CSRF],
            "post": {
                "summary": "Take note that a task was done, or is dropped",
                **_takes({**_object(ending, ["step"]), "additionalProperties": False}),
                **_answers(_ref("Task"), "201", *write),
            },
        },
    }


def _queue_paths() -> dict[str, Any]:
    of_filter = {name: _or_null(_TEXT) for name in (*FILTERS, "q")}
    taking = {**_object(of_filter), "additionalProperties": False}
    closing = {
        **_object(
            {
                **of_filter,
                "disposition": _or_null({"enum": [name.value for name in Disposition]}),
                "note": _or_null(_TEXT),
                "digest": {
                    **_or_null(_TEXT),
                    "description": "Of the preview: without it, the answer is one.",
                },
            }
        ),
        "additionalProperties": False,
    }
    preview = _object(
        {"alerts": _NUMBER, "accounts": _NUMBER, "proposals": _NUMBER, "digest": _TEXT}
    )
    done = _object({"done": _list_of(_object({}))})
    return {
        "/api/v1/queue/take": {
            "parameters": [_CSRF],
            "post": {
                "summary": "Take the next open alerts that nobody has: one with its group",
                **_takes(taking),
                **_answers(done, "201", "409", "415"),
            },
        },
        "/api/v1/queue/close": {
            "parameters": [_CSRF],
            "post": {
                "summary": "Close all open alerts that filters find; without digest, preview it",
                **_takes(closing),
                **_answers(done, "201", "409", "415", preview=preview),
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
    write = ("404", "409", "415", "422")
    with_members = {
        "allOf": [whole, _ref("Incident"), _object({"member_alerts": _list_of(_ref("Alert"))})]
    }
    health = _object(
        {
            "positions": _list_of(_object({})),
            "closed_days": _list_of(_object({})),
            "unsent": _NUMBER,
        }
    )
    done = _object({"done": _list_of(_object({}))})
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
        "/api/v1/alerts/{alert_id}/undo": {
            "parameters": [*of_alert, _CSRF],
            "post": {
                "summary": "Take back your own last decision of the last ten minutes",
                **_takes({**_object({}), "additionalProperties": False}),
                **_answers(
                    _object({"taken_back": _ref("Action"), "done": _list_of(_ref("Action"))}),
                    "201",
                    *write,
                ),
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
        **_account_paths(),
        **_queue_paths(),
        **_limit_paths(),
        **_task_paths(),
        "/api/v1/health": {"get": {"summary": "How far the store is", **_answers(health)}},
        "/api/v1/openapi.json": {
            "get": {"summary": "This document", "security": [], **_answers({"type": "object"})}
        },
    }


_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {**_TEXT, "minLength": 1, "maxLength": KEY_LENGTH_MAX},
    "description": "The same key with the same request gets the same answer, for 24 hours.",
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "schema": _TEXT,
    "description": "ETags that the caller has: one that still holds is answered by 304.",
}


def _with_repeats(paths: dict[str, Any]) -> dict[str, Any]:
    """Return paths with what holds for each of them: tags of a GET, keys of a POST."""
    for path, item in paths.items():
        if "post" in item:
            item["post"]["parameters"] = [*item["post"].get("parameters", ()), _KEY]
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
            "schemas": _schemas(),
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
