"""Saved views as forms and in the API: filters of the queue that a person keeps under a name.

They are a person's own: a token has those of its user.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.filters import FILTERS, OF_QUEUE, Filter, checked, filter_of
from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import (
    AnswerError,
    Body,
    as_json,
    ensure_known,
    now_of,
    person_of,
    see_other,
    store_of,
    writing,
)
from monitor.store.programs.actors import accountable
from monitor.store.work.saved_views import (
    NAME_LENGTH_MAX,
    VIEWS_MAX,
    SavedView,
    TooManyViewsError,
    remove_view,
    save_view,
    views_of,
)

OF_VIEW: Final = ("tab", *FILTERS, "q")
"""What a view keeps of the queue's address."""


def change_views(request: Request, body: Body) -> Response:
    """Save the queue's filters under a name, or remove that name. Raises AnswerError (400, 404)."""
    chosen = filter_of(checked(QueryParams(body.get("query", "")), OF_QUEUE))
    name = _name_in(body)
    if body.get("does") == "remove":
        _remove(request, name)
    else:
        _save(request, name, chosen)
    return see_other(f"/queue?{chosen.query()}")


def view_list(request: Request) -> Response:
    """Answer with the views of whoever asks, by name."""
    checked(request.query_params, ())
    with store_of(request).reading() as connection:
        found = views_of(connection, _owner_of(request))
    return as_json({"items": [_fields(view) for view in found]})


def post_view(request: Request, body: Body) -> Response:
    """Save filters under a name; a view of that name is replaced. Raises AnswerError (400)."""
    ensure_known(body, ("name", "filters"))
    view = _save(request, _name_in(body), _filter_in(body.get("filters")))
    return as_json(_fields(view), 201)


def post_view_removal(request: Request, body: Body) -> Response:
    """Remove a view, and answer with it. Raises AnswerError (404) if no view has the name."""
    ensure_known(body, ())
    return as_json(_fields(_remove(request, request.path_params["name"])), 201)


def _owner_of(request: Request) -> str:
    return accountable(person_of(request).name)


def _name_in(body: Body) -> str:
    name = body.get("name")
    name = name.strip() if isinstance(name, str) else ""
    if not name or len(name) > NAME_LENGTH_MAX:
        raise AnswerError(
            400, _("name must be a text of at most %(most)s characters", most=NAME_LENGTH_MAX)
        )
    return name


def _filter_in(said: object) -> Filter:
    """Return the filter that a body states. Raises AnswerError (400) if it is odd."""
    texts: dict[str, str] = {}
    for name, value in said.items() if isinstance(said, Mapping) else [("filters", None)]:
        if not isinstance(value, str):
            raise AnswerError(400, "filters must be an object of texts")
        texts[name] = value
    return filter_of(checked(QueryParams(texts), OF_VIEW))


def _save(request: Request, name: str, chosen: Filter) -> SavedView:
    owner, view = _owner_of(request), SavedView(name, chosen.query())
    with writing(request) as connection:
        try:
            save_view(connection, owner, view, now_of(request))
        except TooManyViewsError as error:
            raise AnswerError(
                400,
                _("%(owner)s has %(most)s views: remove one first", owner=owner, most=VIEWS_MAX),
            ) from error
    return view


def _remove(request: Request, name: str) -> SavedView:
    owner = _owner_of(request)
    with writing(request) as connection:
        held = {view.name: view for view in views_of(connection, owner)}
        if name not in held:
            raise AnswerError(404, _("you have no view %(name)s", name=name))
        remove_view(connection, owner, name)
    return held[name]


def _fields(view: SavedView) -> dict[str, Any]:
    filters = dict(parse_qsl(view.query))
    return {"name": view.name, "filters": filters, "address": f"/queue?{view.query}"}
