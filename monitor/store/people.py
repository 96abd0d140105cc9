"""People of the console: their names, roles and passwords, and who is logged in.

Times are microseconds since 1970 (UTC) and come from the caller. Of passwords the database has an
argon2id hash, of tokens their SHA-256. Each write has its entry in the audit, in one transaction.
"""

import hashlib
import secrets
from enum import StrEnum
from threading import BoundedSemaphore
from typing import Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from monitor.core.table_reader import ProblemsError
from monitor.store.audit import append
from monitor.store.logins.credentials import (
    as_typed,
    bytes_of,
    problems_of_name,
    problems_of_password,
)
from monitor.store.schema import failed_logins, sessions, setup_tokens
from monitor.store.schema import users as users_table
from monitor.store.store import Store, take_turns

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

IDLE_MAX: Final = 30 * MINUTE
SESSION_MAX: Final = 12 * HOUR
SETUP_MAX: Final = HOUR
SEEN_EVERY: Final = MINUTE
"""How often it is written that a session is used."""

FAILURES_WITHIN: Final = 15 * MINUTE
FAILURES_OF_A_NAME: Final = 5
FAILURES_OF_AN_ADDRESS: Final = 20
"""With so many failed logins within `FAILURES_WITHIN`, a further one must wait."""

TOKEN_LENGTH_MAX: Final = 128
_ADDRESS_LENGTH_MAX: Final = 256

COMMAND_LINE: Final = "(command line)"
"""Who did it, in the audit, if it was done by `weir user`."""

SETUP: Final = "(setup)"
UNKNOWN: Final = "(unknown)"
"""In place of a name that nobody has: a password that was typed as a name is not kept."""

PROVIDER: Final = "(provider)"
"""In place of a name in a login that a provider decides: nobody has this name."""

FAILED: Final = "login-failed"

HASHER = PasswordHasher()
"""Argon2id with the library's defaults (RFC 9106, low memory); tests put a cheap one here."""

_HASHES_AT_ONCE: Final = BoundedSemaphore(4)
"""Each takes 64 MiB while it is made: a flood of logins must not take all memory."""

_LOCK: Final = 7353716
"""Of changes that follow from a count of rows: users, setup tokens, failed logins."""


class Role(StrEnum):
    """What a person may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Return whether who has this role may do what needs another one."""
        return self >= needed

    # Of the texts "viewer" would be the greatest: roles must not be compared as texts.

    def __lt__(self, other: str) -> bool:
        return _place_of(self) < _place_of(other)

    def __le__(self, other: str) -> bool:
        return _place_of(self) <= _place_of(other)

    def __gt__(self, other: str) -> bool:
        return _place_of(self) > _place_of(other)

    def __ge__(self, other: str) -> bool:
        return _place_of(self) >= _place_of(other)


def _place_of(role: str) -> int:
    """Return how much a role may do. Raises ValueError if it is not the name of a role."""
    return list(Role).index(Role(role))


class Person(NamedTuple):
    """Somebody who is logged in; `csrf` must come back with each of their changes."""

    name: str
    role: Role
    csrf: str


class User(NamedTuple):
    """Somebody who may log in as long as they are active."""

    name: str
    role: Role
    is_active: bool
    created_at: int
    seen_at: int | None


class PeopleError(ProblemsError):
    """Users that cannot be made or changed so."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("users cannot be changed so", problems)


class LoginError(Exception):
    """A login that is refused; it does not say whether the name or the password was wrong."""

    def __init__(self) -> None:
        super().__init__("the name or the password is wrong")


class ThrottledError(Exception):
    """A login that was not tried, after too many that failed; `seconds` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many logins have failed: try again in {seconds} s")
        self.seconds = seconds


# -- passwords --------------------------------------------------------------------------


def _hash_of_password(password: str) -> str:
    with _HASHES_AT_ONCE:
        return HASHER.hash(bytes_of(password))


