"""Incidents: many accounts at once, with the alerts that they explain, closed as a group."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import Response

from monitor.console import why, words
from monitor.console.decisions import Done, Seen, decide, state_of
from monitor.console.filters import checked, limit_of
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.catalogue import ngettext
from monitor.console.language.formats import day, grouped
from monitor.console.replies import (
    AnswerError,
    Body,
    now_of,
    page,
    person_of,
    see_other,
    store_of,
)
from monitor.console.views.exports import addresses
from monitor.console.views.queue import done_text, lines_of, seen_of
from monitor.console.worklist import Many
from monitor.core.alert import Kind
from monitor.dispositions.disposition import MEANINGS, Disposition
from monitor.store.people import Person
from monitor.store.queries import (
    Page,
    QueryError,
    alert_row,
    incident_page,
    member_counts,
    members_of,
    open_members,
)
from monitor.store.standing import Does

DAYS_SHOWN: Final = 62
MEMBERS_SHOWN: Final = 100


def found_incident(connection: Connection, incident_id: str) -> Row[Any]:
    """Return a systemic alert. Raises AnswerError (404) if it is not there."""
    row = None if "\0" in incident_id else alert_row(connection, incident_id)
    if row is None or row.kind != Kind.SYSTEMIC.value:
        raise AnswerError(404, _("there is no incident %(incident_id)s", incident_id=incident_id))
    return row


def preview_of(connection: Connection, incident_id: str, person: Person, now: int) -> Many:
    """Return what closing the open members would do. Raises AnswerError (404) without incident."""
    found_incident(connection, incident_id)
    return Many.of_rows(person, open_members(connection, incident_id, now))


def preview_fields(preview: Many) -> dict[str, Any]:
    """Return a preview as the API writes it: a closing names these members again."""
    return {**preview.counts(), "members": [seen._asdict() for seen in preview.seen]}


def close_members(
    connection: Connection,
    incident_id: str,
    person: Person,
    asked: Mapping[str, Any],
    members: Sequence[Seen] | None,
    now: int,
) -> list[Done]:
    """Close members of an incident with one disposition; None closes all that are open.

    Raises AnswerError as `decide` does, and 409 if an alert is no member any more.
    """
    row = found_incident(connection, incident_id)
    current = preview_of(connection, incident_id, person, now).seen
    if members is None:
        members = current
    strangers = {seen.alert_id for seen in members} - {seen.alert_id for seen in current}
    if strangers:
        raise AnswerError(
            409,
            ngettext(
                "%(num)s alert is no open member of the incident: look again",
                "%(num)s alerts are no open members of the incident: look again",
                len(strangers),
                num=len(strangers),
            ),
            conflicts=[{"alert_id": name} for name in sorted(strangers)],
        )
    if not members:
        raise AnswerError(409, _("the incident has no open members"))
    note = asked.get("note") or f"Closed with incident {row.alert_id}."
    closing = {"action": Does.DISPOSE.value, "disposition": asked.get("disposition"), "note": note}
    return decide(connection, person, closing, members, now)


def incidents(request: Request) -> Response:
    """Show the incidents, the latest first."""
    found, counts = listed_incidents(request, ("cursor",))
    now = now_of(request)
    listed = [
        {
            "row": row,
            "record": json.loads(row.record),
            "state": state_of(row, now).value,
            "members": counts[row.alert_id],
        }
        for row in found.rows
    ]
    shown = {"title": _("Incidents"), "incidents": listed, "next_cursor": found.next}
    return page(request, "incidents.html", shown)


def listed_incidents(
    request: Request, known: Sequence[str]
) -> tuple[Page, Mapping[str, Mapping[str, int]]]:
    """Return the page of incidents that is asked for, and how many members each has by state.

    `known` are the parameters that may be there. Raises AnswerError if one is not as it must be.
    """
    params = checked(request.query_params, known)
    with store_of(request).reading() as connection:
        try:
            found = incident_page(connection, limit_of(params), params.get("cursor") or None)
        except QueryError as error:
            raise AnswerError(400, str(error)) from error
        return found, member_counts(connection, [row.alert_id for row in found.rows])


def incident(request: Request) -> Response:
    """Show an incident: the verdict, the number that decided, evidence, and members."""
    params = checked(request.query_params, ("done",))
    incident_id, now = request.path_params["incident_id"], now_of(request)
    with store_of(request).reading() as connection:
        row = found_incident(connection, incident_id)
        members = members_of(connection, incident_id, MEMBERS_SHOWN)
        shown = {
            "row": row,
            "record": json.loads(row.record),
            "lines": lines_of(connection, members, now, counts_more=False),
            "counts": member_counts(connection, [incident_id])[incident_id],
            "exports": addresses(incident_id=incident_id),
            "preview": preview_of(connection, incident_id, person_of(request), now),
        }
    record = shown["record"]
    shown |= {
        "title": _(
            "Incident - %(verdict)s", verdict=words.word(words.VERDICTS, record.get("verdict"))
        ),
        "state": state_of(row, now).value,
        "why": why.why_of_alert(record),
        "evidence": evidence_of(record),
        "days": [day(text) for text in words.listed(words.evidence(record).get("days"))],
        "days_shown": DAYS_SHOWN,
        "members_shown": MEMBERS_SHOWN,
        "meanings": MEANINGS,
        "is_done": bool(params.get("done")),
    }
    return page(request, "incident.html", shown)


def evidence_of(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return evidence as names and texts; an object in it is one entry a member."""
    found: list[tuple[str, str]] = []
    for name, value in sorted(words.evidence(record).items(), key=lambda item: str(item[0])):
        members = value.items() if isinstance(value, Mapping) else [("", value)]
        for member, text in members:
            if isinstance(text, list | Mapping):
                continue
            said = f"{text:.3g}" if isinstance(text, float) else grouped(text)
            found.append((f"{words.field(name)} {words.field(member)}".strip(), said))
    return found


def close(request: Request, body: Body) -> Response:
    """Show what closing the members would do; do it if the form has the members of such a page."""
    incident_id, person, now = (
        request.path_params["incident_id"],
        person_of(request),
        now_of(request),
    )
    address = f"/incidents/{quote(incident_id, safe='')}"
    if body.get("disposition") not in list(Disposition):
        raise AnswerError(400, f"disposition must be one of {', '.join(Disposition)}")
    if not body.get("members"):
        with store_of(request).reading() as connection:
            preview = preview_of(connection, incident_id, person, now)
            record = json.loads(found_incident(connection, incident_id).record)
        shown = {
            "title": _("Close the members of an incident"),
            "preview": preview,
            "members": json.dumps([list(seen) for seen in preview.seen], separators=(",", ":")),
            "address": address,
            "record": record,
            "disposition": body["disposition"],
            "note": body.get("note", ""),
        }
        return page(request, "preview.html", shown)
    members = members_in(body["members"])
    with store_of(request).begin() as connection:
        done = close_members(connection, incident_id, person, body, members, now)
    return see_other(f"{address}?done={done_text(done)}")


def members_in(text: str) -> list[Seen]:
    """Return the members that a form names. Raises AnswerError (400) if it names none."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, list) or not members:
        raise AnswerError(400, "members must be as the preview gave them")
    return [seen_of(json.dumps(member)) for member in members]
