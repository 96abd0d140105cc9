"""Let in the requests that may come: right host, right origin, somebody logged in, role enough.

A pure ASGI middleware. Every response gets the headers by which a browser guards the page itself.
"""

import hmac
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.console.language.catalogue import gettext as _
from monitor.console.language.catalogue import spoken
from monitor.console.proxy import Proxy
from monitor.store.people import (
    TOKEN_LENGTH_MAX,
    LoginError,
    Person,
    Role,
    ThrottledError,
    login_by_proxy,
    person_of,
)
from monitor.store.programs.tokens import TokenError, bearer
from monitor.store.store import Store

_log = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 2**20
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf"
LOGIN: Final = "/login"
API: Final = "/api/"
STATIC: Final = "/static/"
PROBLEM: Final = "application/problem+json"

Needs = Callable[[str, str], Role | None]
"""The role that a method and a path need; None: they are for everybody."""


SESSION: Final = "weir"
"""The session's cookie, by its name without the prefix that https gives it."""


def cookie_name(name: str, *, is_https: bool) -> str:
    """Return the name of a cookie of ours; with https no other host can have set it."""
    return f"__Host-{name}" if is_https else name


def cookie(name: str, value: str, *, is_https: bool, seconds: int | None = None) -> str:
    """Return a Set-Cookie value: kept for so many seconds, or for as long as the browser runs."""
    age = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if is_https else ""
    full_name = cookie_name(name, is_https=is_https)
    return f"{full_name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}"


def session_cookie(token: str, is_https: bool) -> str:  # noqa: FBT001 - as it is asked for
    """Return a Set-Cookie value by which a browser keeps a session's token."""
    return cookie(SESSION, token, is_https=is_https)


def clearing_cookie(is_https: bool) -> str:  # noqa: FBT001 - as it is asked for
    """Return a Set-Cookie value by which a browser forgets a session's token."""
    return cookie(SESSION, "", is_https=is_https, seconds=0)


def token_of(request: HTTPConnection, is_https: bool) -> str:  # noqa: FBT001 - as the others
    """Return the session's token that a request has; an empty text if it has none."""
    token = request.cookies.get(cookie_name(SESSION, is_https=is_https), "")
    return token if len(token) <= TOKEN_LENGTH_MAX else ""


