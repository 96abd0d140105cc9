"""People of the console: who may log in, for how long, and what the audit has of it."""

import json
import string
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from monitor.store import people
from monitor.store.audit import verify
from monitor.store.logins.credentials import COMMON, PASSWORD_LENGTH_MIN, bytes_of
from monitor.store.people import (
    HOUR,
    IDLE_MAX,
    MINUTE,
    SECOND,
    SESSION_MAX,
    LoginError,
    PeopleError,
    Person,
    Role,
    ThrottledError,
    User,
    add_user,
    login,
    logout,
    logout_everywhere,
    new_setup_token,
    person_of,
    set_active,
    set_password,
    use_setup_token,
    users,
)
from monitor.store.schema import audit, failed_logins, metadata, sessions
from monitor.store.schema import users as users_table
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import NOW, sqlite_store

GOOD: Final = "five plain words here"
OTHER: Final = "five other words here"
HOME: Final = "192.0.2.1"
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="module", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "HASHER", CHEAP)
        yield


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = sqlite_store(tmp_path_factory.mktemp("people"))
    yield made
    made.close()


@pytest.fixture
def store(shared_store: Store) -> Store:
    """A store with two users, Ann and Bob."""
    return with_users(shared_store)


def with_users(store: Store) -> Store:
    with store.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    add_user(store, "Ann", Role.ANALYST, GOOD, NOW)
    add_user(store, "Bob", Role.ADMIN, GOOD, NOW)
    return store


def enter(store: Store, name: str = "Ann", now: int = NOW) -> str:
    return login(store, name, GOOD, HOME, now)


def said(store: Store) -> list[tuple[str, str, str]]:
    """Return who did what to whom, as the audit has it; the chain must be whole."""
    with store.reading() as connection:
        assert verify(connection).broken is None
        rows = connection.execute(select(audit).order_by(audit.c.number)).all()
    return [(row.actor, row.action, row.subject) for row in rows]


def everything(store: Store) -> str:
    """Return all that the database holds, as a text."""
    with store.reading() as connection:
        return "\n".join(
            repr(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(select(table))
        )


# -- roles, names, passwords ----------------------------------------------------------------------


def test_each_role_may_do_all_that_those_before_it_may() -> None:
    order = ["viewer", "analyst", "approver", "admin"]
    for (place, role), (needed_place, needed) in product(enumerate(order), enumerate(order)):
        has, needs = Role(role), Role(needed)
        assert has.allows(needs) is (place >= needed_place)
        assert (has < needs, has <= needs) == (place < needed_place, place <= needed_place)
        assert (has > needs, has >= needs) == (place > needed_place, place >= needed_place)


@pytest.mark.parametrize("name", ["A", "Ann of the bank", "x" * 64, "Zoë Ødegård", "李雷", "a.b@c"])
def test_a_name_that_can_be_used(store: Store, name: str) -> None:
    add_user(store, name, Role.VIEWER, GOOD, NOW)
    token = enter(store, name)
    person = person_of(store, token, NOW)
    assert person is not None
    assert person[:2] == (name, Role.VIEWER)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "1 to 64 characters, not 0"),
        ("x" * 65, "1 to 64 characters, not 65"),
        (" Cid", "blank"),
        ("Cid ", "blank"),
        ("C\nid", "printable"),
        ("C\x00id", "printable"),
        ("C\u202eid", "printable"),
        ("C\ud800id", "printable"),
        ("\uff23id", "printable"),  # a wide C, which looks like another name's
        ("(command line)", "must not begin with"),
        ("Ann", "'Ann' already"),
        ("ANN", "'Ann' already"),
    ],
)
def test_a_name_that_cannot_be_used(store: Store, name: str, problem: str) -> None:
    before = everything(store)
    with pytest.raises(PeopleError, match=problem.replace("(", r"\(")):
        add_user(store, name, Role.VIEWER, GOOD, NOW)
    assert everything(store) == before


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("x" * 11, "12 to 128 characters, not 11"),
        ("x" * 129, "12 to 128 characters, not 129"),
        ("Password1234", "commonest"),
        ("ANN OF THE BANK", "not be the name"),
    ],
)
def test_a_password_that_cannot_be_used(store: Store, password: str, problem: str) -> None:
    with pytest.raises(PeopleError, match=problem):
        add_user(store, "Ann of the Bank", Role.VIEWER, password, NOW)
    assert [user.name for user in users(store)] == ["Ann", "Bob"]


