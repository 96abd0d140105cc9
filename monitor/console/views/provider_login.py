"""Logging in by an OpenID provider: to it, back from it, and out of it."""

import logging
import re
from typing import TYPE_CHECKING, Final, NoReturn

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from monitor.console.filters import checked
from monitor.console.guard import cookie, cookie_name, session_cookie
from monitor.console.language.catalogue import gettext as _
from monitor.console.oidc.registration import ProviderAwayError, RefusedTokenError
from monitor.console.replies import AnswerError, now_of, see_other, store_of
from monitor.console.views.people import HOME, LOGIN, next_of
from monitor.store.logins.begun import LOGIN_MAX, Begun, begin_login, finish_login
from monitor.store.people import (
    MINUTE,
    SECOND,
    LoginError,
    ThrottledError,
    begin_try,
    forget_try,
    login_by_provider,
)

if TYPE_CHECKING:
    from monitor.console.oidc.provider import Provider

_log = logging.getLogger(__name__)

_ERROR: Final = re.compile(r"[a-z_]{1,40}")
"""An error of OAuth, as access_denied; any other text is not shown."""


_BEGUN: Final = "weir-login"
"""The cookie by which a browser knows the login that it began."""


def begin(request: Request) -> Response:
    """Send a browser to the provider. Raises AnswerError (503) if that does not answer."""
    params, provider = checked(request.query_params, ("next",)), provider_of(request)
    if provider is None:
        return see_other(LOGIN)
    if getattr(request.state, "person", None) is not None:
        return see_other(HOME)
    now = now_of(request)
    try:
        provider.reach(now)  # before a login that could not go on is noted
        begun = begin_login(store_of(request), next_of(params.get("next", "")), now)
        address = provider.login_address(begun.state, begun.nonce, begun.verifier, now)
    except ProviderAwayError as error:
        _is_away(provider, error)
    answer = RedirectResponse(address, 303)
    is_https = provider.registration.is_https
    kept = cookie(_BEGUN, begun.secret, is_https=is_https, seconds=LOGIN_MAX // SECOND)
    answer.headers.append("Set-Cookie", kept)
    return answer


def finish(request: Request) -> Response:
    """Begin a session, if the provider names a user of ours to the browser that began the login.

    Raises AnswerError: 400 if this browser began no such login, 403 if nobody may be let in, 429
    after too many logins that failed, 503 if the provider does not answer.
    """
    provider, query = provider_of(request), request.query_params
    if provider is None or request.method != "GET":  # a HEAD must not use the code up
        return see_other(LOGIN)
    is_https = provider.registration.is_https
    secret = request.cookies.get(cookie_name(_BEGUN, is_https=is_https), "")
    begun = Begun(secret, _only(query, "state"))
    following = finish_login(store_of(request), begun, now_of(request))
    if following is None:
        raise AnswerError(
            400,
            _(
                "the login must be finished once, within %(minutes)s minutes, in the browser that"
                " began it: log in again",
                minutes=LOGIN_MAX // MINUTE,
            ),
        )
    if "error" in query:
        said = _only(query, "error")
        _log.warning("%s refused a login: %s", provider.registration.host, ascii(said)[:100])
        raise AnswerError(
            403,
            _(
                "%(host)s has refused the login: %(error)s",
                host=provider.registration.host,
                error=said if _ERROR.fullmatch(said) else "error",
            ),
        )
    token = _let_in(request, provider, begun)
    answer = see_other(following)
    answer.headers.append("Set-Cookie", session_cookie(token, request.app.state.is_https))
    answer.headers.append("Set-Cookie", cookie(_BEGUN, "", is_https=is_https, seconds=0))
    return answer


def _let_in(request: Request, provider: "Provider", begun: Begun) -> str:
    """Return the token of a session of whom the provider names."""
    store, host = store_of(request), provider.registration.host
    address = request.client.host if request.client else ""
    sent = {name: _only(request.query_params, name) for name in ("code", "iss")}
    answer = {name: value for name, value in sent.items() if name in request.query_params}
    try:
        tried = begin_try(store, address, now_of(request))
    except ThrottledError as error:
        wait = _("too many logins have failed: try again in %(seconds)s s", seconds=error.seconds)
        raise AnswerError(429, wait) from error
    name, detail = None, ""
    try:
        name = provider.name_of(answer, begun.nonce, begun.verifier, now_of(request))
    except ProviderAwayError as error:
        forget_try(store, tried)
        _is_away(provider, error)
    except RefusedTokenError as error:
        _log.warning("%s let nobody in: %s", host, error)
        detail = _(
            "the answer of %(host)s cannot be trusted: log in again. The console's log says why",
            host=host,
        )
    try:
        return login_by_provider(store, name, address, tried, now_of(request))
    except LoginError:
        detail = detail or _(
            "whom %(host)s names must be an active user here: see weir user add", host=host
        )
        raise AnswerError(403, detail) from None


def leave(request: Request) -> Response:
    """Send a browser to where the provider ends its own session. Raises AnswerError (404, 503)."""
    provider = provider_of(request)
    if provider is None:
        return see_other(LOGIN)
    try:
        address = provider.logout_address(now_of(request))
    except ProviderAwayError as error:
        _is_away(provider, error)
    if address is None:
        host = provider.registration.host
        raise AnswerError(404, _("%(host)s has no page to log out: close the browser", host=host))
    return RedirectResponse(address, 303)


def provider_of(request: Request) -> "Provider | None":
    """Return the provider that people may log in by; None without one."""
    found: Provider | None = request.app.state.provider
    return found


def _only(query: QueryParams, name: str) -> str:
    """Return a parameter that comes once; an empty text if it comes never, or twice."""
    values = query.getlist(name)
    return values[0] if len(values) == 1 else ""


def _is_away(provider: "Provider", error: ProviderAwayError) -> NoReturn:
    host = provider.registration.host
    _log.warning("%s cannot be asked who somebody is: %s", host, error)
    raise AnswerError(
        503,
        _("%(host)s does not answer now: try again, or log in with a password", host=host),
    ) from error
