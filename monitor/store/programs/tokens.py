"""Service tokens: programs that use the API for a user, with no more rights than that user has.

Of a token the database has only the SHA-256. It belongs to a user, who is accountable for all that
is done by it: if they are disabled it is refused, and their role bounds its scope. Whoever proposed
something by a token cannot be the second person who confirms it.
"""

import hashlib
import secrets
from enum import StrEnum
from typing import Any, Final, NamedTuple, Never

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from monitor.store.audit import append
from monitor.store.people import (
    COMMAND_LINE,
    DAY,
    FAILURES_OF_AN_ADDRESS,
    FAILURES_WITHIN,
    HOUR,
    SECOND,
    TOKEN_LENGTH_MAX,
    UNKNOWN,
    PeopleError,
    Person,
    Role,
    ThrottledError,
)
from monitor.store.programs.actors import NAME, actor_of
from monitor.store.schema import failed_logins, service_tokens, users
from monitor.store.store import Store, take_turns

DAYS_MAX: Final = 365
"""A token ends after so many days at the latest."""

PREFIX: Final = "weir_"
"""How each token begins, so that a search for leaked secrets finds it."""

USED_EVERY: Final = HOUR
"""A token's last use is kept by the hour."""

_ADDRESS_LENGTH_MAX: Final = 200
_LOCK: Final = 7353717


class Scope(StrEnum):
    """What a token may do; each scope may do all that those before it may."""

    READ = "read"
    DECIDE = "decide"
    APPROVE = "approve"


_ROLES: Final = {
    Scope.READ: Role.VIEWER,
    Scope.DECIDE: Role.ANALYST,
    Scope.APPROVE: Role.APPROVER,
}
"""The role that has the rights of a scope."""


class ServiceToken(NamedTuple):
    """A token as it is listed. Times are microseconds since 1970; `used_at` is a whole hour."""

    name: str
    owner: str
    scope: Scope
    created_at: int
    expires_at: int
    used_at: int | None
    revoked_at: int | None


class TokenError(Exception):
    """A token that is refused; it does not say whether it is unknown, too old or revoked."""

    def __init__(self) -> None:
        super().__init__("the token is unknown, has expired or was revoked: ask for another one")


def add_token(  # noqa: PLR0913 - a token has these
    store: Store,
    name: str,
    owner: str,
    scope: Scope,
    days: int,
    at: int,
    *,
    by: str = COMMAND_LINE,
) -> str:
    """Make a token of a user that ends after so many days, and return it: it is kept nowhere.

    Raises PeopleError with all that is wrong: the name, the days, the user, or a scope that the
    role of the user does not have.
    """
    problems = []
    if not NAME.fullmatch(name):
        problems.append(
            "a token's name must have 1 to 32 of a-z, 0-9 and -, and not begin with -,"
            f" not {name[:80]!r}"
        )
    if not 1 <= days <= DAYS_MAX:
        problems.append(f"days must be a whole number from 1 to {DAYS_MAX}, not {days}")
    if problems:
        raise PeopleError(problems)
    token = PREFIX + secrets.token_urlsafe(32)  # 256 random bits
    with store.begin() as connection:
        take_turns(connection, _LOCK)
        _ensure_free(connection, name)
        _ensure_owner(connection, owner, scope)
        row = {"scope": scope.value, "expires_at": at + days * DAY}
        connection.execute(
            insert(service_tokens).values(
                **row, name=name, owner=owner, token_hash=_hash_of(token), created_at=at
            )
        )
        subject = actor_of(name, owner)
        append(connection, at=at, actor=by, action="token-added", subject=subject, after=row)
    return token


def _ensure_free(connection: Connection, name: str) -> None:
    """Refuse the name of any token, one that was revoked too: the audit must mean one by it."""
    taken = select(service_tokens.c.name).where(service_tokens.c.name == name)
    if connection.execute(taken).scalar() is not None:
        raise PeopleError([f"there is, or was, a token {name!r}: take another name"])


