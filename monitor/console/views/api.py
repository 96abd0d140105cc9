"""The API: the same alerts, decisions and incidents as the pages, as JSON."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.decisions import Done, Seen, decide, state_of
from monitor.console.filters import OF_API, api_wanted, checked, limit_of
from monitor.console.openapi.document import document
from monitor.console.repeats import hash_tag, tags_of
from monitor.console.replies import (
    AnswerError,
    Body,
    as_json,
    ensure_known,
    now_of,
    person_of,
    store_of,
    writing,
)
from monitor.console.views.account import known_days, read, subject_of
from monitor.console.views.alert import found_row
from monitor.console.views.health import health_fields
from monitor.console.views.incident import (
    close_members,
    found_incident,
    listed_incidents,
    preview_fields,
    preview_of,
)
from monitor.core.alert import Kind
from monitor.core.business_day import event_time_text
from monitor.store.people import Person
from monitor.store.queries import (
    LIMIT_MAX,
    QueryError,
    account_page,
    actions_of,
    actions_of_account,
    alert_page,
    member_counts,
    members_of,
    revisions_of,
)
from monitor.store.standing import Does
from monitor.store.work.tasklist import TaskFilter, tasks_of

_ANY: Final = "*"
_TAG: Final = re.compile(r'"([0-9]+-[0-9]+)(?:-[0-9a-f]+)?"')


def etag_of(row: Row[Any], fields: Mapping[str, Any]) -> str:
    """Return the entity tag of an alert: people's version, the machine's revision, and a hash.

    Without the hash of what is shown, a snooze that ended would leave the tag as it was.
    """
    shown = hash_tag(json.dumps(fields, sort_keys=True).encode())
    return f'"{row.version}-{row.revision}-{shown[1:]}'


def summary(row: Row[Any], now: int) -> dict[str, Any]:
    """Return an alert as a list has it."""
    return {
        **json.loads(row.record),
        "state": state_of(row, now).value,
        "assignee": row.assignee,
        "disposition": row.disposition,
        "version": row.version,
        "priority": row.priority,
        "incident_id": row.incident_id,
        "is_back": row.is_back,
        "told_at": event_time_text(row.told_at),
    }


def whole(connection: Connection, row: Row[Any], now: int) -> dict[str, Any]:
    """Return an alert with all that was reported of it, and all that people did."""
    return {
        **summary(row, now),
        "revisions": [json.loads(told.record) for told in revisions_of(connection, row.alert_id)],
        "actions": [action.fields() for action in actions_of(connection, row.alert_id)],
    }


def alert_list(request: Request) -> Response:
    """Answer with the alerts that are asked for, by priority."""
    params, now = checked(request.query_params, OF_API), now_of(request)
    with store_of(request).reading() as connection:
        try:
            found = alert_page(
                connection, api_wanted(params, now), limit_of(params), params.get("cursor") or None
            )
        except QueryError as error:
            raise AnswerError(400, str(error)) from error
        items = [summary(row, now) for row in found.rows]
    return as_json({"items": items, "next": found.next})


def alert_object(request: Request) -> Response:
    """Answer with an alert, and keep that it was read."""
    checked(request.query_params, ())
    alert_id, now = request.path_params["alert_id"], now_of(request)
    with store_of(request).reading() as connection:
        row = found_row(connection, alert_id)
        fields = whole(connection, row, now)
    read(request, "alert", alert_id)
    return as_json(fields, headers={"ETag": etag_of(row, fields)})


def post_disposition(request: Request, body: Body) -> Response:
    """Close an alert, or propose it."""
    ensure_known(body, ("disposition", "note", "revision"))
    return _act(request, {**body, "action": Does.DISPOSE.value})


def post_action(request: Request, body: Body) -> Response:
    """Do what the body says with an alert."""
    ensure_known(body, ("action", "disposition", "note", "revision", "assignee", "until"))
    return _act(request, body)


def _act(request: Request, asked: Mapping[str, Any]) -> Response:
    alert_id, now, person = request.path_params["alert_id"], now_of(request), person_of(request)
    revision = asked.get("revision")
    if revision is not None and (type(revision) is not int or revision < 1):
        raise AnswerError(400, f"revision must be a whole number from 1 on, not {revision!r}")
    with writing(request) as connection:
        row = found_row(connection, alert_id)
        _ensure_match(request, row)
        done = decide(connection, person, asked, [Seen(alert_id, row.version, revision)], now)
        after = found_row(connection, alert_id)
        fields = {**whole(connection, after, now), "done": done[-1].does.value}
    return as_json(fields, 201, {"ETag": etag_of(after, fields)})


def _ensure_match(request: Request, row: Row[Any]) -> None:
    """Raise AnswerError (412) with both versions, if If-Match names none of this alert."""
    wanted = tags_of(request.headers, "if-match") or [_ANY]
    held = f"{row.version}-{row.revision}"
    if _ANY in wanted or held in {_seen_in(tag) for tag in wanted}:
        return
    conflict = {"alert_id": row.alert_id, "seen": wanted, "held": held}
    raise AnswerError(
        412,
        "the alert has changed: get it again",
        alert_id=row.alert_id,
        version=row.version,
        revision=row.revision,
        conflicts=[conflict],
    )


def _seen_in(tag: str) -> str:
    """Return the version and the revision that an alert's tag names; its hash does not matter.

    The hash says how the alert is shown, as its priority, which nobody decides by.
    """
    found = _TAG.fullmatch(tag)
    return "" if found is None else found[1]


def account_object(request: Request) -> Response:
    """Answer with an account as its page has it, and keep that it was read."""
    params = checked(request.query_params, ("limit", "cursor"))
    account_id, now = request.path_params["account_id"], now_of(request)
    with store_of(request).reading() as connection:
        records = known_days(connection, account_id)
        try:
            found = account_page(
                connection, account_id, limit_of(params), params.get("cursor") or None
            )
        except QueryError as error:
            raise AnswerError(400, str(error)) from error
        reviews = account_page(connection, account_id, LIMIT_MAX, kind=Kind.REVIEW.value)
        fields = {
            **subject_of(account_id, records),
            "days": records,
            "alerts": {"items": [summary(row, now) for row in found.rows], "next": found.next},
            "reviews": [summary(row, now) for row in reviews.rows],
            "actions": [action.fields() for action in actions_of_account(connection, account_id)],
            "tasks": [
                task.fields() for task in tasks_of(connection, TaskFilter(account_id=account_id))
            ],
        }
    read(request, "account", account_id)
    return as_json(fields)


def incident_list(request: Request) -> Response:
    """Answer with the incidents, the latest first."""
    found, counts = listed_incidents(request, ("limit", "cursor"))
    now = now_of(request)
    items = [{**summary(row, now), "member_states": counts[row.alert_id]} for row in found.rows]
    return as_json({"items": items, "next": found.next})


def incident_object(request: Request) -> Response:
    """Answer with an incident and its members."""
    checked(request.query_params, ())
    incident_id, now = request.path_params["incident_id"], now_of(request)
    with store_of(request).reading() as connection:
        row = found_incident(connection, incident_id)
        fields = {
            **whole(connection, row, now),
            "member_states": member_counts(connection, [incident_id])[incident_id],
            "member_alerts": [
                summary(member, now) for member in members_of(connection, incident_id)
            ],
        }
    return as_json(fields, headers={"ETag": etag_of(row, fields)})


def post_close(request: Request, body: Body) -> Response:
    """Close the open members of an incident; with `is_preview`, say what that would do."""
    ensure_known(body, ("disposition", "note", "members", "is_preview"))
    incident_id, now, person = (
        request.path_params["incident_id"],
        now_of(request),
        person_of(request),
    )
    with writing(request) as connection:
        if body.get("is_preview") is True:
            return as_json(preview_fields(preview_of(connection, incident_id, person, now)))
        members = None if body.get("members") is None else _members(body["members"])
        done = close_members(connection, incident_id, person, body, members, now)
    return as_json({"done": _done_fields(done, person)}, 201)


def _members(value: object) -> list[Seen]:
    """Return the members that a body names. Raises AnswerError (400) if it names none."""
    found = []
    for member in value if isinstance(value, list) else [None]:
        fields = member if isinstance(member, Mapping) else {}
        alert_id, version = fields.get("alert_id"), fields.get("version")
        revision = fields.get("revision")
        if not (isinstance(alert_id, str) and type(version) is int):
            raise AnswerError(400, "members must be a list of objects with alert_id and version")
        if revision is not None and type(revision) is not int:
            raise AnswerError(400, f"revision must be a whole number, not {revision!r}")
        found.append(Seen(alert_id, version, revision))
    return found


def _done_fields(done: list[Done], person: Person) -> list[dict[str, str]]:
    return [
        {"alert_id": action.alert_id, "action": action.does.value, "by": person.name}
        for action in done
    ]


def health_object(request: Request) -> Response:
    """Answer with how far the store is."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        fields = health_fields(connection)
    return as_json(fields)


def openapi_document(request: Request) -> Response:
    """Answer with the description of this API."""
    checked(request.query_params, ())
    return as_json(document())