def _is_password(password: str, password_hash: str | None) -> bool:
    """Return whether a password is the one of a hash; without a hash it takes as long."""
    if password_hash is None:
        _hash_of_password(password)
        return False
    try:
        with _HASHES_AT_ONCE:
            return HASHER.verify(password_hash, bytes_of(password))
    except (VerificationError, InvalidHashError):
        return False


def _token() -> str:
    return secrets.token_urlsafe(32)  # 256 random bits


def _hash_of_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# -- users ----------------------------------------------------------------------------------------


def users(store: Store) -> list[User]:
    """Return all users, by name."""
    columns = [users_table.c[field] for field in User._fields]
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(users_table.c.name)).all()
    return [User(row.name, Role(row.role), *row[2:]) for row in rows]


def add_user(
    store: Store, name: str, role: Role, password: str, at: int, *, by: str = COMMAND_LINE
) -> None:
    """Make a user, who is active. `by` is who does it: a user, or COMMAND_LINE.

    Raises PeopleError with all that is wrong with the name and the password, or if there is a user
    of this name, in capitals or not.
    """
    _ensure_good([*problems_of_name(name), *problems_of_password(password, name)])
    password_hash = _hash_of_password(password)
    with store.begin() as connection:
        take_turns(connection, _LOCK)
        _add(connection, name, role, password_hash, at, by)


def set_password(
    store: Store, name: str, password: str, at: int, *, by: str = COMMAND_LINE
) -> None:
    """Give a user another password, and end all their sessions.

    Raises PeopleError with all that is wrong with the password, or if there is no such user.
    """
    _ensure_good(problems_of_password(password, name))
    password_hash = _hash_of_password(password)
    with store.begin() as connection:
        _ensure_there(connection, name)
        of_name = update(users_table).where(users_table.c.name == name)
        connection.execute(of_name.values(password_hash=password_hash))
        ended = _end_sessions(connection, name)
        after = {"sessions_ended": ended}
        append(connection, at=at, actor=by, action="password-set", subject=name, after=after)


def set_active(
    store: Store, name: str, at: int, *, is_active: bool, by: str = COMMAND_LINE
) -> None:
    """Let a user log in, or not any more: then all their sessions end.

    Raises PeopleError if there is no such user.
    """
    with store.begin() as connection:
        was_active = _ensure_there(connection, name)
        of_name = update(users_table).where(users_table.c.name == name)
        connection.execute(of_name.values(is_active=is_active))
        if not is_active:
            _end_sessions(connection, name)
        append(
            connection,
            at=at,
            actor=by,
            action="user-enabled" if is_active else "user-disabled",
            subject=name,
            before={"is_active": was_active},
            after={"is_active": is_active},
        )


def set_role(store: Store, name: str, role: Role, at: int, *, by: str = COMMAND_LINE) -> None:
    """Give a user another role, and end all their sessions: pages show what the role may do.

    Raises PeopleError if there is no such user.
    """
    with store.begin() as connection:
        _ensure_there(connection, name)
        its = users_table.c.name == name
        before = connection.execute(select(users_table.c.role).where(its)).scalar_one()
        connection.execute(update(users_table).where(its).values(role=role.value))
        after = {"role": role.value, "sessions_ended": _end_sessions(connection, name)}
        append(
            connection,
            at=at,
            actor=by,
            action="role-set",
            subject=name,
            before={"role": before},
            after=after,
        )


def _ensure_good(problems: list[str]) -> None:
    if problems:
        raise PeopleError(problems)


def _ensure_there(connection: Connection, name: str) -> bool:
    """Return whether a user is active. Raises PeopleError if there is no such user."""
    is_active = select(users_table.c.is_active).where(users_table.c.name == name)
    can_be = not problems_of_name(name)
    row = connection.execute(is_active.with_for_update()).one_or_none() if can_be else None
    if row is None:
        raise PeopleError([f"there is no user {name[:80]!r}"])
    return bool(row.is_active)


