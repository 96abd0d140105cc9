"""The worklist's forms and its part of the API: take the next ones, close all that are found."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.decisions import Done
from monitor.console.filters import FILTERS, OF_QUEUE, Filter, api_wanted, checked, filter_of
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
from monitor.console.views.queue import done_text
from monitor.console.worklist import close_many, many_of, take_next
from monitor.dispositions.disposition import Disposition
from monitor.store.queries import AlertFilter

OF_FILTER: Final = (*FILTERS, "q")


def take(request: Request, body: Body) -> Response:
    """Assign the next alerts of the queue to whoever asks, and show the first of them."""
    chosen, person, now = _filter_in(body), person_of(request), now_of(request)
    with store_of(request).begin() as connection:
        done = take_next(connection, person, chosen.wanted(person.name, now), now)
    if not done:
        return see_other(f"/queue?{chosen.query()}&done=take.0")
    first = quote(done[0].alert_id, safe="")
    return see_other(f"/alerts/{first}?in={quote(chosen.query(tab='mine'), safe='')}")


def close(request: Request, body: Body) -> Response:
    """Show what closing all alerts of the queue's filters would do; do it if the form has seen."""
    chosen, person, now = _filter_in(body), person_of(request), now_of(request)
    if body.get("disposition") not in list(Disposition):
        raise AnswerError(400, f"disposition must be one of {', '.join(Disposition)}")
    wanted = chosen.wanted(person.name, now)
    if body.get("digest"):
        with store_of(request).begin() as connection:
            done = close_many(connection, person, body, wanted, body["digest"])
        return see_other(f"/queue?{chosen.query()}&done={done_text(done)}")
    with store_of(request).reading() as connection:
        many = many_of(connection, person, wanted)
    shown = {
        "title": "Close all alerts that match",
        "many": many,
        "filter": chosen,
        "disposition": body["disposition"],
        "note": body.get("note", ""),
    }
    return page(request, "many.html", shown)


def _filter_in(body: Body) -> Filter:
    """Return the filter of the queue that a form was on. Raises AnswerError (400) if it is odd."""
    return filter_of(checked(QueryParams(body.get("query", "")), OF_QUEUE))


def post_take(request: Request, body: Body) -> Response:
    """Assign the next open alerts that nobody has, with the filters of the body."""
    person, now = person_of(request), now_of(request)
    wanted = _wanted_in(body, OF_FILTER, now)
    with writing(request) as connection:
        done = take_next(connection, person, wanted, now)
    return as_json({"done": _fields(done)}, 201)


def post_close_all(request: Request, body: Body) -> Response:
    """Say what closing the open alerts of filters would do; with that answer's digest, do it."""
    person, now = person_of(request), now_of(request)
    wanted = _wanted_in(body, (*OF_FILTER, "disposition", "note", "digest"), now)
    digest = body.get("digest")
    if digest is None:
        with writing(request) as connection:
            return as_json(many_of(connection, person, wanted).fields())
    with writing(request) as connection:
        done = close_many(connection, person, body, wanted, str(digest))
    return as_json({"done": _fields(done)}, 201)


def _wanted_in(body: Body, names: tuple[str, ...], now: int) -> AlertFilter:
    ensure_known(body, names)
    params: dict[str, Any] = {name: body[name] for name in OF_FILTER if body.get(name) is not None}
    odd = [name for name, value in params.items() if not isinstance(value, str)]
    if odd:
        raise AnswerError(400, f"{odd[0]} must be a text, not {params[odd[0]]!r}")
    return api_wanted(checked(QueryParams(params), OF_FILTER), now)


def _fields(done: Sequence[Done]) -> list[dict[str, str]]:
    return [{"alert_id": action.alert_id, "action": action.does.value} for action in done]
