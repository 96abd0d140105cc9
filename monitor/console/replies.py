"""Replies: a page from a template, an object as JSON, or an error as the one or the other."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from monitor.console import words
from monitor.console.language.catalogue import LANGUAGES, N_, Said, marked, ngettext, spoken
from monitor.console.language.catalogue import gettext as _
from monitor.console.language.formats import (
    day,
    duration,
    grouped,
    minute,
    per_cent,
    second,
    written_minute,
)
from monitor.store.people import Person, Role
from monitor.store.store import Store, StoreAwayError, StoreError
from monitor.store.work.seconds import WAITING_MAX, Proposed, waiting_for

API: Final = "/api/"
PROBLEM: Final = "application/problem+json"

Body = Mapping[str, Any]
"""What a request sent: a form's fields (the last of a name; all are in `lists`), or JSON."""


class AnswerError(Exception):
    """A request that is refused: the status, why, and further members of the problem."""

    def __init__(self, status: int, detail: str, **members: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("monitor.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": day,
        "duration": duration,
        "grouped": grouped,
        "minute": minute,
        "moment": words.moment,
        "per_cent": per_cent,
        "second": second,
        "written_minute": written_minute,
        "part": lambda text: quote(str(text), safe=""),
    }
    environment.globals |= {
        "words": words,
        "word": words.word,
        "waiting_max": WAITING_MAX,
    }
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    install = environment.install_gettext_callables  # type: ignore[attr-defined]  # the extension's
    install(_, ngettext, newstyle=True)
    # Jinja looks up, calls and formats each text, also one without placeholders: a third of the
    # time of a page with a long table.
    environment.globals |= {"_": marked, "gettext": marked}
    return environment


_TEMPLATES: Final = _environment()


def store_of(request: Request) -> Store:
    """Return the store that the app was made with."""
    store: Store = request.app.state.store
    return store


@contextmanager
def writing(request: Request) -> Iterator[Connection]:
    """Begin the transaction of a request; it is that of its kept answer, if it has a key."""
    begun: Connection | None = getattr(request.state, "transaction", None)
    if begun is not None:
        yield begun
        return
    with store_of(request).begin() as connection:
        yield connection


def now_of(request: Request) -> int:
    """Return the app's time: microseconds since 1970."""
    now: int = request.app.state.clock()
    return now


def person_of(request: Request) -> Person:
    """Return who is logged in. Raises AnswerError (401) if nobody is."""
    person: Person | None = getattr(request.state, "person", None)
    if person is None:
        raise AnswerError(401, "log in first")
    return person


def page(
    request: Request, template: str, context: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """Return a page made of a template and what it shows."""
    person: Person | None = getattr(request.state, "person", None)
    shown = {
        "person": person,
        "csrf": person.csrf if person else "",
        "nonce": getattr(request.state, "nonce", ""),
        "can_act": person is not None and person.role >= Role.ANALYST,
        "path": request.url.path,
        "language": spoken(),
        "languages": LANGUAGES.values(),
        "here": _address_of(request),
        "now": now_of(request),
        "title": "Weir",
        "live_after": None,
        "waiting": _waiting_for(request, person) if status == HTTPStatus.OK else None,
        **context,
    }
    text = _TEMPLATES.get_template(template).render(shown)
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


def _waiting_for(request: Request, person: Person | None) -> Proposed | None:
    """Return what waits for a second person who may be the reader; None if they may be none."""
    if person is None or person.role < Role.APPROVER:
        return None
    with store_of(request).reading() as connection:
        return waiting_for(connection, person.name)


def _address_of(request: Request) -> str:
    """Return the address of a page that is shown again in another language; else the queue's."""
    if request.method != "GET":
        return "/queue"
    path, query = quote(request.scope["path"]), request.url.query
    return f"{path}?{query}" if query else path


def see_other(address: str) -> RedirectResponse:
    """Send a browser on after a form; only to an address of ours."""
    if not address.startswith("/") or address.startswith(("//", "/\\")):
        address = "/queue"
    return RedirectResponse(address, 303)


def as_json(
    content: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Return an object as JSON."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    more = {"Cache-Control": "no-store", **(headers or {})}
    return Response(text.encode("utf-8", "replace"), status, more, media_type)


def posted(
    view: Callable[[Request, Body], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Read a request's body, then let a view work with the database in a thread."""

    async def endpoint(request: Request) -> Response:
        if request.url.path.startswith(API):
            body = _object_of(request, await request.body())
        else:
            form = await request.form()
            texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            _ensure_storable(json.dumps(texts, ensure_ascii=False))
            lists: dict[str, list[str]] = {}
            for name, value in texts:
                lists.setdefault(name, []).append(value)
            body = {**dict(texts), "lists": lists}
        return await run_in_threadpool(view, request, body)

    endpoint.__name__ = view.__name__
    return endpoint


def _object_of(request: Request, body: bytes) -> Body:
    """Return the JSON object of a body. Raises AnswerError if it is something else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise AnswerError(415, f"the body must be application/json, not {kind or 'untyped'}")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerError(400, "the body must be JSON") from None
    if not isinstance(found, dict):
        raise AnswerError(400, "the body must be a JSON object")
    _ensure_storable(json.dumps(found, ensure_ascii=False))
    return found


def _ensure_storable(text: str) -> None:
    """Raise AnswerError (400) if JSON has text that a database refuses: NUL, or half a character.

    Escapes of other control characters are let through.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AnswerError(400, "texts must be of whole Unicode characters") from None
    if "\\u0000" in text.replace("\\\\", ""):
        raise AnswerError(400, "texts must not have the character NUL")


def ensure_known(body: Body, names: tuple[str, ...]) -> None:
    """Raise AnswerError (400) if a body has members of other names."""
    unknown = sorted(set(body) - set(names))
    if unknown:
        raise AnswerError(400, f"a member must be one of {', '.join(names)}, not {unknown[0]!r}")


_TITLES: Final = {
    400: N_("The request cannot be read"),
    401: N_("Log in first"),
    403: N_("This is not allowed"),
    404: N_("There is nothing here"),
    405: N_("This is not possible here"),
    409: N_("Something has changed"),
    429: N_("Wait, then try again"),
    503: N_("Try again later"),
}


def refused(request: Request, error: Exception) -> Response:
    """Answer a request that is refused: a problem (RFC 9457) for programs, a page for people.

    A detail that is not in the reader's language is marked as English.
    """
    members: Mapping[str, Any] = {}
    if isinstance(error, AnswerError):
        status, detail, members = error.status, error.detail, error.members
    elif isinstance(error, HTTPException):
        status, detail = error.status_code, error.detail
    elif isinstance(error, StoreAwayError):
        status, detail = (
            503,
            _("The store does not answer now. Look at what holds before you try again."),
        )
    elif isinstance(error, StoreError):
        status, detail = 503, str(error)
    else:
        status, detail = 500, _("The console failed. Its log says why.")
    phrase = HTTPStatus(status).phrase
    if request.url.path.startswith(API):
        problem = {"type": "about:blank", "title": phrase, "status": status, "detail": detail}
        return as_json({**problem, **members}, status, media_type=PROBLEM)
    title = _(_TITLES[status]) if status in _TITLES else phrase
    if detail == phrase:  # of a route that is not there: it says no more than the title
        detail = title
    shown = {"title": title, "status": status, "detail": detail, "members": members}
    return page(request, "refused.html", {**shown, "is_said": isinstance(detail, Said)}, status)
