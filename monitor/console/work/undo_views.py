"""Taking back a decision: the button of an alert's page, and its part of the API."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from monitor.console.replies import (
    Body,
    as_json,
    ensure_known,
    now_of,
    person_of,
    see_other,
    writing,
)
from monitor.console.work.undo import take_back


def post_undo(request: Request, body: Body) -> Response:
    """Take back a person's own last decision on an alert."""
    ensure_known(body, ())
    alert_id, now = request.path_params["alert_id"], now_of(request)
    with writing(request) as connection:
        undo = take_back(connection, person_of(request), alert_id, now)
    taken, done = undo.decision.fields(), [step.fields() for step in undo.inverse]
    return as_json({"taken_back": taken, "done": done}, 201)


def undo_form(request: Request, body: Body) -> Response:
    """Take back a person's own last decision on an alert, and show the alert again."""
    alert_id, now = request.path_params["alert_id"], now_of(request)
    with writing(request) as connection:
        take_back(connection, person_of(request), alert_id, now)
    query = f"?in={quote(body['in'], safe='')}" if body.get("in") else ""
    return see_other(f"/alerts/{quote(alert_id, safe='')}{query}")
