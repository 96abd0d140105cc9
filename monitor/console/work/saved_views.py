"""The forms of saved views: filters of the queue that a person keeps under a name."""

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from monitor.console.filters import OF_QUEUE, checked, filter_of
from monitor.console.replies import AnswerError, Body, now_of, person_of, see_other, store_of
from monitor.store.work.saved_views import (
    NAME_LENGTH_MAX,
    SavedView,
    TooManyViewsError,
    remove_view,
    save_view,
)


def change_views(request: Request, body: Body) -> Response:
    """Save the queue's filters under a name, or remove that name. Raises AnswerError (400, 404)."""
    chosen = filter_of(checked(QueryParams(body.get("query", "")), OF_QUEUE))
    name, owner = str(body.get("name", "")).strip(), person_of(request).name
    if not name or len(name) > NAME_LENGTH_MAX:
        raise AnswerError(400, f"name must be a text of at most {NAME_LENGTH_MAX} characters")
    with store_of(request).begin() as connection:
        if body.get("does") == "remove":
            if not remove_view(connection, owner, name):
                raise AnswerError(404, f"you have no view {name}")
        else:
            try:
                view = SavedView(name, chosen.query())
                save_view(connection, owner, view, now_of(request))
            except TooManyViewsError as error:
                raise AnswerError(400, str(error)) from error
    return see_other(f"/queue?{chosen.query()}")