def test_all_problems_come_at_once(store: Store) -> None:
    with pytest.raises(PeopleError) as caught:
        add_user(store, " ", Role.VIEWER, " ", NOW)
    assert len(caught.value.problems) == 3


def test_the_commonest_passwords_are_of_a_length_that_is_allowed() -> None:
    assert all(len(password) >= PASSWORD_LENGTH_MIN for password in COMMON)
    assert all(password == password.casefold() for password in COMMON)


@law(60)
@given(
    password=st.text(min_size=12, max_size=128).filter(lambda text: text not in COMMON),
    wrong=st.text(max_size=140),
)
def test_any_password_logs_in_and_no_other_does(
    shared_store: Store, password: str, wrong: str
) -> None:
    with_users(shared_store)
    set_password(shared_store, "Ann", password, NOW)
    assert login(shared_store, "Ann", password, HOME, NOW)
    if bytes_of(wrong) != bytes_of(password):
        with pytest.raises(LoginError):
            login(shared_store, "Ann", wrong, HOME, NOW)


def test_a_password_is_the_same_from_whatever_keyboard(store: Store) -> None:
    set_password(store, "Ann", "caf\u00e9 caf\u00e9 caf\u00e9", NOW)
    assert login(store, "Ann", "cafe\u0301 cafe\u0301 cafe\u0301", HOME, NOW)


# -- logging in -----------------------------------------------------------------------------------


ANY_TEXT: Final = st.text(st.characters(), max_size=100)  # NUL and halves of characters, too


@law(60)
@given(name=ANY_TEXT, password=ANY_TEXT, address=ANY_TEXT)
def test_whatever_is_typed_is_an_answer(
    shared_store: Store, name: str, password: str, address: str
) -> None:
    store = with_users(shared_store)
    with pytest.raises(LoginError):
        login(store, name, password, address, NOW)
    with pytest.raises(PeopleError):
        set_active(store, f"{name}\ud800", NOW, is_active=True)
    assert said(store)[-1][1] == "login-failed"


def test_who_is_refused_learns_nothing(store: Store) -> None:
    set_active(store, "Bob", NOW, is_active=False)
    texts = set()
    for name, password in (("Ann", OTHER), ("Cid", GOOD), ("Bob", GOOD), ("x" * 999, "x" * 9999)):
        with pytest.raises(LoginError) as caught:
            login(store, name, password, HOME, NOW)
        texts.add(str(caught.value))
    assert texts == {"the name or the password is wrong"}


class Counting:
    """A hasher that counts how often it works."""

    def __init__(self) -> None:
        self.worked = 0

    def hash(self, password: bytes) -> str:
        self.worked += 1
        return CHEAP.hash(password)

    def verify(self, password_hash: str, password: bytes) -> bool:
        self.worked += 1
        return CHEAP.verify(password_hash, password)

    def check_needs_rehash(self, password_hash: str) -> bool:
        return CHEAP.check_needs_rehash(password_hash)