def _add(
    connection: Connection, name: str, role: Role, password_hash: str, at: int, by: str
) -> None:
    names = connection.execute(select(users_table.c.name)).scalars()
    alike = [known for known in names if known.casefold() == name.casefold()]
    if alike:
        raise PeopleError([f"there is a user {alike[0]!r} already: take another name"])
    row = {"name": name, "role": role.value, "is_active": True}
    connection.execute(
        insert(users_table).values(**row, password_hash=password_hash, created_at=at)
    )
    del row["name"]
    append(connection, at=at, actor=by, action="user-added", subject=name, after=row)


# -- the first administrator ----------------------------------------------------------------------


def new_setup_token(store: Store, now: int) -> str:
    """Return a token by which the first administrator is made within an hour (`SETUP_MAX`)."""
    token = _token()
    with store.begin() as connection:
        connection.execute(delete(setup_tokens).where(setup_tokens.c.until <= now))
        row = {"token_hash": _hash_of_token(token), "until": now + SETUP_MAX}
        connection.execute(insert(setup_tokens).values(**row))
        after = {"until": row["until"]}
        append(
            connection, at=now, actor=COMMAND_LINE, action="setup-begun", subject=SETUP, after=after
        )
    return token


def use_setup_token(store: Store, token: str, name: str, password: str, now: int) -> None:
    """Make the first administrator; no setup token can be used after that.

    Raises PeopleError with all that is wrong with the name and the password; or if the token was
    used, is too old or is not known, or there is an administrator.
    """
    with store.reading() as connection:
        _ensure_setup(connection, token, now)  # before the work of a hash
    _ensure_good([*problems_of_name(name), *problems_of_password(password, name)])
    password_hash = _hash_of_password(password)
    with store.begin() as connection:
        take_turns(connection, _LOCK)
        _ensure_setup(connection, token, now)
        connection.execute(delete(setup_tokens))
        _add(connection, name, Role.ADMIN, password_hash, now, SETUP)


def _ensure_setup(connection: Connection, token: str, now: int) -> None:
    admins = select(func.count()).where(users_table.c.role == Role.ADMIN.value)
    if connection.execute(admins).scalar_one():
        raise PeopleError(["there is an administrator already: ask them for a user of your own"])
    until = select(setup_tokens.c.until).where(setup_tokens.c.token_hash == _hash_of_token(token))
    row = connection.execute(until).one_or_none()
    if row is None or row.until <= now:
        raise PeopleError(
            ["the link must be of the last hour and unused: start weir console again"]
        )


# -- logging in -----------------------------------------------------------------------------------


class _Try(NamedTuple):
    """A login that is being tried: it counts as failed until it has succeeded."""

    number: int
    name: str
    password_hash: str | None  # None: nobody has this name


def login(store: Store, name: str, password: str, address: str, now: int) -> str:
    """Begin a session of a user, and return its token.

    Raises LoginError if the name or the password is wrong or the user is not active, and
    ThrottledError if too many logins of the name or from the address have failed.
    """
    name = as_typed(name)
    address = _kept(address)
    tried = _begin_try(store, name, address, now)
    is_right = _is_password(password, tried.password_hash)
    newer = None
    if is_right and tried.password_hash and HASHER.check_needs_rehash(tried.password_hash):
        newer = _hash_of_password(password)
    token = _token()
    with store.begin() as connection:
        user = select(users_table).where(users_table.c.name == name).with_for_update()
        row = connection.execute(user).one_or_none() if is_right else None
        if row and row.is_active and row.password_hash == tried.password_hash:
            _forget_failures(connection, tried, address)
            values = {"seen_at": now, "password_hash": newer or row.password_hash}
            connection.execute(
                update(users_table).where(users_table.c.name == name).values(**values)
            )
            _begin_session(connection, name, token, now)
            action, is_in = "login", True
        else:
            action, is_in = FAILED, False
        subject = UNKNOWN if tried.password_hash is None else name
        after = {"address": address}
        append(connection, at=now, actor=subject, action=action, subject=subject, after=after)
    if not is_in:
        raise LoginError
    return token


