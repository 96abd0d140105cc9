"""A provider: its endpoints and keys, and the exchange of a code for a name."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from requests.auth import HTTPBasicAuth

from monitor.console.oidc.id_token import claims_of, keys_of, name_in
from monitor.console.oidc.registration import (
    ProviderAwayError,
    RefusedTokenError,
    Registration,
    is_loopback,
    problem_of_address,
)

SECOND: Final = 1_000_000
TIMEOUT: Final = (3.0, 5.0)
"""Seconds to connect, and for each answer."""

KEPT: Final = 600 * SECOND
"""How long endpoints and keys are kept; a key that the provider takes back counts so long."""

AWAY: Final = 5 * SECOND
"""How long nobody asks a provider again that did not answer."""

CALLS_AT_ONCE: Final = 8
"""A provider that hangs must not take all threads: passwords need some."""

BYTES_MAX: Final = 2**20
_SCOPES: Final = {"preferred_username": "openid profile", "email": "openid email", "sub": "openid"}


class Metadata(NamedTuple):
    """The endpoints of a provider, and its keys."""

    authorization: str
    token: str
    end_session: str | None
    is_posted: bool  # the secret goes in the body, not in a header
    names_itself: bool  # its answers have `iss` (RFC 9207)
    keys: KeySet
    at: int


class Provider:
    """A provider that is asked when somebody logs in, not before.

    All its times are microseconds since 1970.
    """

    def __init__(self, registration: Registration) -> None:
        self.registration = registration
        self._known: Metadata | None = None
        self._away_at: int | None = None
        self._asking = threading.Lock()
        self._calls = threading.BoundedSemaphore(CALLS_AT_ONCE)

    def reach(self, now: int) -> None:
        """Ask for endpoints and keys, if they are not known. Raises ProviderAwayError."""
        with self._turn():
            self._metadata(now)

    def login_address(self, state: str, nonce: str, verifier: str, now: int) -> str:
        """Return where a browser logs in. Raises ProviderAwayError."""
        with self._turn(), self._session() as session:
            address, _ = session.create_authorization_url(
                self._metadata(now).authorization,
                state=state,
                nonce=nonce,
                code_verifier=verifier,
            )
        return str(address)

    def name_of(self, answer: Mapping[str, str], nonce: str, verifier: str, now: int) -> str:
        """Return whom the provider names in its answer to a login, the query of the callback.

        Raises RefusedTokenError if the answer does not hold, ProviderAwayError if the provider
        does not answer.
        """
        with self._turn():
            metadata, issuer = self._metadata(now), answer.get("iss")
            is_named = issuer is not None or metadata.names_itself
            if is_named and issuer != self.registration.issuer:
                raise RefusedTokenError("the answer must come from the issuer (iss)")
            if not answer.get("code"):
                raise RefusedTokenError("the answer must have a code")
            token = self._token(metadata, answer["code"], verifier)
            return name_in(self._claims(token, metadata, nonce, now), self.registration)

    def logout_address(self, now: int) -> str | None:
        """Return where a browser ends the provider's own session; None if it has no such place.

        Raises ProviderAwayError.
        """
        with self._turn():
            place = self._metadata(now).end_session
        if place is None:
            return None
        query = {
            "client_id": self.registration.client_id,
            "post_logout_redirect_uri": f"{self.registration.home}/login",
        }
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(query)}"

    def _claims(
        self, token: Mapping[str, Any], metadata: Metadata, nonce: str, now: int
    ) -> Mapping[str, Any]:
        """Return what the ID token of an answer says. Raises RefusedTokenError if it fails."""
        mine, id_token, access = self.registration, token.get("id_token"), token.get("access_token")
        if not isinstance(id_token, str):
            raise RefusedTokenError("the provider must send an ID token")
        access = access if isinstance(access, str) else None
        seconds = now // SECOND
        try:
            try:
                return claims_of(id_token, access, metadata.keys, mine, nonce, seconds)
            except (InvalidKeyIdError, BadSignatureError):  # it may have a new key since
                newer = self._metadata(now, after=metadata.at).keys
                return claims_of(id_token, access, newer, mine, nonce, seconds)
        except (JoseError, TypeError, ValueError) as error:
            raise RefusedTokenError(f"the ID token must hold, and does not: {error}") from error

    def _token(self, metadata: Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        """Return what the provider gives for a code."""
        mine = self.registration
        sent: dict[str, Any] = {
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": mine.callback,
        }
        if mine.secret is not None and not metadata.is_posted:
            # RFC 6749, 2.3.1: both are encoded as in a form before they make a header.
            sent["auth"] = HTTPBasicAuth(quote_plus(mine.client_id), quote_plus(mine.secret))
        with self._session() as session:
            try:
                token = session.fetch_token(
                    metadata.token,
                    grant_type="authorization_code",
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    **sent,
                )
            except AuthlibBaseError as error:
                reason = f"{error.error}: {error.description}"[:300]
                raise RefusedTokenError(f"the provider must take the code: {reason!a}") from error
            except (requests.RequestException, TypeError, ValueError) as error:
                raise ProviderAwayError(_reason(metadata.token, error)) from error
        return dict(token)

    def _session(self) -> OAuth2Session:
        """Return a session with the provider, of one request."""
        mine = self.registration
        session = OAuth2Session(
            mine.client_id,
            mine.secret,
            token_endpoint_auth_method="none" if mine.secret is None else "client_secret_post",
            scope=_SCOPES.get(mine.claim, "openid profile email"),
            redirect_uri=mine.callback,
            code_challenge_method="S256",
        )
        session.trust_env = not is_loopback(mine.host)  # no proxy leads to this machine
        return session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let a thread wait for the provider. Raises ProviderAwayError if too many wait."""
        if not self._calls.acquire(blocking=False):
            raise ProviderAwayError("too many logins wait for the provider")
        try:
            yield
        finally:
            self._calls.release()

    def _metadata(self, now: int, after: int | None = None) -> Metadata:
        """Return endpoints and keys of the last `KEPT`, and of later than `after`."""
        with self._asking:
            known = self._known
            if known is not None and now - known.at < KEPT and (after is None or known.at > after):
                return known
            if self._away_at is not None and now - self._away_at < AWAY:
                raise ProviderAwayError("the provider did not answer a moment ago")
            try:
                self._known = self._fetched(now)
            except ProviderAwayError:
                self._away_at = now
                raise
            self._away_at = None
            return self._known

    def _fetched(self, now: int) -> Metadata:
        """Return what the provider says of itself (OpenID Connect Discovery 1.0)."""
        issuer = self.registration.issuer
        place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        said = self._object_at(place)
        if said.get("issuer") != issuer:
            raise ProviderAwayError(f"{place} must name the issuer {issuer}, not another")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        is_posted = "client_secret_basic" not in methods and "client_secret_post" in methods
        try:
            keys = keys_of(self._object_at(self._endpoint(said, "jwks_uri")))
        except ValueError as error:
            raise ProviderAwayError(str(error)) from error
        return Metadata(
            authorization=self._endpoint(said, "authorization_endpoint"),
            token=self._endpoint(said, "token_endpoint"),
            end_session=self._endpoint(said, "end_session_endpoint")
            if "end_session_endpoint" in said
            else None,
            is_posted=is_posted,
            names_itself=said.get("authorization_response_iss_parameter_supported") is True,
            keys=keys,
            at=now,
        )

    def _endpoint(self, said: Mapping[str, Any], name: str) -> str:
        """Return an address that a provider names. Raises ProviderAwayError if it may not be."""
        address = said.get(name)
        problem = problem_of_address(address) if isinstance(address, str) else "must be there"
        if problem is None and urlsplit(self.registration.issuer).scheme == "https":
            problem = None if str(address).startswith("https:") else "must begin with https://"
        if problem is not None:
            raise ProviderAwayError(f"the provider's {name} {problem}, not {address!a}")
        return str(address)

    def _object_at(self, address: str) -> Mapping[str, Any]:
        """Return the JSON object at an address. Raises ProviderAwayError if it fails."""
        try:
            with (
                self._session() as session,
                session.get(
                    address, auth=_as_it_is, timeout=TIMEOUT, allow_redirects=False, stream=True
                ) as answer,
            ):
                if answer.status_code != HTTPStatus.OK:
                    raise ProviderAwayError(f"{address} answers {answer.status_code}, not 200")
                body = b""
                for part in answer.iter_content(2**16):
                    body += part
                    if len(body) > BYTES_MAX:
                        raise ProviderAwayError(f"{address} must have at most {BYTES_MAX} bytes")
                found = json.loads(body)
        except (requests.RequestException, ValueError) as error:
            raise ProviderAwayError(_reason(address, error)) from error
        if not isinstance(found, dict):
            raise ProviderAwayError(f"{address} must have a JSON object")
        return found


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send a request without a name and a password, also if a file of the user's has some."""
    return request


def _reason(address: str, error: Exception) -> str:
    return f"{address} does not answer as it must: {type(error).__name__}"