@pytest.mark.parametrize("name", ["Ann", "Bob", "Cid"])
def test_a_name_that_nobody_has_costs_as_much(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    set_active(store, "Bob", NOW, is_active=False)
    counting = Counting()
    monkeypatch.setattr(people, "HASHER", counting)
    with pytest.raises(LoginError):
        login(store, name, OTHER, HOME, NOW)
    assert counting.worked == 1


def test_a_hash_of_other_parameters_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashes() -> list[str]:
        with store.reading() as connection:
            return list(connection.execute(select(users_table.c.password_hash)).scalars())

    old = hashes()
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(people, "HASHER", dearer)
    token = enter(store)
    assert person_of(store, token, NOW)
    new = hashes()
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    assert enter(store)
    assert hashes() == new


def test_a_hash_that_is_broken_lets_nobody_in(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(update(users_table).values(password_hash="x"))  # noqa: S106 - broken
    with pytest.raises(LoginError):
        enter(store)


class Throttle:
    """As the rules are stated: all failures that were, and which of them count."""

    def __init__(self) -> None:
        self.failures: list[tuple[int, str, str]] = []

    def wait(self, name: str, address: str, now: int) -> int:
        """Return how many microseconds a login must wait."""
        recent = [failure for failure in self.failures if failure[0] > now - 15 * MINUTE]
        waits = [0]
        for place, value, most in ((1, name, 5), (2, address, 20)):
            times = sorted((fail[0] for fail in recent if fail[place] == value), reverse=True)
            if len(times) >= most:
                waits.append(times[most - 1] + 15 * MINUTE - now)
        return max(waits)

    def note(self, name: str, address: str, now: int, *, is_right: bool) -> None:
        if is_right:
            self.failures = [fail for fail in self.failures if fail[1:] != (name, address)]
        else:
            self.failures.append((now, name, address))


TRIES: Final = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus"]),
        st.sampled_from([HOME, HOME, HOME, "192.0.2.2"]),
        st.sampled_from([GOOD, OTHER, OTHER, OTHER, OTHER]),
        st.sampled_from([0, 1, SECOND, 20 * SECOND, MINUTE, 15 * MINUTE]),
    ),
    min_size=10,
    max_size=50,
)


@law(60)
@given(tries=TRIES)
def test_logins_are_throttled_as_stated(
    shared_store: Store, tries: list[tuple[str, str, str, int]]
) -> None:
    store, model, now = with_users(shared_store), Throttle(), NOW
    for name, address, password, later in tries:
        now += later
        wait = model.wait(name, address, now)
        is_right = password == GOOD and name in {"Ann", "Bob"}
        try:
            login(store, name, password, address, now)
            assert (wait, is_right) == (0, True)
        except LoginError:
            assert (wait, is_right) == (0, False)
        except ThrottledError as error:
            assert 0 < wait <= error.seconds * SECOND < wait + SECOND  # noqa: PT017 - of three
            continue
        model.note(name, address, now, is_right=is_right)
    assert len([what for _, what, _ in said(store) if what == "login-failed"]) <= len(tries)


def test_logins_at_the_same_time_are_not_too_many(store: Store) -> None:
    def outcome(number: int) -> str:
        try:
            return login(store, "Ann", f"{OTHER} {number}", HOME, NOW)
        except (LoginError, ThrottledError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(outcome, range(24)))
    assert outcomes.count("LoginError") == 5
    assert outcomes.count("ThrottledError") == 19
    with pytest.raises(ThrottledError) as caught:
        enter(store)
    assert caught.value.seconds == 15 * 60
    assert "900 s" in str(caught.value)


@pytest.mark.parametrize(("name", "address"), [("Bob", HOME), ("Ann", "192.0.2.2")])
def test_a_login_forgives_no_failures_of_another_name_or_address(
    store: Store, name: str, address: str
) -> None:
    for _ in range(5):
        with pytest.raises(LoginError):
            login(store, "Ann", OTHER, HOME, NOW)
        if name == "Bob":  # somebody with a password of their own tries that of another
            assert login(store, name, GOOD, address, NOW)
    with pytest.raises(ThrottledError):
        login(store, "Ann", GOOD, address, NOW)


def test_own_failures_are_forgiven(store: Store) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(LoginError):
                login(store, "Ann", OTHER, HOME, NOW)
        assert enter(store)


