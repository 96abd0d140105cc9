"""Service tokens: who a program is by one, until when, and what is kept of it."""

from typing import Final

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from monitor.store import people
from monitor.store.audit import verify
from monitor.store.people import (
    DAY,
    FAILURES_OF_AN_ADDRESS,
    FAILURES_WITHIN,
    HOUR,
    PeopleError,
    Role,
    ThrottledError,
    add_user,
    login,
    set_active,
)
from monitor.store.programs.actors import NAME, accountable, actor_of
from monitor.store.programs.tokens import (
    DAYS_MAX,
    PREFIX,
    Scope,
    TokenError,
    add_token,
    bearer,
    revoke_token,
    tokens,
)
from monitor.store.schema import audit, metadata
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import NOW

GOOD: Final = "five plain words here"
HOME: Final = "192.0.2.1"


@pytest.fixture
def store(shared: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with an analyst, Ann, and an administrator, Bob."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "HASHER", cheap)
    with shared.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    add_user(shared, "Ann", Role.ANALYST, GOOD, NOW)
    add_user(shared, "Bob", Role.ADMIN, GOOD, NOW)
    return shared


def added(store: Store, name: str = "nightly", scope: Scope = Scope.DECIDE, days: int = 7) -> str:
    return add_token(store, name, "Ann", scope, days, NOW)


def said(store: Store) -> list[tuple[str, str, str]]:
    with store.reading() as connection:
        assert verify(connection).broken is None
        rows = connection.execute(select(audit).order_by(audit.c.number)).all()
    return [(row.actor, row.action, row.subject) for row in rows]


def test_a_token_is_named_with_its_owner_and_has_the_rights_of_its_scope(store: Store) -> None:
    roles = {Scope.READ: Role.VIEWER, Scope.DECIDE: Role.ANALYST, Scope.APPROVE: Role.APPROVER}
    for scope, role in roles.items():
        token = add_token(store, f"of-{scope}", "Bob", scope, 7, NOW)
        person = bearer(store, token, HOME, NOW)
        assert person == (f"(token of-{scope} for Bob)", role, "")
        assert accountable(person.name) == "Bob"


def test_a_token_never_does_more_than_its_owner_may(store: Store) -> None:
    with pytest.raises(PeopleError, match="the scope approve needs approver"):
        added(store, scope=Scope.APPROVE)
    token = added(store)
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET role = 'viewer' WHERE name = 'Ann'")
    assert bearer(store, token, HOME, NOW).role is Role.VIEWER
    set_active(store, "Ann", NOW, is_active=False)
    with pytest.raises(TokenError):
        bearer(store, token, HOME, NOW)


def test_a_token_ends_at_its_end_and_when_it_is_revoked(store: Store) -> None:
    token, other = added(store), added(store, "weekly")
    assert bearer(store, token, HOME, NOW + 7 * DAY - 1)
    with pytest.raises(TokenError):
        bearer(store, token, HOME, NOW + 7 * DAY)
    revoke_token(store, "nightly", NOW)
    with pytest.raises(TokenError):
        bearer(store, token, HOME, NOW)
    assert bearer(store, other, HOME, NOW)
    for name, problem in (("nightly", "revoked before"), ("none", "no token"), ("\0", "no token")):
        with pytest.raises(PeopleError, match=problem):
            revoke_token(store, name, NOW)
    with pytest.raises(PeopleError, match="there is, or was, a token"):
        added(store)


@pytest.mark.parametrize(
    ("name", "owner", "days", "problem"),
    [
        ("", "Ann", 7, "a token's name must"),
        ("Nightly", "Ann", 7, "a token's name must"),
        ("-x", "Ann", 7, "a token's name must"),
        ("x" * 33, "Ann", 7, "a token's name must"),
        ("x for Bob) (token x", "Ann", 7, "a token's name must"),
        ("x", "Eve", 7, "the owner must be"),
        ("x", "a\0b", 7, "the owner must be"),
        ("x", "Ann", 0, "days must be"),
        ("x", "Ann", DAYS_MAX + 1, "days must be"),
    ],
)
def test_what_cannot_be_a_token_is_refused(
    store: Store, name: str, owner: str, days: int, problem: str
) -> None:
    with pytest.raises(PeopleError, match=problem):
        add_token(store, name, owner, Scope.READ, days, NOW)
    assert tokens(store) == []


def test_the_database_has_no_token(store: Store) -> None:
    token = added(store)
    assert token.startswith(PREFIX)
    assert len(token) == len(PREFIX) + 43  # 256 bits
    with store.reading() as connection:
        held = "".join(
            repr(row)
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        )
    assert token not in held
    assert token.removeprefix(PREFIX) not in held


def test_its_last_use_is_kept_by_the_hour(store: Store) -> None:
    token = added(store)
    assert tokens(store)[0].used_at is None
    for later, hours in ((0, 0), (HOUR - 1, 0), (2 * HOUR + 5, 2)):
        begin = NOW - NOW % HOUR + later
        bearer(store, token, HOME, begin)
        assert tokens(store)[0].used_at == NOW - NOW % HOUR + hours * HOUR


def test_refused_tokens_are_kept_and_throttled_and_good_ones_are_not(store: Store) -> None:
    token = added(store)
    for number in range(FAILURES_OF_AN_ADDRESS):
        with pytest.raises(TokenError):
            bearer(store, f"weir_{number}", HOME, NOW + number)
    assert said(store)[-1] == ("(unknown)", "token-refused", "(unknown)")
    entries = len(said(store))
    with pytest.raises(ThrottledError) as throttled:
        bearer(store, "weir_x", HOME, NOW + 100)
    assert throttled.value.seconds == FAILURES_WITHIN // 1_000_000
    assert len(said(store)) == entries
    with pytest.raises(TokenError):
        bearer(store, "weir_x", "192.0.2.2", NOW + 100)
    assert bearer(store, token, HOME, NOW + 100)
    assert login(store, "Ann", GOOD, HOME, NOW + 100)  # people log in as before
    with pytest.raises(TokenError):
        bearer(store, "weir_x", HOME, NOW + FAILURES_WITHIN + 1)


def test_the_audit_names_a_token_that_was_made_refused_and_revoked(store: Store) -> None:
    token = added(store)
    revoke_token(store, "nightly", NOW, by="Bob")
    with pytest.raises(TokenError):
        bearer(store, token, HOME, NOW)
    its = "(token nightly for Ann)"
    assert said(store)[-3:] == [
        ("(command line)", "token-added", its),
        ("Bob", "token-revoked", its),
        (its, "token-refused", its),
    ]


@law(200)
@given(owner=st.text(min_size=1, max_size=64), name=st.from_regex(NAME, fullmatch=True))
def test_the_owner_is_accountable_for_whatever_a_token_does(owner: str, name: str) -> None:
    assert accountable(actor_of(name, owner)) == owner
    if not owner.startswith("("):  # no user is named so
        assert accountable(owner) == owner


@pytest.mark.parametrize("token", ["", "x" * 200, "\0", "\ud800", "weir_"])
def test_any_other_text_is_no_token(store: Store, token: str) -> None:
    added(store)
    with pytest.raises(TokenError):
        bearer(store, token, "a\nb", NOW)
