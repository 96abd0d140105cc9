"""One alert: why it was raised, what it said before, what people did, and the forms to act."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote

from sqlalchemy import Connection, Row
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from monitor.console import words
from monitor.console.decisions import (
    SNOOZE_DAYS_MAX,
    decide,
    may,
    needs_second,
    state_of,
)
from monitor.console.filters import OF_QUEUE, checked, filter_of
from monitor.console.language.catalogue import gettext as _
from monitor.console.paper import why_of
from monitor.console.replies import (
    AnswerError,
    Body,
    now_of,
    page,
    person_of,
    see_other,
    store_of,
)
from monitor.console.views.account import days_of, entry_of, read
from monitor.console.views.queue import Line, lines_of, seen_of, seen_text
from monitor.console.work.tasks import today_of
from monitor.console.work.undo import offered
from monitor.core.business_day import event_time_text
from monitor.dispositions.disposition import MEANINGS, needs_two
from monitor.store.people import DAY, Person
from monitor.store.queries import (
    actions_of,
    alert_count,
    alert_page,
    alert_row,
    alerts_of_account,
    assignable,
    cursor_of,
    days_of_account,
    revisions_of,
)
from monitor.store.standing import State, closed_alone
from monitor.store.work.tasklist import TaskFilter, tasks_of

OTHERS_MAX: Final = 25


class AlertReport(NamedTuple):
    """A report of an alert: what it said, and what it changed."""

    revision: int
    told_at: int
    status: str
    value: str
    changes: Sequence[str]


def alert(request: Request) -> Response:
    """Show an alert, and keep that it was read."""
    params = checked(request.query_params, ("in",))
    alert_id, person, now = request.path_params["alert_id"], person_of(request), now_of(request)
    with store_of(request).reading() as connection:
        row = found_row(connection, alert_id)
        shown = _shown(connection, row, person, now)
        shown |= _place(connection, row, params.get("in", ""), person.name, now)
    read(request, "alert", alert_id)
    return page(request, "alert.html", shown)


def found_row(connection: Connection, alert_id: str) -> Row[Any]:
    """Return an alert. Raises AnswerError (404) if it is not there."""
    row = None if "\0" in alert_id else alert_row(connection, alert_id)
    if row is None:
        raise AnswerError(404, _("there is no alert %(alert_id)s", alert_id=alert_id))
    return row


def _shown(connection: Connection, row: Row[Any], person: Person, now: int) -> dict[str, Any]:
    record = json.loads(row.record)
    told = told_of(connection, row.alert_id)
    days: Sequence[Mapping[str, Any]] = ()
    others: list[Line] = []
    others_total = 0
    if row.account_id is not None:
        days = days_of_account(connection, row.account_id)
        others = others_of(connection, row, now)
        others_total = max(alert_count(connection, row.account_id) - 1, len(others))
    incident = None if row.incident_id is None else alert_row(connection, row.incident_id)
    tomorrow = (now // DAY + 1) * DAY
    done = actions_of(connection, row.alert_id)
    is_closed = row.state == State.CLOSED.value and needs_two(row.severity)
    return {
        "title": f"{words.word(words.KINDS, row.kind)} - {row.account_id or row.segment or ''}",
        "row": row,
        "record": record,
        "state": state_of(row, now).value,
        "seen": seen_text(row),
        "why": why_of(record, days),
        "figures": words.figures(record),
        "totals": words.rows_of(words.evidence(record).get("totals")),
        "strange_days": words.rows_of(words.evidence(record).get("days")),
        "told": told,
        "entries": [entry_of(action) for action in done],
        "alone": closed_alone(done) if is_closed else None,
        "others": others,
        "others_total": others_total,
        "tasks": tasks_of(connection, TaskFilter(alert_id=row.alert_id)),
        "today": today_of(now),
        "days": days_of(days, record),
        "incident": incident,
        "incident_record": None if incident is None else json.loads(incident.record),
        "may": may(person, row, now),
        "undo": offered(connection, person, row.alert_id, now),
        "needs_second": needs_second(person, row),
        "meanings": MEANINGS,
        "colleagues": [name for name in assignable(connection) if name != person.name],
        "tomorrow": event_time_text(tomorrow)[: len("2026-01-05")],
        "latest": event_time_text(now + SNOOZE_DAYS_MAX * DAY)[: len("2026-01-05")],
        "snoozes": [
            (name, event_time_text(tomorrow + (days - 1) * DAY)[: len("2026-01-05")])
            for name, days in (
                (_("tomorrow"), 1),
                (_("in 3 days"), 3),
                (_("in a week"), 7),
                (_("in 30 days"), 30),
            )
        ],
    }


def told_of(connection: Connection, alert_id: str) -> list[AlertReport]:
    """Return what was reported of an alert, the latest first, each with what it changed."""
    found: list[AlertReport] = []
    before: Mapping[str, Any] | None = None
    for row in revisions_of(connection, alert_id):
        record = json.loads(row.record)
        changed = [] if before is None else words.changes(before, record)
        found.append(
            AlertReport(row.revision, row.told_at, row.status, words.amount(record), changed)
        )
        before = record
    return found[::-1]


def others_of(connection: Connection, row: Row[Any], now: int) -> list[Line]:
    """Return other alerts of an alert's account, the latest first."""
    its = alerts_of_account(connection, row.account_id, OTHERS_MAX + 1)
    others = [other for other in its if other.alert_id != row.alert_id][:OTHERS_MAX]
    return lines_of(connection, others, now, counts_more=False)


def _place(
    connection: Connection, row: Row[Any], query: str, name: str, now: int
) -> dict[str, Any]:
    """Return the queue that an alert was opened from, and the alert that is next there."""
    params = checked(QueryParams(parse_qsl(query)), OF_QUEUE)
    params.pop("cursor", None)
    chosen = filter_of(params)
    following = alert_page(connection, chosen.wanted(name, now), 1, cursor_of(row)).rows
    query = chosen.query()
    next_address = ""
    if following:
        next_address = f"/alerts/{quote(following[0].alert_id, safe='')}?in={quote(query, safe='')}"
    return {"back": f"/queue?{query}", "in_query": query, "next_address": next_address}


def act_on(request: Request, body: Body) -> Response:
    """Do what the form of an alert's page asks, and show the alert again."""
    alert_id = request.path_params["alert_id"]
    seen = seen_of(body.get("alert", ""))
    if seen.alert_id != alert_id:
        raise AnswerError(400, "the form must be of the alert that the address names")
    with store_of(request).begin() as connection:
        decide(connection, person_of(request), body, [seen], now_of(request))
    query = f"?in={quote(body['in'], safe='')}" if body.get("in") else ""
    return see_other(f"/alerts/{quote(alert_id, safe='')}{query}")