class _RefusedError(Exception):
    """A request that does not reach the app, with the response that it gets."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def _refusal(
    path: str, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
) -> _RefusedError:
    if path.startswith(API):
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        problem["detail"] = detail
        return _RefusedError(JSONResponse(problem, status, headers, media_type=PROBLEM))
    title = escape(_("The console refuses this (%(status)s)", status=status.value))
    back = escape(_("Go back"))
    page = (
        f'<!doctype html><html lang="{spoken().tag}"><meta charset="utf-8"><title>{title}</title>'
        f'<h1>{title}</h1><p>{escape(detail)}</p><p><a href="/">{back}</a></p></html>'
    )
    return _RefusedError(HTMLResponse(page, status))


class Guard:
    """Guards an app: `scope["state"]` has the `person` (or None) and the `nonce` of scripts.

    `clock` gives microseconds since 1970. `hosts` are the values of Host that are answered, with
    the port if browsers send one. `is_https`: browsers come by https straight to this process.
    `needs` gives the role for a method and a path, None if everybody may. `proxy` may say by its
    header who somebody is; the header is refused from any other address.
    """

    def __init__(  # noqa: PLR0913 - it looks at all of these
        self,
        app: ASGIApp,
        store: Store,
        *,
        clock: Callable[[], int],
        hosts: frozenset[str],
        is_https: bool,
        needs: Needs,
        proxy: Proxy | None = None,
    ) -> None:
        self._app = app
        self._proxy = proxy
        self._store = store
        self._clock = clock
        self._hosts = frozenset(host.lower() for host in hosts)
        self._is_https = is_https
        self._needs = needs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, by the app or by a refusal."""
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {}).update(person=None, nonce=nonce)
        sending = _with_headers(send, scope, nonce)
        try:
            receiving = await self._let_in(scope, receive)
        except _RefusedError as refused:
            await refused.response(scope, receive, sending)
            return
        await self._app(scope, receiving, sending)

    async def _let_in(self, scope: Scope, receive: Receive) -> Receive:
        """Return what the app receives a request's body by. Raises _RefusedError if it may not."""
        method, path = scope["method"], scope["path"]
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            detail = _("the console must be called by one of its names: see weir console --name")
            raise _refusal(path, HTTPStatus.MISDIRECTED_REQUEST, detail)
        is_safe = method in SAFE
        if not is_safe and not self._is_same_origin(headers):
            raise _refusal(path, HTTPStatus.FORBIDDEN, _("the request comes from another site"))
        needed = self._needs(method, path)
        by_token = path.startswith(API) and "authorization" in headers
        person = await (self._bearer(scope, headers) if by_token else self._person(scope, headers))
        scope["state"]["person"] = person
        if needed is not None:
            self._ensure_role(scope, person, needed)
        if is_safe:
            return receive
        body = await _body(path, headers, receive)
        has_session = person is not None and not by_token  # a browser adds no token by itself
        if has_session and needed is not None:  # a login may come from a page of before
            assert person is not None
            sent = headers.get(CSRF_HEADER) or await _field(scope, body)
            if not hmac.compare_digest(sent.encode(), person.csrf.encode()):
                detail = _(
                    "the page is of an earlier session: load it again, and repeat the change"
                )
                raise _refusal(path, HTTPStatus.FORBIDDEN, detail)
        return _replaying(body, receive)

    def _is_same_origin(self, headers: Headers) -> bool:
        """Return whether a browser sent this from a page of ours; other programs do not say.

        Pages have the Referrer-Policy no-referrer, so a form of theirs has the Origin "null", as
        one of a sandboxed page of others has: Sec-Fetch-Site tells them apart.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None:
            return site is None or site == "same-origin"
        if origin == "null":
            return site == "same-origin"
        schemes = ("https",) if self._is_https else ("http", "https")  # https: to a proxy before us
        return origin.lower() in {f"{scheme}://{headers['host'].lower()}" for scheme in schemes}

    async def _person(self, scope: Scope, headers: Headers) -> Person | None:
        token = token_of(HTTPConnection(scope), self._is_https)
        if scope["path"].startswith(STATIC):
            return None
        person = None
        if token:
            person = await run_in_threadpool(person_of, self._store, token, self._clock())
        named = [] if self._proxy is None else headers.getlist(self._proxy.header)
        return await self._by_proxy(scope, named, person) if named else person

    async def _by_proxy(
        self, scope: Scope, named: list[str], person: Person | None
    ) -> Person | None:
        """Return whom the proxy names, in a session of theirs. Raises _RefusedError if none."""
        path, address = scope["path"], scope["client"][0] if scope.get("client") else ""
        assert self._proxy is not None
        if not self._proxy.trusts(address) or len(named) != 1:
            _log.warning("refused: %s named somebody, and may not", address)
            detail = _(
                "%(header)s must come once, from the proxy: see --proxy-network",
                header=self._proxy.header,
            )
            raise _refusal(path, HTTPStatus.FORBIDDEN, detail)
        if person is not None and person.name == named[0]:
            return person
        now = self._clock()
        try:
            token = await run_in_threadpool(login_by_proxy, self._store, named[0], address, now)
        except LoginError:
            detail = _("whom the proxy names must be an active user here: see weir user add")
            raise _refusal(path, HTTPStatus.FORBIDDEN, detail) from None
        scope["state"]["cookie"] = session_cookie(token, self._is_https)
        return await run_in_threadpool(person_of, self._store, token, now)

    async def _bearer(self, scope: Scope, headers: Headers) -> Person:
        """Return who a service token is for. Raises _RefusedError if it cannot be used."""
        path, challenge = scope["path"], {"WWW-Authenticate": "Bearer"}
        kind, _, token = headers["authorization"].partition(" ")
        if len(headers.getlist("authorization")) != 1 or kind.lower() != "bearer":
            detail = "Authorization must be there once, as: Bearer TOKEN"
            raise _refusal(path, HTTPStatus.UNAUTHORIZED, detail, challenge)
        address = scope["client"][0] if scope.get("client") else ""
        try:
            return await run_in_threadpool(
                bearer, self._store, token.strip(), address, self._clock()
            )
        except TokenError as error:
            raise _refusal(path, HTTPStatus.UNAUTHORIZED, str(error), challenge) from error
        except ThrottledError as error:
            detail, wait = "too many tokens were refused: wait", {"Retry-After": str(error.seconds)}
            raise _refusal(path, HTTPStatus.TOO_MANY_REQUESTS, detail, wait) from error

    def _ensure_role(self, scope: Scope, person: Person | None, needed: Role) -> None:
        path = scope["path"]
        if person is not None:
            if not person.role.allows(needed):
                detail = _(
                    "the role must be %(needed)s or higher, not %(role)s",
                    needed=needed,
                    role=person.role,
                )
                raise _refusal(path, HTTPStatus.FORBIDDEN, detail)
        elif path.startswith(API):
            detail = "log in first, or send a token"
            raise _refusal(path, HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
        else:
            raise _RefusedError(RedirectResponse(_login_address(scope), HTTPStatus.SEE_OTHER))


def _login_address(scope: Scope) -> str:
    """Return the address of the login, which leads back to the page if it was only looked at."""
    path = quote(scope["path"])
    if scope["method"] not in SAFE or path == "/" or path.startswith("//"):
        return LOGIN
    query = scope["query_string"].decode("latin-1")
    return f"{LOGIN}?next={quote(f'{path}?{query}' if query else path, safe='')}"


async def _body(path: str, headers: Headers, receive: Receive) -> bytes:
    """Return a request's body. Raises _RefusedError if it is too long, or does not come whole."""
    too_long = _refusal(
        path,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        _("a request must have at most %(most)s bytes", most=f"{BODY_BYTES_MAX:,}"),
    )
    stated = headers.get("content-length", "0")
    if not stated.isascii() or not stated.isdigit() or int(stated[:20]) > BODY_BYTES_MAX:
        raise too_long
    body, is_more = bytearray(), True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _refusal(path, HTTPStatus.BAD_REQUEST, _("the request must come to its end"))
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            raise too_long
        is_more = message.get("more_body", False)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and after it all that comes further."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def _field(scope: Scope, body: bytes) -> str:
    """Return the form field `csrf` of a body; an empty text if there is no such form."""
    own = {name: value for name, value in scope.items() if name != "app"}
    request = Request(own, _replaying(body, _nothing_more))
    try:
        async with request.form() as form:
            value = form.get(CSRF_FIELD)
            return value if isinstance(value, str) else ""
    except (MultiPartException, ValueError):  # no form, though it says so
        return ""


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}


def _with_headers(send: Send, scope: Scope, nonce: str) -> Send:
    """Return a `send` that gives every response the headers of the guard."""
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}';"
        " img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            if not scope["path"].startswith(STATIC):
                headers["Cache-Control"] = "no-store"
            if "cookie" in scope["state"] and "set-cookie" not in headers:
                headers["Set-Cookie"] = scope["state"]["cookie"]
        await send(message)

    return sending


# -- time ------------------------------------------------------------------------------------------

OnRequest = Callable[[str, int, float], None]
"""What is given the method, the status and the seconds of a request."""

TIMED_METHODS: Final = ("GET", "HEAD", "POST")
OTHER: Final = "other"
LIVE: Final = "/events"
"""A connection that stays: its time says nothing."""


class Timed:
    """Middleware that notes each request that was answered."""

    def __init__(self, app: ASGIApp, note: OnRequest) -> None:
        self._app = app
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app answer, and note how long that took."""
        if scope["type"] != "http" or scope["path"] == LIVE:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in TIMED_METHODS else OTHER
        began = time.perf_counter()
        status = 500  # of what fails before it answers

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(method, status, time.perf_counter() - began)
