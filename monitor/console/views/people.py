"""Logging in and out, and making the first administrator."""

import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from monitor.console.filters import checked
from monitor.console.guard import CSRF_FIELD, CSRF_HEADER, clearing_cookie, session_cookie, token_of
from monitor.console.language.catalogue import LANGUAGES, language_cookie
from monitor.console.language.catalogue import gettext as _
from monitor.console.replies import AnswerError, Body, now_of, page, see_other, store_of
from monitor.store.people import (
    LoginError,
    PeopleError,
    ThrottledError,
    login,
    logout,
    use_setup_token,
)

HOME: Final = "/queue"
LOGIN: Final = "/login"
LEFT: Final = "left"
"""A parameter of the login's page after a logout, if a provider may know the browser still."""


def next_of(address: str) -> str:
    """Return a page of ours that an address names; else the queue."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return HOME
    is_ours = not parts.scheme and not parts.netloc and address.startswith("/")
    is_ours = is_ours and address.isprintable()  # browsers leave out tabs and ends of lines
    return address if is_ours and not address.startswith(("//", "/\\", LOGIN)) else HOME


def login_page(request: Request) -> Response:
    """Show the form to log in."""
    params = checked(request.query_params, ("next", LEFT))
    if getattr(request.state, "person", None) is not None:
        return see_other(HOME)
    return _login_form(request, params.get("next", ""), "", 200)


def _login_form(request: Request, following: str, problem: str, status: int) -> Response:
    provider = request.app.state.provider
    shown = {
        "title": _("Log in"),
        "problem": problem,
        "next": following,
        "name": "",
        "host": provider and provider.registration.host,
        "is_left": LEFT in request.query_params,
    }
    return page(request, "login.html", shown, status)


def log_in(request: Request, body: Body) -> Response:
    """Begin a session, if the name and the password are somebody's."""
    name, password = body.get("name", ""), body.get("password", "")
    address = request.client.host if request.client else ""
    following = next_of(body.get("next", ""))
    try:
        token = login(store_of(request), name, password, address, now_of(request))
    except ThrottledError as error:
        return _login_form(
            request,
            following,
            _("too many logins have failed: try again in %(seconds)s s", seconds=error.seconds),
            429,
        )
    except LoginError:
        return _login_form(request, following, _("the name or the password is wrong"), 401)
    answer = see_other(following)
    answer.headers.append("Set-Cookie", session_cookie(token, request.app.state.is_https))
    return answer


def log_out(request: Request, body: Body) -> Response:
    """End the session."""
    del body
    token = token_of(request, request.app.state.is_https)
    if token:
        logout(store_of(request), token, now_of(request))
    answer = see_other(LOGIN if request.app.state.provider is None else f"{LOGIN}?{LEFT}=1")
    answer.headers.append("Set-Cookie", clearing_cookie(request.app.state.is_https))
    return answer


def setup_page(request: Request) -> Response:
    """Show the form by which the first administrator is made."""
    params = checked(request.query_params, ("token",))
    return _setup_form(request, params.get("token", ""), [], 200)


def _setup_form(request: Request, token: str, problems: list[str], status: int) -> Response:
    shown = {"title": _("Set up"), "token": token, "problems": problems, "name": ""}
    return page(request, "setup.html", shown, status)


def set_up(request: Request, body: Body) -> Response:
    """Make the first administrator, if the link is one that was given and not used."""
    token, name, password = (body.get(field, "") for field in ("token", "name", "password"))
    if password != body.get("again", password):
        return _setup_form(request, token, [_("the two passwords must be the same")], 400)
    try:
        use_setup_token(store_of(request), token, name, password, now_of(request))
    except PeopleError as error:
        return _setup_form(request, token, error.problems, 400)
    return see_other(LOGIN)


def choose_language(request: Request, body: Body) -> Response:
    """Keep a language in a cookie, and show the page again. Raises AnswerError (400, 403)."""
    person = getattr(request.state, "person", None)
    sent = request.headers.get(CSRF_HEADER) or body.get(CSRF_FIELD, "")
    if person is not None and not hmac.compare_digest(sent.encode(), person.csrf.encode()):
        raise AnswerError(403, _("the page is of an earlier session: load it again"))
    tag = body.get("language", "")
    if tag not in LANGUAGES:
        raise AnswerError(400, _("language must be one of %(tags)s", tags=", ".join(LANGUAGES)))
    address = body.get("next", "")
    is_login = address.partition("?")[0] == LOGIN
    answer = see_other(address if is_login else next_of(address))
    answer.headers.append("Set-Cookie", language_cookie(tag, request.app.state.is_https))
    return answer
