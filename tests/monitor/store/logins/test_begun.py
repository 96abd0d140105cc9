"""Logins that wait for a provider's answer, and those that it lets in: on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from monitor.store import people
from monitor.store.logins import begun as of_logins
from monitor.store.logins.begun import LOGIN_MAX, Begun, begin_login, finish_login
from monitor.store.people import (
    FAILURES_OF_AN_ADDRESS,
    FAILURES_WITHIN,
    LoginError,
    Role,
    ThrottledError,
    add_user,
    begin_try,
    forget_try,
    login,
    login_by_provider,
    person_of,
    set_active,
)
from monitor.store.schema import begun_logins, failed_logins
from monitor.store.store import Store
from tests.support.laws import law
from tests.support.stored import NOW

GOOD = "five plain words here"
HOME = "192.0.2.1"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "HASHER", cheap)


def rows_of(store: Store) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(select(begun_logins)).all()]


def failures(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(failed_logins)).scalar_one()


def test_a_login_is_finished_once_by_its_own_browser(either_store: Store) -> None:
    mine, other = (begin_login(either_store, page, NOW) for page in ("/queue", "/team"))
    assert finish_login(either_store, Begun(mine.secret, other.state), NOW) is None
    assert finish_login(either_store, Begun(other.secret, mine.state), NOW) is None
    assert finish_login(either_store, mine, NOW + LOGIN_MAX - 1) == "/queue"
    assert finish_login(either_store, mine, NOW) is None
    assert finish_login(either_store, other, NOW + LOGIN_MAX) is None


def test_a_login_is_finished_once_by_many_at_the_same_time(either_store: Store) -> None:
    mine = begin_login(either_store, "/queue", NOW)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: finish_login(either_store, mine, NOW), range(8)))
    assert sorted(page or "" for page in found) == [*[""] * 7, "/queue"]


def test_the_database_has_nothing_by_which_a_login_can_be_finished(either_store: Store) -> None:
    mine = begin_login(either_store, "/queue", NOW)
    [row] = rows_of(either_store)
    parts = {mine.secret, mine.state, mine.nonce, mine.verifier}
    assert len(parts) == 4
    assert not parts & {str(value) for value in row}
    assert all(len(part) == 43 for part in parts)


def test_old_logins_are_forgotten_and_there_are_never_too_many(
    either_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_logins, "WAITING_MAX", 20)
    made = [begin_login(either_store, "/queue", NOW + number) for number in range(50)]
    assert len(rows_of(either_store)) <= 20
    assert finish_login(either_store, made[0], NOW + 50) is None
    assert finish_login(either_store, made[-1], NOW + 50) == "/queue"
    begin_login(either_store, "/queue", NOW + LOGIN_MAX + 50)
    assert len(rows_of(either_store)) == 1


@law(60)
@given(secret=st.text(max_size=60), state=st.text(max_size=60))
def test_no_other_text_finishes_a_login(store_of_law: Store, secret: str, state: str) -> None:
    assert finish_login(store_of_law, Begun(secret, state), NOW) is None


@pytest.fixture(scope="module")
def store_of_law(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('law') / 'weir.db'}")
    begin_login(store, "/queue", NOW)
    yield store
    store.close()


def test_whom_a_provider_names_is_in_and_earlier_failures_are_forgotten(
    either_store: Store,
) -> None:
    add_user(either_store, "Ann", Role.ANALYST, GOOD, NOW)
    for name in ("nobody", "ann", "Ann\0", None):
        tried = begin_try(either_store, HOME, NOW)
        with pytest.raises(LoginError):
            login_by_provider(either_store, name, HOME, tried, NOW)
    assert failures(either_store) == 4
    token = login_by_provider(either_store, "Ann", HOME, begin_try(either_store, HOME, NOW), NOW)
    person = person_of(either_store, token, NOW)
    assert person is not None
    assert (person.name, person.role) == ("Ann", Role.ANALYST)
    assert failures(either_store) == 0
    set_active(either_store, "Ann", NOW, is_active=False)
    with pytest.raises(LoginError):
        login_by_provider(either_store, "Ann", HOME, begin_try(either_store, HOME, NOW), NOW)


def test_an_address_waits_after_too_many_of_both_ways(either_store: Store) -> None:
    add_user(either_store, "Ann", Role.ANALYST, GOOD, NOW)
    for number in range(FAILURES_OF_AN_ADDRESS // 2):
        begin_try(either_store, HOME, NOW)
        with pytest.raises(LoginError):
            login(either_store, f"n{number}", "wrong", HOME, NOW)
    with pytest.raises(ThrottledError):
        begin_try(either_store, HOME, NOW)
    with pytest.raises(ThrottledError):
        login(either_store, "Ann", GOOD, HOME, NOW)
    assert begin_try(either_store, "192.0.2.2", NOW)
    forget_try(either_store, begin_try(either_store, HOME, NOW + FAILURES_WITHIN))
    assert failures(either_store) == 0