def test_old_failures_are_deleted(store: Store) -> None:
    with pytest.raises(LoginError):
        login(store, "Ann", OTHER, HOME, NOW)
    assert enter(store, "Bob", NOW + 15 * MINUTE)
    with store.reading() as connection:
        assert connection.execute(select(failed_logins)).all() == []


# -- sessions -------------------------------------------------------------------------------------


@law(100)
@given(gaps=st.lists(st.integers(0, IDLE_MAX + MINUTE), max_size=40))
def test_a_session_lasts_as_long_as_stated(shared_store: Store, gaps: list[int]) -> None:
    store = with_users(shared_store)
    token = enter(store)
    now, seen, is_on = NOW, NOW, True
    for gap in gaps:
        now += gap
        is_on = is_on and now - seen < IDLE_MAX and now - NOW < SESSION_MAX
        person = person_of(store, token, now)
        assert (person is not None) is is_on
        if now - seen >= MINUTE:  # else it is not written
            seen = now


def test_a_session_ends_to_the_microsecond(store: Store) -> None:
    token = enter(store)
    assert person_of(store, token, NOW + IDLE_MAX) is None
    assert person_of(store, token, NOW + IDLE_MAX - 1)
    for minutes in range(30, 12 * 60, 20):
        assert person_of(store, token, NOW + minutes * MINUTE)
    assert person_of(store, token, NOW + SESSION_MAX - 1)
    assert person_of(store, token, NOW + SESSION_MAX) is None


def test_it_is_written_once_a_minute_that_somebody_is_there(store: Store) -> None:
    token, written = enter(store), set()
    for second in range(0, 180, 5):
        assert person_of(store, token, NOW + second * SECOND)
        with store.reading() as connection:
            written.add(connection.execute(select(sessions.c.seen_at)).scalar_one())
    assert written == {NOW, NOW + MINUTE, NOW + 2 * MINUTE}
    assert users(store)[0] == User("Ann", Role.ANALYST, True, NOW, NOW + 2 * MINUTE)  # noqa: FBT003


def test_each_session_has_secrets_of_its_own(store: Store) -> None:
    tokens = [enter(store) for _ in range(5)]
    persons = [person_of(store, token, NOW) for token in tokens]
    assert len({*tokens, *(person.csrf for person in persons if person)}) == 10
    assert all(len(token) == 43 for token in tokens)  # 256 bits in base64


@law(60)
@given(token=st.text(max_size=200) | st.text(string.printable, max_size=43))
def test_no_other_token_is_a_session(shared_store: Store, token: str) -> None:
    assert person_of(shared_store, token, NOW) is None


Ending = Callable[[Store, str], object]
ENDINGS: Final[dict[str, tuple[Ending, bool]]] = {
    "logout": (lambda store, token: logout(store, token, NOW), False),
    "logout everywhere": (lambda store, _: logout_everywhere(store, "Ann", NOW), True),
    "password": (lambda store, _: set_password(store, "Ann", OTHER, NOW), True),
    "disable": (lambda store, _: set_active(store, "Ann", NOW, is_active=False), True),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_what_ends_sessions(store: Store, name: str) -> None:
    end, ends_all = ENDINGS[name]
    token, elsewhere, of_other = enter(store), enter(store), enter(store, "Bob")
    end(store, token)
    assert person_of(store, token, NOW) is None
    assert (person_of(store, elsewhere, NOW) is None) is ends_all
    assert isinstance(person_of(store, of_other, NOW), Person)


def test_who_is_inactive_has_no_session_even_if_a_row_was_left(store: Store) -> None:
    token = enter(store)
    with store.begin() as connection:
        connection.execute(update(users_table).values(is_active=False))
    assert person_of(store, token, NOW) is None


def test_who_is_enabled_again_has_the_password_but_no_session(store: Store) -> None:
    token = enter(store)
    set_active(store, "Ann", NOW, is_active=False)
    set_active(store, "Ann", NOW, is_active=True)
    assert person_of(store, token, NOW) is None
    assert enter(store)


def test_logging_out_twice_is_said_once(store: Store) -> None:
    token = enter(store)
    logout(store, token, NOW)
    logout(store, token, NOW)
    assert said(store).count(("Ann", "logout", "Ann")) == 1


def test_sessions_that_have_ended_are_deleted_by_the_next(store: Store) -> None:
    enter(store)
    enter(store, "Bob", NOW + IDLE_MAX)
    with store.reading() as connection:
        assert list(connection.execute(select(sessions.c.name)).scalars()) == ["Bob"]


def test_a_password_that_changes_during_a_login_ends_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(password: str, password_hash: str | None) -> bool:
        is_right = is_password(password, password_hash)
        set_password(store, "Ann", OTHER, NOW)
        return is_right

    is_password = people._is_password
    monkeypatch.setattr(people, "_is_password", slow)
    with pytest.raises(LoginError):
        enter(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda store: set_password(store, "Cid", GOOD, NOW),
        lambda store: set_active(store, "Cid", NOW, is_active=True),
    ],
)
def test_who_is_not_there_cannot_be_changed(store: Store, change: Callable[[Store], None]) -> None:
    before = everything(store)
    with pytest.raises(PeopleError, match="there is no user 'Cid'"):
        change(store)
    assert everything(store) == before