def _ensure_owner(connection: Connection, owner: str, scope: Scope) -> None:
    is_storable = "\0" not in owner and owner.isprintable()
    known = select(users.c.role, users.c.is_active).where(users.c.name == owner)
    row = connection.execute(known).one_or_none() if is_storable else None
    if row is None or not row.is_active:
        raise PeopleError([f"the owner must be a user who may log in, not {owner[:80]!r}"])
    if not Role(row.role).allows(_ROLES[scope]):
        raise PeopleError(
            [f"{owner} has the role {row.role}: the scope {scope.value} needs {_ROLES[scope]}"]
        )


def revoke_token(store: Store, name: str, at: int, *, by: str = COMMAND_LINE) -> None:
    """Let a token not be used any more. Raises PeopleError without such a token."""
    with store.begin() as connection:
        its = service_tokens.c.name == name
        known = select(service_tokens).where(its).with_for_update()
        row = connection.execute(known).one_or_none() if NAME.fullmatch(name) else None
        if row is None:
            raise PeopleError([f"there is no token {name[:80]!r}"])
        if row.revoked_at is not None:
            raise PeopleError([f"the token {name!r} was revoked before"])
        connection.execute(update(service_tokens).where(its).values(revoked_at=at))
        subject = actor_of(name, row.owner)
        append(connection, at=at, actor=by, action="token-revoked", subject=subject)


def tokens(store: Store) -> list[ServiceToken]:
    """Return all tokens, by name; those that have ended, too."""
    columns = [service_tokens.c[field] for field in ServiceToken._fields]
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(service_tokens.c.name)).all()
    return [ServiceToken(row.name, row.owner, Scope(row.scope), *row[3:]) for row in rows]


def bearer(store: Store, token: str, address: str, now: int) -> Person:
    """Return who a request with a token is: named by token and owner, with the lesser role.

    Raises TokenError if the token cannot be used. That is noted like a failed login, and after too
    many of them from an address such tokens get ThrottledError; a good token still works then,
    because nobody can have guessed it.
    """
    row = _known(store, token)
    if row is None or not _is_good(row, now):
        _refuse(store, row, address, now)
    if row.used_at is None or now - row.used_at >= USED_EVERY:
        with store.begin() as connection:
            its = service_tokens.c.name == row.name
            values = {"used_at": now - now % USED_EVERY}
            connection.execute(update(service_tokens).where(its).values(**values))
    role = min(_ROLES[Scope(row.scope)], Role(row.role))
    return Person(actor_of(row.name, row.owner), role, "")


def _known(store: Store, token: str) -> Row[Any] | None:
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    found = (
        select(service_tokens, users.c.role, users.c.is_active)
        .join(users, service_tokens.c.owner == users.c.name)
        .where(service_tokens.c.token_hash == _hash_of(token))
    )
    with store.reading() as connection:
        return connection.execute(found).one_or_none()


def _is_good(row: Row[Any], now: int) -> bool:
    return bool(row.is_active) and row.revoked_at is None and now < row.expires_at


def _refuse(store: Store, row: Row[Any] | None, address: str, now: int) -> Never:
    """Note a token that was refused. Raises TokenError, or ThrottledError if it was not noted."""
    shown = (address if address.isprintable() else ascii(address))[:_ADDRESS_LENGTH_MAX]
    of_tokens = f"(token) {shown}"  # so that they keep nobody at this address from logging in
    subject = UNKNOWN if row is None else actor_of(row.name, row.owner)
    with store.begin() as connection:
        take_turns(connection, _LOCK)
        failed = failed_logins.c
        connection.execute(delete(failed_logins).where(failed.at <= now - FAILURES_WITHIN))
        alike = select(func.count(), func.min(failed.at)).where(failed.address == of_tokens)
        number, first = connection.execute(alike).one()
        if number < FAILURES_OF_AN_ADDRESS:
            noted = {"name": UNKNOWN, "address": of_tokens, "at": now}
            connection.execute(insert(failed_logins).values(**noted))
            after = {"address": shown}
            append(
                connection,
                at=now,
                actor=subject,
                action="token-refused",
                subject=subject,
                after=after,
            )
    if number < FAILURES_OF_AN_ADDRESS:
        raise TokenError
    raise ThrottledError(-(-(first + FAILURES_WITHIN - now) // SECOND))


def _hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
