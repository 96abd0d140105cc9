"""Logins that were begun at a provider: each is finished once, by the browser that began it.

The browser keeps one secret in a cookie. The nonce and the verifier of PKCE are made of it, and the
database has only hashes. So no other console is needed to finish what this one began, and nobody
who reads the database can.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

from sqlalchemy import delete, func, insert, select

from monitor.store.people import MINUTE
from monitor.store.schema import begun_logins
from monitor.store.store import Store

LOGIN_MAX: Final = 10 * MINUTE
WAITING_MAX: Final = 10_000
"""Logins that may wait; beyond, those that were begun first are forgotten."""

_SECRET_BYTES: Final = 32
_SECRET_LENGTH: Final = 43
"""Characters of so many bytes in base64."""


class Begun(NamedTuple):
    """What a browser that begins a login takes along: to itself, and to the provider."""

    secret: str
    state: str

    @property
    def nonce(self) -> str:
        """The value that the provider's token must repeat."""
        return _made_of(self.secret, "nonce")

    @property
    def verifier(self) -> str:
        """The value by which the provider knows who fetches the token (RFC 7636)."""
        return _made_of(self.secret, "verifier")


def _made_of(secret: str, use: str) -> str:
    made = hmac.digest(secret.encode(), use.encode(), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def begin_login(store: Store, following: str, now: int) -> Begun:
    """Begin a login, which must be finished within `LOGIN_MAX`.

    `following` is the page that it leads to.
    """
    begun = Begun(secrets.token_urlsafe(_SECRET_BYTES), secrets.token_urlsafe(_SECRET_BYTES))
    until = begun_logins.c.until
    with store.begin() as connection:
        connection.execute(delete(begun_logins).where(until <= now))
        if connection.execute(select(func.count()).select_from(begun_logins)).scalar_one() >= (
            WAITING_MAX
        ):
            first = select(begun_logins.c.browser_hash).order_by(until).limit(WAITING_MAX // 10)
            connection.execute(delete(begun_logins).where(begun_logins.c.browser_hash.in_(first)))
        row = {"browser_hash": _hash(begun.secret), "state_hash": _hash(begun.state)}
        row |= {"following": following}
        connection.execute(insert(begun_logins).values(**row, until=now + LOGIN_MAX))
    return begun


def finish_login(store: Store, begun: Begun, now: int) -> str | None:
    """Return the page that a login leads to, and forget the login.

    None if it was not begun by this browser with this state, was finished, or is too old.
    """
    if len(begun.secret) != _SECRET_LENGTH or len(begun.state) != _SECRET_LENGTH:
        return None
    taking = (
        delete(begun_logins)
        .where(
            begun_logins.c.browser_hash == _hash(begun.secret),
            begun_logins.c.state_hash == _hash(begun.state),
        )
        .returning(begun_logins.c.following, begun_logins.c.until)
    )
    with store.begin() as connection:
        row = connection.execute(taking).one_or_none()
    return None if row is None or row.until <= now else str(row.following)