# -- the first administrator ----------------------------------------------------------------------


@pytest.fixture
def new_store(store: Store) -> Store:
    """A store without users."""
    with store.begin() as connection:
        for table in (sessions, users_table, audit):
            connection.execute(delete(table))
    return store


def test_the_first_administrator_is_made_once(new_store: Store) -> None:
    first, second = (new_setup_token(new_store, NOW) for _ in range(2))
    use_setup_token(new_store, first, "Ada", GOOD, NOW + HOUR - 1)
    assert users(new_store) == [User("Ada", Role.ADMIN, True, NOW + HOUR - 1, None)]  # noqa: FBT003
    for token in (first, second):
        with pytest.raises(PeopleError, match="administrator already"):
            use_setup_token(new_store, token, "Eve", GOOD, NOW + 1)
    assert enter(new_store, "Ada")


def test_a_token_is_used_once_even_if_the_administrator_is_gone(new_store: Store) -> None:
    tokens = [new_setup_token(new_store, NOW) for _ in range(2)]
    use_setup_token(new_store, tokens[0], "Ada", GOOD, NOW)
    with new_store.begin() as connection:
        connection.execute(delete(users_table))
    for token in tokens:
        with pytest.raises(PeopleError, match="unused"):
            use_setup_token(new_store, token, "Eve", GOOD, NOW)


@pytest.mark.parametrize("later", [HOUR, 2 * HOUR])
def test_a_token_is_good_for_an_hour(new_store: Store, later: int) -> None:
    token = new_setup_token(new_store, NOW)
    with pytest.raises(PeopleError, match="the last hour"):
        use_setup_token(new_store, token, "Ada", GOOD, NOW + later)
    with pytest.raises(PeopleError, match="the last hour"):
        use_setup_token(new_store, token + "x", "Ada", GOOD, NOW)
    with pytest.raises(PeopleError, match="12 to 128"):
        use_setup_token(new_store, token, "Ada", "x", NOW)
    assert users(new_store) == []


def test_two_at_once_make_one_administrator(new_store: Store) -> None:
    token = new_setup_token(new_store, NOW)

    def outcome(name: str) -> bool:
        try:
            use_setup_token(new_store, token, name, GOOD, NOW)
        except PeopleError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(outcome, ["Ada", "Bea", "Cat", "Dee"])) == 1
    assert len(users(new_store)) == 1


# -- the audit ------------------------------------------------------------------------------------