def login_by_proxy(store: Store, name: str, address: str, now: int) -> str:
    """Begin a session of a user whom a proxy has let in, and return its token.

    Raises LoginError if nobody who is active has the name.
    """
    with store.begin() as connection:
        token = _let_in(connection, name, now, {"address": address, "by": "proxy"})
    if token is None:
        raise LoginError
    return token


def begin_try(store: Store, address: str, now: int) -> int:
    """Note a login by a provider as failed until it has succeeded, and return its number.

    Passwords that failed for a name do not count here: anybody could keep its owner out by them.
    Raises ThrottledError if too many logins from the address have failed.
    """
    return _begin_try(store, PROVIDER, _kept(address), now).number


def forget_try(store: Store, tried: int) -> None:
    """Let a login not count as failed: it was not decided."""
    with store.begin() as connection:
        connection.execute(delete(failed_logins).where(failed_logins.c.number == tried))


def login_by_provider(store: Store, name: str | None, address: str, tried: int, now: int) -> str:
    """Begin a session of a user whom a provider has named, and return its token.

    `name` is None if what the provider said does not hold; `tried` is the login's number
    (`begin_try`). Raises LoginError if nobody who is active has the name: it then counts as failed.
    """
    address = _kept(address)
    after = {"address": address, "by": "provider"}
    with store.begin() as connection:
        token = None if name is None else _let_in(connection, name, now, after)
        if token is None:
            can_be = name is not None and not problems_of_name(name)
            named = select(users_table.c.name).where(users_table.c.name == name)
            known = connection.execute(named).scalar() if can_be else None
            subject = UNKNOWN if known is None else str(known)
            append(connection, at=now, actor=subject, action=FAILED, subject=subject, after=after)
        else:
            _forget_failures(connection, _Try(tried, _hash_of_token(PROVIDER), None), address)
    if token is None:
        raise LoginError
    return token


def _let_in(connection: Connection, name: str, now: int, after: dict[str, str]) -> str | None:
    """Begin a session of a user whom others vouch for; None if nobody who is active has the name.

    `after` is what the audit says of it.
    """
    its = users_table.c.name == name
    active = select(users_table.c.name).where(its, users_table.c.is_active).with_for_update()
    if problems_of_name(name) or connection.execute(active).scalar() is None:
        return None
    connection.execute(update(users_table).where(its).values(seen_at=now))
    token = _token()
    _begin_session(connection, name, token, now)
    append(connection, at=now, actor=name, action="login", subject=name, after=after)
    return token


def _kept(address: str) -> str:
    """Return an address as a database takes it."""
    return (address if address.isprintable() else ascii(address))[:_ADDRESS_LENGTH_MAX]


def _begin_try(store: Store, name: str, address: str, now: int) -> _Try:
    """Note a login as failed, before it is tried: logins at the same time cannot be too many.

    Raises ThrottledError if those before it are too many; then this one is not noted.
    """
    name_hash = _hash_of_token(name)  # a password may have been typed as a name
    with store.begin() as connection:
        take_turns(connection, _LOCK)
        connection.execute(delete(failed_logins).where(failed_logins.c.at <= now - FAILURES_WITHIN))
        free_at = _free_at(connection, "address", address, FAILURES_OF_AN_ADDRESS)
        if name != PROVIDER:
            free_at = max(free_at, _free_at(connection, "name", name_hash, FAILURES_OF_A_NAME))
        if free_at <= now:
            row = {"name": name_hash, "address": address, "at": now}
            noting = insert(failed_logins).values(**row).returning(failed_logins.c.number)
            number = connection.execute(noting).scalar_one()
            known = select(users_table.c.password_hash).where(users_table.c.name == name)
            can_be = not problems_of_name(name)  # a database may not even take it as a text
            password_hash = connection.execute(known).scalar() if can_be else None
            return _Try(number, name_hash, password_hash)
    raise ThrottledError(-(-(free_at - now) // SECOND))


def _free_at(connection: Connection, column: str, value: str, failures_max: int) -> int:
    """Return from when on a name or an address may try again; 0 if it may already."""
    alike = select(failed_logins.c.at).where(failed_logins.c[column] == value)
    latest = alike.order_by(failed_logins.c.at.desc()).offset(failures_max - 1).limit(1)
    at = connection.execute(latest).scalar()
    return 0 if at is None else at + FAILURES_WITHIN


def _forget_failures(connection: Connection, tried: _Try, address: str) -> None:
    """Forget a user's own mistakes: those of other names from their address still count."""
    own = and_(failed_logins.c.name == tried.name, failed_logins.c.address == address)
    connection.execute(
        delete(failed_logins).where(or_(failed_logins.c.number == tried.number, own))
    )


# -- sessions -------------------------------------------------------------------------------------


def person_of(store: Store, token: str, now: int) -> Person | None:
    """Return who has the session of a token; None if it has ended, or never was.

    A session ends after `IDLE_MAX` without use, and after `SESSION_MAX` anyway.
    """
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    token_hash = _hash_of_token(token)
    found = (
        select(sessions, users_table.c.role, users_table.c.is_active)
        .join(users_table, sessions.c.name == users_table.c.name)
        .where(sessions.c.token_hash == token_hash)
    )
    with store.reading() as connection:
        row = connection.execute(found).one_or_none()
    if row is None or not row.is_active or _has_ended(row.begun_at, row.seen_at, now):
        return None
    if now - row.seen_at >= SEEN_EVERY:
        with store.begin() as connection:
            of_token = and_(sessions.c.token_hash == token_hash, sessions.c.seen_at < now)
            connection.execute(update(sessions).where(of_token).values(seen_at=now))
            of_name = users_table.c.name == row.name
            connection.execute(update(users_table).where(of_name).values(seen_at=now))
    return Person(row.name, Role(row.role), row.csrf)


def logout(store: Store, token: str, now: int) -> None:
    """End a session; if it has ended, nothing is done."""
    of_token = sessions.c.token_hash == _hash_of_token(token)
    with store.begin() as connection:
        name = connection.execute(select(sessions.c.name).where(of_token)).scalar()
        if name is not None:
            connection.execute(delete(sessions).where(of_token))
            append(connection, at=now, actor=name, action="logout", subject=name)


def logout_everywhere(store: Store, name: str, now: int, *, by: str | None = None) -> None:
    """End all sessions of a user; `by` is who does it, the user themselves if it is not given."""
    with store.begin() as connection:
        after = {"sessions_ended": _end_sessions(connection, name)}
        actor = name if by is None else by
        append(
            connection, at=now, actor=actor, action="logout-everywhere", subject=name, after=after
        )


def _has_ended(begun_at: int, seen_at: int, now: int) -> bool:
    return now - seen_at >= IDLE_MAX or now - begun_at >= SESSION_MAX


def _begin_session(connection: Connection, name: str, token: str, now: int) -> None:
    """Begin a session, and delete those that have ended."""
    ended = or_(sessions.c.seen_at <= now - IDLE_MAX, sessions.c.begun_at <= now - SESSION_MAX)
    connection.execute(delete(sessions).where(ended))
    row = {
        "token_hash": _hash_of_token(token),
        "name": name,
        "csrf": _token(),
        "begun_at": now,
        "seen_at": now,
    }
    connection.execute(insert(sessions).values(**row))


def _end_sessions(connection: Connection, name: str) -> int:
    """End all sessions of a user, and return how many there were."""
    return connection.execute(delete(sessions).where(sessions.c.name == name)).rowcount