def test_every_write_has_its_entry_and_no_secret_is_kept(new_store: Store) -> None:
    store = new_store
    setup = new_setup_token(store, NOW)
    use_setup_token(store, setup, "Ada", GOOD, NOW)
    add_user(store, "Ann", Role.ANALYST, GOOD, NOW, by="Ada")
    token = enter(store)
    set_password(store, "Ann", OTHER, NOW)
    again = login(store, "Ann", OTHER, HOME, NOW)
    logout(store, again, NOW)
    logout_everywhere(store, "Ann", NOW)
    set_active(store, "Ann", NOW, is_active=False, by="Ada")
    set_active(store, "Ann", NOW, is_active=True, by="Ada")
    for name in ("Ann", "typed as a name"):
        with pytest.raises(LoginError):
            login(store, name, "typed as a password", HOME, NOW)
    assert said(store) == [
        ("(command line)", "setup-begun", "(setup)"),
        ("(setup)", "user-added", "Ada"),
        ("Ada", "user-added", "Ann"),
        ("Ann", "login", "Ann"),
        ("(command line)", "password-set", "Ann"),
        ("Ann", "login", "Ann"),
        ("Ann", "logout", "Ann"),
        ("Ann", "logout-everywhere", "Ann"),
        ("Ada", "user-disabled", "Ann"),
        ("Ada", "user-enabled", "Ann"),
        ("Ann", "login-failed", "Ann"),
        ("(unknown)", "login-failed", "(unknown)"),
    ]
    kept = everything(store)
    for secret in (setup, token, again, GOOD, OTHER, "typed as"):
        assert secret not in kept


def test_an_entry_says_what_changed(store: Store) -> None:
    enter(store)
    set_password(store, "Ann", OTHER, NOW + 1, by="Bob")
    set_active(store, "Ann", NOW + 2, is_active=False, by="Bob")
    with store.reading() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.number)).all()
    changes: list[tuple[int, Any, Any]] = [
        (row.at - NOW, row.before and json.loads(row.before), row.after and json.loads(row.after))
        for row in rows
    ]
    assert changes[2:] == [
        (0, None, {"address": HOME}),
        (1, None, {"sessions_ended": 1}),
        (2, {"is_active": True}, {"is_active": False}),
    ]
    assert changes[0] == (0, None, {"role": "analyst", "is_active": True})


def test_a_write_that_fails_has_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = with_users(sqlite_store(tmp_path))
    before = everything(store)

    def fail(*_: object, **__: object) -> int:
        raise KeyError("as a database that is full")

    monkeypatch.setattr(people, "append", fail)
    for write in (
        lambda: set_password(store, "Ann", OTHER, NOW),
        lambda: set_active(store, "Ann", NOW, is_active=False),
        lambda: add_user(store, "Cid", Role.VIEWER, GOOD, NOW),
        lambda: logout_everywhere(store, "Ann", NOW),
        lambda: new_setup_token(store, NOW),
    ):
        with pytest.raises(KeyError):
            write()
    assert everything(store) == before
    store.close()


def test_postgresql_keeps_the_same_rules_when_many_come_at_once(postgres_url: str) -> None:
    store = Store.open(postgres_url)
    setup = new_setup_token(store, NOW)

    def outcome(number: int) -> str:
        try:
            use_setup_token(store, setup, f"Ada {number}", GOOD, NOW)
        except PeopleError:
            pass
        else:
            return "made"
        try:
            return login(store, "Cid\0", OTHER, HOME, NOW)
        except (LoginError, ThrottledError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(outcome, range(18)))
    assert outcomes.count("made") == 1
    assert outcomes.count("LoginError") == 5
    assert outcomes.count("ThrottledError") == 12
    (admin,) = users(store)
    token = enter(store, admin.name)
    with ThreadPoolExecutor(6) as pool:
        later = [NOW + minutes * MINUTE for minutes in range(25)]
        assert all(pool.map(lambda now: person_of(store, token, now), reversed(later)))
    with store.reading() as connection:
        assert connection.execute(select(sessions.c.seen_at)).scalar_one() == later[-1]
    set_password(store, admin.name, OTHER, NOW)
    assert person_of(store, token, NOW) is None
    assert len(said(store)) == 9
    store.close()
